//! The native dialect: TOML.

mod action;
mod knock;
mod knockd;

use std::path::PathBuf;
use std::str::FromStr;
use std::time::Duration;

use knock_spa_engine::rules::{Lease, OnStop};
use knock_spa_proto::port::ServicePort;
use knock_spa_proto::service::ServiceName;
use knock_spa_proto::span::{NotASpan, Span};

use crate::config::draft::{
    DoorDraft, Draft, GuardDraft, ListenDraft, LogDraft, PathsDraft, SpaSectionDraft,
};
use crate::config::settings::{CaptureMode, GuardStart};
use crate::config::table::{At, Entry, Given, Reader, Table};

pub(super) use crate::config::native::knock::NAMES as FLAG_NAMES;

/// The most doors: far more than a host has services, few enough for one set of rules handed to the listener.
const MAX_DOORS: usize = 256;
/// The most ports of one door: an opening is recorded and closed as a whole.
pub(super) const MAX_PORTS: usize = 64;
/// The most other names of one door: more than anybody remembers.
const MAX_ALIASES: usize = 16;
/// The most interfaces to listen on: each costs a socket.
const MAX_INTERFACES: usize = 64;
/// The most trusted networks and interfaces: each is a rule that every packet meets.
const MAX_TRUSTED: usize = 256;

const ON_STOP: [(&str, OnStop); 2] = [("close", OnStop::Close), ("keep", OnStop::Keep)];

const SPAN_HINT: &str = "a whole number and one of s, m, h, d, like \"90s\", \"10m\" or \"1h\"";
const LEASE_HINT: &str = "a span like \"90s\", \"10m\" or \"1h\", or \"forever\"";
const TRUSTED_HINT: &str = "a network like \"192.0.2.0/24\" or an interface like \"iif wg0\"";
const PORT_HINT: &str = "\"tcp/PORT\" or \"udp/PORT\"";
const DOOR_NAME_HINT: &str = "a door's name is a lower-case letter and at most 14 more, digits or hyphens";

/// What the file says. Notes its faults in `reader` and leaves them out.
pub(super) fn read(mut root: Table<'_>, reader: &mut Reader) -> Draft {
    let draft = Draft {
        listen: listen(root.section("listen", reader), reader),
        paths: paths(root.section("paths", reader), reader),
        spa: spa(root.section("spa", reader), reader),
        guard: guard(root.section("guard", reader), reader),
        doors: doors(root.section("door", reader), reader),
        knockd: knockd::read(root.section("knockd", reader), reader),
        log: log(root.section("log", reader), reader),
        audit: audit(root.section("audit", reader), reader),
    };
    root.finish(reader);
    draft
}

fn listen(mut table: Table<'_>, reader: &mut Reader) -> ListenDraft {
    let interfaces = table.read("interfaces", reader, |entry, reader| {
        if entry.is_empty_list() {
            entry.place.fault("no interface", Some("leave the key out to listen on all of them"), reader);
        }
        entry.list(MAX_INTERFACES, reader, |name, reader| name.parse(None, reader))
    });
    let spa_port =
        table.read("spa-port", reader, |entry, reader| entry.number("a port from 1 to 65535", reader));
    let words = [("packet", CaptureMode::Packet), ("socket", CaptureMode::Socket)];
    let capture = table.read("capture", reader, |entry, reader| entry.word(&words, reader));
    table.finish(reader);
    ListenDraft { interfaces, spa_port, capture }
}

pub(super) fn paths(mut table: Table<'_>, reader: &mut Reader) -> PathsDraft {
    let draft = PathsDraft {
        key: table.read("key", reader, path),
        clients: table.read("clients", reader, path),
        state: table.read("state", reader, path),
        runtime: table.read("runtime", reader, path),
    };
    table.finish(reader);
    draft
}

/// A path of a text.
struct AbsolutePath(PathBuf);

#[derive(Debug, thiserror::Error)]
#[error("not an absolute path: it begins with /")]
struct NotAnAbsolutePath;

impl FromStr for AbsolutePath {
    type Err = NotAnAbsolutePath;

    fn from_str(text: &str) -> Result<Self, NotAnAbsolutePath> {
        let fits = text.starts_with('/') && !text.contains('\0');
        fits.then(|| Self(text.into())).ok_or(NotAnAbsolutePath)
    }
}

fn path(entry: Entry<'_>, reader: &mut Reader) -> Option<PathBuf> {
    entry.parse(None, reader).map(|AbsolutePath(path)| path)
}

