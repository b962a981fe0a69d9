//! When clients last used their keys: by the daemon's word, or without one by the journal's.

use std::collections::BTreeMap;

use knock_spa_engine::admit::History;
use knock_spa_keys::client::ClientKey;
use knock_spa_proto::control::{Command, LastUse, Reply};
use knock_spa_proto::time::UnixTime;

use crate::clients::date::Moment;
use crate::config::settings::Paths;
use crate::control::{self, AskError};
use crate::journal::{self, Condition};

/// When each key was last used.
#[derive(Debug)]
pub(super) enum LastUses {
    /// By fingerprint; a key that is not there never was.
    Known(BTreeMap<String, UnixTime>),
    /// Nobody can say, and why.
    Unknown(String),
}

impl LastUses {
    /// Asks the daemon. Where none runs, reads its journal, which it finds afterwards as it left it.
    pub(super) fn ask(paths: &Paths) -> Self {
        match control::ask(&paths.runtime, Command::LastUses) {
            Ok(Reply::LastUses { uses }) => Self::Known(uses.into_iter().map(read).collect()),
            Ok(Reply::Failed { why }) => Self::Unknown(why),
            Ok(Reply::Status(_) | Reply::ClientsReloaded(_) | Reply::Done { .. }) => {
                Self::Unknown("the daemon's answer is not understood".into())
            }
            Err(AskError::NoDaemon(_)) => Self::of_journal(paths),
            Err(error) => Self::Unknown(error.to_string()),
        }
    }

    fn of_journal(paths: &Paths) -> Self {
        let unknown = |why: &str| Self::Unknown(format!("no daemon runs, and {why}"));
        match journal::peek(&paths.state) {
            Ok((records, Condition::Whole | Condition::TornTail)) => {
                let mut history = History::default();
                records.into_iter().for_each(|record| history.push(record));
                let uses = history.last_uses().map(|(key, at)| (key.fingerprint().to_string(), at));
                Self::Known(uses.collect())
            }
            Ok((_, Condition::Absent)) => unknown("there is no journal"),
            Ok((_, Condition::Damaged)) => unknown("the journal is damaged"),
            Ok((_, Condition::Incomplete)) => unknown("the journal could not be written to the end"),
            Err(error) => unknown(&error.to_string()),
        }
    }

    /// In words, for this key: a time, `never`, or nothing where nobody knows.
    pub(super) fn of(&self, key: &ClientKey) -> Option<String> {
        match self {
            Self::Known(uses) => {
                let at = uses.get(&key.fingerprint().to_string());
                Some(at.map_or_else(|| "never".into(), |at| Moment(*at).to_string()))
            }
            Self::Unknown(_) => None,
        }
    }
}

fn read(LastUse { fingerprint, at }: LastUse) -> (String, UnixTime) {
    (fingerprint, UnixTime::from_secs(at))
}
