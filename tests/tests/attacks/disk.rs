//! The server's own disk: it is full, there are links in it, and two daemons want the same state.

use std::fs;
use std::os::unix::fs::{PermissionsExt, symlink};
use std::path::PathBuf;
use std::process::Command;
use std::time::Duration;

use knock_spa_proto::control::Health;
use knock_spa_proto::spa::request::{Addresses, Request};
use knock_spa_tests::lab::{PATIENCE, Running, until};
use knock_spa_tests::laptop::{now, open};
use rustix::process::Signal;

use crate::scene::{SHORT_WINDOW, Scene, attack, attack_on, sender, stated};

/// A small disk of its own under the server's state, which the daemon alone sees. It is gone with this value.
struct Disk {
    /// Holds the mount namespace.
    holder: Running,
    state: PathBuf,
    /// Where it is mounted itself.
    disk: PathBuf,
}

impl Disk {
    /// Moves the state of the server, which does not run, to a disk of three megabytes.
    fn under(scene: &mut Scene<'_>) -> Self {
        let (state, disk) = (scene.server.path("state"), scene.server.path("disk"));
        let mut command = Command::new("unshare");
        command.args(["--mount", "--propagation", "private", "sh", "-e", "-c"]);
        command.arg(
            "mkdir \"$1\"; mount -t tmpfs -o size=3m,mode=700 tmpfs \"$1\"; cp -a \"$0\"/. \"$1\"
             mount --bind \"$1\" \"$0\"; echo ready; exec sleep 600",
        );
        let mut holder = scene.world.server.spawn(command.arg(&state).arg(&disk));
        holder.await_output("ready");
        let namespace = format!("--mount=/proc/{}/ns/mnt", holder.pid().as_raw_nonzero());
        scene.server.run_by(&["nsenter", &namespace, "--"]);
        Self { holder, state, disk }
    }

    /// Has it take nothing any more, not even another name for a file (`ro`), or again everything (`rw`). No daemon runs.
    fn remount(&self, how: &str) {
        let namespace = format!("--mount=/proc/{}/ns/mnt", self.holder.pid().as_raw_nonzero());
        let mut mount = Command::new("nsenter");
        mount.arg(namespace).args(["--", "mount", "-o", &format!("remount,{how}")]).arg(&self.disk);
        assert!(mount.status().unwrap().success());
    }

    /// A file of the state, as the daemon sees it.
    fn path(&self, name: &str) -> PathBuf {
        let state = self.state.strip_prefix("/").unwrap();
        let root = PathBuf::from(format!("/proc/{}/root", self.holder.pid().as_raw_nonzero()));
        root.join(state).join(name)
    }

    /// Fills it to the last byte, the room that was set aside for the journal included.
    fn fill(&self) {
        let journal = self.path("journal");
        if journal.exists() {
            let mut punch = Command::new("fallocate");
            punch.args(["--punch-hole", "--offset", "4096", "--length", "4M"]).arg(journal);
            assert!(punch.status().unwrap().success());
        }
        let mut filler = fs::File::create(self.path("filler")).unwrap();
        while std::io::Write::write_all(&mut filler, &[1; 4096]).is_ok() {}
    }

    fn free(&self) {
        fs::remove_file(self.path("filler")).unwrap();
    }
}

/// A door of the guard, and one of a command whose record is longer than a page.
fn doors() -> String {
    let long = "x".repeat(4000);
    format!(
        "[door.ssh]\nports = ['tcp/22']\n[door.run]\nports = ['tcp/9000']\n\
         action = {{ start = ['true', '{long}'], stop = ['true', '{long}'] }}\n[spa]\nwindow = '10s'\n",
    )
}

fn run() -> Request {
    open("run", Addresses::NONE.with_sender(), 0)
}

