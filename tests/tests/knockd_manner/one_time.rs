//! Sequences that are good once.

use std::fs;

use knock_spa_tests::lab::{PATIENCE, until};
use rustix::process::Signal;

use crate::daemon::Daemon;
use crate::scene::{Scene, door};

/// A door with a file of sequences, whose command looks into it; and one to show that all before it was seen.
fn scene(sequences: &str) -> Scene {
    let once = "[once]\none_time_sequences = DIR/sequences\ntcpflags = syn\n\
                start_command = cat DIR/sequences > DIR/seen.%IP%; echo once %IP% >> DIR/notes\n";
    let scene = Scene::new(&format!("{once}{}", door("end", "6000,6001", "cmd_timeout = 600")));
    scene.write("sequences", sequences);
    scene
}

impl Daemon<'_> {
    /// Knocks; whether that opened the door, which is known once another door has opened twice: striking out takes
    /// longer than opening. When it did, the next sequence is listened to at the end.
    fn opens_once(&self, scene: &Scene, from: &str, ports: &str) -> bool {
        let opened = |from: &str, door: &str| {
            scene.read("log").matches(&format!("{from}: {door}: OPEN SESAME")).count()
        };
        let (before, listened) = (opened(from, "once"), self.listened());
        scene.knock(from, ports);
        let end = if from.contains(':') { "2001:db8:1::eeee" } else { "192.0.2.200" };
        for _ in 0..2 {
            let ended = opened(end, "end");
            scene.knock(end, "6000 6001");
            until(PATIENCE, "the other door", || opened(end, "end") > ended);
        }
        let has_opened = opened(from, "once") > before;
        if has_opened {
            until(PATIENCE, "the next sequence", || self.listened() > listened);
        }
        has_opened
    }
}

#[test]
fn a_sequence_is_struck_out_before_its_command_sees_the_file() {
    let scene = scene("# mine\n 7000,8000\n 7001,8001\n");
    let daemon = scene.start(&[]);
    assert!(daemon.opens_once(&scene, "192.0.2.10", "7000 8000"));
    scene.await_note("once 192.0.2.10");
    assert_eq!(scene.read("seen.192.0.2.10"), "# mine\n#7000,8000\n 7001,8001\n");
    assert!(!daemon.opens_once(&scene, "192.0.2.11", "7000 8000"), "it was good once");
    assert!(daemon.opens_once(&scene, "192.0.2.12", "7001 8001"));
    scene.await_note("once 192.0.2.12");
    assert_eq!(scene.read("seen.192.0.2.12"), "# mine\n#7000,8000\n#7001,8001\n");
}

#[test]
fn the_one_that_was_knocked_is_struck_out_also_below_a_line_that_is_none() {
    let scene = scene(" 70000,1\n 7000,8000\n 7001,8001\n");
    let daemon = scene.start(&[]);
    assert!(daemon.opens_once(&scene, "192.0.2.10", "7000 8000"));
    assert_eq!(scene.read("sequences"), " 70000,1\n#7000,8000\n 7001,8001\n");
    assert!(!daemon.opens_once(&scene, "192.0.2.10", "7000 8000"));
    assert!(daemon.opens_once(&scene, "192.0.2.10", "7001 8001"));
}

#[test]
fn the_whole_of_a_longer_sequence_opens_and_not_its_end() {
    let scene = scene(" 7000,8000\n 7001,8001,9001\n");
    let daemon = scene.start(&[]);
    assert!(daemon.opens_once(&scene, "192.0.2.10", "7000 8000"));
    assert!(!daemon.opens_once(&scene, "192.0.2.10", "9001"));
    assert!(!daemon.opens_once(&scene, "192.0.2.11", "8001 9001"));
    assert!(daemon.opens_once(&scene, "192.0.2.12", "7001 8001 9001"));
}

#[test]
fn the_next_sequence_is_listened_to_over_both_families() {
    let scene = scene(" 7000,8000\n 7001,8001\n 7002,8002\n");
    let daemon = scene.start(&[]);
    assert!(daemon.opens_once(&scene, "192.0.2.10", "7000 8000"));
    assert!(!daemon.opens_once(&scene, "2001:db8:1::10", "7000 8000"));
    assert!(daemon.opens_once(&scene, "2001:db8:1::10", "7001 8001"));
    assert!(daemon.opens_once(&scene, "192.0.2.10", "7002 8002"));
}

#[test]
fn when_all_are_used_up_the_daemon_goes_on_until_lines_are_appended() {
    let scene = scene(" 7000,8000\n");
    let mut daemon = scene.start(&[]);
    assert!(daemon.opens_once(&scene, "192.0.2.10", "7000 8000"));
    let told = "no more sequences left in the one time sequences file for door once --> disabling the door";
    until(PATIENCE, "that to be told", || scene.read("log").contains(told));
    assert!(!daemon.opens_once(&scene, "192.0.2.10", "7000 8000"));
    // It starts all the same.
    assert_eq!(daemon.end(Signal::TERM).code(), Some(15));
    drop(daemon);
    let mut daemon = scene.start(&[]);
    assert!(!daemon.opens_once(&scene, "192.0.2.11", "7000 8000"));
    let appended = scene.read("sequences") + " 7001,8001\n";
    fs::write(scene.path("sequences"), appended).unwrap();
    daemon.reload();
    assert!(daemon.opens_once(&scene, "192.0.2.12", "7001 8001"));
    assert_eq!(scene.read("sequences"), "#7000,8000\n#7001,8001\n");
}

#[test]
fn what_was_used_stays_used_after_a_crash() {
    let scene = scene(" 7000,8000\n 7001,8001\n");
    let daemon = scene.start(&[]);
    assert!(daemon.opens_once(&scene, "192.0.2.10", "7000 8000"));
    daemon.kill(true, true);
    let daemon = scene.start(&[]);
    assert!(!daemon.opens_once(&scene, "192.0.2.10", "7000 8000"));
    assert!(daemon.opens_once(&scene, "192.0.2.10", "7001 8001"));
}
