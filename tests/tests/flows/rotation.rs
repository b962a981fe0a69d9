//! The server gets a new key, its clients renew theirs of it, and the old one ends; whatever is killed meanwhile.

use std::fs;
use std::os::unix::fs::MetadataExt;
use std::path::Path;
use std::time::Instant;

use knock_spa_engine::admit::record::Record;
use knock_spa_keys::server::ServerKey;
use knock_spa_proto::control::{KeyStatus, KeyUsage};
use knock_spa_proto::spa::request::Addresses;
use knock_spa_tests::lab::Echo;
use knock_spa_tests::laptop::{now, open};
use knock_spa_tests::server::DEFAULT;
use knock_spad::journal::Lock;
use knock_spad::server_key::rotation::{Earlier, Rotation};
use rustix::process::Signal;

use super::*;

const PREVIOUS: &str = "state/server.key.previous";

/// Sends a packet of the laptop to this key of the server, made now.
fn send(world: &World, laptop: &Laptop<'_>, key: &ServerKey) {
    let request = open("ssh", Addresses::NONE.with_sender(), 3600);
    let from = world.laptop.v4.into();
    laptop.send(&laptop.seal(key, now(), &request), from, spa_port(world, from));
}

/// What `status` says of the server's keys.
fn keys(server: &Server<'_>) -> Vec<(KeyStatus, KeyUsage)> {
    let known = |key: KeyStatus| (key.clone(), key.usage.expect("a daemon knows"));
    server.status().server_keys.into_iter().map(known).collect()
}

/// Rotates; the new key.
fn rotate(server: &Server<'_>, options: &[&str]) -> ServerKey {
    let run = server.command(&[&["key", "rotate"], options].concat()).ended_with(0);
    let line: knock_spa_keys::server::ServerLine = run.out.trim().parse().unwrap();
    assert_eq!(line, server.line(), "it prints the new line and nothing else");
    line.key
}

#[test]
fn the_old_line_opens_until_all_have_the_new_one() {
    let world = World::new();
    let _service = Echo::tcp(&world.server, 22);
    let (server, laptop) = enrolled(&world, DEFAULT);
    let old_line = server.line();
    let new = rotate(&server, &["--grace", "7d"]);
    assert_ne!(new, old_line.key);
    // At once, and for both: the old line, and the same client with the new one.
    laptop.run("open ssh gw").ended_with(0);
    let [(current, unused), (previous, used)] = &keys(&server)[..] else { panic!("two keys") };
    assert_eq!((current.until, unused.accepted, &*unused.clients), (None, 0, &[][..]));
    let week = previous.until.unwrap() - now().as_nanos() / 1_000_000_000;
    assert!((7 * 86_400 - 60..=7 * 86_400).contains(&week), "{week}");
    assert_eq!((used.accepted, &*used.clients), (1, &["alice".to_owned()][..]));
    assert!(used.last_used.unwrap().abs_diff(now().as_nanos() / 1_000_000_000) < 60);
    let shown = server.command(&["key", "show"]).ended_with(0);
    shown.clone().said("(previous, until ").said("1 accepted, last at ").said("still used by alice");
    server.command(&["status"]).ended_with(0).said("still used by alice");

    let refused = server.command(&["key", "remove"]).ended_with(65);
    refused.said("still used by alice").said("would be shut out").said("--yes");

    let renewed = laptop.run_words(&["enroll", shown.out.trim(), "--host", "gw"]).ended_with(0);
    renewed.said("renewed gw").said(&new.fingerprint().to_string());
    laptop.run("open ssh gw").ended_with(0);
    let [(_, current), (_, previous)] = &keys(&server)[..] else { panic!("two keys") };
    assert_eq!((current.accepted, previous.accepted), (1, 1));
    assert_eq!((current.clients.len(), previous.clients.len()), (1, 0), "alice has renewed");

    // A packet to the old key, made before its end and held back.
    let request = open("ssh", Addresses::NONE.with_sender(), 3600);
    let from = world.laptop.v4.into();
    let harvested = laptop.seal(&old_line.key, now(), &request);
    server.command(&["close", "ssh"]).ended_with(0);
    server.command(&["key", "remove"]).ended_with(0).said("1 accepted").said("nobody").said("has ended");
    laptop.send(&harvested, from, spa_port(&world, from));
    let counters = await_packets(&server, 3);
    assert_eq!((counters.accepted, counters.refused["junk"], counters.key_agreements), (2, 1, 2));
    assert_silent(&world.laptop, world.server.v4, 22);
    assert!(!server.path(PREVIOUS).exists());
    server.command(&["key", "remove"]).ended_with(66).said("there is no previous key");
    laptop.run("open ssh gw").ended_with(0);
}

