//! A door closes on time, whatever becomes of the daemon.

use std::time::Instant;

use knock_spa_tests::lab::Echo;
use knock_spa_tests::server::DEFAULT;
use rustix::process::Signal;

use super::*;

/// No answer within this is silence, where the moment matters.
const SOON: Duration = Duration::from_millis(100);

#[test]
fn a_lease_ends_on_time_although_both_processes_were_killed() {
    let world = World::new();
    let _service = Echo::tcp(&world.server, 22);
    let (mut server, laptop) = enrolled(&world, DEFAULT);
    let start = Instant::now();
    laptop.run("open ssh gw --for 2s").ended_with(0);
    let opened = Instant::now();
    server.kill();
    for ip in world.server.addresses() {
        let to = SocketAddr::new(ip, 22);
        assert_silent(&world.stranger, ip, 22);
        let mut shut = opened;
        until(PATIENCE, "the door to close", || {
            shut = Instant::now();
            world.laptop.connect(to, SOON) == Answer::Silent
        });
        assert!(shut - start >= Duration::from_millis(1800), "{ip} was shut after {:?}", shut - start);
        assert!(shut - opened <= Duration::from_secs(3), "{ip} was open for {:?}", shut - opened);
    }
}

#[test]
fn a_restarted_daemon_keeps_the_remaining_time() {
    let world = World::new();
    let _service = Echo::tcp(&world.server, 22);
    let (mut server, laptop) = enrolled(&world, DEFAULT);
    laptop.run("open ssh gw -4 --for 60s").ended_with(0);
    laptop.run("open ssh gw -6 --for 1s").ended_with(0);
    until(PATIENCE, "some time to pass", || {
        server.openings().iter().all(|opening| opening.left.is_some_and(|left| left < 59))
    });
    for way in [Signal::KILL, Signal::TERM] {
        server.end(way);
        assert_silent(&world.stranger, world.server.v4, 22);
        assert_open(&world.laptop, world.server.v4, 22);
        let kernel_s = left(&server, world.laptop.v4, "tcp/22").unwrap().unwrap();
        server.start();
        let [opening] = server.openings().try_into().expect("one opening is left");
        let ours = Duration::from_secs(opening.left.unwrap());
        let kernel_s_now = left(&server, world.laptop.v4, "tcp/22").unwrap().unwrap();
        for left in [ours, kernel_s_now] {
            let lost = kernel_s.saturating_sub(left);
            assert!(left <= kernel_s && lost < Duration::from_secs(15), "{way:?}: {left:?} of {kernel_s:?}");
        }
        assert_open(&world.laptop, world.server.v4, 22);
        assert_silent(&world.laptop, world.server.v6, 22);
        assert_silent(&world.stranger, world.server.v4, 22);
    }
}

#[test]
fn what_ended_while_no_daemon_ran_does_not_come_back() {
    let world = World::new();
    let _service = Echo::tcp(&world.server, 22);
    let (mut server, laptop) = enrolled(&world, DEFAULT);
    laptop.run("open ssh gw --for 1s").ended_with(0);
    server.kill();
    for ip in world.laptop.addresses() {
        until(PATIENCE, "the lease to end", || left(&server, ip, "tcp/22").is_none());
    }
    server.start();
    assert_eq!((server.openings(), server.guard().unwrap().open), (vec![], vec![]));
    // And it goes on as if nothing had been.
    laptop.run("open ssh gw").ended_with(0);
    assert_open(&world.laptop, world.server.v6, 22);
}

#[test]
fn a_saved_ruleset_brings_no_old_opening_back() {
    let world = World::new();
    let (mut server, laptop) = enrolled(&world, DEFAULT);
    laptop.run("open ssh gw --no-wait --for 1h").ended_with(0);
    until(PATIENCE, "the door to open", || server.openings().len() == 2);
    let saved = world.server.run("nft list ruleset");
    server.command(&["close", "ssh"]).ended_with(0);
    server.stop();
    world
        .server
        .run_command(std::process::Command::new("nft").args(["-f", "-"]), &format!("flush ruleset\n{saved}"));
    assert_eq!(server.guard().unwrap().open.len(), 2, "it is in the kernel again");
    server.start();
    assert_eq!(server.guard().unwrap().open, []);
}

#[test]
fn without_an_end_it_lasts_until_it_is_closed() {
    let world = World::new();
    let _service = Echo::tcp(&world.server, 22);
    let (mut server, laptop) = enrolled(&world, &format!("{DEFAULT}open-for = 'forever'\n"));
    laptop.run("open ssh gw").ended_with(0);
    for way in [Signal::KILL, Signal::TERM] {
        server.end(way);
        server.start();
        assert!(server.openings().iter().all(|opening| opening.left.is_none()));
        for ip in world.laptop.addresses() {
            assert_eq!(left(&server, ip, "tcp/22"), Some(None), "{way:?}");
        }
    }
    server.command(&["status"]).ended_with(0).said("ssh for 192.0.2.2, until it is closed, by alice");
    laptop.run("close gw").ended_with(0);
    until(PATIENCE, "it to be closed", || server.guard().unwrap().open.is_empty());
}

#[test]
fn a_client_s_own_bounds_hold() {
    let world = World::new();
    let server = Server::running(&world.server, DEFAULT);
    let soon = world.server.run("date --utc --date=+100sec +%Y-%m-%dT%H:%M:%SZ");
    for (name, option, bound) in [("alice", "--max-open", "50s"), ("bob", "--not-after", soon.trim())] {
        let laptop = Laptop::new(&world.laptop, &world.server);
        server.enrol(&laptop, name, &["--door", "ssh", option, bound]);
        laptop.run("open ssh gw -4 --no-wait --for 1h").ended_with(0);
        until(PATIENCE, "the door to open", || server.openings().iter().any(|opening| opening.by == name));
        let left = server.openings().iter().find(|opening| opening.by == name).unwrap().left.unwrap();
        let most = if name == "alice" { 50 } else { 100 };
        assert!(left <= most && left > most - 25, "{name}: {left}");
    }
}
