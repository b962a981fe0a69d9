//! Several daemons side by side, and a daemon that can keep nothing.

use std::fs;

use crate::daemon::Daemon;
use crate::scene::{Scene, door, note};

/// A door that tells which daemon has opened it.
fn door_of_each() -> String {
    let (start, stop) = (note("$WHO start"), note("$WHO stop"));
    format!(
        "[ssh]\nsequence = 7000,8000\ntcpflags = syn\nstart_command = {start}\nstop_command = {stop}\n\
         cmd_timeout = 600\n"
    )
}

/// Starts a daemon under a name that its commands know.
fn start<'s>(scene: &'s Scene, who: &str, arguments: &[&str]) -> Daemon<'s> {
    scene.start_command(scene.knockd(Scene::inside, arguments).env("WHO", who))
}

/// How many daemons keep something.
fn states(scene: &Scene) -> usize {
    fs::read_dir(scene.path("lib/knock-spa/knockd")).map_or(0, Iterator::count)
}

#[test]
fn daemons_on_two_interfaces_with_one_configuration_know_nothing_of_each_other() {
    let scene = Scene::new(&door_of_each());
    scene.lay_cable("eth1", "198.51.100", "2001:db8:2:");
    let first = start(&scene, "first", &["-i", "eth0"]);
    let second = start(&scene, "second", &["-i", "eth1"]);
    assert_eq!(states(&scene), 2);
    for daemon in [&first, &second] {
        assert!(!daemon.running.output().contains("state-in-memory"), "{}", daemon.running.output());
    }
    scene.flush("192.0.2.10", "7000 8000", "first start 192.0.2.10");
    scene.knock_at("198.51.100.10".parse().unwrap(), "198.51.100.1".parse().unwrap(), "7000 8000");
    scene.await_note("second start 198.51.100.10");
    assert_eq!(scene.notes().len(), 2);
    // What each has left open is its own to close.
    first.kill(true, true);
    second.kill(true, true);
    let mut second = start(&scene, "second", &["-i", "eth1"]);
    second.end(rustix::process::Signal::TERM);
    assert_eq!(scene.notes()[2..], ["second stop 198.51.100.10"]);
    let mut first = start(&scene, "first", &["-i", "eth0"]);
    first.end(rustix::process::Signal::TERM);
    assert_eq!(scene.notes()[3..], ["first stop 192.0.2.10"]);
}

#[test]
fn a_second_daemon_of_the_same_kind_keeps_its_state_in_memory_and_says_so() {
    let scene = Scene::new(&door_of_each());
    let mut first = start(&scene, "first", &[]);
    let mut second = start(&scene, "second", &[]);
    assert!(!first.running.output().contains("state-in-memory"));
    assert!(second.running.output().contains("state-in-memory"), "{}", second.running.output());
    scene.knock("192.0.2.10", "7000 8000");
    scene.await_note("first start 192.0.2.10");
    scene.await_note("second start 192.0.2.10");
    second.end(rustix::process::Signal::TERM);
    first.end(rustix::process::Signal::TERM);
    assert_eq!(scene.notes()[2..], ["second stop 192.0.2.10", "first stop 192.0.2.10"]);
    assert!(!scene.path("run/knock-spa").exists(), "neither has a control socket");
}

#[test]
fn a_daemon_that_can_keep_nothing_says_so_and_works() {
    let scene = Scene::new(&door("ssh", "7000,8000", "cmd_timeout = 1"));
    let mut daemon = scene.start_command(&mut scene.knockd(Scene::inside_read_only, &[]));
    assert!(daemon.running.output().contains("state-in-memory"), "{}", daemon.running.output());
    scene.flush("192.0.2.10", "7000 8000", "ssh start 192.0.2.10");
    scene.await_note("ssh stop 192.0.2.10");
    scene.flush("192.0.2.11", "7000 8000", "ssh start 192.0.2.11");
    assert_eq!(daemon.end(rustix::process::Signal::TERM).code(), Some(15));
    assert_eq!(scene.notes().last().unwrap(), "ssh stop 192.0.2.11");
}
