//! For whom a door does not open again so soon.

use alloc::collections::{BTreeMap, BTreeSet};
use core::time::Duration;

use knock_spa_proto::address::Address;
use knock_spa_proto::knock::DoorNumber;
use knock_spa_proto::time::BootTime;

/// Pairs of door and source at most: who fills it with spoofed sources could as well have had the door open for them.
const MAX: usize = 32_768;

#[derive(Debug, Default)]
pub(super) struct Cooling {
    until: BTreeMap<(DoorNumber, Address), BootTime>,
    by_end: BTreeSet<(BootTime, DoorNumber, Address)>,
}

impl Cooling {
    /// Whether the door has opened for this source too short a time ago.
    pub(super) fn is_cooling(&self, door: DoorNumber, from: Address, now: BootTime) -> bool {
        self.until.get(&(door, from)).is_some_and(|until| *until > now)
    }

    /// Takes note that the door has opened for this source.
    pub(super) fn begin(&mut self, door: DoorNumber, from: Address, now: BootTime, cooldown: Duration) {
        if cooldown.is_zero() {
            return;
        }
        let until = now.saturating_add(cooldown);
        if let Some(old) = self.until.insert((door, from), until) {
            self.by_end.remove(&(old, door, from));
        }
        self.by_end.insert((until, door, from));
        while let Some((end, door, from)) = self.by_end.first().copied() {
            if end > now && self.by_end.len() <= MAX {
                return;
            }
            self.by_end.remove(&(end, door, from));
            self.until.remove(&(door, from));
        }
    }
}
