//! What knockd has no words for: packets, and commands that must run again.

use knock_spa_engine::admit::effect::{Ended, Event, Next};
use knock_spa_engine::rules::Lease;
use knock_spa_proto::address::NtopText;

use crate::audit::{words_for_cause, words_for_end, words_for_lease};

/// The words for an event that those who read the log have to know of; refused packets are not among them, since
/// anybody can send any number of those.
#[must_use]
pub fn notice(event: &Event) -> Option<String> {
    match event {
        Event::Opened { door, address, by, lease, extended, ports: _ } => {
            let what = if *extended { "extended" } else { "opened" };
            let lease = words_for_lease(*lease);
            Some(format!("{}: {door}: {what} by {by} for {lease}", NtopText(*address)))
        }
        Event::Closed { door, address, cause, by: _ } => {
            Some(format!("{}: {door}: closed ({})", NtopText(*address), words_for_cause(*cause)))
        }
        Event::Enrolled { name, key, from } => {
            Some(format!("{}: enrolled as {name}, {}", NtopText(*from), key.fingerprint()))
        }
        Event::Shortened { door, address, by, left } => {
            let left = words_for_lease(Lease::For(*left));
            Some(format!("{}: {door}: shortened for {by} to {left}", NtopText(*address)))
        }
        Event::CommandFailed { door, ended, next } => Some(failed(&door.to_string(), *ended, *next)),
        Event::StopFailed { door, ended, next } => Some(failed(door, *ended, *next)),
        Event::NotStruckOut { door } => {
            Some(format!("{door}: the one time sequence can't be struck out --> not opening the door"))
        }
        Event::Refused { .. }
        | Event::Dropped { .. }
        | Event::WrongClock { .. }
        | Event::JournalFailed
        | Event::Knockd(_) => None,
    }
}

fn failed(door: &str, ended: Ended, next: Next) -> String {
    let what = match next {
        Next::StopLater => "start command failed",
        Next::StartAgain => "stop command failed",
        Next::RetryIn(_) => "stop command failed --> trying again",
        Next::NeedsAttention => "stop command failed --> THE DOOR MAY BE OPEN",
    };
    format!("{door}: {what} ({})", words_for_end(ended))
}

#[cfg(test)]
mod tests {
    use core::time::Duration;

    use knock_spa_engine::admit::effect::Cause;
    use knock_spa_engine::admit::opening::Origin;
    use knock_spa_keys::client::ClientSecret;

    use super::*;

    fn alice() -> Origin {
        Origin::Client(ClientSecret::from_seed([9; 32]).public(), "alice".parse().unwrap())
    }

    #[test]
    fn words() {
        let (door, address) = ("ssh".parse().unwrap(), "192.0.2.2".parse().unwrap());
        let opened = |lease, extended| Event::Opened {
            door,
            address,
            ports: Vec::new(),
            by: alice(),
            lease,
            extended,
        };
        let stop_failed = |next| Event::StopFailed { door: "SSH".into(), ended: Ended::Killed, next };
        for (event, words) in [
            (opened(Lease::For(Duration::from_secs(9)), false), "192.0.2.2: ssh: opened by alice for 9s"),
            (opened(Lease::Forever, true), "192.0.2.2: ssh: extended by alice for forever"),
            (
                Event::Closed { door, address, by: alice(), cause: Cause::Expired },
                "192.0.2.2: ssh: closed (expired)",
            ),
            (
                Event::Shortened { door, address, by: alice(), left: Duration::from_secs(7) },
                "192.0.2.2: ssh: shortened for alice to 7s",
            ),
            (
                Event::CommandFailed { door, ended: Ended::Status(3), next: Next::StopLater },
                "ssh: start command failed (exit status 3)",
            ),
            (
                stop_failed(Next::RetryIn(Duration::from_secs(2))),
                "SSH: stop command failed --> trying again (killed by a signal)",
            ),
            (
                stop_failed(Next::NeedsAttention),
                "SSH: stop command failed --> THE DOOR MAY BE OPEN (killed by a signal)",
            ),
        ] {
            assert_eq!(notice(&event).as_deref(), Some(words));
        }
    }
}
