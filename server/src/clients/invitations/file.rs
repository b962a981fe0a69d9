//! An invitation's file: what a client's has, until when it is good, and who has used it.

use std::fmt;
use std::path::Path;

use knock_spa_engine::client::ClientName;
use knock_spa_engine::invitation::Invitation;
use knock_spa_keys::client::{ClientKey, ClientLine};
use knock_spa_keys::comment::Comment;

use crate::clients::date::NotAfter;
use crate::clients::policy::{self, Policy, client_key, date, read_client};
use crate::clients::survey::Filed;
use crate::config::remark::Faults;
use crate::config::table::{Reader, Table};

impl Filed for Invitation {
    const NOUN: &str = "invitation";

    fn parse(file: &Path, name: &ClientName, text: &str) -> Result<(Self, usize), Faults> {
        Reader::read(file, text, |table, reader| read(name, table, reader))
    }

    fn name(&self) -> &ClientName {
        self.name()
    }

    fn key(&self) -> &ClientKey {
        self.key()
    }
}

fn read(name: &ClientName, mut table: Table<'_>, reader: &mut Reader) -> Option<(Invitation, usize)> {
    let policy = read_client(name, "`knock-spad invite` makes invitations", &mut table, reader);
    let expires = table.read("expires", reader, date);
    let used_by = table.read("used-by", reader, client_key);
    table.finish(reader);
    if expires.is_absent() {
        reader.fault(1, "no time until when it is good", Some("expires = 2027-06-30T12:00:00Z"));
    }
    let (Policy { client, key_line, .. }, NotAfter(expires)) = (policy?, expires.into_value()?);
    let used_by = used_by.into_value().map(|line| line.key);
    Some((Invitation { client, expires, used_by }, key_line))
}

/// An invitation's file, to be written.
#[derive(Debug)]
pub(super) struct Written<'a>(pub(super) &'a Invitation);

impl fmt::Display for Written<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Invitation { client, expires, used_by } = self.0;
        policy::Written { client, comment: &Comment::default() }.fmt(f)?;
        writeln!(f, "expires    = {}", NotAfter(*expires))?;
        used_by.iter().try_for_each(|key| {
            let line = ClientLine { key: *key, comment: Comment::default() };
            writeln!(f, "used-by    = \"{line}\"")
        })
    }
}
