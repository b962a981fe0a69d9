//! An invitation: a single-use key whose only right is to enrol one client (`docs/protocol.md` section 8).

use knock_spa_keys::client::ClientKey;
use knock_spa_proto::time::UnixTime;

use crate::client::{Client, ClientName};

/// An invitation: the client that it makes of whoever enrols by it first.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Invitation {
    /// The client as it will be. In place of the client's own key, which nobody knows yet, it has the invitation's.
    pub client: Client,
    /// Nobody can enrol by it from this time on.
    pub expires: UnixTime,
    /// The key that was enrolled by it; none while it is pending.
    pub used_by: Option<ClientKey>,
}

impl Invitation {
    /// Its own key: who has the secret one can enrol by it.
    #[must_use]
    pub const fn key(&self) -> &ClientKey {
        &self.client.key
    }

    /// The name that is kept for the client.
    #[must_use]
    pub const fn name(&self) -> &ClientName {
        &self.client.name
    }

    /// Whether it is not over yet at this time, used or not.
    #[must_use]
    pub fn is_valid_at(&self, now: UnixTime) -> bool {
        now < self.expires
    }

    /// The client that it makes of this key.
    #[must_use]
    pub fn client_of(&self, key: ClientKey) -> Client {
        Client { key, ..self.client.clone() }
    }
}
