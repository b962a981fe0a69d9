//! What is open when the daemon dies is closed: once, in its time, or at the next start where that is past.

use std::time::Duration;

use knock_spa_tests::lab::{PATIENCE, until};
use rustix::process::Signal;

use crate::scene::{Scene, door, note, pass};

/// Later than this a command is late, on a machine that has much else to do.
const LATE: f64 = 4.0;

fn doors() -> Scene {
    let doors = [
        door("soon", "7000,8000", "cmd_timeout = 1"),
        door("late", "7001,8001", "cmd_timeout = 5"),
        door("other", "7002,8002", "cmd_timeout = 600"),
    ];
    Scene::new(&doors.concat())
}

fn open(scene: &Scene) {
    scene.knock("192.0.2.10", "7000 8000");
    scene.knock("192.0.2.11", "7001 8001");
    scene.await_note("soon start 192.0.2.10");
    scene.await_note("late start 192.0.2.11");
}

/// How long after its start the late door's stop ran.
fn open_for(scene: &Scene) -> f64 {
    scene.noted_at("late stop 192.0.2.11") - scene.noted_at("late start 192.0.2.11")
}

fn assert_each_ran_once(scene: &Scene) {
    let mut notes = scene.notes();
    notes.retain(|note| !note.starts_with("other"));
    notes.sort();
    let all =
        ["late start 192.0.2.11", "late stop 192.0.2.11", "soon start 192.0.2.10", "soon stop 192.0.2.10"];
    assert_eq!(notes, all);
}

fn closes_after_a_crash(keeper: bool, listener: bool) {
    let scene = doors();
    let mut daemon = Some(scene.start(&[]));
    open(&scene);
    if keeper {
        daemon.take().unwrap().kill(keeper, listener);
        // The first stop is overdue when the daemon comes back.
        pass(Duration::from_millis(2200));
        assert_eq!(scene.notes().len(), 2, "nobody is there to close");
        daemon = Some(scene.start(&[]));
        scene.await_note("soon stop 192.0.2.10");
        assert!(
            scene.noted_at("soon stop 192.0.2.10") - scene.noted_at("soon start 192.0.2.10") < 2.2 + LATE
        );
    } else {
        let daemon = daemon.as_mut().unwrap();
        let before = daemon.listened();
        rustix::process::kill_process(daemon.listener(), Signal::KILL).unwrap();
        until(PATIENCE, "another listener", || daemon.listened() > before);
    }
    scene.await_note("late stop 192.0.2.11");
    let took = open_for(&scene);
    // Where the daemon did not live to see the start's end, the time runs from the knock.
    assert!((4.5..5.0 + LATE).contains(&took), "open for {took} s");
    // It is all there again, and what is over is over.
    scene.flush("192.0.2.12", "7002 8002", "other start 192.0.2.12");
    assert_each_ran_once(&scene);
    drop(daemon);
    let _again = scene.start(&[]);
    scene.flush("192.0.2.13", "7002 8002", "other start 192.0.2.13");
    assert_each_ran_once(&scene);
}

#[test]
fn what_a_killed_keeper_left_open_is_closed_once_and_in_time() {
    closes_after_a_crash(true, false);
}

#[test]
fn what_two_killed_processes_left_open_is_closed_once_and_in_time() {
    closes_after_a_crash(true, true);
}

#[test]
fn a_killed_listener_is_replaced_and_stops_run_in_time() {
    closes_after_a_crash(false, true);
}

#[test]
fn each_of_many_starts_has_its_stop_after_a_crash() {
    let text = format!(
        "[many]\nsequence = 7000,8000\ntcpflags = syn\nstart_command = {}\nstop_command = {}\ncmd_timeout = 2\n",
        note("start"),
        note("stop")
    );
    let scene = Scene::new(&text);
    let daemon = scene.start(&[]);
    let sources: Vec<_> = (10..30).map(|host| format!("192.0.2.{host}")).collect();
    sources.iter().for_each(|from| scene.knock(from, "7000 8000"));
    until(PATIENCE, "all of them to open", || scene.notes().len() == sources.len());
    daemon.kill(true, true);
    let _again = scene.start(&[]);
    until(PATIENCE, "all of them to close", || scene.notes().len() == 2 * sources.len());
    for from in &sources {
        let count =
            |word: &str| scene.notes().iter().filter(|note| **note == format!("{word} {from}")).count();
        assert_eq!((count("start"), count("stop")), (1, 1), "{from}");
    }
}
