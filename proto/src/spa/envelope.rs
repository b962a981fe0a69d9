//! The outer layer: noise to everybody who does not know the server's public key.

use core::fmt;

use knock_spa_keys::server::{ServerKey, ServerSecret};

use super::aead::{self, Sealed};
use super::hmac::{Secret, hmac};
use super::layout::{CONTENT_LEN, NONCE_LEN, PACKET_LEN, SEALED_LEN, STAMP_LEN, TAG_LEN, content, packet};
use super::statement::Statement;
use super::{hpke, seal};
use crate::time::UnixTime;

const LABEL: &[u8] = b"knock-spa/1 envelope";

/// What opens the envelopes of one server. Wiped when dropped: it tells that server's packets from noise.
pub struct EnvelopeKey(Secret<32>);

/// A packet that somebody made who knows the server's public key; who, is still sealed.
pub struct Enveloped {
    stamp: [u8; STAMP_LEN],
    enc: [u8; 32],
    sealed: Sealed<SEALED_LEN>,
    tag: [u8; TAG_LEN],
}

impl EnvelopeKey {
    /// The envelope key of the server whose public key is `server`.
    #[must_use]
    pub fn of(server: &ServerKey) -> Self {
        Self(hmac(LABEL, &[&[server.as_bytes()]]))
    }

    /// Opens the envelope (stages 0 and 1 of `docs/protocol.md` section 4), without any public-key operation;
    /// `None` for whatever is no packet of knock-spa/1 to this server.
    #[must_use]
    pub fn open(&self, datagram: &[u8]) -> Option<Enveloped> {
        let packet: &[u8; PACKET_LEN] = datagram.try_into().ok()?;
        let content = self.content(packet)?;
        Some(Enveloped {
            stamp: content::Stamp::read(&content),
            enc: content::Enc::read(&content),
            sealed: Sealed { text: content::Sealed::read(&content), tag: content::Tag::read(&content) },
            tag: packet::Tag::read(packet),
        })
    }

    pub(super) fn content(&self, packet: &[u8; PACKET_LEN]) -> Option<[u8; CONTENT_LEN]> {
        let sealed = Sealed { text: packet::Content::read(packet), tag: packet::Tag::read(packet) };
        aead::open_x(&self.0, &packet::Nonce::read(packet), &sealed)
    }

    /// The packet with this content, under a nonce that is random and used once.
    pub(super) fn seal(&self, nonce: &[u8; NONCE_LEN], content: [u8; CONTENT_LEN]) -> [u8; PACKET_LEN] {
        let Sealed { text, tag } = aead::seal_x(&self.0, nonce, content);
        let mut packet = [0; PACKET_LEN];
        packet::Nonce::write(&mut packet, nonce);
        packet::Content::write(&mut packet, &text);
        packet::Tag::write(&mut packet, &tag);
        packet
    }
}

impl Enveloped {
    /// When the sender says that it made the packet. Anybody with the server's public key can say so.
    #[must_use]
    pub const fn stamp(&self) -> UnixTime {
        UnixTime::from_nanos(u64::from_be_bytes(self.stamp))
    }

    /// The envelope's tag: the same for two packets only if they are the same packet (stage 3).
    #[must_use]
    pub const fn tag(&self) -> [u8; TAG_LEN] {
        self.tag
    }

    /// Opens the seal (stage 5): exactly one Diffie-Hellman computation. `None` where it was not sealed to `server`.
    #[must_use]
    pub fn unseal(self, server: &ServerSecret) -> Option<Statement> {
        let plain = hpke::open(server, &[seal::LABEL, &self.stamp], &self.enc, &self.sealed)?;
        Some(Statement::of_sealed(self.stamp, &plain))
    }
}

impl fmt::Debug for EnvelopeKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("(..)")
    }
}

impl fmt::Debug for Enveloped {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Enveloped").field("stamp", &self.stamp()).finish_non_exhaustive()
    }
}
