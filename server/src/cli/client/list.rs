//! `knock-spad client list`.

use clap::Args;
use knock_spa_engine::client::Client;
use knock_spa_proto::time::UnixTime;
use serde::Serialize;

use crate::cli::client::last_use::LastUses;
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
    let uses = LastUses::ask(paths);
    if let LastUses::Unknown(why) = &uses {
        terminal::note(format_args!("warning: when keys were last used is unknown: {why}"));
    }
    let rows: Vec<_> = roster.clients.iter().map(|client| Row::of(client, &uses, now)).collect();
    if arguments.json {
        let text = serde_json::to_string_pretty(&rows).map_err(|error| Failure::new(Exit::Io, error))?;
        return terminal::say(text);
    }
    if rows.is_empty() {
        terminal::note("no client is enrolled");
        return Ok(());
    }
    terminal::say(columns::aligned(HEADS.map(ToOwned::to_owned), rows.iter().map(Row::cells)))
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
    /// By the client's clock, or `never`; absent where nobody knows.
    last_use: Option<String>,
}

impl Row {
    fn of(client: &Client, uses: &LastUses, now: UnixTime) -> Self {
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
            last_use: uses.of(&client.key),
        }
    }

    fn cells(&self) -> [String; COLUMNS] {
        let given = |field: &Option<String>| field.clone().unwrap_or_else(|| "-".into());
        let services = if self.services.is_empty() { "-".into() } else { self.services.join(",") };
        [
            self.name.clone(),
            if self.valid { "yes".into() } else { "NO".into() },
            services,
            self.address.clone(),
            self.from.as_ref().map_or_else(|| "any".into(), |networks| networks.join(",")),
            given(&self.max_open),
            given(&self.not_before),
            given(&self.not_after),
            self.rate.clone(),
            self.last_use.clone().unwrap_or_else(|| "unknown".into()),
            self.fingerprint.clone(),
        ]
    }
}

const COLUMNS: usize = 11;

const HEADS: [&str; COLUMNS] = [
    "NAME",
    "VALID",
    "SERVICES",
    "ADDRESS",
    "FROM",
    "MAX-OPEN",
    "NOT-BEFORE",
    "NOT-AFTER",
    "RATE",
    "LAST-USE",
    "FINGERPRINT",
];
