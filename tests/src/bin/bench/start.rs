//! How long a daemon is deaf after its start.

use std::time::{Duration, Instant};

use knock_spa_tests::classic::{Classic, Doors, Program};
use knock_spa_tests::flood::{Hit, stranger};

use crate::arena::Arena;
use crate::figures::{median, ratio, span};
use crate::table::Table;

/// Longer is not waited for.
const LIMIT: Duration = Duration::from_secs(60);

/// Starts of each.
const STARTS: usize = 5;

/// Where a start takes longer, it is the only one.
const LONG: Duration = Duration::from_secs(10);

/// How many doors there are.
const COUNTS: [u16; 3] = [1, 100, 1000];

/// From the start of the program to the first knock that it hears, by the last of its doors.
pub fn measure(arena: &Arena, table: &mut Table) {
    for count in COUNTS {
        let doors = Doors(count);
        let (mut knockd, mut ours) = (Vec::new(), Vec::new());
        for _ in 0..STARTS {
            let is_long = |took: &Option<Duration>| took.is_none_or(|took| took > LONG);
            if !knockd.iter().any(is_long) {
                knockd.push(arena.shut(|| start(arena, Program::Knockd, doors)));
            }
            ours.push(arena.shut(|| start(arena, Program::Ours, doors)));
        }
        let (knockd, ours) = (middle(knockd), middle(ours));
        let words = |took: Option<Duration>| took.map_or_else(|| format!("> {}", span(LIMIT)), span);
        let times = match (knockd, ours) {
            (Some(knockd), Some(ours)) => ratio(knockd, ours),
            (None, Some(ours)) => format!("> {}", ratio(LIMIT, ours)),
            (_, None) => String::new(),
        };
        let doors = if count == 1 { "1 door".into() } else { format!("{count} doors") };
        let what = format!("start to the first knock that is heard, {doors} of 3 ports, IPv4 and IPv6");
        table.row(&what, &words(knockd), &words(ours), &times);
    }
}

/// The middle one; none where one took too long.
fn middle(all: Vec<Option<Duration>>) -> Option<Duration> {
    all.into_iter().collect::<Option<Vec<_>>>().map(median)
}

fn start(arena: &Arena, program: Program, doors: Doors) -> Option<Duration> {
    let flood = arena.flood();
    let (text, last) = (doors.configuration(""), Doors::ports(doors.0 - 1)[0]);
    let began = Instant::now();
    let mut daemon = arena.beside(|| Classic::start(program, &arena.world.server, &text, &[]));
    for number in 0.. {
        flood.hit(Hit { from: stranger(number), port: last });
        assert!(!daemon.has_ended(), "{program:?} has ended: {}", daemon.output());
        if daemon.log().contains(": Stage 1") {
            break;
        }
        if began.elapsed() > LIMIT {
            return None;
        }
        std::thread::sleep(Duration::from_micros(500));
    }
    Some(began.elapsed())
}
