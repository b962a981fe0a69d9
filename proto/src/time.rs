//! Points in time, as arguments: nothing below the shells reads a clock.

use core::time::Duration;

const NANOS_PER_SEC: u64 = 1_000_000_000;

/// Nanoseconds since the Unix epoch by somebody's wall clock, 1970 to 2554.
///
/// Wall clocks step; deadlines within one boot are [`BootTime`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct UnixTime(u64);

impl UnixTime {
    /// The epoch.
    pub const EPOCH: Self = Self(0);

    /// The time `nanos` nanoseconds after the epoch.
    #[must_use]
    pub const fn from_nanos(nanos: u64) -> Self {
        Self(nanos)
    }

    /// The time `secs` seconds after the epoch, at most the end of the representable range.
    #[must_use]
    pub const fn from_secs(secs: u64) -> Self {
        Self(secs.saturating_mul(NANOS_PER_SEC))
    }

    /// Nanoseconds since the epoch.
    #[must_use]
    pub const fn as_nanos(self) -> u64 {
        self.0
    }

    /// Whole seconds since the epoch.
    #[must_use]
    pub const fn as_secs(self) -> u64 {
        self.0 / NANOS_PER_SEC
    }

    /// The last whole second, which is easier to read.
    #[must_use]
    pub const fn whole_second(self) -> Self {
        Self::from_secs(self.as_secs())
    }

    /// How far apart two times are, whichever is earlier.
    #[must_use]
    pub const fn abs_diff(self, other: Self) -> Duration {
        Duration::from_nanos(self.0.abs_diff(other.0))
    }

    /// How long after `earlier` this is; zero where it is not after.
    #[must_use]
    pub const fn saturating_since(self, earlier: Self) -> Duration {
        Duration::from_nanos(self.0.saturating_sub(earlier.0))
    }

    /// This time moved later by `span`, at most to the end of the representable range.
    #[must_use]
    pub fn saturating_add(self, span: Duration) -> Self {
        Self(self.0.saturating_add(u64::try_from(span.as_nanos()).unwrap_or(u64::MAX)))
    }
}

/// Nanoseconds since this machine booted, suspension included (`CLOCK_BOOTTIME`): never steps, and
/// means nothing in another boot.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct BootTime(u64);

impl BootTime {
    /// The moment of boot.
    pub const ZERO: Self = Self(0);

    /// The time `nanos` nanoseconds after boot.
    #[must_use]
    pub const fn from_nanos(nanos: u64) -> Self {
        Self(nanos)
    }

    /// Nanoseconds since boot.
    #[must_use]
    pub const fn as_nanos(self) -> u64 {
        self.0
    }

    /// How long after `earlier` this is; zero where it is not after.
    #[must_use]
    pub const fn saturating_since(self, earlier: Self) -> Duration {
        Duration::from_nanos(self.0.saturating_sub(earlier.0))
    }

    /// This time moved later by `span`, at most to the end of the representable range.
    #[must_use]
    pub fn saturating_add(self, span: Duration) -> Self {
        Self(self.0.saturating_add(u64::try_from(span.as_nanos()).unwrap_or(u64::MAX)))
    }
}

/// Now, by both clocks, read together.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Now {
    /// Since boot: for deadlines and intervals.
    pub boot: BootTime,
    /// Since the epoch: for what other machines and other boots must understand.
    pub unix: UnixTime,
}

impl Now {
    /// Both clocks moved later by `span`.
    #[must_use]
    pub fn saturating_add(self, span: Duration) -> Self {
        Self { boot: self.boot.saturating_add(span), unix: self.unix.saturating_add(span) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_second_that_a_time_is_in_began_at_or_before_it() {
        for (nanos, secs) in [(0, 0), (999_999_999, 0), (1_999_999_999, 1), (u64::MAX, 18_446_744_073)] {
            let time = UnixTime::from_nanos(nanos);
            assert_eq!((time.as_secs(), time.whole_second()), (secs, UnixTime::from_secs(secs)));
        }
        assert_eq!(UnixTime::from_secs(u64::MAX).as_nanos(), u64::MAX);
    }
}
