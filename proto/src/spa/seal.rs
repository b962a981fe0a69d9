//! The client's side: a packet out of a request.

use core::fmt;

use knock_spa_keys::client::ClientSecret;
use knock_spa_keys::server::ServerKey;
use zeroize::ZeroizeOnDrop;

use super::envelope::EnvelopeKey;
use super::hpke;
use super::layout::{CONTENT_LEN, NONCE_LEN, PACKET_LEN, content};
use super::request::Request;
use super::statement::Statement;
use crate::time::UnixTime;

/// Begins the `info` of HPKE; the stamp follows.
pub(super) const LABEL: &[u8] = b"knock-spa/1 seal";

/// The random bytes of one packet: drawn afresh for each, and wiped when dropped.
#[derive(ZeroizeOnDrop)]
pub struct SealRandom {
    /// The secret of the ephemeral X25519 key.
    pub ephemeral: [u8; 32],
    /// The nonce of the envelope.
    pub nonce: [u8; NONCE_LEN],
}

/// The packet in which `client` asks `server` for `request`, at `stamp` by its clock. Each stamp of a client must
/// be later than those before it, or the server takes the packet for a replay (`docs/protocol.md` section 5).
#[must_use]
#[expect(clippy::needless_pass_by_value, reason = "taken, so that randomness is used once")]
pub fn seal(
    server: &ServerKey,
    client: &ClientSecret,
    stamp: UnixTime,
    request: &Request,
    random: SealRandom,
) -> [u8; PACKET_LEN] {
    let plain = Statement::sign(client, server, stamp, request).to_sealed();
    let stamp = stamp.as_nanos().to_be_bytes();
    let (enc, sealed) = hpke::seal(server, &[LABEL, &stamp], plain, random.ephemeral);
    let mut content = [0; CONTENT_LEN];
    content::Stamp::write(&mut content, &stamp);
    content::Enc::write(&mut content, &enc);
    content::Sealed::write(&mut content, &sealed.text);
    content::Tag::write(&mut content, &sealed.tag);
    EnvelopeKey::of(server).seal(&random.nonce, content)
}

impl fmt::Debug for SealRandom {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("(..)")
    }
}
