//! What the tests share: the lab of network namespaces, and the real programs in it.

pub mod attacker;
pub mod classic;
pub mod flood;
pub mod invited;
pub mod knockd;
pub mod lab;
pub mod laptop;
pub mod pattern;
pub mod programs;
pub mod rights;
pub mod server;
pub mod sshd;
pub mod usage;
