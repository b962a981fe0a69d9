//! One event as those read it who read programs' output: its name, its fields, and what it says to a person.

use std::fmt::{self, Write as _};

use knock_spa_proto::time::UnixTime;
use serde::ser::{Serialize, SerializeMap, Serializer};
use tracing::field::{Field, Visit};
use tracing::{Event, Level};

use crate::io::clock;

/// An event with a name.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Record {
    pub(super) name: String,
    pub(super) level: Level,
    /// In the order in which they were given.
    pub(super) fields: Vec<(&'static str, Value)>,
    pub(super) message: String,
}

/// The value of a field.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Value {
    Number(i128),
    Flag(bool),
    Text(String),
}

impl Record {
    /// The record of an event; `None` for one that has no name, which is for people alone.
    pub(super) fn of(event: &Event<'_>) -> Option<Self> {
        let mut fields = Fields::default();
        event.record(&mut fields);
        let Fields { name, fields, message } = fields;
        Some(Self { name: name?, level: *event.metadata().level(), fields, message })
    }

    /// The same for any event: one without a name is `said`.
    pub(super) fn of_any(event: &Event<'_>) -> Self {
        let mut fields = Fields::default();
        event.record(&mut fields);
        let Fields { name, fields, message } = fields;
        let name = name.unwrap_or_else(|| "said".into());
        Self { name, level: *event.metadata().level(), fields, message }
    }

    /// One line of JSON, without its end.
    pub(super) fn to_json(&self, at: UnixTime) -> Option<Vec<u8>> {
        serde_json::to_vec(&At { at, record: self }).ok()
    }

    /// What the journal daemon takes: a field in a line, or with its length where its value has several lines.
    pub(super) fn to_journal(&self) -> Vec<u8> {
        let mut datagram = Vec::new();
        let mut put = |name: &str, value: &str| put_field(&mut datagram, name, value);
        put("MESSAGE", &self.to_line());
        put("PRIORITY", priority(self.level));
        put("SYSLOG_IDENTIFIER", "knock-spad");
        put("KNOCK_SPA_EVENT", &self.name);
        for (name, value) in &self.fields {
            let name = format!("KNOCK_SPA_{}", name.to_ascii_uppercase());
            put(&name, &value.to_string());
        }
        datagram
    }

    /// What a person reads.
    pub(super) fn to_line(&self) -> String {
        let mut line = self.name.clone();
        if !self.message.is_empty() {
            line.push_str(": ");
            line.push_str(&self.message);
        }
        for (name, value) in &self.fields {
            // Writing into a string cannot fail.
            write!(line, " {name}={value}").unwrap_or_default();
        }
        line
    }
}

/// The native protocol of the journal daemon (`JOURNAL_NATIVE_PROTOCOL` of systemd).
fn put_field(datagram: &mut Vec<u8>, name: &str, value: &str) {
    datagram.extend_from_slice(name.as_bytes());
    if value.contains('\n') {
        datagram.push(b'\n');
        datagram.extend_from_slice(&u64::try_from(value.len()).unwrap_or(u64::MAX).to_le_bytes());
    } else {
        datagram.push(b'=');
    }
    datagram.extend_from_slice(value.as_bytes());
    datagram.push(b'\n');
}

/// As in syslog(3).
const fn priority(level: Level) -> &'static str {
    match level {
        Level::ERROR => "3",
        Level::WARN => "4",
        Level::INFO => "6",
        _ => "7",
    }
}

impl fmt::Display for Value {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Number(number) => number.fmt(f),
            Self::Flag(flag) => flag.fmt(f),
            Self::Text(text) => text.fmt(f),
        }
    }
}

impl Serialize for Value {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self {
            Self::Number(number) => match i64::try_from(*number) {
                Ok(number) => serializer.serialize_i64(number),
                Err(_) => serializer.serialize_u64(u64::try_from(*number).unwrap_or(u64::MAX)),
            },
            Self::Flag(flag) => serializer.serialize_bool(*flag),
            Self::Text(text) => serializer.serialize_str(text),
        }
    }
}

/// A record and when it was made.
struct At<'r> {
    at: UnixTime,
    record: &'r Record,
}

impl Serialize for At<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let Record { name, level, fields, message } = self.record;
        let mut map = serializer.serialize_map(None)?;
        map.serialize_entry("time", &clock::utc(self.at))?;
        map.serialize_entry("level", &level.to_string().to_ascii_lowercase())?;
        map.serialize_entry("event", name)?;
        for (name, value) in fields {
            map.serialize_entry(name, value)?;
        }
        if !message.is_empty() {
            map.serialize_entry("message", message)?;
        }
        map.end()
    }
}

/// The fields of an event as tracing hands them over.
#[derive(Default)]
struct Fields {
    name: Option<String>,
    fields: Vec<(&'static str, Value)>,
    message: String,
}

impl Fields {
    fn text(&mut self, field: &Field, text: String) {
        match field.name() {
            "event" => self.name = Some(text),
            "message" => self.message = text,
            name => self.fields.push((name, Value::Text(text))),
        }
    }
}

impl Visit for Fields {
    fn record_i64(&mut self, field: &Field, value: i64) {
        self.fields.push((field.name(), Value::Number(value.into())));
    }

    fn record_u64(&mut self, field: &Field, value: u64) {
        self.fields.push((field.name(), Value::Number(value.into())));
    }

    fn record_bool(&mut self, field: &Field, value: bool) {
        self.fields.push((field.name(), Value::Flag(value)));
    }

    fn record_str(&mut self, field: &Field, value: &str) {
        self.text(field, value.into());
    }

    fn record_debug(&mut self, field: &Field, value: &dyn fmt::Debug) {
        self.text(field, format!("{value:?}"));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn record() -> Record {
        Record {
            name: "refused".into(),
            level: Level::INFO,
            fields: vec![
                ("reason", Value::Text("junk".into())),
                ("count", Value::Number(3)),
                ("sure", Value::Flag(true)),
            ],
            message: "one\n\"two\"".into(),
        }
    }

    #[test]
    fn a_record_is_one_line_of_json() {
        let json = record().to_json(UnixTime::from_nanos(1_790_000_000_123_456_789)).unwrap();
        assert_eq!(
            String::from_utf8(json).unwrap(),
            r#"{"time":"2026-09-21T14:13:20.123456Z","level":"info","event":"refused","reason":"junk","count":3,"sure":true,"message":"one\n\"two\""}"#
        );
    }

    #[test]
    fn the_journal_gets_real_fields_and_nobody_forges_one() {
        let record = Record { message: "one\nPRIORITY=0".into(), ..record() };
        let mut expected = b"MESSAGE\n".to_vec();
        let line = b"refused: one\nPRIORITY=0 reason=junk count=3 sure=true";
        expected.extend_from_slice(&u64::try_from(line.len()).unwrap().to_le_bytes());
        expected.extend_from_slice(line);
        expected.extend_from_slice(
            b"\nPRIORITY=6\nSYSLOG_IDENTIFIER=knock-spad\nKNOCK_SPA_EVENT=refused\nKNOCK_SPA_REASON=junk\n\
              KNOCK_SPA_COUNT=3\nKNOCK_SPA_SURE=true\n",
        );
        assert_eq!(record.to_journal(), expected);
    }
}
