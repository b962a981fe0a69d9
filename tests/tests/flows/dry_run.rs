//! A dry run decides everything and does nothing, also beside the daemon.

use std::collections::BTreeMap;
use std::path::Path;

use knock_spa_proto::spa::request::Addresses;
use knock_spa_tests::laptop::{now, open};
use knock_spa_tests::server::{DEFAULT, NAME};
use rustix::process::Signal;

use super::*;

const DOORS: &str = "[door.ssh]\nports = ['tcp/22']\nsequence = ['7000', '8000', '9000']\n\
    [door.run]\nports = ['tcp/25']\naction = { start = ['DIR/note', '%IP%'], stop = ['DIR/note', 'no', '%IP%'] }\n\
    [audit]\nfile = 'DIR/audit.jsonl'\n";

/// Everything in a directory, by name, with its contents and the time of its last change.
fn files(directory: &Path) -> BTreeMap<String, (Vec<u8>, std::time::SystemTime)> {
    let mut all = BTreeMap::new();
    for entry in std::fs::read_dir(directory).unwrap().map(|entry| entry.unwrap()) {
        let (path, metadata) = (entry.path(), entry.metadata().unwrap());
        if metadata.is_dir() {
            all.extend(files(&path));
        } else if metadata.is_file() {
            all.insert(
                path.display().to_string(),
                (std::fs::read(&path).unwrap(), metadata.modified().unwrap()),
            );
        }
    }
    all
}

#[test]
fn a_dry_run_says_what_it_would_do_and_does_none_of_it() {
    let world = World::new();
    let server = Server::new(&world.server, DOORS);
    let laptop = Laptop::new(&world.laptop, &world.server);
    server.enrol(&laptop, "alice", &["--door", "ssh", "--door", "run"]);
    server.write("note", &format!("#!/bin/sh\ntouch {}\n", server.path("noted").display()), 0o700);
    let before = files(&server.path(""));
    let mut dry = server.start_command(&["run", "--dry-run", "--log-level", "debug"]);
    dry.await_output("event=\"dry-run\"");
    let from = world.laptop.v4.into();
    let send = |service: &str, wanted: &str| {
        until(PATIENCE, wanted, || {
            let packet = laptop.seal(&server.key(), now(), &open(service, Addresses::NONE.with_sender(), 0));
            laptop.send(&packet, from, spa_port(&world, from));
            std::thread::sleep(Duration::from_millis(20));
            dry.output().contains(wanted)
        });
    };
    send("ssh", "event=\"would-open\" address=192.0.2.2 port=tcp/22 span=\"60s\"");
    send(
        "run",
        &format!("event=\"would-run\" door=\"run\" command=\"{} 192.0.2.2\"", server.path("note").display()),
    );
    Laptop::new(&world.stranger, &world.server)
        .run(&format!("knock -4 -d 5 {NAME} 7000 8000 9000"))
        .ended_with(0);
    let stranger = format!("event=\"would-open\" address={} port=tcp/22", world.stranger.v4);
    dry.await_output(&stranger);
    // A packet is good once, also here; and a reload reads again.
    dry.signal(Signal::HUP);
    dry.await_output("event=\"reloaded\"");
    dry.signal(Signal::TERM);
    assert!(dry.wait().success(), "{}", dry.output());
    let said = dry.output();
    assert!(
        said.contains("event=\"would-run\" door=\"run\" command=") && said.contains(" no 192.0.2.2"),
        "{said}"
    );
    let untagged: Vec<_> =
        said.lines().filter(|line| line.contains("event=") && !line.contains("dry-run")).collect();
    assert_eq!(untagged, [""; 0]);
    assert_eq!(files(&server.path("")), before, "nothing is written, and nothing has run");
    assert_eq!(server.guard(), None);
}

#[test]
fn a_dry_run_beside_the_daemon_leaves_it_alone() {
    let world = World::new();
    let (mut server, laptop) = enrolled(&world, DEFAULT);
    laptop.run("open ssh gw --no-wait --for 10m").ended_with(0);
    until(PATIENCE, "the openings", || server.openings().len() == 2);
    let from = world.laptop.v4.into();
    let old = laptop.seal(&server.key(), now(), &open("ssh", Addresses::NONE.with_sender(), 0));
    laptop.send(&old, from, spa_port(&world, from));
    let before = await_packets(&server, 2);
    let mut dry = server.start_command(&["run", "--dry-run"]);
    dry.await_output("event=\"dry-run\"");
    // What the daemon took is known to be taken.
    until(PATIENCE, "the copy to be refused", || {
        laptop.send(&old, from, spa_port(&world, from));
        std::thread::sleep(Duration::from_millis(20));
        dry.output().contains("event=\"refused\"")
    });
    assert!(!dry.output().contains("event=\"opened\""), "{}", dry.output());
    laptop.run("open ssh gw --no-wait").ended_with(0);
    dry.await_output("event=\"would-open\"");
    dry.signal(Signal::TERM);
    assert!(dry.wait().success());
    assert!(server.status().counters.accepted > before.accepted);
    assert!(server.is_running() && left(&server, world.laptop.v4, "tcp/22").is_some());
}
