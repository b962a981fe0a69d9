//! What can go wrong between us and nftables.

use std::io;

use rustix::io::Errno;

use crate::netlink::{Fault, Refused};

/// Why the guard is not as it was asked to be.
#[derive(Debug, thiserror::Error)]
pub enum NftError {
    /// `EPERM`.
    #[error(
        "nftables is not ours to change: that needs CAP_NET_ADMIN, and that no other program owns our table"
    )]
    NotPermitted(Refused),
    /// `ENOENT`: our table, or what it consists of.
    #[error(
        "the table inet knock_spa is not installed, or the kernel lacks a part of nf_tables for it ({0})"
    )]
    Missing(Refused),
    /// The ruleset is larger than [`super::DOORS_MAX`], [`super::TRUSTED_MAX`] or [`super::ELEMENTS_MAX`]
    /// allow.
    #[error("too much for the guard: it takes 1024 doors, 256 trusted, and 65536 openings of either family")]
    TooMuch,
    /// `ENFILE`: more than [`super::ELEMENTS_MAX`] elements.
    #[error("a set of the table inet knock_spa is full ({0})")]
    Full(Refused),
    /// Any other refusal.
    #[error("nftables refuses: {0}")]
    Refused(Refused),
    /// The kernel was not reached, or its answer was lost.
    #[error("nftables cannot be reached: {0}")]
    Io(#[from] io::Error),
    /// The kernel gave no answer, or none that makes sense.
    #[error("nftables gave no answer")]
    NoAnswer,
}

impl From<Fault> for NftError {
    fn from(fault: Fault) -> Self {
        match fault {
            Fault::Refused(refused) => refused.into(),
            Fault::Io(error) => Self::Io(error),
            Fault::NoAnswer | Fault::Changed => Self::NoAnswer,
        }
    }
}

impl From<Refused> for NftError {
    fn from(refused: Refused) -> Self {
        match Errno::from_raw_os_error(refused.code) {
            Errno::PERM => Self::NotPermitted(refused),
            Errno::NOENT => Self::Missing(refused),
            Errno::NFILE => Self::Full(refused),
            _ => Self::Refused(refused),
        }
    }
}
