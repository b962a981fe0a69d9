//! The system's clocks, and which boot this is.

use std::fmt;
use std::fs;
use std::io;
use std::str::FromStr;
use std::time::Duration;

use jiff::Timestamp;
use jiff::civil::DateTime;
use jiff::tz::TimeZone;
use knock_spa_proto::time::{BootTime, Now, UnixTime};
use rustix::time::{ClockId, Timespec, clock_gettime};

/// Now, by both clocks. A wall clock before 1970 reads as 1970.
#[must_use]
pub fn now() -> Now {
    Now {
        boot: BootTime::from_nanos(nanos(clock_gettime(ClockId::Boottime))),
        unix: UnixTime::from_nanos(nanos(clock_gettime(ClockId::Realtime))),
    }
}

/// What the clocks on the wall show here at this time; UTC where the system does not say where here is.
#[must_use]
pub fn local(time: UnixTime) -> DateTime {
    let timestamp = Timestamp::from_nanosecond(time.as_nanos().into());
    TimeZone::system().to_datetime(timestamp.unwrap_or_default())
}

/// The time in UTC as RFC 3339 has it, to the microsecond.
#[must_use]
pub fn utc(time: UnixTime) -> String {
    format!("{:.6}", Timestamp::from_nanosecond(time.as_nanos().into()).unwrap_or_default())
}

/// Waits, where nothing else is to be done meanwhile.
#[expect(clippy::disallowed_methods, reason = "at a start, before there is an event loop to wait in")]
pub fn pause(span: Duration) {
    std::thread::sleep(span);
}

fn nanos(time: Timespec) -> u64 {
    let seconds = u64::try_from(time.tv_sec).unwrap_or(0);
    let rest = u64::try_from(time.tv_nsec).unwrap_or(0);
    seconds.saturating_mul(1_000_000_000).saturating_add(rest)
}

/// Which boot of this machine it is: tells whether a stored [`BootTime`] still means anything.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct BootId([u8; 16]);

/// Not 32 hexadecimal digits, with or without hyphens.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("not a boot id")]
pub struct NotABootId;

impl BootId {
    const FILE: &str = "/proc/sys/kernel/random/boot_id";

    /// This boot's.
    ///
    /// # Errors
    /// Where the kernel does not tell, since `/proc` is not mounted or says something else.
    pub fn of_this_boot() -> io::Result<Self> {
        let text = fs::read_to_string(Self::FILE)?;
        text.trim_end().parse().map_err(|bad: NotABootId| io::Error::new(io::ErrorKind::InvalidData, bad))
    }

    /// The id as bytes: for fixed-size records.
    #[must_use]
    pub const fn to_bytes(self) -> [u8; 16] {
        self.0
    }

    /// The id that [`Self::to_bytes`] wrote.
    #[must_use]
    pub const fn from_bytes(bytes: [u8; 16]) -> Self {
        Self(bytes)
    }
}

impl FromStr for BootId {
    type Err = NotABootId;

    fn from_str(text: &str) -> Result<Self, NotABootId> {
        let digits: String = text.chars().filter(|character| *character != '-').collect();
        let plain = digits.len() == 32 && digits.bytes().all(|byte| byte.is_ascii_hexdigit());
        let number = u128::from_str_radix(&digits, 16).ok().filter(|_| plain).ok_or(NotABootId)?;
        Ok(Self(number.to_be_bytes()))
    }
}

impl fmt::Display for BootId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:032x}", u128::from_be_bytes(self.0))
    }
}

impl fmt::Debug for BootId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn clocks_run_forwards_and_are_not_at_zero() {
        let (earlier, later) = (now(), now());
        assert!(earlier.boot > BootTime::ZERO && earlier.boot <= later.boot);
        assert!(earlier.unix > UnixTime::EPOCH);
    }

    #[test]
    fn the_boot_id_stays_the_same_within_a_boot() {
        let id = BootId::of_this_boot().unwrap();
        assert_eq!(id, BootId::of_this_boot().unwrap());
        assert_eq!(id, BootId::from_bytes(id.to_bytes()));
        assert_eq!(id.to_string().parse(), Ok(id));
    }

    #[test]
    fn only_an_id_is_an_id() {
        let id: BootId = "00112233-4455-6677-8899-aabbccddeeff".parse().unwrap();
        assert_eq!(id.to_bytes().first_chunk(), Some(&[0x00, 0x11, 0x22, 0x33]));
        for text in ["", "0", "+0112233-4455-6677-8899-aabbccddeeff", "x0112233-4455-6677-8899-aabbccddeeff"]
        {
            assert_eq!(text.parse::<BootId>(), Err(NotABootId), "{text}");
        }
    }
}
