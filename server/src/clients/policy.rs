//! A client's file: its key and what it may ask for, as TOML (`docs/protocol.md` section 8).

use std::fmt;
use std::num::NonZeroU32;
use std::path::Path;
use std::time::Duration;

use knock_spa_engine::client::{Client, ClientName, Rate};
use knock_spa_keys::client::ClientLine;
use knock_spa_keys::comment::Comment;
use knock_spa_proto::cidr::Cidr;
use knock_spa_proto::span::Span;
use toml::value::Datetime;

use crate::clients::date::{NotADate, NotAfter, NotBefore};
use crate::clients::words::{Granted, Mode, PerMinute};
use crate::config::remark::Faults;
use crate::config::table::{At, Entry, Given, Reader, Table};

/// The most services of a client, and the most networks: a person reads them all.
const MAX_LIST: usize = 64;

/// A client's file, read.
#[derive(Debug)]
pub(super) struct Policy {
    /// The client.
    pub(super) client: Client,
    /// What stands after its key.
    pub(super) comment: Comment,
    /// The line that has its key, from 1.
    pub(super) key_line: usize,
}

/// Reads the text of `file`, which is the client `name`'s.
pub(super) fn parse(file: &Path, name: &ClientName, text: &str) -> Result<Policy, Faults> {
    Reader::read(file, text, |table, reader| read(name, table, reader))
}

fn read(name: &ClientName, mut table: Table<'_>, reader: &mut Reader) -> Option<Policy> {
    let hint = "key = \"knock-spa-client-v1 ...\", as `knock-spa enroll` prints it";
    let policy = read_client(name, hint, &mut table, reader);
    table.finish(reader);
    policy
}

/// The keys of a client in a table that may have others. `key_hint` tells where its key comes from.
pub(super) fn read_client(
    name: &ClientName,
    key_hint: &str,
    table: &mut Table<'_>,
    reader: &mut Reader,
) -> Option<Policy> {
    let key = table.read("key", reader, client_key);
    let services = table.read("services", reader, |entry, reader| {
        entry.list(MAX_LIST, reader, |service, reader| service.parse(None, reader))
    });
    let mode = table.read("address", reader, |entry, reader| entry.word(&Mode::ALL, reader));
    let from = table.read("from", reader, from);
    let max_open = table.read("max-open", reader, |entry, reader| entry.parse(None, reader));
    let not_before = table.read("not-before", reader, date);
    let not_after = table.read("not-after", reader, date);
    let rate = table.read("rate", reader, |entry, reader| entry.parse(None, reader));
    if key.is_absent() {
        reader.fault(1, "no key", Some(key_hint));
    }
    is_ever_valid(&not_before, &not_after, reader);
    let Given::Value(At { line: key_line, value: ClientLine { key, comment } }) = key else { return None };
    let services = services.into_value().unwrap_or_default();
    let client = Client {
        name: name.clone(),
        key,
        rights: services.into_iter().map(|At { value: Granted(right), .. }| right).collect(),
        mode: mode.into_value().unwrap_or_default(),
        from: from.into_value(),
        max_open: max_open.into_value().map(Span::duration),
        not_before: not_before.into_value().map(|NotBefore(time)| time),
        not_after: not_after.into_value().map(|NotAfter(time)| time),
        rate: rate.into_value().map_or_else(Rate::default, |PerMinute(rate)| rate),
    };
    Some(Policy { client, comment, key_line })
}

/// Never shows the text: it may be a secret key in the wrong file.
pub(super) fn client_key(entry: Entry<'_>, reader: &mut Reader) -> Option<ClientLine> {
    let place = entry.place.clone();
    entry.text(reader)?.parse().map_err(|error| place.fault(error, None, reader)).ok()
}

fn from(entry: Entry<'_>, reader: &mut Reader) -> Option<Vec<Cidr>> {
    if entry.is_empty_list() {
        entry.place.fault(
            "no network, so that nothing could be opened",
            Some("leave it out for anywhere"),
            reader,
        );
    }
    let networks = entry.list(MAX_LIST, reader, |network, reader| network.parse(None, reader))?;
    Some(networks.into_iter().map(|at| at.value).collect())
}

pub(super) fn date<T: TryFrom<Datetime, Error = NotADate>>(
    entry: Entry<'_>,
    reader: &mut Reader,
) -> Option<T> {
    let place = entry.place.clone();
    entry.datetime(reader)?.try_into().map_err(|error| place.fault(error, None, reader)).ok()
}

fn is_ever_valid(start: &Given<NotBefore>, end: &Given<NotAfter>, reader: &mut Reader) {
    if let (Given::Value(start), Given::Value(end)) = (start, end)
        && end.value.0 <= start.value.0
    {
        reader.fault(end.line, "not-after: before not-before", None);
    }
}

/// The client `name` of a file's text.
///
/// # Errors
/// All faults in it.
pub fn client_in(file: &Path, name: &ClientName, text: &str) -> Result<Client, Faults> {
    parse(file, name, text).map(|policy| policy.client)
}

/// The text of a client's file. `comment` stands after its key.
#[must_use]
pub fn text_of(client: &Client, comment: &Comment) -> String {
    Written { client, comment }.to_string()
}

/// A client's file, to be written. Every value is of an alphabet that needs no quoting.
#[derive(Debug)]
pub(super) struct Written<'a> {
    /// The client.
    pub(super) client: &'a Client,
    /// What to write after its key.
    pub(super) comment: &'a Comment,
}

impl fmt::Display for Written<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Client { name: _, key, rights, mode, from, max_open, not_before, not_after, rate } = self.client;
        let line = ClientLine { key: *key, comment: self.comment.clone() };
        writeln!(f, "key        = \"{line}\"")?;
        writeln!(f, "services   = {}", list(rights.iter().cloned().map(Granted)))?;
        writeln!(f, "address    = \"{}\"", Mode(*mode))?;
        from.iter().try_for_each(|networks| writeln!(f, "from       = {}", list(networks)))?;
        max_open.iter().try_for_each(|span| writeln!(f, "max-open   = \"{}\"", span_of(*span)))?;
        not_before.iter().try_for_each(|time| writeln!(f, "not-before = {}", NotBefore(*time)))?;
        not_after.iter().try_for_each(|time| writeln!(f, "not-after  = {}", NotAfter(*time)))?;
        writeln!(f, "rate       = \"{}\"", PerMinute(*rate))
    }
}

/// The text of a client's file, which is to be `file`.
///
/// # Errors
/// What would be wrong with it.
pub(super) fn write(file: &Path, client: &Client, comment: &Comment) -> Result<String, Faults> {
    let text = Written { client, comment }.to_string();
    // What is written is what is read, with its limits: one opinion of what a file may say.
    parse(file, &client.name, &text).map(|_| text)
}

/// The longest span of whole seconds that is not longer, as a client's file can say it; at least a second.
#[must_use]
pub fn span_of(duration: Duration) -> Span {
    let secs = u32::try_from(duration.as_secs()).unwrap_or(u32::MAX);
    Span::from_secs(NonZeroU32::new(secs).unwrap_or(NonZeroU32::MIN))
}

fn list(elements: impl IntoIterator<Item: fmt::Display>) -> String {
    let quoted: Vec<_> = elements.into_iter().map(|element| format!("\"{element}\"")).collect();
    format!("[{}]", quoted.join(", "))
}
