//! Dates of a client's validity, in UTC: `2027-06-30` or `2027-06-30T12:00:00Z`.

use std::fmt;
use std::str::FromStr;

use knock_spa_proto::time::UnixTime;
use toml::value::{Date, Datetime, Offset, Time};

/// When a client becomes valid. A date is its first moment.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct NotBefore(pub UnixTime);

/// When a client ceases to be valid. A date is its last moment: the client is valid on that day.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct NotAfter(pub UnixTime);

/// A moment, to the second.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Moment(pub UnixTime);

/// Neither a date nor a time with its offset, or not in the range of [`UnixTime`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("neither a date like 2027-06-30 nor a time like 2027-06-30T12:00:00Z, from 1970 to 2554")]
pub struct NotADate;

const NANOS_PER_SECOND: i128 = 1_000_000_000;
const NANOS_PER_MINUTE: i128 = 60 * NANOS_PER_SECOND;
const NANOS_PER_HOUR: i128 = 60 * NANOS_PER_MINUTE;
const NANOS_PER_DAY: i128 = 24 * NANOS_PER_HOUR;

impl TryFrom<Datetime> for NotBefore {
    type Error = NotADate;

    fn try_from(datetime: Datetime) -> Result<Self, NotADate> {
        moment(datetime, 0).map(Self)
    }
}

impl TryFrom<Datetime> for NotAfter {
    type Error = NotADate;

    fn try_from(datetime: Datetime) -> Result<Self, NotADate> {
        moment(datetime, NANOS_PER_DAY).map(Self)
    }
}

impl FromStr for NotBefore {
    type Err = NotADate;

    fn from_str(text: &str) -> Result<Self, NotADate> {
        text.parse::<Datetime>().map_err(|_| NotADate)?.try_into()
    }
}

impl FromStr for NotAfter {
    type Err = NotADate;

    fn from_str(text: &str) -> Result<Self, NotADate> {
        text.parse::<Datetime>().map_err(|_| NotADate)?.try_into()
    }
}

impl FromStr for Moment {
    type Err = NotADate;

    fn from_str(text: &str) -> Result<Self, NotADate> {
        let datetime = text.parse::<Datetime>().map_err(|_| NotADate)?;
        if datetime.time.is_none() {
            return Err(NotADate);
        }
        moment(datetime, 0).map(Self)
    }
}

impl fmt::Display for NotBefore {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        show(self.0, 0, f)
    }
}

impl fmt::Display for NotAfter {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        show(self.0, NANOS_PER_DAY, f)
    }
}

impl Moment {
    /// The moment so many seconds after the epoch, as commands are told of it.
    #[must_use]
    pub const fn at_secs(secs: u64) -> Self {
        Self(UnixTime::from_secs(secs))
    }
}

impl fmt::Display for Moment {
    #[expect(clippy::arithmetic_side_effects, reason = "64-bit nanoseconds are far from the bounds of i128")]
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let seconds = i128::from(self.0.as_nanos()) / NANOS_PER_SECOND * NANOS_PER_SECOND;
        show_day(seconds / NANOS_PER_DAY, f)?;
        show_time(seconds % NANOS_PER_DAY, f)
    }
}

/// The time that is meant, where a bare date means so many nanoseconds after its first moment.
#[expect(
    clippy::arithmetic_side_effects,
    reason = "years below 10000 are far from the bounds of i128 nanoseconds"
)]
fn moment(datetime: Datetime, of_date: i128) -> Result<UnixTime, NotADate> {
    let day = day_number(datetime.date.ok_or(NotADate)?) * NANOS_PER_DAY;
    let nanos = match (datetime.time, datetime.offset) {
        (None, None) => day + of_date,
        (Some(time), Some(offset)) => day + nanos_of_day(time) - offset_nanos(offset),
        (Some(_), None) | (None, Some(_)) => return Err(NotADate),
    };
    u64::try_from(nanos).map(UnixTime::from_nanos).map_err(|_| NotADate)
}

/// A bare date where that says it, else the time.
#[expect(clippy::arithmetic_side_effects, reason = "64-bit nanoseconds are far from the bounds of i128")]
fn show(time: UnixTime, of_date: i128, f: &mut fmt::Formatter<'_>) -> fmt::Result {
    let nanos = i128::from(time.as_nanos());
    let date = nanos - of_date;
    if date >= 0 && date % NANOS_PER_DAY == 0 {
        return show_day(date / NANOS_PER_DAY, f);
    }
    show_day(nanos / NANOS_PER_DAY, f)?;
    show_time(nanos % NANOS_PER_DAY, f)
}

/// A time of day, in UTC.
fn show_time(within: i128, f: &mut fmt::Formatter<'_>) -> fmt::Result {
    let (hour, minute) = (within / NANOS_PER_HOUR, within % NANOS_PER_HOUR / NANOS_PER_MINUTE);
    let (second, rest) = (within % NANOS_PER_MINUTE / NANOS_PER_SECOND, within % NANOS_PER_SECOND);
    write!(f, "T{hour:02}:{minute:02}:{second:02}")?;
    if rest == 0 { f.write_str("Z") } else { write!(f, ".{rest:09}Z") }
}

#[expect(clippy::arithmetic_side_effects, reason = "a time of day is small")]
fn nanos_of_day(time: Time) -> i128 {
    i128::from(time.hour) * NANOS_PER_HOUR
        + i128::from(time.minute) * NANOS_PER_MINUTE
        + i128::from(time.second.unwrap_or(0)) * NANOS_PER_SECOND
        + i128::from(time.nanosecond.unwrap_or(0))
}

