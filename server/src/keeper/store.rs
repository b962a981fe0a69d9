//! The keeper's journal, whatever happens to the disk.

use std::path::Path;
use std::time::Duration;

use knock_spa_engine::admit::effect::Unwritten;
use knock_spa_engine::admit::record::{BootId, Record};
use knock_spa_engine::admit::{Admit, History};
use knock_spa_keys::server::ServerKey;

use super::RunError;
use super::backoff::Backoff;
use crate::files;
use crate::io::clock;
use crate::journal::{self, Condition, Journal, JournalError, Lock};

/// How often a daemon looks at its start whether the one before it has ended: three seconds, in which a few doors close.
const REPLACED_TRIES: usize = 20;

/// The wait between two looks.
const REPLACED_PAUSE: Duration = Duration::from_millis(150);

/// Where records go.
#[derive(Debug)]
pub(super) struct Store {
    /// Absent where nothing can be kept: what is open is remembered for as long as the keeper lives.
    lock: Option<Lock>,
    boot: BootId,
    /// Absent before the first record, and after a failure until a new file could be begun.
    journal: Option<Journal>,
    backoff: Backoff,
}

impl Store {
    /// Takes the lock and reads what there is.
    pub(super) fn open(directory: &Path) -> Result<(Self, History), RunError> {
        let boot = clock::BootId::of_this_boot().map_err(RunError::doing("tell one boot from another"))?;
        let lock = Lock::take(directory)?;
        let (records, condition) = lock.read()?;
        let mut history = History::default();
        records.into_iter().for_each(|record| history.push(record));
        match condition {
            Condition::Absent | Condition::Whole => {}
            Condition::TornTail => tracing::warn!(event = "journal-cut", "the last record was half written"),
            Condition::Damaged => {
                tracing::error!(event = "journal-damaged", "the journal is damaged: it was set aside");
            }
            Condition::Incomplete => {
                tracing::error!(event = "journal-incomplete", "the journal could not be written to the end");
            }
        }
        if condition.is_incomplete() {
            history.forget_keys();
        }
        Ok((
            Self { lock: Some(lock), boot: boot.to_bytes(), journal: None, backoff: Backoff::default() },
            history,
        ))
    }

    /// The same, where a daemon that is being replaced may take a moment to close what is open.
    fn open_soon(directory: &Path) -> Result<(Self, History), RunError> {
        for _ in 0..REPLACED_TRIES {
            match Self::open(directory) {
                Err(RunError::Journal(JournalError::InUse(_))) => clock::pause(REPLACED_PAUSE),
                opened => return opened,
            }
        }
        Self::open(directory)
    }

    /// The same where knockd would have kept nothing either: without a place to write to, what is open is remembered
    /// for as long as the keeper lives.
    pub(super) fn open_or_forget(directory: &Path) -> (Self, History) {
        let made = files::make_directory(directory, 0o700).map_err(|error| error.to_string());
        let opened = made.and_then(|_| Self::open_soon(directory).map_err(|error| error.to_string()));
        opened.unwrap_or_else(|why| {
            tracing::warn!(
                event = "state-in-memory",
                why,
                "nothing can be kept: what is open when the daemon is killed stays open"
            );
            (Self::in_memory(), History::default())
        })
    }

    /// A store for a dry run: it knows which packets were taken, as far as the journal tells, and keeps nothing.
    pub(super) fn rehearsed(directory: &Path, servers: &[ServerKey]) -> (Self, History) {
        let mut history = History::default();
        match journal::peek(directory) {
            Ok((records, _)) => records.into_iter().for_each(|record| history.push(record)),
            Err(error) => tracing::warn!(event = "journal-unread", %error, "it is not known what was taken"),
        }
        let mut history = history.marks_alone();
        servers.iter().for_each(|server| history.push(Record::Key(*server)));
        (Self::in_memory(), history)
    }

    /// Whether nothing is kept.
    pub(super) const fn forgets(&self) -> bool {
        self.lock.is_none()
    }

    /// A store that forgets.
    fn in_memory() -> Self {
        Self { lock: None, boot: [0; 16], journal: None, backoff: Backoff::default() }
    }

    pub(super) const fn boot(&self) -> BootId {
        self.boot
    }

    /// Begins a new file from the present state. Where that fails the daemon runs all the same: the administrator must
    /// get in to mend the disk.
    pub(super) fn begin(&mut self, admit: &Admit) {
        if self.renew(admit).is_err() {
            tracing::error!(event = "journal-failed", "command doors refuse, the guard goes on from memory");
        }
    }

    /// Adds a record. Without a file it is not lost: the next file begins with the state that it is part of.
    pub(super) fn append(&mut self, record: &Record) {
        if let Some(journal) = &mut self.journal {
            journal.append(record);
        }
    }

    /// Writes what was added; makes it durable unless it is all `notes`.
    pub(super) fn write(&mut self, notes: bool, admit: &Admit) -> Result<(), Unwritten> {
        if self.lock.is_none() {
            return Ok(());
        }
        let written = match &mut self.journal {
            Some(journal) if journal.is_bloated() => None,
            Some(journal) if notes => Some(journal.flush()),
            Some(journal) => Some(journal.sync()),
            None if notes => return Ok(()),
            None => None,
        };
        match written {
            Some(Ok(())) => Ok(()),
            Some(Err(error)) => {
                tracing::error!(event = "journal-failed", %error, "a new journal is tried");
                self.journal = None;
                self.renew(admit)
            }
            None => self.renew(admit),
        }
    }

    /// Has a disk that was mended meanwhile know at the end what it could not be told before.
    pub(super) fn end(&mut self, admit: &Admit) {
        if self.journal.is_none() {
            self.backoff = Backoff::default();
            // It says itself what fails.
            self.renew(admit).unwrap_or(());
        }
    }

    /// Begins a new file, which holds everything that the old one did; after a failure not before a while, so that
    /// what comes in cannot make a failing disk busy, or fill the log.
    fn renew(&mut self, admit: &Admit) -> Result<(), Unwritten> {
        let Some(lock) = &self.lock else { return Ok(()) };
        let now = clock::now().boot;
        if self.backoff.retry_at().is_some_and(|at| at > now) {
            return Err(Unwritten);
        }
        match lock.create(&admit.snapshot(self.boot)) {
            Ok(journal) => {
                self.journal = Some(journal);
                self.backoff = Backoff::default();
                Ok(())
            }
            Err(error) => {
                tracing::error!(event = "journal-failed", %error);
                self.backoff.fail(now);
                if let Err(error) = lock.give_up() {
                    tracing::error!(event = "journal-failed", %error);
                }
                Err(Unwritten)
            }
        }
    }
}
