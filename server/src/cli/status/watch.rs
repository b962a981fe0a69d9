//! `status --watch`: what there is, again each second.

use std::io;
use std::path::Path;
use std::time::Duration;

use knock_spa_proto::control::{GuardStatus, STATUS_VERSION, Status};
use tokio::signal::unix::{Signal, SignalKind, signal};
use tokio::time::MissedTickBehavior;

use super::screen::{self, Key, Screen};
use super::words::{Line, words};
use super::{Document, ask};
use crate::cli::failure::{Exit, Failure};
use crate::cli::{daemon, terminal};
use crate::config::settings::Paths;

/// How often the daemon is asked.
const EVERY: Duration = Duration::from_secs(1);

/// Shows it until the user has seen enough.
pub(super) fn run(config: &Path, paths: &Paths, json: bool) -> Result<(), Failure> {
    daemon::event_loop()?.block_on(async {
        let ends = Ends::new().map_err(|error| Failure::new(Exit::System, error))?;
        if json { documents(config, paths, ends).await } else { screens(config, paths, ends).await }
    })
}

/// What ends a program.
struct Ends([Signal; 3]);

impl Ends {
    fn new() -> io::Result<Self> {
        let [int, term, hup] = [SignalKind::interrupt(), SignalKind::terminate(), SignalKind::hangup()];
        Ok(Self([signal(int)?, signal(term)?, signal(hup)?]))
    }

    async fn wanted(&mut self) {
        let [int, term, hup] = &mut self.0;
        tokio::select! {
            _ = int.recv() => {}
            _ = term.recv() => {}
            _ = hup.recv() => {}
        }
    }
}

/// One document in a line, whenever something is different from the last one.
async fn documents(config: &Path, paths: &Paths, mut ends: Ends) -> Result<(), Failure> {
    let mut last = None;
    let mut ticks = tokio::time::interval(EVERY);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        tokio::select! {
            biased;
            () = ends.wanted() => return Ok(()),
            _ = ticks.tick() => {}
        }
        let status = ask(config, paths)?;
        let lasting = lasting(&status);
        if last.as_ref() == Some(&lasting) {
            continue;
        }
        let document = Document { version: STATUS_VERSION, status: &status };
        let line = serde_json::to_string(&document).map_err(|error| Failure::new(Exit::Io, error))?;
        if !terminal::say_while_heard(&line)? {
            return Ok(());
        }
        last = Some(lasting);
    }
}

/// The status without what changes each second.
fn lasting(status: &Status) -> Status {
    let mut status = status.clone();
    status.openings.iter_mut().for_each(|opening| (opening.left, opening.until) = (None, None));
    status.runs.iter_mut().for_each(|run| run.left = None);
    if let GuardStatus::Up { trial: Some(trial), .. } = &mut status.guard {
        trial.left = 0;
    }
    status
}

async fn screens(config: &Path, paths: &Paths, mut ends: Ends) -> Result<(), Failure> {
    if !terminal::is_terminal() {
        let why = Failure::new(Exit::Usage, "--watch draws on a terminal, and standard output is none");
        return Err(why.hint("--json has one document in a line"));
    }
    let failed = |error| Failure::new(Exit::Io, format_args!("can't use the terminal: {error}"));
    let mut first = Some(ask(config, paths)?);
    let mut screen = Screen::begin().map_err(failed)?;
    let mut resized = signal(SignalKind::window_change()).map_err(failed)?;
    let mut ticks = tokio::time::interval(EVERY);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let mut lines = Vec::new();
    loop {
        tokio::select! {
            biased;
            () = ends.wanted() => return Ok(()),
            key = screen.key() => match key.map_err(failed)? {
                Key::End => return Ok(()),
                Key::Other => continue,
            },
            _ = resized.recv() => {}
            _ = ticks.tick() => {
                lines = match first.take().map_or_else(|| ask(config, paths), Ok) {
                    Ok(status) => words(&status),
                    // It may be starting again: whoever watches wants to see when it is there.
                    Err(failure) => [Line { text: failure.message, red: true }].into(),
                };
            }
        }
        screen::draw(&lines).map_err(failed)?;
    }
}
