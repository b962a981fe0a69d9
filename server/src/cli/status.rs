//! `knock-spad status`.

mod screen;
mod watch;
mod words;

use std::path::Path;

use clap::Args;
use knock_spa_proto::control::{Command, GuardStatus, Reply, STATUS_VERSION, Status};
use serde::Serialize;

use self::words::{Line, words};
use crate::cli::failure::{Exit, Failure};
use crate::cli::{daemon, guard, load_config, terminal};
use crate::config::settings::Paths;

#[derive(Debug, Args)]
pub(super) struct Arguments {
    /// For programs: one JSON object; with --watch, one in a line whenever something changes.
    #[arg(long)]
    json: bool,
    /// Live, until q or Ctrl-C.
    #[arg(long)]
    watch: bool,
    /// End with status 1 where something needs attention.
    #[arg(long, conflicts_with = "watch")]
    check: bool,
}

/// What programs read.
#[derive(Debug, Serialize)]
struct Document<'s> {
    version: u32,
    #[serde(flatten)]
    status: &'s Status,
}

pub(super) fn run(config: &Path, arguments: &Arguments) -> Result<(), Failure> {
    let settings = load_config(config)?.settings;
    if arguments.watch {
        return watch::run(config, &settings.paths, arguments.json);
    }
    let status = ask(config, &settings.paths)?;
    if arguments.json {
        let document = Document { version: STATUS_VERSION, status: &status };
        let text = serde_json::to_string_pretty(&document).map_err(|error| Failure::new(Exit::Io, error))?;
        terminal::say(text)?;
    } else {
        say(&words(&status))?;
        if let GuardStatus::Up { .. } = status.guard {
            guard::advice::give(&settings);
        }
    }
    match status.attention.len() {
        1.. if arguments.check => Err(Failure::new(Exit::Wrong, status.attention.join("\n"))),
        _ => Ok(()),
    }
}

/// Asks the daemon how everything is.
fn ask(config: &Path, paths: &Paths) -> Result<Box<Status>, Failure> {
    match daemon::ask(config, paths, Command::Status)? {
        Reply::Status(status) => Ok(status),
        reply @ (Reply::ClientsReloaded(_)
        | Reply::LastUses { .. }
        | Reply::Done { .. }
        | Reply::Failed { .. }) => {
            daemon::done(reply)?;
            Err(Failure::new(Exit::Io, "the daemon's answer is not understood"))
        }
    }
}

/// Writes lines, those in red that need attention where somebody sees colours.
fn say(lines: &[Line]) -> Result<(), Failure> {
    let colours = terminal::has_colours();
    let painted: Vec<_> =
        lines.iter().map(|line| terminal::Painted { text: &line.text, red: line.red && colours }).collect();
    terminal::say_painted(&painted)
}
