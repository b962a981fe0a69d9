//! From the last packet of a knock to the first answer of the service that it opens, at a guarded door of our own
//! manner.

use std::net::{IpAddr, Ipv4Addr};
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use knock_spa_tests::classic::knock;
use knock_spa_tests::flood::{Flood, Hit};
use knock_spa_tests::lab::{Echo, PATIENCE, Recorder};
use knock_spa_tests::server::Server;

use crate::arena::Arena;
use crate::figures::{median, span};
use crate::table::Table;

/// Knocks of which the middle one counts.
const KNOCKS: u8 = 50;

/// How often somebody who has knocked tries to connect.
const TRY_EVERY: Duration = Duration::from_micros(50);

const SERVICE: u16 = 22;
const SEQUENCE: [u16; 3] = [7000, 8000, 9000];
const DOOR: &str = "[door.ssh]\nports = ['tcp/22']\nsequence = ['7000', '8000', '9000']\n";

/// SYN and ACK.
const ACCEPTED: u8 = 0x12;

/// Median time, idle.
pub fn measure(arena: &Arena, table: &mut Table) {
    let _service = Echo::tcp(&arena.world.server, SERVICE);
    // Whoever knocks has an address behind the laptop.
    arena.world.server.run(&format!("ip route add 203.0.113.0/24 via {}", arena.world.laptop.v4));
    let server = arena.beside(|| Server::running(&arena.world.server, DOOR));
    let flood = arena.flood();
    let times = (1..=KNOCKS).map(|number| latency(arena, &flood, Ipv4Addr::new(203, 0, 113, number)));
    let took = median(times.collect());
    drop(server);
    let what = "last packet of a knock to the service's first answer, a guarded door of our own manner, idle";
    table.row(what, "–", &span(took), "");
}

fn latency(arena: &Arena, flood: &Flood, from: Ipv4Addr) -> Duration {
    let [first, second, last] = SEQUENCE;
    knock(flood, from, &[first, second]);
    thread::sleep(Duration::from_millis(20));
    let recorder = Recorder::start(&arena.world.laptop);
    let answered = AtomicBool::new(false);
    let began = Instant::now();
    flood.hit(Hit { from, port: last });
    thread::scope(|scope| {
        scope.spawn(|| {
            while !answered.load(Ordering::Relaxed) && began.elapsed() < PATIENCE {
                flood.hit(Hit { from, port: SERVICE });
                thread::sleep(TRY_EVERY);
            }
        });
        let answer = recorder.until(|packet| {
            packet.to == IpAddr::V4(from) && packet.tcp_flags().is_some_and(|flags| flags == ACCEPTED)
        });
        let took = began.elapsed();
        answered.store(true, Ordering::Relaxed);
        drop(answer);
        took
    })
}
