//! Hearing of changes that others make to our table, as `nft flush ruleset` does.

use std::io;
use std::os::fd::{AsFd, BorrowedFd};

use netlink_sys::protocols::NETLINK_NETFILTER;
use rustix::io::Errno;

use super::TABLE;
use super::kernel::*;
use crate::netlink::{Message, Socket, attribute};

/// Tells when somebody else removed or remade our table, or anything that it consists of.
///
/// Its descriptor is readable when there is something to tell.
#[derive(Debug)]
pub struct RulesetWatch {
    socket: Socket,
    /// The netlink port of the guard, whose own changes are no news.
    guard: u32,
}

impl RulesetWatch {
    pub(super) fn beside(guard: u32) -> io::Result<Self> {
        Ok(Self { socket: Socket::connect(NETLINK_NETFILTER, &[NFNLGRP_NFTABLES])?, guard })
    }

    /// Reads what there is to read, without waiting; whether the table must be installed again: somebody
    /// took from it or put another in its place, or so much happened that the kernel could not tell it.
    ///
    /// # Errors
    /// Where the socket fails.
    pub fn lost(&mut self) -> io::Result<bool> {
        let (guard, mut lost) = (self.guard, false);
        loop {
            match self.socket.read(|message| lost |= message.port != guard && is_damage(&message)) {
                Ok(true) => {}
                Ok(false) => return Ok(lost),
                Err(error) if error.raw_os_error() == Some(Errno::NOBUFS.raw_os_error()) => lost = true,
                Err(error) => return Err(error),
            }
        }
    }
}

impl AsFd for RulesetWatch {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.socket.as_fd()
    }
}

/// Whether the message tells that something of our table went, or that a table of its name came.
fn is_damage(message: &Message<'_>) -> bool {
    const DAMAGE: [u16; 5] =
        [NFT_MSG_NEWTABLE, NFT_MSG_DELTABLE, NFT_MSG_DELCHAIN, NFT_MSG_DELRULE, NFT_MSG_DELSET];
    let Some(([family, ..], rest)) = message.body.split_first_chunk::<4>() else { return false };
    let name = attribute(rest, NFTA_TABLE).and_then(|name| name.strip_suffix(&[0]));
    DAMAGE.contains(&message.kind) && *family == INET[0] && name == Some(TABLE.as_bytes())
}
