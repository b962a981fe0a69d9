//! One network namespace.

use std::fs::{self, File};
use std::io::Write;
use std::os::fd::{AsFd, AsRawFd};
use std::panic::resume_unwind;
use std::process::{self, Command, Stdio};
use std::{io, thread};

use rustix::thread::{LinkNameSpaceType, UnshareFlags, move_into_link_name_space};

use super::process::Running;
use super::wait::{PATIENCE, until};

/// A network namespace, alive as long as this value or anything that runs in it.
#[derive(Debug)]
pub struct Namespace(File);

impl Namespace {
    /// Makes a namespace with nothing in it but a loopback interface that is down.
    ///
    /// # Panics
    /// Where namespaces cannot be made: the message says how to run the tests.
    #[must_use]
    pub fn new() -> Self {
        let made = thread::spawn(make).join().unwrap_or_else(|panic| resume_unwind(panic));
        let namespace = Self(made.unwrap_or_else(|error| {
            panic!(
                "cannot make a network namespace ({error}): run the tests as root, or inside \
                 `unshare -Urnm --propagation private`"
            )
        }));
        // Addresses are usable at once, and nobody solicits routers in the middle of a recording.
        for family in ["all", "default"] {
            namespace.set(&format!("ipv6/conf/{family}/accept_dad"), "0");
            namespace.set(&format!("ipv6/conf/{family}/accept_ra"), "0");
            namespace.set(&format!("ipv6/conf/{family}/router_solicitations"), "0");
            namespace.set(&format!("ipv4/conf/{family}/rp_filter"), "0");
        }
        namespace
    }

    /// Runs `work` on a thread inside the namespace: sockets made there belong to it for ever, and so do
    /// processes started there. A panic of `work` goes on here.
    ///
    /// # Panics
    /// Where the namespace cannot be entered.
    pub fn enter<T: Send>(&self, work: impl FnOnce() -> T + Send) -> T {
        let inside = || {
            move_into_link_name_space(self.0.as_fd(), Some(LinkNameSpaceType::Network))
                .expect("entering a namespace that we made");
            work()
        };
        thread::scope(|scope| scope.spawn(inside).join()).unwrap_or_else(|panic| resume_unwind(panic))
    }

    /// Runs a command line, split at white space, to its end; what it prints.
    ///
    /// # Panics
    /// Where it cannot be run or fails: the message holds what it printed.
    pub fn run(&self, line: &str) -> String {
        let mut words = line.split_whitespace();
        let mut command = Command::new(words.next().expect("a command"));
        command.args(words);
        self.run_command(&mut command, "")
    }

    /// Runs a script of `sh` to its end; what it prints.
    ///
    /// # Panics
    /// Where it cannot be run or fails: the message holds what it printed.
    pub fn sh(&self, script: &str) -> String {
        self.run_command(Command::new("sh").args(["-e", "-u", "-c", script]), "")
    }

    /// Runs a command to its end with `input` as its standard input; what it prints.
    ///
    /// # Panics
    /// Where it cannot be run or fails: the message holds what it printed.
    pub fn run_command(&self, command: &mut Command, input: &str) -> String {
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut child = self
            .enter(|| command.spawn())
            .unwrap_or_else(|error| panic!("cannot run {:?}: {error}", command.get_program()));
        // A process that ends without reading its input is judged by its exit status, not by the pipe.
        let _ = child.stdin.take().expect("it is piped").write_all(input.as_bytes());
        let output = child.wait_with_output().expect("waiting for a child");
        let (out, err) = (String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
        assert!(
            output.status.success(),
            "{command:?} with input {input:?} failed: {}\n{out}{err}",
            output.status
        );
        out.into_owned()
    }

    /// Starts a process that is killed when the answer is dropped.
    ///
    /// # Panics
    /// Where it cannot be started.
    #[must_use]
    pub fn spawn(&self, command: &mut Command) -> Running {
        self.enter(|| Running::start(command))
    }

    /// Runs commands of `ip`, one a line.
    pub(crate) fn batch(&self, commands: &str) {
        self.run_command(Command::new("ip").args(["-batch", "-"]), commands);
    }

    /// Sets a variable under `/proc/sys/net`, such as `ipv4/ip_forward`.
    ///
    /// # Panics
    /// Where there is no such variable, or the value is refused.
    pub fn set(&self, variable: &str, value: &str) {
        self.enter(|| fs::write(format!("/proc/sys/net/{variable}"), value))
            .unwrap_or_else(|error| panic!("setting {variable}: {error}"));
    }

    /// A path that names the namespace for as long as this value lives.
    #[must_use]
    pub fn path(&self) -> String {
        format!("/proc/{}/fd/{}", process::id(), self.0.as_raw_fd())
    }

    /// Waits until both ends of a cable are up.
    pub(crate) fn await_carrier(&self, interface: &str) {
        let line = format!("ip -oneline link show dev {interface}");
        until(PATIENCE, &format!("a carrier on {interface}"), || self.run(&line).contains("LOWER_UP"));
    }

    /// Waits until the ports of a bridge pass frames.
    pub(super) fn await_forwarding(&self, ports: [&str; 2]) {
        for port in ports {
            let line = format!("bridge link show dev {port}");
            until(PATIENCE, &format!("{port} to forward"), || self.run(&line).contains("state forwarding"));
        }
    }
}

impl Default for Namespace {
    fn default() -> Self {
        Self::new()
    }
}

/// Leaves the namespace of the calling thread for a new one, and names that.
fn make() -> io::Result<File> {
    #[expect(
        deprecated,
        reason = "its one danger, unsharing descriptors, is not asked for; the other is unsafe"
    )]
    rustix::thread::unshare(UnshareFlags::NEWNET)?;
    File::open("/proc/thread-self/ns/net")
}
