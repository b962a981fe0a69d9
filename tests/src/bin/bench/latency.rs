//! From the last packet of a knock to the command that has run.

use std::mem::MaybeUninit;
use std::net::Ipv4Addr;
use std::os::fd::OwnedFd;
use std::thread;
use std::time::{Duration, Instant};

use knock_spa_tests::classic::{Classic, Doors, Program, knock};
use knock_spa_tests::flood::{Flood, Hit};
use rustix::fs::inotify::{self, CreateFlags, Reader, WatchFlags};

use crate::arena::Arena;
use crate::figures::{median, ratio, span};
use crate::table::Table;

/// Knocks of which the middle one counts.
const KNOCKS: usize = 50;

/// Knocks in a row at one daemon.
const TURN: usize = 10;

/// Median times of idle daemons, of doors that stay open and of those that are closed again.
pub fn measure(arena: &Arena, table: &mut Table) {
    let closed_again = "stop_command = :\ncmd_timeout = 600";
    for (words, more) in
        [("a door without a stop command", ""), ("a door that is closed again", closed_again)]
    {
        let (mut knockd, mut ours) = (Vec::new(), Vec::new());
        while ours.len() < KNOCKS {
            knockd.extend(turn(arena, Program::Knockd, more));
            ours.extend(turn(arena, Program::Ours, more));
        }
        let [knockd, ours] = [knockd, ours].map(median);
        let what = format!("last packet of a knock to its command's file, {words}, idle");
        table.row(&what, &span(knockd), &span(ours), &ratio(knockd, ours));
    }
}

fn turn(arena: &Arena, program: Program, more: &str) -> Vec<Duration> {
    let daemon = arena.ready(program, Doors(1), more);
    let flood = arena.flood();
    let opened = watch(&daemon);
    let from = (1..).map(|number| Ipv4Addr::new(198, 51, 100, number));
    from.take(TURN).map(|from| latency(&flood, &opened, from)).collect()
}

/// Tells when a file is made by a command of the daemon.
fn watch(daemon: &Classic) -> OwnedFd {
    let opened = inotify::init(CreateFlags::CLOEXEC).expect("inotify");
    inotify::add_watch(&opened, daemon.path("opened"), WatchFlags::CREATE).expect("watching a directory");
    opened
}

fn latency(flood: &Flood, opened: &OwnedFd, from: Ipv4Addr) -> Duration {
    let [first, second, last] = Doors::ports(0);
    knock(flood, from, &[first, second]);
    // knockd takes packets every 50 ms: the last is to come at any moment of those.
    thread::sleep(Duration::from_millis(60 + u64::from(from.octets()[3]) * 7 % 50));
    let began = Instant::now();
    flood.hit(Hit { from, port: last });
    let mut buffer = [MaybeUninit::uninit(); 512];
    let mut events = Reader::new(opened, &mut buffer);
    let name = events.next().expect("an event").file_name().map(|name| name.to_bytes().to_vec());
    let took = began.elapsed();
    assert_eq!(name, Some(from.to_string().into_bytes()), "the file of somebody else");
    took
}