#[test]
fn a_previous_key_ends_in_time_while_the_daemon_runs_and_at_its_start() {
    let world = World::new();
    let (mut server, laptop) = enrolled(&world, DEFAULT);
    let old = server.key();
    rotate(&server, &["--grace", "3s"]);
    let started = Instant::now();
    send(&world, &laptop, &old);
    await_packet(&server, 1);
    until(PATIENCE, "the previous key to end", || keys(&server).len() == 1);
    assert!(started.elapsed() > Duration::from_secs(1), "not at once");
    server.await_log("event=\"key-ended\"");
    assert!(!server.path(PREVIOUS).exists(), "whoever steals the disk cannot read old packets");
    send(&world, &laptop, &old);
    assert_eq!(await_packets(&server, 2).refused["junk"], 1);

    let old = server.key();
    server.stop();
    rotate(&server, &["--grace", "1s"]);
    let run = server.command(&["key", "show", "--json"]).ended_with(0);
    run.said("\"usage\": null");
    // Its time passes while nobody runs.
    until(PATIENCE, "a second to pass", || {
        !server.command(&["key", "show"]).ended_with(0).err.contains("previous")
    });
    server.start();
    assert_eq!((keys(&server).len(), server.path(PREVIOUS).exists()), (1, false));
    assert!(!server.log().contains("state-lost"));
    send(&world, &laptop, &old);
    send(&world, &laptop, &server.key());
    let counters = await_packets(&server, 2);
    assert_eq!((counters.refused["junk"], counters.accepted), (1, 1));
}

#[test]
fn there_are_never_more_than_two_keys() {
    let world = World::new();
    let (mut server, laptop) = enrolled(&world, DEFAULT);
    let first = server.key();
    let second = rotate(&server, &[]);
    for running in [true, false] {
        if !running {
            server.stop();
        }
        let refused = server.command(&["key", "rotate"]).ended_with(65);
        refused.said("the previous key lives until").said("--end-previous");
        assert_eq!(server.key(), second);
    }
    server
        .command(&["key", "rotate", "--grace", "400d", "--end-previous"])
        .ended_with(64)
        .said("at most 366d");
    server.start();
    let third = rotate(&server, &["--end-previous"]);
    [first, second, third].iter().for_each(|key| send(&world, &laptop, key));
    let counters = await_packets(&server, 3);
    assert_eq!((counters.refused["junk"], counters.accepted), (1, 2));
}

#[test]
fn a_previous_key_that_cannot_be_used_stops_nobody_with_the_current_one() {
    let world = World::new();
    let (mut server, laptop) = enrolled(&world, DEFAULT);
    let old = server.key();
    let new = rotate(&server, &[]);
    server.write(PREVIOUS, "knock-spa-server-previous-v9 2027-06-30T12:00:00Z\n", 0o600);
    for restarted in [false, true] {
        if restarted {
            server.stop();
            server.start();
        } else {
            server.command(&["reload"]).ended_with(0);
        }
        server.await_log("previous-key-unusable");
        assert!(!server.log().contains("state-lost"));
        send(&world, &laptop, &old);
        send(&world, &laptop, &new);
        let counters = await_packets(&server, 2);
        assert_eq!((counters.refused["junk"], counters.accepted), (1, 1));
    }
    server.command(&["status"]).said("PREVIOUS KEY CAN'T BE USED").said("its first line is not");
    server.command(&["key", "show"]).ended_with(0).said("PREVIOUS KEY CAN'T BE USED");
    server.command(&["check"]).ended_with(0).said("its first line is not");
    server.command(&["key", "rotate"]).ended_with(65).said("there is a previous key that can't be used");
    server.command(&["key", "remove"]).ended_with(0);
    server.command(&["check"]).ended_with(0);
    assert_eq!(server.status().unusable_previous_key, None);
}

