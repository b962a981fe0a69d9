//! Figures: what stands for many measurements, and how it is written.

use std::time::Duration;

/// The middle one of these.
pub fn median<T: PartialOrd + Copy>(mut values: Vec<T>) -> T {
    values.sort_by(|one, other| one.partial_cmp(other).expect("numbers"));
    values[values.len() / 2]
}

/// A span with three digits that mean something.
pub fn span(span: Duration) -> String {
    let nanos = span.as_secs_f64() * 1e9;
    let (value, unit) = match nanos {
        ..1e6 => (nanos / 1e3, "µs"),
        ..1e9 => (nanos / 1e6, "ms"),
        _ => (nanos / 1e9, "s"),
    };
    format!("{} {unit}", digits(value))
}

/// A number with three digits that mean something.
pub fn digits(value: f64) -> String {
    match value {
        ..10.0 => format!("{value:.2}"),
        ..100.0 => format!("{value:.1}"),
        _ => format!("{value:.0}"),
    }
}

/// How many times as much the first is.
pub fn ratio(one: Duration, other: Duration) -> String {
    format!("{} ×", digits(one.as_secs_f64() / other.as_secs_f64().max(1e-9)))
}
