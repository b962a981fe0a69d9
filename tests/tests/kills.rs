//! The daemon is killed at random instants while clients open and close: afterwards no rule, no element and no process
//! is left, every start command was followed by its stop, and none ran twice but where a kill left no way to know.

use std::collections::BTreeMap;
use std::fs::{self, OpenOptions};
use std::io::Write;
use std::net::Ipv4Addr;
use std::net::SocketAddr;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use knock_spa_proto::spa::request::{Addresses, Close, Request};
use knock_spa_tests::lab::{PATIENCE, World, until};
use knock_spa_tests::laptop::{Laptop, now, open};
use knock_spa_tests::server::Server;
use rustix::process::Signal;

/// A door of the guard, one of commands for each port, and one whose openings outlive a stop of the daemon.
const DOORS: &str = "[door.ssh]\nports = ['tcp/22']\n\
    [door.web]\nports = ['tcp/8443', 'tcp/8444']\n\
    action = { start = ['DIR/rule', '-I', '%IP%', '%PORT%'], stop = ['DIR/rule', '-D', '%IP%', '%PORT%'] }\n\
    [door.db]\nports = ['tcp/5432']\non-stop = 'keep'\n\
    action = { start = ['DIR/rule', '-I', '%IP%', '%PORT%'], stop = ['DIR/rule', '-D', '%IP%', '%PORT%'] }\n";

/// Notes what it is called with, and does it; where there is nothing to remove that is well.
const RULE: &str = "#!/bin/sh\n\
    echo \"$*\" >> NOTES\n\
    rule=\"INPUT -s $2 -p tcp --dport $3 -j ACCEPT\"\n\
    [ \"$1\" = -I ] && exec iptables -w -I $rule\n\
    iptables -w -D $rule 2>/dev/null || ! iptables -w -C $rule 2>/dev/null\n";

/// Enough addresses for several things at once, and few enough for each to be asked for over and over.
const ADDRESSES: u64 = 6;

/// Numbers that look random, the same each time.
struct Numbers(u64);

impl Numbers {
    fn below(&mut self, limit: u64) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0 % limit
    }
}

fn address(number: u64) -> Ipv4Addr {
    Ipv4Addr::new(198, 51, 100, u8::try_from(number).unwrap() + 1)
}

/// Clients ask for this and that until they are told to stop; how many packets that were.
fn ask(
    world: &World,
    laptop: &Laptop<'_>,
    server: &knock_spa_keys::server::ServerKey,
    over: &AtomicBool,
) -> u64 {
    let mut numbers = Numbers(0x9e37_79b9_7f4a_7c15);
    let to = SocketAddr::new(world.server.address_like(world.laptop.v4.into()), 62201);
    let mut sent = 0;
    while !over.load(Ordering::Relaxed) {
        let services =
            ["ssh", "web", "db", "tcp/8443", "ssh,web,db"][usize::try_from(numbers.below(5)).unwrap()];
        let at = Addresses::NONE.with_v4(address(numbers.below(ADDRESSES))).unwrap();
        let seconds = u32::try_from(1 + numbers.below(3)).unwrap();
        let request = match numbers.below(4) {
            0 => Request::Close(Close::new(services.parse().unwrap(), at)),
            _ => open(services, at, seconds),
        };
        laptop.send(&laptop.seal(server, now(), &request), world.laptop.v4.into(), to);
        sent += 1;
        thread::sleep(Duration::from_millis(10));
    }
    sent
}

/// Kills it in one way or another, and starts it again.
fn kill(server: &mut Server<'_>, numbers: &mut Numbers) {
    let notes = server.path("notes");
    match numbers.below(8) {
        0 => {
            let listener = server.listener();
            server.kill_listener();
            let is_another = |found| found != listener;
            return until(PATIENCE, "another listener", || server.find_listener().is_some_and(is_another));
        }
        1 => server.end(Signal::TERM),
        2 | 3 => server.kill_keeper(),
        _ => server.kill(),
    }
    let mut notes = OpenOptions::new().append(true).create(true).open(notes).unwrap();
    writeln!(notes, "killed").unwrap();
    server.start();
}

