//! Spans of time as people write them: `90s`, `10m`, `1h`, `7d`.

use core::fmt;
use core::num::NonZeroU32;
use core::str::FromStr;
use core::time::Duration;

/// A span of 1 second to 2³² − 1 seconds (136 years), in whole seconds: what a lease can be, and what the
/// packet carries. Written as one number and one unit (`s`, `m`, `h` or `d`).
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Span(NonZeroU32);

impl Span {
    /// The span of this many seconds.
    #[must_use]
    pub const fn from_secs(secs: NonZeroU32) -> Self {
        Self(secs)
    }

    /// Its length in seconds.
    #[must_use]
    pub const fn secs(self) -> NonZeroU32 {
        self.0
    }

    /// Its length.
    #[must_use]
    pub const fn duration(self) -> Duration {
        Duration::from_secs(self.0.get() as u64)
    }
}

/// The units, longest first: their letter and their length in seconds.
const UNITS: [(char, u32); 4] = [('d', 86_400), ('h', 3_600), ('m', 60), ('s', 1)];

/// Not one positive number and one unit, or longer than 2³² − 1 seconds.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("not a span of time: write a number and one of s, m, h, d, such as 90s, 10m, 1h or 7d")]
pub struct NotASpan;

impl FromStr for Span {
    type Err = NotASpan;

    fn from_str(text: &str) -> Result<Self, NotASpan> {
        let (number, secs) = UNITS
            .iter()
            .find_map(|(letter, secs)| text.strip_suffix(*letter).map(|number| (number, *secs)))
            .ok_or(NotASpan)?;
        let canonical = number.bytes().all(|byte| byte.is_ascii_digit()) && !number.starts_with('0');
        let number: u32 = number.parse().ok().filter(|_| canonical).ok_or(NotASpan)?;
        number.checked_mul(secs).and_then(NonZeroU32::new).map(Self).ok_or(NotASpan)
    }
}

impl fmt::Display for Span {
    /// In the longest unit that divides it.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let secs = self.0.get();
        let whole = UNITS.iter().find(|(_, unit)| secs.is_multiple_of(*unit));
        let (letter, unit) = whole.copied().unwrap_or(('s', 1));
        write!(f, "{}{letter}", secs.checked_div(unit).unwrap_or(secs))
    }
}

impl fmt::Debug for Span {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

#[cfg(test)]
mod tests {
    use alloc::string::ToString;

    use super::*;

    #[test]
    fn a_number_and_a_unit() {
        for (text, secs, shown) in [
            ("1s", 1, "1s"),
            ("90s", 90, "90s"),
            ("60s", 60, "1m"),
            ("10m", 600, "10m"),
            ("1h", 3_600, "1h"),
            ("24h", 86_400, "1d"),
            ("7d", 604_800, "7d"),
            ("4294967295s", u32::MAX, "4294967295s"),
        ] {
            let span: Span = text.parse().unwrap();
            assert_eq!(span.secs().get(), secs, "{text}");
            assert_eq!(span.duration(), Duration::from_secs(secs.into()), "{text}");
            assert_eq!(span.to_string(), shown);
            assert_eq!(shown.parse(), Ok(span));
        }
    }

    #[test]
    fn nothing_else() {
        for text in [
            "",
            "s",
            "10",
            "0s",
            "00s",
            "010s",
            "-1s",
            "+1s",
            "1.5h",
            "1h30m",
            "1 s",
            " 1s",
            "1s ",
            "1S",
            "1min",
            "10ms",
            "1w",
            "forever",
            "4294967296s",
            "71582789m",
            "1é",
        ] {
            assert_eq!(text.parse::<Span>(), Err(NotASpan), "{text}");
        }
    }
}
