//! `SPA = NAME, PORTS`: one packet of an enrolled client opens a door of knockd's file, by the same commands.

use std::fs;
use std::net::SocketAddr;
use std::time::Duration;

use knock_spa_keys::invitation::InvitationLine;
use knock_spa_keys::server::ServerLine;
use knock_spa_proto::spa::request::Addresses;
use knock_spa_proto::spa::seal;
use knock_spa_tests::invited;
use knock_spa_tests::lab::{PATIENCE, until};
use knock_spa_tests::laptop::{Laptop, now, open, random};
use knock_spa_tests::programs::{Run, knock_spad};
use knock_spa_tests::server::NAME;
use rustix::process::Signal;

use crate::daemon::Daemon;
use crate::scene::{Scene, door};

/// The old door, and the line that makes it one for packets.
fn with_line(more: &str) -> String {
    door("SSH", "7000,8000", &format!("SPA = ssh, tcp/22\n{more}"))
}

impl Scene {
    /// `knock-spad` with these words, and knockd's file where it always is.
    fn knock_spad(&self, words: &[&str]) -> Run {
        let mut command = self.inside(knock_spad().to_str().unwrap());
        command.args(["--config", "/etc/knockd.conf"]).args(words);
        Run::of(&self.server, &mut command, "")
    }

    /// Makes the server's key, and enrols a laptop under this name.
    fn enrol(&self, name: &str) -> Laptop<'_> {
        self.knock_spad(&["init", "--endpoint", NAME]).ended_with(0);
        let laptop = Laptop::new(&self.laptop, &self.server);
        let line = laptop.line();
        let added = self.knock_spad(&["client", "add", name, &line, "--door", "ssh"]).ended_with(0);
        laptop.run_words(&["enroll", added.out.trim(), "--host", "gw"]).ended_with(0);
        laptop
    }

    /// The daemon as most have it: the configuration where it always is.
    fn start_as_always(&self) -> Daemon<'_> {
        let mut command = self.inside(self.knockd_link().to_str().unwrap());
        command.arg("-g").arg(self.path("log")).arg("-vD");
        self.start_command(&mut command)
    }
}

/// How often a note was written.
fn count(scene: &Scene, note: &str) -> usize {
    scene.notes().iter().filter(|found| *found == note).count()
}

#[test]
fn an_invitation_makes_a_client_of_the_old_door() {
    let scene = Scene::new(&with_line("cmd_timeout = 4"));
    scene.knock_spad(&["init", "--endpoint", NAME]).ended_with(0);
    let mut daemon = scene.start_as_always();
    let run = scene.knock_spad(&["invite", "laptop", "--door", "ssh"]).ended_with(0);
    let invitation: InvitationLine = run.out.trim().parse().unwrap();
    let ours = invited::device();
    let to = SocketAddr::new(scene.server.v4.into(), 62201);
    let send = |packet: &[u8]| scene.laptop.send_udp(SocketAddr::new(scene.laptop.v4.into(), 0), to, packet);
    send(&invited::packet(&invitation, &ours));
    let enrolled = || scene.knock_spad(&["client", "list"]).ended_with(0).out.contains("laptop");
    until(PATIENCE, "the client to be enrolled", enrolled);
    let request = open("ssh", Addresses::NONE.with_sender(), 0);
    send(&seal(&invitation.server.key, &ours, now(), &request, random()));
    scene.await_note("SSH start 192.0.2.2");
    assert_eq!(daemon.end(Signal::TERM).code(), Some(15));
    let enrolled = format!("] 192.0.2.2: enrolled as laptop, {}\n", ours.public().fingerprint());
    assert!(scene.read("log").contains(&enrolled), "{}", scene.read("log"));
}

#[test]
fn a_packet_opens_the_old_door_extends_it_and_closes_it() {
    let scene = Scene::new(&with_line("cmd_timeout = 4"));
    let laptop = scene.enrol("alice");
    let mut daemon = scene.start_as_always();
    laptop.run("open ssh gw -4 --source sender --no-wait").ended_with(0);
    scene.await_note("SSH start 192.0.2.2");
    crate::scene::pass(Duration::from_millis(1500));
    laptop.run("open ssh gw -4 --source sender --no-wait").ended_with(0);
    scene.await_notes(&["SSH start 192.0.2.2", "SSH stop 192.0.2.2"]);
    let took = scene.noted_at("SSH stop 192.0.2.2") - scene.noted_at("SSH start 192.0.2.2");
    assert!((5.5..9.5).contains(&took), "open for {took} s");

    laptop.run("open tcp/22 gw -4 --source sender --no-wait --for 10m").ended_with(0);
    until(PATIENCE, "it to open again", || count(&scene, "SSH start 192.0.2.2") == 2);
    laptop.run("close ssh gw -4").ended_with(0);
    until(PATIENCE, "it to close", || count(&scene, "SSH stop 192.0.2.2") == 2);

    // Whoever knocks still comes in, and everything is closed at the end.
    scene.flush("192.0.2.10", "7000 8000", "SSH start 192.0.2.10");
    laptop.run("open ssh gw -4 --source sender --no-wait").ended_with(0);
    until(PATIENCE, "it to open again", || count(&scene, "SSH start 192.0.2.2") == 3);
    assert_eq!(daemon.end(Signal::TERM).code(), Some(15));
    assert_eq!(count(&scene, "SSH stop 192.0.2.10"), 1);
    assert_eq!(count(&scene, "SSH stop 192.0.2.2"), 3);
    // Everybody who came in by a packet is in the log.
    let log = scene.read("log");
    let lines = log.lines().filter_map(|line| line.split_once("] 192.0.2.2: ssh: "));
    let told: Vec<_> = lines.map(|(_, what)| what).collect();
    let wanted = [
        "opened by alice for 4s",
        "extended by alice for 4s",
        "closed (expired)",
        "opened by alice for 600s",
        "closed (client)",
        "opened by alice for 4s",
        "closed (stop)",
    ];
    assert_eq!(told, wanted, "{log}");
}

