//! The daemon as a service: what it tells the service manager, how it ends, and what is in its log.

use std::os::unix::net::UnixDatagram;

use knock_spa_proto::spa::PACKET_LEN;
use knock_spa_proto::spa::request::Addresses;
use knock_spa_tests::lab::Echo;
use knock_spa_tests::laptop::{now, open};
use knock_spa_tests::server::DEFAULT;
use rustix::process::Signal;

use super::*;

/// Waits until the service manager is told something with all of this in it.
fn await_told(manager: &UnixDatagram, words: &[&str]) {
    manager.set_read_timeout(Some(PATIENCE)).unwrap();
    let mut bytes = [0; 512];
    until(PATIENCE, &format!("{words:?} to be told"), || {
        let len = manager.recv(&mut bytes).unwrap();
        let told = String::from_utf8_lossy(&bytes[..len]);
        words.iter().all(|word| told.lines().any(|line| line.starts_with(word)))
    });
}

#[test]
fn the_service_manager_is_told() {
    let world = World::new();
    let mut server = Server::new(&world.server, DEFAULT);
    let path = server.path("notify");
    let manager = UnixDatagram::bind(&path).unwrap();
    let socket = path.to_str().unwrap();
    server.spawn_with(&[("NOTIFY_SOCKET", socket), ("WATCHDOG_USEC", "200000")]);
    await_told(&manager, &["READY=1"]);
    let status = server.status();
    assert!(status.listener.ready, "not before it listens");
    assert!(server.guard().is_some(), "and not before the guard stands");
    await_told(&manager, &["WATCHDOG=1"]);
    server.signal(Signal::HUP);
    await_told(&manager, &["RELOADING=1", "MONOTONIC_USEC="]);
    await_told(&manager, &["READY=1"]);
    server.signal(Signal::TERM);
    await_told(&manager, &["STOPPING=1"]);
    assert!(server.wait().0.success());
}

#[test]
fn both_processes_end_whichever_way_one_is_told() {
    let world = World::new();
    let _service = Echo::tcp(&world.server, 22);
    let (mut server, laptop) = enrolled(&world, DEFAULT);
    laptop.run("open ssh gw --for 1h").ended_with(0);
    for signal in [Signal::TERM, Signal::INT] {
        let listener = format!("/proc/{}", server.listener().as_raw_nonzero());
        server.signal(signal);
        assert!(server.wait().0.success());
        assert!(!std::path::Path::new(&listener).exists(), "{signal:?}");
        assert!(!server.path("run/control.sock").exists(), "{signal:?}");
        server.start();
    }
    server.kill_keeper();
    server.start();
    assert_open(&world.laptop, world.server.v4, 22);
}

#[test]
fn the_log_holds_what_the_administrator_wants_and_no_more() {
    let world = World::new();
    let _service = Echo::tcp(&world.server, 22);
    let (mut server, laptop) = enrolled(&world, DEFAULT);
    laptop.run("open ssh gw -4 --for 1h").ended_with(0);
    laptop.run("close ssh gw").ended_with(0);
    for line in [
        "event=\"opened\" door=ssh ports=tcp/22 address=192.0.2.2 by=alice origin=\"spa\" lease=3600s",
        "event=\"closed\" door=ssh address=192.0.2.2 by=alice origin=\"spa\" cause=\"client\"",
    ] {
        server.await_log(line);
    }
    // Whatever strangers and unlucky clients send, it is told once, and counted.
    let before = server.log().lines().count();
    let from = SocketAddr::new(world.stranger.v4.into(), 0);
    for _ in 0..1000 {
        world.stranger.send_udp(from, spa_port(&world, from.ip()), &[7; PACKET_LEN]);
    }
    for _ in 0..15 {
        let request = open("web", Addresses::NONE.with_sender(), 0);
        let packet = laptop.seal(&server.key(), now(), &request);
        laptop.send(&packet, world.laptop.v4.into(), spa_port(&world, from.ip()));
    }
    until(PATIENCE, "them to be counted", || {
        server.refused("junk") > 0 && server.refused("unauthorised") == 15
    });
    let log = server.log();
    assert!(log.lines().count() <= before + 2, "{log}");
    let secret = std::fs::read_to_string(server.path("state/server.key")).unwrap();
    let secret = secret.split_whitespace().nth(1).unwrap();
    assert!(!log.contains(secret));
}

#[test]
fn reading_everything_again_loses_no_packet() {
    let world = World::new();
    let server = Server::running(&world.server, DEFAULT);
    let laptop = Laptop::new(&world.laptop, &world.server);
    server.enrol(&laptop, "alice", &["--door", "ssh", "--rate", "6000/min"]);
    let (key, from) = (server.key(), world.laptop.v4.into());
    let request = open("ssh", Addresses::NONE.with_sender(), 0);
    let mut server = server;
    for count in 1..=20 {
        server.signal(Signal::HUP);
        laptop.send(&laptop.seal(&key, now(), &request), from, spa_port(&world, from));
        until(PATIENCE, "the packet to be accepted", || server.status().counters.accepted == count);
    }
}
