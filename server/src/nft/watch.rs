//! Hearing of changes that others make to our table, as `nft flush ruleset` does.

use std::io;
use std::os::fd::{AsFd, BorrowedFd};

use netlink_sys::protocols::NETLINK_NETFILTER;
use rustix::io::Errno;

use super::Guard;
use super::identity::is_ours;
use super::kernel::*;
use crate::netlink::{Message, Socket};

/// Tells when somebody else removed or remade our table, or anything that it consists of.
///
/// Its descriptor is readable when there is something to tell.
#[derive(Debug)]
pub struct RulesetWatch {
    socket: Socket,
}

impl RulesetWatch {
    pub(super) fn connect() -> io::Result<Self> {
        Ok(Self { socket: Socket::connect(NETLINK_NETFILTER, &[NFNLGRP_NFTABLES])? })
    }

    /// Reads what there is to read, without waiting; whether `guard` must install its table again, because
    /// somebody took from it or put another in its place.
    ///
    /// # Errors
    /// Where the socket fails.
    pub fn lost(&mut self, guard: &mut Guard) -> io::Result<bool> {
        let (own, mut lost, mut overrun) = (guard.port(), false, false);
        loop {
            match self.socket.read(|message| lost |= message.port != own && is_damage(&message)) {
                Ok(true) => {}
                // More happened than the kernel could tell, if only that the guard itself installed much.
                Ok(false) if overrun && !lost => return Ok(!guard.stands()),
                Ok(false) => return Ok(lost),
                Err(error) if error.raw_os_error() == Some(Errno::NOBUFS.raw_os_error()) => overrun = true,
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
    DAMAGE.contains(&message.kind) && *family == INET[0] && is_ours(rest)
}
