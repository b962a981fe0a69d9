//! The bytes of a journal: its header, and how a record stands behind it.

use knock_spa_engine::admit::record::Record;
use ring::digest::{SHA256, digest};

use super::Condition;

/// The first bytes of the file.
pub const HEADER: &[u8] = b"knock-spa-journal-v1\n";

/// Bytes of SHA-256 that are kept: against accidents, not against a writer of the file, who is root.
pub(super) const CHECKSUM: usize = 8;

/// The longest payload: all ports that a configuration can have, for two addresses, each with the longest command.
pub(super) const MAX_PAYLOAD: usize = 16 << 20;

/// The payload of a record as it stands in the file.
#[must_use]
pub fn framed(payload: &[u8]) -> Vec<u8> {
    let length = u32::try_from(payload.len()).unwrap_or(u32::MAX).to_be_bytes();
    [&length[..], &checksum(length, payload), payload].concat()
}

fn checksum(length: [u8; 4], payload: &[u8]) -> [u8; CHECKSUM] {
    let digest = digest(&SHA256, &[&length[..], payload].concat());
    digest.as_ref().first_chunk().copied().unwrap_or_default()
}

/// The records of a journal with these bytes up to the first that is not intact, and what that one means; `None`
/// where it is no journal of this version.
#[must_use]
pub fn parse(file: &[u8]) -> Option<(Vec<Record>, Condition)> {
    let mut bytes = file.strip_prefix(HEADER)?;
    let mut records = Vec::new();
    while let Some((record, rest)) = split_record(bytes) {
        records.push(record);
        bytes = rest;
    }
    let condition = if bytes.iter().all(|byte| *byte == 0) {
        Condition::Whole
    } else if (1..bytes.len()).any(|at| bytes.get(at..).is_some_and(|tail| split_record(tail).is_some())) {
        Condition::Damaged
    } else {
        Condition::TornTail
    };
    Some((records, condition))
}

fn split_record(bytes: &[u8]) -> Option<(Record, &[u8])> {
    let (length, rest) = bytes.split_first_chunk::<4>()?;
    let (sum, rest) = rest.split_first_chunk::<CHECKSUM>()?;
    let len =
        usize::try_from(u32::from_be_bytes(*length)).ok().filter(|len| (1..=MAX_PAYLOAD).contains(len))?;
    let (payload, rest) = rest.split_at_checked(len)?;
    // Before the checksum: rubbish ends at its first fields, and would cost megabytes of hashing at each of its bytes.
    let record = Record::decode(payload)?;
    (checksum(*length, payload) == *sum).then_some((record, rest))
}