/// Two daemons would each take a packet once. Knocks are nobody's, and both hear them.
#[test]
fn a_second_daemon_takes_no_packets() {
    let scene = Scene::new(&with_line("cmd_timeout = 600"));
    let laptop = scene.enrol("alice");
    let first = scene.start_as_always();
    let second = scene.start_as_always();
    assert!(!first.running.output().contains("packets-refused"), "{}", first.running.output());
    assert!(second.running.output().contains("packets-refused"), "{}", second.running.output());
    // Made so late that a daemon which knows of no packet could take it for none that was taken before.
    let (started, window) = (now(), Duration::from_secs(60));
    let late = started.saturating_add(window + Duration::from_millis(200));
    until(PATIENCE, "the packet's time", || now().saturating_add(window) > late);
    let line: ServerLine = scene.knock_spad(&["key", "show"]).ended_with(0).out.trim().parse().unwrap();
    let packet = laptop.seal(&line.key, late, &open("ssh", Addresses::NONE.with_sender(), 0));
    laptop.send(&packet, scene.laptop.v4.into(), SocketAddr::new(scene.server.v4.into(), 62201));
    scene.await_note("SSH start 192.0.2.2");
    scene.knock("192.0.2.10", "7000 8000");
    until(PATIENCE, "both to hear a knock", || count(&scene, "SSH start 192.0.2.10") == 2);
    assert_eq!(count(&scene, "SSH start 192.0.2.2"), 1);
}

#[test]
fn what_a_packet_opened_is_closed_after_a_crash() {
    let scene = Scene::new(&with_line("cmd_timeout = 3"));
    let laptop = scene.enrol("alice");
    let daemon = scene.start_as_always();
    laptop.run("open ssh gw -4 --source sender --no-wait").ended_with(0);
    scene.await_note("SSH start 192.0.2.2");
    daemon.kill(true, true);
    let _daemon = scene.start_as_always();
    scene.await_notes(&["SSH start 192.0.2.2", "SSH stop 192.0.2.2"]);
}

#[test]
fn a_daemon_with_a_door_for_packets_takes_commands() {
    let scene = Scene::new(&with_line("cmd_timeout = 600"));
    let first = scene.enrol("alice");
    let mut daemon = scene.start_as_always();
    let second = Laptop::new(&scene.laptop, &scene.server);
    let line = second.line();
    let added = scene.knock_spad(&["client", "add", "bob", &line, "--door", "ssh"]).ended_with(0);
    second.run_words(&["enroll", added.out.trim(), "--host", "gw"]).ended_with(0);
    second.run("open ssh gw -4 --source sender --no-wait").ended_with(0);
    scene.await_note("SSH start 192.0.2.2");
    scene.knock_spad(&["status"]).ended_with(0).said("ssh for 192.0.2.2").said("by bob");
    scene.knock_spad(&["close", "ssh"]).ended_with(0);
    scene.await_note("SSH stop 192.0.2.2");
    // Who is removed is so at once.
    scene.knock_spad(&["client", "remove", "alice"]).ended_with(0);
    first.run("open ssh gw -4 --source sender --no-wait").ended_with(0);
    daemon.running.await_output("reason=unknown-client");
    scene.knock_spad(&["reload"]).ended_with(0);
    daemon.end(Signal::TERM);
    scene.knock_spad(&["status"]).ended_with(69).said("only where the configuration had a line SPA");
}

#[test]
fn with_a_broken_key_the_old_doors_open_and_it_is_said_aloud() {
    let scene = Scene::new(&with_line("cmd_timeout = 600"));
    scene.enrol("alice");
    let key = scene.path("lib/knock-spa/server.key");
    for broken in [Some("nonsense\n"), None] {
        match broken {
            Some(text) => fs::write(&key, text).unwrap(),
            None => fs::remove_file(&key).unwrap(),
        }
        let mut daemon = scene.start_as_always();
        let output = daemon.running.output();
        assert!(output.contains("server.key") && output.contains("not for packets"), "{output}");
        scene.flush("192.0.2.10", "7000 8000", "SSH start 192.0.2.10");
        assert_eq!(daemon.end(Signal::TERM).code(), Some(15));
        fs::remove_file(scene.path("notes")).unwrap();
    }
}

#[test]
fn a_key_that_is_mended_counts_after_the_next_start_and_a_reload_says_so() {
    let scene = Scene::new(&with_line("cmd_timeout = 600"));
    scene.enrol("alice");
    let key = scene.path("lib/knock-spa/server.key");
    let good = fs::read_to_string(&key).unwrap();
    fs::write(&key, "nonsense\n").unwrap();
    let mut daemon = scene.start_as_always();
    fs::write(&key, good).unwrap();
    daemon.reload();
    assert!(daemon.running.output().contains("after the next start"), "{}", daemon.running.output());
    scene.flush("192.0.2.10", "7000 8000", "SSH start 192.0.2.10");
    daemon.end(Signal::TERM);
    drop(daemon);
    let daemon = scene.start_as_always();
    assert!(!daemon.running.output().contains("packets-refused"), "{}", daemon.running.output());
}
