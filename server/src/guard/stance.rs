//! Whether the guard is to stand, until when, and if not, why.

use std::fmt;
use std::ops::RangeInclusive;
use std::time::Duration;

use knock_spa_proto::time::{BootTime, Now, UnixTime};

use super::mark::{Mark, Trial};
use crate::config::settings::GuardStart;
use crate::io::clock::{self, BootId};

/// How long a trial may last. Less is over before anybody has tried to come in; more is no trial: who has not confirmed
/// by the next day has forgotten it.
pub const TRIAL_SPANS: RangeInclusive<Duration> = Duration::from_secs(5)..=Duration::from_secs(24 * 60 * 60);

/// Whether the guard is to stand.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Stance {
    /// Until somebody says otherwise.
    Stands,
    /// Until its trial ends.
    OnTrial {
        /// When that is, in this boot.
        until: BootTime,
        /// The same by the wall clock.
        ends: UnixTime,
    },
    /// Its doors are to stand open.
    Down(Down),
}

/// Why the guard is not to stand.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Down {
    /// No door has it.
    NotNeeded,
    /// The administrator removed it.
    Removed,
    /// It waits to be confirmed.
    Unconfirmed,
    /// Its trial ended, and it was not confirmed.
    TrialEnded(UnixTime),
    /// The machine was started anew during its trial, and it was not confirmed.
    TrialInterrupted,
}

impl fmt::Display for Down {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        const AGAIN: &str = "`knock-spad guard try` tries it again, and `guard confirm` installs it";
        match self {
            Self::NotNeeded => f.write_str("no door has it"),
            Self::Removed => f.write_str(
                "it was removed by `knock-spad guard remove`; `knock-spad guard confirm` installs it again",
            ),
            Self::Unconfirmed => {
                f.write_str("`knock-spad guard try 10m` tries it, and `knock-spad guard confirm` installs it")
            }
            Self::TrialEnded(at) => {
                write!(f, "the trial ended at {}; it was not confirmed: {AGAIN}", time_words(*at))
            }
            Self::TrialInterrupted => {
                write!(f, "the machine was started anew during the trial; it was not confirmed: {AGAIN}")
            }
        }
    }
}

/// A time as the clocks on the wall here show it.
#[must_use]
pub fn time_words(at: UnixTime) -> String {
    clock::local(at).strftime("%Y-%m-%d %H:%M:%S").to_string()
}

/// Whether the guard of a configuration with guarded doors is to stand, by what was decided and what the configuration
/// says of an undecided one.
#[must_use]
pub fn stance(decided: Option<Mark>, start: GuardStart, boot: BootId, now: Now) -> Stance {
    match (decided, start) {
        (Some(Mark::Removed), _) => Stance::Down(Down::Removed),
        (Some(Mark::Confirmed), _) | (None, GuardStart::On) => Stance::Stands,
        (None, GuardStart::Confirmed) => Stance::Down(Down::Unconfirmed),
        // A trial that is over was not confirmed, whatever the configuration says: that is what it was for.
        (Some(Mark::Trial(trial)), _) => on_trial(trial, boot, now),
    }
}

fn on_trial(trial: Trial, boot: BootId, now: Now) -> Stance {
    if trial.boot != boot {
        Stance::Down(Down::TrialInterrupted)
    } else if trial.until <= now.boot {
        Stance::Down(Down::TrialEnded(trial.ends))
    } else {
        Stance::OnTrial { until: trial.until, ends: trial.ends }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const BOOT: BootId = BootId::from_bytes([1; 16]);
    const STARTS: [GuardStart; 2] = [GuardStart::On, GuardStart::Confirmed];

    fn at(seconds: u64) -> Now {
        Now { boot: BootTime::ZERO, unix: UnixTime::EPOCH }.saturating_add(Duration::from_secs(seconds))
    }

    #[test]
    fn what_was_decided_counts_more_than_the_configuration() {
        for start in STARTS {
            assert_eq!(stance(Some(Mark::Confirmed), start, BOOT, at(0)), Stance::Stands);
            assert_eq!(stance(Some(Mark::Removed), start, BOOT, at(0)), Stance::Down(Down::Removed));
        }
        assert_eq!(stance(None, GuardStart::On, BOOT, at(0)), Stance::Stands);
        assert_eq!(stance(None, GuardStart::Confirmed, BOOT, at(0)), Stance::Down(Down::Unconfirmed));
    }

    #[test]
    fn a_trial_lasts_as_long_as_was_said_and_in_its_boot_alone() {
        let trial = Trial::of(Duration::from_secs(60), BOOT, at(1000));
        for start in STARTS {
            let stance = |boot, now| stance(Some(Mark::Trial(trial)), start, boot, now);
            let on_trial = Stance::OnTrial { until: at(1060).boot, ends: at(1060).unix };
            assert_eq!(stance(BOOT, at(1000)), on_trial);
            // The wall clock steps, and means nothing.
            let stepped = Now { unix: at(900_000).unix, ..at(1059) };
            assert_eq!(stance(BOOT, stepped), on_trial);
            assert_eq!(stance(BOOT, at(1060)), Stance::Down(Down::TrialEnded(at(1060).unix)));
            let other = BootId::from_bytes([2; 16]);
            assert_eq!(stance(other, at(1)), Stance::Down(Down::TrialInterrupted));
        }
    }
}
