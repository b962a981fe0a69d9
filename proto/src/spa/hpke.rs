//! HPKE (RFC 9180) as far as the packet needs it: base mode, one message, no associated data;
//! DHKEM(X25519, HKDF-SHA256), HKDF-SHA256, ChaCha20-Poly1305.

use knock_spa_keys::server::{ServerKey, ServerSecret};

use super::aead::{self, Sealed};
use super::hmac::{Secret, hmac};

/// `"KEM"` and the identifier of DHKEM(X25519, HKDF-SHA256) (section 4.1).
const KEM_SUITE: &[u8] = &[b'K', b'E', b'M', 0x00, 0x20];
/// `"HPKE"` and the identifiers of that KEM, of HKDF-SHA256 and of ChaCha20-Poly1305 (section 5.1).
const SUITE: &[u8] = &[b'H', b'P', b'K', b'E', 0x00, 0x20, 0x00, 0x01, 0x00, 0x03];
const MODE_BASE: &[u8] = &[0];

/// What a message is encrypted under.
struct Schedule {
    key: Secret<32>,
    nonce: Secret<12>,
}

/// Seals `plain` to `server`: the encapsulated key, and the ciphertext with its tag. `ephemeral` is 32 random
/// bytes, used once.
pub(super) fn seal<const N: usize>(
    server: &ServerKey,
    info: &[&[u8]],
    plain: [u8; N],
    ephemeral: [u8; 32],
) -> ([u8; 32], Sealed<N>) {
    let (enc, dh) = server.encapsulate(ephemeral);
    let Schedule { key, nonce } = Schedule::of(&dh, &enc, server, info);
    (enc, aead::seal(&key, &nonce, plain))
}

/// Opens what [`seal`] returned; `None` where it was not sealed to this server, or was changed. One Diffie-Hellman
/// computation.
pub(super) fn open<const N: usize>(
    server: &ServerSecret,
    info: &[&[u8]],
    enc: &[u8; 32],
    sealed: &Sealed<N>,
) -> Option<[u8; N]> {
    let dh = server.agree(enc)?;
    let Schedule { key, nonce } = Schedule::of(&dh, enc, &server.public(), info);
    aead::open(&key, &nonce, sealed)
}

impl Schedule {
    /// Sections 4.1 (`ExtractAndExpand`) and 5.1 (`KeySchedule`, without a pre-shared key).
    fn of(dh: &[u8; 32], enc: &[u8; 32], server: &ServerKey, info: &[&[u8]]) -> Self {
        let eae_prk = extract(KEM_SUITE, b"", b"eae_prk", &[dh]);
        let shared: Secret<32> = expand(KEM_SUITE, &eae_prk, b"shared_secret", &[enc, server.as_bytes()]);
        let psk_id_hash = extract(SUITE, b"", b"psk_id_hash", &[]);
        let info_hash = extract(SUITE, b"", b"info_hash", info);
        let context: [&[u8]; 3] = [MODE_BASE, &*psk_id_hash, &*info_hash];
        let secret = extract(SUITE, &*shared, b"secret", &[]);
        Self {
            key: expand(SUITE, &secret, b"key", &context),
            nonce: expand(SUITE, &secret, b"base_nonce", &context),
        }
    }
}

/// `LabeledExtract` (section 4), of the concatenation of `ikm`.
fn extract(suite: &[u8], salt: &[u8], label: &[u8], ikm: &[&[u8]]) -> Secret<32> {
    hmac(salt, &[&[b"HPKE-v1", suite, label], ikm])
}

/// `LabeledExpand` (section 4), of the concatenation of `info`; the first block of HKDF-Expand holds it all.
fn expand<const N: usize>(suite: &[u8], prk: &[u8; 32], label: &[u8], info: &[&[u8]]) -> Secret<N> {
    let [.., high, low] = N.to_be_bytes();
    hmac(prk, &[&[&[high, low], b"HPKE-v1", suite, label], info, &[&[1]]])
}

#[cfg(test)]
mod tests {
    use chacha20poly1305::aead::{Aead as _, Payload};
    use chacha20poly1305::{ChaCha20Poly1305, KeyInit as _};
    use proptest::prelude::*;

    use super::super::tests::bytes;
    use super::*;

    /// RFC 9180 appendix A.2.1, whose message has associated data; ours have none.
    #[test]
    fn the_rfc_agrees() {
        let server = ServerSecret::from_bytes(bytes(
            "8057991eef8f1f1af18f4a9491d16a1ce333f695d4db8e38da75975c4478e0fb",
        ));
        let public = bytes("4310ee97d88cc1f088a5576c77ab0cf5c3ac797f3d95139c6c84b5429c59662a");
        assert_eq!(server.public().as_bytes(), &public);
        let ephemeral = bytes("f4ec9b33b792c372c1d2c2063507b684ef925b8c75a42dbcbf57d63ccd381600");
        let (enc, dh) = server.public().encapsulate(ephemeral);
        assert_eq!(enc, bytes("1afa08d3dec047a643885163f1180476fa7ddb54c6a8029ea33f95796bf2ac4a"));

        let Schedule { key, nonce } =
            Schedule::of(&dh, &enc, &server.public(), &[b"Ode on a", b" Grecian Urn"]);
        assert_eq!(*key, bytes("ad2744de8e17f4ebba575b3f5f5a8fa1f69c2a07f6e7500bc60ca6e3e3ec1c91"));
        assert_eq!(*nonce, bytes("5c4d98150661b848853b547f"));
        let message = Payload { msg: b"Beauty is truth, truth beauty", aad: b"Count-0" };
        assert_eq!(
            *ChaCha20Poly1305::new((&*key).into()).encrypt((&*nonce).into(), message).unwrap(),
            bytes::<45>(
                "1c5250d8034ec2b784ba2cfd69dbdb8af406cfe3ff938e131f0def8c8b60b4db21993c62ce81883d2dd1b51a28"
            )
        );
    }

    proptest! {
        #[test]
        fn what_is_sealed_is_opened_by_its_server_alone(
            secret: [u8; 32], other: [u8; 32], plain: [u8; 32], ephemeral: [u8; 32], info: [u8; 8],
        ) {
            let (server, other) = (ServerSecret::from_bytes(secret), ServerSecret::from_bytes(other));
            let (enc, sealed) = seal(&server.public(), &[&info], plain, ephemeral);
            prop_assert_eq!(open(&server, &[&info], &enc, &sealed), Some(plain));
            prop_assert_eq!(open(&server, &[&info, b"x"], &enc, &sealed), None);
            prop_assert_eq!(open(&other, &[&info], &enc, &sealed), None);
            prop_assert_eq!(open(&server, &[&info], &[0; 32], &sealed), None);
        }
    }
}
