//! `knock-spad invite list`.

use clap::Args;
use knock_spa_engine::invitation::Invitation;
use knock_spa_proto::time::UnixTime;
use serde::Serialize;

use crate::cli::failure::{Exit, Failure};
use crate::cli::{columns, terminal};
use crate::clients::date::Moment;
use crate::clients::words::Granted;
use crate::clients::{Invitations, Roster};
use crate::config::settings::Paths;
use crate::io::clock;

#[derive(Debug, Args)]
pub(super) struct Arguments {
    /// For programs: one JSON array.
    #[arg(long)]
    json: bool,
}

pub(super) fn run(paths: &Paths, arguments: &Arguments) -> Result<(), Failure> {
    let roster = Roster::load(&paths.clients).map_err(Failure::of_clients)?;
    let found = Invitations::load(&paths.clients, &roster.clients)?;
    for remark in found.warnings.iter().chain(&found.faults) {
        terminal::note(remark.labelled("warning"));
    }
    let now = clock::now().unix;
    let rows: Vec<_> = found.invitations.iter().map(|invitation| Row::of(invitation, now)).collect();
    if arguments.json {
        let text = serde_json::to_string_pretty(&rows).map_err(|error| Failure::new(Exit::Io, error))?;
        return terminal::say(text);
    }
    if rows.is_empty() {
        terminal::note("nobody is invited");
        return Ok(());
    }
    let heads = ["NAME", "SERVICES", "UNTIL", "STATE"].map(ToOwned::to_owned);
    terminal::say(columns::aligned(heads, rows.iter().map(Row::cells)))
}

/// An invitation as it is shown.
#[derive(Serialize)]
#[serde(rename_all = "kebab-case")]
struct Row {
    name: String,
    services: Vec<String>,
    expires: String,
    state: State,
    /// The fingerprint of who has come by it.
    used_by: Option<String>,
}

#[derive(Clone, Copy, Serialize)]
#[serde(rename_all = "kebab-case")]
enum State {
    Pending,
    Used,
    Expired,
}

impl Row {
    fn of(invitation: &Invitation, now: UnixTime) -> Self {
        let rights = invitation.client.rights.iter();
        Self {
            name: invitation.name().to_string(),
            services: rights.map(|right| Granted(right.clone()).to_string()).collect(),
            expires: Moment(invitation.expires).to_string(),
            state: match invitation.used_by {
                Some(_) => State::Used,
                None if invitation.is_valid_at(now) => State::Pending,
                None => State::Expired,
            },
            used_by: invitation.used_by.map(|key| key.fingerprint().to_string()),
        }
    }

    fn cells(&self) -> [String; 4] {
        let services = if self.services.is_empty() { "-".into() } else { self.services.join(",") };
        let state = match (self.state, &self.used_by) {
            (State::Used, Some(by)) => format!("used by {by}"),
            (State::Used, None) => "used".into(),
            (State::Pending, _) => "pending".into(),
            (State::Expired, _) => "expired".into(),
        };
        [self.name.clone(), services, self.expires.clone(), state]
    }
}
