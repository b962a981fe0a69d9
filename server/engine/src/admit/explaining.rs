//! Whose clock is wrong: what stale packets say, where the administrator wants to know. Nothing acts on it.

use alloc::collections::BTreeMap;
use alloc::string::String;
use core::fmt;
use core::time::Duration;

use knock_spa_keys::client::ClientKey;
use knock_spa_proto::time::{Now, UnixTime};

use super::effect::{Effect, Event};
use super::{Admit, Claim};
use crate::pace::Pace;

/// A client's clock, as its packet shows it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct WrongClock {
    /// How far it is from ours; the packet's way counts as slowness.
    pub skew: Duration,
    /// To which side.
    pub direction: Direction,
}

/// To which side a clock is wrong.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Direction {
    /// It shows a time that is over.
    Slow,
    /// It shows a time that is still to come.
    Fast,
}

impl Direction {
    /// The word for it.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Slow => "slow",
            Self::Fast => "fast",
        }
    }
}

impl fmt::Display for WrongClock {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} s {}", self.skew.as_secs(), self.direction.name())
    }
}

/// What was explained: for each client and direction the newest packet, so that no copy of it is explained again.
#[derive(Debug)]
pub(super) struct Explanations {
    /// The listener has one of its own, which it may not keep to.
    pace: Pace,
    newest: BTreeMap<(ClientKey, Direction), UnixTime>,
}

impl Default for Explanations {
    fn default() -> Self {
        Self { pace: Pace::of_explanations(), newest: BTreeMap::new() }
    }
}

impl Explanations {
    /// Forgets clients that are no more.
    pub(super) fn retain(&mut self, is_client: impl Fn(&ClientKey) -> bool) {
        self.newest.retain(|(client, _), _| is_client(client));
    }
}

impl Admit {
    /// Finds out whose clock is wrong, from a packet that is refused as stale: of a client that could use it, by its own
    /// signature, and no copy of one that was taken or explained before. One in a second; no mark moves.
    pub fn handle_stale(&mut self, claim: &Claim, now: Now) {
        let stamp = claim.statement.stamp();
        let skew = stamp.abs_diff(now.unix);
        if skew <= self.rules.window() || !self.rules.is_server(&claim.server) {
            return;
        }
        let client =
            self.rules.client(claim.statement.client()).filter(|client| client.is_valid_at(now.unix));
        let Some(client) = client else { return };
        let direction = if stamp < now.unix { Direction::Slow } else { Direction::Fast };
        let entry = (client.key, direction);
        let newest = [self.marks.get(&client.key), self.explanations.newest.get(&entry)];
        let is_old = newest.into_iter().flatten().any(|newest| stamp <= *newest);
        if is_old || !self.explanations.pace.allows(now.boot) {
            return;
        }
        if claim.statement.clone().verify(&client.key, &claim.server).is_err() {
            return;
        }
        let (name, clock) = (String::from(client.name.as_str()), WrongClock { skew, direction });
        self.explanations.newest.insert(entry, stamp);
        self.refusals.explain(claim.from, name.clone(), clock, now);
        self.effects.push_back(Effect::Say(Event::WrongClock { client: name, from: claim.from, clock }));
    }
}
