//! Who signs packets: clients, and whoever has an invitation.

use alloc::format;
use alloc::string::String;

use knock_spa_keys::client::ClientKey;
use knock_spa_proto::time::UnixTime;

use crate::client::{Client, Rate};
use crate::invitation::Invitation;
use crate::rules::Rules;

/// Somebody whose signature counts.
#[derive(Debug)]
pub(super) enum Asker {
    /// An enrolled client, which may open and close.
    Client(Client),
    /// Whoever has an invitation, and may enrol by it.
    Invitation(Invitation),
}

impl Asker {
    /// Whose key has these bytes, if it is somebody's now.
    pub(super) fn of(rules: &Rules, key: &[u8; 32], now: UnixTime) -> Option<Self> {
        if let Some(client) = rules.client(key) {
            return client.is_valid_at(now).then(|| Self::Client(client.clone()));
        }
        let invitation = rules.invitation(key).filter(|invitation| invitation.is_valid_at(now));
        invitation.cloned().map(Self::Invitation)
    }

    pub(super) const fn key(&self) -> &ClientKey {
        match self {
            Self::Client(client) => &client.key,
            Self::Invitation(invitation) => invitation.key(),
        }
    }

    /// How often it may ask: by an invitation as often as the client that it makes.
    pub(super) const fn rate(&self) -> Rate {
        match self {
            Self::Client(client) => client.rate,
            Self::Invitation(invitation) => invitation.client.rate,
        }
    }

    /// What to call it in a log.
    pub(super) fn to_text(&self) -> String {
        match self {
            Self::Client(client) => client.name.as_str().into(),
            Self::Invitation(invitation) => words_for(invitation),
        }
    }
}

/// What to call whoever asks by an invitation.
pub(super) fn words_for(invitation: &Invitation) -> String {
    format!("invitation {}", invitation.name())
}
