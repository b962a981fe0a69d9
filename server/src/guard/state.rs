//! How the guard is, by what the kernel holds and what was decided.

use std::fmt;
use std::time::Duration;

use knock_spa_proto::time::Now;

use super::mark::Mark;
use super::rules::GuardRules;
use super::stance::{Down, Stance, stance};
use crate::config::settings::GuardStart;
use crate::io::clock::BootId;
use crate::nft::Shown;

/// How the guard is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum State {
    /// It stands for so much longer.
    Trial(Duration),
    /// It stands, as the administrator confirmed.
    Confirmed,
    /// It stands, as the configuration says.
    On,
    /// It stands, and should not.
    Astray(String),
    /// It does not stand, and should not.
    Down(Down),
    /// It does not stand, and should.
    Missing,
    /// It does not stand, and nobody knows whether it should.
    Unknown(String),
}

/// How the guard is. `decided` is what was decided, or why that is not known.
#[must_use]
pub fn state(
    shown: Option<&Shown>,
    rules: Option<&GuardRules>,
    decided: Result<Option<Mark>, &str>,
    boot: BootId,
    now: Now,
) -> State {
    // When the trial of a table is over, the table is there still, and shuts nothing.
    let standing = shown.filter(|shown| !shown.doors.is_empty());
    if let Some(left) = standing.and_then(|shown| shown.doors.iter().filter_map(|(_, left)| *left).max()) {
        return State::Trial(left);
    }
    let stance = match (rules, decided) {
        (_, Err(why)) if standing.is_some() => return State::Astray(why.into()),
        (_, Err(why)) => return State::Unknown(why.into()),
        (None, Ok(None)) => return State::Unknown("the configuration can't be used".into()),
        (None, Ok(decided)) => stance(decided, GuardStart::On, boot, now),
        (Some(rules), Ok(_)) if !rules.are_needed() => Stance::Down(Down::NotNeeded),
        (Some(rules), Ok(decided)) => stance(decided, rules.start, boot, now),
    };
    match (standing.is_some(), stance) {
        (true, Stance::Stands) if decided == Ok(None) => State::On,
        (true, Stance::Stands) => State::Confirmed,
        (true, Stance::OnTrial { .. }) => State::Astray("a trial was noted, and it has no end".into()),
        (true, Stance::Down(down)) => State::Astray(down.to_string()),
        (false, Stance::Down(down)) => State::Down(down),
        (false, Stance::Stands | Stance::OnTrial { .. }) => State::Missing,
    }
}

impl State {
    /// In one word, for programs.
    #[must_use]
    pub const fn word(&self) -> &'static str {
        match self {
            Self::Trial(_) => "trial",
            Self::Confirmed => "confirmed",
            Self::On => "on",
            Self::Astray(_) => "astray",
            Self::Down(Down::NotNeeded) => "not-needed",
            Self::Down(Down::Removed) => "removed",
            Self::Down(Down::Unconfirmed) => "unconfirmed",
            Self::Down(Down::TrialEnded(_) | Down::TrialInterrupted) => "trial-ended",
            Self::Missing => "missing",
            Self::Unknown(_) => "unknown",
        }
    }

    /// For how much longer it stands, where it is on trial.
    #[must_use]
    pub const fn trial_left(&self) -> Option<Duration> {
        match self {
            Self::Trial(left) => Some(*left),
            Self::Confirmed
            | Self::On
            | Self::Astray(_)
            | Self::Down(_)
            | Self::Missing
            | Self::Unknown(_) => None,
        }
    }
}

impl fmt::Display for State {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        const DOWN: &str = "the guard is not installed: no port is shut by knock-spa";
        match self {
            Self::Trial(left) => {
                let left = left.as_secs();
                write!(f, "the guard is up on trial for {left} s more; `knock-spad guard confirm` keeps it")
            }
            Self::Confirmed => f.write_str("the guard is up: it was confirmed"),
            Self::On => f.write_str("the guard is up, as `start = \"on\"` says"),
            Self::Astray(why) => write!(f, "THE GUARD IS UP, AND SHOULD NOT BE: {why}"),
            Self::Down(down) => write!(f, "{DOWN}; {down}"),
            Self::Missing => write!(
                f,
                "{DOWN}, AND IT SHOULD BE: start the daemon, or install it by `knock-spad guard restore`"
            ),
            Self::Unknown(why) => write!(f, "{DOWN}, and nobody knows whether it should be: {why}"),
        }
    }
}

#[cfg(test)]
mod tests {
    use knock_spa_proto::time::{BootTime, UnixTime};

    use super::*;
    use crate::guard::mark::Trial;

    const BOOT: BootId = BootId::from_bytes([1; 16]);
    const NOW: Now = Now { boot: BootTime::ZERO, unix: UnixTime::EPOCH };

    fn shown(left: Option<Duration>) -> Shown {
        Shown { doors: vec![("tcp/22".parse().unwrap(), left)], ..Shown::default() }
    }

    fn rules(start: GuardStart) -> GuardRules {
        GuardRules { start, doors: ["tcp/22".parse().unwrap()].into(), trusted: Vec::new() }
    }

    #[test]
    fn the_kernel_says_what_is_and_the_mark_why() {
        let minute = Duration::from_secs(60);
        let trial = Mark::Trial(Trial::of(minute, BOOT, NOW));
        let (on, waiting, none) =
            (rules(GuardStart::On), rules(GuardStart::Confirmed), GuardRules::default());
        let (up, trying) = (shown(None), shown(Some(minute)));
        let state = |shown, rules, decided| state(shown, Some(rules), Ok(decided), BOOT, NOW);
        assert_eq!(state(Some(&trying), &on, Some(trial)), State::Trial(minute));
        assert_eq!(state(Some(&up), &waiting, Some(Mark::Confirmed)), State::Confirmed);
        assert_eq!(state(Some(&up), &on, None), State::On);
        for (rules, decided) in [(&on, Some(Mark::Removed)), (&waiting, None), (&none, None)] {
            assert_eq!(state(Some(&up), rules, decided).word(), "astray");
            assert!(matches!(state(None, rules, decided), State::Down(_)));
        }
        assert_eq!(state(Some(&up), &on, Some(trial)).word(), "astray");
        for decided in [None, Some(Mark::Confirmed), Some(trial)] {
            assert_eq!(state(None, &on, decided), State::Missing);
        }
    }

    #[test]
    fn a_table_whose_trial_is_over_shuts_nothing() {
        let trial = Trial::of(Duration::ZERO, BOOT, NOW);
        let empty = Shown::default();
        let state =
            state(Some(&empty), Some(&rules(GuardStart::On)), Ok(Some(Mark::Trial(trial))), BOOT, NOW);
        assert_eq!(state, State::Down(Down::TrialEnded(NOW.unix)));
        assert!(state.to_string().contains("not confirmed"), "{state}");
    }

    #[test]
    fn what_nobody_knows_is_not_made_up() {
        let unread = || Err("unreadable");
        assert_eq!(state(None, None, unread(), BOOT, NOW).word(), "unknown");
        assert_eq!(state(None, None, Ok(None), BOOT, NOW).word(), "unknown");
        assert_eq!(state(Some(&shown(None)), None, Ok(Some(Mark::Confirmed)), BOOT, NOW), State::Confirmed);
    }
}
