//! The log in knockd's words, byte for byte: programs read it, fail2ban for one.
//!
//! Nothing here waits: not for a syslog daemon that is stuck, nor for a reader of standard output, nor for a resolver.

mod file;
mod names;
mod notice;
mod stream;
mod syslog;
#[cfg(test)]
mod tests;
mod waiting;
mod words;

use std::io;
use std::path::Path;
use std::time::Duration;

use jiff::civil::DateTime;
use knock_spa_engine::knockd::Said;
use knock_spa_proto::time::{BootTime, Now};

use crate::config::settings::LogSettings;
use crate::io::clock;

use self::file::LogFile;
use self::names::Names;
use self::stream::Stream;
use self::syslog::Syslog;
use self::waiting::Waiting;
use self::words::Words;

pub use self::notice::notice;

/// How long after lines did not fit into the syslog daemon's queue they are tried again.
const SYSLOG_RETRY: Duration = Duration::from_millis(200);

/// The log in knockd's words, to a file, to syslog, and to standard output.
#[derive(Debug)]
pub struct KnockdLog {
    settings: LogSettings,
    file: LogFile,
    syslog: Syslog,
    syslog_retry: Option<BootTime>,
    names: Names,
    waiting: Waiting,
}

/// What can be told.
#[derive(Clone, Copy, Debug)]
pub enum Line<'a> {
    /// What happened at a door.
    Said(&'a Said),
    /// What knockd has no words for.
    Notice(&'a str),
    /// The daemon listens.
    StartingUp {
        /// What it listens to.
        interface: &'a str,
    },
    /// The file with the daemon's process id can't be written.
    PidFileFailed {
        /// The file.
        file: &'a Path,
        /// What the system said.
        error: &'a io::Error,
    },
    /// The configuration is about to be read again.
    Rereading {
        /// The file.
        config: &'a Path,
    },
    /// The daemon was told to stop, and waits for commands to end.
    WaitingForCommands,
    /// The daemon ends.
    ShuttingDown,
}

impl KnockdLog {
    /// Opens the log. Where the file can't be opened, a warning on standard error is all that comes of it.
    #[must_use]
    pub fn open(settings: &LogSettings) -> Self {
        let names = Names::new(names::ask_the_system);
        let mut log = Self {
            settings: settings.clone(),
            file: LogFile::default(),
            syslog: Syslog::new(syslog::SOCKET),
            syslog_retry: None,
            names,
            waiting: Waiting::default(),
        };
        log.open_file();
        log
    }

    /// Tells something, now or, where the name of an address is awaited, a little later.
    pub fn say(&mut self, line: &Line<'_>) {
        self.say_at(line, clock::now());
    }

    /// Opens the file again, since it may have been moved, or is another one; the settings that stand in the
    /// configuration are only ever added to.
    pub fn reopen(&mut self, settings: &LogSettings) {
        self.settings.syslog |= settings.syslog;
        if settings.file.is_some() {
            self.settings.file.clone_from(&settings.file);
        }
        let now = clock::now();
        let path = self.settings.file.clone().unwrap_or_default();
        self.write(&Words::closing_file(&path), clock::local(now.unix), now.boot);
        // Of the opening, the file itself does not tell.
        self.file = LogFile::default();
        self.write(&Words::reopening_file(&path), clock::local(now.unix), now.boot);
        self.open_file();
    }

    /// Waits until lines that had to wait can go, and writes them; for ever where none waits. May be cancelled at any
    /// time.
    pub async fn ready(&mut self) {
        let name_due = self.names.patience_ends().filter(|_| !self.waiting.is_empty());
        let due = [name_due, self.syslog_retry].into_iter().flatten().min();
        let answered = self.names.answered();
        match due {
            // That the time is up says nothing more.
            Some(due) => drop(tokio::time::timeout(due.saturating_since(clock::now().boot), answered).await),
            None => answered.await,
        }
        self.catch_up(clock::now().boot);
    }

    fn open_file(&mut self) {
        let Some(path) = &self.settings.file else { return };
        match LogFile::open(path) {
            Ok(file) => self.file = file,
            Err(error) => Stream::Errors.write(&words::cannot_open(&error)),
        }
    }

    fn say_at(&mut self, line: &Line<'_>, now: Now) {
        let at = clock::local(now.unix);
        match line {
            Line::Said(said) if self.settings.lookup => {
                self.waiting.push(said, at);
                self.release(now.boot);
            }
            Line::ShuttingDown => {
                self.release_all(now.boot);
                self.write(&Words::of(line, None), at, now.boot);
            }
            Line::Said(_)
            | Line::Notice(_)
            | Line::StartingUp { .. }
            | Line::PidFileFailed { .. }
            | Line::Rereading { .. }
            | Line::WaitingForCommands => self.write(&Words::of(line, None), at, now.boot),
        }
    }

    fn catch_up(&mut self, now: BootTime) {
        self.release(now);
        self.try_syslog(now);
    }

    /// Writes the lines that need not wait any more.
    fn release(&mut self, now: BootTime) {
        self.names.lose_patience(now);
        for line in self.waiting.take(|address| self.names.of(address, now)) {
            self.write(&Words::of(&Line::Said(&line.said), line.name.as_ref()), line.at, now);
        }
    }

    /// Writes all lines that wait, without the names that are not known yet.
    fn release_all(&mut self, now: BootTime) {
        self.names.give_up();
        self.release(now);
    }

    fn write(&mut self, words: &Words, at: DateTime, now: BootTime) {
        if let Some(text) = &words.log {
            self.file.write(text, at);
            if self.settings.syslog {
                self.syslog.push(text, at);
                self.try_syslog(now);
            }
        }
        if let Some(text) = words.output.as_ref().filter(|_| self.settings.verbose) {
            Stream::Output.write(text);
        }
        if let Some(text) = &words.errors {
            Stream::Errors.write(text);
        }
    }

    fn try_syslog(&mut self, now: BootTime) {
        self.syslog.send();
        self.syslog_retry = self.syslog.is_behind().then(|| now.saturating_add(SYSLOG_RETRY));
    }
}
