//! Who is enrolled, read again while the daemon runs.

use std::collections::BTreeMap;
use std::io;

use knock_spa_engine::client::{Client, ClientName, NotAClientName};
use knock_spa_proto::control::{ClientsReloaded, Cut};

use super::{Keeper, LoadError, enrolling};
use crate::clients::Survey;
use crate::io::clock;
use crate::io::process::Started;

impl<L: FnMut() -> io::Result<Started>> Keeper<L> {
    /// Reads the clients again and nothing else, and ends what they may not any more. Each file counts by itself: who
    /// has none is out, and one that can't be used leaves its client as it is.
    ///
    /// # Errors
    /// [`LoadError`] where the directory can't be read; then nothing has changed.
    pub(super) fn reload_clients(&mut self) -> Result<ClientsReloaded, LoadError> {
        self.reload_clients_cutting(None)
    }

    /// The same, and ends the flows as well that came in through what ends of the client of this name.
    pub(super) fn reload_clients_and_cut(&mut self, cut: Option<&str>) -> Result<ClientsReloaded, String> {
        let cut = cut.map(str::parse).transpose().map_err(|error: NotAClientName| error.to_string())?;
        // What failed before was told before.
        drop(self.take_cut());
        let reloaded = self.reload_clients_cutting(cut.as_ref()).map_err(|error| error.to_string())?;
        Ok(ClientsReloaded { cut: self.take_cut(), ..reloaded })
    }

    fn reload_clients_cutting(&mut self, cut: Option<&ClientName>) -> Result<ClientsReloaded, LoadError> {
        if !self.plan.takes_packets() {
            return Ok(ClientsReloaded::default());
        }
        let survey =
            Survey::of(&self.plan.settings.paths.clients).map_err(crate::config::ConfigError::from)?;
        let survey = survey.in_place_of(self.plan.clients());
        let found = enrolling::load(&self.plan.settings.paths.clients, &survey.clients);
        if self.source.acts() {
            enrolling::mark(&self.plan.settings.paths.clients, &found);
        }
        let rules = self.admit.rules().clone().with_clients(survey.clients.clone())?;
        let rules = rules.with_invitations(found.invitations.clone());
        tell_changes(self.plan.clients(), &survey.clients);
        self.admit.handle_clients(rules, cut, clock::now());
        self.plan.set_clients(survey.clients, found.invitations);
        self.settle();
        let reloaded = ClientsReloaded {
            unusable: survey.unusable.iter().map(ToString::to_string).collect(),
            faults: survey.faults.iter().chain(&found.faults).map(ToString::to_string).collect(),
            cut: Cut::default(),
        };
        for fault in &survey.faults {
            tracing::error!(event = "client-unusable", "{fault}");
        }
        tracing::info!(event = "clients-reloaded", clients = self.plan.clients().len());
        Ok(reloaded)
    }
}

/// Tells who came, who went, and who may something else now, by the files.
pub(super) fn tell_changes(old: &[Client], new: &[Client]) {
    let by_key = |clients: &[Client]| -> BTreeMap<[u8; 32], Client> {
        clients.iter().map(|client| (*client.key.as_bytes(), client.clone())).collect()
    };
    let (old, new) = (by_key(old), by_key(new));
    for (key, client) in &old {
        if !new.contains_key(key) {
            tracing::info!(event = "revoked", client = %client.name, fingerprint = %client.key.fingerprint());
        }
    }
    for (key, client) in &new {
        let fingerprint = client.key.fingerprint();
        match old.get(key) {
            None => tracing::info!(event = "client-added", client = %client.name, %fingerprint),
            Some(before) if before != client => {
                tracing::info!(event = "client-changed", client = %client.name, %fingerprint);
            }
            Some(_) => {}
        }
    }
}
