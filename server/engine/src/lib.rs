//! Every decision of the server, and no action.
//!
//! Two state machines: `watch` runs in the listener, which reads packets and holds no power; `admit`
//! runs in the keeper, which holds power and reads no packets. Both take time as an argument and hand out
//! what is to be done as values.
#![no_std]
#![forbid(unsafe_code)]

extern crate alloc;

pub mod admit;
#[cfg(test)]
mod cases;
pub mod client;
pub mod command;
pub mod invitation;
pub mod knockd;
pub mod pace;
pub mod rules;
pub mod set;
pub mod watch;
