//! What knockd does with packets, and whether its successor does the same.

mod bench;
mod invocations;
mod pure;
mod random;
mod traces;

use knock_spa_tests::knockd::daemon::{Daemon, installed};

/// The daemons that can be tested here.
fn daemons() -> Vec<Daemon> {
    if installed().is_none() {
        eprintln!("knockd is not installed: it is not tested");
    }
    installed().map(|_| Daemon::Knockd).into_iter().chain([Daemon::Ours]).collect()
}
