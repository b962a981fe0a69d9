//! `knock-spad key`.

mod rotate;
mod show;

use std::path::Path;

use clap::Subcommand;
use knock_spa_keys::server::ServerLine;

use crate::cli::failure::Failure;
use crate::cli::load_config;
use crate::config::settings::Paths;
use crate::io::clock;
use crate::server_key::{self, KeyError, Keys};

pub(super) use self::show::words as key_words;

#[derive(Debug, Subcommand)]
pub(super) enum Command {
    /// Print the server's line, which clients need; and tell of both keys, and of who uses them.
    Show(show::Arguments),
    /// Draw a new key, and keep the old one beside it until all clients have the new line.
    Rotate(rotate::Arguments),
    /// End the previous key now: packets to it open nothing any more.
    Remove(rotate::RemoveArguments),
}

pub(super) fn run(config: &Path, command: Command) -> Result<(), Failure> {
    let paths = load_config(config)?.settings.paths;
    match command {
        Command::Show(arguments) => show::run(&paths, &arguments),
        Command::Rotate(arguments) => rotate::rotate(&paths, &arguments),
        Command::Remove(arguments) => rotate::remove(&paths, &arguments),
    }
}

/// The keys of the server that has these files.
fn keys(paths: &Paths) -> Result<Keys, Failure> {
    Ok(Keys::load(&paths.key, clock::now().unix)?)
}

/// The line of the server that has these files.
pub(super) fn server_line(paths: &Paths) -> Result<ServerLine, Failure> {
    line_of(paths, &keys(paths)?)
}

fn line_of(paths: &Paths, keys: &Keys) -> Result<ServerLine, Failure> {
    match server_key::load_line(&paths.key, &keys.known()) {
        Err(KeyError::File(file)) if file.is_absent() => {
            Err(Failure::from(file).hint("`knock-spad init --endpoint HOST` writes it"))
        }
        read => Ok(read?),
    }
}
