//! The daemon, running.

use std::fs;
use std::os::unix::fs::symlink;
use std::process::{Command, ExitStatus};
use std::thread;

use knock_spa_tests::lab::{PATIENCE, Running, until};
use knock_spa_tests::programs::knock_spad;
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
        let link = self.path("knockd");
        if !link.exists() {
            symlink(knock_spad(), &link).unwrap();
        }
        let mut command = command(self, link.to_str().unwrap());
        command.arg("-c").arg(self.path("knockd.conf")).arg("-g").arg(self.path("log")).arg("-vD");
        command.args(arguments);
        command
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

/// Whether the process is there, and no mere remainder of one.
pub fn is_alive(pid: Pid) -> bool {
    let stat = fs::read_to_string(format!("/proc/{}/stat", pid.as_raw_nonzero())).unwrap_or_default();
    stat.rsplit_once(") ").is_some_and(|(_, rest)| !rest.starts_with('Z'))
}
