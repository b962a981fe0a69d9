//! TOML tables, read so that every fault of a file is found at once.
//!
//! A table is emptied key by key; what is left at the end is unknown. Whoever reads a value complains of it
//! and goes on.

mod entry;

use std::collections::BTreeMap;
use std::fmt::Display;
use std::ops::Range;
use std::path::{Path, PathBuf};

use toml::de::DeTable;

use crate::config::remark::{Faults, Remark};

pub(crate) use crate::config::table::entry::Entry;

/// A value and its line, from 1.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct At<T> {
    /// The line, from 1.
    pub line: usize,
    /// The value.
    pub value: T,
}

/// What a file says of one key.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Given<T> {
    /// Nothing.
    Absent,
    /// Something that was complained of already.
    Faulty,
    /// This.
    Value(At<T>),
}

impl<T> Given<T> {
    /// The value, where there is a good one.
    pub(crate) const fn as_value(&self) -> Option<&At<T>> {
        match self {
            Self::Absent | Self::Faulty => None,
            Self::Value(at) => Some(at),
        }
    }

    /// The bare value, where there is a good one.
    pub(crate) fn into_value(self) -> Option<T> {
        match self {
            Self::Absent | Self::Faulty => None,
            Self::Value(at) => Some(at.value),
        }
    }

    /// Whether the file does not mention the key.
    pub(crate) const fn is_absent(&self) -> bool {
        matches!(self, Self::Absent)
    }
}

/// One file on its way from text to values: knows lines, collects faults.
#[derive(Debug)]
pub(crate) struct Reader {
    file: PathBuf,
    /// Byte offsets at which lines after the first begin.
    starts: Vec<usize>,
    faults: Vec<Remark>,
    warnings: Vec<Remark>,
}

impl Reader {
    /// What `read` makes of the table that the text of `file` is. Where it makes nothing, it complains.
    ///
    /// # Errors
    /// The one fault of a text that is not TOML, or else all that `read` complained of.
    pub(crate) fn read<T>(
        file: &Path,
        text: &str,
        read: impl FnOnce(Table<'_>, &mut Self) -> Option<T>,
    ) -> Result<T, Faults> {
        let starts = text.match_indices('\n').map(|(at, _)| at.saturating_add(1)).collect();
        let mut reader = Self { file: file.to_owned(), starts, faults: Vec::new(), warnings: Vec::new() };
        let root = DeTable::parse(text).map_err(|error| {
            let line = reader.line(&error.span().unwrap_or(0..0));
            Faults::one(reader.remark(line, format!("not TOML: {}", error.message()), None))
        })?;
        let value = read(Table::new("", root.into_inner(), &reader), &mut reader);
        let nothing = reader.remark(1, "nothing that can be used", None);
        Faults::unless_any(reader.faults, value)?.ok_or_else(|| Faults::one(nothing))
    }

    /// Notes a fault.
    pub(crate) fn fault(&mut self, line: usize, what: impl Into<String>, hint: Option<&str>) {
        let remark = self.remark(line, what, hint);
        self.faults.push(remark);
    }

    /// Notes faults of another file, which this one names.
    pub(crate) fn other_faults(&mut self, faults: Faults) {
        self.faults.extend(faults.into_vec());
    }

    /// Notes weaknesses of another file.
    pub(crate) fn other_warnings(&mut self, warnings: Vec<Remark>) {
        self.warnings.extend(warnings);
    }

    /// Notes a weakness.
    pub(crate) fn warn(&mut self, line: usize, what: impl Into<String>, hint: Option<&str>) {
        let remark = self.remark(line, what, hint);
        self.warnings.push(remark);
    }

    /// The weaknesses noted so far.
    pub(crate) fn take_warnings(&mut self) -> Vec<Remark> {
        std::mem::take(&mut self.warnings)
    }

    /// A remark on a line of this file.
    pub(crate) fn remark(&self, line: usize, what: impl Into<String>, hint: Option<&str>) -> Remark {
        Remark {
            file: self.file.clone(),
            line: Some(line),
            what: what.into(),
            hint: hint.map(ToOwned::to_owned),
        }
    }

    fn line(&self, span: &Range<usize>) -> usize {
        self.starts.partition_point(|start| *start <= span.start).saturating_add(1)
    }
}

/// Where a value stands, for complaints.
#[derive(Clone, Debug)]
pub(crate) struct Place {
    /// As people would call it: `[listen] spa-port`.
    name: String,
    line: usize,
}

impl Place {
    /// Its line, from 1.
    pub(crate) const fn line(&self) -> usize {
        self.line
    }

    /// Complains of what stands here.
    pub(crate) fn fault(&self, what: impl Display, hint: Option<&str>, reader: &mut Reader) {
        reader.fault(self.line, format!("{}: {what}", self.name), hint);
    }
}

/// A table, emptied by reading.
#[derive(Debug, Default)]
pub(crate) struct Table<'i> {
    entries: BTreeMap<String, Entry<'i>>,
    /// The keys that were asked for, and so exist.
    known: Vec<&'static str>,
}

impl<'i> Table<'i> {
    /// The table that people would call `name`; the file as a whole has none.
    fn new(name: &str, table: DeTable<'i>, reader: &Reader) -> Self {
        let entries = table
            .into_iter()
            .map(|(key, value)| {
                let place = Place { name: name_within(name, key.get_ref()), line: reader.line(&key.span()) };
                (key.into_inner().into_owned(), Entry::new(place, value.into_inner()))
            })
            .collect();
        Self { entries, known: Vec::new() }
    }

    /// What the table says of `key`. `read` complains where it returns nothing.
    pub(crate) fn read<T>(
        &mut self,
        key: &'static str,
        reader: &mut Reader,
        read: impl FnOnce(Entry<'i>, &mut Reader) -> Option<T>,
    ) -> Given<T> {
        self.known.push(key);
        let Some(entry) = self.entries.remove(key) else { return Given::Absent };
        let line = entry.place.line;
        read(entry, reader).map_or(Given::Faulty, |value| Given::Value(At { line, value }))
    }

    /// The table `[key]`; an empty one where there is none.
    pub(crate) fn section(&mut self, key: &'static str, reader: &mut Reader) -> Self {
        self.read(key, reader, |entry, reader| entry.into_table(&format!("[{key}]"), reader))
            .into_value()
            .unwrap_or_default()
    }

    /// Whether the table says anything of `key`.
    pub(crate) fn has(&self, key: &str) -> bool {
        self.entries.contains_key(key)
    }

    /// All entries under their keys: for tables whose keys are names.
    pub(crate) fn into_entries(self) -> impl Iterator<Item = (String, Entry<'i>)> {
        self.entries.into_iter()
    }

    /// Refuses what has not been read.
    pub(crate) fn finish(self, reader: &mut Reader) {
        let hint = format!("known here: {}", self.known.join(", "));
        for entry in self.entries.into_values() {
            entry.place.fault("unknown key", Some(&hint), reader);
        }
    }
}

fn name_within(table: &str, key: &str) -> String {
    let separator = match table {
        "" => "",
        header if header.ends_with(']') => " ",
        _ => ".",
    };
    format!("{table}{separator}{}", escape(key))
}

/// Text of a file, made safe for a terminal and short enough for a line.
pub(crate) fn escape(text: &str) -> String {
    /// Longer than any right value that is shown this way.
    const LIMIT: usize = 80;
    let short: String = text.chars().take(LIMIT).flat_map(char::escape_debug).collect();
    if text.chars().nth(LIMIT).is_some() { format!("{short}…") } else { short }
}
