//! What is open when the daemon is told to stop is closed at once.

use std::fs;

use knock_spa_tests::lab::{PATIENCE, until};
use knock_spa_tests::programs::Run;
use rustix::process::{Pid, Signal, kill_process};

use crate::daemon::is_alive;
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
    let mut command = scene.knockd(Scene::inside, &["-d"]);
    Run::of(&scene.server, &mut command, "").ended_with(0);
    // The default, in the scene's own /run.
    let pid = scene.path("run/knockd.pid");
    let pid_text = fs::read_to_string(&pid).unwrap();
    let process = Pid::from_raw(pid_text.trim().parse().unwrap()).unwrap();
    let killed = || kill_process(process, Signal::KILL);
    let ended = std::panic::catch_unwind(|| {
        scene.flush("192.0.2.10", "7000 8000", "ssh start 192.0.2.10");
        assert_eq!(fs::read_link(format!("/proc/{}/cwd", pid_text.trim())).unwrap().to_str(), Some("/"));
        kill_process(process, Signal::TERM).unwrap();
        until(PATIENCE, "the daemon to end", || !is_alive(process));
    });
    if ended.is_err() {
        killed().unwrap();
    }
    ended.unwrap();
    assert_eq!(scene.notes(), ["ssh start 192.0.2.10", "ssh stop 192.0.2.10"]);
    assert!(!pid.exists());
}
