//! The exact-duplicate filter (`docs/protocol.md` section 4, stage 3): replay floods cost no DH.
//!
//! An optimisation, not security: the keeper's marks decide. So forgetting is harmless, and the memory is bounded.

use alloc::collections::BTreeSet;
use core::time::Duration;

use knock_spa_proto::time::BootTime;

/// An envelope's authentication tag: names the very bytes of a packet.
pub(super) type Tag = [u8; 16];

/// Tags in one generation: a bound on the memory that a flood of packets can take.
const GENERATION: usize = 32_768;

/// Tags of the packets that a DH was spent on lately, in two generations.
#[derive(Debug)]
pub(super) struct Duplicates {
    young: BTreeSet<Tag>,
    old: BTreeSet<Tag>,
    since: BootTime,
    lifetime: Duration,
}

impl Duplicates {
    /// An empty filter that remembers each tag for at least `window` twice over, unless a flood fills it.
    pub(super) fn new(window: Duration, now: BootTime) -> Self {
        Self { young: BTreeSet::new(), old: BTreeSet::new(), since: now, lifetime: window.saturating_mul(2) }
    }

    /// Changes the window; what is remembered stays.
    pub(super) const fn set_window(&mut self, window: Duration) {
        self.lifetime = window.saturating_mul(2);
    }

    pub(super) fn contains(&self, tag: &Tag) -> bool {
        self.young.contains(tag) || self.old.contains(tag)
    }

    pub(super) fn insert(&mut self, tag: Tag, now: BootTime) {
        if self.young.len() >= GENERATION || now.saturating_since(self.since) >= self.lifetime {
            self.old = core::mem::take(&mut self.young);
            self.since = now;
        }
        self.young.insert(tag);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tags_are_remembered_for_two_windows_and_memory_is_bounded() {
        let window = Duration::from_secs(60);
        let mut filter = Duplicates::new(window, BootTime::ZERO);
        filter.insert([1; 16], BootTime::ZERO);
        for seconds in [60, 119] {
            filter.insert([4; 16], BootTime::ZERO.saturating_add(Duration::from_secs(seconds)));
            assert!(filter.contains(&[1; 16]), "{seconds}");
        }
        let later = BootTime::ZERO.saturating_add(window * 2);
        filter.insert([2; 16], later);
        assert!(filter.contains(&[1; 16]) && filter.contains(&[2; 16]));
        filter.insert([3; 16], later.saturating_add(window * 2));
        assert!(!filter.contains(&[1; 16]) && filter.contains(&[2; 16]));

        for i in 0..200_000_u128 {
            filter.insert(i.to_be_bytes(), later);
        }
        assert!(filter.young.len() <= GENERATION && filter.old.len() <= GENERATION);
        assert!(filter.contains(&199_999_u128.to_be_bytes()));
    }
}
