//! The journal: what the keeper must not forget, in one file that is only appended to.
//!
//! A header line names the format. Each record is its length (four bytes, big endian), a checksum (the first eight
//! bytes of SHA-256 over length and payload) and the payload. Room behind the last record is zeros, set aside in
//! advance. What was only half written when the power went was never acted upon and is cut; damage before intact
//! records means that marks may be missing, and is told apart so that the caller can refuse what might be a replay.

mod frames;
mod lock;
mod reading;
#[cfg(test)]
#[expect(clippy::arithmetic_side_effects, reason = "a sum that overflows fails its test, as it should")]
mod tests;

use std::fs::File;
use std::io;
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};

use knock_spa_engine::admit::record::Record;
use rustix::fs::{FallocateFlags, fallocate};

use self::frames::MAX_PAYLOAD;
pub use self::frames::{HEADER, framed, parse};
pub use self::lock::Lock;
pub use self::reading::peek;

/// A file that is longer than twice what it began with, and this, is rewritten from the state.
const BLOATED: u64 = 8 << 20;

/// Room is set aside in steps of this, so that making a record durable seldom changes the file's size.
const ROOM: u64 = 1 << 20;

/// Why the journal cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum JournalError {
    /// Another keeper has it.
    #[error("{} is in use: another knock-spad runs with this state", .0.display())]
    InUse(PathBuf),
    /// The file is of another kind or version.
    #[error("{} is no journal that this version reads", .0.display())]
    NotAJournal(PathBuf),
    /// The file is longer than any that is written here.
    #[error("{} is too long to be a journal", .0.display())]
    TooLong(PathBuf),
    /// A link, a directory or something else stands where a file belongs.
    #[error("{} is not a regular file", .0.display())]
    NotAFile(PathBuf),
    /// Others could put links or files of their own in the place of ours.
    #[error("{} is not its owner's alone: others may write there, or it is somebody else's", .0.display())]
    Exposed(PathBuf),
    /// The system refused.
    #[error("can't use {}: {error}", path.display())]
    System {
        /// The file.
        path: PathBuf,
        /// What the system said.
        error: io::Error,
    },
}

impl JournalError {
    fn at(path: &Path) -> impl FnOnce(io::Error) -> Self {
        move |error| Self::System { path: path.to_owned(), error }
    }
}

/// What was found in the file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Condition {
    /// There was none.
    Absent,
    /// Every record is intact.
    Whole,
    /// The last record was half written, and cut.
    TornTail,
    /// There is damage before intact records, which are lost; the file was set aside under another name.
    Damaged,
    /// It is what a keeper left that could not write any more, and went on: later records are missing.
    Incomplete,
}

impl Condition {
    /// Whether records may be missing that something was done on account of.
    #[must_use]
    pub const fn is_incomplete(self) -> bool {
        match self {
            Self::Damaged | Self::Incomplete => true,
            Self::Absent | Self::Whole | Self::TornTail => false,
        }
    }
}

/// An open journal.
#[derive(Debug)]
pub struct Journal {
    path: PathBuf,
    file: File,
    /// Where the next record goes.
    end: u64,
    /// Where the records ended that the file began with.
    began: u64,
    /// How far room is set aside.
    room: u64,
    /// Records that are not written yet.
    pending: Vec<u8>,
    /// Whether a record was too long for one.
    too_long: bool,
}

impl Journal {
    /// Adds a record, to be written with the next [`Self::sync`].
    pub fn append(&mut self, record: &Record) {
        let payload = record.encode();
        if payload.len() > MAX_PAYLOAD {
            self.too_long = true;
            return;
        }
        self.pending.extend(framed(&payload));
    }

    /// Makes every record that was added durable.
    ///
    /// # Errors
    /// What the system said. What the file holds then is unknown: begin a new one with [`Lock::create`].
    pub fn sync(&mut self) -> io::Result<()> {
        self.write_pending()?;
        self.file.sync_data()
    }

    /// Hands every record that was added to the system, which keeps it through our end, not through its own.
    ///
    /// # Errors
    /// As [`Self::sync`].
    pub fn flush(&mut self) -> io::Result<()> {
        self.write_pending()
    }

    fn write_pending(&mut self) -> io::Result<()> {
        if self.too_long {
            return Err(io::Error::new(io::ErrorKind::InvalidInput, "a record is too long"));
        }
        if self.pending.is_empty() {
            return Ok(());
        }
        let end = self.end.saturating_add(self.pending.len() as u64);
        if end > self.room {
            self.set_aside(end.saturating_add(ROOM))?;
        }
        self.file.write_all_at(&self.pending, self.end)?;
        self.end = end;
        self.pending.clear();
        Ok(())
    }

    fn set_aside(&mut self, room: u64) -> io::Result<()> {
        match fallocate(&self.file, FallocateFlags::empty(), 0, room) {
            // A file system that cannot set room aside still stores.
            Ok(()) | Err(rustix::io::Errno::OPNOTSUPP) => {
                self.room = room;
                Ok(())
            }
            Err(error) => Err(error.into()),
        }
    }

    /// Whether the file has grown so long that a new one is due.
    #[must_use]
    pub const fn is_bloated(&self) -> bool {
        self.end > self.began.saturating_mul(2).saturating_add(BLOATED)
    }

    /// The file.
    #[must_use]
    pub fn path(&self) -> &Path {
        &self.path
    }
}
