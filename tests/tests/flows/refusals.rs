//! What is not granted: the client says that it did not work, the server why.

use knock_spa_proto::spa::request::Addresses;
use knock_spa_tests::lab::Echo;
use knock_spa_tests::laptop::{now, open};
use rustix::process::Signal;

use super::*;

const DOORS: &str = "[door.ssh]\nports = ['tcp/22']\n[door.web]\nports = ['tcp/8080']\n";

/// A client with these rights asks for that, and is refused for this reason.
struct Row {
    name: &'static str,
    /// `None`: it is not enrolled.
    rights: Option<&'static str>,
    asks: &'static str,
    reason: &'static str,
    /// Whether the server knows for certain whose packet it was.
    proven: bool,
}

const fn row(
    name: &'static str,
    rights: Option<&'static str>,
    asks: &'static str,
    reason: &'static str,
    proven: bool,
) -> Row {
    Row { name, rights, asks, reason, proven }
}

const ROWS: [Row; 16] = [
    row("other-door", Some("--door ssh"), "web gw --probe 8080", "unauthorised", true),
    row("one-too-much", Some("--door ssh"), "ssh,web gw", "unauthorised", true),
    row("port-of-door", Some("--door ssh"), "tcp/8080 gw", "unauthorised", true),
    row("other-port", Some("--service tcp/8080"), "ssh gw", "unauthorised", true),
    row("no-door", Some("--door ssh --door web"), "nowhere gw --probe 22", "unauthorised", true),
    row("no-port", Some("--service tcp/1-65535"), "tcp/23 gw --probe 22", "unauthorised", true),
    row("other-transport", Some("--service udp/22"), "ssh gw", "unauthorised", true),
    row("no-rights", Some(""), "ssh gw", "unauthorised", true),
    row("claimed", Some("--door ssh --address claimed"), "ssh gw --source sender", "unauthorised", true),
    row("match-sender", Some("--door ssh --address match"), "ssh gw --source sender", "unauthorised", true),
    row(
        "match-other",
        Some("--door ssh --address match"),
        "ssh gw -4 --source 192.0.2.9",
        "unauthorised",
        true,
    ),
    row("elsewhere", Some("--door ssh --from 198.51.100.0/24"), "ssh gw -4", "unauthorised", true),
    row("the-server", Some("--door ssh"), "ssh gw -4 --source 192.0.2.1", "unauthorised", true),
    row("expired", Some("--door ssh --not-after 2020-01-01"), "ssh gw", "unknown-client", false),
    row("not-yet", Some("--door ssh --not-before 2099-01-01"), "ssh gw", "unknown-client", false),
    row("stranger", None, "ssh gw", "unknown-client", false),
];

impl Row {
    /// What the client says, who knows only that nothing opened.
    fn hint(&self) -> &'static str {
        if self.asks.contains("--source 192.0.2.") {
            "it is for somebody else's address"
        } else {
            "on the server, `knock-spad status` tells why"
        }
    }
}

#[test]
fn each_reason_is_counted_and_told() {
    let world = World::new();
    let _services = [Echo::tcp(&world.server, 22), Echo::tcp(&world.server, 8080)];
    let server = Server::running(&world.server, DOORS);
    let devices: Vec<_> = ROWS.iter().map(|_| Laptop::new(&world.laptop, &world.server)).collect();
    for (row, device) in ROWS.iter().zip(&devices) {
        match row.rights {
            Some(rights) => {
                server.enrol(device, row.name, &rights.split_whitespace().collect::<Vec<_>>());
            }
            None => {
                let line = server.line().to_string();
                device.run_words(&["enroll", &line, "--host", "gw"]).ended_with(0);
            }
        }
    }
    // All at once, for each waits a second in vain.
    let asking: Vec<_> = ROWS
        .iter()
        .zip(&devices)
        .map(|(row, device)| device.spawn(&format!("open --wait 1s {}", row.asks)))
        .collect();
    for (row, mut client) in ROWS.iter().zip(asking) {
        assert_eq!(client.wait().code(), Some(69), "{}: {}", row.name, client.output());
        client.await_output(row.hint());
    }
    let count = u64::try_from(ROWS.len()).unwrap();
    let counters = await_packets(&server, count);
    assert_eq!(counters.accepted, 0);
    let status = server.status();
    assert_eq!(status.openings, []);
    for reason in ["unauthorised", "unknown-client"] {
        let expected = ROWS.iter().filter(|row| row.reason == reason).count();
        assert_eq!(status.counters.refused[reason], u64::try_from(expected).unwrap(), "{reason}");
        server.command(&["status"]).ended_with(0).said(&format!("  {expected} {reason}\n"));
    }
    for row in ROWS.iter().filter(|row| row.proven) {
        let told = status.refusals.iter().find(|refusal| refusal.client.as_deref() == Some(row.name));
        let told = told.unwrap_or_else(|| panic!("{} in {:#?}", row.name, status.refusals));
        assert_eq!((&*told.reason, &*told.from), (row.reason, "192.0.2.2"), "{}", row.name);
    }
    let unproven = status.refusals.iter().filter(|refusal| refusal.client.is_none()).count();
    assert_eq!(unproven, ROWS.iter().filter(|row| !row.proven).count());
}

#[test]
fn who_asks_too_often_waits() {
    let world = World::new();
    let server = Server::running(&world.server, DOORS);
    let laptop = Laptop::new(&world.laptop, &world.server);
    server.enrol(&laptop, "alice", &["--door", "ssh", "--rate", "1/min"]);
    let from = world.laptop.v4.into();
    let request = open("ssh", Addresses::NONE.with_sender(), 0);
    for _ in 0..25 {
        laptop.send(&laptop.seal(&server.key(), now(), &request), from, spa_port(&world, from));
    }
    let counters = await_packets(&server, 25);
    assert_eq!((counters.accepted, counters.refused["too-often"]), (20, 5));
}

#[test]
fn a_listener_that_dies_is_started_again() {
    let world = World::new();
    let _service = Echo::tcp(&world.server, 22);
    let (mut server, laptop) = enrolled(&world, DOORS);
    laptop.run("open ssh gw -4").ended_with(0);
    let mut before = server.listener();
    for times in 1..=3 {
        server.kill_listener();
        until(PATIENCE, "another listener", || {
            let listener = server.status().listener;
            listener.ready && listener.restarts == times
        });
        assert_ne!(server.listener(), before);
        before = server.listener();
        assert_open(&world.laptop, world.server.v4, 22);
        laptop.run("open ssh gw -6").ended_with(0);
        server.command(&["close", "ssh", "2001:db8:1::2"]).ended_with(0);
    }
    server.await_log("listener-lost");
    assert_eq!(server.status().counters.accepted, 4, "what was counted before is not forgotten");
    server.signal(Signal::TERM);
    assert!(server.wait().0.success());
}
