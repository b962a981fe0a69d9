//! A server of the lab: the real daemon in a namespace, with files of its own.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::{Command, ExitStatus};
use std::thread;

use knock_spa_keys::server::{ServerKey, ServerLine};
use knock_spa_proto::control::{GuardStatus, OpeningStatus, Status};
use knock_spad::nft::{Guard, Shown};
use rustix::process::{Pid, Signal, kill_process};
use tempfile::TempDir;

use crate::lab::{Host, PATIENCE, Running, until};
use crate::laptop::Laptop;
use crate::programs::{Run, knock_spad};

/// A door `ssh` on tcp/22 and nothing else: the defaults are what users get.
pub const DEFAULT: &str = "[door.ssh]\nports = ['tcp/22']\n";

/// The name by which laptops find the server, over both families.
pub const NAME: &str = "gw.example.net";

/// A server. Dropping it kills the daemon and removes its files.
#[derive(Debug)]
pub struct Server<'w> {
    host: &'w Host,
    directory: TempDir,
    /// What runs the daemon, such as `nsenter` and its options.
    runner: Vec<String>,
    daemon: Option<Running>,
}

impl<'w> Server<'w> {
    /// A server that is initialised and does not run yet. `configuration` lacks `[paths]` only; `DIR` in it
    /// stands for the server's own directory.
    ///
    /// # Panics
    /// Where `knock-spad init` fails.
    #[must_use]
    pub fn new(host: &'w Host, configuration: &str) -> Self {
        let directory = TempDir::new().expect("a directory");
        let server = Self { host, directory, runner: Vec::new(), daemon: None };
        server.configure(configuration);
        server.command(&["init", "--endpoint", NAME]).ended_with(0);
        server
    }

    /// A server that runs and listens.
    #[must_use]
    pub fn running(host: &'w Host, configuration: &str) -> Self {
        let mut server = Self::new(host, configuration);
        server.start();
        server
    }

    /// Writes the configuration, which the daemon does not read by itself.
    ///
    /// # Panics
    /// Where the file cannot be written.
    pub fn configure(&self, configuration: &str) {
        let paths = "[paths]\nkey = 'DIR/state/server.key'\nclients = 'DIR/state/clients.d'\n\
                     state = 'DIR/state'\nruntime = 'DIR/run'\n";
        let directory = self.directory.path().to_str().expect("a path of text");
        let text = format!("{paths}{configuration}").replace("DIR", directory);
        self.write("knock-spad.toml", &text, 0o600);
    }

    /// Writes a file in the server's directory.
    ///
    /// # Panics
    /// Where it cannot be written.
    pub fn write(&self, name: &str, text: &str, mode: u32) {
        let path = self.path(name);
        fs::write(&path, text).expect("writing a file");
        fs::set_permissions(&path, fs::Permissions::from_mode(mode)).expect("setting its permissions");
    }

    /// A path in the server's directory.
    #[must_use]
    pub fn path(&self, name: &str) -> PathBuf {
        self.directory.path().join(name)
    }

    /// Starts the daemon, and waits until it listens and the guard is where it should be.
    ///
    /// # Panics
    /// Where that does not come to pass soon: the message holds its log.
    pub fn start(&mut self) {
        self.spawn();
        self.await_ready();
    }

    /// Starts the daemon.
    pub fn spawn(&mut self) {
        self.spawn_with(&[]);
    }

    /// Has the daemon started by these words from now on, such as `nsenter` and its options.
    pub fn run_by(&mut self, words: &[&str]) {
        self.runner = words.iter().map(|word| (*word).to_owned()).collect();
    }

    /// Starts the daemon with these in its environment.
    pub fn spawn_with(&mut self, environment: &[(&str, &str)]) {
        let mut command = self.program(&["run", "--log-level", "debug"]);
        if let Some((runner, options)) = self.runner.split_first() {
            let mut run = Command::new(runner);
            run.args(options).arg(command.get_program()).args(command.get_args());
            command = run;
        }
        command.envs(environment.iter().copied());
        self.daemon = Some(self.host.spawn(&mut command));
    }

    /// Starts the daemon without these capabilities, as `setpriv` names them, and waits as [`Self::start`] does.
    ///
    /// # Panics
    /// As [`Self::start`].
    pub fn start_without(&mut self, capabilities: &str) {
        self.spawn_without(capabilities);
        self.await_ready();
    }

