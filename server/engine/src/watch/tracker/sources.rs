//! The sources that have attempts in progress, in bounded memory.
//!
//! A flood of spoofed first steps displaces only what is as young in its sequence as itself: sources that have come
//! further have room of their own.

use alloc::collections::{BTreeMap, BTreeSet};
use alloc::vec::Vec;

use knock_spa_proto::address::Address;
use knock_spa_proto::time::BootTime;

/// Sources of one rank at most: with all that belongs to it, one takes some 150 bytes.
pub(super) const MAX_SOURCES: usize = 32_768;

/// Attempts of all sources together at most: one packet begins as many as there are doors with its first step.
pub(super) const MAX_ATTEMPTS: usize = 131_072;

/// One source's progress at one door.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Attempt {
    /// The door's place in the list.
    place: u32,
    /// How many of its steps are done.
    pub(super) stage: u8,
    /// When it has taken too long.
    pub(super) end: BootTime,
}

impl Attempt {
    pub(super) fn new(place: usize, end: BootTime) -> Self {
        Self { place: u32::try_from(place).unwrap_or(u32::MAX), stage: 0, end }
    }

    pub(super) const fn place(self) -> usize {
        self.place as usize
    }

    pub(super) fn set_place(&mut self, place: usize) {
        self.place = u32::try_from(place).unwrap_or(u32::MAX);
    }
}

/// When a source began what it is at: displaced are the oldest.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Age(u64);

#[derive(Debug)]
struct Source {
    attempts: Vec<Attempt>,
    age: Age,
}

#[derive(Debug, Default)]
pub(super) struct Sources {
    by_address: BTreeMap<Address, Source>,
    /// Sources that have not come further than the first step.
    fresh: BTreeMap<Age, Address>,
    /// Sources that have.
    advanced: BTreeMap<Age, Address>,
    /// When the first of a source's attempts has taken too long; the older source first.
    ends: BTreeSet<(BootTime, Age, Address)>,
    attempts: usize,
    next_age: u64,
}

impl Sources {
    /// Takes out a source's attempts, in the order in which they began; none for a source that is not known.
    pub(super) fn take(&mut self, address: Address) -> (Vec<Attempt>, Option<Age>) {
        let Some(source) = self.by_address.remove(&address) else { return (Vec::new(), None) };
        self.attempts = self.attempts.saturating_sub(source.attempts.len());
        self.rank(&source.attempts).remove(&source.age);
        if let Some(end) = first_end(&source.attempts) {
            self.ends.remove(&(end, source.age, address));
        }
        (source.attempts, Some(source.age))
    }

    /// Remembers a source where it has attempts in progress; a new one has no age yet.
    pub(super) fn put(&mut self, address: Address, mut attempts: Vec<Attempt>, age: Option<Age>) {
        let Some(end) = first_end(&attempts) else { return };
        let age = age.unwrap_or(Age(self.next_age));
        self.next_age = self.next_age.max(age.0.saturating_add(1));
        attempts.shrink_to_fit();
        self.attempts = self.attempts.saturating_add(attempts.len());
        self.rank(&attempts).insert(age, address);
        self.ends.insert((end, age, address));
        self.by_address.insert(address, Source { attempts, age });
        self.make_room();
    }

    /// A source with an attempt that has taken too long.
    pub(super) fn expired(&self, now: BootTime) -> Option<Address> {
        self.ends.first().filter(|(end, ..)| *end <= now).map(|(_, _, address)| *address)
    }

    /// When the next attempt will have taken too long.
    pub(super) fn next_end(&self) -> Option<BootTime> {
        self.ends.first().map(|(end, ..)| *end)
    }

    /// Drops the attempts that `keep` refuses.
    pub(super) fn retain(&mut self, mut keep: impl FnMut(&mut Attempt) -> bool) {
        let addresses: Vec<Address> = self.by_address.keys().copied().collect();
        for address in addresses {
            let (mut attempts, age) = self.take(address);
            attempts.retain_mut(&mut keep);
            self.put(address, attempts, age);
        }
    }

    #[cfg(test)]
    pub(super) fn len(&self) -> usize {
        self.by_address.len()
    }

    fn rank(&mut self, attempts: &[Attempt]) -> &mut BTreeMap<Age, Address> {
        let is_advanced = attempts.iter().any(|attempt| attempt.stage > 1);
        if is_advanced { &mut self.advanced } else { &mut self.fresh }
    }

    fn make_room(&mut self) {
        while let Some(address) = self.oldest_too_many() {
            drop(self.take(address));
        }
    }

    fn oldest_too_many(&self) -> Option<Address> {
        let too_many = self.attempts > MAX_ATTEMPTS;
        let (fresh, advanced) = (self.fresh.first_key_value(), self.advanced.first_key_value());
        let oldest = if self.fresh.len() > MAX_SOURCES || (too_many && fresh.is_some()) {
            fresh
        } else if self.advanced.len() > MAX_SOURCES || too_many {
            advanced
        } else {
            None
        };
        oldest.map(|(_, address)| *address)
    }
}

fn first_end(attempts: &[Attempt]) -> Option<BootTime> {
    attempts.iter().map(|attempt| attempt.end).min()
}
