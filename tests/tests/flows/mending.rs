//! The guard stands, whoever takes it away, until the administrator says otherwise.

use knock_spa_proto::control::GuardStatus;
use knock_spa_tests::lab::{Echo, Session};
use knock_spa_tests::server::DEFAULT;
use rustix::process::Signal;

use super::*;

/// Waits until the guard is there, with so many openings; the kernel may take a moment to notice.
fn await_guard(server: &Server<'_>, openings: usize) {
    until(PATIENCE, "the guard", || server.guard().is_some_and(|shown| shown.open.len() == openings));
}

#[test]
fn a_flush_is_mended_and_what_was_open_stays_open() {
    let world = World::new();
    let _service = Echo::tcp(&world.server, 22);
    let (server, laptop) = enrolled(&world, DEFAULT);
    laptop.run("open ssh gw --for 1h").ended_with(0);
    let mut session = Session::open(&world.laptop, SocketAddr::new(world.server.v4.into(), 22));
    let before = left(&server, world.laptop.v6, "tcp/22").unwrap().unwrap();
    for times in 1..=2 {
        world.server.run("nft flush ruleset");
        await_guard(&server, 2);
        let after = left(&server, world.laptop.v6, "tcp/22").unwrap().unwrap();
        assert!(after <= before && after > before - Duration::from_secs(60), "{after:?} of {before:?}");
        for ip in world.server.addresses() {
            assert_open(&world.laptop, ip, 22);
            assert_silent(&world.stranger, ip, 22);
        }
        let status = server.status().guard;
        assert!(matches!(status, GuardStatus::Up { rebuilt, .. } if rebuilt == times), "{status:?}");
    }
    assert!(session.echoes(PATIENCE));
    server.command(&["status"]).ended_with(0).said("guard: up, built again 2 times");
}

#[test]
fn sessions_older_than_the_daemon_live_on() {
    let world = World::new();
    let _service = Echo::tcp(&world.server, 22);
    // Nobody tracks connections yet, and the clients speak first.
    let mut sessions =
        world.server.addresses().map(|ip| Session::open(&world.laptop, SocketAddr::new(ip, 22)));
    let mut server = Server::running(&world.server, DEFAULT);
    for session in &mut sessions {
        assert!(session.echoes(PATIENCE));
    }
    server.kill();
    server.start();
    for (session, ip) in sessions.iter_mut().zip(world.server.addresses()) {
        assert!(session.echoes(PATIENCE));
        assert_silent(&world.laptop, ip, 22);
    }
}

#[test]
fn what_the_administrator_removes_stays_away() {
    let world = World::new();
    let _service = Echo::tcp(&world.server, 22);
    let (mut server, laptop) = enrolled(&world, DEFAULT);
    server.command(&["guard", "show"]).ended_with(0).said("shut tcp/22\nshut udp/62201\n0 packets dropped");
    let words = "the guard is removed: its doors stand open";
    server.command(&["guard", "remove"]).ended_with(0).said(words);
    let stays_away = |server: &Server<'_>| {
        assert_eq!(server.guard(), None);
        assert_open(&world.stranger, world.server.v4, 22);
        let run = server.command(&["status"]).ended_with(0);
        run.said("guard: DOWN, its doors stand open: it was removed by `knock-spad guard remove`");
    };
    stays_away(&server);
    world.server.run("nft flush ruleset");
    server.command(&["reload"]).ended_with(0);
    stays_away(&server);
    for way in [Signal::KILL, Signal::TERM] {
        server.end(way);
        server.start();
        stays_away(&server);
    }
    server.command(&["guard", "show"]).ended_with(0).said("the guard is not installed");

    // What was opened meanwhile is open once the guard is back.
    laptop.run("open ssh gw --for 1h").ended_with(0);
    server.command(&["guard", "confirm"]).ended_with(0).said("the guard is up, and stays");
    for ip in world.server.addresses() {
        assert_open(&world.laptop, ip, 22);
        assert_silent(&world.stranger, ip, 22);
    }
    let run = server.command(&["guard", "show"]).ended_with(0).said("shut tcp/22\n");
    run.said("open tcp/22 for 192.0.2.2, 35").said("open tcp/22 for 2001:db8:1::2, 35");
    world.server.run("nft flush ruleset");
    await_guard(&server, 2);
}

#[test]
fn it_can_be_removed_without_a_daemon() {
    let world = World::new();
    let _service = Echo::tcp(&world.server, 22);
    let mut server = Server::running(&world.server, DEFAULT);
    server.kill();
    assert_silent(&world.stranger, world.server.v4, 22);
    server.command(&["guard", "confirm"]).ended_with(69).said("no daemon answers");
    server.command(&["guard", "remove"]).ended_with(0).said("the guard is removed");
    assert_open(&world.stranger, world.server.v4, 22);
    server.start();
    assert_eq!(server.guard(), None);
}

#[test]
fn where_it_waits_to_be_confirmed_it_does() {
    let world = World::new();
    let _service = Echo::tcp(&world.server, 22);
    let mut server = Server::running(&world.server, &format!("{DEFAULT}[guard]\nstart = 'confirmed'\n"));
    assert_eq!(server.guard(), None);
    assert_open(&world.stranger, world.server.v4, 22);
    let run = server.command(&["status"]).ended_with(0);
    run.said("guard: DOWN, its doors stand open: `knock-spad guard try 10m` tries it");
    server.command(&["guard", "confirm"]).ended_with(0);
    assert_silent(&world.stranger, world.server.v4, 22);
    server.kill();
    world.server.run("nft flush ruleset");
    server.start();
    assert_silent(&world.stranger, world.server.v4, 22);
}

#[test]
fn whom_it_trusts_it_never_shuts_out() {
    let world = World::new();
    let _service = Echo::tcp(&world.server, 22);
    let trusted = "[guard]\ntrusted = ['192.0.2.0/24', 'iif to-inner']\n";
    let mut server = Server::running(&world.server, &format!("{DEFAULT}{trusted}"));
    let look = || {
        assert_open(&world.laptop, world.server.v4, 22);
        assert_silent(&world.laptop, world.server.v6, 22);
        for ip in world.server.addresses() {
            assert_open(&world.inner, ip, 22);
            assert_silent(&world.stranger, ip, 22);
        }
    };
    look();
    server.kill();
    look();
}

#[test]
fn the_ports_of_others_are_none_of_its_business() {
    let world = World::new();
    let _services = [Echo::tcp(&world.server, 80), Echo::tcp(&world.inner, 22)];
    let _server = Server::running(&world.server, DEFAULT);
    for ip in world.server.addresses() {
        assert_open(&world.stranger, ip, 80);
    }
    for ip in world.inner.addresses() {
        assert_open(&world.stranger, ip, 22);
    }
}
