//! Processes that run beside a test.

use std::io::{BufRead, BufReader, Read};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::{Arc, Mutex};
use std::thread;

use rustix::process::{Pid, Signal, kill_process};

use super::wait::{PATIENCE, until};

/// A running process; dropping it kills it.
#[derive(Debug)]
pub struct Running {
    child: Child,
    output: Arc<Mutex<String>>,
}

impl Running {
    /// Starts a process without standard input, and collects what it prints.
    pub(super) fn start(command: &mut Command) -> Self {
        command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut child = command.spawn().unwrap_or_else(|error| panic!("cannot start {command:?}: {error}"));
        let output = Arc::default();
        collect(child.stdout.take().expect("it is piped"), &output);
        collect(child.stderr.take().expect("it is piped"), &output);
        Self { child, output }
    }

    /// What it printed so far, to standard output and standard error, by whole lines.
    #[must_use]
    pub fn output(&self) -> String {
        self.output.lock().expect("the collectors do not panic").clone()
    }

    /// Waits until it printed a line with `text` in it.
    ///
    /// # Panics
    /// Where that does not happen soon: the message holds what it printed instead.
    pub fn await_output(&mut self, text: &str) {
        let start = std::time::Instant::now();
        while !self.output().contains(text) {
            let ended = self.child.try_wait().expect("waiting for a child");
            let waited = start.elapsed();
            assert!(waited < PATIENCE, "no {text:?} in {waited:?} ({ended:?}):\n{}", self.output());
            thread::sleep(std::time::Duration::from_millis(5));
        }
    }

    /// Its process id.
    ///
    /// # Panics
    /// Never for a process that was started.
    #[must_use]
    pub fn pid(&self) -> Pid {
        Pid::from_child(&self.child)
    }

    /// Sends it a signal, unless it has ended.
    ///
    /// # Panics
    /// Never for a process of ours.
    pub fn signal(&mut self, signal: Signal) {
        // Once it is reaped, the id may be another's.
        if self.child.try_wait().expect("waiting for a child").is_none() {
            kill_process(self.pid(), signal).expect("signalling a child");
        }
    }

    /// Whether it has ended.
    ///
    /// # Panics
    /// Never for a process of ours.
    #[must_use]
    pub fn has_ended(&mut self) -> bool {
        self.child.try_wait().expect("waiting for a child").is_some()
    }

    /// Waits until it ends by itself.
    ///
    /// # Panics
    /// Where it does not end soon.
    pub fn wait(&mut self) -> ExitStatus {
        let mut status = None;
        until(PATIENCE, "a process to end", || {
            status = self.child.try_wait().expect("waiting for a child");
            status.is_some()
        });
        status.expect("the condition held")
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        // Both fail only for a process that was waited for.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Appends the lines of `stream` to `output` until its end.
fn collect(stream: impl Read + Send + 'static, output: &Arc<Mutex<String>>) {
    let output = Arc::clone(output);
    thread::spawn(move || {
        let mut lines = BufReader::new(stream);
        let mut line = Vec::new();
        while lines.read_until(b'\n', &mut line).is_ok_and(|count| count > 0) {
            output.lock().expect("nobody panics with it").push_str(&String::from_utf8_lossy(&line));
            line.clear();
        }
    });
}
