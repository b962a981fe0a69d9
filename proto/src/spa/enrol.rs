//! A request to be enrolled (`docs/protocol.md` section 3): an invitation's only right.

use knock_spa_keys::client::{ClientKey, ClientSecret};
use knock_spa_keys::server::ServerKey;

use super::layout::{ENROL_SIGNED_LEN, enrol_signed};
use super::statement::Forged;

const LABEL: &[u8; 17] = b"knock-spa/1 enrol";

/// Asks to enrol a key in place of the invitation that signs the packet. Nothing is proved yet.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Enrol {
    pub(super) key: ClientKey,
    pub(super) proof: [u8; 64],
}

impl Enrol {
    /// Asks `server` to enrol the key of `secret`, by the invitation whose public key is `invitation`.
    #[must_use]
    pub fn new(secret: &ClientSecret, server: &ServerKey, invitation: &ClientKey) -> Self {
        Self { key: secret.public(), proof: secret.sign(&to_sign(server, invitation)) }
    }

    /// The key that is to be enrolled, once whoever has it proves that this is meant: for this server, and by this
    /// invitation.
    ///
    /// # Errors
    /// [`Forged`] where it does not.
    pub fn verify(&self, server: &ServerKey, invitation: &ClientKey) -> Result<ClientKey, Forged> {
        self.key.verify(&to_sign(server, invitation), &self.proof).map_err(|_| Forged)?;
        Ok(self.key)
    }
}

/// What the new key signs.
fn to_sign(server: &ServerKey, invitation: &ClientKey) -> [u8; ENROL_SIGNED_LEN] {
    let mut message = [0; ENROL_SIGNED_LEN];
    enrol_signed::Label::write(&mut message, LABEL);
    enrol_signed::Server::write(&mut message, server.as_bytes());
    enrol_signed::Invitation::write(&mut message, invitation.as_bytes());
    message
}

#[cfg(test)]
mod tests {
    use knock_spa_keys::server::ServerSecret;

    use super::*;

    #[test]
    fn the_new_key_agrees_to_one_invitation_of_one_server() {
        let [server, other] = [7, 8].map(|byte| ServerSecret::from_bytes([byte; 32]).public());
        let [invitation, device, another] = [9, 10, 11].map(|byte| ClientSecret::from_seed([byte; 32]));
        let enrol = Enrol::new(&device, &server, &invitation.public());
        assert_eq!(enrol.verify(&server, &invitation.public()), Ok(device.public()));
        assert_eq!(enrol.verify(&other, &invitation.public()), Err(Forged));
        assert_eq!(enrol.verify(&server, &another.public()), Err(Forged));
        let stolen = Enrol { key: another.public(), ..enrol };
        assert_eq!(stolen.verify(&server, &invitation.public()), Err(Forged));
    }
}
