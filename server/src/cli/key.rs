//! `knock-spad key`.

use std::path::Path;

use clap::Subcommand;
use knock_spa_keys::server::ServerLine;

use crate::cli::failure::Failure;
use crate::cli::{load_config, terminal};
use crate::config::settings::Paths;
use crate::server_key::{self, KeyError};

#[derive(Debug, Subcommand)]
pub(super) enum Command {
    /// Print the server's line, which clients need.
    Show,
}

pub(super) fn run(config: &Path, command: &Command) -> Result<(), Failure> {
    let paths = load_config(config)?.settings.paths;
    match command {
        Command::Show => show(&paths),
    }
}

fn show(paths: &Paths) -> Result<(), Failure> {
    let line = server_line(paths)?;
    terminal::note(format_args!("fingerprint: {}", line.key.fingerprint()));
    terminal::say(line)
}

/// The line of the server that has these files.
pub(super) fn server_line(paths: &Paths) -> Result<ServerLine, Failure> {
    let key = server_key::load(&paths.key)?.secret.public();
    match server_key::load_line(&paths.key, key) {
        Err(KeyError::File(file)) if file.is_absent() => {
            Err(Failure::from(file).hint("`knock-spad init --endpoint HOST` writes it"))
        }
        read => Ok(read?),
    }
}
