//! Batches: changes that the kernel makes all together or not at all.

use super::kernel::{
    BATCH, INET, NFNL_MSG_BATCH_BEGIN, NFNL_MSG_BATCH_END, NFT_MSG_DELSETELEM, NFT_MSG_NEWSETELEM,
};
use super::set::{Entry, messages};
use crate::netlink::{Attributes, NLM_F_ACK, NLM_F_CREATE, Request};

/// The most elements that a batch adds or removes: together with the rules of the largest ruleset they are
/// less than a netlink socket sends at once.
pub(super) const ENTRIES_MAX: usize = 2048;

/// Changes to tables of one family, in order.
#[derive(Debug)]
pub(super) struct Batch {
    head: [u8; 4],
    changes: Vec<(u16, u16, Attributes)>,
}

impl Batch {
    /// Changes to our own table.
    pub(super) const fn new() -> Self {
        Self::with(INET)
    }

    /// Changes to tables of the family that this `struct nfgenmsg` tells.
    pub(super) const fn with(head: [u8; 4]) -> Self {
        Self { head, changes: Vec::new() }
    }

    /// Also this change: a message type, its flags, and what it says.
    pub(super) fn push(&mut self, kind: u16, flags: u16, attributes: Attributes) {
        self.changes.push((kind, flags, attributes));
    }

    /// Also adds elements; those that are there already are left as they are, or get the new timeout.
    pub(super) fn add(&mut self, entries: &[Entry]) {
        messages(entries).for_each(|message| self.push(NFT_MSG_NEWSETELEM, NLM_F_CREATE, message));
    }

    /// Also removes elements, which must be there.
    pub(super) fn remove(&mut self, entries: &[Entry]) {
        messages(entries).for_each(|message| self.push(NFT_MSG_DELSETELEM, 0, message));
    }

    /// The messages, between the marks of a batch. Only the last change wants an acknowledgement: refusals
    /// come anyway, and thousands of acknowledgements would not fit the socket.
    pub(super) fn requests(&self) -> Vec<Request<'_>> {
        let mark = |kind| Request { kind, flags: 0, head: &BATCH, attributes: &NONE };
        let last = self.changes.len().saturating_sub(1);
        let changes = self.changes.iter().enumerate().map(|(i, (kind, flags, attributes))| {
            let flags = if i == last { flags | NLM_F_ACK } else { *flags };
            Request { kind: *kind, flags, head: &self.head, attributes }
        });
        let (begin, end) = ([mark(NFNL_MSG_BATCH_BEGIN)], [mark(NFNL_MSG_BATCH_END)]);
        begin.into_iter().chain(changes).chain(end).collect()
    }
}

/// What a mark says.
static NONE: Attributes = Attributes::new();
