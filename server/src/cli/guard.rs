//! `knock-spad guard`: the nftables table that shuts the doors.

use std::path::Path;
use std::time::Duration;

use clap::Subcommand;
use knock_spa_proto::control as messages;
use rustix::event::{PollFd, PollFlags, Timespec, poll};

use crate::cli::failure::{Exit, Failure};
use crate::cli::{daemon, load_config, terminal};
use crate::config::settings::Paths;
use crate::control::{self, AskError};
use crate::guard_mark::{self, Mark, MarkError};
use crate::nft::{Guard, NftError, RulesetWatch, Shown};

#[derive(Debug, Subcommand)]
pub(super) enum Command {
    /// Show what the kernel holds: guarded ports, openings, dropped packets.
    Show,
    /// Install the guard, and keep it from now on.
    Confirm,
    /// Remove the guard: its doors stand open, and no daemon installs it again before `confirm`.
    Remove,
}

pub(super) fn run(config: &Path, command: &Command) -> Result<(), Failure> {
    match command {
        Command::Show => show(),
        Command::Confirm => {
            let paths = load_config(config)?.settings.paths;
            terminal::say(daemon::done(daemon::ask(config, &paths, messages::Command::GuardConfirm)?)?)
        }
        Command::Remove => remove(config),
    }
}

fn show() -> Result<(), Failure> {
    match connect()?.show()? {
        Some(shown) => terminal::say(words(&shown)),
        None => terminal::say("the guard is not installed: no port is shut by knock-spa"),
    }
}

fn words(shown: &Shown) -> String {
    let doors = shown.doors.iter().map(|(port, left)| format!("shut {port}{}", span_words(*left)));
    let open = shown.open.iter().map(|(element, left)| format!("open {element}{}", span_words(*left)));
    let dropped = [format!("{} packets dropped", shown.dropped)];
    doors.chain(open).chain(dropped).collect::<Vec<_>>().join("\n")
}

fn span_words(left: Option<Duration>) -> String {
    left.map_or_else(String::new, |left| format!(", {} s more", left.as_secs()))
}

/// Also where no daemon runs, where one hangs, and where the configuration is broken: it is the way out.
fn remove(config: &Path) -> Result<(), Failure> {
    let paths = load_config(config).map_or_else(
        |failure| {
            terminal::note(format_args!("warning: {}", failure.message));
            Paths::default()
        },
        |config| config.settings.paths,
    );
    match control::ask_within(&paths.runtime, messages::Command::GuardRemove, PATIENCE) {
        Ok(reply) => return terminal::say(daemon::done(reply)?),
        Err(AskError::NoDaemon(_)) => {}
        Err(error) => terminal::note(format_args!("warning: {error}")),
    }
    // First the mark, so that a daemon which sees the table go does not build it again.
    let marked = guard_mark::write(&paths.state, Mark::Removed);
    let mut guard = connect()?;
    let mut watch = guard.watch().map_err(NftError::from)?;
    guard.remove()?;
    marked?;
    if comes_back(&mut guard, &mut watch) {
        return Err(Failure::new(Exit::Io, "somebody has built the guard again: a daemon with other paths?")
            .hint("stop the daemon (`systemctl stop knock-spad`), and try again"));
    }
    terminal::say("the guard is removed: its doors stand open")
}

/// How long a daemon may take to remove the guard.
const PATIENCE: Duration = Duration::from_secs(5);

/// How long is waited for somebody to build it again: a daemon does so at once.
const REBUILD: Timespec = Timespec { tv_sec: 0, tv_nsec: 300_000_000 };

fn comes_back(guard: &mut Guard, watch: &mut RulesetWatch) -> bool {
    let changed = poll(&mut [PollFd::new(watch, PollFlags::IN)], Some(&REBUILD));
    changed.is_ok_and(|count| count > 0)
        && watch.lost(guard).unwrap_or(false)
        && guard.show().is_ok_and(|shown| shown.is_some())
}

fn connect() -> Result<Guard, Failure> {
    Guard::connect()
        .map_err(|error| Failure::new(Exit::System, format_args!("can't reach nftables: {error}")))
}

impl From<NftError> for Failure {
    fn from(error: NftError) -> Self {
        let exit = match &error {
            NftError::NotPermitted(_) => Exit::Permission,
            NftError::Io(_) | NftError::NoAnswer => Exit::Io,
            NftError::Missing(_) | NftError::TooMuch | NftError::Full(_) | NftError::Refused(_) => {
                Exit::System
            }
        };
        Self::new(exit, error)
    }
}

impl From<MarkError> for Failure {
    fn from(error: MarkError) -> Self {
        match error {
            MarkError::File(error) => error.into(),
            MarkError::Unknown(_) => Self::new(Exit::Data, error),
        }
    }
}
