//! How often is done what strangers cause: telling the progress of sequences, and looking into stale packets. The
//! listener keeps to it, and the keeper does not trust that.

use core::time::Duration;

use knock_spa_proto::time::BootTime;

/// Tells when one more may be done.
#[derive(Debug)]
pub struct Pace {
    /// What each takes away from the time.
    cost: Duration,
    /// The most that may be done at once.
    burst: u32,
    /// When as many as [`Self::burst`] will be, or were, free again.
    free_at: BootTime,
}

impl Pace {
    /// For lines on steps of sequences: 50 in a second over time, which a person can read and a disk bears; 500 at
    /// once, all steps of many honest knocks at the same time.
    #[must_use]
    pub const fn of_steps() -> Self {
        Self { cost: Duration::from_millis(20), burst: 500, free_at: BootTime::ZERO }
    }

    /// For what costs a DH that nobody need do: one in a second.
    #[must_use]
    pub const fn of_explanations() -> Self {
        Self { cost: Duration::from_secs(1), burst: 1, free_at: BootTime::ZERO }
    }

    /// Whether one more may be done now.
    pub fn allows(&mut self, now: BootTime) -> bool {
        let free_at = self.free_at.max(now).saturating_add(self.cost);
        let allows = free_at.saturating_since(now) <= self.cost.saturating_mul(self.burst);
        if allows {
            self.free_at = free_at;
        }
        allows
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_burst_then_the_rate() {
        let mut pace = Pace::of_steps();
        let mut now = BootTime::from_nanos(1);
        let told = |pace: &mut Pace, now| (0..1000).filter(|_| pace.allows(now)).count();
        assert_eq!(told(&mut pace, now), 500);
        now = now.saturating_add(Duration::from_secs(2));
        assert_eq!(told(&mut pace, now), 100);
    }

    #[test]
    fn one_in_a_second() {
        let mut pace = Pace::of_explanations();
        let mut now = BootTime::from_nanos(1);
        for _ in 0..3 {
            assert_eq!((0..1000).filter(|_| pace.allows(now)).count(), 1);
            now = now.saturating_add(Duration::from_millis(999));
            assert!(!pace.allows(now));
            now = now.saturating_add(Duration::from_millis(1));
        }
    }
}