/// Whatever a rotation was interrupted at, both keys that there are now are good at once: nothing is lost.
fn assert_whole(world: &World, server: &mut Server<'_>, laptop: &Laptop<'_>, old: &ServerKey) {
    server.start();
    assert!(!server.log().contains("state-lost"), "{}", server.log());
    send(world, laptop, old);
    let mut accepted = 1;
    await_packet(server, accepted);
    let current = server.key();
    if current != *old {
        send(world, laptop, &current);
        accepted += 1;
    }
    await_packet(server, accepted);
    // Before its first step is done, the key before both may live on.
    assert!(keys(server).len() >= usize::try_from(accepted).unwrap());
}

#[test]
fn a_rotation_that_stops_after_any_of_its_steps_leaves_good_keys() {
    let world = World::new();
    let (mut server, laptop) = enrolled(&world, DEFAULT);
    for steps in 0..=4 {
        server.stop();
        let old = server.key();
        let path = server.path("state/server.key");
        let lock = Lock::take(&server.path("state")).unwrap();
        let grace = "30d".parse().unwrap();
        let rotation = Rotation::prepare(&path, grace, Earlier::End, now()).unwrap();
        if steps > 0 {
            lock.add(Record::Key(rotation.new_key())).unwrap();
        }
        let later: [&dyn Fn() -> Result<(), _>; 3] =
            [&|| rotation.keep_old(), &|| rotation.take_new(), &|| rotation.write_line()];
        later.iter().take(3.min(steps.max(1) - 1)).for_each(|step| step().unwrap());
        drop(lock);
        assert_whole(&world, &mut server, &laptop, &old);
        assert_eq!(server.key() == rotation.new_key(), steps >= 3, "{steps}");
    }
}

#[test]
fn a_new_key_that_is_not_on_record_is_one_whose_marks_are_lost() {
    let world = World::new();
    let (mut server, laptop) = enrolled(&world, DEFAULT);
    server.stop();
    let path = server.path("state/server.key");
    let rotation = Rotation::prepare(&path, "30d".parse().unwrap(), Earlier::Keep, now()).unwrap();
    rotation.carry_out().unwrap();
    server.start();
    server.await_log("state-lost");
    send(&world, &laptop, &rotation.new_key());
    assert_eq!(await_packets(&server, 1).refused["replayed"], 1);
}

/// Something that a rotation does to the files, as an observer sees it.
const MARKS: [&str; 4] = ["state/journal", PREVIOUS, "state/server.key", "state/server.key.pub"];

/// Which file stands there: another one after each change.
fn file(path: &Path) -> Option<u64> {
    fs::metadata(path).ok().map(|metadata| metadata.ino() ^ metadata.mtime_nsec().unsigned_abs() << 20)
}

/// Waits, as busily as it gets, until the file is another; gives up once `ended`.
fn watch(path: &Path, before: Option<u64>, mut ended: impl FnMut() -> bool) {
    let start = Instant::now();
    while file(path) == before && !ended() && start.elapsed() < PATIENCE {}
}

#[test]
fn a_command_that_is_killed_at_any_step_leaves_good_keys() {
    let world = World::new();
    let (mut server, laptop) = enrolled(&world, DEFAULT);
    for mark in MARKS {
        server.stop();
        let (old, path) = (server.key(), server.path(mark));
        let before = file(&path);
        let mut command = server.start_command(&["key", "rotate", "--end-previous"]);
        watch(&path, before, || command.has_ended());
        command.signal(Signal::KILL);
        command.wait();
        assert_whole(&world, &mut server, &laptop, &old);
    }
}

#[test]
fn a_daemon_that_is_killed_at_any_step_leaves_good_keys() {
    let world = World::new();
    let (mut server, laptop) = enrolled(&world, DEFAULT);
    for mark in MARKS {
        let (old, path) = (server.key(), server.path(mark));
        let before = file(&path);
        let mut command = server.start_command(&["key", "rotate", "--end-previous"]);
        watch(&path, before, || command.has_ended());
        server.kill();
        command.wait();
        assert_whole(&world, &mut server, &laptop, &old);
    }
}
