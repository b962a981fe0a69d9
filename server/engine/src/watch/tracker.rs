//! Classic sequences: who has knocked how far on which door.
//!
//! The rules are knockd's: an attempt begins at a door's first step; a source that has attempts advances or fails them
//! with each packet and begins nothing new meanwhile; a packet that fails a door's flags, or is for an address that the
//! door does not listen to, does not touch an attempt at that door; packets to steps that no door lists do not count.

mod cooling;
mod sources;

use alloc::collections::{BTreeMap, BTreeSet};
use alloc::vec::Vec;

use knock_spa_proto::address::Address;
use knock_spa_proto::knock::{ClassicKnock, DoorNumber, Repeats, Step, TcpFlags, Uses};
use knock_spa_proto::segment::{Body, Segment};
use knock_spa_proto::time::{BootTime, Now};

use self::cooling::Cooling;
use self::sources::{Attempt, Sources};

/// A door that classic knocks open.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ClassicDoor {
    /// Which door, and which of its sequences, it is.
    pub number: DoorNumber,
    /// What opens it.
    pub knock: ClassicKnock,
}

/// What came of a packet, or of time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Progress {
    /// So many steps are done.
    Stage(DoorNumber, Address, u8),
    /// All steps are done.
    Done(DoorNumber, Address),
    /// An attempt took too long; so many steps were done.
    Expired(DoorNumber, Address, u8),
}

#[derive(Debug, Default)]
pub(super) struct Tracker {
    doors: Vec<ClassicDoor>,
    /// Their places in the list.
    places: BTreeMap<DoorNumber, usize>,
    /// The doors that list a step, wherever in their sequence.
    listed: BTreeMap<Step, Vec<usize>>,
    /// Addresses of doors that listen elsewhere than at this machine's own.
    targets: BTreeSet<Address>,
    /// Doors whose only use is behind them.
    used: BTreeSet<DoorNumber>,
    sources: Sources,
    cooling: Cooling,
}

impl Tracker {
    /// Changes the doors; attempts at doors that stay as they are go on.
    pub(super) fn replace_doors(&mut self, doors: Vec<ClassicDoor>) {
        self.places = doors.iter().enumerate().map(|(place, door)| (door.number, place)).collect();
        let places = &self.places;
        let old = core::mem::replace(&mut self.doors, doors);
        let new_place = |attempt: &Attempt| places.get(&old.get(attempt.place())?.number).copied();
        self.sources.retain(|attempt| match new_place(attempt) {
            Some(place) => {
                attempt.set_place(place);
                true
            }
            None => false,
        });
        self.used.retain(|number| places.contains_key(number));
        self.targets = self.doors.iter().filter_map(|door| door.knock.target).collect();
        self.listed = BTreeMap::new();
        for (place, door) in self.doors.iter().enumerate() {
            for step in door.knock.sequence.steps() {
                let places = self.listed.entry(*step).or_default();
                if places.last() != Some(&place) {
                    places.push(place);
                }
            }
        }
    }

    /// Whether a door listens at this address though it may not be this machine's own.
    pub(super) fn is_target(&self, address: Address) -> bool {
        self.targets.contains(&address)
    }

    /// Takes one packet, to one of this machine's own addresses or to another one; says what came of it, in the order
    /// of the doors.
    #[must_use]
    pub(super) fn handle_segment(&mut self, segment: &Segment<'_>, is_own: bool, now: Now) -> Vec<Progress> {
        let hit = Hit::of(segment, is_own);
        let mut progress = self.handle_timeout(now.boot);
        if !self.counts(&hit) {
            return progress;
        }
        let (mut attempts, age) = self.sources.take(segment.from);
        attempts.retain(|attempt| self.lives(*attempt, segment.from, now.boot, &mut progress));
        let concerns = |attempt: &Attempt| self.door(*attempt).is_some_and(|door| hit.is_for(door));
        if attempts.iter().any(concerns) {
            attempts.retain_mut(|attempt| !concerns(attempt) || self.advance(attempt, &hit, &mut progress));
        } else {
            self.begin(&hit, now, &mut attempts, &mut progress);
        }
        self.sources.put(segment.from, attempts, age);
        self.note_done(&progress, now.boot);
        progress
    }

    /// The next thing to say of attempts that took too long, in the order in which they did.
    pub(super) fn handle_timeout(&mut self, now: BootTime) -> Vec<Progress> {
        let mut progress = Vec::new();
        while let Some(address) = self.sources.expired(now) {
            let (mut attempts, age) = self.sources.take(address);
            attempts.retain(|attempt| self.lives(*attempt, address, now, &mut progress));
            self.sources.put(address, attempts, age);
        }
        progress
    }

