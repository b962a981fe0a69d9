//! How often a stop command is tried again.
//!
//! One that did not run to its end has done nothing that anybody can count on: it is tried again for ever. One that
//! says by its exit status that it could not close is asked a few times more, and then somebody must look.

use core::time::Duration;

use super::effect::Ended;

/// Exits with another status than 0 before somebody must look: with the waits between them, half a minute.
const MAX_REFUSED: u32 = 5;

/// The longest wait between two tries: a program that is missing costs little, and whoever mends it waits no longer.
pub(super) const LONGEST_WAIT: Duration = Duration::from_secs(300);

/// The tries of one stop command so far.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Tries {
    failed: u32,
    /// How many of those ended by themselves.
    refused: u32,
}

impl Tries {
    /// Takes note of a try that failed; gives the wait before the next one, unless it was the last.
    pub(super) fn fail(self, ended: Ended) -> Option<(Self, Duration)> {
        let refused = match ended {
            Ended::Status(_) => self.refused.saturating_add(1),
            Ended::Killed | Ended::TimedOut | Ended::NotStarted => self.refused,
        };
        let failed = self.failed.saturating_add(1);
        let wait = Duration::from_secs(1_u64.checked_shl(failed).unwrap_or(u64::MAX)).min(LONGEST_WAIT);
        (refused < MAX_REFUSED).then_some((Self { failed, refused }, wait))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn waits(ended: impl Fn(usize) -> Ended) -> Vec<u64> {
        let mut tries = Tries::default();
        let waits = (0..20).map_while(|number| {
            let (next, wait) = tries.fail(ended(number))?;
            tries = next;
            Some(wait.as_secs())
        });
        waits.collect()
    }

    use alloc::vec::Vec;

    #[test]
    fn what_ends_by_itself_is_asked_five_times_and_what_does_not_for_ever() {
        assert_eq!(waits(|_| Ended::Status(1)), [2, 4, 8, 16]);
        for ended in [Ended::Killed, Ended::TimedOut, Ended::NotStarted] {
            let waits = waits(|_| ended);
            assert_eq!(waits.len(), 20);
            assert_eq!(waits[5..10], [64, 128, 256, 300, 300]);
        }
        let mixed = waits(|number| if number % 2 == 0 { Ended::Killed } else { Ended::Status(1) });
        assert_eq!(mixed.len(), 9);
    }
}
