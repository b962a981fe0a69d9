//! Trackers without daemons.

use std::net::IpAddr;

use knock_spa_tests::knockd::dialect::Door;
use knock_spa_tests::knockd::model::{Faults, Model, Tracker};
use knock_spa_tests::knockd::trace::{Ours, Trace};
use knock_spa_tests::knockd::virtual_time::told;

use super::random::{Case, Dice};
use super::traces;

/// The tracker that is held against the mended model.
fn under_test(own: &[IpAddr], doors: &[Door]) -> Box<dyn Tracker> {
    Box::new(Model::new(Faults::Mended, own, doors))
}

fn mended(own: &[IpAddr], doors: &[Door]) -> Box<dyn Tracker> {
    Box::new(Model::new(Faults::Mended, own, doors))
}

/// Whether the tracker was asked at all.
fn agrees(trace: &Trace) -> bool {
    let (expected, found) = (told(trace, &mended), told(trace, &under_test));
    assert_eq!(expected, found, "{}:\n{}{:#?}", trace.name, trace.config, trace.steps);
    found.is_some_and(|told| !told.is_empty())
}

#[test]
fn the_tracker_follows_traces_written_by_hand() {
    let traces = traces::all();
    let asked = traces.iter().filter(|trace| !matches!(trace.ours, Ours::Other(_)) && agrees(trace)).count();
    assert!(asked > 150, "{asked} of {}", traces.len());
}

#[test]
fn the_tracker_follows_random_traces() {
    let asked = (0..2000).filter(|number| agrees(&Case::of(&mut Dice::new(1, *number)).trace())).count();
    assert!(asked > 1500, "{asked}");
}
