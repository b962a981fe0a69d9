//! The DH queue (`docs/protocol.md` section 4, stage 4): packets that only a DH can tell apart wait here until
//! no cheaper work is left. When it is full, whoever holds most of it makes room, so that nobody is blocked.

use alloc::collections::{BTreeMap, VecDeque};
use core::net::IpAddr;

use knock_spa_proto::address::Address;
use knock_spa_proto::spa::Enveloped;

use super::duplicates::Tag;

/// Packets that wait at most: so few that an honest packet is not old when its turn comes.
pub(super) const CAPACITY: usize = 256;

/// A packet that waits for its DH.
#[derive(Debug)]
pub(super) struct Waiting {
    /// Which of the server's keys its envelope opened under.
    pub(super) key: usize,
    pub(super) enveloped: Enveloped,
    pub(super) from: Address,
    pub(super) from_port: u16,
}

#[derive(Debug, Default)]
pub(super) struct DhQueue {
    waiting: VecDeque<Waiting>,
    held: BTreeMap<Prefix, usize>,
}

impl DhQueue {
    pub(super) fn is_empty(&self) -> bool {
        self.waiting.is_empty()
    }

    pub(super) fn contains(&self, tag: &Tag) -> bool {
        self.waiting.iter().any(|waiting| waiting.enveloped.tag() == *tag)
    }

    /// Puts a packet last; gives back the one that had to make room.
    #[must_use]
    pub(super) fn push(&mut self, waiting: Waiting) -> Option<Waiting> {
        let count = self.held.entry(Prefix::of(waiting.from)).or_default();
        *count = count.saturating_add(1);
        self.waiting.push_back(waiting);
        if self.waiting.len() > CAPACITY { self.displace() } else { None }
    }

    /// Takes the packet that waited longest.
    pub(super) fn pop(&mut self) -> Option<Waiting> {
        self.remove(0)
    }

    /// Takes the oldest packet of a prefix that holds most. Where several hold as much, the oldest packet decides
    /// and not the prefix: sources are free to choose, and a flood from many must not always displace the same one.
    fn displace(&mut self) -> Option<Waiting> {
        let most = self.held.values().max()?;
        let holds_most = |waiting: &Waiting| self.held.get(&Prefix::of(waiting.from)) == Some(most);
        let index = self.waiting.iter().position(holds_most)?;
        self.remove(index)
    }

    fn remove(&mut self, index: usize) -> Option<Waiting> {
        let waiting = self.waiting.remove(index)?;
        let prefix = Prefix::of(waiting.from);
        if let Some(count) = self.held.get_mut(&prefix) {
            *count = count.saturating_sub(1);
            if *count == 0 {
                self.held.remove(&prefix);
            }
        }
        Some(waiting)
    }
}

/// The addresses that one holder of a source commonly has: a /24 of IPv4, a /56 of IPv6.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Prefix {
    V4([u8; 3]),
    V6([u8; 7]),
}

impl Prefix {
    fn of(address: Address) -> Self {
        match address.ip() {
            IpAddr::V4(v4) => {
                let [a, b, c, _] = v4.octets();
                Self::V4([a, b, c])
            }
            IpAddr::V6(v6) => {
                let [a, b, c, d, e, f, g, ..] = v6.octets();
                Self::V6([a, b, c, d, e, f, g])
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use core::net::Ipv4Addr;

    use knock_spa_keys::client::ClientSecret;
    use knock_spa_keys::server::ServerSecret;
    use knock_spa_proto::spa::request::{Addresses, Open, Request};
    use knock_spa_proto::spa::{EnvelopeKey, SealRandom, seal};
    use knock_spa_proto::time::UnixTime;

    use super::*;

    #[test]
    fn prefixes_that_hold_nothing_are_forgotten() {
        let server = ServerSecret::from_bytes([7; 32]).public();
        let to = Addresses::NONE.with_sender();
        let request = Request::Open(Open::new("ssh".parse().unwrap(), to, None).unwrap());
        let random = SealRandom { ephemeral: [3; 32], nonce: [1; 24] };
        let client = ClientSecret::from_seed([9; 32]);
        let packet = seal(&server, &client, UnixTime::EPOCH, &request, random);
        let envelope = EnvelopeKey::of(&server);
        let mut queue = DhQueue::default();
        for prefix in 0..1000_u32 {
            let enveloped = envelope.open(&packet).unwrap();
            let from = Address::from(Ipv4Addr::from_bits(0x0a00_0000 | prefix << 8));
            drop(queue.push(Waiting { key: 0, enveloped, from, from_port: 1 }));
            assert!(queue.held.len() <= CAPACITY && queue.waiting.len() <= CAPACITY);
        }
        while queue.pop().is_some() {}
        assert!(queue.is_empty() && queue.held.is_empty());
    }
}
