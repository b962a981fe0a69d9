//! What the administrator wants, read whole: configuration, clients and the server's key.

use std::path::Path;

use knock_spa_engine::client::Client;
use knock_spa_engine::rules::{BadRules, Rules};
use knock_spa_engine::watch::{ClassicDoor, Orders};
use knock_spa_keys::server::ServerSecret;
use knock_spa_proto::address::Address;

use crate::capture::Interest;
use crate::clients::Roster;
use crate::config::settings::Settings;
use crate::config::{Config, ConfigError};
use crate::files::FileError;
use crate::server_key::{self, KeyError};

/// Why there is no plan.
#[derive(Debug, thiserror::Error)]
pub enum LoadError {
    /// The configuration or a client's file.
    #[error(transparent)]
    Config(#[from] ConfigError),
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
            Self::Config(ConfigError::Faults(_)) | Self::Key(_) | Self::Rules(_) => None,
        }
    }
}

/// Everything that is read at a start and at a reload.
#[derive(Debug)]
pub struct Plan {
    /// The configuration.
    pub settings: Settings,
    clients: Vec<Client>,
    secret: ServerSecret,
}

impl Plan {
    /// Reads everything.
    ///
    /// # Errors
    /// [`LoadError`].
    pub fn load(config: &Path) -> Result<Self, LoadError> {
        let settings = Config::load(config)?.settings;
        let clients = Roster::load(&settings.paths.clients)?.clients;
        let secret = server_key::load(&settings.paths.key)?.secret;
        Ok(Self { settings, clients, secret })
    }

    /// What the keeper decides by.
    ///
    /// # Errors
    /// [`LoadError::Rules`].
    pub fn rules(&self) -> Result<Rules, LoadError> {
        let servers = vec![self.secret.public()];
        Ok(Rules::new(self.settings.doors.clone(), self.clients.clone(), servers, self.settings.window)?)
    }

    /// What the capture sockets let through.
    #[must_use]
    pub(super) fn interest(&self) -> Interest {
        let knocks = self.settings.doors.iter().filter_map(|door| door.classic.as_ref());
        let steps = knocks.flat_map(|knock| knock.sequence.steps()).copied().collect();
        Interest { spa_port: self.settings.listen.spa_port.get(), steps }
    }

    /// What the listener watches for.
    #[must_use]
    pub(super) fn orders(&self, generation: u32, own: Vec<Address>) -> Orders {
        Orders {
            generation,
            spa_port: self.settings.listen.spa_port.get(),
            window: self.settings.window,
            secrets: vec![ServerSecret::from_bytes(*self.secret.expose())],
            own,
            doors: self.classic_doors(),
        }
    }

    fn classic_doors(&self) -> Vec<ClassicDoor> {
        let doors = self.settings.doors.iter();
        doors.filter_map(|door| Some(ClassicDoor { name: door.name, knock: door.classic.clone()? })).collect()
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
