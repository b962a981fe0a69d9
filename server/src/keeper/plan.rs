//! What the administrator wants, read whole: configuration, clients and the server's keys.

use std::path::PathBuf;

use knock_spa_engine::admit::effect::Enrolment;
use knock_spa_engine::client::Client;
use knock_spa_engine::invitation::Invitation;
use knock_spa_engine::rules::{BadRules, Rules};
use knock_spa_engine::watch::{ClassicDoor, Orders};
use knock_spa_keys::server::{ServerKey, ServerSecret};
use knock_spa_proto::address::Address;
use knock_spa_proto::knock::FlagRule;
use knock_spa_proto::port::ServicePort;
use knock_spa_proto::service::ServiceName;

use super::enrolling;
use crate::capture::Interest;
use crate::clients::Roster;
use crate::config::settings::Settings;
use crate::config::{AsKnockd, Config, ConfigError, KnockdError};
use crate::files::FileError;
use crate::io::clock;
use crate::server_key::previous::Previous;
use crate::server_key::{KeyError, Keys};
use crate::services;

/// Where the configuration comes from.
#[derive(Clone, Debug)]
pub enum Source {
    /// A file of our own.
    Native(PathBuf),
    /// The same in a dry run: nothing is changed.
    Rehearsed(PathBuf),
    /// knockd's file, and what its command line says besides.
    Knockd(AsKnockd),
}

impl Source {
    /// Whether the daemon does what it decides.
    pub(super) const fn acts(&self) -> bool {
        match self {
            Self::Native(_) | Self::Knockd(_) => true,
            Self::Rehearsed(_) => false,
        }
    }
}

