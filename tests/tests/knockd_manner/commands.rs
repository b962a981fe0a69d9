//! How commands run.

use std::fs;

use knock_spa_tests::lab::{PATIENCE, until};

use crate::scene::{Scene, note};

/// A door of one port with these commands.
fn door(name: &str, port: u16, start: &str, more: &str) -> String {
    format!("[{name}]\nsequence = {port}\ntcpflags = syn\nstart_command = {start}\n{more}\n")
}

#[test]
fn a_command_that_hangs_keeps_no_other_from_running() {
    let hangs = format!("{}; exec cat DIR/fifo", note("hangs"));
    let stop = format!("stop_command = {}; exec cat DIR/fifo\ncmd_timeout = 0", note("hangs too"));
    let scene = Scene::new(
        &[
            door("hanging", 7000, &hangs, ""),
            door("stopping", 7001, &note("starts"), &stop),
            door("other", 7002, &note("start"), &format!("stop_command = {}\ncmd_timeout = 0", note("stop"))),
        ]
        .concat(),
    );
    scene.server.run(&format!("mkfifo {}", scene.path("fifo").display()));
    let mut daemon = scene.start(&[]);
    for host in 10..50 {
        scene.knock(&format!("192.0.2.{host}"), "7000");
        scene.knock(&format!("192.0.2.{host}"), "7001");
    }
    let count = |word: &str| scene.notes().iter().filter(|note| note.starts_with(word)).count();
    until(2 * PATIENCE, "all of them to hang", || count("hangs 192") + count("hangs too") == 80);
    // Of the same doors as well.
    scene.knock("192.0.2.60", "7000");
    scene.await_note("hangs 192.0.2.60");
    scene.knock("192.0.2.61", "7002");
    scene.await_note("stop 192.0.2.61");
    assert!(!daemon.running.has_ended());
}

#[test]
fn a_stop_waits_for_its_own_start() {
    let start = format!("{}; while [ ! -e DIR/go ]; do sleep 0.05; done; {}", note("begin"), note("start"));
    let stop = format!("stop_command = {}\ncmd_timeout = 0", note("stop"));
    let scene =
        Scene::new(&[door("slow", 7000, &start, &stop), door("other", 7001, &note("other"), &stop)].concat());
    let _daemon = scene.start(&[]);
    scene.knock("192.0.2.10", "7000");
    scene.await_note("begin 192.0.2.10");
    scene.knock("192.0.2.11", "7001");
    scene.await_notes(&["begin 192.0.2.10", "other 192.0.2.11", "stop 192.0.2.11"]);
    scene.write("go", "");
    scene.await_note("stop 192.0.2.10");
    assert_eq!(scene.notes()[3..], ["start 192.0.2.10", "stop 192.0.2.10"]);
}

/// Says what a command finds: its descriptors, session, directory, environment and mask for new files.
const LOOK: &str = "(ls /proc/$$/fd > DIR/fds); cut -d' ' -f1,4,6 /proc/$$/stat > DIR/session; pwd > DIR/pwd; \
                    echo \"$WORD,$NOTIFY_SOCKET,$0,$#\" > DIR/environment; umask > DIR/umask; echo said; \
                    readlink /proc/$$/fd/0 > DIR/stdin; echo looked >> DIR/notes";

fn assert_found(scene: &Scene, directory: &str) {
    assert_eq!(scene.read("fds"), "0\n1\n2\n", "the standard streams and nothing else");
    let session = scene.read("session");
    let [own, parent, session] = session.split_whitespace().collect::<Vec<_>>()[..] else {
        panic!("{session}")
    };
    assert_eq!(own, session, "a session of its own");
    assert_ne!(own, parent);
    assert_eq!(scene.read("pwd").trim(), directory);
    assert_eq!(scene.read("environment"), "word,,sh,0\n");
    assert_eq!(scene.read("umask"), "0027\n");
}

/// A scene where every kind of file is open in the daemon: log, one-time sequences, state.
fn looking() -> Scene {
    let once = "[once]\none_time_sequences = DIR/sequences\nstart_command = :\n";
    let options = "[options]\nUseSyslog\nLogFile = DIR/log\n";
    let scene = Scene::new(&[options, &door("look", 7000, LOOK, "stop_command = :"), once].concat());
    scene.write("sequences", " 7001\n");
    scene
}

/// Runs the rest of its arguments with another mask for new files, and with a file open that is nobody's business.
const WITH_UMASK: [&str; 3] = ["-c", "umask 027; exec 7<../sequences; exec \"$@\"", "sh"];

#[test]
fn a_command_has_the_daemons_streams_directory_and_environment_and_nothing_else() {
    let scene = looking();
    let plain = scene.knockd(Scene::inside, &[]);
    let mut command = std::process::Command::new("sh");
    command.args(WITH_UMASK).arg(plain.get_program()).args(plain.get_args());
    command.current_dir(scene.path("work")).env("WORD", "word").env("NOTIFY_SOCKET", "");
    let mut daemon = scene.start_command(&mut command);
    scene.knock("192.0.2.10", "7001");
    scene.knock("192.0.2.10", "7000");
    scene.await_note("looked");
    let directory = fs::canonicalize(scene.path("work")).unwrap();
    assert_found(&scene, directory.to_str().unwrap());
    assert_eq!(scene.read("stdin"), "/dev/null\n");
    daemon.running.await_output("said\n");
    let descriptors = fs::read_dir(format!("/proc/{}/fd", daemon.listener().as_raw_nonzero())).unwrap();
    let open: Vec<_> = descriptors.filter_map(|entry| fs::read_link(entry.unwrap().path()).ok()).collect();
    assert!(open.len() > 3 && !open.contains(&scene.path("sequences")), "{open:?}");
}

#[test]
fn a_command_of_a_daemon_in_the_background_is_in_the_root_directory() {
    let scene = looking();
    let plain = scene.knockd(Scene::inside, &["-d"]);
    let mut command = std::process::Command::new("sh");
    command.args(WITH_UMASK).arg(plain.get_program()).args(plain.get_args());
    command.current_dir(scene.path("work")).env("WORD", "word");
    let mut daemon = scene.start_in_background(&mut command);
    scene.knock("192.0.2.10", "7000");
    scene.await_note("looked");
    assert_found(&scene, "/");
    daemon.end(rustix::process::Signal::TERM);
}

#[test]
fn statuses_other_than_zero_are_told() {
    let stop = "stop_command = exit 4\ncmd_timeout = 0";
    let scene = Scene::new(
        &[
            door("three", 7000, "exit 3", ""),
            door("absent", 7001, "/nonexistent/command %IP%", ""),
            door("killed", 7002, "kill -9 $$", ""),
            door("good", 7003, ":", stop),
        ]
        .concat(),
    );
    let _daemon = scene.start(&[]);
    scene.knock("192.0.2.10", "7000 7001 7002 7003");
    let told = |door: &str, status: u8| format!("{door}: command returned non-zero status code ({status})");
    for line in [told("three", 3), told("absent", 127), told("killed", 0), told("good", 4)] {
        until(PATIENCE, &line, || scene.read("log").contains(&line));
    }
    assert_eq!(scene.read("log").matches("non-zero").count(), 4);
}
