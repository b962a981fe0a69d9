//! `knock-spad client list`.

use clap::Args;
use knock_spa_engine::client::Client;
use knock_spa_proto::time::UnixTime;
use serde::Serialize;

use crate::cli::failure::{Exit, Failure};
use crate::cli::{columns, terminal};
use crate::clients::date::{NotAfter, NotBefore};
use crate::clients::words::{Granted, Mode, PerMinute};
use crate::clients::{self, Roster};
use crate::config::settings::Paths;
use crate::io::clock;

#[derive(Debug, Args)]
pub(in crate::cli) struct Arguments {
    /// For programs: one JSON array, with the keys of a client's file.
    #[arg(long)]
    json: bool,
}

pub(super) fn run(paths: &Paths, arguments: &Arguments) -> Result<(), Failure> {
    let roster = Roster::load(&paths.clients).map_err(Failure::of_clients)?;
    for warning in &roster.warnings {
        terminal::note(warning.labelled("warning"));
    }
    let now = clock::now().unix;
    let rows: Vec<_> = roster.clients.iter().map(|client| Row::of(client, now)).collect();
    if arguments.json {
        let text = serde_json::to_string_pretty(&rows).map_err(|error| Failure::new(Exit::Io, error))?;
        return terminal::say(text);
    }
    if rows.is_empty() {
        terminal::note("no client is enrolled");
        return Ok(());
    }
    let heads = ["NAME", "SERVICES", "ADDRESS", "UNTIL", "FINGERPRINT"].map(ToOwned::to_owned);
    terminal::say(columns::aligned(heads, rows.iter().map(Row::cells)))
}

/// A client as it is shown.
#[derive(Serialize)]
#[serde(rename_all = "kebab-case")]
struct Row {
    name: String,
    fingerprint: String,
    services: Vec<String>,
    address: String,
    /// Anywhere where absent.
    from: Option<Vec<String>>,
    max_open: Option<String>,
    not_before: Option<String>,
    not_after: Option<String>,
    rate: String,
    /// Whether it is somebody now.
    valid: bool,
    /// The same in words.
    #[serde(skip)]
    until: String,
}

impl Row {
    fn of(client: &Client, now: UnixTime) -> Self {
        Self {
            name: client.name.to_string(),
            fingerprint: client.key.fingerprint().to_string(),
            services: client.rights.iter().map(|right| Granted(right.clone()).to_string()).collect(),
            address: Mode(client.mode).to_string(),
            from: client.from.as_ref().map(|networks| networks.iter().map(ToString::to_string).collect()),
            max_open: client.max_open.map(|span| clients::span_of(span).to_string()),
            not_before: client.not_before.map(|time| NotBefore(time).to_string()),
            not_after: client.not_after.map(|time| NotAfter(time).to_string()),
            rate: PerMinute(client.rate).to_string(),
            valid: client.is_valid_at(now),
            until: until(client, now),
        }
    }

    fn cells(&self) -> [String; 5] {
        let services = if self.services.is_empty() { "-".into() } else { self.services.join(",") };
        [&self.name, &services, &self.address, &self.until, &self.fingerprint].map(Clone::clone)
    }
}

fn until(client: &Client, now: UnixTime) -> String {
    match (client.not_before, client.not_after) {
        (_, Some(end)) if end <= now => format!("ended {}", NotAfter(end)),
        (Some(start), _) if now < start => format!("not before {}", NotBefore(start)),
        (_, Some(end)) => NotAfter(end).to_string(),
        (_, None) => "-".into(),
    }
}