/// Why there is no plan.
#[derive(Debug, thiserror::Error)]
pub enum LoadError {
    /// The configuration or a client's file.
    #[error(transparent)]
    Config(#[from] ConfigError),
    /// The configuration in knockd's dialect.
    #[error(transparent)]
    Knockd(#[from] KnockdError),
    /// The server's key.
    #[error(transparent)]
    Key(#[from] KeyError),
    /// They do not fit together.
    #[error(transparent)]
    Rules(#[from] BadRules),
}

impl LoadError {
    /// The file that cannot be read, where it is that.
    #[must_use]
    pub const fn file(&self) -> Option<&FileError> {
        match self {
            Self::Config(ConfigError::File(error)) | Self::Key(KeyError::File(error)) => Some(error),
            Self::Config(ConfigError::Faults(_)) | Self::Knockd(_) | Self::Key(_) | Self::Rules(_) => None,
        }
    }
}

/// Everything that is read at a start and at a reload.
#[derive(Debug)]
pub struct Plan {
    /// The configuration.
    pub settings: Settings,
    clients: Vec<Client>,
    invitations: Vec<Invitation>,
    /// The registered services, by the names that the system has for them.
    registered: Vec<(ServiceName, ServicePort)>,
    /// None where no SPA packets are expected.
    pub(super) keys: Option<Keys>,
}

impl Plan {
    /// Reads everything.
    ///
    /// # Errors
    /// [`LoadError`].
    pub fn load(source: &Source) -> Result<Self, LoadError> {
        let settings = match source {
            Source::Native(path) | Source::Rehearsed(path) => Config::load(path)?.settings,
            Source::Knockd(as_knockd) => as_knockd.load()?,
        };
        if settings.listen.spa_port.is_none() {
            return Ok(Self::of_knocks(settings));
        }
        let clients = Roster::load(&settings.paths.clients)?.clients;
        let keys = Some(Keys::load(&settings.paths.key, clock::now().unix)?);
        let found = enrolling::load(&settings.paths.clients, &clients);
        if source.acts() {
            enrolling::mark(&settings.paths.clients, &found);
        }
        let invitations = found.invitations;
        Ok(Self { settings, clients, invitations, registered: services::registered(), keys })
    }

    /// The plan where knocks are the only way in.
    const fn of_knocks(settings: Settings) -> Self {
        Self { settings, clients: Vec::new(), invitations: Vec::new(), registered: Vec::new(), keys: None }
    }

    /// Reads everything for a start. As knockd, what is wrong with keys and clients keeps nobody out who knocks: the
    /// doors are there, but for no packets.
    ///
    /// # Errors
    /// [`LoadError`].
    pub fn load_to_start(source: &Source) -> Result<Self, LoadError> {
        let error = match (Self::load(source), source) {
            (Err(error @ (LoadError::Config(_) | LoadError::Key(_))), Source::Knockd(_)) => error,
            (loaded, _) => return loaded,
        };
        tracing::error!(event = "packets-refused", %error, "doors open for knocks, but not for packets");
        let Source::Knockd(as_knockd) = source else { return Err(error) };
        let settings = as_knockd.load()?;
        let mut plan = Self::of_knocks(settings);
        plan.refuse_packets();
        Ok(plan)
    }

    /// Whether clients with keys can open anything.
    #[must_use]
    pub(super) const fn takes_packets(&self) -> bool {
        self.settings.listen.spa_port.is_some()
    }

    /// Who is enrolled.
    #[must_use]
    pub(super) fn clients(&self) -> &[Client] {
        &self.clients
    }

    /// Enrols these, and invites those, and nobody else.
    pub(super) fn set_clients(&mut self, clients: Vec<Client>, invitations: Vec<Invitation>) {
        self.clients = clients;
        self.invitations = invitations;
    }

    /// Takes in a client that came by an invitation.
    pub(super) fn take_in(&mut self, enrolment: &Enrolment) {
        let client = &enrolment.client;
        if self.clients.iter().all(|other| other.name != client.name) {
            self.clients.push(client.clone());
        }
        let invitation = self.invitations.iter_mut().find(|one| *one.key() == enrolment.invitation);
        if let Some(invitation) = invitation {
            invitation.used_by = Some(client.key);
        }
    }

    /// Leaves knocks as the only way in.
    pub(super) fn refuse_packets(&mut self) {
        self.settings.listen.spa_port = None;
        self.settings.doors.clear();
        self.clients.clear();
        self.invitations.clear();
        self.keys = None;
    }

    /// What the keeper decides by.
    ///
    /// # Errors
    /// [`LoadError::Rules`].
    pub fn rules(&self) -> Result<Rules, LoadError> {
        let settings = &self.settings;
        let (doors, clients) = (settings.doors.clone(), self.clients.clone());
        let rules = Rules::new(doors, clients, self.servers(), settings.window)?;
        let rules = rules.with_invitations(self.invitations.clone());
        let rules = rules.with_registered(self.registered.iter().copied());
        Ok(rules.with_knockd_doors(settings.knockd_doors.clone()))
    }

    /// The server's live keys, the current one first.
    pub(super) fn servers(&self) -> Vec<ServerKey> {
        self.keys.as_ref().map(Keys::public).unwrap_or_default()
    }

    /// The previous key, where packets are expected.
    pub(super) fn previous_key(&self) -> Option<&Previous> {
        self.keys.as_ref().map(|keys| &keys.previous)
    }

    /// What the capture sockets let through.
    #[must_use]
    pub(super) fn interest(&self) -> Interest {
        let settings = &self.settings;
        let native = settings.doors.iter().filter_map(|door| door.classic.as_ref());
        let knockd = settings.knockd_doors.iter().filter_map(|door| door.knock.as_ref());
        let knocks: Vec<_> = native.chain(knockd).collect();
        let steps = knocks.iter().flat_map(|knock| knock.sequence.steps()).copied().collect();
        let flags = knocks.iter().map(|knock| knock.flags).reduce(FlagRule::common).unwrap_or_default();
        Interest { spa_port: self.spa_port(), steps, flags }
    }

    /// What the listener watches for, at these addresses.
    #[must_use]
    pub(super) fn orders(&self, generation: u32, own: Vec<Address>, doors: Vec<ClassicDoor>) -> Orders {
        let log = &self.settings.log;
        let secrets = self.keys.iter().flat_map(Keys::secrets);
        Orders {
            generation,
            spa_port: self.spa_port(),
            window: self.settings.window,
            secrets: secrets.map(|secret| ServerSecret::from_bytes(*secret.expose())).collect(),
            own,
            doors,
            tells_stages: log.file.is_some() || log.syslog || log.verbose,
            explains: self.settings.explain,
        }
    }

    fn spa_port(&self) -> Option<u16> {
        self.settings.listen.spa_port.map(u16::from)
    }

    /// Warns of settings that a reload cannot change.
    pub(super) fn warn_of_fixed(&self, old: &Self) {
        if self.settings.paths != old.settings.paths {
            tracing::warn!(
                event = "restart-needed",
                "[paths] state and runtime take effect at the next start"
            );
        }
    }
}
