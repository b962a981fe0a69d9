//! Facts for the administrator's log: fixed event names, values as fields.

mod budget;
mod file;
mod journald;
mod layers;
mod record;

use std::path::Path;

use knock_spa_engine::admit::effect::{Cause, Ended, Event, Next};
use knock_spa_engine::admit::opening::Origin;
use knock_spa_engine::knockd::Said;
use knock_spa_engine::rules::Lease;
use knock_spa_proto::control::AuditStatus;
use knock_spa_proto::refusal::Refusal;
use knock_spa_proto::time::BootTime;

use self::budget::{Budget, Kind};
use self::file::file;

pub use self::layers::begin;

/// Writes events, a bounded number in any time.
#[derive(Debug)]
pub struct Audit {
    budgets: [Budget; Kind::ALL.len()],
    left_out: u64,
}

impl Default for Audit {
    fn default() -> Self {
        Self { budgets: Kind::ALL.map(Budget::new), left_out: 0 }
    }
}

impl Audit {
    /// Appends events to this file too from now on, or to none; opens it anew, so that it can be rotated.
    pub fn set_file(&mut self, path: Option<&Path>) {
        file().set(path);
    }

    /// Writes one event, or counts it.
    pub fn say(&mut self, event: &Event, now: BootTime) {
        let may = kind(event).is_none_or(|kind| {
            let budget = self.budgets.iter_mut().zip(Kind::ALL).find(|(_, of)| *of == kind);
            budget.is_none_or(|(budget, _)| budget.spend(now))
        });
        if may {
            write(event);
        } else {
            self.left_out = self.left_out.saturating_add(1);
        }
    }

    /// When [`Self::tell_left_out`] has something to tell.
    #[must_use]
    pub fn next_due(&self) -> Option<BootTime> {
        self.budgets.iter().filter_map(Budget::due).min()
    }

    /// Tells how many events were left out, once it is time.
    pub fn tell_left_out(&mut self, now: BootTime) {
        for (budget, kind) in self.budgets.iter_mut().zip(Kind::ALL) {
            if let Some(count) = budget.take_left_out(now) {
                tracing::warn!(event = "left-out", kind = kind.name(), count, "there was too much to tell");
            }
        }
    }

    /// Tells where the file can't be written, once.
    pub fn tell_fault(&self) {
        let untold = file().take_untold();
        if let Some(why) = untold {
            tracing::error!(event = "audit-failed", why, "the audit file can't be written");
        }
    }

    /// How it does.
    #[must_use]
    pub fn status(&self) -> AuditStatus {
        let file = file();
        AuditStatus { left_out: self.left_out.saturating_add(file.lost()), fault: file.fault() }
    }
}

/// Whose budget an event takes of; `None` where it is rare by its nature, or the engine tells it rarely.
const fn kind(event: &Event) -> Option<Kind> {
    match event {
        Event::Opened { by, .. } | Event::Closed { by, .. } | Event::Shortened { by, .. } => Some(match by {
            Origin::Client(..) | Origin::Local => Kind::Proven,
            Origin::Classic => Kind::Classic,
        }),
        Event::Enrolled { .. } => Some(Kind::Proven),
        Event::Knockd(_) | Event::NotStruckOut { .. } => Some(Kind::Classic),
        Event::CommandFailed { .. } | Event::StopFailed { .. } => Some(Kind::Commands),
        Event::Refused { .. } | Event::WrongClock { .. } | Event::Dropped { .. } | Event::JournalFailed => {
            None
        }
    }
}

