//! The journal: what the keeper must not forget, in one file that is only appended to.
//!
//! A header line names the format. Each record is its length (four bytes, big endian), a checksum (the first eight
//! bytes of SHA-256 over length and payload) and the payload. Room behind the last record is zeros, set aside in
//! advance. What was only half written when the power went was never acted upon and is cut; damage before intact
//! records means that marks may be missing, and is told apart so that the caller can refuse what might be a replay.

use std::fs::{File, OpenOptions};
use std::io::{self, Read};
use std::os::unix::fs::{FileExt, MetadataExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

use knock_spa_engine::admit::record::Record;
use ring::digest::{SHA256, digest};
use rustix::fs::{FallocateFlags, FlockOperation, fallocate, flock};

/// The first bytes of the file.
pub const HEADER: &[u8] = b"knock-spa-journal-v1\n";

/// Bytes of SHA-256 that are kept: against accidents, not against a writer of the file, who is root.
const CHECKSUM: usize = 8;

/// The longest payload: all ports that a configuration can have, for two addresses, each with the longest command.
const MAX_PAYLOAD: usize = 16 << 20;

/// The longest file that is read: [`BLOATED`] is rewritten long before.
const MAX_FILE: u64 = 256 << 20;

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

/// The right to use a journal: held by one process at a time.
#[derive(Debug)]
pub struct Lock {
    directory: PathBuf,
    _file: File,
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

    fn journal(&self) -> PathBuf {
        journal_in(&self.directory)
    }

    /// Whether there is a journal, in whatever condition.
    #[must_use]
    pub fn has_journal(&self) -> bool {
        self.journal().exists() || self.incomplete().exists()
    }

    fn incomplete(&self) -> PathBuf {
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

/// Opens a regular file, and no link to one: the lock of another file would keep nobody out.
fn open(options: &mut OpenOptions, path: &Path) -> Result<File, JournalError> {
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

fn journal_in(directory: &Path) -> PathBuf {
    directory.join("journal")
}

/// The name of a journal that could not be written any more.
fn incomplete_in(directory: &Path) -> PathBuf {
    directory.join("journal.incomplete")
}

fn read_in(
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

fn read_file(
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

/// The payload of a record as it stands in the file.
#[must_use]
pub fn framed(payload: &[u8]) -> Vec<u8> {
    let length = u32::try_from(payload.len()).unwrap_or(u32::MAX).to_be_bytes();
    [&length[..], &checksum(length, payload), payload].concat()
}

fn checksum(length: [u8; 4], payload: &[u8]) -> [u8; CHECKSUM] {
    let digest = digest(&SHA256, &[&length[..], payload].concat());
    digest.as_ref().first_chunk().copied().unwrap_or_default()
}

/// The records of a journal with these bytes up to the first that is not intact, and what that one means; `None`
/// where it is no journal of this version.
#[must_use]
pub fn parse(file: &[u8]) -> Option<(Vec<Record>, Condition)> {
    let mut bytes = file.strip_prefix(HEADER)?;
    let mut records = Vec::new();
    while let Some((record, rest)) = split_record(bytes) {
        records.push(record);
        bytes = rest;
    }
    let condition = if bytes.iter().all(|byte| *byte == 0) {
        Condition::Whole
    } else if (1..bytes.len()).any(|at| bytes.get(at..).is_some_and(|tail| split_record(tail).is_some())) {
        Condition::Damaged
    } else {
        Condition::TornTail
    };
    Some((records, condition))
}

fn split_record(bytes: &[u8]) -> Option<(Record, &[u8])> {
    let (length, rest) = bytes.split_first_chunk::<4>()?;
    let (sum, rest) = rest.split_first_chunk::<CHECKSUM>()?;
    let len =
        usize::try_from(u32::from_be_bytes(*length)).ok().filter(|len| (1..=MAX_PAYLOAD).contains(len))?;
    let (payload, rest) = rest.split_at_checked(len)?;
    // Before the checksum: rubbish ends at its first fields, and would cost megabytes of hashing at each of its bytes.
    let record = Record::decode(payload)?;
    (checksum(*length, payload) == *sum).then_some((record, rest))
}

#[cfg(test)]
#[expect(clippy::arithmetic_side_effects, reason = "a sum that overflows fails its test, as it should")]
mod tests {
    use std::os::unix::fs::{PermissionsExt, symlink};

    use knock_spa_engine::admit::opening::OpeningId;

    use super::*;
    use crate::io::clock;

    fn records(count: u64) -> Vec<Record> {
        (1..=count).map(|id| Record::Closing(OpeningId(id))).collect()
    }

    /// The bytes of a journal of these records, without the room behind them.
    fn written(directory: &Path, records: &[Record]) -> (Lock, Vec<u8>) {
        let lock = Lock::take(directory).unwrap();
        let journal = lock.create(records).unwrap();
        let mut bytes = std::fs::read(journal.path()).unwrap();
        bytes.truncate(usize::try_from(journal.end).unwrap());
        (lock, bytes)
    }

    #[test]
    fn what_is_synced_is_read_again() {
        let directory = tempfile::tempdir().unwrap();
        let lock = Lock::take(directory.path()).unwrap();
        assert_eq!(lock.read().unwrap(), (Vec::new(), Condition::Absent));
        let mut journal = lock.create(&records(2)).unwrap();
        journal.append(&Record::Closing(OpeningId(3)));
        journal.sync().unwrap();
        assert_eq!(lock.read().unwrap(), (records(3), Condition::Whole));
    }

    #[test]
    fn one_process_at_a_time() {
        let directory = tempfile::tempdir().unwrap();
        let _lock = Lock::take(directory.path()).unwrap();
        assert!(matches!(Lock::take(directory.path()), Err(JournalError::InUse(_))));
    }

    #[test]
    fn a_tail_torn_at_any_byte_is_cut() {
        let directory = tempfile::tempdir().unwrap();
        let (lock, whole) = written(directory.path(), &records(3));
        let two = written_len(2);
        for len in two..whole.len() {
            let mut torn = whole[..len].to_vec();
            torn.resize(whole.len() + 100, 0);
            std::fs::write(lock.journal(), torn).unwrap();
            let (read, condition) = lock.read().unwrap();
            assert_eq!(read, records(2), "{len}");
            assert_ne!(condition, Condition::Damaged, "{len}");
        }
    }

    fn written_len(count: u64) -> usize {
        let payload = Record::Closing(OpeningId(1)).encode().len();
        HEADER.len() + usize::try_from(count).unwrap() * (4 + CHECKSUM + payload)
    }

    #[test]
    fn damage_before_intact_records_is_told_and_set_aside() {
        let directory = tempfile::tempdir().unwrap();
        let (lock, whole) = written(directory.path(), &records(4));
        for at in written_len(1)..written_len(2) {
            let mut damaged = whole.clone();
            damaged[at] ^= 0x40;
            std::fs::write(lock.journal(), damaged).unwrap();
            assert_eq!(peek(directory.path()).unwrap(), (records(1), Condition::Damaged), "{at}");
            assert_eq!(
                lock.read().unwrap(),
                (records(1), Condition::Damaged),
                "{at}, where somebody has looked"
            );
            assert_eq!(lock.read().unwrap().1, Condition::Absent, "it was set aside");
        }
    }

    #[test]
    fn a_journal_that_was_given_up_is_incomplete_until_there_is_another() {
        let directory = tempfile::tempdir().unwrap();
        let (lock, _) = written(directory.path(), &records(2));
        lock.give_up().unwrap();
        lock.give_up().unwrap();
        assert_eq!(lock.read().unwrap(), (records(2), Condition::Incomplete));
        drop(lock.create(&records(3)).unwrap());
        assert_eq!(lock.read().unwrap(), (records(3), Condition::Whole));
        std::fs::remove_file(lock.journal()).unwrap();
        assert_eq!(lock.read().unwrap(), (Vec::new(), Condition::Absent));
    }

    /// Rubbish has lengths in it that seem to be those of megabytes behind it.
    #[test]
    fn damage_in_a_long_journal_costs_no_more_than_its_records() {
        let mut seed = *b"thirty-two bytes, and no more...";
        let rubbish = (0..1 << 17).flat_map(|_| {
            let next = digest(&SHA256, &seed);
            seed.copy_from_slice(next.as_ref());
            seed
        });
        let records = records(1 << 18);
        let frames =
            |records: &[Record]| records.iter().flat_map(|one| framed(&one.encode())).collect::<Vec<_>>();
        let (before, behind) = records.split_at(2);
        let whole = [HEADER, &frames(&records)].concat();
        let damaged = [HEADER, &frames(before), &rubbish.collect::<Vec<_>>(), &frames(behind)].concat();
        let timed = |file: &[u8]| {
            let start = clock::now().boot;
            let read = parse(file);
            (read, clock::now().boot.saturating_since(start))
        };
        let (read, of_whole) = timed(&whole);
        assert_eq!(read.unwrap().0.len(), records.len());
        let (read, of_damaged) = timed(&damaged);
        assert_eq!(read, Some((before.to_vec(), Condition::Damaged)));
        // With a checksum at each of those lengths it takes a hundred times as long.
        assert!(of_damaged < of_whole * 20, "{of_damaged:?}, and {of_whole:?} where all is well");
    }

    #[test]
    fn links_are_neither_followed_nor_locked() {
        let (state, elsewhere) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
        let (state, other) = (state.path(), elsewhere.path().join("other"));
        std::fs::write(&other, "somebody's").unwrap();
        let link = |name| symlink(&other, state.join(name)).unwrap();
        link("lock");
        assert!(matches!(Lock::take(state), Err(JournalError::NotAFile(_))));
        std::fs::remove_file(state.join("lock")).unwrap();
        let lock = Lock::take(state).unwrap();
        link("journal.incomplete");
        assert!(matches!(lock.read(), Err(JournalError::NotAFile(_))));
        link("journal");
        assert!(matches!(lock.read(), Err(JournalError::NotAFile(_))));
        link("journal.new");
        drop(lock.create(&records(1)).unwrap());
        assert_eq!(lock.read().unwrap(), (records(1), Condition::Whole));
        assert_eq!(std::fs::read_to_string(&other).unwrap(), "somebody's");
    }

    #[test]
    fn a_directory_that_others_may_write_to_keeps_no_state() {
        let directory = tempfile::tempdir().unwrap();
        for mode in [0o770, 0o702, 0o1777] {
            std::fs::set_permissions(directory.path(), std::fs::Permissions::from_mode(mode)).unwrap();
            assert!(matches!(Lock::take(directory.path()), Err(JournalError::Exposed(_))), "{mode:o}");
        }
        std::fs::set_permissions(directory.path(), std::fs::Permissions::from_mode(0o755)).unwrap();
        drop(Lock::take(directory.path()).unwrap());
    }

    #[test]
    fn a_record_is_added_to_what_is_whole_and_to_nothing_else() {
        let directory = tempfile::tempdir().unwrap();
        let (lock, whole) = written(directory.path(), &records(3));
        lock.add(Record::Closing(OpeningId(4))).unwrap();
        assert_eq!(lock.read().unwrap(), (records(4), Condition::Whole));
        // A torn tail is cut, as the keeper would.
        std::fs::write(lock.journal(), &whole[..whole.len() - 1]).unwrap();
        lock.add(Record::Closing(OpeningId(3))).unwrap();
        assert_eq!(lock.read().unwrap(), (records(3), Condition::Whole));
        // What is damaged is the keeper's to set aside, and what is incomplete stays so.
        let mut damaged = whole;
        damaged[written_len(1)] ^= 0x40;
        std::fs::write(lock.journal(), &damaged).unwrap();
        lock.add(Record::Closing(OpeningId(9))).unwrap();
        assert_eq!(std::fs::read(lock.journal()).unwrap(), damaged);
        lock.give_up().unwrap();
        lock.add(Record::Closing(OpeningId(9))).unwrap();
        assert!(!lock.journal().exists());
        std::fs::remove_file(lock.incomplete()).unwrap();
        lock.add(Record::Closing(OpeningId(1))).unwrap();
        assert_eq!(lock.read().unwrap(), (records(1), Condition::Whole));
    }

    #[test]
    fn other_files_are_refused() {
        let directory = tempfile::tempdir().unwrap();
        let lock = Lock::take(directory.path()).unwrap();
        for text in ["", "knock-spa-journal-v2\n", "rubbish"] {
            std::fs::write(lock.journal(), text).unwrap();
            assert!(matches!(lock.read(), Err(JournalError::NotAJournal(_))), "{text}");
        }
    }
}
