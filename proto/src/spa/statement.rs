//! The inner layer: who says what to which server, and when.

use knock_spa_keys::client::{ClientKey, ClientSecret};
use knock_spa_keys::server::ServerKey;

use super::layout::{
    REQUEST_LEN, SEALED_LEN, SIGNED_LEN, STAMP_LEN, STATEMENT_LEN, sealed, signed, statement,
};
use super::request::{Malformed, Request};
use crate::time::UnixTime;

const LABEL: &[u8; 16] = b"knock-spa/1 sign";

/// What somebody claims to state: nothing is proved yet. It is what the listener hands to the keeper.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Statement {
    client: [u8; 32],
    stamp: [u8; STAMP_LEN],
    signature: [u8; 64],
    request: [u8; REQUEST_LEN],
}

/// What a client did state to a server, by its signature.
#[derive(Clone, Debug, PartialEq, Eq)]
#[must_use]
pub struct Proven {
    client: ClientKey,
    stamp: UnixTime,
    request: [u8; REQUEST_LEN],
}

/// The client did not sign this for this server.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("not signed by this client for this server")]
pub struct Forged;

impl Statement {
    /// What `client` states to `server`.
    pub(super) fn sign(
        client: &ClientSecret,
        server: &ServerKey,
        stamp: UnixTime,
        request: &Request,
    ) -> Self {
        let (stamp, request) = (stamp.as_nanos().to_be_bytes(), request.encode());
        let signature = client.sign(&to_sign(server, &stamp, &request));
        Self { client: *client.public().as_bytes(), stamp, signature, request }
    }

    /// The statement of what was sealed; the stamp stands outside the seal.
    pub(super) fn of_sealed(stamp: [u8; STAMP_LEN], plain: &[u8; SEALED_LEN]) -> Self {
        Self {
            client: sealed::Client::read(plain),
            stamp,
            signature: sealed::Signature::read(plain),
            request: sealed::Request::read(plain),
        }
    }

    /// What to seal.
    pub(super) fn to_sealed(&self) -> [u8; SEALED_LEN] {
        let mut plain = [0; SEALED_LEN];
        sealed::Client::write(&mut plain, &self.client);
        sealed::Signature::write(&mut plain, &self.signature);
        sealed::Request::write(&mut plain, &self.request);
        plain
    }

    /// The statement that [`Self::to_bytes`] wrote. Any bytes are one, though hardly a proven one.
    #[must_use]
    pub fn from_bytes(bytes: [u8; STATEMENT_LEN]) -> Self {
        Self {
            client: statement::Client::read(&bytes),
            stamp: statement::Stamp::read(&bytes),
            signature: statement::Signature::read(&bytes),
            request: statement::Request::read(&bytes),
        }
    }

    /// The client's key, the stamp, the signature and the request, one after another.
    #[must_use]
    pub fn to_bytes(&self) -> [u8; STATEMENT_LEN] {
        let mut bytes = [0; STATEMENT_LEN];
        statement::Client::write(&mut bytes, &self.client);
        statement::Stamp::write(&mut bytes, &self.stamp);
        statement::Signature::write(&mut bytes, &self.signature);
        statement::Request::write(&mut bytes, &self.request);
        bytes
    }

    /// The public key of the client that is said to state this. It need not be anybody's key.
    #[must_use]
    pub const fn client(&self) -> &[u8; 32] {
        &self.client
    }

    /// When it is said to be stated.
    #[must_use]
    pub const fn stamp(&self) -> UnixTime {
        UnixTime::from_nanos(u64::from_be_bytes(self.stamp))
    }

    /// Checks that `client` stated this to `server` (stage 8 of `docs/protocol.md` section 4).
    ///
    /// # Errors
    /// [`Forged`] where it did not, or where the statement names another client.
    pub fn verify(self, client: &ClientKey, server: &ServerKey) -> Result<Proven, Forged> {
        let message = to_sign(server, &self.stamp, &self.request);
        // The name is not signed, so that only the key it leads to can prove it right.
        if &self.client != client.as_bytes() || client.verify(&message, &self.signature).is_err() {
            return Err(Forged);
        }
        Ok(Proven { client: *client, stamp: self.stamp(), request: self.request })
    }
}

fn to_sign(server: &ServerKey, stamp: &[u8; STAMP_LEN], request: &[u8; REQUEST_LEN]) -> [u8; SIGNED_LEN] {
    let mut message = [0; SIGNED_LEN];
    signed::Label::write(&mut message, LABEL);
    signed::Server::write(&mut message, server.as_bytes());
    signed::Stamp::write(&mut message, stamp);
    signed::Request::write(&mut message, request);
    message
}

impl Proven {
    /// The client that stated it.
    #[must_use]
    pub const fn client(&self) -> &ClientKey {
        &self.client
    }

    /// When the client stated it, by its own clock.
    #[must_use]
    pub const fn stamp(&self) -> UnixTime {
        self.stamp
    }

    /// What it asks for (stage 9).
    ///
    /// # Errors
    /// [`Malformed`] where the client signed something that is no request.
    pub fn request(&self) -> Result<Request, Malformed> {
        Request::decode(&self.request)
    }
}
