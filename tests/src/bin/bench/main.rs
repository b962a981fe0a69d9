//! Measures: knockd and its successor under its name, one after the other, with the same packets in the same kind of
//! network, and what doors of our own manner take.
//!
//! `tests/bench` runs it where it may make network namespaces. It prints a table.

mod arena;
mod figures;
mod floods;
mod guard;
mod hits;
mod latency;
mod machine;
mod mending;
mod openings;
mod start;
mod table;

use std::env;
use std::process::ExitCode;

use crate::arena::Arena;
use crate::table::Table;

/// What can be measured, by name.
type Measure = (&'static str, fn(&Arena, &mut Table));

/// All that is measured, in the order of the table.
const MEASURES: [Measure; 7] = [
    ("start", start::measure),
    ("hits", hits::measure),
    ("floods", floods::measure),
    ("latency", latency::measure),
    ("guard", guard::measure),
    ("mending", mending::measure),
    ("openings", openings::measure),
];

fn main() -> ExitCode {
    let wanted: Vec<String> = env::args().skip(1).collect();
    if let Some(unknown) = wanted.iter().find(|word| MEASURES.iter().all(|(name, _)| name != word)) {
        let names = MEASURES.map(|(name, _)| name).join(", ");
        eprintln!("bench: there is no {unknown}; there are {names}");
        return ExitCode::from(64);
    }
    // Its processors are counted before this program keeps to some of them.
    let machine = machine::words();
    let arena = Arena::new();
    println!("{machine}\n");
    let mut table = Table::begin();
    for (name, measure) in MEASURES {
        if wanted.is_empty() || wanted.iter().any(|word| word == name) {
            measure(&arena, &mut table);
        }
    }
    ExitCode::SUCCESS
}
