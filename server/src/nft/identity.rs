//! What tells the table that was installed from what others made of it.

use super::TABLE;
use super::kernel::{NFTA_RULE_HANDLE, NFTA_TABLE, NFTA_TABLE_FLAGS, NFTA_TABLE_HANDLE};
use crate::netlink::attribute;

/// One table of our name, with the numbers that the kernel gave to it and to its rules.
#[derive(Debug)]
pub(super) struct Identity {
    pub(super) table: TableIdentity,
    pub(super) rules: Vec<Vec<u8>>,
}

/// The number of a table, and whether it is asleep.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct TableIdentity {
    handle: Vec<u8>,
    flags: Vec<u8>,
}

impl TableIdentity {
    /// That of the table in this message.
    pub(super) fn of(message: &[u8]) -> Self {
        let value = |kind| attribute(message, kind).unwrap_or_default().to_vec();
        Self { handle: value(NFTA_TABLE_HANDLE), flags: value(NFTA_TABLE_FLAGS) }
    }
}

/// The number of the rule in this message, if it is of our table.
pub(super) fn rule_of(message: &[u8]) -> Option<Vec<u8>> {
    is_ours(message).then(|| attribute(message, NFTA_RULE_HANDLE)).flatten().map(<[u8]>::to_vec)
}

/// Whether the message is about our table, or something in it.
pub(super) fn is_ours(message: &[u8]) -> bool {
    attribute(message, NFTA_TABLE).and_then(|name| name.strip_suffix(&[0])) == Some(TABLE.as_bytes())
}

impl Identity {
    /// Whether this table, as it is now, is the one that was `installed`, with every rule that it had.
    pub(super) fn is_whole(&self, installed: &Self) -> bool {
        self.table == installed.table && installed.rules.iter().all(|rule| self.rules.contains(rule))
    }
}
