//! Where events go: lines for people on standard error or entries of the journal, and lines of JSON in the audit file.

use std::io::{self, Write as _};
use std::path::Path;

use tracing::level_filters::LevelFilter;
use tracing::{Event, Level, Subscriber};
use tracing_subscriber::layer::{Context, Layer, SubscriberExt as _};
use tracing_subscriber::registry::LookupSpan;
use tracing_subscriber::util::SubscriberInitExt as _;

use super::file::file;
use super::journald::{Journald, SOCKET};
use super::record::Record;
use crate::io::clock;

/// Has everything told from now on that is told in this process: on standard error down to `level`, and what has a name
/// in the audit file too, once there is one. `stream` is what `JOURNAL_STREAM` says.
pub fn begin(level: Level, stream: Option<&str>) {
    let journald = Journald::behind(stream, io::stderr(), Path::new(SOCKET));
    let lines = journald.is_none().then(|| {
        let lines = tracing_subscriber::fmt::layer().with_writer(io::stderr);
        // Lines without time or colour: whoever collects them has its own. A reader that is gone must not take the
        // daemon with it.
        let lines = lines.without_time().with_target(false).with_ansi(false).log_internal_errors(false);
        lines.with_filter(LevelFilter::from_level(level))
    });
    let entries = journald.map(|journald| Entries(journald).with_filter(LevelFilter::from_level(level)));
    let audit = AuditLines.with_filter(LevelFilter::INFO);
    tracing_subscriber::registry().with(lines).with(entries).with(audit).init();
}

/// Lines of JSON in the audit file.
struct AuditLines;

impl<S: Subscriber> Layer<S> for AuditLines {
    fn on_event(&self, event: &Event<'_>, _context: Context<'_, S>) {
        let Some(record) = Record::of(event) else { return };
        if let Some(line) = record.to_json(clock::now().unix) {
            file().write(&line);
        }
    }
}

/// Entries of the journal.
struct Entries(Journald);

impl<S: Subscriber + for<'s> LookupSpan<'s>> Layer<S> for Entries {
    fn on_event(&self, event: &Event<'_>, _context: Context<'_, S>) {
        let record = Record::of_any(event);
        if !self.0.send(&record) {
            // The journal daemon is away for a moment, or the entry is too long for one datagram.
            writeln!(io::stderr().lock(), "{}", record.to_line()).unwrap_or_default();
        }
    }
}
