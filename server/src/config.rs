//! The configuration file: from text to settings, with all its faults at once.

pub mod knockd;
pub mod remark;
pub mod settings;

mod as_knockd;
mod draft;
mod judgement;
mod lower;
mod native;
pub(crate) mod table;
mod weakness;

use std::path::Path;

use crate::config::remark::{Faults, Remark};
use crate::config::settings::Settings;
use crate::config::table::Reader;
use crate::files::{self, FileError};

pub use crate::config::as_knockd::{AsKnockd, KnockdError, interfaces, read as read_knockd};

/// Where the configuration is unless the command line says otherwise.
pub const DEFAULT_FILE: &str = "/etc/knock-spa/knock-spad.toml";

/// The longest configuration file, in bytes: a thousand times a usual one.
pub const MAX_FILE_LEN: u64 = 1 << 20;

/// A configuration that can be used, and what is weak about it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Config {
    /// What it says.
    pub settings: Settings,
    /// Its weaknesses, in the order of the file's lines.
    pub warnings: Vec<Remark>,
}

/// Why there is no configuration.
#[derive(Debug, thiserror::Error)]
pub enum ConfigError {
    /// The file can't be read.
    #[error(transparent)]
    File(#[from] FileError),
    /// The file says something wrong.
    #[error(transparent)]
    Faults(#[from] Faults),
}

impl Config {
    /// Reads a file.
    ///
    /// # Errors
    /// [`ConfigError`].
    pub fn load(path: &Path) -> Result<Self, ConfigError> {
        let (text, mode) = files::read_text(path, MAX_FILE_LEN)?;
        Ok(Self::parse(path, &text, mode)?)
    }

    /// Reads the text of `file`, whose permission bits are `mode`.
    ///
    /// # Errors
    /// [`Faults`], all of them.
    pub fn parse(file: &Path, text: &str, mode: u32) -> Result<Self, Faults> {
        Reader::read(file, text, |root, reader| {
            let draft = native::read(root, reader);
            let warnings = weakness::weaknesses(&draft, mode, reader);
            Some(Self { settings: lower::lower(draft, reader), warnings })
        })
    }
}

#[cfg(test)]
mod tests;
