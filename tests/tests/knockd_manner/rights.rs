//! A daemon that is nobody, and may do no more than see packets.

use std::fs::{self, Permissions};
use std::os::unix::fs::PermissionsExt;
use std::process::Command;

use knock_spa_tests::programs::knock_spad;
use knock_spa_tests::rights::skip;
use rustix::process::Signal;

use crate::scene::{Scene, door};

/// Nobody.
const ID: &str = "65534";

/// Runs a program as nobody who may see packets.
const AS_NOBODY: [&str; 10] = [
    "--reuid",
    ID,
    "--regid",
    ID,
    "--clear-groups",
    "--inh-caps",
    "+net_raw",
    "--ambient-caps",
    "+net_raw",
    "--no-new-privs",
];

/// Whether somebody else can be had.
fn can_be_nobody() -> bool {
    let tried = Command::new("setpriv").args(AS_NOBODY).arg("true").status();
    tried.is_ok_and(|status| status.success())
}

/// Gives nobody what the daemon needs: nothing else in the directory is there for others.
fn give_away(scene: &Scene) {
    let open =
        |name: &str, mode| fs::set_permissions(scene.path(name), Permissions::from_mode(mode)).unwrap();
    fs::copy(knock_spad(), scene.path("knockd")).unwrap();
    for name in ["notes", "log"] {
        scene.write(name, "");
        open(name, 0o666);
    }
    for (name, mode) in [("", 0o755), ("knockd", 0o755), ("knockd.conf", 0o644), ("work", 0o755)] {
        open(name, mode);
    }
}

#[test]
fn a_daemon_without_root_opens_doors() {
    if !can_be_nobody() {
        return skip("there is nobody else to be here");
    }
    let scene = Scene::new(&door("ssh", "7000,8000", "cmd_timeout = 1"));
    give_away(&scene);
    let daemon = scene.knockd(Scene::inside, &["-p", "/nonexistent/pid"]);
    let mut words = daemon.get_args();
    // The mounts are for root to make: who runs the daemon comes after them.
    let mut command = Command::new(daemon.get_program());
    command.args(words.by_ref().take(8)).arg("setpriv").args(AS_NOBODY).args(words);
    command.current_dir(scene.path("work"));
    let mut daemon = scene.start_command(&mut command);
    let status =
        fs::read_to_string(format!("/proc/{}/status", daemon.running.pid().as_raw_nonzero())).unwrap();
    for line in ["Uid:\t65534\t65534", "CapEff:\t0000000000002000"] {
        assert!(status.contains(line), "{line} in\n{status}");
    }
    scene.flush("192.0.2.10", "7000 8000", "ssh start 192.0.2.10");
    scene.await_note("ssh stop 192.0.2.10");
    scene.flush("2001:db8:1::10", "7000 8000", "ssh start 2001:db8:1::10");
    // Where it can't keep anything it says so.
    assert!(daemon.running.output().contains("state-in-memory"), "{}", daemon.running.output());
    assert_eq!(daemon.end(Signal::TERM).code(), Some(15));
    assert_eq!(scene.notes().last().unwrap(), "ssh stop 2001:db8:1::10");
}
