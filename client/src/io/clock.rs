//! The clocks.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use knock_spa_proto::time::UnixTime;
use tokio::time::Instant;

/// Now by the wall clock; `None` where it stands before 1970.
#[expect(clippy::disallowed_methods, reason = "this module is where time is read")]
pub(crate) fn unix_now() -> Option<UnixTime> {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).ok()?;
    u64::try_from(since.as_nanos()).ok().map(UnixTime::from_nanos)
}

/// A moment from which to count.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Start(Instant);

impl Start {
    /// Now.
    pub(crate) fn now() -> Self {
        Self(Instant::now())
    }

    /// How long ago it was.
    pub(crate) fn elapsed(self) -> Duration {
        self.0.elapsed()
    }

    /// The moment `offset` later, at most a year.
    pub(crate) fn after(self, offset: Duration) -> Instant {
        self.0.checked_add(offset.min(YEAR)).unwrap_or(self.0)
    }
}

/// Longer than anybody waits, and in the range of every clock.
const YEAR: Duration = Duration::from_secs(365 * 86_400);
