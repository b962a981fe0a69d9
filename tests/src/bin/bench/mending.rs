//! For how long doors stand open when somebody flushes the ruleset under load.

use std::net::Ipv4Addr;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use knock_spa_tests::classic::knock;
use knock_spa_tests::flood::{Hit, Pace, stranger};
use knock_spa_tests::lab::{PATIENCE, until};
use knock_spa_tests::server::Server;
use knock_spad::nft::Guard;

use crate::arena::Arena;
use crate::figures::{median, span};
use crate::table::Table;

const SERVICE: u16 = 22;
const SEQUENCE: [u16; 3] = [7000, 8000, 9000];
const DOOR: &str = "[door.ssh]\nports = ['tcp/22']\nopen-for = '1h'\nsequence = ['7000', '8000', '9000']\n";

/// What is open meanwhile, and must be open again.
const OPENINGS: u8 = 200;

/// Packets at the first port of the sequence and at the door, so many a second.
const RATE: u32 = 20_000;

/// As many in a row as are mended at once.
const FLUSHES: usize = 15;

/// The middle and the worst time of several flushes.
pub fn measure(arena: &Arena, table: &mut Table) {
    arena.world.server.run(&format!("ip route add 203.0.113.0/24 via {}", arena.world.laptop.v4));
    let server = arena.beside(|| Server::running(&arena.world.server, DOOR));
    let flood = arena.flood();
    (1..=OPENINGS).for_each(|number| knock(&flood, Ipv4Addr::new(203, 0, 113, number), &SEQUENCE));
    until(PATIENCE, "the openings", || server.openings().len() == usize::from(OPENINGS));
    let enough = AtomicBool::new(false);
    let times: Vec<Duration> = thread::scope(|scope| {
        scope.spawn(|| {
            let hits = (0..).map(|number| {
                let port = if number % 2 == 0 { SEQUENCE[0] } else { SERVICE };
                Hit { from: stranger(number), port }
            });
            let flood = arena.flood();
            flood.send(hits.take_while(|_| !enough.load(Ordering::Relaxed)), Pace::PerSecond(RATE));
        });
        let times = (0..FLUSHES).map(|_| gap(arena)).collect();
        enough.store(true, Ordering::Relaxed);
        times
    });
    assert_eq!(server.openings().len(), usize::from(OPENINGS));
    let what = format!(
        "the ruleset is flushed, {RATE} packets a second and {OPENINGS} openings: until the guard is back with them"
    );
    let worst = times.iter().max().copied().unwrap_or_default();
    table.row(&what, "–", &format!("{}, at worst {}", span(median(times)), span(worst)), "");
}

/// From the removal of the table, as a flush removes it, until it is there again and holds what was open.
fn gap(arena: &Arena) -> Duration {
    let mut guard = arena.world.server.enter(Guard::connect).expect("a netlink socket");
    guard.remove().expect("removing the table");
    let began = Instant::now();
    while began.elapsed() < PATIENCE {
        let shown = guard.show().expect("reading the table");
        if shown.is_some_and(|shown| shown.open.len() == usize::from(OPENINGS)) {
            return began.elapsed();
        }
    }
    panic!("the guard did not come back");
}