    /// Starts the daemon without these capabilities.
    pub fn spawn_without(&mut self, capabilities: &str) {
        let daemon = self.program(&["run", "--log-level", "debug"]);
        let mut command = Command::new("setpriv");
        for set in ["--bounding-set", "--inh-caps"] {
            command.arg(set).arg(capabilities);
        }
        command.arg(daemon.get_program()).args(daemon.get_args());
        self.daemon = Some(self.host.spawn(&mut command));
    }

    /// Waits until the daemon listens under the present rules, with the guard where it should be.
    ///
    /// # Panics
    /// Where that does not come to pass soon: the message holds its log.
    pub fn await_ready(&mut self) {
        let start = std::time::Instant::now();
        loop {
            let run = self.command(&["status", "--json"]);
            let status = (run.status == 0).then(|| parse(&run.out));
            if status.is_some_and(|status| {
                status.listener.ready && !matches!(status.guard, GuardStatus::Failed { .. })
            }) {
                return;
            }
            assert!(start.elapsed() < PATIENCE && self.is_running(), "it is not ready:\n{}", self.log());
            thread::sleep(std::time::Duration::from_millis(5));
        }
    }

    /// Whether the daemon runs.
    #[must_use]
    pub fn is_running(&mut self) -> bool {
        self.daemon.as_mut().is_some_and(|daemon| !daemon.has_ended())
    }

    /// What the daemon has logged since it was started.
    #[must_use]
    pub fn log(&self) -> String {
        self.daemon.as_ref().map(Running::output).unwrap_or_default()
    }

    /// Waits until the daemon has logged `text`.
    ///
    /// # Panics
    /// Where it does not run, or does not do so soon.
    pub fn await_log(&mut self, text: &str) {
        self.daemon.as_mut().expect("it was started").await_output(text);
    }

    /// Kills both processes at once, with SIGKILL.
    ///
    /// # Panics
    /// Where the daemon does not run.
    pub fn kill(&mut self) {
        let listener = self.listener();
        kill_process(listener, Signal::KILL).expect("killing the listener");
        self.kill_parent_of(listener);
    }

    /// Kills the keeper, with SIGKILL, and waits until the listener has followed.
    ///
    /// # Panics
    /// Where the daemon does not run, or the listener does not follow.
    pub fn kill_keeper(&mut self) {
        self.kill_parent_of(self.listener());
    }

    fn kill_parent_of(&mut self, listener: Pid) {
        let mut daemon = self.daemon.take().expect("it runs");
        daemon.signal(Signal::KILL);
        daemon.wait();
        until(PATIENCE, "the listener to end", || !is_alive(listener));
    }

    /// Kills the listener, with SIGKILL.
    ///
    /// # Panics
    /// Where there is none.
    pub fn kill_listener(&self) {
        kill_process(self.listener(), Signal::KILL).expect("killing the listener");
    }

    /// Waits until the daemon has ended by itself; its exit status and log.
    ///
    /// # Panics
    /// Where it does not end soon.
    pub fn wait(&mut self) -> (ExitStatus, String) {
        let mut daemon = self.daemon.take().expect("it was started");
        let status = daemon.wait();
        (status, daemon.output())
    }

    /// Tells the daemon to stop, and waits until it has.
    ///
    /// # Panics
    /// Where it fails.
    pub fn stop(&mut self) {
        self.signal(Signal::TERM);
        let (status, log) = self.wait();
        assert!(status.success(), "{status}\n{log}");
    }

    /// Ends the daemon by SIGKILL, which ends both processes at once, or by SIGTERM.
    ///
    /// # Panics
    /// As [`Self::kill`] and [`Self::stop`].
    pub fn end(&mut self, signal: Signal) {
        if signal == Signal::KILL { self.kill() } else { self.stop() }
    }

    /// Sends the daemon a signal.
    ///
    /// # Panics
    /// Where it was not started.
    pub fn signal(&mut self, signal: Signal) {
        self.daemon.as_mut().expect("it was started").signal(signal);
    }

    /// The process of the keeper.
    ///
    /// # Panics
    /// Where the daemon was not started.
    #[must_use]
    pub fn keeper(&self) -> Pid {
        self.daemon.as_ref().expect("it was started").pid()
    }

