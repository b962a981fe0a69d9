//! What a journal's files hold, whoever reads them.

use std::fs::{File, OpenOptions};
use std::io::{self, Read};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};

use knock_spa_engine::admit::record::Record;

use super::frames::parse;
use super::{Condition, JournalError};

/// The longest file that is read: [`super::BLOATED`] is rewritten long before.
const MAX_FILE: u64 = 256 << 20;

/// Opens a regular file, and no link to one: the lock of another file would keep nobody out.
pub(super) fn open(options: &mut OpenOptions, path: &Path) -> Result<File, JournalError> {
    let file = match options.custom_flags(libc::O_NOFOLLOW | libc::O_NONBLOCK).open(path) {
        Err(error) if error.raw_os_error() == Some(libc::ELOOP) => {
            return Err(JournalError::NotAFile(path.to_owned()));
        }
        opened => opened.map_err(JournalError::at(path))?,
    };
    let metadata = file.metadata().map_err(JournalError::at(path))?;
    if metadata.is_file() { Ok(file) } else { Err(JournalError::NotAFile(path.to_owned())) }
}

/// Reads what the journal in `directory` holds, and changes nothing: for whoever does not have the lock. A keeper puts
/// new files in the place of old ones, so that what is read is one of them, and perhaps not the last.
///
/// # Errors
/// Every [`JournalError`] but [`JournalError::InUse`].
pub fn peek(directory: &Path) -> Result<(Vec<Record>, Condition), JournalError> {
    read_in(directory, |_damaged| Ok(()))
}

pub(super) fn journal_in(directory: &Path) -> PathBuf {
    directory.join("journal")
}

/// The name of a journal that could not be written any more.
pub(super) fn incomplete_in(directory: &Path) -> PathBuf {
    directory.join("journal.incomplete")
}

pub(super) fn read_in(
    directory: &Path,
    damaged: impl Fn(&Path) -> Result<(), JournalError>,
) -> Result<(Vec<Record>, Condition), JournalError> {
    let (records, condition) = read_file(&journal_in(directory), &damaged)?;
    if condition != Condition::Absent {
        return Ok((records, condition));
    }
    match read_file(&incomplete_in(directory), &damaged)? {
        (_, Condition::Absent) => Ok((Vec::new(), Condition::Absent)),
        (records, _) => Ok((records, Condition::Incomplete)),
    }
}

pub(super) fn read_file(
    path: &Path,
    damaged: impl Fn(&Path) -> Result<(), JournalError>,
) -> Result<(Vec<Record>, Condition), JournalError> {
    let file = match open(OpenOptions::new().read(true), path) {
        Ok(file) => file,
        Err(JournalError::System { error, .. }) if error.kind() == io::ErrorKind::NotFound => {
            return Ok((Vec::new(), Condition::Absent));
        }
        Err(error) => return Err(error),
    };
    let mut bytes = Vec::new();
    file.take(MAX_FILE).read_to_end(&mut bytes).map_err(JournalError::at(path))?;
    if bytes.len() as u64 >= MAX_FILE {
        return Err(JournalError::TooLong(path.to_owned()));
    }
    let (records, condition) = parse(&bytes).ok_or_else(|| JournalError::NotAJournal(path.to_owned()))?;
    if condition == Condition::Damaged {
        damaged(path)?;
    }
    Ok((records, condition))
}
