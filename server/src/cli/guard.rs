//! `knock-spad guard`: the nftables table that shuts the doors.

pub(super) mod advice;
mod remove;
mod restore;
mod show;

use std::path::Path;

use clap::{Args, Subcommand};
use knock_spa_proto::control as messages;
use knock_spa_proto::span::Span;

use crate::cli::failure::{Exit, Failure};
use crate::cli::{daemon, load_config, terminal};
use crate::guard::mark::MarkError;
use crate::guard::stance::TRIAL_SPANS;
use crate::nft::{Guard, NftError};

#[derive(Debug, Subcommand)]
pub(super) enum Command {
    /// Show what the kernel holds: guarded ports, openings, dropped packets; and why.
    Show(show::Arguments),
    /// Install the guard for a while: it ends by itself, unless it is confirmed.
    Try(TryArguments),
    /// Install the guard, and keep it from now on.
    Confirm,
    /// Remove the guard: its doors stand open, and no daemon installs it again before `confirm` or `try`.
    Remove,
    /// Install the guard where it should stand, without a daemon: for the start of the machine, before its network.
    Restore,
}

#[derive(Debug, Args)]
pub(super) struct TryArguments {
    /// How long the trial lasts, as `10m`: five seconds to a day.
    #[arg(value_name = "DURATION")]
    span: Span,
}

pub(super) fn run(config: &Path, command: &Command) -> Result<(), Failure> {
    match command {
        Command::Show(arguments) => show::run(config, arguments),
        Command::Try(arguments) => try_for(config, arguments.span),
        Command::Confirm => ask(config, messages::Command::GuardConfirm),
        Command::Remove => remove::run(config),
        Command::Restore => restore::run(config),
    }
}

fn try_for(config: &Path, span: Span) -> Result<(), Failure> {
    if !TRIAL_SPANS.contains(&span.duration()) {
        return Err(Failure::new(Exit::Usage, format_args!("a trial of {span} is too short or too long"))
            .hint("from 5s to 24h"));
    }
    ask(config, messages::Command::GuardTry { seconds: span.duration().as_secs() })
}

/// Without a daemon nobody could open a door.
fn ask(config: &Path, command: messages::Command) -> Result<(), Failure> {
    let settings = load_config(config)?.settings;
    advice::give(&settings);
    terminal::say(daemon::done(daemon::ask(config, &settings.paths, command)?)?)
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
