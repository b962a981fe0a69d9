//! Netlink: how a program talks with the kernel about networks (RFC 3549, netlink(7)).
//!
//! A message is a header, a fixed structure of its protocol, and attributes, which may hold attributes.
//! All that is written and read here, so that what goes to the kernel can be held against its headers, and
//! long dumps are read in one pass.

mod attributes;
mod message;
mod socket;

pub(crate) use attributes::{Attributes, attribute, attributes};
pub use message::Refused;
pub(crate) use message::{Message, NLM_F_ACK, NLM_F_CREATE, NLM_F_DUMP, Request};
pub(crate) use socket::{Fault, Socket};
