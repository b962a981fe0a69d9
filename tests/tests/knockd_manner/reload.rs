//! SIGHUP: what has not changed goes on, and what is wrong changes nothing.

use std::fs;

use knock_spa_tests::lab::{PATIENCE, until};
use rustix::process::Signal;

use crate::scene::{Scene, door};

const OPTIONS: &str = "[options]\nInterface = eth0\n";

#[test]
fn attempts_and_what_is_open_go_on_over_a_reload() {
    let ssh = door("ssh", "7000,8000,9000", "seq_timeout = 30\ncmd_timeout = 4");
    let old = door("old", "7001,8001", "seq_timeout = 30\ncmd_timeout = 4");
    let new = door("new", "7002,8002", "cmd_timeout = 600");
    let scene = Scene::new(&[&ssh, &*old].concat());
    let mut daemon = scene.start(&[]);
    scene.knock("192.0.2.10", "7000 8000");
    scene.knock("192.0.2.11", "7001");
    scene.knock("192.0.2.12", "7000 8000 9000");
    scene.knock("192.0.2.13", "7001 8001");
    scene.await_note("ssh start 192.0.2.12");
    scene.await_note("old start 192.0.2.13");
    scene.configure(&[&*new, &ssh].concat());
    daemon.reload();
    // Another place in the file is no change.
    scene.flush("192.0.2.10", "9000", "ssh start 192.0.2.10");
    scene.knock("192.0.2.11", "8001");
    scene.flush("192.0.2.14", "7002 8002", "new start 192.0.2.14");
    assert!(!scene.read("log").contains("192.0.2.11: old: OPEN SESAME"), "that door is gone");
    assert_eq!(scene.notes().iter().filter(|note| note.contains("stop")).count(), 0);
    for stop in ["ssh stop 192.0.2.12", "old stop 192.0.2.13", "ssh stop 192.0.2.10"] {
        scene.await_note(stop);
        let took = scene.noted_at(stop) - scene.noted_at(&stop.replace("stop", "start"));
        assert!((4.0..8.0).contains(&took), "{stop} after {took} s");
    }
}

#[test]
fn an_attempt_at_a_door_that_changed_begins_anew() {
    let ssh = |ports: &str| door("ssh", ports, "seq_timeout = 30\ncmd_timeout = 600");
    let scene = Scene::new(&ssh("7000,8000"));
    let mut daemon = scene.start(&[]);
    scene.knock("192.0.2.10", "7000");
    until(PATIENCE, "the first step", || scene.read("log").contains("Stage 1"));
    scene.configure(&ssh("7000,8001"));
    daemon.reload();
    scene.knock("192.0.2.10", "8001");
    scene.flush("192.0.2.11", "7000 8001", "ssh start 192.0.2.11");
    assert!(!scene.read("log").contains("192.0.2.10: ssh: OPEN SESAME"));
}

#[test]
fn a_broken_file_changes_nothing_and_the_reason_is_told() {
    let good = door("ssh", "7000,8000", "cmd_timeout = 600");
    let scene = Scene::new(&good);
    let mut daemon = scene.start(&[]);
    scene.flush("192.0.2.10", "7000 8000", "ssh start 192.0.2.10");
    for (broken, reason) in [
        (good.replace("7000", "70000"), "port 70000 is invalid"),
        (format!("{good}no_such_key = 1\n"), "no_such_key"),
        ("[ssh]\n".into(), "section 'ssh' has an empty knock sequence"),
    ] {
        scene.configure(&broken);
        daemon.running.signal(Signal::HUP);
        daemon.running.await_output(reason);
        daemon.running.await_output(reason);
        let told = || scene.read("log").contains("the old configuration stays in force: ");
        until(PATIENCE, "the log to tell", told);
    }
    fs::remove_file(scene.path("knockd.conf")).unwrap();
    daemon.running.signal(Signal::HUP);
    daemon.running.await_output("knockd.conf: No such file or directory");
    scene.flush("192.0.2.11", "7000 8000", "ssh start 192.0.2.11");
    scene.configure(&good.replace("7000", "7001"));
    daemon.reload();
    scene.flush("192.0.2.12", "7001 8000", "ssh start 192.0.2.12");
    assert_eq!(daemon.end(Signal::TERM).code(), Some(15));
    assert_eq!(scene.notes().iter().filter(|note| note.starts_with("ssh stop")).count(), 3);
}