    /// When the next attempt will have taken too long.
    pub(super) fn next_end(&self) -> Option<BootTime> {
        self.sources.next_end()
    }

    fn door(&self, attempt: Attempt) -> Option<&ClassicDoor> {
        self.doors.get(attempt.place())
    }

    fn listing(&self, hit: &Hit) -> impl Iterator<Item = (usize, &ClassicDoor)> {
        let places = self.listed.get(&hit.step).into_iter().flatten();
        places.filter_map(|place| Some((*place, self.doors.get(*place)?)))
    }

    /// Whether any door lists this step, for this destination and with these flags.
    fn counts(&self, hit: &Hit) -> bool {
        self.listing(hit).any(|(_, door)| hit.is_for(door) && hit.has_flags_for(door))
    }

    /// Whether the attempt goes on; says so where it took too long.
    fn lives(&self, attempt: Attempt, from: Address, now: BootTime, progress: &mut Vec<Progress>) -> bool {
        let Some(door) = self.door(attempt) else { return false };
        if attempt.end <= now {
            progress.push(Progress::Expired(door.number, from, attempt.stage));
        }
        attempt.end > now
    }

    /// New attempts at every door that begins with this hit.
    fn begin(&self, hit: &Hit, now: Now, attempts: &mut Vec<Attempt>, progress: &mut Vec<Progress>) {
        for (place, door) in self.listing(hit) {
            let begins = door.knock.sequence.steps().first() == Some(&hit.step)
                && hit.is_for(door)
                && hit.has_flags_for(door)
                && !self.used.contains(&door.number)
                && !self.cooling.is_cooling(door.number, hit.from, now.boot);
            if begins {
                let mut attempt = Attempt::new(place, door.knock.within.end(now));
                if self.advance(&mut attempt, hit, progress) {
                    attempts.push(attempt);
                }
            }
        }
    }

    /// Moves an attempt on; false where it has come to its end, good or bad.
    fn advance(&self, attempt: &mut Attempt, hit: &Hit, progress: &mut Vec<Progress>) -> bool {
        let Some(door) = self.door(*attempt) else { return false };
        if !hit.has_flags_for(door) {
            return true;
        }
        let steps = door.knock.sequence.steps();
        if steps.get(usize::from(attempt.stage)) != Some(&hit.step) {
            return door.knock.repeats == Repeats::Tolerated
                && steps.get(usize::from(attempt.stage).wrapping_sub(1)) == Some(&hit.step);
        }
        attempt.stage = attempt.stage.saturating_add(1);
        progress.push(Progress::Stage(door.number, hit.from, attempt.stage));
        let is_done = usize::from(attempt.stage) >= steps.len();
        if is_done && !self.used.contains(&door.number) {
            progress.push(Progress::Done(door.number, hit.from));
        }
        !is_done
    }

    /// Takes note of doors that do not open again, or not so soon.
    fn note_done(&mut self, progress: &[Progress], now: BootTime) {
        for progress in progress {
            let Progress::Done(number, from) = progress else { continue };
            let Some(door) = self.places.get(number).and_then(|place| self.doors.get(*place)) else {
                continue;
            };
            if door.knock.uses == Uses::Once {
                self.used.insert(*number);
            }
            self.cooling.begin(*number, *from, now, door.knock.cooldown);
        }
    }
}

/// A packet as a knock sees it.
struct Hit {
    from: Address,
    to: Address,
    is_own: bool,
    step: Step,
    flags: Option<TcpFlags>,
}

impl Hit {
    fn of(segment: &Segment<'_>, is_own: bool) -> Self {
        let step = Step { transport: segment.body.transport(), port: segment.port };
        let flags = match segment.body {
            Body::Tcp(flags) => Some(flags),
            Body::Udp(_) => None,
        };
        Self { from: segment.from, to: segment.to, is_own, step, flags }
    }

    fn is_for(&self, door: &ClassicDoor) -> bool {
        door.knock.target.map_or(self.is_own, |target| target == self.to)
    }

    fn has_flags_for(&self, door: &ClassicDoor) -> bool {
        self.flags.is_none_or(|flags| door.knock.flags.admits(flags))
    }
}

#[cfg(test)]
#[expect(clippy::arithmetic_side_effects, reason = "a sum that overflows fails its test, as it should")]
mod tests;
