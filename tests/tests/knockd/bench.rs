//! Many traces at a time, and what is wrong with what came of them.

use std::fmt::Write;
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;

use knock_spa_tests::knockd::daemon::Daemon;
use knock_spa_tests::knockd::outcome::Order;
use knock_spa_tests::knockd::rig::{Rig, Run, Verdict};
use knock_spa_tests::knockd::trace::{Ours, Step, Trace};

/// As many as keep two processors busy: most of a trace's time is spent in waiting.
const RIGS: usize = 16;

/// Does some work with each item, in several rigs.
pub fn in_rigs<T: Sync, R: Send>(items: &[T], work: impl Fn(&mut Rig, &T) -> R + Sync) -> Vec<R> {
    let next = AtomicUsize::new(0);
    let results = Mutex::new(Vec::new());
    let worker = || {
        let mut rig = Rig::new();
        while let Some((at, item)) = items.iter().enumerate().nth(next.fetch_add(1, Ordering::Relaxed)) {
            let result = work(&mut rig, item);
            results.lock().expect("nobody panics with it").push((at, result));
        }
    };
    thread::scope(|scope| {
        for _ in 0..RIGS.min(items.len()) {
            scope.spawn(worker);
        }
    });
    let mut results = results.into_inner().expect("nobody panics with it");
    results.sort_by_key(|(at, _)| *at);
    results.into_iter().map(|(_, result)| result).collect()
}

/// Runs a trace until a run says something.
pub fn run(rig: &mut Rig, trace: &Trace, daemons: &[Daemon]) -> Run {
    let mut run = rig.run(trace, daemons);
    for _ in 0..3 {
        if run.flaw.is_some() || has_changed(trace) {
            *rig = Rig::new();
        }
        if run.flaw.is_none() {
            break;
        }
        run = rig.run(trace, daemons);
    }
    run
}

/// Runs a trace, and says what is wrong three times in a row: knockd reads memory that it has given back, and on a
/// machine that is busy a packet or a command may be as late as another one is early. What is wrong in itself stays so.
pub fn judged(rig: &mut Rig, trace: &Trace, daemons: &[Daemon]) -> Option<String> {
    let mut last = None;
    for _ in 0..3 {
        let run = run(rig, trace, daemons);
        last = Some(complaint(trace, &run)?);
    }
    last
}

/// What a daemon does that its model does not, where it is held to that.
fn difference(trace: &Trace, verdict: &Verdict) -> Option<String> {
    let order = match (verdict.daemon, trace.ours) {
        (Daemon::Ours, Ours::Other(_)) => return None,
        (Daemon::Ours, _) => Order::Families,
        (Daemon::Knockd, _) => Order::Whole,
    };
    verdict.expected.difference(&verdict.found, order)
}

/// Whether the rig is another after the trace.
fn has_changed(trace: &Trace) -> bool {
    !trace.setup.is_empty() || trace.steps.iter().any(|step| matches!(step, Step::Ip(_)))
}

/// What is wrong, if anything.
pub fn complaint(trace: &Trace, run: &Run) -> Option<String> {
    let mut text = String::new();
    if let Some(flaw) = &run.flaw {
        writeln!(text, "It could not be run: {flaw}").expect("a text");
    }
    for verdict in &run.verdicts {
        if let Some(difference) = difference(trace, verdict) {
            writeln!(text, "{:?} differs from its model: {difference}", verdict.daemon).expect("a text");
        }
    }
    if let [knockd, ours] = run.verdicts.as_slice()
        && !matches!(trace.ours, Ours::Other(_))
        && knockd.expected.difference(&ours.expected, Order::Whole).is_none()
        && let Some(difference) = knockd.found.difference(&ours.found, Order::Families)
    {
        writeln!(text, "The daemons differ: {difference}").expect("a text");
    }
    (!text.is_empty()).then(|| format!("{text}{}", shown(trace, run)))
}

fn shown(trace: &Trace, run: &Run) -> String {
    let mut text = format!("Configuration:\n{}\nSteps:\n", trace.config);
    for happening in &run.history {
        writeln!(text, "  {:>6} ms  {}", happening.at - run.history[0].at, happening.what).expect("a text");
    }
    for verdict in &run.verdicts {
        let (daemon, expected, found) = (verdict.daemon, &verdict.expected, &verdict.found);
        write!(text, "Expected of {daemon:?}:\n{expected}Found:\n{found}").expect("a text");
    }
    text
}
