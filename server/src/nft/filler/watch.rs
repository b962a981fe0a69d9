//! Hearing of what others do to sets that we fill, as a reload of the administrator's ruleset does.

use std::collections::BTreeSet;
use std::io;
use std::os::fd::{AsFd, BorrowedFd};

use knock_spa_engine::set::SetName;
use netlink_sys::protocols::NETLINK_NETFILTER;
use rustix::io::Errno;

use super::super::kernel::*;
use super::{Filler, family};
use crate::netlink::{Message, Socket, attribute};

/// What others did.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Heard {
    /// Nothing to sets of ours.
    Nothing,
    /// These sets came, went, or lost elements.
    Changed(BTreeSet<SetName>),
    /// More than the kernel could tell, if only that the filler itself added much.
    Overrun,
}

/// Tells when somebody else changed what a [`Filler`] fills.
///
/// Its descriptor is readable when there is something to tell.
#[derive(Debug)]
pub struct SetWatch {
    socket: Socket,
}

impl SetWatch {
    /// A watch that hears from now on.
    ///
    /// # Errors
    /// Where the kernel does not let us listen: that needs `CAP_NET_ADMIN`.
    pub fn connect() -> io::Result<Self> {
        Ok(Self { socket: Socket::connect(NETLINK_NETFILTER, &[NFNLGRP_NFTABLES])? })
    }

    /// Reads what there is to read, without waiting: what others than `filler` did to these sets.
    ///
    /// # Errors
    /// Where the socket fails.
    pub fn hear(&mut self, filler: &Filler, sets: &BTreeSet<SetName>) -> io::Result<Heard> {
        let (own, mut changed, mut overrun) = (filler.port(), BTreeSet::new(), false);
        loop {
            let read = self.socket.read(|message| {
                if message.port != own {
                    changed.extend(sets.iter().find(|set| is_about(&message, set)).cloned());
                }
            });
            match read {
                Ok(true) => {}
                Ok(false) if overrun => return Ok(Heard::Overrun),
                Ok(false) if changed.is_empty() => return Ok(Heard::Nothing),
                Ok(false) => return Ok(Heard::Changed(changed)),
                Err(error) if error.raw_os_error() == Some(Errno::NOBUFS.raw_os_error()) => overrun = true,
                Err(error) => return Err(error),
            }
        }
    }
}

impl AsFd for SetWatch {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.socket.as_fd()
    }
}

/// Whether the message tells that the set came or went, or lost an element. One that expires is not told.
fn is_about(message: &Message<'_>, set: &SetName) -> bool {
    const KINDS: [u16; 3] = [NFT_MSG_NEWSET, NFT_MSG_DELSET, NFT_MSG_DELSETELEM];
    let Some(([of, ..], rest)) = message.body.split_first_chunk::<4>() else { return false };
    let is = |kind, name: &str| {
        attribute(rest, kind).and_then(|text| text.strip_suffix(&[0])) == Some(name.as_bytes())
    };
    // The set's name has the same number in a message about the set, and about its elements.
    const { assert!(NFTA_SET_NAME == NFTA_SET_ELEM_LIST_SET) };
    KINDS.contains(&message.kind)
        && *of == family(set)
        && is(NFTA_TABLE, set.table())
        && is(NFTA_SET_NAME, set.set())
}
