//! Packets that two generations of sockets have seen.
//!
//! New sockets see from the moment on at which they are opened, and the old ones until they are closed. What came
//! meanwhile is in both: a hit that counts twice would end the attempt that it belongs to.

use std::collections::VecDeque;
use std::hash::{DefaultHasher, Hash, Hasher};
use std::time::Duration;

use knock_spa_proto::time::BootTime;

/// Packets that are remembered: more than come between the opening of sockets and their hand-over.
const REMEMBERED: usize = 1024;

/// A hand-over takes a few milliseconds; what is older is in the old sockets alone.
const HAND_OVER: Duration = Duration::from_secs(1);

/// As much of a packet as tells it from others: all headers, and the nonce of an SPA packet.
const TELLING: usize = 96;

/// The latest packets of the sockets in use.
#[derive(Debug, Default)]
pub(super) struct Overlap(VecDeque<(BootTime, u64)>);

impl Overlap {
    /// Takes note of a packet from a socket in use.
    pub(super) fn note(&mut self, packet: &[u8], now: BootTime) {
        if self.0.len() >= REMEMBERED {
            self.0.pop_front();
        }
        self.0.push_back((now, digest(packet)));
    }

    /// Whether a packet that waited in a new socket was read from an old one; each counts for one copy.
    pub(super) fn takes(&mut self, packet: &[u8], now: BootTime) -> bool {
        let digest = digest(packet);
        let is_it =
            |(read, other): &(BootTime, u64)| *other == digest && now.saturating_since(*read) <= HAND_OVER;
        let place = self.0.iter().position(is_it);
        place.and_then(|place| self.0.remove(place)).is_some()
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
        overlap.note(b"one", at(5));
        overlap.note(b"one", at(5));
        overlap.note(b"two", at(1));
        assert!(overlap.takes(b"one", at(6)) && overlap.takes(b"one", at(6)));
        assert!(!overlap.takes(b"one", at(6)), "a third copy is a packet of its own");
        assert!(!overlap.takes(b"two", at(6)), "that was long ago");
        assert!(!overlap.takes(b"three", at(6)));
        (0..5000_u32).for_each(|i| overlap.note(&i.to_be_bytes(), at(6)));
        assert_eq!(overlap.0.len(), REMEMBERED);
    }
}
