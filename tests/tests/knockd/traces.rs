//! Traces written by hand.

mod addresses;
mod arguments;
mod commands;
mod doors;
mod files;
mod flags;
mod one_time;
mod reload;
mod sequences;
mod startup;
mod time;

use std::collections::BTreeSet;
use std::fs;

use knock_spa_tests::knockd::forecast::forecast;
use knock_spa_tests::knockd::model::Faults;
use knock_spa_tests::knockd::outcome::Order;
use knock_spa_tests::knockd::rehearsal::rehearse;
use knock_spa_tests::knockd::trace::{Ours, Trace};

use super::bench::{in_rigs, judged};
use super::{daemons, invocations};

/// A door with a start command.
fn door(name: &str, sequence: &str, more: &str) -> String {
    format!("[{name}]\nsequence = {sequence}\nstart_command = echo {name} start %IP% >>$RAN\n{more}\n")
}

/// Several doors of a name and a sequence.
fn doors(doors: &[(&str, &str)]) -> String {
    doors.iter().map(|(name, sequence)| door(name, sequence, "")).collect()
}

/// Every one of them.
pub fn all() -> Vec<Trace> {
    [
        sequences::traces(),
        flags::traces(),
        doors::traces(),
        time::traces(),
        commands::traces(),
        files::traces(),
        addresses::traces(),
        one_time::traces(),
        reload::traces(),
        startup::traces(),
        arguments::traces(),
    ]
    .concat()
}

/// Has all daemons live through traces, and fails where one does not do as it should.
fn live_through(traces: &[Trace]) {
    let daemons = daemons();
    let complaints = in_rigs(traces, |rig, trace| {
        let complaint = judged(rig, trace, &daemons);
        complaint.map(|complaint| format!("=== {}\n{complaint}", trace.name))
    });
    let complaints: Vec<_> = complaints.into_iter().flatten().collect();
    assert!(
        complaints.is_empty(),
        "{} of {} traces:\n{}",
        complaints.len(),
        traces.len(),
        complaints.join("\n")
    );
    println!("{} traces", traces.len());
}

#[test]
fn daemons_live_through_traces_as_their_models_do() {
    let only = std::env::var("KNOCKD_TRACE").unwrap_or_default();
    let traces: Vec<_> = all().into_iter().filter(|trace| trace.name.contains(&only)).collect();
    live_through(&traces);
}

#[test]
#[ignore = "takes half a minute: the defaults of time limits"]
fn daemons_live_through_slow_traces_as_their_models_do() {
    live_through(&time::slow());
}

#[test]
fn names_are_unique() {
    let traces = all();
    let names: BTreeSet<_> = traces.iter().map(|trace| &trace.name).collect();
    assert_eq!(names.len(), traces.len());
    assert!(traces.len() >= 110, "{} traces", traces.len());
}

#[test]
fn the_models_differ_where_a_trace_says_so_and_nowhere_else() {
    let complaints: Vec<_> = all().iter().filter_map(misjudged).collect();
    assert!(complaints.is_empty(), "{} traces:\n{}", complaints.len(), complaints.join("\n"));
}

#[test]
fn rows_are_documented() {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/../docs/knockd-compat.md");
    let Ok(text) = fs::read_to_string(path) else {
        return println!("{path} is not there: nothing is tested");
    };
    let rows: BTreeSet<_> =
        text.lines().filter_map(|line| line.strip_prefix("| `")?.split('`').next()).collect();
    let named = all().into_iter().filter_map(|trace| match trace.ours {
        Ours::Same => None,
        Ours::Mended(row) | Ours::Other(row) => Some(row),
    });
    let missing: BTreeSet<_> = named.chain(invocations::rows()).filter(|row| !rows.contains(row)).collect();
    assert!(missing.is_empty(), "{missing:?}");
}

/// What is wrong with what a trace says of the successor.
fn misjudged(trace: &Trace) -> Option<String> {
    let history = rehearse(trace);
    let [kept, mended] =
        [Faults::Kept, Faults::Mended].map(|faults| forecast(trace, "/dir", faults, &history));
    let wrong = match (trace.ours, kept.difference(&mended, Order::Whole)) {
        (Ours::Same, difference) => difference,
        (Ours::Mended(_), None) => Some("nothing".to_owned()),
        (Ours::Mended(_), Some(_)) | (Ours::Other(_), _) => None,
    };
    wrong.map(|wrong| format!("=== {}: {wrong} differs\nKept:\n{kept}Mended:\n{mended}", trace.name))
}
