//! What the administrator opens and closes by hand.

use knock_spa_tests::lab::Echo;
use knock_spa_tests::server::DEFAULT;

use super::*;

/// The openings: door, address and who has them, in order.
fn open(server: &Server<'_>) -> Vec<String> {
    let openings = server.openings().into_iter();
    let mut open: Vec<_> = openings.map(|one| format!("{} {} {}", one.door, one.address, one.by)).collect();
    open.sort();
    open
}

#[test]
fn a_door_opens_by_hand_and_shuts_again() {
    let world = World::new();
    let _service = Echo::tcp(&world.server, 22);
    let (mut server, laptop) = enrolled(&world, DEFAULT);
    for (ip, at) in world.stranger.addresses().into_iter().zip(world.server.addresses()) {
        let ip = ip.to_string();
        let run = server.command(&["open", "ssh", &ip]).ended_with(0);
        run.said(&format!("ssh is open for {ip} for 60 s"));
        assert_open(&world.stranger, at, 22);
        assert_silent(&world.laptop, at, 22);
    }
    let ip = world.stranger.v4.to_string();
    server.command(&["open", "ssh", &ip, "--for", "30m"]).ended_with(0).said("for 1800 s");
    server.command(&["open", "ssh", &ip, "--for", "5s"]).ended_with(0).said(" for 1");
    let opening = server.openings().into_iter().find(|one| one.address == ip).unwrap();
    assert_eq!((&*opening.by, &*opening.origin, opening.client), ("administrator", "local", None));
    server.command(&["status"]).ended_with(0).said("by administrator (local), since 2");

    // It is on record as anybody's.
    server.kill();
    server.start();
    assert_open(&world.stranger, world.server.v4, 22);
    laptop.run("close gw").ended_with(0);
    await_packets(&server, 1);
    assert_open(&world.stranger, world.server.v4, 22);
    server.command(&["close", "ssh", &ip]).ended_with(0).said("ssh: 1 opening closed");
    assert_silent(&world.stranger, world.server.v4, 22);
    assert_open(&world.stranger, world.server.v6, 22);
}

#[test]
fn what_cannot_be_opened_by_hand_is_told_and_changes_nothing() {
    let world = World::new();
    let server = Server::running(&world.server, DEFAULT);
    let own = world.server.v4.to_string();
    for (words, why) in [
        (&["open", "web", "192.0.2.9"][..], "no door is named web"),
        (&["open", "ssh", &own], "is this machine's own"),
        (&["open", "ssh", "127.0.0.1"], "is this machine's own"),
        (&["open", "ssh", "192.0.2.9", "--for", "2h"], "the door opens for 3600 s at most"),
        (&["open", "ssh", "192.0.2.9", "--for", "forever"], "the door opens for 3600 s at most"),
    ] {
        server.command(words).ended_with(65).said(why);
    }
    for words in [&["open", "ssh"][..], &["open", "ssh", "gw"], &["close"], &["close", "ssh", "--all"]] {
        server.command(words).ended_with(64);
    }
    assert_eq!(server.openings(), []);
    let beyond = ["open", "ssh", "192.0.2.9", "--for", "forever", "--beyond-max-open"];
    server.command(&beyond).ended_with(0).said("until it is closed");
    assert_eq!(server.openings()[0].until, None);
}

#[test]
fn commands_run_for_what_is_opened_by_hand() {
    let world = World::new();
    let door = "[door.ssh]\nports = ['tcp/22']\n[door.ssh.action]\nstart = ['DIR/note', 'start', '%IP%', '%CLIENT%', '%TTL%']\n\
                stop = ['DIR/note', 'stop', '%IP%']\n";
    let server = Server::running(&world.server, door);
    let notes = server.path("notes");
    server.write("note", &format!("#!/bin/sh\necho \"$*\" >> {}\n", notes.display()), 0o700);
    let noted = || std::fs::read_to_string(&notes).unwrap_or_default();
    server.command(&["open", "ssh", "192.0.2.9"]).ended_with(0).said("once its start command has run");
    until(PATIENCE, "the start", || noted() == "start 192.0.2.9  60\n");
    server.command(&["close", "--all"]).ended_with(0).said("all: 1 opening closed");
    until(PATIENCE, "the stop", || noted() == "start 192.0.2.9  60\nstop 192.0.2.9\n");
}

#[test]
fn one_clients_openings_are_closed_and_then_all() {
    let world = World::new();
    let (server, alice) = enrolled(&world, DEFAULT);
    let bob = Laptop::new(&world.stranger, &world.server);
    server.enrol(&bob, "bob", &["--door", "ssh"]);
    alice.run("open ssh gw --no-wait").ended_with(0);
    bob.run("open ssh gw --no-wait").ended_with(0);
    until(PATIENCE, "the openings", || server.openings().len() == 4);
    server.command(&["open", "ssh", "192.0.2.9"]).ended_with(0);
    server.command(&["close", "--client", "alice"]).ended_with(0).said("alice: 2 openings closed");
    assert_eq!(open(&server).iter().filter(|one| one.ends_with("bob")).count(), 2);
    assert_eq!(server.openings().len(), 3);
    server.command(&["close", "--client", "carol"]).ended_with(0).said("carol: 0 openings closed");
    server.command(&["close", "--all"]).ended_with(0).said("all: 3 openings closed");
    assert_eq!((open(&server), server.guard().unwrap().open), (vec![], vec![]));
}
