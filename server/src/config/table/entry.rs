//! One value of a TOML file, read as what it ought to be.

use std::fmt::Display;
use std::str::FromStr;

use toml::de::DeValue;
use toml::value::Datetime;

use crate::config::table::{At, Place, Reader, Table, escape};

/// One value and its place.
#[derive(Debug)]
pub(crate) struct Entry<'i> {
    /// Where it stands.
    pub place: Place,
    value: DeValue<'i>,
}

impl<'i> Entry<'i> {
    /// The value that stands at `place`.
    pub(super) const fn new(place: Place, value: DeValue<'i>) -> Self {
        Self { place, value }
    }

    fn wrong_type<T>(&self, wanted: &str, reader: &mut Reader) -> Option<T> {
        wrong_type(&self.place, &self.value, wanted, reader)
    }

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
            return self.wrong_type("a string", reader);
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
            return self.wrong_type("a whole number", reader);
        };
        let number = i128::from_str_radix(integer.as_str(), integer.radix()).ok();
        let value = number.and_then(|number| number.to_string().parse().ok());
        if value.is_none() {
            let shown = escape(&integer.to_string());
            self.place.fault(format_args!("{shown}: not {allowed}"), None, reader);
        }
        value
    }

    /// The value as yes or no.
    pub(crate) fn boolean(self, reader: &mut Reader) -> Option<bool> {
        let DeValue::Boolean(value) = self.value else {
            return self.wrong_type("true or false", reader);
        };
        Some(value)
    }

    /// The value as a date or a time.
    pub(crate) fn datetime(self, reader: &mut Reader) -> Option<Datetime> {
        let DeValue::Datetime(datetime) = self.value else {
            return self.wrong_type("a date like 2027-06-30, without quotes,", reader);
        };
        Some(datetime)
    }

    /// The value as a table of this name.
    pub(crate) fn into_table(self, name: &str, reader: &mut Reader) -> Option<Table<'i>> {
        let DeValue::Table(table) = self.value else {
            return self.wrong_type("a table", reader);
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
            return wrong_type(&place, &self.value, "an array", reader);
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

/// Complains that something else belongs here.
fn wrong_type<T>(place: &Place, found: &DeValue<'_>, wanted: &str, reader: &mut Reader) -> Option<T> {
    place.fault(format_args!("{} where {wanted} belongs", with_article(found)), None, reader);
    None
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
