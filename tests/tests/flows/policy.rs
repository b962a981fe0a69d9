//! What a client may do is changed while the daemon runs: at once, and for what is open already.

use knock_spa_tests::lab::Echo;
use knock_spa_tests::server::DEFAULT;

use super::*;

const DOORS: &str = "[door.ssh]\nports = ['tcp/22']\n[door.web]\nports = ['tcp/8080']\n";

/// Has a client changed.
fn set(server: &Server<'_>, options: &[&str]) {
    server
        .command(&[&["client", "set", "alice"], options].concat())
        .ended_with(0)
        .said("changed client alice");
}

/// The doors that are open, each once.
fn doors(server: &Server<'_>) -> Vec<String> {
    let mut doors: Vec<_> = server.openings().into_iter().map(|opening| opening.door).collect();
    doors.sort();
    doors.dedup();
    doors
}

#[test]
fn a_change_is_in_force_at_once_and_ends_what_it_allows_no_more() {
    let world = World::new();
    let _services = [22, 8080].map(|port| Echo::tcp(&world.server, port));
    let (server, laptop) = enrolled(&world, DOORS);
    laptop.run("open web gw --wait 1s").ended_with(69);
    set(&server, &["--door", "web"]);
    laptop.run("open ssh,tcp/8080 gw --for 1h").ended_with(0);

    set(&server, &["--without", "web"]);
    assert_eq!(doors(&server), ["ssh"]);
    for ip in world.server.addresses() {
        assert_silent(&world.laptop, ip, 8080);
        assert_open(&world.laptop, ip, 22);
    }
    set(&server, &["--max-open", "10m"]);
    let is_short = |ip| left(&server, ip, "tcp/22").flatten().is_some_and(|left| left.as_secs() <= 600);
    assert!(world.laptop.addresses().into_iter().all(is_short));
    set(&server, &["--from", "2001:db8::/32"]);
    assert_silent(&world.laptop, world.server.v4, 22);
    assert_open(&world.laptop, world.server.v6, 22);
    set(&server, &["--from", "any", "--not-after", "2020-01-01"]);
    assert_eq!(doors(&server), [""; 0]);
    laptop.run("open ssh gw --wait 1s").ended_with(69);
    set(&server, &["--not-after", "never"]);
    laptop.run("open ssh gw").ended_with(0);
}

#[test]
fn a_change_that_the_daemon_does_not_take_is_told() {
    let world = World::new();
    let _service = Echo::tcp(&world.server, 22);
    let (server, laptop) = enrolled(&world, DEFAULT);
    laptop.run("open ssh gw --for 1h").ended_with(0);
    // Another file has her key, so that nobody knows whose it is.
    let file = server.path("state/clients.d/alice.toml");
    std::fs::copy(&file, server.path("state/clients.d/mallory.toml")).unwrap();
    let run = server.command(&["client", "set", "alice", "--without", "ssh"]).ended_with(65);
    run.said("changed client alice")
        .said("client alice has this key already")
        .said("what was in force before still is");
    assert_eq!(doors(&server), ["ssh"]);
    // The file stands, and counts once the other is gone.
    server.command(&["client", "remove", "mallory"]).ended_with(0);
    assert_eq!(doors(&server), [""; 0]);
}

#[test]
fn a_broken_configuration_holds_up_no_removal() {
    let world = World::new();
    let _service = Echo::tcp(&world.server, 22);
    let (server, laptop) = enrolled(&world, DEFAULT);
    laptop.run("open ssh gw --for 1h").ended_with(0);
    server.configure("[door.ssh]\nports = ['tcp/0']\n");
    server.command(&["client", "remove", "alice"]).ended_with(0).said("warning").said("removed client alice");
    for ip in world.server.addresses() {
        assert_silent(&world.laptop, ip, 22);
    }
}

#[test]
fn the_last_use_is_known_with_and_without_a_daemon() {
    let world = World::new();
    let _service = Echo::tcp(&world.server, 22);
    let (mut server, laptop) = enrolled(&world, DEFAULT);
    let bob = Laptop::new(&world.stranger, &world.server);
    server.enrol(&bob, "bob", &["--door", "ssh"]);
    let uses = |server: &Server<'_>| {
        let run = server.command(&["client", "list", "--json"]).ended_with(0);
        let rows: serde_json::Value = serde_json::from_str(&run.out).unwrap();
        [0, 1].map(|row| rows[row]["last-use"].as_str().unwrap().to_owned())
    };
    assert_eq!(uses(&server), ["never", "never"]);
    laptop.run("open ssh gw").ended_with(0);
    let before = uses(&server);
    assert!(before[0].starts_with("20") && before[0].ends_with('Z') && before[1] == "never", "{before:?}");
    server.kill();
    assert_eq!(uses(&server), before);
    server.start();
    assert_eq!(uses(&server), before);
    // Nobody's lock is in the way, or taken.
    server.stop();
    assert_eq!(uses(&server), before);
    server.start();
}
