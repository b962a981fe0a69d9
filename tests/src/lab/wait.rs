//! Waiting for conditions.

use std::thread;
use std::time::{Duration, Instant};

/// How long the lab waits for something that should happen at once: generous, for slow machines.
pub const PATIENCE: Duration = Duration::from_secs(10);

/// Waits until `condition` holds.
///
/// # Panics
/// Where it does not hold within `limit`: the message says `what` was awaited.
pub fn until(limit: Duration, what: &str, mut condition: impl FnMut() -> bool) {
    let start = Instant::now();
    while !condition() {
        assert!(start.elapsed() < limit, "waited {limit:?} for {what}");
        thread::sleep(Duration::from_millis(5));
    }
}
