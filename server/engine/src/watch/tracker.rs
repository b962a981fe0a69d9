//! Classic sequences: who has knocked how far on which door.
//!
//! The rules are knockd's: an attempt begins at a door's first step; a source that
//! has attempts advances or fails them with each packet and begins nothing new meanwhile; a packet that fails a
//! door's flags does not touch an attempt at that door; packets to steps that no door lists do not count at all.

use alloc::collections::{BTreeMap, VecDeque};
use alloc::vec::Vec;

use knock_spa_proto::address::Address;
use knock_spa_proto::knock::{ClassicKnock, FlagRule, Step, TcpFlags};
use knock_spa_proto::segment::{Body, Segment};
use knock_spa_proto::service::ServiceName;
use knock_spa_proto::time::BootTime;

/// Sources with attempts in progress at most, so that a flood of spoofed first steps costs bounded memory: it
/// displaces the oldest.
const MAX_SOURCES: usize = 65_536;

/// A door that classic knocks open.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ClassicDoor {
    /// The door's name.
    pub name: ServiceName,
    /// What opens it.
    pub knock: ClassicKnock,
}

/// What one source has knocked so far. All its attempts began with the same packet.
#[derive(Debug)]
struct Source {
    since: BootTime,
    attempts: Vec<Attempt>,
}

/// A door by its place in the list, and how many of its steps are done.
#[derive(Clone, Copy, Debug)]
struct Attempt {
    door: usize,
    stage: usize,
}

#[derive(Debug, Default)]
pub(super) struct Tracker {
    doors: Vec<ClassicDoor>,
    /// The doors that list a step, wherever in their sequence.
    listed: BTreeMap<Step, Vec<usize>>,
    sources: BTreeMap<Address, Source>,
    /// Sources in order of their beginning; an entry whose time is not the source's own is void.
    by_age: VecDeque<(BootTime, Address)>,
}

impl Tracker {
    /// Changes the doors; attempts at doors that stay as they are go on.
    pub(super) fn replace_doors(&mut self, doors: Vec<ClassicDoor>) {
        let old = core::mem::replace(&mut self.doors, doors);
        let moved: Vec<Option<usize>> =
            old.iter().map(|door| self.doors.iter().position(|new| new == door)).collect();
        self.sources.retain(|_, source| {
            source.attempts.retain_mut(|attempt| {
                let new = moved.get(attempt.door).copied().flatten();
                new.is_some_and(|door| {
                    attempt.door = door;
                    true
                })
            });
            !source.attempts.is_empty()
        });
        self.listed = BTreeMap::new();
        for (index, door) in self.doors.iter().enumerate() {
            for step in door.knock.sequence.steps() {
                let doors = self.listed.entry(*step).or_default();
                if doors.last() != Some(&index) {
                    doors.push(index);
                }
            }
        }
    }

    /// Takes one packet; says which doors it completed the sequence of, in the doors' order.
    #[must_use]
    pub(super) fn handle_segment(&mut self, segment: &Segment<'_>, now: BootTime) -> Vec<ServiceName> {
        let hit = Hit::of(segment);
        let Some(listing) = self.listed.get(&hit.step) else { return Vec::new() };
        if !listing.iter().filter_map(|door| self.doors.get(*door)).any(|door| hit.counts_for(door)) {
            return Vec::new();
        }
        self.forget_expired(now);
        let mut source = match self.take_living(segment.from, now) {
            Some(mut source) => {
                source.attempts.retain_mut(|attempt| self.advance(attempt, &hit));
                source
            }
            None => Source { since: now, attempts: self.begin(&hit) },
        };
        let done = self.take_done(&mut source);
        self.keep(segment.from, source, now);
        done
    }

    /// Takes out the source where it has attempts that are not over yet.
    fn take_living(&mut self, address: Address, now: BootTime) -> Option<Source> {
        let mut source = self.sources.remove(&address)?;
        source.attempts.retain(|attempt| !self.is_expired(source.since, *attempt, now));
        Some(source).filter(|source| !source.attempts.is_empty())
    }

    /// Remembers the source where it has attempts in progress.
    fn keep(&mut self, address: Address, source: Source, now: BootTime) {
        if source.attempts.is_empty() {
            return;
        }
        if source.since == now {
            self.by_age.push_back((now, address));
        }
        self.sources.insert(address, source);
        self.make_room();
    }

    /// New attempts at every door that begins with this hit.
    fn begin(&self, hit: &Hit) -> Vec<Attempt> {
        let doors = self.listed.get(&hit.step).into_iter().flatten().copied();
        let begins = |door: &usize| {
            self.doors.get(*door).is_some_and(|door| {
                door.knock.sequence.steps().first() == Some(&hit.step) && hit.counts_for(door)
            })
        };
        doors.filter(begins).map(|door| Attempt { door, stage: 1 }).collect()
    }

    /// Moves an attempt on; false where the hit was wrong and the attempt has failed.
    fn advance(&self, attempt: &mut Attempt, hit: &Hit) -> bool {
        let Some(door) = self.doors.get(attempt.door) else { return false };
        if !hit.counts_for(door) {
            return true;
        }
        let expected = door.knock.sequence.steps().get(attempt.stage) == Some(&hit.step);
        attempt.stage = attempt.stage.saturating_add(1);
        expected
    }

    /// Takes out the attempts that are complete.
    fn take_done(&self, source: &mut Source) -> Vec<ServiceName> {
        let mut done = Vec::new();
        source.attempts.retain(|attempt| {
            let Some(door) = self.doors.get(attempt.door) else { return false };
            let is_done = attempt.stage >= door.knock.sequence.steps().len();
            if is_done {
                done.push(door.name);
            }
            !is_done
        });
        done
    }

    fn is_expired(&self, since: BootTime, attempt: Attempt, now: BootTime) -> bool {
        let within = self.doors.get(attempt.door).map(|door| door.knock.within);
        within.is_none_or(|within| now.saturating_since(since) >= within)
    }

    /// Drops the oldest sources as long as all their attempts are over.
    fn forget_expired(&mut self, now: BootTime) {
        while let Some((since, address)) = self.by_age.front().copied() {
            let current = self.sources.get(&address).filter(|source| source.since == since);
            let lives = current.is_some_and(|source| {
                source.attempts.iter().any(|attempt| !self.is_expired(since, *attempt, now))
            });
            if lives {
                return;
            }
            if current.is_some() {
                self.sources.remove(&address);
            }
            self.by_age.pop_front();
        }
    }

    /// Keeps both the sources and the record of their ages bounded.
    fn make_room(&mut self) {
        while self.sources.len() > MAX_SOURCES || self.by_age.len() > MAX_SOURCES.saturating_mul(2) {
            let Some((since, address)) = self.by_age.pop_front() else { return };
            if self.sources.get(&address).is_some_and(|source| source.since == since) {
                self.sources.remove(&address);
            }
        }
    }
}

/// A packet as a knock sees it.
struct Hit {
    step: Step,
    flags: Option<TcpFlags>,
}

impl Hit {
    fn of(segment: &Segment<'_>) -> Self {
        let step = Step { transport: segment.body.transport(), port: segment.port };
        let flags = match segment.body {
            Body::Tcp(flags) => Some(flags),
            Body::Udp(_) => None,
        };
        Self { step, flags }
    }

    fn counts_for(&self, door: &ClassicDoor) -> bool {
        let rule: FlagRule = door.knock.flags;
        self.flags.is_none_or(|flags| rule.admits(flags))
    }
}

#[cfg(test)]
mod tests;
