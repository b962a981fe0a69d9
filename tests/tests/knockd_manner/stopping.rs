//! What is open when the daemon is told to stop is closed at once.

use std::fs;

use rustix::process::Signal;

use crate::scene::{Scene, door, note};

fn ends(signal: Signal, status: i32) {
    let scene = Scene::new(&door("ssh", "7000,8000", "cmd_timeout = 600"));
    let mut daemon = scene.start(&[]);
    for from in ["192.0.2.10", "192.0.2.11", "192.0.2.12"] {
        scene.flush(from, "7000 8000", &format!("ssh start {from}"));
    }
    assert_eq!(daemon.end(signal).code(), Some(status));
    let mut notes = scene.notes().split_off(3);
    notes.sort();
    assert_eq!(notes, ["ssh stop 192.0.2.10", "ssh stop 192.0.2.11", "ssh stop 192.0.2.12"]);
    assert!(scene.read("log").ends_with("shutting down\n"), "{}", scene.read("log"));
    assert!(!scene.path("run/knock-spa").exists(), "there is no control socket");
    drop(daemon);
    let _again = scene.start(&[]);
    scene.flush("192.0.2.13", "7000 8000", "ssh start 192.0.2.13");
    assert_eq!(scene.notes().len(), 7, "nothing runs again");
}

#[test]
fn a_stop_by_sigterm_runs_all_stops_at_once_and_has_status_15() {
    ends(Signal::TERM, 15);
}

#[test]
fn a_stop_by_sigint_runs_all_stops_at_once_and_has_status_2() {
    ends(Signal::INT, 2);
}

#[test]
fn a_start_that_still_runs_is_waited_for_and_closed_when_the_daemon_stops() {
    let start = format!("{}; while [ ! -e DIR/go ]; do sleep 0.05; done; {}", note("begin"), note("start"));
    let stop = note("stop");
    let scene = Scene::new(&format!(
        "[slow]\nsequence = 7000\nstart_command = {start}\nstop_command = {stop}\ncmd_timeout = 600\n"
    ));
    let mut daemon = scene.start(&[]);
    scene.knock("192.0.2.10", "7000");
    scene.await_note("begin 192.0.2.10");
    daemon.running.signal(Signal::TERM);
    daemon.running.await_output("waiting for child processes");
    assert_eq!(scene.notes(), ["begin 192.0.2.10"]);
    scene.write("go", "");
    assert_eq!(daemon.running.wait().code(), Some(15));
    assert_eq!(scene.notes(), ["begin 192.0.2.10", "start 192.0.2.10", "stop 192.0.2.10"]);
}

#[test]
fn the_daemon_in_the_background_leaves_no_pid_file_and_nothing_open() {
    let scene = Scene::new(&door("ssh", "7000,8000", "cmd_timeout = 600"));
    let mut daemon = scene.start_in_background(&mut scene.knockd(Scene::inside, &["-d"]));
    assert!(scene.path("run/knockd.pid").exists());
    let directory = format!("/proc/{}/cwd", daemon.0.as_raw_nonzero());
    assert_eq!(fs::read_link(directory).unwrap().to_str(), Some("/"));
    scene.flush("192.0.2.10", "7000 8000", "ssh start 192.0.2.10");
    daemon.end(Signal::TERM);
    assert_eq!(scene.notes(), ["ssh start 192.0.2.10", "ssh stop 192.0.2.10"]);
    assert!(!scene.path("run/knockd.pid").exists());
}
