//! What a flood of first ports from everywhere does to a daemon, and to who knocks meanwhile.

use std::net::Ipv4Addr;
use std::thread;
use std::time::{Duration, Instant};

use knock_spa_tests::classic::{Classic, Doors, Program, knock};
use knock_spa_tests::flood::{Hit, Pace, stranger};
use knock_spa_tests::usage::memory;

use crate::arena::Arena;
use crate::figures::digits;
use crate::table::Table;

/// Floods of so many packets at so many a second.
const FLOODS: [(u32, Pace); 5] = [
    (10_000, Pace::PerSecond(2_000)),
    (100_000, Pace::PerSecond(20_000)),
    (500_000, Pace::PerSecond(100_000)),
    (1_000_000, Pace::PerSecond(200_000)),
    (2_000_000, Pace::Unbounded),
];

/// The flood after which memory is looked at.
const GREAT: u32 = 1_000_000;

/// Honest knocks in the course of a flood.
const KNOCKS: u8 = 20;

/// How long the command of an honest knock is waited for.
const PATIENCE: Duration = Duration::from_secs(10);

/// What a flood has done.
struct Outcome {
    /// The rate at which it came.
    rate: f64,
    /// Of the honest knocks meanwhile, those that have opened the door.
    opened: usize,
    /// Memory before and after, in KiB.
    memory: [u64; 2],
    /// Whether the door opened for a knock after it.
    opens: bool,
}

/// Memory, and doors that open during and after floods.
pub fn measure(arena: &Arena, table: &mut Table) {
    for (count, pace) in FLOODS {
        let [knockd, ours] = Program::BOTH.map(|program| arena.shut(|| outcome(arena, program, count, pace)));
        let rate = digits((knockd.rate + ours.rate) / 2000.0);
        let what = format!(
            "{count} sources at the first port, {rate} k a second: honest knocks that open meanwhile"
        );
        let opened = |outcome: &Outcome| format!("{} of {KNOCKS}", outcome.opened);
        table.row(&what, &opened(&knockd), &opened(&ours), "");
        let opens = |outcome: &Outcome| if outcome.opens { "opens" } else { "does not open" };
        table.row("… and the one after it", opens(&knockd), opens(&ours), "");
        if count == GREAT {
            let words = |outcome: &Outcome| {
                let [before, after] = outcome.memory.map(|kib| kib as f64 / 1024.0);
                format!("{} → {} MiB", digits(before), digits(after))
            };
            let grown = |outcome: &Outcome| outcome.memory[1].saturating_sub(outcome.memory[0]).max(1) as f64;
            let ratio = format!("{} × the growth", digits(grown(&knockd) / grown(&ours)));
            table.row(
                "… and memory before and after it (PSS, all processes)",
                &words(&knockd),
                &words(&ours),
                &ratio,
            );
        }
    }
}

/// The address of an honest knocker.
fn honest(number: u8) -> Ipv4Addr {
    Ipv4Addr::new(198, 51, 100, 100 + number)
}

fn outcome(arena: &Arena, program: Program, count: u32, pace: Pace) -> Outcome {
    let daemon = arena.ready(program, Doors(1), "");
    let before = memory(daemon.pid());
    let ports = Doors::ports(0);
    let hits = (0..count).map(|number| Hit { from: stranger(number), port: ports[0] });
    let expected = match pace {
        Pace::PerSecond(rate) => Duration::from_secs(1) * count / rate,
        Pace::Unbounded => Duration::from_secs(3),
    };
    let took = thread::scope(|scope| {
        scope.spawn(|| knock_meanwhile(arena, expected));
        arena.flood().send(hits, pace)
    });
    let after = memory(daemon.pid());
    thread::sleep(Duration::from_secs(1));
    knock(&arena.flood(), honest(KNOCKS), &ports);
    let opens = opens_soon(&daemon, honest(KNOCKS));
    let opened = (0..KNOCKS).filter(|number| daemon.has_opened(honest(*number))).count();
    Outcome { rate: f64::from(count) / took.as_secs_f64(), opened, memory: [before, after], opens }
}

/// Knocks that are spread over the time of a flood.
fn knock_meanwhile(arena: &Arena, flood: Duration) {
    let began = Instant::now();
    let way = arena.flood();
    for number in 0..KNOCKS {
        let due = flood.mul_f64((f64::from(number) + 0.5) / f64::from(KNOCKS));
        thread::sleep(due.saturating_sub(began.elapsed()));
        knock(&way, honest(number), &Doors::ports(0));
    }
}

fn opens_soon(daemon: &Classic, from: Ipv4Addr) -> bool {
    let began = Instant::now();
    while began.elapsed() < PATIENCE {
        if daemon.has_opened(from) {
            return true;
        }
        thread::sleep(Duration::from_millis(10));
    }
    false
}
