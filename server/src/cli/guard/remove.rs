//! `knock-spad guard remove`.

use std::path::Path;
use std::time::Duration;

use knock_spa_proto::control::Command;
use rustix::event::{PollFd, PollFlags, Timespec, poll};

use super::connect;
use crate::cli::failure::{Exit, Failure};
use crate::cli::{daemon, load_config, terminal};
use crate::config::salvage::Salvaged;
use crate::config::settings::Paths;
use crate::control::{self, AskError};
use crate::guard::mark::{self, Mark};
use crate::nft::{Guard, NftError, RulesetWatch};

/// How long a daemon may take to remove the guard.
const PATIENCE: Duration = Duration::from_secs(5);

/// How long is waited for somebody to build it again: a daemon does so at once.
const REBUILD: Timespec = Timespec { tv_sec: 0, tv_nsec: 300_000_000 };

/// Also where no daemon runs, where one hangs, and where the configuration is broken: it is the way out.
pub(super) fn run(config: &Path) -> Result<(), Failure> {
    let paths = load_config(config).map_or_else(
        |failure| {
            terminal::note(format_args!("warning: {}", failure.message));
            let salvaged = Salvaged::load(config);
            Paths { state: salvaged.state(), runtime: salvaged.runtime(), ..Paths::default() }
        },
        |config| config.settings.paths,
    );
    match control::ask_within(&paths.runtime, Command::GuardRemove, PATIENCE) {
        Ok(reply) => return terminal::say(daemon::done(reply)?),
        Err(AskError::NoDaemon(_)) => {}
        Err(error) => terminal::note(format_args!("warning: {error}")),
    }
    // First the mark, so that a daemon which sees the table go does not build it again.
    let marked = mark::write(&paths.state, Mark::Removed);
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

fn comes_back(guard: &mut Guard, watch: &mut RulesetWatch) -> bool {
    let changed = poll(&mut [PollFd::new(watch, PollFlags::IN)], Some(&REBUILD));
    changed.is_ok_and(|count| count > 0)
        && watch.lost(guard).unwrap_or(false)
        && guard.show().is_ok_and(|shown| shown.is_some())
}
