//! Who is enrolled, read again while the daemon runs.

use std::io;

use knock_spa_proto::control::ClientsReloaded;

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
        if !self.plan.takes_packets() {
            return Ok(ClientsReloaded::default());
        }
        let survey =
            Survey::of(&self.plan.settings.paths.clients).map_err(crate::config::ConfigError::from)?;
        let survey = survey.in_place_of(self.plan.clients());
        let found = enrolling::load(&self.plan.settings.paths.clients, &survey.clients);
        let rules = self.admit.rules().clone().with_clients(survey.clients.clone())?;
        let rules = rules.with_invitations(found.invitations.clone());
        self.admit.handle_clients(rules, clock::now());
        self.plan.set_clients(survey.clients, found.invitations);
        self.settle();
        let reloaded = ClientsReloaded {
            unusable: survey.unusable.iter().map(ToString::to_string).collect(),
            faults: survey.faults.iter().chain(&found.faults).map(ToString::to_string).collect(),
        };
        for fault in &reloaded.faults {
            tracing::error!(event = "client-unusable", "{fault}");
        }
        tracing::info!(event = "clients-reloaded", clients = self.plan.clients().len());
        Ok(reloaded)
    }
}
