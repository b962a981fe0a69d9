//! The guard, seen from the keeper: whether it should stand, and that it does.

mod cut_off;
mod cuts;

use std::collections::BTreeSet;
use std::io;
use std::os::fd::AsFd;
use std::path::{Path, PathBuf};
use std::time::Duration;

use knock_spa_engine::admit::record::BootId as BootBytes;
use knock_spa_proto::control::{GuardStatus, TrialStatus};
use knock_spa_proto::element::Element;
use knock_spa_proto::port::ServicePort;
use knock_spa_proto::time::{BootTime, Now};

use self::cut_off::CutOff;
use super::backoff::Backoff;
use super::guests::Guests;
use crate::addresses::Addresses;
use crate::config::settings::Settings;
use crate::guard::mark::{self, Mark, Trial};
use crate::guard::rules::{self, GuardRules};
use crate::guard::stance::{Down, Stance, TRIAL_SPANS, stance, time_words};
use crate::io::clock::{self, BootId};
use crate::io::readiness::Watched;
use crate::nft::{self, Guard, NftError, Ruleset, RulesetWatch, Session};

/// An element and how long it is to stay; `None` is for ever.
type Opened = (Element, Option<Duration>);

/// Rebuilds at once within [`CALM`]: a firewall that is reloaded a few times is no fight.
const AT_ONCE: u32 = 20;

/// After so long it begins anew.
const CALM: Duration = Duration::from_secs(10);

/// The wait between rebuilds while somebody removes the table over and over.
const CONTESTED_WAIT: Duration = Duration::from_secs(1);

/// Of those who slipped in while the guard was gone, so many are named in the log.
const NAMED: usize = 5;

pub(super) struct Wall {
    state: PathBuf,
    boot: BootId,
    /// Whose flows were cut.
    cut_off: CutOff,
    /// Present from the first time that it had to stand.
    standing: Option<Standing>,
    stance: Stance,
    /// Why it does not stand where it should.
    failed: Option<String>,
    rebuilt: u64,
    slipped_in: u64,
    /// Rebuilt so often since the time below.
    lately: u32,
    calm_since: BootTime,
    backoff: Backoff,
    /// What the copy for a broken configuration says, where that was written.
    copied: Option<GuardRules>,
}

struct Standing {
    guard: Guard,
    watch: RulesetWatch,
    readable: Watched,
    guests: Guests,
}

impl Standing {
    fn new() -> Result<Self, NftError> {
        let guard = Guard::connect()?;
        let watch = guard.watch()?;
        let readable = Watched::new(watch.as_fd().try_clone_to_owned()?)?;
        Ok(Self { guard, watch, readable, guests: Guests::default() })
    }
}

impl Wall {
    pub(super) fn new(state: &Path, boot: BootBytes) -> Self {
        Self {
            state: state.to_owned(),
            boot: BootId::from_bytes(boot),
            cut_off: CutOff::default(),
            standing: None,
            stance: Stance::Down(Down::NotNeeded),
            failed: None,
            rebuilt: 0,
            slipped_in: 0,
            lately: 0,
            calm_since: BootTime::ZERO,
            backoff: Backoff::default(),
            copied: None,
        }
    }

    /// Makes the kernel's rules what they should be: with these elements, or gone.
    pub(super) fn build(&mut self, settings: &Settings, open: Vec<Opened>) {
        self.backoff.begin();
        let rules = GuardRules::of(settings);
        self.stance = self.stance_of(&rules, clock::now());
        self.failed = None;
        if let Stance::Down(_) = self.stance {
            self.take_down();
        } else {
            match self.install(&rules, open) {
                Ok(()) => self.backoff.succeed(),
                Err(error) => self.fail(&error),
            }
        }
        self.copy(rules);
    }

    /// Whether the guard should stand.
    fn stance_of(&self, rules: &GuardRules, now: Now) -> Stance {
        if !rules.are_needed() {
            return Stance::Down(Down::NotNeeded);
        }
        stance(mark::read_or_shut(&self.state), rules.start, self.boot, now)
    }

