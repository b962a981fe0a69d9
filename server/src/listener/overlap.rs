//! Packets that two generations of sockets have seen.
//!
//! New sockets see from the moment on at which they are opened, and the old ones until they are closed. What came
//! meanwhile is in both: a hit that counts twice would end the attempt that it belongs to.

use std::collections::{HashMap, VecDeque};
use std::hash::{DefaultHasher, Hash, Hasher};
use std::time::Duration;

use knock_spa_proto::time::BootTime;

/// Packets that are remembered: as many as are read in one go from the sockets of a few interfaces.
const REMEMBERED: usize = 32_768;

/// A hand-over takes a few milliseconds; what is older is in the old sockets alone.
const HAND_OVER: Duration = Duration::from_secs(1);

/// As much of a packet as tells it from others: all headers, and the nonce of an SPA packet.
const TELLING: usize = 96;

/// The latest packets of the sockets in use.
#[derive(Debug, Default)]
pub(super) struct Overlap {
    copies: HashMap<u64, Copies>,
    by_age: VecDeque<(BootTime, u64)>,
}

/// The copies of one packet that are remembered.
#[derive(Clone, Copy, Debug, Default)]
struct Copies {
    read: u32,
    /// How many of them were seen again, the oldest first.
    seen_again: u32,
}

impl Overlap {
    /// Takes note of a packet from a socket in use.
    pub(super) fn note(&mut self, packet: &[u8], now: BootTime) {
        self.forget(now);
        let digest = digest(packet);
        let copies = self.copies.entry(digest).or_default();
        copies.read = copies.read.saturating_add(1);
        self.by_age.push_back((now, digest));
    }

    /// Whether a packet that waited in a new socket was read from an old one; each counts for one copy.
    pub(super) fn takes(&mut self, packet: &[u8], now: BootTime) -> bool {
        self.forget(now);
        let Some(copies) = self.copies.get_mut(&digest(packet)) else { return false };
        let takes = copies.seen_again < copies.read;
        copies.seen_again = copies.seen_again.saturating_add(u32::from(takes));
        takes
    }

    /// Forgets what is too old, and the oldest of too many.
    fn forget(&mut self, now: BootTime) {
        let is_over = |(read, _): &(BootTime, u64)| now.saturating_since(*read) > HAND_OVER;
        while self.by_age.len() >= REMEMBERED || self.by_age.front().is_some_and(is_over) {
            let Some((_, digest)) = self.by_age.pop_front() else { return };
            if let Some(copies) = self.copies.get_mut(&digest) {
                copies.read = copies.read.saturating_sub(1);
                copies.seen_again = copies.seen_again.saturating_sub(1);
                if copies.read == 0 {
                    self.copies.remove(&digest);
                }
            }
        }
    }
}

fn digest(packet: &[u8]) -> u64 {
    let mut hasher = DefaultHasher::new();
    packet.len().hash(&mut hasher);
    packet.get(..TELLING).unwrap_or(packet).hash(&mut hasher);
    hasher.finish()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_packet_is_taken_out_once_and_not_for_long() {
        let at = |seconds| BootTime::ZERO.saturating_add(Duration::from_secs(seconds));
        let mut overlap = Overlap::default();
        overlap.note(b"two", at(1));
        overlap.note(b"one", at(5));
        overlap.note(b"one", at(5));
        assert!(overlap.takes(b"one", at(6)) && overlap.takes(b"one", at(6)));
        assert!(!overlap.takes(b"one", at(6)), "a third copy is a packet of its own");
        assert!(!overlap.takes(b"two", at(6)), "that was long ago");
        assert!(!overlap.takes(b"three", at(6)));
        overlap.note(b"one", at(6));
        overlap.note(b"other", at(7));
        assert!(overlap.takes(b"one", at(7)), "what was taken is forgotten with its own copy");
        (0..100_000_u32).for_each(|i| overlap.note(&i.to_be_bytes(), at(6)));
        assert!(overlap.by_age.len() <= REMEMBERED && overlap.copies.len() <= REMEMBERED);
        assert!(overlap.takes(&99_999_u32.to_be_bytes(), at(6)));
        overlap.note(b"last", at(9));
        assert_eq!((overlap.by_age.len(), overlap.copies.len()), (1, 1));
    }
}
