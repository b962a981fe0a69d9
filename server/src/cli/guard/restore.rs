//! `knock-spad guard restore`: the guard at the start of the machine, before its network and without a daemon.

use std::path::Path;
use std::time::Duration;

use knock_spa_engine::admit::{History, Restored};
use knock_spa_proto::element::Element;
use knock_spa_proto::time::Now;

use super::connect;
use crate::addresses::Addresses;
use crate::cli::failure::{Exit, Failure};
use crate::cli::terminal;
use crate::guard::known::Known;
use crate::guard::mark;
use crate::guard::rules::GuardRules;
use crate::guard::stance::{Down, Stance, stance};
use crate::io::clock::{self, BootId};
use crate::journal::{self, JournalError, Lock};
use crate::keeper::{Plan, Source};
use crate::nft::{self, Ruleset};

/// Never waits for anything. Fails where doors stand open that should be shut, and else not.
pub(super) fn run(config: &Path) -> Result<(), Failure> {
    let known = Known::load(config);
    if let Some(error) = &known.broken {
        terminal::note(format_args!("warning: the configuration can't be used: {error}"));
    }
    if let Some(error) = &known.copy_failed {
        terminal::note(format_args!("warning: {error}"));
    }
    let Some(rules) = known.rules else {
        return Err(Failure::new(
            Exit::Config,
            "nobody knows what the guard is to shut: ITS DOORS STAND OPEN",
        )
        .hint("mend the configuration (`knock-spad check`), and run this again"));
    };
    let lock = match Lock::take(&known.state) {
        Err(JournalError::InUse(_)) => return terminal::say("a daemon runs, and sees to the guard itself"),
        Err(error) => {
            terminal::note(format_args!("warning: {error}"));
            None
        }
        Ok(lock) => Some(lock),
    };
    let boot = BootId::of_this_boot().map_err(|error| {
        Failure::new(Exit::System, format_args!("can't tell one boot from another: {error}"))
    })?;
    let now = clock::now();
    let doors_until = match stance_of(&rules, &known.state, boot, now) {
        Stance::Stands => None,
        Stance::OnTrial { until, .. } => Some(until.saturating_since(now.boot)),
        Stance::Down(down) => return stay_down(down),
    };
    let open = match (&known.broken, &lock) {
        (None, Some(_locked)) => still_open(config, &known.state, boot, now),
        _ => Vec::new(),
    };
    // A daemon that is started meanwhile sees that the table is not its own, and builds another.
    drop(lock);
    install(rules, doors_until, open)
}

fn stance_of(rules: &GuardRules, state: &Path, boot: BootId, now: Now) -> Stance {
    if !rules.are_needed() {
        return Stance::Down(Down::NotNeeded);
    }
    let decided = mark::read(state).unwrap_or_else(|error| {
        terminal::note(format_args!("warning: {error}; the guard is taken to be confirmed"));
        Some(mark::Mark::Confirmed)
    });
    stance(decided, rules.start, boot, now)
}

/// A ruleset that was saved can bring a table back that should be gone.
fn stay_down(down: Down) -> Result<(), Failure> {
    connect()?.remove()?;
    terminal::say(format_args!("the guard is not to stand: {down}"))
}

/// What the journal says is open still, as a daemon would go by it. Where anything is wrong with clients or key, nobody
/// can tell whom it is open to: then it is shut for everybody but the trusted.
fn still_open(config: &Path, state: &Path, boot: BootId, now: Now) -> Vec<(Element, Option<Duration>)> {
    let rules = Plan::load(&Source::Native(config.to_owned())).and_then(|plan| plan.rules());
    let read = rules.map_err(|error| error.to_string());
    let read = read.and_then(|rules| Ok((rules, journal::peek(state).map_err(|error| error.to_string())?)));
    match read {
        Ok((rules, (records, _))) => {
            let mut history = History::default();
            records.into_iter().for_each(|record| history.push(record));
            let own = Addresses::read().map(|addresses| addresses.all()).unwrap_or_default();
            Restored::new(history, rules, own, boot.to_bytes(), now).admit.elements(now.boot)
        }
        Err(error) => {
            terminal::note(format_args!("warning: nothing stays open: {error}"));
            Vec::new()
        }
    }
}

fn install(
    rules: GuardRules,
    doors_until: Option<Duration>,
    open: Vec<(Element, Option<Duration>)>,
) -> Result<(), Failure> {
    let GuardRules { doors, trusted, .. } = rules;
    let sessions = nft::established(&doors).unwrap_or_else(|error| {
        terminal::note(format_args!("warning: idle sessions may stall: {error}"));
        Vec::new()
    });
    let (shut, opened) = (doors.len(), open.len());
    let kept = sessions.iter().map(|session| session.kept).collect();
    let mut guard = connect()?;
    // What was cut stays so, where this is not the start of the machine.
    let mut cut = guard.cut_off()?;
    cut.retain(|(element, _)| !open.iter().any(|(opened, _)| opened == element));
    guard.install(&Ruleset { doors, doors_until, trusted, open, cut, kept })?;
    let trial = if doors_until.is_some() { ", on trial" } else { "" };
    terminal::say(format_args!("the guard is up{trial}: ports shut: {shut}; open: {opened}"))
}
