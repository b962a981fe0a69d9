//! The token bucket of one client (`docs/protocol.md` section 4, stage 10). It is asked only after the signature
//! is verified, so nobody can empty it for somebody else.

use core::time::Duration;

use knock_spa_proto::time::BootTime;

use crate::client::Rate;

#[derive(Clone, Copy, Debug)]
pub(super) struct Bucket {
    /// When the bucket will be, or was, full.
    full_at: BootTime,
}

impl Bucket {
    pub(super) const fn full() -> Self {
        Self { full_at: BootTime::ZERO }
    }

    /// Takes one token; false where there is none.
    pub(super) fn take(&mut self, rate: Rate, now: BootTime) -> bool {
        let per_token = Duration::from_secs(60).checked_div(rate.per_minute.get()).unwrap_or_default();
        let capacity = per_token.saturating_mul(rate.burst.get());
        let full_at = self.full_at.max(now).saturating_add(per_token);
        let has_token = full_at.saturating_since(now) <= capacity;
        if has_token {
            self.full_at = full_at;
        }
        has_token
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_burst_then_the_rate() {
        let mut bucket = Bucket::full();
        let mut now = BootTime::from_nanos(1);
        let taken = |bucket: &mut Bucket, now| (0..100).filter(|_| bucket.take(Rate::default(), now)).count();
        assert_eq!(taken(&mut bucket, now), 20);
        now = now.saturating_add(Duration::from_secs(3));
        assert_eq!(taken(&mut bucket, now), 3);
        now = now.saturating_add(Duration::from_secs(3600));
        assert_eq!(taken(&mut bucket, now), 20);
    }
}
