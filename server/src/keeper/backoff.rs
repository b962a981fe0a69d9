//! When something that failed is tried again.

use std::time::Duration;

use knock_spa_proto::time::BootTime;

/// The first wait.
const SHORTEST: Duration = Duration::from_millis(100);

/// The longest: soon enough for whoever waits for the mend to work.
const LONGEST: Duration = Duration::from_secs(10);

/// Growing waits between tries.
#[derive(Debug, Default)]
pub(super) struct Backoff {
    /// Failures in a row.
    failures: u32,
    retry_at: Option<BootTime>,
}

impl Backoff {
    /// Takes note of a failure: each waits twice as long as the one before it.
    pub(super) fn fail(&mut self, now: BootTime) {
        let doubled = SHORTEST.saturating_mul(1_u32.checked_shl(self.failures).unwrap_or(u32::MAX));
        self.retry_at = Some(now.saturating_add(doubled.min(LONGEST)));
        self.failures = self.failures.saturating_add(1);
    }

    /// Nothing failed, but the next try can wait for `span`.
    pub(super) fn put_off(&mut self, span: Duration, now: BootTime) {
        self.retry_at = Some(now.saturating_add(span));
    }

    /// A try begins: it need not be waited for any longer.
    pub(super) const fn begin(&mut self) {
        self.retry_at = None;
    }

    /// Takes note of a success.
    pub(super) const fn succeed(&mut self) {
        self.failures = 0;
    }

    /// When to try again, after a failure.
    pub(super) const fn retry_at(&self) -> Option<BootTime> {
        self.retry_at
    }

    /// Whether it is time to try again.
    pub(super) fn is_due(&self, now: BootTime) -> bool {
        self.retry_at.is_some_and(|at| at <= now)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn waits_grow_to_a_bound_and_shrink_with_success() {
        let mut backoff = Backoff::default();
        let waits: Vec<_> = (0..40)
            .map(|_| {
                backoff.fail(BootTime::ZERO);
                backoff.retry_at().unwrap().saturating_since(BootTime::ZERO)
            })
            .collect();
        assert_eq!(waits[..3], [SHORTEST, SHORTEST * 2, SHORTEST * 4]);
        assert_eq!(waits.last(), Some(&LONGEST));
        assert!(backoff.is_due(BootTime::ZERO.saturating_add(LONGEST)) && !backoff.is_due(BootTime::ZERO));
        backoff.begin();
        assert_eq!(backoff.retry_at(), None);
        backoff.succeed();
        backoff.fail(BootTime::ZERO);
        assert_eq!(backoff.retry_at(), Some(BootTime::ZERO.saturating_add(SHORTEST)));
    }
}
