//! TOML tables, read so that every fault of a file is found at once.
//!
//! A table is emptied key by key; what is left at the end is unknown. Whoever reads a value complains of it
//! and goes on.

use std::collections::BTreeMap;
use std::fmt::Display;
use std::ops::Range;
use std::path::{Path, PathBuf};
use std::str::FromStr;

use toml::de::{DeTable, DeValue};
use toml::value::Datetime;

use crate::config::remark::{Faults, Remark};

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
        let mut reader = Self { file: file.to_owned(), starts, faults: Vec::new() };
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

    fn wrong_type<T>(&self, found: &DeValue<'_>, wanted: &str, reader: &mut Reader) -> Option<T> {
        self.fault(format_args!("{} where {wanted} belongs", with_article(found)), None, reader);
        None
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
                (key.into_inner().into_owned(), Entry { place, value: value.into_inner() })
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

    /// All entries under their keys: for tables whose keys are names.
    pub(crate) fn into_entries(self) -> impl Iterator<Item = (String, Entry<'i>)> {
        self.entries.into_iter()
    }

    /// Refuses a key that a later version will know. `true` where it was there.
    pub(crate) fn refuse(&mut self, key: &'static str, reader: &mut Reader) -> bool {
        let found = self.entries.remove(key);
        if let Some(entry) = &found {
            entry.place.fault("this version does not support it", None, reader);
        }
        found.is_some()
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

/// One value and its place.
#[derive(Debug)]
pub(crate) struct Entry<'i> {
    /// Where it stands.
    pub place: Place,
    value: DeValue<'i>,
}

impl<'i> Entry<'i> {
    /// Whether it is an array.
    pub(crate) const fn is_list(&self) -> bool {
        matches!(self.value, DeValue::Array(_))
    }

    /// Whether it is an array without elements.
    pub(crate) fn is_empty_list(&self) -> bool {
        matches!(&self.value, DeValue::Array(array) if array.is_empty())
    }

    /// Whether it is a table.
    pub(crate) const fn is_table(&self) -> bool {
        matches!(self.value, DeValue::Table(_))
    }

    /// The value as text.
    pub(crate) fn text(self, reader: &mut Reader) -> Option<String> {
        let DeValue::String(text) = self.value else {
            return self.place.wrong_type(&self.value, "a string", reader);
        };
        Some(text.into_owned())
    }

    /// The text as a value of its own; the hint names what is allowed.
    pub(crate) fn parse<T: FromStr<Err: Display>>(
        self,
        hint: Option<&str>,
        reader: &mut Reader,
    ) -> Option<T> {
        let place = self.place.clone();
        let text = self.text(reader)?;
        text.parse()
            .map_err(|error| place.fault(format_args!("\"{}\": {error}", escape(&text)), hint, reader))
            .ok()
    }

    /// The one of these words that the text is.
    pub(crate) fn word<T: Copy>(self, words: &[(&str, T)], reader: &mut Reader) -> Option<T> {
        let place = self.place.clone();
        let text = self.text(reader)?;
        let found = words.iter().find(|(word, _)| *word == text).map(|(_, value)| *value);
        if found.is_none() {
            let allowed: Vec<_> = words.iter().map(|(word, _)| format!("\"{word}\"")).collect();
            let hint = format!("known here: {}", allowed.join(", "));
            place.fault(format_args!("\"{}\": unknown value", escape(&text)), Some(&hint), reader);
        }
        found
    }

    /// The value as a whole number that `T` can be; `allowed` says which those are.
    pub(crate) fn number<T: FromStr>(self, allowed: &str, reader: &mut Reader) -> Option<T> {
        let DeValue::Integer(integer) = &self.value else {
            return self.place.wrong_type(&self.value, "a whole number", reader);
        };
        let number = i128::from_str_radix(integer.as_str(), integer.radix()).ok();
        let value = number.and_then(|number| number.to_string().parse().ok());
        if value.is_none() {
            let shown = escape(&integer.to_string());
            self.place.fault(format_args!("{shown}: not {allowed}"), None, reader);
        }
        value
    }

    /// The value as a date or a time.
    pub(crate) fn datetime(self, reader: &mut Reader) -> Option<Datetime> {
        let DeValue::Datetime(datetime) = self.value else {
            return self.place.wrong_type(&self.value, "a date like 2027-06-30, without quotes,", reader);
        };
        Some(datetime)
    }

    /// The value as a table of this name.
    pub(crate) fn into_table(self, name: &str, reader: &mut Reader) -> Option<Table<'i>> {
        let DeValue::Table(table) = self.value else {
            return self.place.wrong_type(&self.value, "a table", reader);
        };
        Some(Table::new(name, table, reader))
    }

    /// The value as a table written within a line, which keeps the name of its key.
    pub(crate) fn into_inline_table(self, reader: &mut Reader) -> Option<Table<'i>> {
        let name = self.place.name.clone();
        self.into_table(&name, reader)
    }

    /// The good elements of an array of at most `limit`; `read` complains where it returns nothing.
    pub(crate) fn list<T>(
        self,
        limit: usize,
        reader: &mut Reader,
        mut read: impl FnMut(Self, &mut Reader) -> Option<T>,
    ) -> Option<Vec<At<T>>> {
        let place = self.place;
        let DeValue::Array(array) = self.value else {
            return place.wrong_type(&self.value, "an array", reader);
        };
        if array.len() > limit {
            place.fault(format_args!("more than {limit} elements"), None, reader);
            return None;
        }
        let elements = array.into_iter().filter_map(|element| {
            let line = reader.line(&element.span());
            let entry = Self { place: Place { line, ..place.clone() }, value: element.into_inner() };
            read(entry, reader).map(|value| At { line, value })
        });
        Some(elements.collect())
    }
}

fn with_article(value: &DeValue<'_>) -> &'static str {
    match value {
        DeValue::String(_) => "a string",
        DeValue::Integer(_) => "a whole number",
        DeValue::Float(_) => "a fraction",
        DeValue::Boolean(_) => "a boolean",
        DeValue::Datetime(_) => "a date or time",
        DeValue::Array(_) => "an array",
        DeValue::Table(_) => "a table",
    }
}

/// Text of a file, made safe for a terminal and short enough for a line.
pub(crate) fn escape(text: &str) -> String {
    /// Longer than any right value that is shown this way.
    const LIMIT: usize = 80;
    let short: String = text.chars().take(LIMIT).flat_map(char::escape_debug).collect();
    if text.chars().nth(LIMIT).is_some() { format!("{short}…") } else { short }
}
