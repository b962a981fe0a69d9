//! The server's keys: which of them are live, and who uses which.

use alloc::collections::BTreeMap;
use alloc::vec::Vec;

use knock_spa_keys::client::ClientKey;
use knock_spa_keys::server::ServerKey;
use knock_spa_proto::time::UnixTime;

use super::record::Record;
use super::{Admit, Awaited};
use crate::client::ClientName;

/// What came to one of the server's keys since the keeper started.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct KeyUse {
    /// Requests that were accepted.
    pub accepted: u64,
    /// When the latest of them was.
    pub last_used: Option<UnixTime>,
    /// The clients whose latest accepted request came to this key, in the order of their names.
    pub clients: Vec<ClientName>,
}

/// How often each live key was used, and which one each client used last: bounded by the keys and the clients.
#[derive(Debug, Default)]
pub(super) struct KeyUses {
    by_key: BTreeMap<ServerKey, (u64, UnixTime)>,
    latest: BTreeMap<ClientKey, ServerKey>,
}

impl KeyUses {
    /// Takes note of a request of `client` to `server` that was accepted.
    pub(super) fn count(&mut self, server: ServerKey, client: ClientKey, at: UnixTime) {
        let (count, last) = self.by_key.entry(server).or_insert((0, at));
        (*count, *last) = (count.saturating_add(1), at);
        self.latest.insert(client, server);
    }

    /// Forgets keys that are no longer live, and clients that are no more.
    fn retain(&mut self, is_live: impl Fn(&ServerKey) -> bool, is_client: impl Fn(&ClientKey) -> bool) {
        self.by_key.retain(|server, _| is_live(server));
        self.latest.retain(|client, server| is_live(server) && is_client(client));
    }
}

impl Admit {
    /// Makes these the server's live keys, the current one first. One that is new is on record, durably, once the
    /// effects are carried out: only then may anybody hear of it.
    pub fn handle_servers(&mut self, servers: Vec<ServerKey>) {
        let is_new = |server: &&ServerKey| !self.rules.is_server(server);
        let new: Vec<ServerKey> = servers.iter().filter(is_new).copied().collect();
        self.rules.set_servers(servers);
        self.forget_unused();
        new.into_iter().for_each(|server| self.record(Record::Key(server), Awaited::Nothing));
    }

    /// Keeps nothing about keys, clients and invitations that are gone but marks.
    pub(super) fn forget_unused(&mut self) {
        let rules = &self.rules;
        let is_client = |client: &ClientKey| rules.client(client.as_bytes()).is_some();
        self.key_uses.retain(|server| rules.is_server(server), is_client);
        self.explanations.retain(is_client);
        self.buckets.retain(|asker, _| rules.has_key(asker));
    }

    /// What came to this key since the keeper started.
    #[must_use]
    pub fn key_use(&self, server: &ServerKey) -> KeyUse {
        let users = self.key_uses.latest.iter().filter(|(_, used)| *used == server);
        let name =
            |client: &ClientKey| self.rules.client(client.as_bytes()).map(|client| client.name.clone());
        let mut clients: Vec<ClientName> = users.filter_map(|(client, _)| name(client)).collect();
        clients.sort();
        match self.key_uses.by_key.get(server) {
            Some((accepted, at)) => KeyUse { accepted: *accepted, last_used: Some(*at), clients },
            None => KeyUse { clients, ..KeyUse::default() },
        }
    }
}
