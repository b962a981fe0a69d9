//! What was seen, with no opinion about it.

use std::net::IpAddr;
use std::num::NonZeroU16;

use knock_spa_proto::span::Span;
use knock_spa_proto::time::UnixTime;

use crate::failure::Failure;
use crate::key_file::Kind;
use crate::report::Report;
use crate::watch::Answer;

/// All that was seen.
#[derive(Debug)]
pub(super) struct Facts {
    /// The clock.
    pub(super) clock: Clock,
    /// This device's key.
    pub(super) key: Key,
    /// The permission bits of the directory in which it is; none where they cannot be read.
    pub(super) directory: Option<u32>,
    /// The server's endpoints, the preferred one first.
    pub(super) names: Vec<Name>,
    /// The ways to the first endpoint that has addresses.
    pub(super) ways: Vec<Way>,
    /// What asking came to, or why it did not come to asking.
    pub(super) trial: Result<Trial, Fault>,
}

/// What this machine tells of its clock.
#[derive(Clone, Copy, Debug)]
pub(super) struct Clock {
    /// What it says; none before 1970.
    pub(super) now: Option<UnixTime>,
    /// When a file of ours was last written, by the clock of then.
    pub(super) written: Option<UnixTime>,
    /// Whether it is kept in step with others, as the kernel has been told; none where nobody says.
    pub(super) kept: Option<bool>,
}

/// A device's key.
#[derive(Debug)]
pub(super) struct Key {
    /// Its file.
    pub(super) path: String,
    /// What the file holds.
    pub(super) kind: Kind,
    /// Why it cannot be used.
    pub(super) fault: Option<Fault>,
}

/// What is wrong, and what to do about it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Fault {
    /// What is wrong.
    pub(super) what: String,
    /// What to do about it.
    pub(super) mend: Option<String>,
}

/// One endpoint of the server.
#[derive(Debug)]
pub(super) struct Name {
    /// Its host.
    pub(super) host: String,
    /// Its port.
    pub(super) port: NonZeroU16,
    /// The host's addresses, or why there are none.
    pub(super) addresses: Result<Vec<IpAddr>, String>,
}

/// The way to one address of the server.
#[derive(Debug)]
pub(super) struct Way {
    /// That address.
    pub(super) server: IpAddr,
    /// This machine's own address on the way, or why there is none.
    pub(super) own: Result<IpAddr, String>,
}

/// A request, and what the ports showed before and after it.
#[derive(Debug)]
pub(super) struct Trial {
    /// Whom it was for, and why.
    pub(super) reason: String,
    /// This machine's address on the way of the packet.
    pub(super) own: IpAddr,
    /// How long it was tried.
    pub(super) wait: Span,
    /// What the ports showed before; empty where nobody looked.
    pub(super) before: Vec<Answer>,
    /// What came of it.
    pub(super) report: Report,
}

impl From<&Failure> for Fault {
    fn from(failure: &Failure) -> Self {
        Self { what: failure.reason(), mend: failure.remedy().map(str::to_owned) }
    }
}
