//! The daemon's own files: one daemon at a time, and whatever a crash makes of the journal.

use std::fs;

use knock_spa_proto::spa::request::Addresses;
use knock_spa_tests::laptop::{now, open};
use knock_spa_tests::server::DEFAULT;

use super::*;

/// Has the laptop open the door for one address, and then for the other.
fn open_one_by_one(server: &Server<'_>, laptop: &Laptop<'_>) {
    for (count, family) in [(1, "-4"), (2, "-6")] {
        laptop.run(&format!("open ssh gw {family} --no-wait --for 1h")).ended_with(0);
        until(PATIENCE, "the door to open", || server.openings().len() == count);
    }
}

/// Changes the journal's records, without the room of zeros behind them.
fn change_journal(server: &Server<'_>, change: impl FnOnce(&mut Vec<u8>)) {
    let path = server.path("state/journal");
    let mut bytes = fs::read(&path).unwrap();
    // Behind the header line, a record is its length, eight bytes of a checksum, and a payload of that length.
    let length = |at: usize| bytes[at..].first_chunk().map_or(0, |length| u32::from_be_bytes(*length));
    let mut end = bytes.iter().position(|byte| *byte == b'\n').unwrap() + 1;
    while length(end) > 0 {
        end += 12 + usize::try_from(length(end)).unwrap();
    }
    bytes.truncate(end);
    change(&mut bytes);
    fs::write(path, bytes).unwrap();
}

#[test]
fn a_second_daemon_is_refused_and_does_not_harm_the_first() {
    let world = World::new();
    let (mut server, laptop) = enrolled(&world, DEFAULT);
    let run = server.command(&["run"]).ended_with(69);
    run.said("is in use: another knock-spad runs with this state");
    server.command(&["init"]).ended_with(0);
    laptop.run("open ssh gw --no-wait").ended_with(0);
    until(PATIENCE, "the door to open", || server.openings().len() == 2);
    server.stop();
    server.command(&["status"]).ended_with(69).said("no daemon answers").said("systemctl start");
    server.start();
}

#[test]
fn a_record_that_was_half_written_is_cut() {
    let world = World::new();
    let (mut server, laptop) = enrolled(&world, DEFAULT);
    open_one_by_one(&server, &laptop);
    server.kill();
    change_journal(&server, |bytes| bytes.truncate(bytes.len() - 9));
    server.start();
    server.await_log("journal-cut");
    // What was not on record had not moved either; here it had, and is put right.
    let openings = server.openings();
    assert_eq!(openings.iter().map(|opening| &*opening.address).collect::<Vec<_>>(), ["192.0.2.2"]);
    assert_eq!(left(&server, world.laptop.v6, "tcp/22"), None);
    laptop.run("open ssh gw -6 --no-wait").ended_with(0);
    until(PATIENCE, "the door to open", || server.openings().len() == 2);
    server.kill();
    server.start();
    assert_eq!(server.openings().len(), 2, "the journal is whole again");
}

#[test]
fn rubbish_behind_the_last_record_is_cut() {
    let world = World::new();
    let (mut server, laptop) = enrolled(&world, DEFAULT);
    open_one_by_one(&server, &laptop);
    server.kill();
    change_journal(&server, |bytes| bytes.extend([0, 0, 0, 40, 1, 2, 3, 4, 5, 6, 7, 8, 9]));
    server.start();
    server.await_log("journal-cut");
    assert_eq!(server.openings().len(), 2);
}

#[test]
fn a_damaged_journal_is_set_aside_and_nothing_is_replayed() {
    let world = World::new();
    let (mut server, laptop) = enrolled(&world, &format!("{DEFAULT}[spa]\nwindow = '10s'\n"));
    let from = world.laptop.v4.into();
    let request = open("ssh", Addresses::NONE.with_sender(), 3600);
    let used = laptop.seal(&server.key(), now(), &request);
    let send = |packet: &[u8]| laptop.send(packet, from, spa_port(&world, from));
    send(&used);
    await_packets(&server, 1);
    server.kill();
    // The first byte behind the header line and the first record's length and checksum.
    change_journal(&server, |bytes| {
        let header = bytes.iter().position(|byte| *byte == b'\n').unwrap() + 1;
        bytes[header + 12] ^= 1;
    });
    server.start();
    server.await_log("journal-damaged");
    server.await_log("state-lost");
    assert!(server.path("state/journal.damaged-1").exists());
    assert_eq!((server.openings(), server.guard().unwrap().open), (vec![], vec![]));
    assert_silent(&world.stranger, world.server.v4, 22);

    send(&used);
    send(&laptop.seal(&server.key(), now(), &request));
    assert_eq!(await_packets(&server, 2).refused["replayed"], 2);
    // Packets made later than the window after the start are accepted, and so it is after another start.
    server.kill();
    server.start();
    let later = now().saturating_add(Duration::from_millis(9_900));
    send(&used);
    send(&laptop.seal(&server.key(), later, &request));
    let counters = await_packets(&server, 2);
    assert_eq!((counters.refused["replayed"], counters.accepted), (1, 1), "{counters:?}");
}

#[test]
fn a_journal_that_is_gone_is_state_lost() {
    let world = World::new();
    let (mut server, laptop) = enrolled(&world, DEFAULT);
    server.stop();
    fs::remove_file(server.path("state/journal")).unwrap();
    server.start();
    server.await_log("state-lost");
    laptop.run("open ssh gw --no-wait").ended_with(0);
    assert_eq!(await_packets(&server, 1).refused["replayed"], 1);
}

#[test]
fn what_is_no_journal_is_not_touched() {
    let world = World::new();
    let mut server = Server::new(&world.server, DEFAULT);
    for text in ["", "knock-spa-journal-v9\n", "rubbish"] {
        server.write("state/journal", text, 0o600);
        let run = server.command(&["run"]).ended_with(65);
        run.said("is no journal that this version reads");
        assert_eq!(fs::read_to_string(server.path("state/journal")).unwrap(), text);
    }
    fs::remove_file(server.path("state/journal")).unwrap();
    server.start();
}
