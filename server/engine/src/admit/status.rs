//! What `status` shows.

use alloc::collections::BTreeSet;
use alloc::string::String;
use alloc::vec::Vec;
use core::time::Duration;

use knock_spa_keys::client::ClientKey;
use knock_spa_proto::address::Address;
use knock_spa_proto::port::ServicePort;
use knock_spa_proto::refusal::Tally;
use knock_spa_proto::service::ServiceName;
use knock_spa_proto::time::{BootTime, UnixTime};

use super::effect::Flows;
use super::opening::Deadline;
use super::openings::Need;
use super::runs::Run;
use super::{Admit, Awaited, Refused};
use crate::rules::Rules;

/// An opening in force.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OpeningStatus {
    /// The door.
    pub door: ServiceName,
    /// The ports.
    pub ports: Vec<ServicePort>,
    /// For whom.
    pub address: Address,
    /// Who asked: a client's name, "classic knock" or "administrator".
    pub by: String,
    /// In which way.
    pub origin: &'static str,
    /// Since when.
    pub since: UnixTime,
    /// How long still; `None` is until somebody closes it.
    pub left: Option<Duration>,
}

impl Admit {
    /// The rules in force.
    #[must_use]
    pub const fn rules(&self) -> &Rules {
        &self.rules
    }

    /// The addresses of this machine, as last heard.
    #[must_use]
    pub const fn own(&self) -> &BTreeSet<Address> {
        &self.own
    }

    /// The openings in force, the oldest first.
    pub fn openings(&self, now: BootTime) -> impl Iterator<Item = OpeningStatus> {
        self.openings.iter().map(move |opening| OpeningStatus {
            door: opening.door,
            ports: opening.ports.clone(),
            address: opening.address,
            by: opening.asker(),
            origin: opening.origin.name(),
            since: opening.since,
            left: Need::of(opening.term).left(now).unwrap_or(Some(Duration::ZERO)),
        })
    }

    /// What doors in knockd's manner have open and will close, the oldest first.
    pub fn runs(&self) -> impl Iterator<Item = (&Run, Option<Deadline>)> {
        self.runs.iter().map(|(run, stage)| (run, stage.until()))
    }

    /// Openings that are over, and whose flows are cut once the commands have run that close them.
    #[must_use]
    pub fn cuts_to_come(&self) -> usize {
        let waiting =
            self.awaited.values().filter(|awaited| matches!(awaited, Awaited::Closing(_, Flows::Cut)));
        let closing = self.closing.values().filter(|closing| closing.flows == Flows::Cut);
        waiting.count().saturating_add(closing.count())
    }

    /// What the keeper refused, stages 6 to 12.
    #[must_use]
    pub const fn refused(&self) -> &Tally {
        self.refusals.tally()
    }

    /// The latest refusals of the keeper, the oldest first.
    pub fn latest_refusals(&self) -> impl Iterator<Item = &Refused> {
        self.refusals.latest()
    }

    /// Invitations by which somebody may still enrol.
    #[must_use]
    pub fn pending_invitations(&self, now: UnixTime) -> usize {
        let pending = self.rules.invitations().filter(|one| one.is_valid_at(now));
        pending.filter(|one| self.spent_by(one).is_none()).count()
    }

    /// Requests that were accepted.
    #[must_use]
    pub const fn accepted(&self) -> u64 {
        self.accepted
    }

    /// Whether the last record could not be written.
    #[must_use]
    pub const fn journal_failed(&self) -> bool {
        self.journal_failed
    }

    /// Stop commands that failed and will be tried again, and those that are given up.
    #[must_use]
    pub fn failing_closes(&self) -> (usize, usize) {
        let (retried, stuck) = self.holds.failing();
        (retried.saturating_add(self.runs.failing()), stuck)
    }

    /// When the newest packet of each client was made that was proved to be its own.
    pub fn last_uses(&self) -> impl Iterator<Item = (&ClientKey, UnixTime)> {
        self.marks.iter().map(|(client, stamp)| (client, *stamp))
    }
}
