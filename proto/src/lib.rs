//! What is on a wire: the vocabulary that server and client share, and every encoding of it.
//!
//! Nothing here reads a clock, draws a random number or touches the system: time and randomness are
//! arguments, and `no_std` keeps it so. The packet is specified in `docs/protocol.md`.
#![no_std]
#![forbid(unsafe_code)]

extern crate alloc;

pub mod address;
pub mod bytes;
pub mod cidr;
pub mod control;
pub mod element;
pub mod getopt;
pub mod interface;
pub mod knock;
pub mod port;
pub mod refusal;
pub mod report;
pub mod segment;
pub mod service;
pub mod spa;
pub mod span;
pub mod time;