#[expect(clippy::arithmetic_side_effects, reason = "an offset is less than a day")]
fn offset_nanos(offset: Offset) -> i128 {
    match offset {
        Offset::Z => 0,
        Offset::Custom { minutes } => i128::from(minutes) * NANOS_PER_MINUTE,
    }
}

/// Days of four hundred years, after which the Gregorian calendar repeats.
const DAYS_PER_ERA: i128 = 146_097;
/// Days from 0000-03-01 to 1970-01-01.
const EPOCH: i128 = 719_468;

/// Days from 1970-01-01 to the date. Years are counted from March, so that the leap day comes last.
#[expect(clippy::arithmetic_side_effects, reason = "years below 10000 are far from the bounds of i128")]
fn day_number(date: Date) -> i128 {
    let (month, day) = (i128::from(date.month), i128::from(date.day));
    let year = i128::from(date.year) - i128::from(date.month <= 2);
    let (era, of_era) = (year.div_euclid(400), year.rem_euclid(400));
    let of_year = (153 * ((month + 9) % 12) + 2) / 5 + day - 1;
    era * DAYS_PER_ERA + of_era * 365 + of_era / 4 - of_era / 100 + of_year - EPOCH
}

/// Writes the date that is `days`, at least 0, after 1970-01-01: the inverse of [`day_number`].
#[expect(
    clippy::arithmetic_side_effects,
    reason = "days within 64-bit nanoseconds are far from the bounds of i128"
)]
fn show_day(days: i128, f: &mut fmt::Formatter<'_>) -> fmt::Result {
    let days = days + EPOCH;
    let (era, of_era) = (days / DAYS_PER_ERA, days % DAYS_PER_ERA);
    let year_of_era = (of_era - of_era / 1460 + of_era / 36_524 - of_era / 146_096) / 365;
    let of_year = of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let from_march = (5 * of_year + 2) / 153;
    let day = of_year - (153 * from_march + 2) / 5 + 1;
    let month = if from_march < 10 { from_march + 3 } else { from_march - 9 };
    let year = era * 400 + year_of_era + i128::from(month <= 2);
    write!(f, "{year:04}-{month:02}-{day:02}")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn seconds(text: &str) -> u64 {
        text.parse::<NotBefore>().unwrap().0.as_nanos() / 1_000_000_000
    }

    #[test]
    fn dates_are_those_of_the_calendar() {
        for (text, expected) in [
            ("1970-01-01", 0),
            ("1972-02-29", 68_169_600),
            ("2000-03-01", 951_868_800),
            ("2027-06-30", 1_814_313_600),
            ("2100-03-01", 4_107_542_400),
            ("2027-06-30T12:00:00Z", 1_814_356_800),
            ("2027-06-30T12:00:00+02:00", 1_814_349_600),
        ] {
            assert_eq!(seconds(text), expected, "{text}");
        }
    }

    #[test]
    fn every_day_follows_the_one_before_it() {
        let mut date = Date { year: 1970, month: 1, day: 1 };
        for number in 0..213_000_u64 {
            assert_eq!(day_number(date), number.into());
            assert_eq!(
                NotBefore(UnixTime::from_nanos(number * 86_400_000_000_000)).to_string(),
                date.to_string()
            );
            date = day_after(date);
        }
    }

    #[expect(clippy::arithmetic_side_effects, reason = "a day and a month are small")]
    fn day_after(date: Date) -> Date {
        let divides = |number: u16| date.year.is_multiple_of(number);
        let february = if divides(4) && !divides(100) || divides(400) { 29 } else { 28 };
        let lengths = [31, february, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31];
        match (date.month, date.day) {
            (12, 31) => Date { year: date.year + 1, month: 1, day: 1 },
            (month, day) if day == lengths[usize::from(month) - 1] => {
                Date { month: month + 1, day: 1, ..date }
            }
            (_, day) => Date { day: day + 1, ..date },
        }
    }

    #[test]
    fn a_client_is_valid_on_its_last_day() {
        let end: NotAfter = "2027-06-30".parse().unwrap();
        assert_eq!(end.0, "2027-07-01".parse::<NotBefore>().unwrap().0);
        for text in ["2027-06-30", "1970-01-01", "2027-06-30T12:00:00Z", "2027-06-30T12:00:00.000000001Z"] {
            assert_eq!(text.parse::<NotAfter>().unwrap().to_string(), text);
            assert_eq!(text.parse::<NotBefore>().unwrap().to_string(), text);
        }
        assert_eq!("1970-01-01T00:00:00Z".parse::<NotAfter>().unwrap().to_string(), "1970-01-01T00:00:00Z");
    }

    #[test]
    fn moments_are_shown_to_the_second() {
        for (text, shown) in [
            ("1970-01-01", "1970-01-01T00:00:00Z"),
            ("2027-06-30T12:00:01.999999999Z", "2027-06-30T12:00:01Z"),
        ] {
            assert_eq!(Moment(text.parse::<NotBefore>().unwrap().0).to_string(), shown);
        }
    }

    #[test]
    fn what_is_no_moment_is_refused() {
        for text in [
            "",
            "tomorrow",
            "2027",
            "2027-13-01",
            "2027-02-29",
            "12:00:00",
            "2027-06-30T12:00:00",
            "1969-12-31",
            "2600-01-01",
            "9999-12-31",
            "30.06.2027",
        ] {
            assert_eq!(text.parse::<NotBefore>(), Err(NotADate), "{text}");
        }
    }
}
