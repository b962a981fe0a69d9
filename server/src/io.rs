//! One module for each family of system calls: the only places where the outside world is asked or moved.

pub mod ancestors;
pub mod channel;
pub mod clock;
pub mod datagram_socket;
pub mod entropy;
pub mod notify;
pub mod packet_socket;
pub mod process;
pub mod readiness;
pub mod resolver;
mod syscalls;
pub mod timer;
