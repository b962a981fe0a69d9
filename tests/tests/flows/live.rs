//! What a reload does to live openings: `docs/reload.md` has a row for each of these.

use knock_spa_tests::lab::Echo;
use knock_spa_tests::server::{DEFAULT, NAME};

use super::*;

/// Has the daemon read this configuration.
fn reconfigure(server: &mut Server<'_>, configuration: &str) {
    server.configure(configuration);
    server.command(&["reload"]).ended_with(0);
    server.await_ready();
}

/// The openings, as door, address and seconds that are left, in order; what is left is rounded up to tens.
fn open(server: &Server<'_>) -> Vec<(String, String, u64)> {
    let openings = server.openings().into_iter();
    let left = |left: Option<u64>| left.map_or(0, |left| left.div_ceil(10) * 10);
    let mut open: Vec<_> = openings.map(|one| (one.door, one.address, left(one.left))).collect();
    open.sort();
    open
}

fn pair(address: &str, left: u64) -> (String, String, u64) {
    ("ssh".into(), address.into(), left)
}

/// Alice has the door open from the laptop, over IPv4 alone, for so many seconds.
fn opened<'w>(world: &'w World, configuration: &str, seconds: u64) -> (Server<'w>, Laptop<'w>) {
    let (server, laptop) = enrolled(world, configuration);
    laptop.run(&format!("open ssh gw -4 --no-wait --for {seconds}s")).ended_with(0);
    until(PATIENCE, "the opening", || server.openings().len() == 1);
    (server, laptop)
}

#[test]
fn a_port_that_a_door_gets_is_shut_until_it_is_asked_for() {
    let world = World::new();
    let _services = [Echo::tcp(&world.server, 22), Echo::tcp(&world.server, 8080)];
    let (mut server, laptop) = opened(&world, DEFAULT, 600);
    reconfigure(&mut server, "[door.ssh]\nports = ['tcp/22', 'tcp/8080']\n");
    assert_eq!(open(&server), [pair("192.0.2.2", 600)]);
    assert_open(&world.laptop, world.server.v4, 22);
    assert_silent(&world.laptop, world.server.v4, 8080);
    laptop.run("open ssh gw -4 --probe 8080").ended_with(0);
    assert_open(&world.laptop, world.server.v4, 8080);
}

#[test]
fn an_opening_with_a_port_that_its_door_lost_ends_whole() {
    let world = World::new();
    let _services = [Echo::tcp(&world.server, 22), Echo::tcp(&world.server, 8080)];
    let (mut server, laptop) = opened(&world, "[door.ssh]\nports = ['tcp/22', 'tcp/8080']\n", 600);
    laptop.run("open tcp/22 gw -4 --no-wait --for 600s").ended_with(0);
    until(PATIENCE, "the second opening", || server.openings().len() == 2);
    reconfigure(&mut server, DEFAULT);
    let openings = server.openings();
    let ports: Vec<_> = openings.iter().map(|opening| opening.ports.join(",")).collect();
    assert_eq!(ports, ["tcp/22"], "what was asked for alone lives on");
    assert_open(&world.laptop, world.server.v4, 22);
    assert_eq!(server.guard().unwrap().open.len(), 1);
}

/// A door whose commands write down what they are called with, and a word.
fn noting(word: &str) -> String {
    format!(
        "[door.ssh]\nports = ['tcp/22']\n[door.ssh.action]\n\
         start = ['DIR/note', 'start', '{word}']\nstop = ['DIR/note', 'stop', '{word}']\n"
    )
}

fn write_note(server: &Server<'_>) {
    let script = format!("#!/bin/sh\necho \"$*\" >> {}\n", server.path("notes").display());
    server.write("note", &script, 0o700);
}

fn await_notes(server: &Server<'_>, notes: &str) {
    until(PATIENCE, notes, || std::fs::read_to_string(server.path("notes")).unwrap_or_default() == notes);
}

#[test]
fn what_opened_by_other_means_ends_by_those() {
    let world = World::new();
    let _service = Echo::tcp(&world.server, 22);
    let (mut server, laptop) = opened(&world, DEFAULT, 600);
    write_note(&server);
    reconfigure(&mut server, &noting("one"));
    assert_eq!(open(&server), []);
    laptop.run("open ssh gw -4 --no-wait --for 600s").ended_with(0);
    await_notes(&server, "start one\n");
    reconfigure(&mut server, DEFAULT);
    await_notes(&server, "start one\nstop one\n");
    assert_eq!(open(&server), []);
    assert_silent(&world.laptop, world.server.v4, 22);
}

