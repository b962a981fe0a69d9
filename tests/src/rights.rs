//! What the user who runs the tests may do.

use std::{env, fs};

use rustix::process::getuid;

/// Whether this is root, with all the users of the machine itself: not that of a user namespace with one user in it.
#[must_use]
pub fn is_real_root() -> bool {
    let map = fs::read_to_string("/proc/self/uid_map").unwrap_or_default();
    getuid().is_root() && map.split_whitespace().eq(["0", "0", "4294967295"])
}

/// Says that a test can't be made here; on a machine that is there for tests, everything must be possible.
///
/// # Panics
/// For real root, with `CI=true`.
pub fn skip(why: &str) {
    assert!(!(is_real_root() && env::var("CI").is_ok_and(|ci| ci == "true")), "{why}");
    eprintln!("skipped: {why}");
}
