//! From an invitation to an open door, with packets made here: the real server, and whatever may happen to it.

use std::fs::File;

use knock_spa_keys::client::ClientSecret;
use knock_spa_keys::invitation::InvitationLine;
use knock_spa_proto::spa::request::Addresses;
use knock_spa_proto::spa::{PACKET_LEN, seal};
use knock_spa_tests::invited::{device, listed, packet};
use knock_spa_tests::lab::Echo;
use knock_spa_tests::laptop::{now, open, random};
use knock_spa_tests::server::DEFAULT;
use rustix::fs::{FlockOperation, flock};
use rustix::process::Signal;

use super::*;

/// Sends a packet from the laptop, over IPv4.
fn send(world: &World, packet: &[u8; PACKET_LEN]) {
    let from: IpAddr = world.laptop.v4.into();
    world.laptop.send_udp(SocketAddr::new(from, 0), spa_port(world, from), packet);
}

/// Asks for the door `ssh` with this key.
fn knock(world: &World, invitation: &InvitationLine, device: &ClientSecret) {
    let request = open("ssh", Addresses::NONE.with_sender(), 0);
    send(world, &seal(&invitation.server.key, device, now(), &request, random()));
}

fn await_refusal(server: &Server<'_>, reason: &str, count: u64) {
    until(PATIENCE, &format!("{count} {reason}"), || server.refused(reason) >= count);
}

/// How the invitation of this name is listed: its state, and who came by it.
fn state(server: &Server<'_>, name: &str) -> (String, Option<String>) {
    let run = server.command(&["invite", "list", "--json"]).ended_with(0);
    let rows: Vec<serde_json::Value> = serde_json::from_str(&run.out).unwrap();
    let row = rows.iter().find(|row| row["name"] == name).expect("it is there");
    (row["state"].as_str().unwrap().to_owned(), row["used-by"].as_str().map(ToOwned::to_owned))
}

#[test]
fn an_invitation_makes_one_client_and_that_one_gets_in() {
    let world = World::new();
    let _service = Echo::tcp(&world.server, 22);
    let mut server = Server::running(&world.server, DEFAULT);
    let invitation = server.invite("laptop", &["--door", "ssh"]);
    assert_eq!((server.status().invitations, state(&server, "laptop").0), (1, "pending".into()));
    let [ours, theirs] = [device(), device()];
    knock(&world, &invitation, &ours);
    knock(&world, &invitation, &invitation.secret);
    await_refusal(&server, "unknown-client", 1);
    await_refusal(&server, "unauthorised", 1);

    let first = packet(&invitation, &ours);
    send(&world, &first);
    until(PATIENCE, "the client to be enrolled", || server.status().counters.accepted == 1);
    assert_eq!(server.enrolled(), [listed("laptop", &ours.public())]);
    let used = ("used".to_owned(), Some(ours.public().fingerprint().to_string()));
    assert_eq!(
        (server.status().clients, server.status().invitations, state(&server, "laptop")),
        (1, 0, used)
    );
    server.await_log(&format!("fingerprint={} from=192.0.2.2", ours.public().fingerprint()));
    knock(&world, &invitation, &ours);
    until(PATIENCE, "the door to open", || server.openings().len() == 1);
    assert_open(&world.laptop, world.server.v4, 22);

    // Nobody comes after it, before or after a restart, and the same again is nothing new.
    for round in 1..=2 {
        send(&world, &packet(&invitation, &ours));
        send(&world, &packet(&invitation, &theirs));
        await_refusal(&server, "already-enrolled", 1);
        await_refusal(&server, "taken", 1);
        assert_eq!(server.enrolled(), [listed("laptop", &ours.public())], "{round}");
        server.end(Signal::KILL);
        server.start();
        send(&world, &first);
        await_refusal(&server, "replayed", 1);
    }
}

#[test]
fn what_is_revoked_or_over_enrols_nobody_from_that_moment_on() {
    let world = World::new();
    let server = Server::running(&world.server, DEFAULT);
    let revoked = server.invite("laptop", &["--door", "ssh"]);
    server.command(&["invite", "revoke", "laptop"]).ended_with(0).said("revoked the invitation laptop");
    send(&world, &packet(&revoked, &device()));
    await_refusal(&server, "unknown-client", 1);
    // Who edits files by hand reads them again.
    let over = server.invite("laptop", &["--door", "ssh"]);
    let path = server.path("state/invitations.d/laptop.toml");
    let text = std::fs::read_to_string(&path).unwrap();
    let text: String =
        text.lines().filter(|line| !line.starts_with("expires")).map(|line| format!("{line}\n")).collect();
    std::fs::write(&path, format!("{text}expires = 2020-01-01T00:00:00Z\n")).unwrap();
    server.command(&["reload"]).ended_with(0);
    send(&world, &packet(&over, &device()));
    await_refusal(&server, "unknown-client", 2);
    assert_eq!((server.enrolled(), state(&server, "laptop").0), (vec![], "expired".into()));
}

