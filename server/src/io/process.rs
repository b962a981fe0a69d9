//! Processes: the listener, and the administrator's commands.

use std::ffi::OsString;
use std::io;
use std::os::fd::OwnedFd;
use std::os::unix::process::CommandExt;
use std::process::{ExitStatus, Stdio};

use knock_spa_engine::admit::effect::{Ended, Job, JobId, Manner};
use rustix::process::{Pid, Signal, kill_process_group};
use tokio::process::{Child, Command};

use super::{channel, syscalls};

/// The hidden word of the command line that makes this program the listener.
pub const LISTENER_WORD: &str = "listener";

/// The hidden word of the command line that makes this program the daemon in the background, as knockd has it.
pub const BACKGROUND_WORD: &str = "knockd-in-background";

/// The environment that is not handed on: it is between systemd and the daemon.
const PRIVATE: [&str; 6] =
    ["NOTIFY_SOCKET", "WATCHDOG_PID", "WATCHDOG_USEC", "LISTEN_PID", "LISTEN_FDS", "LISTEN_FDNAMES"];

/// A listener that was started.
#[derive(Debug)]
pub struct Started {
    /// The keeper's end of the channel.
    pub end: OwnedFd,
    /// The process, where it is one of its own.
    pub process: Option<Child>,
}

/// Keeps from the listener and from commands what whoever started the daemon had open: it is none of their business.
/// What the daemon opens itself is kept from them anyway.
pub fn keep_descriptors() {
    if let Err(error) = syscalls::close_on_exec() {
        tracing::debug!(event = "descriptors-not-kept", %error);
    }
}

/// Starts the product's listener: this program again, with its end of the channel for standard input, and with
/// nothing else that this program has opened.
///
/// # Errors
/// What the system said.
pub fn start_listener() -> io::Result<Started> {
    let (ours, theirs) = channel::pair()?;
    let mut command = new_command("/proc/self/exe");
    command.arg0("knock-spad").arg(LISTENER_WORD).env_clear().current_dir("/").kill_on_drop(true);
    command.stdin(theirs).stdout(Stdio::null()).stderr(Stdio::inherit());
    Ok(Started { end: ours, process: Some(command.spawn()?) })
}

/// Starts this program again as a daemon in the background, with this for standard input.
///
/// # Errors
/// What the system said.
#[expect(clippy::disallowed_methods, reason = "this is the module that runs processes")]
pub fn start_in_background(stdin: OwnedFd, arguments: &[OsString]) -> io::Result<std::process::Child> {
    let mut command = std::process::Command::new("/proc/self/exe");
    command.arg0("knock-spad").arg(BACKGROUND_WORD).args(arguments).stdin(stdin);
    command.spawn()
}

/// Runs a command of the administrator to its end.
pub async fn run(job: Job) -> (JobId, Ended) {
    let ended = match start(&job) {
        Ok(child) => finish(child, job.manner).await,
        Err(error) => {
            tracing::error!(event = "command-not-started", door = %job.door, %error);
            Ended::NotStarted
        }
    };
    (job.id, ended)
}

fn start(job: &Job) -> io::Result<Child> {
    let (program, arguments) = job.command.argv.split_first().ok_or(io::ErrorKind::InvalidInput)?;
    let mut command = new_command(program);
    command.args(arguments).envs(job.command.environment.iter().map(|(name, value)| (name, value)));
    PRIVATE.iter().for_each(|name| {
        command.env_remove(name);
    });
    match job.manner {
        Manner::Within(_) => {
            command.process_group(0).current_dir("/");
            syscalls::end_with_this_process(&mut command);
            command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::inherit());
        }
        // In the daemon's directory, with its environment and its standard streams.
        Manner::KnockdStart | Manner::KnockdStop => {
            // What the C library's system(3) calls the shell: it stands in the shell's own messages.
            command.arg0("sh");
            syscalls::in_new_session(&mut command);
        }
    }
    command.spawn()
}

async fn finish(mut child: Child, manner: Manner) -> Ended {
    let limit = match manner {
        Manner::Within(limit) => limit,
        Manner::KnockdStart | Manner::KnockdStop => {
            return child.wait().await.map_or(Ended::NotStarted, ended);
        }
    };
    match tokio::time::timeout(limit, child.wait()).await {
        Ok(status) => status.map_or(Ended::NotStarted, ended),
        Err(_elapsed) => {
            kill(&mut child).await;
            Ended::TimedOut
        }
    }
}

/// Kills the whole process group.
async fn kill(child: &mut Child) {
    let group = child.id().and_then(|id| Pid::from_raw(i32::try_from(id).ok()?));
    if let Some(Err(error)) = group.map(|group| kill_process_group(group, Signal::KILL)) {
        tracing::warn!(event = "command-not-killed", %error);
    }
    if let Err(error) = child.wait().await {
        tracing::warn!(event = "command-not-reaped", %error);
    }
}

fn ended(status: ExitStatus) -> Ended {
    status.code().map_or(Ended::Killed, Ended::Status)
}

#[expect(clippy::disallowed_methods, reason = "this is the module that runs processes")]
fn new_command(program: &str) -> Command {
    Command::new(program)
}
