//! `knock-spad client`.

mod add;
mod last_use;
mod list;
pub(super) mod options;
mod set;
pub(super) mod telling;

use std::path::Path;

use clap::{Args, Subcommand};
use knock_spa_engine::client::ClientName;

use crate::cli::failure::{Exit, Failure};
use crate::cli::{load_config, terminal};
use crate::clients;
use crate::config::Config;
use crate::config::dialect::Dialect;
use crate::config::settings::Paths;
use crate::files::FileError;

use self::telling::{Connections, tell_changed};

#[derive(Debug, Subcommand)]
pub(super) enum Command {
    /// Enrol a client, and print the server's line for it.
    Add(Box<add::Arguments>),
    /// Change what a client may do: what is not mentioned stays as it is.
    Set(Box<set::Arguments>),
    /// Show who is enrolled.
    List(list::Arguments),
    /// Remove a client: it may open nothing any more.
    Remove(RemoveArguments),
}

#[derive(Debug, Args)]
pub(super) struct RemoveArguments {
    /// The client's name.
    name: ClientName,
    /// End the connections too that came in through what it has open.
    #[arg(long)]
    cut: bool,
}

pub(super) fn run(config: &Path, command: Command) -> Result<(), Failure> {
    match command {
        Command::Add(arguments) => add::run(&load_config(config)?.settings, *arguments),
        Command::Set(arguments) => set::run(&load_config(config)?.settings, *arguments),
        Command::List(arguments) => list::run(&load_config(config)?.settings.paths, &arguments),
        Command::Remove(arguments) => remove(&paths_at_least(config)?, &arguments),
    }
}

/// Where files are, also where the rest of the configuration is broken: that must not hold up a removal.
fn paths_at_least(config: &Path) -> Result<Paths, Failure> {
    let failure = match load_config(config) {
        Ok(config) => return Ok(config.settings.paths),
        Err(failure) => failure,
    };
    let paths = match Dialect::of(config) {
        Dialect::Native => Config::load_paths(config).ok(),
        Dialect::Knockd => None,
    };
    let Some(paths) = paths else { return Err(failure) };
    terminal::note(format_args!("warning: the configuration can't be used:\n{}", failure.message));
    Ok(paths)
}

fn remove(paths: &Paths, RemoveArguments { name, cut }: &RemoveArguments) -> Result<(), Failure> {
    clients::remove(&paths.clients, name).map_err(|error| unknown_client(error, paths, name))?;
    terminal::note(format_args!("removed client {name}"));
    tell_changed(paths, name, Connections::cut_if(*cut))
}

/// A client's file that can't be used, perhaps because there is no such client.
fn unknown_client(error: FileError, paths: &Paths, name: &ClientName) -> Failure {
    if error.is_absent() && paths.clients.is_dir() {
        let message = format_args!("there is no client {name}").to_string();
        return Failure::new(Exit::NoInput, message)
            .hint("`knock-spad client list` shows those that there are");
    }
    error.into()
}
