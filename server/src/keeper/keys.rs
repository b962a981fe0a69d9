//! The server's keys while the keeper runs: one after another, and the end of the one before.

use std::io;
use std::num::NonZeroU32;

use knock_spa_keys::server::ServerKey;
use knock_spa_proto::control::{KeyStatus, KeyUsage};
use knock_spa_proto::span::Span;
use knock_spa_proto::time::BootTime;

use super::Keeper;
use crate::io::clock;
use crate::io::process::Started;
use crate::server_key::Keys;
use crate::server_key::previous::Previous;
use crate::server_key::rotation::{Earlier, Rotation, end_previous};

/// Clients that are named for one key: a person reads no more.
const MAX_NAMED: usize = 100;

/// Why keys are not to be had.
const NO_KEYS: &str = "no packets are expected here, so there is no key";

impl<L: FnMut() -> io::Result<Started>> Keeper<L> {
    /// Draws a new key, and keeps the old one beside it for `grace` seconds.
    pub(super) async fn rotate_key(
        &mut self,
        grace: NonZeroU32,
        end_previous: bool,
    ) -> Result<String, String> {
        if self.plan.keys.is_none() {
            return Err(NO_KEYS.into());
        }
        let earlier = if end_previous { Earlier::End } else { Earlier::Keep };
        let path = self.plan.settings.paths.key.clone();
        let rotation = Rotation::prepare(&path, Span::from_secs(grace), earlier, clock::now().unix)
            .map_err(|error| error.to_string())?;
        let new = rotation.new_key();
        let mut servers = vec![new];
        servers.extend(self.plan.servers());
        self.admit.handle_servers(servers);
        self.settle();
        let done = if self.admit.journal_failed() {
            Err("the journal can't be written: without it a new key could not be told from one whose marks are lost".into())
        } else {
            rotation.carry_out().map_err(|error| error.to_string())
        };
        // Whatever came of it, what there is now counts.
        self.read_keys().await?;
        done?;
        tracing::warn!(event = "key-rotated", fingerprint = %new.fingerprint());
        Ok(format!("the server's key is {} now", new.fingerprint()))
    }

    /// Ends the previous key.
    pub(super) async fn remove_previous_key(&mut self) -> Result<String, String> {
        let Some(keys) = &self.plan.keys else { return Err(NO_KEYS.into()) };
        if end_previous(&self.plan.settings.paths.key, keys).map_err(|error| error.to_string())? {
            tracing::warn!(event = "key-ended", cause = "administrator");
            self.read_keys().await?;
            Ok("the previous key has ended".into())
        } else {
            self.read_keys().await?;
            Err("there is no previous key".into())
        }
    }

    /// Takes the keys as they are on the disk now.
    async fn read_keys(&mut self) -> Result<(), String> {
        let read = Keys::load(&self.plan.settings.paths.key, clock::now().unix);
        let done = read.map(|keys| self.plan.keys = Some(keys)).map_err(|error| error.to_string());
        self.put_keys_in_force().await;
        done
    }

    async fn put_keys_in_force(&mut self) {
        self.admit.handle_servers(self.plan.servers());
        self.settle();
        self.hand_over().await;
    }

    /// When the previous key ends, by the clock that counts since boot, as far as can be told now.
    pub(super) fn previous_key_ends_at(&self) -> Option<BootTime> {
        let now = clock::now();
        let until = self.plan.previous_key()?.live()?.until;
        Some(now.boot.saturating_add(until.saturating_since(now.unix)))
    }

    /// Ends the previous key where its time is over by now.
    pub(super) async fn end_previous_key_in_time(&mut self) {
        let now = clock::now().unix;
        let previous = self.plan.previous_key().and_then(Previous::live);
        if previous.is_none_or(|key| now < key.until) {
            return;
        }
        if let Some(keys) = &mut self.plan.keys
            && let Previous::Live(key) = std::mem::replace(&mut keys.previous, Previous::Absent)
        {
            keys.previous = Previous::Ended(key);
        }
        self.look_after_keys();
        self.put_keys_in_force().await;
    }

    /// Removes the file of a key whose time is over, and tells of one that can't be used.
    pub(super) fn look_after_keys(&mut self) {
        let Some(keys) = &mut self.plan.keys else { return };
        match &keys.previous {
            Previous::Absent | Previous::Live(_) => {}
            Previous::Ended(key) => {
                let fingerprint = key.line.secret.public().fingerprint();
                tracing::warn!(event = "key-ended", %fingerprint, cause = "expired");
                // Where its file stays it counts for nothing, but whoever reads it can read old packets.
                if self.source.acts()
                    && let Err(error) = end_previous(&self.plan.settings.paths.key, keys)
                {
                    tracing::error!(event = "key-not-removed", %error, "remove it by hand");
                }
                keys.previous = Previous::Absent;
            }
            Previous::Unusable(error) => tracing::error!(
                event = "previous-key-unusable",
                %error,
                "clients that were not given the new key are refused; `knock-spad key remove` ends the matter"
            ),
        }
    }

    /// How the live keys are.
    pub(super) fn key_statuses(&self) -> Vec<KeyStatus> {
        let until = |server: &ServerKey| {
            let previous = self.plan.previous_key()?.live()?;
            (previous.line.secret.public() == *server).then(|| previous.until.as_secs())
        };
        let status = |server: &ServerKey| KeyStatus {
            fingerprint: server.fingerprint().to_string(),
            until: until(server),
            usage: Some(self.key_usage(server)),
        };
        self.plan.servers().iter().map(status).collect()
    }

    fn key_usage(&self, server: &ServerKey) -> KeyUsage {
        let key_use = self.admit.key_use(server);
        KeyUsage {
            accepted: key_use.accepted,
            last_used: key_use.last_used.map(|at| at.as_secs()),
            more_clients: key_use.clients.len().saturating_sub(MAX_NAMED),
            clients: key_use.clients.into_iter().take(MAX_NAMED).map(|name| name.to_string()).collect(),
        }
    }

    /// What is wrong with the previous key.
    pub(super) fn unusable_previous_key(&self) -> Option<String> {
        match self.plan.previous_key()? {
            Previous::Unusable(error) => Some(error.to_string()),
            Previous::Absent | Previous::Live(_) | Previous::Ended(_) => None,
        }
    }
}