#[test]
fn changed_commands_do_not_reach_what_is_open() {
    let world = World::new();
    let server = Server::new(&world.server, &noting("one"));
    write_note(&server);
    let mut server = server;
    server.start();
    server.command(&["open", "ssh", "192.0.2.9"]).ended_with(0);
    await_notes(&server, "start one\n");
    reconfigure(&mut server, &noting("two"));
    assert_eq!(open(&server), [pair("192.0.2.9", 60)]);
    server.command(&["close", "ssh"]).ended_with(0);
    await_notes(&server, "start one\nstop one\n");
    server.command(&["open", "ssh", "192.0.2.9"]).ended_with(0);
    await_notes(&server, "start one\nstop one\nstart two\n");
}

#[test]
fn a_lower_limit_shortens_what_clients_have_and_a_default_binds_requests_alone() {
    let world = World::new();
    let door = |more: &str| format!("{DEFAULT}sequence = ['7000']\n{more}");
    let (mut server, _laptop) = opened(&world, &door("open-for = '10m'\n"), 900);
    let stranger = Laptop::new(&world.stranger, &world.server);
    stranger.run(&format!("knock -4 {NAME} 7000")).ended_with(0);
    until(PATIENCE, "the knock", || server.openings().len() == 2);
    server.command(&["open", "ssh", "192.0.2.9", "--for", "20m"]).ended_with(0);
    let all = |alice| [pair("192.0.2.2", alice), pair("192.0.2.9", 1200), pair("198.51.100.2", 600)];
    assert_eq!(open(&server), all(900));
    reconfigure(&mut server, &door("open-for = '30s'\n"));
    assert_eq!(open(&server), all(900));
    reconfigure(&mut server, &door("open-for = '30s'\nmax-open = '60s'\n"));
    assert_eq!(open(&server), all(60), "who is bound by no policy keeps what was opened");
    server.await_log("event=\"shortened\"");
    reconfigure(&mut server, &door("max-open = '2h'\n"));
    assert_eq!(open(&server), all(60), "what was shortened stays so");
}

#[test]
fn a_sequence_that_is_gone_takes_with_it_what_it_opened() {
    let world = World::new();
    let (mut server, _laptop) = opened(&world, &format!("{DEFAULT}sequence = ['7000']\n"), 600);
    let stranger = Laptop::new(&world.stranger, &world.server);
    stranger.run(&format!("knock -4 {NAME} 7000")).ended_with(0);
    until(PATIENCE, "the knock", || server.openings().len() == 2);
    reconfigure(&mut server, &format!("{DEFAULT}sequence = ['8000']\n"));
    assert_eq!(server.openings().len(), 2, "another one does not");
    reconfigure(&mut server, DEFAULT);
    assert_eq!(open(&server), [pair("192.0.2.2", 600)]);
    assert_eq!(server.guard().unwrap().open.len(), 1);
}

#[test]
fn how_packets_come_and_whom_the_guard_trusts_leave_what_is_open() {
    let world = World::new();
    let _service = Echo::tcp(&world.server, 22);
    let (mut server, _laptop) = opened(&world, DEFAULT, 600);
    for more in [
        "[listen]\nspa-port = 4000\n",
        "[listen]\ninterfaces = ['to-stranger']\n",
        "[guard]\ntrusted = ['203.0.113.0/24']\n",
        "[spa]\nwindow = '30s'\n",
        "",
    ] {
        reconfigure(&mut server, &format!("{DEFAULT}{more}"));
        assert_eq!(open(&server), [pair("192.0.2.2", 600)], "{more}");
        assert_open(&world.laptop, world.server.v4, 22);
        assert_silent(&world.stranger, world.server.v4, 22);
    }
}

#[test]
fn a_new_key_leaves_what_is_open() {
    let world = World::new();
    let (server, _laptop) = opened(&world, DEFAULT, 600);
    server.command(&["key", "rotate"]).ended_with(0);
    assert_eq!(open(&server), [pair("192.0.2.2", 600)]);
    server.command(&["key", "remove", "--yes"]).ended_with(0);
    assert_eq!(open(&server), [pair("192.0.2.2", 600)]);
}