/// What is known of one rule.
#[derive(Default)]
struct Rule {
    starts: u32,
    /// Since the last start.
    stops: u32,
    kills: u32,
}

/// Each start is followed by a stop before the next, and by as many as there were kills at most beside it; gives how
/// many starts there were.
fn check_notes(notes: &str) -> u32 {
    let mut rules: BTreeMap<String, Rule> = BTreeMap::new();
    for (number, line) in notes.lines().enumerate() {
        let Some((verb, what)) = line.split_once(' ') else {
            rules.values_mut().for_each(|rule| rule.kills += 1);
            continue;
        };
        let rule = rules.entry(what.to_owned()).or_default();
        if verb == "-I" {
            assert!(rule.starts == 0 || rule.stops > 0, "line {number}: {what} started twice\n{notes}");
            *rule = Rule { starts: rule.starts + 1, stops: 0, kills: 0 };
        } else {
            rule.stops += 1;
            let known = u32::from(rule.starts > 0);
            assert!(
                rule.starts == 0 || rule.stops <= known + rule.kills,
                "line {number}: {what} stopped too often\n{notes}"
            );
        }
    }
    for (what, rule) in &rules {
        assert!(rule.stops > 0, "{what} was never stopped\n{notes}");
    }
    rules.values().map(|rule| rule.starts).sum()
}

/// Processes that run a program of the server's directory, but for the daemon that is asked about.
fn processes(server: &Server<'_>) -> Vec<String> {
    let directory = server.path("rule").to_string_lossy().into_owned();
    let lines = fs::read_dir("/proc").unwrap().filter_map(|entry| {
        let line = fs::read(entry.ok()?.path().join("cmdline")).ok()?;
        let line = String::from_utf8_lossy(&line).replace('\0', " ");
        line.contains(&directory).then_some(line)
    });
    lines.collect()
}

fn survives(kills: u32) {
    let world = World::new();
    let mut server = Server::running(&world.server, DOORS);
    let script = RULE.replace("NOTES", &server.path("notes").to_string_lossy());
    server.write("rule", &script, 0o700);
    let laptop = Laptop::new(&world.laptop, &world.server);
    let doors = ["--door", "ssh", "--door", "web", "--door", "db", "--rate", "6000/min"];
    server.enrol(&laptop, "alice", &doors);
    let (key, over) = (server.key(), AtomicBool::new(false));
    let mut numbers = Numbers(0x2545_f491_4f6c_dd1d);
    let sent = thread::scope(|scope| {
        let asking = scope.spawn(|| ask(&world, &laptop, &key, &over));
        for _ in 0..kills {
            thread::sleep(Duration::from_millis(numbers.below(400)));
            kill(&mut server, &mut numbers);
        }
        over.store(true, Ordering::Relaxed);
        asking.join().unwrap()
    });
    until(Duration::from_secs(60), "everything to close", || {
        let status = server.status();
        status.openings.is_empty()
            && status.failing_closes.retried + status.failing_closes.need_attention == 0
    });
    let quiet = Instant::now();
    until(Duration::from_secs(60), "the last commands to end", || {
        quiet.elapsed() > Duration::from_secs(1) && processes(&server).is_empty()
    });
    assert_eq!(world.server.run("iptables -S INPUT").trim(), "-P INPUT ACCEPT");
    assert_eq!(server.guard().unwrap().open, []);
    server.stop();
    let starts = check_notes(&fs::read_to_string(server.path("notes")).unwrap());
    println!("{kills} kills, {sent} packets, {starts} start commands");
    assert!(starts > kills / 4, "{starts} start commands");
}

#[test]
fn whenever_it_is_killed_everything_closes() {
    survives(20);
}

#[test]
#[ignore = "takes minutes: tests/all --long runs it"]
fn two_hundred_kills_leave_nothing_open() {
    survives(200);
}
