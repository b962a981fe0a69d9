//! The guard: our own nftables table `inet knock_spa`, written over netlink.

mod trusted;

pub use trusted::{NotTrusted, Trusted};
