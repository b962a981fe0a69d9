//! Who somebody is: the keys of servers and clients, their one-line text forms and their fingerprints.
//!
//! Nothing here reads a clock, draws a random number or touches the system: secrets come in as bytes, and
//! `no_std` keeps it so. The text forms are specified in `docs/protocol.md` section 8.
#![no_std]
#![forbid(unsafe_code)]

extern crate alloc;

pub mod client;
pub mod comment;
pub mod endpoint;
pub mod fingerprint;
pub mod invitation;
pub mod point;
pub mod sealed;
pub mod server;
pub mod text;
