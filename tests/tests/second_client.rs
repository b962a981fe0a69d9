//! Another implementation of the client, `tests/clients/knock_spa.py`: made from `docs/protocol.md` alone, in Python, with
//! nobody's code in common. It opens a door of the real daemon, and agrees with the vectors, which the reader beside it
//! checks from the other side as well.

use std::fs;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::process::Command;
use std::time::Duration;

use knock_spa_keys::client::{ClientSecret, ClientSecretLine};
use knock_spa_keys::comment::Comment;
use knock_spa_tests::invited::{device, listed};
use knock_spa_tests::lab::{Answer, Echo, PATIENCE, World, until};
use knock_spa_tests::laptop::Laptop;
use knock_spa_tests::programs::Run;
use knock_spa_tests::server::{DEFAULT, Server};

/// How long silence is waited for.
const SILENCE: Duration = Duration::from_millis(250);

fn program(name: &str) -> PathBuf {
    [env!("CARGO_MANIFEST_DIR"), "clients", name].iter().collect()
}

/// The client's program on a laptop, which finds the server by its name.
fn second_client(laptop: &Laptop<'_>, words: &[&str]) -> Command {
    let mut command = laptop.with_hosts();
    command.arg(program("knock_spa.py")).args(words);
    command
}

#[test]
fn it_has_sixty_lines_at_most() {
    let text = fs::read_to_string(program("knock_spa.py")).unwrap();
    assert!(text.lines().count() <= 60, "{} lines", text.lines().count());
    assert!(text.lines().all(|line| line.len() <= 120), "long lines are no way to have fewer");
}

#[test]
fn it_agrees_with_the_vectors_both_ways() {
    // Without a directory of compiled modules beside the sources.
    let run = Command::new(program("vectors.py")).env("PYTHONDONTWRITEBYTECODE", "1").output().unwrap();
    assert!(run.status.success() && !run.stdout.is_empty(), "{}", String::from_utf8_lossy(&run.stderr));
}

#[test]
fn it_opens_a_door_over_either_family_once_for_each_packet() {
    let world = World::new();
    let _service = Echo::tcp(&world.server, 22);
    let server = Server::running(&world.server, DEFAULT);
    let laptop = Laptop::new(&world.laptop, &world.server);
    server.enrol(&laptop, "alice", &["--door", "ssh"]);
    let key = laptop.path("home/client.key");
    for (number, ip) in (1..).zip(world.server.addresses()) {
        let to = SocketAddr::new(ip, 22);
        assert_eq!(world.laptop.connect(to, SILENCE), Answer::Silent, "{to}");
        let line = laptop.path("server");
        let endpoint = SocketAddr::new(ip, 62201).to_string();
        let known = server.line().to_string();
        let (known, _) = known.rsplit_once(' ').unwrap();
        fs::write(&line, format!("{known} {endpoint}\n")).unwrap();
        let words = ["open", key.to_str().unwrap(), line.to_str().unwrap(), "ssh"];
        Run::of(&world.laptop, &mut second_client(&laptop, &words), "").ended_with(0);
        until(PATIENCE, "the packet to be accepted", || server.status().counters.accepted == number);
        assert_eq!(world.laptop.connect(to, PATIENCE), Answer::Open, "{to}");
        assert_eq!(world.stranger.connect(to, SILENCE), Answer::Silent, "{to}");
    }
    let counters = server.status().counters;
    assert_eq!((counters.received, counters.accepted, counters.key_agreements), (2, 2, 2));
}

#[test]
fn what_it_may_not_open_stays_shut() {
    let world = World::new();
    let server =
        Server::running(&world.server, "[door.ssh]\nports = ['tcp/22']\n[door.web]\nports = ['tcp/80']\n");
    let laptop = Laptop::new(&world.laptop, &world.server);
    server.enrol(&laptop, "alice", &["--door", "ssh"]);
    let (key, line) = (laptop.path("home/client.key"), laptop.path("server"));
    fs::write(&line, format!("{}\n", server.line())).unwrap();
    let words = ["open", key.to_str().unwrap(), line.to_str().unwrap(), "ssh,web"];
    Run::of(&world.laptop, &mut second_client(&laptop, &words), "").ended_with(0);
    until(PATIENCE, "the packet to be refused", || server.refused("unauthorised") == 1);
    assert!(server.openings().is_empty());
}

#[test]
fn it_enrols_by_an_invitation_once_and_its_key_opens_the_door() {
    let world = World::new();
    let _service = Echo::tcp(&world.server, 22);
    let server = Server::running(&world.server, DEFAULT);
    let laptop = Laptop::new(&world.laptop, &world.server);
    let paths = ["key", "other-key", "invitation", "server"].map(|name| laptop.path(name));
    let [key, other_key, invitation, line] = paths.each_ref().map(|path| path.to_str().unwrap());
    let devices = [device(), device()];
    for (path, secret) in [key, other_key].into_iter().zip(&devices) {
        let secret = ClientSecret::from_seed(*secret.expose());
        fs::write(path, &*ClientSecretLine { secret, comment: Comment::default() }.to_text()).unwrap();
    }
    let invited = server.invite("laptop", &["--door", "ssh"]);
    fs::write(invitation, &*invited.to_text()).unwrap();
    let enrol = |key| {
        drop(
            Run::of(&world.laptop, &mut second_client(&laptop, &["enrol", key, invitation]), "")
                .ended_with(0),
        )
    };
    enrol(key);
    until(PATIENCE, "the client to be enrolled", || server.status().counters.accepted == 1);
    enrol(key);
    until(PATIENCE, "the same key to change nothing", || server.refused("already-enrolled") == 1);
    enrol(other_key);
    until(PATIENCE, "another key to be refused", || server.refused("taken") == 1);
    assert_eq!(server.enrolled(), [listed("laptop", &devices[0].public())]);

    fs::write(line, server.line().to_string()).unwrap();
    Run::of(&world.laptop, &mut second_client(&laptop, &["open", key, line, "ssh"]), "").ended_with(0);
    until(PATIENCE, "the packet to be accepted", || server.status().counters.accepted == 2);
    assert!(server.openings().iter().all(|opening| opening.by == "laptop"));
    assert!(!server.openings().is_empty());
}
