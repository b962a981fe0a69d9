//! The guard, seen from the keeper: whether it should stand, and that it does.

mod cut_off;

use std::collections::BTreeSet;
use std::io;
use std::os::fd::AsFd;
use std::path::{Path, PathBuf};
use std::time::Duration;

use knock_spa_engine::rules::Action;
use knock_spa_proto::control::GuardStatus;
use knock_spa_proto::element::Element;
use knock_spa_proto::port::{ServicePort, Transport};

use knock_spa_proto::time::BootTime;

use self::cut_off::{CUT_FOR, CutOff};
use super::backoff::Backoff;
use crate::config::settings::{CaptureMode, GuardStart, Settings};
use crate::guard_mark::{self, Mark};
use crate::io::clock;
use crate::io::readiness::Watched;
use crate::nft::{self, Guard, NftError, Ruleset, RulesetWatch};

/// An element and how long it is to stay; `None` is for ever.
type Opened = (Element, Option<Duration>);

/// Rebuilds at once within [`CALM`]: a firewall that is reloaded a few times is no fight.
const AT_ONCE: u32 = 20;

/// After so long it begins anew.
const CALM: Duration = Duration::from_secs(10);

/// The wait between rebuilds while somebody removes the table over and over.
const CONTESTED_WAIT: Duration = Duration::from_secs(1);

pub(super) struct Wall {
    state: PathBuf,
    /// Whose flows were cut.
    cut_off: CutOff,
    /// Present from the first time that it had to stand.
    standing: Option<Standing>,
    status: GuardStatus,
    rebuilt: u64,
    /// Rebuilt so often since the time below.
    lately: u32,
    calm_since: BootTime,
    backoff: Backoff,
}

struct Standing {
    guard: Guard,
    watch: RulesetWatch,
    readable: Watched,
}

impl Standing {
    fn new() -> Result<Self, NftError> {
        let guard = Guard::connect()?;
        let watch = guard.watch()?;
        let readable = Watched::new(watch.as_fd().try_clone_to_owned()?)?;
        Ok(Self { guard, watch, readable })
    }
}

impl Wall {
    pub(super) fn new(state: &Path) -> Self {
        Self {
            state: state.to_owned(),
            cut_off: CutOff::default(),
            standing: None,
            status: GuardStatus::NotNeeded,
            rebuilt: 0,
            lately: 0,
            calm_since: BootTime::ZERO,
            backoff: Backoff::default(),
        }
    }

    /// Makes the kernel's rules what they should be: with these elements, or gone.
    pub(super) fn build(&mut self, settings: &Settings, open: Vec<Opened>) {
        self.backoff.begin();
        self.status = match self.wanted(settings) {
            Ok(()) => match self.install(settings, open) {
                Ok(()) => {
                    self.backoff.succeed();
                    GuardStatus::Up { rebuilt: self.rebuilt }
                }
                Err(error) => self.failed(&error),
            },
            Err(down) => {
                self.take_down();
                down
            }
        };
    }

    /// Whether the guard should stand; if not, why.
    fn wanted(&self, settings: &Settings) -> Result<(), GuardStatus> {
        if !settings.has_guard() {
            return Err(GuardStatus::NotNeeded);
        }
        let down = |why: &str| Err(GuardStatus::Down { why: why.into() });
        match (guard_mark::read(&self.state), settings.guard.start) {
            (Ok(Some(Mark::Removed)), _) => down(
                "it was removed by `knock-spad guard remove`; `knock-spad guard confirm` installs it again",
            ),
            (Ok(None), GuardStart::Confirmed) => down("`knock-spad guard confirm` installs it"),
            // Where the mark cannot be read, doors stay shut: `trusted` is the way in.
            (Ok(Some(Mark::Confirmed)), _) | (_, GuardStart::On) | (Err(_), GuardStart::Confirmed) => Ok(()),
        }
    }

    fn install(&mut self, settings: &Settings, open: Vec<Opened>) -> Result<(), NftError> {
        if self.standing.is_none() {
            let mut standing = Standing::new()?;
            self.remember_cut(&mut standing.guard, &open);
            self.standing = Some(standing);
        }
        let Some(standing) = &mut self.standing else { return Ok(()) };
        let doors = guarded(settings);
        let kept = nft::established(&doors).unwrap_or_else(|error| {
            tracing::error!(event = "sessions-unknown", %error, "idle sessions older than the guard may stall");
            Vec::new()
        });
        let trusted = settings.guard.trusted.clone();
        let cut = self.cut_off.left(clock::now().boot);
        standing.guard.install(&Ruleset { doors, doors_until: None, trusted, open, cut, kept })
    }

    /// What a daemon before this one has cut stays so: the kernel has kept it.
    fn remember_cut(&mut self, guard: &mut Guard, open: &[Opened]) {
        match guard.cut_off() {
            Ok(cut) => self.cut_off.remember(cut, clock::now().boot),
            Err(error) => {
                tracing::error!(event = "cuts-unknown", %error, "what was cut before may live again");
            }
        }
        self.cut_off.forget(open.iter().map(|(element, _)| *element));
    }

    /// Has nothing established count for these elements, until they are opened again; false where only building the
    /// guard anew can help.
    pub(super) fn cut(&mut self, elements: &[Element]) -> bool {
        let cut: Vec<_> = elements.iter().map(|element| (*element, CUT_FOR)).collect();
        self.cut_off.remember(cut.iter().copied(), clock::now().boot);
        self.change(|guard| guard.cut(&cut))
    }