#[test]
fn invitations_are_made_while_nobody_runs_and_a_removed_client_stays_out() {
    let world = World::new();
    let mut server = Server::new(&world.server, DEFAULT);
    let invitation = server.invite("laptop", &["--door", "ssh"]);
    server.start();
    let ours = device();
    send(&world, &packet(&invitation, &ours));
    until(PATIENCE, "the client to be enrolled", || server.status().clients == 1);
    server.command(&["client", "remove", "laptop"]).ended_with(0);
    send(&world, &packet(&invitation, &ours));
    send(&world, &packet(&invitation, &device()));
    await_refusal(&server, "unknown-client", 2);
    assert_eq!(server.enrolled(), []);
    // The name is free again.
    let again = server.invite("laptop", &["--door", "ssh"]);
    send(&world, &packet(&again, &ours));
    until(PATIENCE, "the client to be enrolled", || server.enrolled() == [listed("laptop", &ours.public())]);
}

#[test]
fn a_file_that_cannot_be_used_is_told_and_stops_nobody() {
    let world = World::new();
    let mut server = Server::new(&world.server, DEFAULT);
    let invitation = server.invite("laptop", &["--door", "ssh"]);
    server.write("state/invitations.d/broken.toml", "key = 1\ncolour = 'red'\n", 0o600);
    let run = server.command(&["check"]).ended_with(1);
    run.said("broken.toml:2: error: colour: unknown key").said("3 errors");
    server.start();
    server.await_log("invitation-unusable");
    send(&world, &packet(&invitation, &device()));
    until(PATIENCE, "the client to be enrolled", || server.status().clients == 1);
}

/// Somebody changes clients at the same moment; the disk cannot be written.
#[test]
fn who_is_not_enrolled_for_want_of_a_disk_is_counted_and_tries_again() {
    let world = World::new();
    let mut server = Server::running(&world.server, DEFAULT);
    let invitation = server.invite("laptop", &["--door", "ssh"]);
    let ours = device();
    let directory = File::open(server.path("state/clients.d")).unwrap();
    flock(&directory, FlockOperation::LockExclusive).unwrap();
    send(&world, &packet(&invitation, &ours));
    await_refusal(&server, "unrecorded", 1);
    server.await_log("not-enrolled");
    let told = server.status().refusals.pop().unwrap();
    assert_eq!((told.reason.as_str(), told.client.as_deref()), ("unrecorded", Some("invitation laptop")));
    drop(directory);
    // A directory where the client's file belongs: the name is taken.
    let path = server.path("state/clients.d/laptop.toml");
    std::fs::create_dir(&path).unwrap();
    send(&world, &packet(&invitation, &ours));
    await_refusal(&server, "taken", 1);
    std::fs::remove_dir(&path).unwrap();
    assert_eq!(state(&server, "laptop").0, "pending");
    send(&world, &packet(&invitation, &ours));
    until(PATIENCE, "the client to be enrolled", || server.enrolled() == [listed("laptop", &ours.public())]);
}

#[test]
fn a_daemon_that_is_killed_at_any_moment_enrols_one() {
    let world = World::new();
    let mut server = Server::running(&world.server, DEFAULT);
    for round in 0..8_u32 {
        let name = format!("laptop{round}");
        let invitation = server.invite(&name, &["--door", "ssh"]);
        let [first, second] = [device(), device()];
        send(&world, &packet(&invitation, &first));
        // Somewhere between the packet and the last of the files.
        for _ in 0..round * 500 {
            std::thread::yield_now();
        }
        server.kill();
        let is_there = server.enrolled().iter().any(|(found, _)| *found == name);
        server.start();
        let before = server.status().counters.accepted;
        send(&world, &packet(&invitation, &second));
        if is_there {
            await_refusal(&server, "taken", 1);
        } else {
            until(PATIENCE, "the other to be enrolled", || server.status().counters.accepted > before);
        }
        send(&world, &packet(&invitation, &first));
        let reason = if is_there { "already-enrolled" } else { "taken" };
        await_refusal(&server, reason, 1);
        let who = if is_there { &first } else { &second };
        let named = |(found, _): &&(String, String)| *found == name;
        assert_eq!(server.enrolled().iter().find(named), Some(&listed(&name, &who.public())));
        assert_eq!(state(&server, &name), ("used".into(), Some(who.public().fingerprint().to_string())));
    }
}