#[test]
fn the_log_file_is_opened_anew() {
    let ssh = door("ssh", "7000,8000", "cmd_timeout = 600");
    let scene = Scene::new(&format!("[options]\nLogFile = DIR/own.log\n{ssh}"));
    let mut daemon = scene.start(&[]);
    scene.flush("192.0.2.10", "7000 8000", "ssh start 192.0.2.10");
    fs::rename(scene.path("own.log"), scene.path("own.log.1")).unwrap();
    daemon.reload();
    scene.flush("192.0.2.11", "7000 8000", "ssh start 192.0.2.11");
    let lines = |name: &str| scene.read(name).matches("OPEN SESAME").count();
    assert_eq!((lines("own.log.1"), lines("own.log"), lines("log")), (1, 1, 0));
    // Another file, and a relative one.
    scene.configure(&format!("[options]\nLogFile = other.log\n{ssh}"));
    daemon.reload();
    scene.flush("192.0.2.12", "7000 8000", "ssh start 192.0.2.12");
    assert_eq!((lines("own.log"), lines("work/other.log")), (1, 1));
    // Also where the file is broken: it may be a rotation by chance.
    fs::rename(scene.path("work/other.log"), scene.path("work/other.log.1")).unwrap();
    scene.configure("[ssh]\n");
    daemon.running.signal(Signal::HUP);
    daemon.running.await_output("reload-failed");
    scene.flush("192.0.2.13", "7000 8000", "ssh start 192.0.2.13");
    assert_eq!((lines("work/other.log.1"), lines("work/other.log")), (1, 1));
}

#[test]
fn the_interface_never_changes() {
    let ssh = door("ssh", "7000,8000", "cmd_timeout = 600");
    let scene = Scene::new(&format!("{OPTIONS}{ssh}"));
    scene.lay_cable("eth1", "198.51.100", "2001:db8:2:");
    let mut daemon = scene.start(&[]);
    scene.configure(&format!("{}{ssh}", OPTIONS.replace("eth0", "eth1")));
    daemon.reload();
    scene.knock_at("198.51.100.10".parse().unwrap(), "198.51.100.1".parse().unwrap(), "7000 8000");
    scene.flush("192.0.2.10", "7000 8000", "ssh start 192.0.2.10");
    assert!(!scene.read("log").contains("198.51.100.10"));
    drop(daemon);
    let _daemon = scene.start(&[]);
    scene.knock_at("198.51.100.11".parse().unwrap(), "198.51.100.1".parse().unwrap(), "7000 8000");
    scene.await_note("ssh start 198.51.100.11");
}

#[test]
fn relative_paths_begin_where_a_daemon_in_the_background_was_started() {
    let ssh = door("ssh", "7000,8000", "cmd_timeout = 600");
    let scene = Scene::new("");
    scene.write("work/relative.conf", &format!("[options]\nLogFile = relative.log\n{ssh}"));
    let mut command = scene.inside(scene.knockd_link().to_str().unwrap());
    command.args(["-d", "-c", "relative.conf"]);
    let mut background = scene.start_in_background(&mut command);
    scene.flush("192.0.2.10", "7000 8000", "ssh start 192.0.2.10");
    fs::rename(scene.path("work/relative.log"), scene.path("work/old.log")).unwrap();
    scene.write(
        "work/relative.conf",
        &format!("[options]\nLogFile = relative.log\n{}", ssh.replace("7000", "7001")),
    );
    background.signal(Signal::HUP);
    let sources = (11..200).map(|host| format!("192.0.2.{host}"));
    let mut sources = sources.into_iter();
    until(PATIENCE, "the new doors", || {
        scene.knock(&sources.next().unwrap(), "7001 8000");
        scene.read("work/relative.log").contains("OPEN SESAME")
    });
    background.end(Signal::TERM);
    assert!(scene.read("work/relative.log").ends_with("shutting down\n"));
}
