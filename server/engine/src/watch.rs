//! The listener's decisions: which packets are worth the keeper's attention.
//!
//! Stages 0 to 5 of `docs/protocol.md` section 4, and the classic sequences. The cheap stages are done as a packet
//! comes in; the DHs wait in a queue that [`Watch::work`] serves one at a time, when nothing cheaper is to be done.

mod duplicates;
mod orders;
mod queue;
mod tracker;

use alloc::collections::{BTreeSet, VecDeque};
use alloc::vec::Vec;
use core::time::Duration;

use knock_spa_keys::server::ServerSecret;
use knock_spa_proto::address::Address;
use knock_spa_proto::refusal::Refusal;
use knock_spa_proto::report::{Counters, Report};
use knock_spa_proto::segment::{Body, Segment};
use knock_spa_proto::spa::{EnvelopeKey, Enveloped, PACKET_LEN};
use knock_spa_proto::time::{BootTime, Now};

use self::duplicates::Duplicates;
pub use self::orders::{NotOrders, Orders};
use self::queue::{DhQueue, Waiting};
pub use self::tracker::ClassicDoor;
use self::tracker::{Progress, Tracker};
use crate::pace::Pace;

/// The listener's state.
#[derive(Debug)]
pub struct Watch {
    keys: Vec<LiveKey>,
    spa_port: Option<u16>,
    window: Duration,
    own: BTreeSet<Address>,
    duplicates: Duplicates,
    queue: DhQueue,
    tracker: Tracker,
    /// Whether progress of sequences is told, beside what they open.
    tells_stages: bool,
    pace: Pace,
    /// Whether stale packets are looked into.
    explains: bool,
    explanations: Pace,
    /// A stale packet that is looked into once nothing else is to be done.
    stale: Option<Waiting>,
    counters: Counters,
    reports: VecDeque<Report>,
}

/// One of the server's keys, with what its packets' envelopes open under.
#[derive(Debug)]
struct LiveKey {
    secret: ServerSecret,
    envelope: EnvelopeKey,
}

impl Watch {
    /// The state of a listener that has just got its first orders.
    #[must_use]
    pub fn new(orders: Orders, now: Now) -> Self {
        let mut watch = Self {
            keys: Vec::new(),
            spa_port: orders.spa_port,
            window: orders.window,
            own: BTreeSet::new(),
            duplicates: Duplicates::new(orders.window, now.boot),
            queue: DhQueue::default(),
            tracker: Tracker::default(),
            tells_stages: orders.tells_stages,
            pace: Pace::of_steps(),
            explains: orders.explains,
            explanations: Pace::of_explanations(),
            stale: None,
            counters: Counters::default(),
            reports: VecDeque::new(),
        };
        watch.handle_orders(orders);
        watch
    }

    /// Puts new orders in force; what is unchanged goes on, attempts in progress among it.
    pub fn handle_orders(&mut self, orders: Orders) {
        // A waiting packet names its key by place, and the places may have changed: its sender tries again.
        while let Some(_displaced) = self.queue.pop() {
            self.counters.refused.count(Refusal::Displaced);
        }
        let live = |secret: ServerSecret| LiveKey { envelope: EnvelopeKey::of(&secret.public()), secret };
        self.keys = orders.secrets.into_iter().map(live).collect();
        self.spa_port = orders.spa_port;
        self.window = orders.window;
        self.duplicates.set_window(orders.window);
        self.own = orders.own.into_iter().collect();
        self.tracker.replace_doors(orders.doors);
        self.tells_stages = orders.tells_stages;
        (self.explains, self.stale) = (orders.explains, None);
        self.reports.push_back(Report::Ready { generation: orders.generation });
    }

    /// Takes one packet, from its IP header on.
    pub fn handle_packet(&mut self, packet: &[u8], now: Now) {
        let Ok(segment) = Segment::parse(packet) else { return };
        let is_own = self.own.contains(&segment.to);
        if !is_own && !self.tracker.is_target(segment.to) {
            return;
        }
        match segment.body {
            Body::Udp(datagram) if is_own && self.spa_port == Some(segment.port) => {
                self.handle_datagram(datagram, segment.from, segment.from_port, now);
            }
            Body::Udp(_) | Body::Tcp(_) => {
                let progress = self.tracker.handle_segment(&segment, is_own, now);
                self.tell(progress, now.boot);
            }
        }
    }

