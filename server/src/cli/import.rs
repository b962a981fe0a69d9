//! `knock-spad import`: configurations of other programs as ours.

use std::path::{Path, PathBuf};

use clap::Subcommand;

use crate::cli::failure::{Exit, Failure};
use crate::cli::terminal;
use crate::config::named_files::OnDisk;
use crate::config::{self, ConfigError, KnockdError, MAX_FILE_LEN};

#[derive(Debug, Subcommand)]
pub(super) enum Command {
    /// Print the native configuration that means what a file of knockd's does.
    Knockd {
        /// Such as /etc/knockd.conf.
        file: PathBuf,
    },
}

pub(super) fn run(command: &Command) -> Result<(), Failure> {
    match command {
        Command::Knockd { file } => knockd(file),
    }
}

fn knockd(file: &Path) -> Result<(), Failure> {
    let path = std::path::absolute(file)
        .map_err(|error| Failure::new(Exit::NoInput, format_args!("{}: {error}", file.display())))?;
    let mut files = OnDisk { base: "/".into() };
    for warning in config::read_knockd_with(&mut files, &path).map_err(unusable)?.warnings {
        terminal::note(warning.labelled("warning"));
    }
    let text = config::import::native(&mut files, &path).map_err(unusable)?;
    if u64::try_from(text.len()).is_ok_and(|len| len > MAX_FILE_LEN) {
        terminal::note(
            "warning: this is longer than a native configuration can be; it can include the old one:\n  \
             [knockd]\n  include = \"FILE\"",
        );
    }
    terminal::say(text)
}

/// The file is an argument here, and no configuration of ours.
fn unusable(error: KnockdError) -> Failure {
    match ConfigError::from(error) {
        ConfigError::File(error) => error.into(),
        ConfigError::Faults(faults) => faults.into(),
    }
}
