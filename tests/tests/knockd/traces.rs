//! Traces written by hand.

mod sequences;

use knock_spa_tests::knockd::trace::Trace;

use super::bench::{complaint, in_rigs, run};
use super::daemons;

/// A door with a start command.
fn door(name: &str, sequence: &str, more: &str) -> String {
    format!("[{name}]\nsequence = {sequence}\nstart_command = echo {name} start %IP% >>$RAN\n{more}\n")
}

fn all() -> Vec<Trace> {
    [sequences::traces()].concat()
}

#[test]
fn traces_written_by_hand() {
    let traces = all();
    let daemons = daemons();
    let complaints = in_rigs(&traces, |rig, trace| {
        let run = run(rig, trace, &daemons);
        complaint(trace, &run).map(|complaint| format!("=== {}\n{complaint}", trace.name))
    });
    let complaints: Vec<_> = complaints.into_iter().flatten().collect();
    assert!(complaints.is_empty(), "{} of {} traces:\n{}", complaints.len(), traces.len(), complaints.join("\n"));
}
