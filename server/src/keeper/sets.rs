//! The administrator's own sets, seen from the keeper: that they hold what they should.
//!
//! The sets are not ours. They come, go and are flushed at any time, also while the daemon does not run; whenever that is
//! heard they are filled again with what is open, for the time that is left to it.

mod owed;

use std::collections::{BTreeMap, BTreeSet};
use std::io;
use std::os::fd::AsFd;
use std::time::Duration;

use knock_spa_engine::admit::effect::SetEntry;
use knock_spa_engine::pace::Pace;
use knock_spa_engine::set::SetName;
use knock_spa_proto::control::SetStatus;
use knock_spa_proto::time::BootTime;

use self::owed::Owed;
use super::backoff::Backoff;
use crate::config::settings::Settings;
use crate::io::clock;
use crate::io::readiness::Watched;
use crate::nft::{Family, FillError, Filler, Heard, NftError, SetWatch};

/// Fills at once within [`CALM`]: a firewall that is reloaded a few times is no fight.
const AT_ONCE: u32 = 20;

/// After so long it begins anew.
const CALM: Duration = Duration::from_secs(10);

/// The wait between fillings while somebody changes the sets over and over.
const CONTESTED_WAIT: Duration = Duration::from_secs(1);

/// The administrator's sets.
#[derive(Debug)]
pub(super) struct Sets {
    /// Those that doors name now, with the family of their addresses.
    named: BTreeMap<SetName, Family>,
    /// Those, and what else has elements of ours.
    known: BTreeSet<SetName>,
    /// Present from the first time that there was a set.
    standing: Option<Standing>,
    /// Why sets do not hold what they should.
    faults: BTreeMap<SetName, String>,
    /// What is to be removed from them still.
    owed: Owed,
    /// How often each was filled again after somebody else had changed it.
    refilled: BTreeMap<SetName, u64>,
    /// To be filled when it is time.
    put_off: BTreeSet<SetName>,
    /// Filled so often since the time below.
    lately: u32,
    calm_since: BootTime,
    backoff: Backoff,
    /// Whoever can fill a set fills no disk with its faults.
    pace: Pace,
}

/// What somebody else has changed.
#[derive(Debug)]
pub(super) enum Touched {
    /// These sets.
    Sets(BTreeSet<SetName>),
    /// Nobody knows which, or whether any.
    Perhaps,
}

#[derive(Debug)]
struct Standing {
    filler: Filler,
    watch: SetWatch,
    readable: Watched,
}

impl Standing {
    fn new() -> io::Result<Self> {
        // The watch comes first, so that nothing changes unnoticed.
        let watch = SetWatch::connect()?;
        let readable = Watched::new(watch.as_fd().try_clone_to_owned()?)?;
        Ok(Self { filler: Filler::connect()?, watch, readable })
    }
}

impl Default for Sets {
    fn default() -> Self {
        Self {
            named: BTreeMap::new(),
            known: BTreeSet::new(),
            standing: None,
            faults: BTreeMap::new(),
            owed: Owed::default(),
            refilled: BTreeMap::new(),
            put_off: BTreeSet::new(),
            lately: 0,
            calm_since: BootTime::ZERO,
            backoff: Backoff::default(),
            pace: Pace::of_steps(),
        }
    }
}

impl Sets {
    /// Has all sets hold what is open: those that doors name, and whatever others have elements of ours.
    pub(super) fn build(&mut self, settings: &Settings, open: Vec<SetEntry>) {
        self.named = settings.sets().map(|(set, family)| (set.clone(), family)).collect();
        let others = open.iter().map(|entry| &entry.set).chain(self.owed.sets());
        self.known = self.named.keys().chain(others).cloned().collect();
        self.put_off.clear();
        self.faults.retain(|set, _| self.known.contains(set));
        self.refilled.retain(|set, _| self.known.contains(set));
        if self.known.is_empty() {
            self.standing = None;
            return;
        }
        self.refill(&self.known.clone(), open);
    }

    /// Has sets hold what these entries say, as far as they can.
    pub(super) fn fill(&mut self, entries: &[SetEntry]) {
        let mut by_set: BTreeMap<&SetName, Vec<SetEntry>> = BTreeMap::new();
        for entry in entries {
            by_set.entry(&entry.set).or_default().push(entry.clone());
        }
        for (set, entries) in by_set {
            self.known.insert(set.clone());
            if let Err(error) = self.fill_one(set, &entries) {
                self.fail(set, &error);
            }
        }
    }

    fn fill_one(&mut self, set: &SetName, entries: &[SetEntry]) -> Result<(), FillError> {
        let filled = self.filler().and_then(|filler| filler.fill(set, entries));
        self.owed.settle(entries, filled.is_ok());
        filled
    }

    fn filler(&mut self) -> Result<&mut Filler, FillError> {
        let standing = match self.standing.take() {
            Some(standing) => standing,
            None => Standing::new().map_err(|error| FillError::Nft(NftError::Io(error)))?,
        };
        Ok(&mut self.standing.insert(standing).filler)
    }

