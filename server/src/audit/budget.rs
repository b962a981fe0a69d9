//! How many events are told in any time: whoever knows a classic knock can open doors for any number of addresses, and
//! must neither fill the disk with words nor drown what others do.

use std::time::Duration;

use knock_spa_proto::time::BootTime;

/// For how long at most what was left out stays untold.
const TOLD_AFTER: Duration = Duration::from_secs(10);

/// Whose events they are: each kind has a budget of its own.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Kind {
    /// Of clients and the administrator, who prove who they are: what many of them do at once, for months.
    Proven,
    /// Of whoever knows a classic knock, from addresses that may be anybody's.
    Classic,
    /// Of commands that fail, which anybody's opening may cause.
    Commands,
}

impl Kind {
    pub(super) const ALL: [Self; 3] = [Self::Proven, Self::Classic, Self::Commands];

    pub(super) const fn name(self) -> &'static str {
        match self {
            Self::Proven => "proven",
            Self::Classic => "classic",
            Self::Commands => "commands",
        }
    }

    /// What each event costs of the time: 20 in a second of the proven kind; two of the others, which is 40 MB in a day.
    const fn cost(self) -> Duration {
        match self {
            Self::Proven => Duration::from_millis(50),
            Self::Classic | Self::Commands => Duration::from_millis(500),
        }
    }

    /// The most at once: a restart may end all that a busy day has opened.
    const fn burst(self) -> u32 {
        match self {
            Self::Proven => 2_000,
            Self::Classic | Self::Commands => 200,
        }
    }
}

/// What one kind has left.
#[derive(Debug)]
pub(super) struct Budget {
    kind: Kind,
    /// When all of it will be, or was, free again.
    free_at: BootTime,
    left_out: u64,
    /// When what was left out is to be told.
    due: Option<BootTime>,
}

impl Budget {
    pub(super) const fn new(kind: Kind) -> Self {
        Self { kind, free_at: BootTime::ZERO, left_out: 0, due: None }
    }

    /// Whether there is room to tell one more; else it is counted.
    pub(super) fn spend(&mut self, now: BootTime) -> bool {
        let free_at = self.free_at.max(now).saturating_add(self.kind.cost());
        let all = self.kind.cost().saturating_mul(self.kind.burst());
        if free_at.saturating_since(now) <= all {
            self.free_at = free_at;
            return true;
        }
        self.left_out = self.left_out.saturating_add(1);
        self.due.get_or_insert_with(|| now.saturating_add(TOLD_AFTER));
        false
    }

    /// When [`Self::take_left_out`] gives something.
    pub(super) const fn due(&self) -> Option<BootTime> {
        self.due
    }

    /// How many were left out, once it is time to tell.
    pub(super) fn take_left_out(&mut self, now: BootTime) -> Option<u64> {
        self.due.filter(|due| *due <= now)?;
        self.due = None;
        Some(std::mem::take(&mut self.left_out))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn told(budget: &mut Budget, now: BootTime) -> usize {
        (0..10_000).filter(|_| budget.spend(now)).count()
    }

    #[test]
    fn a_burst_then_the_rate_and_what_is_left_out_is_told_in_time() {
        let mut budget = Budget::new(Kind::Classic);
        let mut now = BootTime::from_nanos(1_000_000_000_000);
        assert_eq!((told(&mut budget, now), budget.due()), (200, Some(now.saturating_add(TOLD_AFTER))));
        assert_eq!(budget.take_left_out(now), None);
        now = now.saturating_add(TOLD_AFTER);
        assert_eq!(budget.take_left_out(now), Some(9_800));
        assert_eq!((budget.take_left_out(now), budget.due()), (None, None));
        assert_eq!(told(&mut budget, now), 20, "two in a second");
    }

    #[test]
    fn a_day_of_the_worst_is_bounded() {
        let mut total = 0;
        for kind in [Kind::Classic, Kind::Commands] {
            let mut budget = Budget::new(kind);
            let minutes = (0..1_440).map(|minute| BootTime::from_nanos(1 + minute * 60_000_000_000));
            total += minutes.map(|now| told(&mut budget, now)).sum::<usize>();
        }
        assert!(total <= 2 * (86_400 * 2 + 200), "{total}");
    }
}
