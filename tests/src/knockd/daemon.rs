//! The daemons under test.

use std::fs;
use std::fs::File;
use std::os::unix::fs::symlink;
use std::os::unix::process::{CommandExt, ExitStatusExt};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};

use rustix::process::{Pid, Signal, kill_process};

use super::directory::{Directory, ERR, OUT, RAN};
use super::forecast::WORD;
use super::model::Faults;
use super::outcome::End;
use super::trace::Trace;
use crate::lab::Namespace;
use crate::programs::knock_spad;

/// A daemon that can be tested.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Daemon {
    /// knockd itself.
    Knockd,
    /// Its successor, called by its name.
    Ours,
}

impl Daemon {
    /// Which faults it has.
    #[must_use]
    pub fn faults(self) -> Faults {
        match self {
            Self::Knockd => Faults::Kept,
            Self::Ours => Faults::Mended,
        }
    }

    /// A command that runs it under the name of knockd.
    ///
    /// # Panics
    /// Where `scratch` cannot be written to.
    #[must_use]
    pub fn command(self, scratch: &Path) -> Command {
        let program = match self {
            Self::Knockd => installed().expect("knockd is installed"),
            Self::Ours => ours(scratch),
        };
        let mut command = Command::new(program);
        // The child of an account whose locale is another would say the same in other words.
        command.arg0("knockd").env("LC_ALL", "C").stdin(Stdio::null());
        command
    }
}

/// Where knockd is.
#[must_use]
pub fn installed() -> Option<PathBuf> {
    let places = ["/usr/sbin/knockd", "/usr/bin/knockd", "/usr/local/sbin/knockd"].map(PathBuf::from);
    places.into_iter().find(|path| path.exists())
}

/// The successor under knockd's name.
fn ours(scratch: &Path) -> PathBuf {
    let link = scratch.join("knockd");
    if !link.exists() {
        symlink(knock_spad(), &link).expect("a link in a directory of ours");
    }
    link
}

/// A daemon that was started.
#[derive(Debug)]
pub struct Life {
    /// Which one.
    pub daemon: Daemon,
    /// Its files.
    pub directory: Directory,
    child: Child,
    background: Background,
    end: End,
}

/// Whether the daemon is its own child.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Background {
    No,
    /// It will be, and tells its number in the file `pid`.
    Awaited,
    Process(Pid),
}

impl Life {
    /// Starts it.
    ///
    /// # Panics
    /// Where it cannot be started.
    #[must_use]
    pub fn start(
        daemon: Daemon,
        directory: Directory,
        scratch: &Path,
        trace: &Trace,
        place: &Namespace,
    ) -> Self {
        let file = |name: &str| File::create(directory.path(name)).expect("a new file");
        let mut command = daemon.command(scratch);
        command.args(trace.arguments().map(|arg| arg.replace("DIR", directory.text())));
        command.env("WORD", WORD).env("RAN", directory.path(RAN)).stdout(file(OUT)).stderr(file(ERR));
        let child = place.enter(|| command.spawn()).expect("starting a daemon");
        let background = if trace.is_background() { Background::Awaited } else { Background::No };
        Self { daemon, directory, child, background, end: End::Running }
    }

    /// How it ended, if it has.
    ///
    /// # Panics
    /// Never for a child of ours.
    pub fn end(&mut self) -> End {
        if self.end == End::Running {
            self.end = match self.background {
                Background::Process(pid) if !is_alive(pid) => End::Vanished,
                Background::Process(_) => End::Running,
                Background::No => self.reap(),
                Background::Awaited => self.follow(),
            };
        }
        self.end
    }

    /// Whether it is where it is going to stay.
    #[must_use]
    pub fn is_placed(&self) -> bool {
        self.background != Background::Awaited
    }

    fn reap(&mut self) -> End {
        self.child.try_wait().expect("waiting for a child").map_or(End::Running, ended)
    }

    /// Looks for the process in the background once the child has ended well.
    fn follow(&mut self) -> End {
        let end = self.reap();
        if end != End::Exited(0) {
            return end;
        }
        let number = self.directory.read("pid").trim().parse().ok().and_then(Pid::from_raw);
        if let Some(pid) = number {
            self.background = Background::Process(pid);
        }
        End::Running
    }

    /// Sends it a signal, unless it has ended.
    pub fn signal(&mut self, signal: Signal) {
        if self.end() != End::Running {
            return;
        }
        let pid = match self.background {
            Background::Process(pid) => pid,
            Background::No | Background::Awaited => Pid::from_child(&self.child),
        };
        // It may end at this very moment; where it is a child, its number stays its own.
        let _ = kill_process(pid, signal);
    }
}

fn ended(status: ExitStatus) -> End {
    match (status.code(), status.signal()) {
        (Some(code), _) => End::Exited(code),
        (None, signal) => End::Signalled(signal.unwrap_or(0)),
    }
}

/// Whether the process is there, and no mere remainder of one.
fn is_alive(pid: Pid) -> bool {
    let stat = fs::read_to_string(format!("/proc/{pid}/stat")).unwrap_or_default();
    stat.rsplit_once(") ").is_some_and(|(_, rest)| !rest.starts_with('Z'))
}

impl Drop for Life {
    fn drop(&mut self) {
        self.signal(Signal::KILL);
        // It fails only for a process that was waited for.
        let _ = self.child.wait();
    }
}