    fn install(&mut self, rules: &GuardRules, open: Vec<Opened>) -> Result<(), NftError> {
        if self.standing.is_none() {
            let mut standing = Standing::new()?;
            self.remember_cut(&mut standing.guard, &open);
            self.standing = Some(standing);
        }
        let cut = self.cut_off.left(clock::now().boot);
        let Some(standing) = &mut self.standing else { return Ok(()) };
        let sessions = sessions(&rules.doors);
        let kept = sessions.iter().map(|session| session.kept).collect();
        let elements: Vec<Element> = open.iter().map(|(element, _)| *element).collect();
        let doors_until = match self.stance {
            Stance::OnTrial { until, .. } => Some(until.saturating_since(clock::now().boot)),
            Stance::Stands | Stance::Down(_) => None,
        };
        let (doors, trusted) = (rules.doors.clone(), rules.trusted.clone());
        standing.guard.install(&Ruleset { doors, doors_until, trusted, open, cut, kept })?;
        standing.guests = Guests::new(sessions, elements.into_iter());
        Ok(())
    }

    /// Keeps what the guard is to hold for a boot with a broken configuration.
    fn copy(&mut self, rules: GuardRules) {
        if self.copied.as_ref() == Some(&rules) {
            return;
        }
        match rules::write_copy(&self.state, &rules) {
            Ok(()) => self.copied = Some(rules),
            Err(error) => tracing::warn!(
                event = "guard-not-copied",
                %error,
                "at a boot with a broken configuration the guard would be an older one"
            ),
        }
    }

    /// Our own table does not stay behind where it should not stand.
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

    fn fail(&mut self, error: &NftError) {
        tracing::error!(event = "guard-failed", %error);
        self.backoff.fail(clock::now().boot);
        self.failed = Some(error.to_string());
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
        let before = self.standing.as_mut().map(|standing| std::mem::take(&mut standing.guests));
        self.build(settings, open);
        tracing::warn!(event = "guard-rebuilt", "somebody removed the guard's table, and it is there again");
        if let Some(before) = before {
            self.count_strangers(&before, &GuardRules::of(settings));
        }
    }

    /// Counts the connections that were made while the guard was gone. They are looked for when it is back, so that none
    /// is missed; nobody ends them: the service behind the door must know its own users.
    fn count_strangers(&mut self, before: &Guests, rules: &GuardRules) {
        let present = sessions(&rules.doors);
        let strangers = before.strangers(&present, &rules.trusted, &Addresses::at_trusted(&rules.trusted));
        if !strangers.is_empty() {
            let count = strangers.len();
            self.slipped_in = self.slipped_in.saturating_add(u64::try_from(count).unwrap_or(u64::MAX));
            let from: Vec<_> = strangers.iter().take(NAMED).map(|stranger| stranger.kept.client).collect();
            tracing::warn!(
                event = "guard-gap",
                count,
                ?from,
                "connections were made while the guard was gone"
            );
        }
    }