    /// The process of the listener.
    ///
    /// # Panics
    /// Where there is none.
    #[must_use]
    pub fn listener(&self) -> Pid {
        self.find_listener().expect("the daemon has a listener")
    }

    /// The process of the listener, where there is one.
    ///
    /// # Panics
    /// Where the daemon does not run.
    #[must_use]
    pub fn find_listener(&self) -> Option<Pid> {
        let keeper = self.daemon.as_ref().expect("it runs").pid().as_raw_nonzero();
        let children = fs::read_to_string(format!("/proc/{keeper}/task/{keeper}/children"));
        let children = children.expect("the daemon runs");
        let listener = children.split_whitespace().find(|pid| {
            fs::read(format!("/proc/{pid}/cmdline"))
                .is_ok_and(|line| line.split(|byte| *byte == 0).any(|word| word == b"listener"))
        });
        Pid::from_raw(listener?.parse().expect("a number"))
    }

    /// `knock-spad` with these words, on this server's configuration.
    #[must_use]
    pub fn command(&self, words: &[&str]) -> Run {
        Run::of(self.host, &mut self.program(words), "")
    }

    /// Starts `knock-spad` with these words, on this server's configuration.
    #[must_use]
    pub fn start_command(&self, words: &[&str]) -> Running {
        self.host.spawn(&mut self.program(words))
    }

    /// What a daemon says that ends by itself: one that is started beside this one, on the same files.
    ///
    /// # Panics
    /// Where it does not end soon, or not with `status`.
    pub fn fails_to_run(&self, status: i32) -> String {
        let mut daemon = self.host.spawn(&mut self.program(&["run"]));
        let ended = daemon.wait();
        // The last lines may still be on their way.
        until(PATIENCE, "what it says of that", || daemon.output().contains("error: "));
        assert_eq!(ended.code(), Some(status), "{}", daemon.output());
        daemon.output()
    }

    fn program(&self, words: &[&str]) -> Command {
        let mut command = Command::new(knock_spad());
        command.arg("--config").arg(self.path("knock-spad.toml")).args(words);
        command
    }

    /// How everything is.
    ///
    /// # Panics
    /// Where no daemon answers.
    #[must_use]
    pub fn status(&self) -> Status {
        parse(&self.command(&["status", "--json"]).ended_with(0).out)
    }

    /// How often packets were refused for this reason, by its name in `status`.
    ///
    /// # Panics
    /// Where there is no such reason.
    #[must_use]
    pub fn refused(&self, reason: &str) -> u64 {
        self.status().counters.refused[reason]
    }

    /// The openings in force.
    #[must_use]
    pub fn openings(&self) -> Vec<OpeningStatus> {
        self.status().openings
    }

    /// What the kernel holds of the guard.
    ///
    /// # Panics
    /// Where the kernel does not say.
    #[must_use]
    pub fn guard(&self) -> Option<Shown> {
        self.host.enter(|| Guard::connect().expect("a netlink socket").show()).expect("reading the table")
    }

    /// The server's line.
    ///
    /// # Panics
    /// Where there is none.
    #[must_use]
    pub fn line(&self) -> ServerLine {
        let run = self.command(&["key", "show"]).ended_with(0);
        run.out.trim().parse().expect("a server line")
    }

    /// The server's public key.
    #[must_use]
    pub fn key(&self) -> ServerKey {
        self.line().key
    }

    /// Enrols a laptop by hand: its line here under this name, the server's line there as `gw`.
    pub fn enrol(&self, laptop: &Laptop<'_>, name: &str, options: &[&str]) {
        let line = laptop.line();
        let words = [&["client", "add", name, &line], options].concat();
        let run = self.command(&words).ended_with(0);
        laptop.run_words(&["enroll", run.out.trim(), "--host", "gw"]).ended_with(0);
    }
}

impl Drop for Server<'_> {
    fn drop(&mut self) {
        if thread::panicking() {
            eprintln!("the server's log:\n{}", self.log());
        }
    }
}

fn parse(json: &str) -> Status {
    serde_json::from_str(json).unwrap_or_else(|error| panic!("{error} in {json}"))
}

/// Whether the process is there and not a zombie.
fn is_alive(pid: Pid) -> bool {
    let stat = fs::read_to_string(Path::new("/proc").join(pid.as_raw_nonzero().to_string()).join("stat"));
    stat.is_ok_and(|stat| !stat.contains(") Z "))
}