/// Where nothing can be recorded, commands do not run; the guard opens, so that the administrator gets in to mend the
/// disk, and nothing of that can be replayed to the next daemon, which cannot know of it.
#[test]
fn a_full_disk_lets_nothing_be_replayed() {
    attack_on(&doors(), &["--door", "ssh", "--door", "run"], |scene| {
        scene.end(Signal::TERM);
        let disk = Disk::under(scene);
        scene.start();
        let first = scene.packet(&run());
        assert_eq!(scene.judge(&first), None);
        disk.fill();
        let refused = scene.packet(&run());
        assert_eq!(scene.judge(&refused).as_deref(), Some("unrecorded"));
        let from_memory = scene.packet(&sender());
        assert_eq!(scene.judge(&from_memory), None);
        scene.assert_open(&scene.world.laptop);
        assert_eq!(scene.server.status().journal, Health::Failed);
        assert_eq!(scene.judge(&from_memory).as_deref(), Some("duplicate"));
        // It is still full when the daemon starts again.
        scene.end(Signal::KILL);
        let started = now();
        scene.start();
        scene.server.await_log("state-lost");
        for packet in [&first, &refused, &from_memory, &scene.packet(&sender())] {
            assert_eq!(scene.judge(packet).as_deref(), Some("replayed"));
        }
        scene.assert_shut();
        // What is made so late that it cannot be a copy opens, from memory again.
        let later = started.saturating_add(SHORT_WINDOW + Duration::from_millis(1500));
        let late = scene.packet_at(later, &stated(scene.world.laptop.v4));
        until(PATIENCE, "the late packet's time", || now().saturating_add(SHORT_WINDOW) > later);
        assert_eq!(scene.judge(&late), None);
        assert_eq!(scene.server.status().journal, Health::Failed);
        disk.free();
        // A new journal is begun after a while, with the next request; the marks are in it.
        let mut stamp = later;
        until(PATIENCE, "a new journal", || {
            stamp = stamp.saturating_add(Duration::from_millis(1));
            assert_eq!(scene.judge(&scene.packet_at(stamp, &stated(scene.world.laptop.v4))), None);
            scene.server.status().journal == Health::Good
        });
        scene.restart(Signal::KILL);
        assert_eq!(scene.judge(&late).as_deref(), Some("replayed"));
    });
}

/// On a disk that takes nothing at all nobody can note that records are missing. So whatever comes after a daemon that
/// was cut off refuses what was made before it, and nothing acts from memory before its own time.
#[test]
fn a_disk_that_is_read_only_lets_nothing_be_replayed() {
    attack_on(&doors(), &["--door", "ssh", "--door", "run"], |scene| {
        scene.end(Signal::TERM);
        let disk = Disk::under(scene);
        scene.start();
        assert_eq!(scene.judge(&scene.packet(&sender())), None);
        scene.end(Signal::KILL);
        disk.remount("ro");
        scene.start();
        assert_eq!(scene.judge(&scene.packet(&run())).as_deref(), Some("unrecorded"));
        let from_memory = scene.packet(&sender());
        assert_eq!(scene.judge(&from_memory), None);
        scene.assert_open(&scene.world.laptop);
        assert_eq!(scene.server.status().journal, Health::Failed);
        scene.end(Signal::KILL);
        assert!(disk.path("journal").exists(), "nothing shows that records are missing");
        disk.remount("rw");
        scene.start();
        assert_eq!(scene.judge(&from_memory).as_deref(), Some("replayed"));
        assert_eq!(scene.judge(&scene.packet(&sender())), None);
        assert_eq!(scene.server.status().journal, Health::Good);
    });
}

/// Links in the place of state files lead nowhere: neither is what they point at written to, nor is a lock taken there
/// that would keep no second daemon out.
#[test]
fn links_in_place_of_state_files_are_not_followed() {
    attack(|scene| {
        let packet = scene.packet(&sender());
        assert_eq!(scene.judge(&packet), None);
        scene.end(Signal::TERM);
        let (state, other) = (scene.server.path("state"), scene.server.path("other"));
        fs::write(&other, "somebody's").unwrap();
        for name in ["lock", "journal"] {
            let (path, aside) = (state.join(name), scene.server.path("aside"));
            fs::rename(&path, &aside).unwrap();
            symlink(&other, &path).unwrap();
            let said = scene.server.fails_to_run(65);
            assert!(said.contains(&format!("{name} is not a regular file")), "{said}");
            fs::rename(aside, path).unwrap();
        }
        for name in ["journal.new", "journal.damaged-1"] {
            symlink(&other, state.join(name)).unwrap();
        }
        scene.start();
        assert_eq!(scene.judge(&packet).as_deref(), Some("replayed"));
        assert_eq!(scene.judge(&scene.packet(&sender())), None);
        assert_eq!(fs::read_to_string(&other).unwrap(), "somebody's");
        // Nor is there any state where others can put links.
        scene.end(Signal::TERM);
        fs::set_permissions(&state, fs::Permissions::from_mode(0o777)).unwrap();
        let said = scene.server.fails_to_run(77);
        assert!(said.contains("others may write there") && said.contains("chmod"), "{said}");
        fs::set_permissions(&state, fs::Permissions::from_mode(0o700)).unwrap();
        scene.start();
    });
}

/// Two daemons would each take a packet once.
#[test]
fn a_second_daemon_takes_no_packet_of_the_first() {
    attack(|scene| {
        let packet = scene.packet(&sender());
        let said = scene.server.fails_to_run(69);
        assert!(said.contains("another knock-spad runs with this state"), "{said}");
        assert_eq!(scene.judge(&packet), None);
        assert_eq!(scene.settle().received, 1);
        scene.shut();
        scene.server.fails_to_run(69);
        assert_eq!(scene.judge(&packet).as_deref(), Some("duplicate"));
        scene.assert_shut();
    });
}
