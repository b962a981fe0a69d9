//! Ten thousand openings at a time: how soon `status` answers, and what it costs to close them on time.

use std::fs;
use std::time::{Duration, Instant};

use knock_spa_proto::control::Command;
use knock_spa_proto::control::Reply;
use knock_spa_tests::flood::{Hit, Pace, stranger};
use knock_spa_tests::lab::until;
use knock_spa_tests::server::Server;
use knock_spad::control;

use crate::arena::Arena;
use crate::figures::{median, span};
use crate::table::Table;

const OPENINGS: u32 = 10_000;

/// Knocks in a second: what is open by then is closed as slowly, each opening by itself.
const RATE: u32 = 1_000;

/// Longer than it takes to open all and to ask a few times.
const DOOR: &str = "[door.ssh]\nports = ['tcp/22']\nopen-for = '40s'\nsequence = ['7000']\n";

/// Answers of which the middle one counts.
const ANSWERS: usize = 9;

/// The longest that is waited for.
const LIMIT: Duration = Duration::from_secs(120);

pub fn measure(arena: &Arena, table: &mut Table) {
    let server = arena.beside(|| Server::running(&arena.world.server, DOOR));
    let hits = (0..OPENINGS).map(|number| Hit { from: stranger(number), port: 7000 });
    arena.flood().send(hits, Pace::PerSecond(RATE));
    let all = usize::try_from(OPENINGS).expect("a small number");
    let open = || match control::ask(&server.path("run"), Command::Status) {
        Ok(Reply::Status(status)) => status.openings.len(),
        other => panic!("{other:?}"),
    };
    until(LIMIT, "the openings", || open() == all);

    let times = (0..ANSWERS).map(|_| {
        let began = Instant::now();
        let run = server.command(&["status", "--json"]).ended_with(0);
        let took = began.elapsed();
        assert!(run.out.len() > all * 100);
        took
    });
    let times: Vec<_> = times.collect();
    let worst = times.iter().max().copied().unwrap_or_default();
    let what = format!("`status --json` with {OPENINGS} openings");
    table.row(&what, "–", &format!("{}, at worst {}", span(median(times)), span(worst)), "");

    let held: Vec<_> = (0..ANSWERS)
        .map(|_| {
            let began = Instant::now();
            assert_eq!(open(), all);
            began.elapsed()
        })
        .collect();
    table.row("… of which the daemon and its socket take", "–", &span(median(held)), "");

    let keeper = server.keeper().as_raw_nonzero().get();
    let before = processor_time(keeper);
    until(LIMIT, "all to be closed", || {
        std::thread::sleep(Duration::from_secs(1));
        is_empty(&server)
    });
    let took = processor_time(keeper) - before;
    assert_eq!(open(), 0, "the daemon knows of it");
    let what = format!("closing {OPENINGS} openings on time, {RATE} a second: the keeper's processor time");
    table.row(&what, "–", &span(took), "");
}

/// Whether the kernel has none of them, which costs the daemon nothing to ask.
fn is_empty(server: &Server<'_>) -> bool {
    server.guard().is_some_and(|shown| shown.open.is_empty())
}

/// What a process of one thread has run, exactly: the ticks of /proc/PID/stat miss what is shorter than they are.
fn processor_time(pid: i32) -> Duration {
    let text = fs::read_to_string(format!("/proc/{pid}/schedstat")).expect("the daemon runs");
    Duration::from_nanos(text.split(' ').next().and_then(|nanos| nanos.parse().ok()).expect("a number"))
}
