//! Smaller cases that fail as well.

use std::time::{Duration, Instant};

use super::case::Case;

/// How long a case may be made smaller.
const LIMIT: Duration = Duration::from_secs(120);

/// Leaves out whatever is not needed for `fails` to complain.
pub fn shrunk(mut case: Case, mut fails: impl FnMut(&Case) -> Option<String>) -> (Case, Option<String>) {
    let start = Instant::now();
    let mut last = None;
    let mut len = case.steps.len().div_ceil(2);
    while len > 0 && start.elapsed() < LIMIT {
        let mut at = 0;
        while at < case.steps.len() && start.elapsed() < LIMIT {
            let mut smaller = case.clone();
            smaller.steps.drain(at..(at + len).min(case.steps.len()));
            match fails(&smaller) {
                Some(complaint) => (case, last) = (smaller, Some(complaint)),
                None => at += len,
            }
        }
        len /= 2;
    }
    for at in (0..case.doors.len()).rev() {
        let mut smaller = case.clone();
        smaller.doors.remove(at);
        if let Some(complaint) = fails(&smaller).filter(|_| !smaller.doors.is_empty()) {
            (case, last) = (smaller, Some(complaint));
        }
    }
    (case, last)
}
