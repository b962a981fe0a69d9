//! Daemons with a configuration of knockd's: knockd itself, and ours under its name.

use std::fmt::Write;
use std::fs;
use std::net::{IpAddr, Ipv4Addr};
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::thread;
use std::time::Duration;

use rustix::mount::{MountPropagationFlags, mount_bind, mount_change};
use rustix::process::{Pid, Signal, kill_process};
use rustix::thread::UnshareFlags;
use tempfile::TempDir;

use crate::flood::{Flood, Hit};
use crate::lab::{Host, PATIENCE, Running, World, until};
use crate::programs::knock_spad;
use crate::usage::family;

/// The interface where it listens: the laptop is behind it.
pub const INTERFACE: &str = "to-laptop";

/// A program that understands knockd's configuration.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Program {
    /// knockd, where it is installed.
    Knockd,
    /// Its successor.
    Ours,
}

/// Doors of three ports each, all of them different.
#[derive(Clone, Copy, Debug)]
pub struct Doors(pub u16);

impl Doors {
    /// The ports of a door, in their order.
    #[must_use]
    pub fn ports(number: u16) -> [u16; 3] {
        [0, 1, 2].map(|step| 10_000 + 3 * number + step)
    }

    /// The first port of the door that is hit when it is the turn of `number`: of all doors, one after the other.
    #[must_use]
    pub fn first_port(self, number: u32) -> u16 {
        Self::ports(u16::try_from(number % u32::from(self.0)).expect("a door's number"))[0]
    }

    /// What a configuration has of them. Each makes a file of the source's name in `DIR/opened`; `more` stands in
    /// each.
    #[must_use]
    pub fn configuration(self, more: &str) -> String {
        let mut text = String::new();
        for number in 0..self.0 {
            let [one, two, three] = Self::ports(number);
            writeln!(text, "[door{number}]\nsequence = {one},{two},{three}\nseq_timeout = 5\ntcpflags = syn")
                .expect("writing into a string");
            writeln!(text, "start_command = : > DIR/opened/%IP%\n{more}").expect("writing into a string");
        }
        text
    }
}

/// A daemon that runs. Dropping it kills it and all that it has started, and removes its files.
#[derive(Debug)]
pub struct Classic {
    running: Running,
    directory: TempDir,
}

impl Classic {
    /// Starts it. `configuration` lacks the options only; `DIR` in it stands for the daemon's own directory.
    ///
    /// # Panics
    /// Where it cannot be started.
    #[must_use]
    pub fn start(program: Program, host: &Host, configuration: &str, arguments: &[&str]) -> Self {
        let directory = TempDir::new().expect("a directory");
        let path = directory.path();
        fs::create_dir(path.join("opened")).expect("a directory");
        let text = format!("[options]\nlogfile = DIR/log\n{configuration}");
        let text = text.replace("DIR", path.to_str().expect("a path of text"));
        fs::write(path.join("knockd.conf"), text).expect("writing a file");
        let mut command = Command::new(program.executable(path));
        command.current_dir(path).args(["-c", "knockd.conf", "-i", INTERFACE]).args(arguments);
        Self { running: host.spawn(&mut command), directory }
    }

    /// Starts it, and waits until it hears knocks on the first of its doors.
    #[must_use]
    pub fn ready(program: Program, world: &World, configuration: &str, arguments: &[&str]) -> Self {
        let mut classic = Self::start(program, &world.server, configuration, arguments);
        let flood = Flood::new(&world.laptop, world.server.v4);
        let port = Doors::ports(0)[0];
        let mut number = 0;
        until(6 * PATIENCE, "the daemon to hear something", || {
            // From somebody new each time, since who hits a port twice has failed.
            number += 1;
            flood.hit(Hit { from: Ipv4Addr::from_bits(12 << 24 | number), port });
            assert!(!classic.running.has_ended(), "it has ended: {}", classic.output());
            classic.log().contains(": Stage 1")
        });
        classic
    }

    /// The process that was started.
    #[must_use]
    pub fn pid(&self) -> Pid {
        self.running.pid()
    }

    /// A path in its directory.
    #[must_use]
    pub fn path(&self, name: &str) -> PathBuf {
        self.directory.path().join(name)
    }

    /// What it has logged.
    #[must_use]
    pub fn log(&self) -> String {
        // It is made by the daemon.
        fs::read_to_string(self.path("log")).unwrap_or_default()
    }

    /// Whether it has ended.
    pub fn has_ended(&mut self) -> bool {
        self.running.has_ended()
    }

    /// What it has said elsewhere.
    #[must_use]
    pub fn output(&self) -> String {
        self.running.output()
    }

    /// Whether a door was opened for this address.
    #[must_use]
    pub fn has_opened(&self, from: impl Into<IpAddr>) -> bool {
        self.path("opened").join(from.into().to_string()).exists()
    }

    /// Waits until a door is opened for this address.
    ///
    /// # Panics
    /// Where that does not happen soon.
    pub fn await_opened(&self, from: impl Into<IpAddr>) {
        let from = from.into();
        until(PATIENCE, &format!("a door to open for {from}"), || self.has_opened(from));
    }
}

impl Drop for Classic {
    fn drop(&mut self) {
        if thread::panicking() {
            let log = self.log();
            let last: Vec<_> = log.lines().rev().take(40).collect();
            let last: Vec<_> = last.into_iter().rev().collect();
            eprintln!("the end of the log:\n{}\nand besides:\n{}", last.join("\n"), self.output());
        }
        for pid in family(self.pid()) {
            // It may have ended.
            let _ = kill_process(pid, Signal::KILL);
        }
    }
}

impl Program {
    /// Each.
    pub const BOTH: [Self; 2] = [Self::Knockd, Self::Ours];

    /// Where it is; a link in `directory` where it needs another name.
    fn executable(self, directory: &Path) -> PathBuf {
        match self {
            Self::Knockd => "/usr/sbin/knockd".into(),
            Self::Ours => {
                let link = directory.join("knockd");
                symlink(knock_spad(), &link).expect("a link in a directory of ours");
                link
            }
        }
    }
}

/// Knocks, with a millisecond between the steps.
pub fn knock(flood: &Flood, from: Ipv4Addr, ports: &[u16]) {
    for (step, port) in ports.iter().enumerate() {
        if step > 0 {
            thread::sleep(Duration::from_millis(1));
        }
        flood.hit(Hit { from, port: *port });
    }
}

/// Gives this thread, and what it starts, a `/var/lib` that nobody else sees and that vanishes with `directory`.
///
/// # Panics
/// Where that cannot be done.
pub fn own_state(directory: &Path) {
    #[expect(deprecated, reason = "its danger, unsharing descriptors, is not asked for")]
    rustix::thread::unshare(UnshareFlags::NEWNS).expect("leaving the mounts of everybody else");
    mount_change("/", MountPropagationFlags::PRIVATE | MountPropagationFlags::REC).expect("private mounts");
    mount_bind(directory, "/var/lib").expect("mounting over /var/lib");
}