    /// Takes what came to the SPA port of one of our own addresses, as a packet or by a socket that is bound to it.
    pub fn handle_datagram(&mut self, datagram: &[u8], from: Address, from_port: u16, now: Now) {
        self.counters.received = self.counters.received.saturating_add(1);
        if let Err(refusal) = self.queue_datagram(datagram, from, from_port, now) {
            self.counters.refused.count(refusal);
        }
    }

    /// Takes note of attempts that took too long.
    pub fn handle_timeout(&mut self, now: Now) {
        let progress = self.tracker.handle_timeout(now.boot);
        self.tell(progress, now.boot);
    }

    /// When [`Self::handle_timeout`] is to be called.
    #[must_use]
    pub fn poll_timeout(&self) -> Option<BootTime> {
        self.tracker.next_end()
    }

    /// Tells what opens, and a bounded number of the steps on the way there.
    fn tell(&mut self, progress: Vec<Progress>, now: BootTime) {
        for progress in progress {
            let report = match progress {
                Progress::Done(door, from) => {
                    self.reports.push_back(Report::Knock { door, from });
                    continue;
                }
                Progress::Stage(door, from, stage) => Report::Stage { door, from, stage },
                Progress::Expired(door, from, stage) => Report::SequenceTimeout { door, from, stage },
            };
            if !self.tells_stages {
                continue;
            }
            if self.pace.allows(now) {
                self.reports.push_back(report);
            } else {
                self.counters.untold = self.counters.untold.saturating_add(1);
            }
        }
    }

    /// Stages 0 to 3, and a place in the queue of stage 4.
    fn queue_datagram(
        &mut self,
        datagram: &[u8],
        from: Address,
        from_port: u16,
        now: Now,
    ) -> Result<(), Refusal> {
        if datagram.len() != PACKET_LEN {
            return Err(Refusal::WrongLength);
        }
        let (key, enveloped) = self.open_envelope(datagram).ok_or(Refusal::Junk)?;
        if enveloped.stamp().abs_diff(now.unix) > self.window {
            if self.explains && self.explanations.allows(now.boot) {
                self.stale = Some(Waiting { key, enveloped, from, from_port });
            }
            return Err(Refusal::Stale);
        }
        let tag = enveloped.tag();
        if self.duplicates.contains(&tag) || self.queue.contains(&tag) {
            return Err(Refusal::Duplicate);
        }
        let waiting = Waiting { key, enveloped, from, from_port };
        match self.queue.push(waiting) {
            Some(_displaced) => Err(Refusal::Displaced),
            None => Ok(()),
        }
    }

    fn open_envelope(&self, datagram: &[u8]) -> Option<(usize, Enveloped)> {
        let mut keys = self.keys.iter().enumerate();
        keys.find_map(|(place, key)| Some((place, key.envelope.open(datagram)?)))
    }

    /// Whether [`Self::work`] has something to do.
    #[must_use]
    pub fn has_work(&self) -> bool {
        !self.queue.is_empty() || self.stale.is_some()
    }

    /// Stage 5: one DH, for the packet that has waited longest; where none waits, for a stale one.
    pub fn work(&mut self, now: Now) {
        let Some(waiting) = self.queue.pop() else { return self.look_into_stale() };
        let Some(key) = self.keys.get(waiting.key) else { return };
        self.duplicates.insert(waiting.enveloped.tag(), now.boot);
        self.counters.dh = self.counters.dh.saturating_add(1);
        match waiting.enveloped.unseal(&key.secret) {
            Some(statement) => self.reports.push_back(Report::Statement {
                server: key.secret.public(),
                statement,
                from: waiting.from,
                from_port: waiting.from_port,
            }),
            None => self.counters.refused.count(Refusal::Unsealable),
        }
    }

    /// Tells what a stale packet says, so that the keeper can find out whose clock is wrong. It was refused already, and
    /// no mark, tag or count of what is good knows of it.
    fn look_into_stale(&mut self) {
        let Some(Waiting { key, enveloped, from, .. }) = self.stale.take() else { return };
        let Some(key) = self.keys.get(key) else { return };
        self.counters.explained = self.counters.explained.saturating_add(1);
        if let Some(statement) = enveloped.unseal(&key.secret) {
            self.reports.push_back(Report::Stale { server: key.secret.public(), statement, from });
        }
    }

    /// The next thing to tell the keeper.
    pub fn poll_report(&mut self) -> Option<Report> {
        self.reports.pop_front()
    }

    /// What was counted since the start.
    #[must_use]
    pub const fn counters(&self) -> &Counters {
        &self.counters
    }
}

#[cfg(test)]
#[expect(clippy::arithmetic_side_effects, reason = "a sum that overflows fails its test, as it should")]
mod tests;
