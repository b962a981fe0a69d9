//! One module for each family of system calls: the only places where the outside world is asked or moved.

pub mod clock;
pub mod entropy;