fn spa(mut table: Table<'_>, reader: &mut Reader) -> SpaSectionDraft {
    let draft = SpaSectionDraft {
        window: table.read("window", reader, span),
        explain: table.read("explain", reader, Entry::boolean),
    };
    table.finish(reader);
    draft
}

fn span(entry: Entry<'_>, reader: &mut Reader) -> Option<Duration> {
    entry.parse(Some(SPAN_HINT), reader).map(Span::duration)
}

fn guard(mut table: Table<'_>, reader: &mut Reader) -> GuardDraft {
    let words = [("on", GuardStart::On), ("confirmed", GuardStart::Confirmed)];
    let draft = GuardDraft {
        start: table.read("start", reader, |entry, reader| entry.word(&words, reader)),
        trusted: table.read("trusted", reader, |entry, reader| {
            entry.list(MAX_TRUSTED, reader, |element, reader| element.parse(Some(TRUSTED_HINT), reader))
        }),
    };
    table.finish(reader);
    draft
}

fn log(mut table: Table<'_>, reader: &mut Reader) -> LogDraft {
    let draft = LogDraft {
        file: table.read("file", reader, path),
        syslog: table.read("syslog", reader, Entry::boolean),
    };
    table.finish(reader);
    draft
}

fn audit(mut table: Table<'_>, reader: &mut Reader) -> Given<PathBuf> {
    let file = table.read("file", reader, path);
    table.finish(reader);
    file
}

fn doors(table: Table<'_>, reader: &mut Reader) -> Vec<At<DoorDraft>> {
    let mut doors: Vec<_> =
        table.into_entries().filter_map(|(name, entry)| named_door(&name, entry, reader)).collect();
    if let Some(excess) = doors.get(MAX_DOORS) {
        reader.fault(excess.line, format!("more than {MAX_DOORS} doors"), None);
    }
    doors.truncate(MAX_DOORS);
    doors
}

fn named_door(name: &str, entry: Entry<'_>, reader: &mut Reader) -> Option<At<DoorDraft>> {
    let place = entry.place.clone();
    let Ok(parsed) = name.parse() else {
        place.fault("no name for a door", Some(DOOR_NAME_HINT), reader);
        return None;
    };
    let table = entry.into_table(&format!("[door.{name}]"), reader)?;
    Some(At { line: place.line(), value: door(parsed, table, reader) })
}

fn door(name: ServiceName, mut table: Table<'_>, reader: &mut Reader) -> DoorDraft {
    let draft = DoorDraft {
        name,
        aliases: table.read("aliases", reader, |entry, reader| {
            entry.list(MAX_ALIASES, reader, |alias, reader| alias.parse(Some(DOOR_NAME_HINT), reader))
        }),
        ports: ports(&mut table, reader),
        open_for: table.read("open-for", reader, lease),
        max_open: table.read("max-open", reader, lease),
        max_openings: table.read("max-openings", reader, |entry, reader| {
            entry.number("a whole number from 1 to 4294967295", reader)
        }),
        cut: table.read("cut", reader, Entry::boolean),
        action: table.read("action", reader, action::read),
        on_stop: table.read("on-stop", reader, |entry, reader| entry.word(&ON_STOP, reader)),
        knock: knock::read(&mut table, reader),
        sequence_timeout: table.read("sequence-timeout", reader, span),
    };
    table.finish(reader);
    draft
}

fn ports(table: &mut Table<'_>, reader: &mut Reader) -> Given<Vec<At<ServicePort>>> {
    let mut empty = false;
    let ports = table.read("ports", reader, |entry, reader| {
        empty = entry.is_empty_list();
        entry.list(MAX_PORTS, reader, |port, reader| port.parse(Some(PORT_HINT), reader))
    });
    if empty { Given::Absent } else { ports }
}

/// A lease of a text.
#[derive(Clone, Copy, Debug)]
pub(crate) struct LeaseText(pub(crate) Lease);

impl FromStr for LeaseText {
    type Err = NotASpan;

    fn from_str(text: &str) -> Result<Self, NotASpan> {
        match text {
            "forever" => Ok(Self(Lease::Forever)),
            span => span.parse().map(|span: Span| Self(Lease::For(span.duration()))),
        }
    }
}

fn lease(entry: Entry<'_>, reader: &mut Reader) -> Option<Lease> {
    entry.parse(Some(LEASE_HINT), reader).map(|LeaseText(lease)| lease)
}
