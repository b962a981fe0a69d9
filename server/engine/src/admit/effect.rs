//! What the keeper's shell is to do: plain values, carried out strictly in order.

use alloc::string::String;
use alloc::vec::Vec;
use core::time::Duration;

use knock_spa_keys::client::ClientKey;
use knock_spa_proto::address::Address;
use knock_spa_proto::element::Element;
use knock_spa_proto::port::ServicePort;
use knock_spa_proto::refusal::Refusal;
use knock_spa_proto::service::ServiceName;

use super::explaining::WrongClock;
use super::opening::Origin;
use super::record::Record;
use crate::client::Client;
use crate::command::Rendered;
use crate::knockd::Said;
use crate::rules::{Knockable, Lease};
use crate::set::SetName;

/// Names a record that the engine waits for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Ticket(pub u64);

/// Names a command that runs.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum JobId {
    /// Of a pair that openings share.
    Hold(u64),
    /// Of a door in knockd's manner.
    Run(u64),
}

/// Something to do.
#[derive(Clone, Debug, PartialEq, Eq)]
#[must_use]
pub enum Effect {
    /// Append the record and make it durable, then say so with [`Outcome::Recorded`]: nothing that depends on
    /// it is handed out before.
    Record(Ticket, Record),
    /// Append the record; it need not be durable, and nobody waits for it.
    Note(Record),
    /// Set these elements of the guard to end after these spans, whether they are there or not; `None` is never.
    Open(Vec<(Element, Option<Duration>)>),
    /// Remove these elements of the guard, where they still are.
    Close(Vec<Element>),
    /// Have sets of the administrator's ruleset hold this.
    Fill(Vec<SetEntry>),
    /// End the flows from these addresses to these ports: nobody has them open any more.
    Cut(Vec<Element>),
    /// Run a command, then say how it ended with [`Outcome::Ran`].
    Run(Job),
    /// Strike the sequence out, durably, by which this door was knocked, then say so with [`Outcome::StruckOut`].
    StrikeOut(Ticket, Knockable),
    /// Write the client's file, then mark the invitation as used by its key, durably and unless the files that are
    /// there tell otherwise; then say so with [`Outcome::Enrolled`].
    Enrol(Ticket, Enrolment),
    /// Tell the administrator.
    Say(Event),
}

/// What a set of the administrator's is to hold for one address. What a key of the set has of an address, only the kernel
/// knows: the address alone, or each port.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SetEntry {
    /// The set.
    pub set: SetName,
    /// The address.
    pub address: Address,
    /// All ports that are open to it by this set, whether the set holds them already or not, and for how much longer;
    /// `None` is for ever.
    pub open: Vec<(ServicePort, Option<Duration>)>,
    /// Ports that are open no longer, where the set still holds them.
    pub shut: Vec<ServicePort>,
}

/// A client that an invitation makes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Enrolment {
    /// The invitation's key.
    pub invitation: ClientKey,
    /// The client.
    pub client: Client,
}

/// A command to run.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Job {
    /// Its name.
    pub id: JobId,
    /// The name of the door that it belongs to.
    pub door: String,
    /// What to run.
    pub command: Rendered,
    /// How to run it.
    pub manner: Manner,
}

/// How a command is run.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Manner {
    /// Apart from the daemon, with nothing of its own; killed when it takes longer.
    Within(Duration),
    /// As knockd runs what opens: in the daemon's directory, with its outputs, for as long as it likes.
    KnockdStart,
    /// The same for what closes, which never waits for what opens.
    KnockdStop,
}

/// What came of an effect.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// The record is durable, or it could not be written.
    Recorded(Ticket, Result<(), Unwritten>),
    /// The sequence is struck out for good, or it could not be.
    StruckOut(Ticket, Result<(), Unwritten>),
    /// The client's file and the mark of the invitation are on the disk for good, or the client is not enrolled.
    Enrolled(Ticket, Result<(), NotEnrolled>),
    /// The command ended.
    Ran(JobId, Ended),
}

