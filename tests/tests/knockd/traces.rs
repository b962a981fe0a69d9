//! Traces written by hand.

mod addresses;
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

use knock_spa_tests::knockd::forecast::forecast;
use knock_spa_tests::knockd::model::Faults;
use knock_spa_tests::knockd::rehearsal::rehearse;
use knock_spa_tests::knockd::trace::{Ours, Trace};

use super::bench::{complaint, in_rigs, run};
use super::daemons;

/// A door with a start command.
fn door(name: &str, sequence: &str, more: &str) -> String {
    format!("[{name}]\nsequence = {sequence}\nstart_command = echo {name} start %IP% >>$RAN\n{more}\n")
}

/// Several doors of a name and a sequence.
fn doors(doors: &[(&str, &str)]) -> String {
    doors.iter().map(|(name, sequence)| door(name, sequence, "")).collect()
}

fn all() -> Vec<Trace> {
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
    ]
    .concat()
}

#[test]
fn daemons_live_through_traces_as_their_models_do() {
    let only = std::env::var("KNOCKD_TRACE").unwrap_or_default();
    let traces: Vec<_> = all().into_iter().filter(|trace| trace.name.contains(&only)).collect();
    let daemons = daemons();
    let complaints = in_rigs(&traces, |rig, trace| {
        let run = run(rig, trace, &daemons);
        complaint(trace, &run).map(|complaint| format!("=== {}\n{complaint}", trace.name))
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
fn names_are_unique() {
    let traces = all();
    let names: BTreeSet<_> = traces.iter().map(|trace| &trace.name).collect();
    assert_eq!(names.len(), traces.len());
    assert!(traces.len() >= 110, "{} traces", traces.len());
}

#[test]
fn the_models_differ_where_a_trace_says_so_and_nowhere_else() {
    for trace in all() {
        let history = rehearse(&trace);
        let [kept, mended] =
            [Faults::Kept, Faults::Mended].map(|faults| forecast(&trace, "/dir", faults, &history));
        let difference = kept.difference(&mended);
        match trace.ours {
            Ours::Same => assert_eq!(difference, None, "{}\n{kept}{mended}", trace.name),
            Ours::Mended(_) => assert_ne!(difference, None, "{}\n{kept}", trace.name),
            Ours::Other(_) => {}
        }
    }
}