    fn fail(&mut self, set: &SetName, error: &FillError) {
        let now = clock::now().boot;
        let why = error.to_string();
        let is_new = self.faults.get(set) != Some(&why);
        if is_new && self.pace.allows(now) {
            tracing::error!(event = "set-failed", %set, why, "who should be in it is not let in");
        }
        self.faults.insert(set.clone(), why);
        if self.backoff.retry_at().is_none() {
            self.backoff.fail(now);
        }
    }

    /// Fills these with all that is open; those that did not hold what they should do from then on.
    fn refill(&mut self, sets: &BTreeSet<SetName>, open: Vec<SetEntry>) {
        let mut by_set: BTreeMap<SetName, Vec<SetEntry>> = BTreeMap::new();
        for entry in open {
            by_set.entry(entry.set.clone()).or_default().push(entry);
        }
        for set in sets {
            let mut entries = by_set.remove(set).unwrap_or_default();
            entries.extend(self.owed.of(set));
            match self.check(set).and_then(|()| self.fill_one(set, &entries)) {
                Ok(()) => self.mend(set),
                Err(error) => self.fail(set, &error),
            }
        }
        if self.faults.is_empty() {
            self.backoff.begin();
            self.backoff.succeed();
        }
    }

    /// A set that can't be used is a fault also while there is nothing to put into it.
    fn check(&mut self, set: &SetName) -> Result<(), FillError> {
        match self.named.get(set).copied() {
            Some(family) => self.filler()?.look(set, family),
            None => Ok(()),
        }
    }

    fn mend(&mut self, set: &SetName) {
        if self.faults.remove(set).is_some() && self.pace.allows(clock::now().boot) {
            tracing::info!(event = "set-mended", %set, "it holds what it should");
        }
    }

    /// Fills sets again that somebody else has changed: at once, unless somebody does so over and over.
    pub(super) fn handle_touched(
        &mut self,
        touched: Touched,
        open: impl FnOnce() -> Vec<SetEntry>,
        now: BootTime,
    ) {
        let open = open();
        let mut sets = match touched {
            Touched::Sets(sets) => sets,
            Touched::Perhaps => self.lacking(&open),
        };
        if sets.is_empty() {
            return;
        }
        for set in &sets {
            let count = self.refilled.entry(set.clone()).or_default();
            *count = count.saturating_add(1);
        }
        if now.saturating_since(self.calm_since) >= CALM {
            (self.calm_since, self.lately) = (now, 0);
        }
        self.lately = self.lately.saturating_add(1);
        sets.append(&mut self.put_off);
        if self.lately > AT_ONCE {
            if self.lately == AT_ONCE.saturating_add(1) {
                tracing::error!(
                    event = "set-contested",
                    "somebody changes the sets over and over: is another daemon running?"
                );
            }
            self.put_off = sets;
            return self.backoff.put_off(CONTESTED_WAIT, now);
        }
        self.refill(&sets, open);
        if self.pace.allows(now) {
            let names: Vec<_> = sets.iter().map(ToString::to_string).collect();
            tracing::warn!(event = "set-refilled", sets = names.join(", "), "somebody else has changed them");
        }
    }

    /// The sets that do not hold all that they should.
    fn lacking(&mut self, open: &[SetEntry]) -> BTreeSet<SetName> {
        let known = self.known.clone();
        let lacks = |set: &SetName| {
            let entries: Vec<_> = open.iter().filter(|entry| entry.set == *set).cloned().collect();
            !self.filler().and_then(|filler| filler.holds(set, &entries)).unwrap_or_default()
        };
        known.into_iter().filter(lacks).collect()
    }

    /// Waits until somebody else has changed sets; for ever where there are none.
    pub(super) async fn touched(&mut self) -> Touched {
        let Some(Standing { filler, watch, readable }) = &mut self.standing else {
            return std::future::pending().await;
        };
        let known = &self.known;
        let heard = readable.read(|_| match watch.hear(filler, known)? {
            Heard::Changed(sets) => Ok(Touched::Sets(sets)),
            Heard::Overrun => Ok(Touched::Perhaps),
            Heard::Nothing => Err(io::ErrorKind::WouldBlock.into()),
        });
        match heard.await {
            Ok(touched) => touched,
            Err(error) => {
                tracing::error!(event = "set-watch-failed", %error);
                // Filling makes a new watch as well.
                self.standing = None;
                Touched::Perhaps
            }
        }
    }

    /// When sets are filled again that do not hold what they should.
    pub(super) const fn wakes_at(&self) -> Option<BootTime> {
        self.backoff.retry_at()
    }

    /// Tries again what has failed, where it is time to.
    pub(super) fn handle_time(&mut self, open: impl FnOnce() -> Vec<SetEntry>, now: BootTime) {
        if !self.backoff.is_due(now) {
            return;
        }
        self.backoff.begin();
        let mut sets = std::mem::take(&mut self.put_off);
        sets.extend(self.faults.keys().cloned());
        self.refill(&sets, open());
    }

    pub(super) fn status(&self) -> Vec<SetStatus> {
        let status = |set: &SetName| SetStatus {
            set: set.to_string(),
            fault: self.faults.get(set).cloned(),
            refilled: self.refilled.get(set).copied().unwrap_or_default(),
        };
        self.known.iter().map(status).collect()
    }
}
