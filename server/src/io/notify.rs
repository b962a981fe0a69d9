//! What the service manager is told (`sd_notify(3)`); nothing happens where there is none.

use std::time::Duration;

use sd_notify::NotifyState;
use tokio::time::{Interval, MissedTickBehavior};

/// The daemon serves, under the present configuration.
pub fn ready() {
    tell(&[NotifyState::Ready]);
}

/// The configuration is being read again.
pub fn reloading() {
    match NotifyState::monotonic_usec_now() {
        Ok(now) => tell(&[NotifyState::Reloading, now]),
        Err(error) => tracing::debug!(event = "notify-failed", %error),
    }
}

/// The daemon is about to end.
pub fn stopping() {
    tell(&[NotifyState::Stopping]);
}

/// The loop turns.
pub fn beat() {
    tell(&[NotifyState::Watchdog]);
}

fn tell(state: &[NotifyState<'_>]) {
    if let Err(error) = sd_notify::notify(state) {
        tracing::debug!(event = "notify-failed", %error);
    }
}

/// Ticks twice in each span after which the service manager would give us up; `None` where it does not watch.
#[must_use]
pub fn heartbeat() -> Option<Interval> {
    let every = sd_notify::watchdog_enabled()?.checked_div(2)?.max(Duration::from_millis(10));
    let mut interval = tokio::time::interval(every);
    interval.set_missed_tick_behavior(MissedTickBehavior::Delay);
    Some(interval)
}

/// Waits for the next tick; for ever where there is none.
pub async fn due(heartbeat: &mut Option<Interval>) {
    match heartbeat {
        Some(interval) => {
            interval.tick().await;
        }
        None => std::future::pending().await,
    }
}
