//! The right to use a journal, and what only its holder does with the files: to read and set aside, to begin anew, to give up.

use std::fs::{File, OpenOptions};
use std::io;
use std::os::unix::fs::{MetadataExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

use knock_spa_engine::admit::record::Record;
use rustix::fs::{FlockOperation, flock};

use super::frames::HEADER;
use super::reading::{incomplete_in, journal_in, open, read_file, read_in};
use super::{Condition, Journal, JournalError};

/// The right to use a journal: held by one process at a time.
#[derive(Debug)]
pub struct Lock {
    directory: PathBuf,
    _file: File,
}

impl Lock {
    /// Takes the lock of the state in `directory`.
    ///
    /// # Errors
    /// [`JournalError::InUse`] where another process has it; [`JournalError::System`].
    pub fn take(directory: &Path) -> Result<Self, JournalError> {
        let path = directory.join("lock");
        is_our_own(directory)?;
        let file = open(OpenOptions::new().create(true).truncate(false).write(true).mode(0o600), &path);
        // A disk that takes nothing any more must not keep the daemon from starting: what is there can be locked.
        let file = file.or_else(|error| open(OpenOptions::new().read(true), &path).map_err(|_| error))?;
        match flock(&file, FlockOperation::NonBlockingLockExclusive) {
            Ok(()) => Ok(Self { directory: directory.to_owned(), _file: file }),
            Err(rustix::io::Errno::WOULDBLOCK) => Err(JournalError::InUse(directory.to_owned())),
            Err(error) => Err(JournalError::at(&path)(error.into())),
        }
    }

    pub(super) fn journal(&self) -> PathBuf {
        journal_in(&self.directory)
    }

    /// Whether there is a journal, in whatever condition.
    #[must_use]
    pub fn has_journal(&self) -> bool {
        self.journal().exists() || self.incomplete().exists()
    }

    pub(super) fn incomplete(&self) -> PathBuf {
        incomplete_in(&self.directory)
    }

    /// Reads what the journal holds, and sets a damaged file aside.
    ///
    /// # Errors
    /// Every [`JournalError`] but [`JournalError::InUse`].
    pub fn read(&self) -> Result<(Vec<Record>, Condition), JournalError> {
        read_in(&self.directory, |damaged| {
            let aside = self.free_name();
            std::fs::rename(damaged, &aside).map_err(JournalError::at(&aside))
        })
    }

    /// Adds one record to a journal that no keeper uses, durably. A journal that is damaged, or is not there though
    /// there was one, is left to the keeper: it then takes every key for one whose marks are lost.
    ///
    /// # Errors
    /// Every [`JournalError`] but [`JournalError::InUse`]; the old file is in place then.
    pub fn add(&self, record: Record) -> Result<(), JournalError> {
        let (mut records, condition) = read_file(&self.journal(), |_damaged| Ok(()))?;
        let is_left = match condition {
            Condition::Whole | Condition::TornTail => false,
            Condition::Absent => self.incomplete().exists(),
            Condition::Damaged | Condition::Incomplete => true,
        };
        if is_left {
            return Ok(());
        }
        records.push(record);
        self.create(&records).map(drop)
    }

    /// A name for a damaged file that nothing else has.
    fn free_name(&self) -> PathBuf {
        let names = (1..=u32::MAX).map(|number| self.directory.join(format!("journal.damaged-{number}")));
        names
            .into_iter()
            .find(|name| !name.exists())
            .unwrap_or_else(|| self.directory.join("journal.damaged"))
    }

    /// Begins a new journal with these records, in place of what there is: durable when this returns.
    ///
    /// # Errors
    /// [`JournalError::System`]; the old file is in place then.
    pub fn create(&self, records: &[Record]) -> Result<Journal, JournalError> {
        let path = self.journal();
        self.try_create(&path, records).map_err(JournalError::at(&path))
    }

    fn try_create(&self, path: &Path, records: &[Record]) -> io::Result<Journal> {
        let new = self.directory.join("journal.new");
        // What an earlier attempt has left there, or a link, is not written to.
        match std::fs::remove_file(&new) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
            Ok(()) | Err(_) => {}
        }
        let file = OpenOptions::new().create_new(true).write(true).mode(0o600).open(&new)?;
        let mut journal = Journal {
            path: path.to_owned(),
            file,
            end: 0,
            began: 0,
            room: 0,
            pending: HEADER.to_vec(),
            too_long: false,
        };
        records.iter().for_each(|record| journal.append(record));
        journal.write_pending()?;
        journal.began = journal.end;
        journal.file.sync_all()?;
        std::fs::rename(&new, path)?;
        File::open(&self.directory)?.sync_all()?;
        match std::fs::remove_file(self.incomplete()) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
            Ok(()) | Err(_) => Ok(journal),
        }
    }

    /// Notes, as far as a disk allows that takes no more records, that records are missing from now on: the next
    /// keeper then refuses every packet that may have been accepted. A new name needs no room.
    ///
    /// # Errors
    /// [`JournalError::System`].
    pub fn give_up(&self) -> Result<(), JournalError> {
        let path = self.journal();
        match std::fs::rename(&path, self.incomplete()) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => Err(JournalError::at(&path)(error)),
            Ok(()) | Err(_) => {
                let directory = File::open(&self.directory).and_then(|directory| directory.sync_all());
                directory.map_err(JournalError::at(&self.directory))
            }
        }
    }
}

/// Whether a directory is this user's or root's, and nobody else may write there: then no link of anybody else's stands
/// in it.
fn is_our_own(directory: &Path) -> Result<(), JournalError> {
    let metadata = std::fs::metadata(directory).map_err(JournalError::at(directory))?;
    let owners = [0, rustix::process::geteuid().as_raw()];
    if owners.contains(&metadata.uid()) && metadata.mode() & 0o022 == 0 {
        Ok(())
    } else {
        Err(JournalError::Exposed(directory.to_owned()))
    }
}
