//! What was refused: counted always, told rarely.

use alloc::collections::{BTreeMap, VecDeque};
use alloc::string::String;
use alloc::vec::Vec;
use core::time::Duration;

use knock_spa_proto::address::Address;
use knock_spa_proto::refusal::{Refusal, Tally};
use knock_spa_proto::time::{BootTime, Now, UnixTime};

use super::effect::Event;
use super::explaining::WrongClock;

/// One line of each kind in this span: strangers do not fill the log.
const SILENCE: Duration = Duration::from_secs(10);

/// Refusals that `status` shows, the latest ones.
const REMEMBERED: usize = 32;

/// One refusal, for `status`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Refused {
    /// When.
    pub at: UnixTime,
    /// Why.
    pub refusal: Refusal,
    /// Where the packet came from, by its own word.
    pub from: Address,
    /// The client that signed it, where that is proved.
    pub client: Option<String>,
    /// How wrong its clock is, where that is why, and known.
    pub clock: Option<WrongClock>,
}

#[derive(Debug, Default)]
pub(super) struct Refusals {
    tally: Tally,
    /// What the listener has dropped, as far as it has said so.
    dropped: Tally,
    latest: VecDeque<Refused>,
    /// When each kind was last told, and how many came since.
    told: BTreeMap<Refusal, (BootTime, u64)>,
}

impl Refusals {
    /// Counts a refusal; gives the event where it is time to tell.
    pub(super) fn count(
        &mut self,
        refusal: Refusal,
        from: Address,
        client: Option<String>,
        now: Now,
    ) -> Option<Event> {
        self.tally.count(refusal);
        self.remember(Refused { at: now.unix, refusal, from, client: client.clone(), clock: None });
        let count = self.tell(refusal, 1, now.boot)?;
        Some(Event::Refused { refusal, from, client, count })
    }

    /// Takes note of what the listener says that it has dropped, all told; gives the events that it is time for.
    pub(super) fn note_dropped(&mut self, dropped: &Tally, now: BootTime) -> Vec<Event> {
        let mut events = Vec::new();
        for refusal in Refusal::ALL {
            // A listener that lies may take back what it has said: then it says nothing new for a while.
            let more = dropped.of(refusal).saturating_sub(self.dropped.of(refusal));
            if more > 0 {
                let count = self.tell(refusal, more, now);
                events.extend(count.map(|count| Event::Dropped { refusal, count }));
            }
        }
        self.dropped = *dropped;
        events
    }

    /// How many to tell of, where it is time to tell.
    fn tell(&mut self, refusal: Refusal, more: u64, now: BootTime) -> Option<u64> {
        match self.told.get_mut(&refusal) {
            Some((last, silent)) if now.saturating_since(*last) < SILENCE => {
                *silent = silent.saturating_add(more);
                None
            }
            told => {
                let count = told.map_or(0, |(_, silent)| *silent).saturating_add(more);
                self.told.insert(refusal, (now, 0));
                Some(count)
            }
        }
    }

    /// Takes note of why a packet was stale, which the listener has counted.
    pub(super) fn explain(&mut self, from: Address, client: String, clock: WrongClock, now: Now) {
        let (client, clock) = (Some(client), Some(clock));
        self.remember(Refused { at: now.unix, refusal: Refusal::Stale, from, client, clock });
    }

    fn remember(&mut self, refused: Refused) {
        if self.latest.len() >= REMEMBERED {
            self.latest.pop_front();
        }
        self.latest.push_back(refused);
    }

    pub(super) const fn tally(&self) -> &Tally {
        &self.tally
    }

    pub(super) fn latest(&self) -> impl Iterator<Item = &Refused> {
        self.latest.iter()
    }
}
