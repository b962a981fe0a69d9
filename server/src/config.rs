//! The configuration file: from text to settings, with all its faults at once.

pub mod dialect;
pub mod import;
pub mod knockd;
pub mod named_files;
pub mod remark;
pub mod salvage;
pub mod settings;

mod as_knockd;
mod draft;
mod judgement;
mod lower;
mod native;
pub(crate) mod table;
mod weakness;

use std::path::Path;

use crate::config::dialect::Dialect;
use crate::config::named_files::{NamedFiles, OnDisk};
use crate::config::remark::{Faults, Remark};
use crate::config::settings::{Paths, Settings};
use crate::config::table::{Reader, Table};
use crate::files::{self, FileError};

pub use crate::config::as_knockd::{
    AsKnockd, KnockdError, interfaces, read as read_knockd, read_with as read_knockd_with,
};
pub(crate) use crate::config::native::LeaseText;

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
    /// Reads a file, in the dialect that its name tells.
    ///
    /// # Errors
    /// [`ConfigError`].
    pub fn load(path: &Path) -> Result<Self, ConfigError> {
        Self::load_as(path, Dialect::of(path))
    }

    /// Reads a file in this dialect.
    ///
    /// # Errors
    /// [`ConfigError`].
    pub fn load_as(path: &Path, dialect: Dialect) -> Result<Self, ConfigError> {
        match dialect {
            Dialect::Native => Self::load_native(path),
            Dialect::Knockd => as_knockd::load(path),
        }
    }

    /// Reads nothing of a file of our own but where files are, whatever else is wrong with it.
    ///
    /// # Errors
    /// [`ConfigError`] where `[paths]` itself is wrong, or the file is no TOML.
    pub fn load_paths(path: &Path) -> Result<Paths, ConfigError> {
        let (text, _) = files::read_text(path, MAX_FILE_LEN)?;
        let read = |mut root: Table<'_>, reader: &mut Reader| {
            let section = root.section("paths", reader);
            let draft = native::paths(section, reader);
            Some(lower::paths(draft, reader))
        };
        Ok(Reader::read(path, &text, read)?)
    }

    fn load_native(path: &Path) -> Result<Self, ConfigError> {
        let (text, mode) = files::read_text(path, MAX_FILE_LEN)?;
        Ok(Self::parse(path, &text, mode)?)
    }

    /// Reads the text of `file`, whose permission bits are `mode`.
    ///
    /// # Errors
    /// [`Faults`], all of them.
    pub fn parse(file: &Path, text: &str, mode: u32) -> Result<Self, Faults> {
        Self::parse_with(file, text, mode, &mut OnDisk { base: lower::BASE.into() })
    }

    /// The same, where the files that the text names are found otherwise.
    ///
    /// # Errors
    /// [`Faults`], all of them.
    pub fn parse_with(
        file: &Path,
        text: &str,
        mode: u32,
        files: &mut dyn NamedFiles,
    ) -> Result<Self, Faults> {
        Reader::read(file, text, |root, reader| {
            let draft = native::read(root, reader);
            let mut warnings = weakness::weaknesses(&draft, mode, reader);
            let settings = lower::lower(draft, files, reader);
            warnings.extend(reader.take_warnings());
            // This file's before those of the one that it includes.
            warnings.sort_by_key(|remark| (remark.file != file, remark.line));
            Some(Self { settings, warnings })
        })
    }
}

#[cfg(test)]
mod tests;
