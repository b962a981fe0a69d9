//! `[knockd]`: doors in knockd's manner, from its own file or written here.

use std::str::FromStr;
use std::time::Duration;

use knock_spa_engine::knockd::{Again, MAX_COMMAND_LEN};
use knock_spa_proto::span::{NotASpan, Span};

use crate::config::draft::{KnockdCommandsDraft, KnockdDoorDraft, KnockdDraft, SpaDraft};
use crate::config::knockd::MAX_DOORS;
use crate::config::native::{DOOR_NAME_HINT, MAX_PORTS, PORT_HINT, knock};
use crate::config::table::{At, Entry, Given, Reader, Table};

/// The longest name, in bytes: knockd's limit.
const MAX_NAME_LEN: usize = 254;

const HEADER: &str = "[[knockd.door]]";
const AGAIN: [(&str, Again); 2] = [("start", Again::Start), ("extend", Again::Extend)];
const SPA_HINT: &str = "{ name = \"ssh\", ports = [\"tcp/22\"] }";
const STOP_AFTER_HINT: &str = "a span like \"10s\", \"0s\" for at once, or \"never\"";
const NAME_HINT: &str = "1 to 254 bytes without control characters";

pub(super) fn read(mut table: Table<'_>, reader: &mut Reader) -> KnockdDraft {
    let draft = KnockdDraft {
        include: table.read("include", reader, super::path),
        doors: table.read("door", reader, doors).into_value().unwrap_or_default(),
    };
    table.finish(reader);
    draft
}

fn doors(entry: Entry<'_>, reader: &mut Reader) -> Option<Vec<At<KnockdDoorDraft>>> {
    if entry.is_table() {
        let hint = "several may follow each other: write [[knockd.door]]";
        entry.place.fault("a table where an array of tables belongs", Some(hint), reader);
        return None;
    }
    entry.list(MAX_DOORS, reader, |element, reader| Some(door(element.into_table(HEADER, reader)?, reader)))
}

fn door(mut table: Table<'_>, reader: &mut Reader) -> KnockdDoorDraft {
    let seconds = "a number of seconds from 0 to 4294967295";
    let draft = KnockdDoorDraft {
        name: table.read("name", reader, name),
        knock: knock::read(&mut table, reader),
        sequence_seconds: table
            .read("sequence-seconds", reader, |entry, reader| entry.number(seconds, reader)),
        commands: commands(&mut table, reader),
        spa: table.read("spa", reader, spa),
    };
    table.finish(reader);
    draft
}

fn name(entry: Entry<'_>, reader: &mut Reader) -> Option<String> {
    let place = entry.place.clone();
    let name = entry.text(reader)?;
    let fits = (1..=MAX_NAME_LEN).contains(&name.len()) && !name.chars().any(char::is_control);
    if !fits {
        place.fault("no name for a door", Some(NAME_HINT), reader);
    }
    fits.then_some(name)
}

fn commands(table: &mut Table<'_>, reader: &mut Reader) -> KnockdCommandsDraft {
    KnockdCommandsDraft {
        start: table.read("start", reader, command),
        stop: table.read("stop", reader, command),
        start6: table.read("start6", reader, command),
        stop6: table.read("stop6", reader, command),
        stop_after: table.read("stop-after", reader, stop_after),
        again: table.read("again", reader, |entry, reader| entry.word(&AGAIN, reader)),
    }
}

/// A line for the shell; an empty one has a meaning of its own.
fn command(entry: Entry<'_>, reader: &mut Reader) -> Option<String> {
    let place = entry.place.clone();
    if entry.is_list() {
        place.fault("an array where a string belongs", Some(&no_array_hint()), reader);
        return None;
    }
    let line = entry.text(reader)?;
    if line.contains('\0') {
        place.fault("a zero byte in a command", None, reader);
        return None;
    }
    if line.len() >= MAX_COMMAND_LEN {
        place.fault("a command of 4096 bytes or more, which would never run", None, reader);
        return None;
    }
    Some(line)
}

fn no_array_hint() -> String {
    format!("commands of {HEADER} are lines for /bin/sh -c; those of [door.NAME] may be arrays")
}

/// When the stop command runs, of a text.
struct StopAfter(Option<Duration>);

impl FromStr for StopAfter {
    type Err = NotASpan;

    fn from_str(text: &str) -> Result<Self, NotASpan> {
        match text {
            "never" => Ok(Self(None)),
            "0s" => Ok(Self(Some(Duration::ZERO))),
            span => span.parse().map(|span: Span| Self(Some(span.duration()))),
        }
    }
}

fn stop_after(entry: Entry<'_>, reader: &mut Reader) -> Option<Option<Duration>> {
    entry.parse(Some(STOP_AFTER_HINT), reader).map(|StopAfter(span)| span)
}

/// What clients ask for.
fn spa(entry: Entry<'_>, reader: &mut Reader) -> Option<SpaDraft> {
    let place = entry.place.clone();
    let mut table = entry.into_inline_table(reader)?;
    let name = table.read("name", reader, |entry, reader| entry.parse(Some(DOOR_NAME_HINT), reader));
    let ports = table.read("ports", reader, |entry, reader| {
        if entry.is_empty_list() {
            entry.place.fault("no ports", Some(SPA_HINT), reader);
        }
        entry.list(MAX_PORTS, reader, |port, reader| port.parse(Some(PORT_HINT), reader))
    });
    for (what, is_absent) in [("no name", name.is_absent()), ("no ports", ports.is_absent())] {
        if is_absent {
            place.fault(what, Some(SPA_HINT), reader);
        }
    }
    table.finish(reader);
    let (Given::Value(name), Given::Value(ports)) = (name, ports) else { return None };
    Some(SpaDraft { name, ports: ports.value })
}