/// Why a client was not enrolled, whom an invitation was good for by the rules.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum NotEnrolled {
    /// The files say that the invitation is used or gone, or its name or the new key somebody's.
    Taken,
    /// The files can't be read or written: nobody is enrolled, or the next packet of the same client goes on with it.
    Unwritten,
}

/// A record could not be made durable.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Unwritten;

/// How a command ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ended {
    /// With this exit status.
    Status(i32),
    /// By a signal.
    Killed,
    /// It took too long and was killed.
    TimedOut,
    /// It could not be started.
    NotStarted,
}

/// What becomes of connections that came in through an opening, once it ends.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub enum Flows {
    /// They live on.
    #[default]
    LiveOn,
    /// They end with it, unless somebody else has the same port open for the same address.
    Cut,
}

/// Why an opening ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Cause {
    /// Its time was over.
    Expired,
    /// Its client asked for it.
    ByClient,
    /// The administrator asked for it.
    ByAdministrator,
    /// The rules do not allow it any more.
    ByReload,
    /// The keeper stops.
    ByStop,
    /// It was never recorded, so it never moved.
    Unrecorded,
}

/// A fact for the administrator.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Event {
    /// A door opened for an address, or its lease grew.
    Opened {
        /// The door.
        door: ServiceName,
        /// The ports.
        ports: Vec<ServicePort>,
        /// For whom.
        address: Address,
        /// Who asked.
        by: Origin,
        /// For how long from now.
        lease: Lease,
        /// Whether it was open already.
        extended: bool,
    },
    /// An opening is over.
    Closed {
        /// The door.
        door: ServiceName,
        /// For whom it was open.
        address: Address,
        /// Who had opened it.
        by: Origin,
        /// Why.
        cause: Cause,
    },
    /// A client was enrolled, by the invitation of its name.
    Enrolled {
        /// The client's name.
        name: String,
        /// Its key.
        key: ClientKey,
        /// Where the packet came from, by its own word.
        from: Address,
    },
    /// An opening ends earlier than it was to: the rules allow it no longer.
    Shortened {
        /// The door.
        door: ServiceName,
        /// For whom it is open.
        address: Address,
        /// Who had opened it.
        by: Origin,
        /// For how long from now.
        left: Duration,
    },
    /// A packet was refused; not every one is told.
    Refused {
        /// Why.
        refusal: Refusal,
        /// Where the packet came from, by its own word.
        from: Address,
        /// The client that signed it, where that is proved.
        client: Option<String>,
        /// Refusals of this kind since the last that was told, this one included.
        count: u64,
    },
    /// A packet was stale since its client's clock is wrong.
    WrongClock {
        /// The client, which signed it.
        client: String,
        /// Where the packet came from, by its own word.
        from: Address,
        /// How wrong.
        clock: WrongClock,
    },
    /// The listener has dropped packets by itself; not each time is told.
    Dropped {
        /// Why.
        refusal: Refusal,
        /// How many since the last time that was told.
        count: u64,
    },
    /// A command did not end well.
    CommandFailed {
        /// The door.
        door: ServiceName,
        /// How it ended.
        ended: Ended,
        /// What happens now.
        next: Next,
    },
    /// The journal cannot be written: command doors refuse, the guard goes on from memory.
    JournalFailed,
    /// Something in knockd's words.
    Knockd(Said),
    /// A stop command of a door in knockd's manner did not run to its end.
    StopFailed {
        /// The door.
        door: String,
        /// How it ended.
        ended: Ended,
        /// What happens now.
        next: Next,
    },
    /// A used sequence could not be struck out, so the door did not open.
    NotStruckOut {
        /// The door.
        door: String,
    },
}

/// What follows a command that failed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Next {
    /// It opened, or tried to: the stop command will run all the same.
    StopLater,
    /// It closed, or tried to, and somebody has asked again meanwhile: the start command runs now.
    StartAgain,
    /// It closed, or tried to: another try follows after this span.
    RetryIn(Duration),
    /// Somebody must look: the door may be open.
    NeedsAttention,
}
