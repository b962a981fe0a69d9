//! Facts for the administrator's log: fixed event names, values as fields.

use knock_spa_engine::admit::effect::{Cause, Ended, Event, Next};
use knock_spa_engine::rules::Lease;

/// Writes one event.
pub fn say(event: &Event) {
    match event {
        Event::Opened { door, ports, address, by, lease, extended } => {
            let name = if *extended { "extended" } else { "opened" };
            let lease = words_for_lease(*lease);
            tracing::info!(event = name, %door, ?ports, %address, %by, %lease);
        }
        Event::Closed { door, address, by, cause } => {
            tracing::info!(event = "closed", %door, %address, %by, cause = words_for_cause(*cause));
        }
        Event::Refused { refusal, from, client, count } => {
            let client = client.as_deref().unwrap_or_default();
            tracing::info!(event = "refused", reason = %refusal, %from, client, count);
        }
        Event::CommandFailed { door, ended, next } => say_command_failed(&door.to_string(), *ended, *next),
        Event::JournalFailed => {
            tracing::error!(
                event = "journal-failed",
                "records can't be written: command doors refuse, the guard goes on from memory"
            );
        }
    }
}

fn say_command_failed(door: &str, ended: Ended, next: Next) {
    let ended = match ended {
        Ended::Status(status) => format!("exit status {status}"),
        Ended::Killed => "killed by a signal".into(),
        Ended::TimedOut => "took too long and was killed".into(),
        Ended::NotStarted => "could not be started".into(),
    };
    match next {
        Next::StopLater => tracing::warn!(event = "start-failed", door, ended),
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

const fn words_for_cause(cause: Cause) -> &'static str {
    match cause {
        Cause::Expired => "expired",
        Cause::ByClient => "client",
        Cause::ByAdministrator => "administrator",
        Cause::ByReload => "reload",
        Cause::ByStop => "stop",
        Cause::Unrecorded => "unrecorded",
    }
}

fn words_for_lease(lease: Lease) -> String {
    match lease {
        Lease::For(span) => format!("{}s", span.as_secs()),
        Lease::Forever => "forever".into(),
    }
}
