//! How many lines on the progress of sequences are told: strangers cause them. The listener keeps to it, and the keeper
//! does not trust that.

use core::time::Duration;

use knock_spa_proto::time::BootTime;

/// Lines in a second, over time: a person reads no more, and a disk bears it.
const PER_SECOND: u32 = 50;

/// Lines at once: all steps of many honest knocks at the same time.
const BURST: u32 = 500;

/// Tells when one more line may be told.
#[derive(Debug)]
pub struct Pace {
    /// When as many lines as [`BURST`] will be, or were, free again.
    free_at: BootTime,
}

impl Default for Pace {
    fn default() -> Self {
        Self { free_at: BootTime::ZERO }
    }
}

impl Pace {
    /// Whether one more line may be told now.
    pub fn allows(&mut self, now: BootTime) -> bool {
        let cost = Duration::from_secs(1).checked_div(PER_SECOND).unwrap_or_default();
        let free_at = self.free_at.max(now).saturating_add(cost);
        let allows = free_at.saturating_since(now) <= cost.saturating_mul(BURST);
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
        let mut pace = Pace::default();
        let mut now = BootTime::from_nanos(1);
        let told = |pace: &mut Pace, now| (0..1000).filter(|_| pace.allows(now)).count();
        assert_eq!(told(&mut pace, now), 500);
        now = now.saturating_add(Duration::from_secs(2));
        assert_eq!(told(&mut pace, now), 100);
    }
}
