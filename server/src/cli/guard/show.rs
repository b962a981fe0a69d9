//! `knock-spad guard show`.

use std::path::Path;
use std::time::Duration;

use clap::Args;
use serde::Serialize;

use super::connect;
use crate::cli::failure::{Exit, Failure};
use crate::cli::terminal;
use crate::guard::known::Known;
use crate::guard::mark;
use crate::guard::state::{State, state};
use crate::io::clock::{self, BootId};
use crate::nft::Shown;

#[derive(Debug, Args)]
pub(in crate::cli) struct Arguments {
    /// For programs: one JSON object.
    #[arg(long)]
    json: bool,
}

/// What is shown. Spans are seconds.
#[derive(Serialize)]
struct Guard {
    /// One word.
    state: &'static str,
    /// In words.
    why: String,
    /// For how long the trial lasts still, where it is one.
    trial_left: Option<u64>,
    doors: Vec<Door>,
    openings: Vec<Opening>,
    trusted: Vec<String>,
    dropped: u64,
}

#[derive(Serialize)]
struct Door {
    port: String,
    /// Absent where it is shut for good.
    left: Option<u64>,
}

#[derive(Serialize)]
struct Opening {
    port: String,
    address: String,
    /// Absent where only somebody's closing ends it.
    left: Option<u64>,
}

pub(super) fn run(config: &Path, arguments: &Arguments) -> Result<(), Failure> {
    let known = Known::load(config);
    if let Some(error) = &known.broken {
        terminal::note(format_args!("warning: the configuration can't be used: {error}"));
    }
    let shown = connect()?.show()?;
    let boot = BootId::of_this_boot().map_err(|error| {
        Failure::new(Exit::System, format_args!("can't tell one boot from another: {error}"))
    })?;
    let decided = mark::read(&known.state).map_err(|error| error.to_string());
    let decided = decided.as_ref().map(|mark| *mark).map_err(String::as_str);
    let state = state(shown.as_ref(), known.rules.as_ref(), decided, boot, clock::now());
    let guard = Guard::of(&state, shown.unwrap_or_default());
    if arguments.json {
        let text = serde_json::to_string_pretty(&guard).map_err(|error| Failure::new(Exit::Io, error))?;
        return terminal::say(text);
    }
    terminal::say(guard.words())
}

impl Guard {
    fn of(state: &State, shown: Shown) -> Self {
        let seconds = |left: Option<Duration>| left.map(|left| left.as_secs());
        let Shown { doors, open, trusted, dropped } = shown;
        Self {
            state: state.word(),
            why: state.to_string(),
            trial_left: seconds(state.trial_left()),
            doors: doors
                .into_iter()
                .map(|(port, left)| Door { port: port.to_string(), left: seconds(left) })
                .collect(),
            openings: open
                .into_iter()
                .map(|(element, left)| Opening {
                    port: element.port.to_string(),
                    address: element.address.to_string(),
                    left: seconds(left),
                })
                .collect(),
            trusted: trusted.iter().map(ToString::to_string).collect(),
            dropped,
        }
    }

    fn words(&self) -> String {
        let mut lines = vec![self.why.clone()];
        lines.extend(self.doors.iter().map(|door| format!("shut {}{}", door.port, span_words(door.left))));
        let open = |opening: &Opening| {
            format!("open {} for {}{}", opening.port, opening.address, span_words(opening.left))
        };
        lines.extend(self.openings.iter().map(open));
        lines.extend(self.trusted.iter().map(|trusted| format!("never shut for {trusted}")));
        if !self.doors.is_empty() {
            lines.push(format!("{} packets dropped", self.dropped));
        }
        lines.join("\n")
    }
}

fn span_words(left: Option<u64>) -> String {
    left.map_or_else(String::new, |left| format!(", {left} s more"))
}