fn write(event: &Event) {
    match event {
        Event::Opened { door, ports, address, by, lease, extended } => {
            let (lease, origin) = (words_for_lease(*lease), by.name());
            let ports: Vec<_> = ports.iter().map(ToString::to_string).collect();
            let ports = ports.join(",");
            if *extended {
                tracing::info!(event = "extended", %door, %ports, %address, %by, origin, %lease);
            } else {
                tracing::info!(event = "opened", %door, %ports, %address, %by, origin, %lease);
            }
        }
        Event::Closed { door, address, by, cause } => {
            let (origin, cause) = (by.name(), words_for_cause(*cause));
            tracing::info!(event = "closed", %door, %address, %by, origin, cause);
        }
        Event::Enrolled { name, key, from } => {
            tracing::info!(event = "enrolled", client = name, fingerprint = %key.fingerprint(), %from);
        }
        Event::Shortened { door, address, by, left } => {
            let (origin, left) = (by.name(), words_for_lease(Lease::For(*left)));
            tracing::info!(event = "shortened", %door, %address, %by, origin, left);
        }
        Event::Refused { refusal, from, client, count } => {
            let client = client.as_deref().unwrap_or_default();
            if *refusal == Refusal::NoRoom {
                tracing::warn!(event = "refused", reason = %refusal, %from, client, count);
            } else {
                tracing::info!(event = "refused", reason = %refusal, %from, client, count);
            }
        }
        Event::WrongClock { client, from, clock } => {
            let (skew, direction) = (clock.skew.as_secs(), clock.direction.name());
            tracing::warn!(event = "wrong-clock", client, skew, direction, %from, "its packets are refused as stale");
        }
        Event::Dropped { refusal, count } => tracing::info!(event = "refused", reason = %refusal, count),
        Event::CommandFailed { door, ended, next } => say_command_failed(&door.to_string(), *ended, *next),
        Event::StopFailed { door, ended, next } => say_command_failed(door, *ended, *next),
        Event::NotStruckOut { door } => {
            tracing::error!(
                event = "sequence-not-struck-out",
                door,
                "its one-time sequence can't be struck out in the file, so it did not open"
            );
        }
        Event::Knockd(said) => write_said(said),
        Event::JournalFailed => {
            tracing::error!(
                event = "journal-failed",
                "records can't be written: command doors refuse, the guard goes on from memory"
            );
        }
    }
}

/// What a door in knockd's manner did. Its steps have a log of their own.
fn write_said(said: &Said) {
    match said {
        Said::OpenSesame { door, from } => {
            let (by, origin) = ("classic knock", "classic");
            tracing::info!(event = "opened", door, address = %from, by, origin);
        }
        Said::CommandTimeout { door, from } => {
            let (by, origin, cause) = ("classic knock", "classic", "expired");
            tracing::info!(event = "closed", door, address = %from, by, origin, cause);
        }
        Said::NonZero { door, status } => tracing::warn!(event = "command-failed", door, status),
        Said::StartTooLong | Said::StopTooLong => {
            tracing::error!(event = "command-too-long", "with the address in it; nothing has run");
        }
        Said::NotStarted => tracing::error!(event = "command-not-started"),
        Said::NoMoreSequences { door } => {
            tracing::warn!(event = "no-more-sequences", door, "nothing opens it until there are more");
        }
        Said::Stage { .. } | Said::SequenceTimeout { .. } | Said::Running { .. } => {
            tracing::trace!(event = "knockd", ?said);
        }
    }
}

fn say_command_failed(door: &str, ended: Ended, next: Next) {
    let ended = words_for_end(ended);
    match next {
        Next::StopLater => tracing::warn!(event = "start-failed", door, ended),
        Next::StartAgain => tracing::warn!(event = "stop-failed", door, ended),
        Next::RetryIn(wait) => tracing::warn!(event = "stop-failed", door, ended, retry_in = ?wait),
        Next::NeedsAttention => {
            tracing::error!(
                event = "stop-failed",
                door,
                ended,
                "the door may still be open: look, and close it by hand"
            );
        }
    }
}

/// How a command ended.
pub(crate) fn words_for_end(ended: Ended) -> String {
    match ended {
        Ended::Status(status) => format!("exit status {status}"),
        Ended::Killed => "killed by a signal".into(),
        Ended::TimedOut => "took too long and was killed".into(),
        Ended::NotStarted => "could not be started".into(),
    }
}

/// Why an opening ended.
pub(crate) const fn words_for_cause(cause: Cause) -> &'static str {
    match cause {
        Cause::Expired => "expired",
        Cause::ByClient => "client",
        Cause::ByAdministrator => "administrator",
        Cause::ByReload => "reload",
        Cause::ByStop => "stop",
        Cause::Unrecorded => "unrecorded",
    }
}

/// For how long a door opened.
pub(crate) fn words_for_lease(lease: Lease) -> String {
    match lease {
        Lease::For(span) => format!("{}s", span.as_secs()),
        Lease::Forever => "forever".into(),
    }
}