    /// Sets these elements; false where only building the guard anew can help.
    pub(super) fn open(&mut self, elements: &[Opened], settings: &Settings) -> bool {
        let opened = self.change(|guard| guard.open(elements));
        self.uncut(elements);
        if let Some(standing) = &mut self.standing {
            let all_noted = standing.guests.let_in(elements.iter().map(|(element, _)| *element));
            if !all_noted {
                let open = elements.iter().map(|(element, _)| *element);
                standing.guests = Guests::new(sessions(&GuardRules::of(settings).doors), open);
            }
        }
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
        let Some(Standing { guard, watch, readable, .. }) = &mut self.standing else {
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

    /// When it must be built anew: where it should stand and does not, and at the end of a trial.
    pub(super) fn wakes_at(&self) -> Option<BootTime> {
        let trial_ends = match self.stance {
            Stance::OnTrial { until, .. } => Some(until),
            Stance::Stands | Stance::Down(_) => None,
        };
        [trial_ends, self.backoff.retry_at()].into_iter().flatten().min()
    }

    /// Builds it anew where it is time to.
    pub(super) fn handle_time(
        &mut self,
        settings: &Settings,
        open: impl FnOnce() -> Vec<Opened>,
        now: BootTime,
    ) {
        if self.wakes_at().is_none_or(|at| at > now) {
            return;
        }
        self.build(settings, open());
        if let Stance::Down(Down::TrialEnded(_)) = self.stance {
            tracing::warn!(event = "guard-trial-ended", "it was not confirmed: the guard's doors stand open");
        }
    }

    /// Installs the guard for a while, noted durably: the kernel ends it by itself, also with nobody left to do it.
    pub(super) fn try_for(
        &mut self,
        span: Duration,
        settings: &Settings,
        open: Vec<Opened>,
    ) -> Result<String, String> {
        if !TRIAL_SPANS.contains(&span) {
            let [shortest, longest] = [TRIAL_SPANS.start(), TRIAL_SPANS.end()].map(Duration::as_secs);
            return Err(format!("a trial lasts from {shortest} to {longest} seconds"));
        }
        if !GuardRules::of(settings).are_needed() {
            return Err("no door needs the guard: there is nothing to try".into());
        }
        let trial = Trial::of(span, self.boot, clock::now());
        mark::write(&self.state, Mark::Trial(trial)).map_err(|error| error.to_string())?;
        self.build(settings, open);
        if let Some(why) = &self.failed {
            return Err(why.clone());
        }
        tracing::warn!(event = "guard-trial", seconds = span.as_secs());
        Ok(format!(
            "the guard is up on trial: at {} its doors open again by themselves, unless `knock-spad guard confirm` keeps \
             it",
            time_words(trial.ends)
        ))
    }

    /// Installs the guard, and notes durably that it is to stand.
    pub(super) fn confirm(&mut self, settings: &Settings, open: Vec<Opened>) -> Result<String, String> {
        mark::write(&self.state, Mark::Confirmed).map_err(|error| error.to_string())?;
        self.build(settings, open);
        tracing::warn!(event = "guard-confirmed");
        match (&self.failed, self.stance) {
            (Some(why), _) => Err(why.clone()),
            (None, Stance::Down(Down::NotNeeded)) => {
                Ok("no door needs the guard; it is confirmed for those to come".into())
            }
            (None, Stance::Down(down)) => Err(down.to_string()),
            (None, Stance::Stands | Stance::OnTrial { .. }) => Ok("the guard is up, and stays".into()),
        }
    }

    /// Removes the guard, and notes durably that it is not to stand.
    pub(super) fn remove(&mut self) -> Result<String, String> {
        mark::write(&self.state, Mark::Removed).map_err(|error| error.to_string())?;
        self.backoff.begin();
        let removed = Guard::connect().map_err(NftError::from).and_then(|mut guard| guard.remove());
        removed.map_err(|error| error.to_string())?;
        self.standing = None;
        self.failed = None;
        self.stance = Stance::Down(Down::Removed);
        tracing::warn!(event = "guard-removed");
        Ok("the guard is removed: its doors stand open".into())
    }

    pub(super) fn status(&self) -> GuardStatus {
        let (rebuilt, slipped_in) = (self.rebuilt, self.slipped_in);
        match (&self.failed, self.stance) {
            (Some(why), _) => GuardStatus::Failed { why: why.clone() },
            (None, Stance::Stands) => GuardStatus::Up { rebuilt, slipped_in, trial: None },
            (None, Stance::OnTrial { until, ends }) => {
                let left = until.saturating_since(clock::now().boot).as_secs();
                let trial = TrialStatus { left, until: Duration::from_nanos(ends.as_nanos()).as_secs() };
                GuardStatus::Up { rebuilt, slipped_in, trial: Some(trial) }
            }
            (None, Stance::Down(Down::NotNeeded)) => GuardStatus::NotNeeded,
            (None, Stance::Down(down)) => GuardStatus::Down { why: down.to_string() },
        }
    }
}

/// The sessions with these ports.
fn sessions(doors: &BTreeSet<ServicePort>) -> Vec<Session> {
    nft::established(doors).unwrap_or_else(|error| {
        tracing::error!(event = "sessions-unknown", %error, "idle sessions older than the guard may stall");
        Vec::new()
    })
}
