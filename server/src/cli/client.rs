//! `knock-spad client`.

mod add;
mod list;
mod telling;

use std::path::Path;

use clap::{Args, Subcommand};
use knock_spa_engine::client::ClientName;

use crate::cli::failure::{Exit, Failure};
use crate::cli::{load_config, terminal};
use crate::clients;
use crate::config::settings::Paths;

use self::telling::{Connections, tell_changed};

#[derive(Debug, Subcommand)]
pub(super) enum Command {
    /// Enrol a client, and print the server's line for it.
    Add(Box<add::Arguments>),
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
    let settings = load_config(config)?.settings;
    match command {
        Command::Add(arguments) => add::run(&settings, *arguments),
        Command::List(arguments) => list::run(&settings.paths, &arguments),
        Command::Remove(arguments) => remove(&settings.paths, &arguments),
    }
}

fn remove(paths: &Paths, RemoveArguments { name, cut }: &RemoveArguments) -> Result<(), Failure> {
    clients::remove(&paths.clients, name).map_err(|error| {
        if error.is_absent() && paths.clients.is_dir() {
            let message = format_args!("there is no client {name}").to_string();
            return Failure::new(Exit::NoInput, message)
                .hint("`knock-spad client list` shows those that there are");
        }
        error.into()
    })?;
    terminal::note(format_args!("removed client {name}"));
    tell_changed(paths, name, Connections::cut_if(*cut))
}
