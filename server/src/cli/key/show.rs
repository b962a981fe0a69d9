//! `knock-spad key show`: the line, both keys, and who uses them.

use clap::Args;
use knock_spa_keys::server::ServerKey;
use knock_spa_proto::control::{Command, KeyStatus, Reply};
use serde::Serialize;

use super::{keys, line_of};
use crate::cli::failure::{Exit, Failure};
use crate::cli::terminal;
use crate::clients::date::Moment;
use crate::config::settings::Paths;
use crate::control;
use crate::server_key::Keys;
use crate::server_key::previous::Previous;

#[derive(Debug, Args)]
pub(in crate::cli) struct Arguments {
    /// For programs: one JSON object.
    #[arg(long)]
    json: bool,
}

/// What is shown to programs.
#[derive(Serialize)]
struct Shown {
    line: String,
    keys: Vec<KeyStatus>,
    unusable_previous_key: Option<String>,
}

pub(super) fn run(paths: &Paths, arguments: &Arguments) -> Result<(), Failure> {
    let found = keys(paths)?;
    let line = line_of(paths, &found)?;
    let (keys, unusable) = (statuses(paths, &found), unusable(&found));
    if arguments.json {
        let shown = Shown { line: line.to_string(), keys, unusable_previous_key: unusable };
        let text = serde_json::to_string_pretty(&shown).map_err(|error| Failure::new(Exit::Io, error))?;
        return terminal::say(text);
    }
    terminal::note(format_args!("fingerprint: {}", line.key.fingerprint()));
    if keys.iter().any(|key| key.until.is_some() || key.usage.is_some()) {
        keys.iter().for_each(|key| terminal::note(words(key)));
    }
    if let Some(why) = unusable {
        terminal::note(format_args!("PREVIOUS KEY CAN'T BE USED, its clients are refused: {why}"));
    }
    terminal::say(line)
}

/// The keys of the files, and what came to them where a daemon runs that knows.
pub(super) fn statuses(paths: &Paths, keys: &Keys) -> Vec<KeyStatus> {
    let known = match control::ask(&paths.runtime, Command::Status) {
        Ok(Reply::Status(status)) => status.server_keys,
        Ok(
            Reply::Done { .. } | Reply::Failed { .. } | Reply::ClientsReloaded(_) | Reply::LastUses { .. },
        )
        | Err(_) => Vec::new(),
    };
    let until = [None, keys.previous.live().map(|key| key.until.as_secs())];
    let status = |(server, until): (ServerKey, Option<u64>)| {
        let fingerprint = server.fingerprint().to_string();
        let usage = known.iter().find(|key| key.fingerprint == fingerprint).and_then(|key| key.usage.clone());
        KeyStatus { fingerprint, until, usage }
    };
    keys.public().into_iter().zip(until).map(status).collect()
}

fn unusable(keys: &Keys) -> Option<String> {
    match &keys.previous {
        Previous::Unusable(error) => Some(error.to_string()),
        Previous::Absent | Previous::Live(_) | Previous::Ended(_) => None,
    }
}

/// One key, for people.
pub(in crate::cli) fn words(key: &KeyStatus) -> String {
    let KeyStatus { fingerprint, until, usage } = key;
    let kind =
        until.map_or_else(|| "current".into(), |until| format!("previous, until {}", Moment::at_secs(until)));
    let Some(usage) = usage else { return format!("key {fingerprint} ({kind})") };
    let last = usage.last_used.map(|at| format!(", last at {}", Moment::at_secs(at))).unwrap_or_default();
    let mut names = usage.clients.join(", ");
    if usage.more_clients > 0 {
        names = format!("{names} and {} more", usage.more_clients);
    }
    let clients = match (until, names.as_str()) {
        (None, _) => String::new(),
        (Some(_), "") => "; used last by nobody that it knows of".into(),
        (Some(_), names) => format!("; still used by {names}"),
    };
    format!("key {fingerprint} ({kind}): {} accepted{last}{clients}", usage.accepted)
}
