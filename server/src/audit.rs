//! Facts for the administrator's log: fixed event names, values as fields.

use std::time::Duration;

use knock_spa_engine::admit::effect::{Cause, Ended, Event, Next};
use knock_spa_engine::knockd::Said;
use knock_spa_engine::rules::Lease;
use knock_spa_proto::refusal::Refusal;
use knock_spa_proto::time::BootTime;

/// Lines in a second, over time: whoever knows a classic knock can open doors for many addresses, and must not fill
/// the disk with words.
const PER_SECOND: u32 = 50;

/// Lines at once.
const BURST: u32 = 500;

/// Writes events, a bounded number in any time.
#[derive(Debug)]
pub struct Audit {
    /// When as many lines as [`BURST`] will be, or were, free again.
    free_at: BootTime,
    suppressed: u64,
}

impl Default for Audit {
    fn default() -> Self {
        Self { free_at: BootTime::ZERO, suppressed: 0 }
    }
}

impl Audit {
    /// Writes one event, or counts it.
    pub fn say(&mut self, event: &Event, now: BootTime) {
        let cost = Duration::from_secs(1).checked_div(PER_SECOND).unwrap_or_default();
        let burst = cost.saturating_mul(BURST);
        let free_at = self.free_at.max(now).saturating_add(cost);
        if free_at.saturating_since(now) > burst {
            self.suppressed = self.suppressed.saturating_add(1);
            return;
        }
        self.free_at = free_at;
        if self.suppressed > 0 {
            tracing::warn!(event = "suppressed", count = self.suppressed, "there was too much to tell");
            self.suppressed = 0;
        }
        write(event);
    }
}

fn write(event: &Event) {
    match event {
        Event::Opened { door, ports, address, by, lease, extended } => {
            let name = if *extended { "extended" } else { "opened" };
            let lease = words_for_lease(*lease);
            tracing::info!(event = name, %door, ?ports, %address, %by, %lease);
        }
        Event::Closed { door, address, by, cause } => {
            tracing::info!(event = "closed", %door, %address, %by, cause = words_for_cause(*cause));
        }
        Event::Enrolled { name, key, from } => {
            tracing::info!(event = "enrolled", client = name, fingerprint = %key.fingerprint(), %from);
        }
        Event::Shortened { door, address, by, left } => {
            tracing::info!(event = "shortened", %door, %address, %by, left = words_for_lease(Lease::For(*left)));
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
            tracing::info!(event = "opened", door, address = %from, by = "classic knock");
        }
        Said::CommandTimeout { door, from } => {
            tracing::info!(event = "closed", door, address = %from, cause = "expired");
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
