//! The daemon, running.

use std::fs;
use std::os::unix::fs::symlink;
use std::path::PathBuf;
use std::process::{Command, ExitStatus};
use std::thread;

use knock_spa_tests::lab::{PATIENCE, Running, until};
use knock_spa_tests::programs::{Run, knock_spad};
use knock_spa_tests::usage::family;
use rustix::process::{Pid, Signal, kill_process};

use crate::scene::Scene;

/// A daemon in the foreground. Dropping it kills it and what it has started.
pub struct Daemon<'s> {
    scene: &'s Scene,
    pub running: Running,
}

impl Scene {
    /// The program under knockd's name, with the configuration and a log file.
    pub fn knockd(&self, command: fn(&Self, &str) -> Command, arguments: &[&str]) -> Command {
        let mut command = command(self, self.knockd_link().to_str().unwrap());
        command.arg("-c").arg(self.path("knockd.conf")).arg("-g").arg(self.path("log")).arg("-vD");
        command.args(arguments);
        command
    }

    /// The program's place.
    pub fn knockd_link(&self) -> PathBuf {
        let link = self.path("knockd");
        if !link.exists() {
            symlink(knock_spad(), &link).unwrap();
        }
        link
    }

    /// Starts a daemon that goes to the background and writes the usual pid file, in the scene's own `/run`.
    pub fn start_in_background(&self, command: &mut Command) -> Background {
        Run::of(&self.server, command, "").ended_with(0);
        let pid = self.read("run/knockd.pid");
        Background(Pid::from_raw(pid.trim().parse().unwrap()).unwrap())
    }

    /// Starts the daemon, and waits until it listens.
    pub fn start(&self, arguments: &[&str]) -> Daemon<'_> {
        self.start_command(&mut self.knockd(Self::inside, arguments))
    }

    /// The same for a command of one's own making.
    pub fn start_command(&self, command: &mut Command) -> Daemon<'_> {
        let mut daemon = Daemon { scene: self, running: self.server.spawn(command) };
        daemon.running.await_output("event=\"listening\"");
        daemon
    }
}

impl Daemon<'_> {
    /// Ends it by these signals, and waits until all of it has ended.
    pub fn kill(mut self, keeper: bool, listener: bool) {
        let process = self.listener();
        if listener {
            kill_process(process, Signal::KILL).unwrap();
        }
        if keeper {
            self.running.signal(Signal::KILL);
            self.running.wait();
            until(PATIENCE, "the listener to end", || !is_alive(process));
        }
    }

    /// The process that reads packets.
    pub fn listener(&self) -> Pid {
        let is_listener = |pid: &Pid| {
            fs::read(format!("/proc/{}/cmdline", pid.as_raw_nonzero()))
                .is_ok_and(|line| line.split(|byte| *byte == 0).any(|word| word == b"listener"))
        };
        let mut listener = None;
        until(PATIENCE, "a listener", || {
            listener = family(self.running.pid()).into_iter().find(is_listener);
            listener.is_some()
        });
        listener.unwrap()
    }

    /// Sends it a signal, and waits until it has ended.
    pub fn end(&mut self, signal: Signal) -> ExitStatus {
        self.running.signal(signal);
        self.running.wait()
    }

    /// Has it read its configuration again, and waits until what that says is in force.
    pub fn reload(&mut self) {
        let before = self.listened();
        self.running.signal(Signal::HUP);
        until(PATIENCE, "the new orders to be in force", || {
            assert!(!self.running.has_ended(), "{}", self.running.output());
            self.listened() > before
        });
    }

    /// How often it has begun to listen, anew or under new orders.
    pub fn listened(&self) -> usize {
        self.running.output().matches("event=\"listening\"").count()
    }
}

impl Drop for Daemon<'_> {
    fn drop(&mut self) {
        if thread::panicking() {
            eprintln!("the log:\n{}\nand besides:\n{}", self.scene.read("log"), self.running.output());
        }
        if !self.running.has_ended() {
            for pid in family(self.running.pid()) {
                // It may have ended.
                let _ = kill_process(pid, Signal::KILL);
            }
        }
    }
}

/// A daemon in the background. Dropping it kills it.
pub struct Background(pub Pid);

impl Background {
    /// Sends it a signal.
    pub fn signal(&mut self, signal: Signal) {
        kill_process(self.0, signal).unwrap();
    }

    /// Ends it by a signal, and waits until it has ended.
    pub fn end(&mut self, signal: Signal) {
        self.signal(signal);
        until(PATIENCE, "the daemon to end", || !is_alive(self.0));
    }
}

impl Drop for Background {
    fn drop(&mut self) {
        if is_alive(self.0) {
            // It may end at this very moment.
            let _ = kill_process(self.0, Signal::KILL);
        }
    }
}

/// Whether the process is there, and no mere remainder of one.
fn is_alive(pid: Pid) -> bool {
    let stat = fs::read_to_string(format!("/proc/{}/stat", pid.as_raw_nonzero())).unwrap_or_default();
    stat.rsplit_once(") ").is_some_and(|(_, rest)| !rest.starts_with('Z'))
}
