//! The keeper's journal, whatever happens to the disk.

use std::path::Path;

use knock_spa_engine::admit::effect::Unwritten;
use knock_spa_engine::admit::record::{BootId, Record};
use knock_spa_engine::admit::{Admit, History};

use super::RunError;
use crate::io::clock;
use crate::journal::{Condition, Journal, Lock};

/// Where records go.
#[derive(Debug)]
pub(super) struct Store {
    lock: Lock,
    boot: BootId,
    /// Absent before the first record, and after a failure until a new file could be begun.
    journal: Option<Journal>,
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
                history.forget_keys();
                tracing::error!(event = "journal-damaged", "the journal is damaged: it was set aside");
            }
        }
        Ok((Self { lock, boot: boot.to_bytes(), journal: None }, history))
    }

    pub(super) const fn boot(&self) -> BootId {
        self.boot
    }

    /// Begins a new file from the present state.
    pub(super) fn begin(&mut self, admit: &Admit) -> Result<(), RunError> {
        self.journal = Some(self.lock.create(&admit.snapshot(self.boot))?);
        Ok(())
    }

    /// Adds a record. Without a file it is not lost: the next file begins with the state that it is part of.
    pub(super) fn append(&mut self, record: &Record) {
        if let Some(journal) = &mut self.journal {
            journal.append(record);
        }
    }

    /// Writes what was added; makes it durable unless it is all `notes`.
    pub(super) fn write(&mut self, notes: bool, admit: &Admit) -> Result<(), Unwritten> {
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
                tracing::error!(event = "journal-failed", %error);
                self.journal = None;
                self.renew(admit)
            }
            None => self.renew(admit),
        }
    }

    /// Begins a new file, which holds everything that the old one did.
    fn renew(&mut self, admit: &Admit) -> Result<(), Unwritten> {
        match self.lock.create(&admit.snapshot(self.boot)) {
            Ok(journal) => {
                self.journal = Some(journal);
                Ok(())
            }
            Err(error) => {
                tracing::error!(event = "journal-failed", %error);
                Err(Unwritten)
            }
        }
    }
}
