//! What a packet to a first port costs.

use std::thread::sleep;
use std::time::{Duration, Instant};

use knock_spa_tests::classic::{Classic, Doors, Program};
use knock_spa_tests::flood::{Hit, Pace, stranger};
use knock_spa_tests::usage::processor_time;

use crate::arena::Arena;
use crate::figures::{digits, median, ratio, span};
use crate::table::Table;

/// Packets, each from a source of its own, spread over all doors.
const HITS: u32 = 100_000;

/// So many a second.
const RATE: u32 = 20_000;

/// Times that each is measured.
const TIMES: usize = 3;

/// A daemon that takes longer to get over it is not waited for.
const PATIENCE: Duration = Duration::from_secs(60);

/// What packets cost a daemon.
#[derive(Clone, Copy)]
struct Cost {
    /// Processor time for each that it heard.
    each: Duration,
    /// The share of them that it heard.
    heard: f64,
}

/// Processor time by packet, with few and many doors.
pub fn measure(arena: &Arena, table: &mut Table) {
    let [one, many] = [1, 1000].map(|count| {
        let (mut knockd, mut ours) = (Vec::new(), Vec::new());
        for _ in 0..TIMES {
            knockd.push(arena.shut(|| cost(arena, Program::Knockd, Doors(count))));
            ours.push(arena.shut(|| cost(arena, Program::Ours, Doors(count))));
        }
        let [knockd, ours] = [knockd, ours].map(middle);
        let doors = if count == 1 { "1 door".into() } else { format!("{count} doors") };
        let what = format!(
            "processor time for each of {HITS} first ports that is heard, {RATE} a second, {doors}, IPv4"
        );
        table.row(&what, &span(knockd.each), &span(ours.each), &ratio(knockd.each, ours.each));
        table.row("… and how many it hears", &percent(knockd.heard), &percent(ours.heard), "");
        [knockd, ours]
    });
    let [knockd, ours] = [0, 1].map(|which| ratio(many[which].each, one[which].each));
    table.row("… with 1000 doors, against 1", &knockd, &ours, "");
}

/// The middle one of the costs.
fn middle(costs: Vec<Cost>) -> Cost {
    Cost {
        each: median(costs.iter().map(|cost| cost.each).collect()),
        heard: median(costs.iter().map(|cost| cost.heard).collect()),
    }
}

fn percent(share: f64) -> String {
    format!("{} %", digits(share * 100.0))
}

fn cost(arena: &Arena, program: Program, doors: Doors) -> Cost {
    let daemon = arena.ready_for_ipv4(program, doors);
    let (before, heard_before) = (processor_time(daemon.pid()), heard_of(arena, program, &daemon, 0));
    let hits = (0..HITS).map(|number| Hit { from: stranger(number), port: doors.first_port(number) });
    arena.flood().send(hits, Pace::PerSecond(RATE));
    await_rest(&daemon);
    let used = processor_time(daemon.pid()).saturating_sub(before);
    let heard = heard_of(arena, program, &daemon, HITS).saturating_sub(heard_before).max(1);
    Cost { each: used / heard, heard: f64::from(heard) / f64::from(HITS) }
}

/// How many packets it has heard. knockd says so of each; what our capture sockets had no room for, the kernel counts.
fn heard_of(arena: &Arena, program: Program, daemon: &Classic, sent: u32) -> u32 {
    match program {
        Program::Knockd => u32::try_from(daemon.log().matches(": Stage 1").count()).expect("not so many"),
        Program::Ours => sent.saturating_sub(arena.dropped()),
    }
}

/// Waits until it does nothing any more.
fn await_rest(daemon: &Classic) {
    let began = Instant::now();
    let mut before = Duration::ZERO;
    while began.elapsed() < PATIENCE {
        sleep(Duration::from_millis(300));
        let now = processor_time(daemon.pid());
        if now == before {
            return;
        }
        before = now;
    }
}