    /// What is established counts again for what is opened.
    fn uncut(&mut self, elements: &[Opened]) {
        let again = self.cut_off.forget(elements.iter().map(|(element, _)| *element));
        if again.is_empty() {
            return;
        }
        let done = self.standing.as_mut().map_or(Ok(()), |standing| standing.guard.uncut(&again));
        if let Err(error) = done {
            tracing::error!(event = "guard-failed", %error, "sessions may end with their openings");
        }
    }

    /// Our own table does not stay behind where no door needs it any more.
    fn take_down(&mut self) {
        let removed = match &mut self.standing {
            Some(standing) => standing.guard.remove(),
            None => Guard::connect().map_err(NftError::from).and_then(|mut guard| guard.remove()),
        };
        self.standing = None;
        if let Err(error) = removed {
            // Without the right to change it there is no table of ours either, unless another user made it.
            tracing::debug!(event = "guard-not-removed", %error);
        }
    }

    fn failed(&mut self, error: &NftError) -> GuardStatus {
        tracing::error!(event = "guard-failed", %error);
        self.backoff.fail(clock::now().boot);
        GuardStatus::Failed { why: error.to_string() }
    }

    /// Builds the guard again after somebody else has removed it: at once, unless somebody does so over and over.
    pub(super) fn handle_touched(&mut self, settings: &Settings, open: Vec<Opened>, now: BootTime) {
        self.rebuilt = self.rebuilt.saturating_add(1);
        if now.saturating_since(self.calm_since) >= CALM {
            (self.calm_since, self.lately) = (now, 0);
        }
        self.lately = self.lately.saturating_add(1);
        if self.lately > AT_ONCE {
            if self.lately == AT_ONCE.saturating_add(1) {
                tracing::error!(
                    event = "guard-contested",
                    "somebody removes the guard's table over and over: is another daemon running?"
                );
            }
            return self.backoff.put_off(CONTESTED_WAIT, now);
        }
        self.build(settings, open);
        tracing::warn!(event = "guard-rebuilt", "somebody removed the guard's table, and it is there again");
    }

    /// Sets these elements; false where only building the guard anew can help.
    pub(super) fn open(&mut self, elements: &[Opened]) -> bool {
        let opened = self.change(|guard| guard.open(elements));
        self.uncut(elements);
        opened
    }

    /// Removes these elements; false where only building the guard anew can help.
    pub(super) fn close(&mut self, elements: &[Element]) -> bool {
        self.change(|guard| guard.close(elements))
    }

    fn change(&mut self, change: impl FnOnce(&mut Guard) -> Result<(), NftError>) -> bool {
        let Some(standing) = &mut self.standing else { return true };
        if self.backoff.retry_at().is_some() {
            // It will be built from what must be open then.
            return true;
        }
        match change(&mut standing.guard) {
            Ok(()) => true,
            Err(error) => {
                tracing::error!(event = "guard-failed", %error);
                false
            }
        }
    }

    /// Waits until somebody else has removed the guard; for ever where it does not stand.
    pub(super) async fn touched(&mut self) {
        let Some(Standing { guard, watch, readable }) = &mut self.standing else {
            return std::future::pending().await;
        };
        let lost = readable.read(|_| match watch.lost(guard)? {
            true => Ok(()),
            false => Err(io::ErrorKind::WouldBlock.into()),
        });
        if let Err(error) = lost.await {
            // Building it again makes a new watch as well.
            tracing::error!(event = "guard-watch-failed", %error);
            self.standing = None;
        }
    }

    /// When it is built again, where it should stand and does not.
    pub(super) const fn backoff(&self) -> &Backoff {
        &self.backoff
    }

    /// Installs the guard, and notes durably that it is to stand.
    pub(super) fn confirm(&mut self, settings: &Settings, open: Vec<Opened>) -> Result<String, String> {
        guard_mark::write(&self.state, Mark::Confirmed).map_err(|error| error.to_string())?;
        self.build(settings, open);
        match &self.status {
            GuardStatus::Failed { why } | GuardStatus::Down { why } => Err(why.clone()),
            GuardStatus::NotNeeded => Ok("no door needs the guard; it is confirmed for those to come".into()),
            GuardStatus::Up { .. } => Ok("the guard is up, and stays".into()),
        }
    }

    /// Removes the guard, and notes durably that it is not to stand.
    pub(super) fn remove(&mut self) -> Result<String, String> {
        guard_mark::write(&self.state, Mark::Removed).map_err(|error| error.to_string())?;
        self.backoff.begin();
        let removed = Guard::connect().map_err(NftError::from).and_then(|mut guard| guard.remove());
        removed.map_err(|error| error.to_string())?;
        self.standing = None;
        let why = "it was removed by `knock-spad guard remove`; `knock-spad guard confirm` installs it again";
        self.status = GuardStatus::Down { why: why.into() };
        tracing::warn!(event = "guard-removed");
        Ok("the guard is removed: its doors stand open".into())
    }

    pub(super) fn status(&self) -> GuardStatus {
        self.status.clone()
    }
}

/// The ports that the guard shuts: those of its doors, and the SPA port, so that not even the kernel answers there. A
/// socket that is bound to it gets nothing that the guard drops, and keeps the kernel from answering by itself.
fn guarded(settings: &Settings) -> BTreeSet<ServicePort> {
    let doors = settings.doors.iter().filter(|door| door.action == Action::Guard);
    let is_captured = settings.listen.capture == CaptureMode::Packet;
    let spa = settings
        .listen
        .spa_port
        .filter(|_| is_captured)
        .map(|port| ServicePort { transport: Transport::Udp, port });
    doors.flat_map(|door| door.ports.iter().copied()).chain(spa).collect()
}
