//! A client's secret key under a passphrase: what whoever finds the file still lacks.
//!
//! The parameters are fixed by the kind of the line (`docs/protocol.md` section 8): a file cannot ask for a gigabyte,
//! nor for a single pass.

use alloc::string::String;
use alloc::vec::Vec;
use core::fmt;
use core::str::FromStr;

use argon2::{Algorithm, Argon2, Block, Params, Version};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD_NO_PAD;
use chacha20poly1305::XChaCha20Poly1305;
use chacha20poly1305::aead::{AeadInOut as _, KeyInit as _};
use zeroize::Zeroizing;

use crate::client::{ClientSecret, ClientSecretLine};
use crate::comment::Comment;
use crate::text::{self, BadLine, Kind};

/// A client's secret key as it is kept under a passphrase. Text: `knock-spa-client-sealed-v1 <118 characters>
/// [comment]`.
#[derive(Clone, PartialEq, Eq)]
pub struct ClientSealedLine {
    salt: [u8; SALT_LEN],
    nonce: [u8; NONCE_LEN],
    text: [u8; SEED_LEN],
    tag: [u8; TAG_LEN],
    /// Whose it is; may be empty. Nothing binds it to the key, as in the other lines.
    pub comment: Comment,
}

/// The random bytes of one sealing, never used again.
#[derive(Clone, Copy, Debug)]
pub struct KeepRandom {
    /// Makes equal passphrases different keys.
    pub salt: [u8; SALT_LEN],
    /// The nonce of the cipher.
    pub nonce: [u8; NONCE_LEN],
}

/// Why a sealed key stays sealed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum StaysSealed {
    /// Another passphrase sealed it, or the line was changed since: nobody can tell which.
    #[error("it is not the passphrase of this key, or the key's file is damaged")]
    WrongPassphrase,
    /// The derivation needs more memory than there is.
    #[error(transparent)]
    NoMemory(#[from] NoMemory),
}

/// There is no memory for the derivation of a key.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("a passphrase takes 64 MiB of memory to work with, which cannot be had")]
pub struct NoMemory;

/// The length of the salt.
const SALT_LEN: usize = 16;
/// The length of the nonce (draft-irtf-cfrg-xchacha-03).
const NONCE_LEN: usize = 24;
const SEED_LEN: usize = 32;
const TAG_LEN: usize = 16;
const SEALED_LEN: usize = SALT_LEN + NONCE_LEN + SEED_LEN + TAG_LEN;

/// Argon2id's memory in KiB, passes and lanes: the second recommendation of RFC 9106 section 4, with one lane for the
/// one thread that computes. Half a second for a small machine; for who guesses, 64 MiB for each guess.
const MEMORY_KIB: u32 = 64 * 1024;
const PASSES: u32 = 3;
const LANES: u32 = 1;

impl ClientSecretLine {
    /// This key under a passphrase. `random` must be fresh.
    ///
    /// # Errors
    /// [`NoMemory`] where there is none for the derivation.
    pub fn seal(&self, passphrase: &[u8], random: KeepRandom) -> Result<ClientSealedLine, NoMemory> {
        let KeepRandom { salt, nonce } = random;
        let cipher = cipher(passphrase, &salt)?;
        let mut text = Zeroizing::new(*self.secret.expose());
        let tag = encrypt(&cipher, &nonce, &mut text);
        Ok(ClientSealedLine { salt, nonce, text: *text, tag, comment: self.comment.clone() })
    }
}

impl ClientSealedLine {
    /// The key that the passphrase seals.
    ///
    /// # Errors
    /// [`StaysSealed`] where it is another passphrase, or memory is missing.
    pub fn unseal(&self, passphrase: &[u8]) -> Result<ClientSecretLine, StaysSealed> {
        let cipher = cipher(passphrase, &self.salt)?;
        let mut seed = Zeroizing::new(self.text);
        cipher
            .decrypt_inout_detached((&self.nonce).into(), b"", seed.as_mut_slice().into(), (&self.tag).into())
            .map_err(|_| StaysSealed::WrongPassphrase)?;
        Ok(ClientSecretLine { secret: ClientSecret::from_seed(*seed), comment: self.comment.clone() })
    }
}

/// The cipher under the key that Argon2id (RFC 9106) makes of a passphrase.
fn cipher(passphrase: &[u8], salt: &[u8; SALT_LEN]) -> Result<XChaCha20Poly1305, NoMemory> {
    let params = Params::new(MEMORY_KIB, PASSES, LANES, Some(SEED_LEN)).map_err(|_| NoMemory)?;
    let mut memory = Zeroizing::new(Vec::new());
    // Asked for, since the usual way ends the process where there is none.
    memory.try_reserve_exact(params.block_count()).map_err(|_| NoMemory)?;
    memory.resize(params.block_count(), Block::new());
    let mut key = Zeroizing::new([0; SEED_LEN]);
    // Of all that can be refused, lengths and parameters, only the passphrase's is not fixed: it may have 4 GiB.
    Argon2::new(Algorithm::Argon2id, Version::V0x13, params)
        .hash_password_into_with_memory(passphrase, salt, key.as_mut_slice(), memory.as_mut_slice())
        .map_err(|_| NoMemory)?;
    Ok(XChaCha20Poly1305::new((&*key).into()))
}

/// Encrypts a seed where it is; the tag.
#[expect(clippy::expect_used, reason = "the cipher refuses lengths alone, and 32 bytes are none of those")]
fn encrypt(cipher: &XChaCha20Poly1305, nonce: &[u8; NONCE_LEN], seed: &mut [u8; SEED_LEN]) -> [u8; TAG_LEN] {
    let tag = cipher.encrypt_inout_detached(nonce.into(), b"", seed.as_mut_slice().into());
    tag.expect("a text of 32 bytes").into()
}

impl fmt::Debug for ClientSealedLine {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ClientSealedLine").field("comment", &self.comment).finish_non_exhaustive()
    }
}

impl FromStr for ClientSealedLine {
    type Err = BadLine;

    fn from_str(line: &str) -> Result<Self, BadLine> {
        let (blob, comment) = text::split(Kind::ClientSealed, line)?;
        let bytes = decode(blob)?;
        let comment = comment.unwrap_or_default().parse()?;
        let (salt, bytes) = bytes.split_first_chunk().ok_or(BadLine::Length)?;
        let (nonce, bytes) = bytes.split_first_chunk().ok_or(BadLine::Length)?;
        let (text, bytes) = bytes.split_first_chunk().ok_or(BadLine::Length)?;
        let (tag, _) = bytes.split_first_chunk().ok_or(BadLine::Length)?;
        Ok(Self { salt: *salt, nonce: *nonce, text: *text, tag: *tag, comment })
    }
}

/// No checksum is needed: the tag is one.
fn decode(blob: &str) -> Result<[u8; SEALED_LEN], BadLine> {
    if blob.len() != (SEALED_LEN * 4).div_ceil(3) {
        return Err(BadLine::Length);
    }
    let mut bytes = [0; SEALED_LEN];
    STANDARD_NO_PAD.decode_slice(blob, &mut bytes).map_err(|_| BadLine::NotBase64)?;
    Ok(bytes)
}

impl fmt::Display for ClientSealedLine {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let bytes = [self.salt.as_slice(), &self.nonce, &self.text, &self.tag].concat();
        let blob: String = STANDARD_NO_PAD.encode(bytes);
        let space = if self.comment.is_empty() { "" } else { " " };
        write!(f, "{} {blob}{space}{}", Kind::ClientSealed, self.comment.as_str())
    }
}

#[cfg(test)]
#[expect(clippy::string_slice, reason = "the texts here are ASCII")]
mod tests {
    use alloc::format;
    use alloc::string::ToString;

    use proptest::prelude::*;

    use super::*;

    const PASSPHRASE: &[u8] = "correct horse, Ärger".as_bytes();

    /// Made by libsodium: `crypto_pwhash` and `crypto_aead_xchacha20poly1305_ietf_encrypt`.
    const LINE: &str = "knock-spa-client-sealed-v1 BAQEBAQEBAQEBAQEBAQEBAEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAYs3Lxi7Am2BLVA9N3dZll9JzlmzK0nS67CpTKS/ToA2EwsaK7e36xO5T0e0r+8j5A alice@laptop";

    const RANDOM: KeepRandom = KeepRandom { salt: [4; 16], nonce: [1; 24] };

    fn key() -> ClientSecretLine {
        ClientSecretLine {
            secret: ClientSecret::from_seed([9; 32]),
            comment: "alice@laptop".parse().unwrap(),
        }
    }

    #[test]
    fn another_implementation_seals_the_same() {
        assert_eq!(key().seal(PASSPHRASE, RANDOM).unwrap().to_string(), LINE);
        let opened = LINE.parse::<ClientSealedLine>().unwrap().unseal(PASSPHRASE).unwrap();
        assert_eq!((opened.secret.expose(), opened.comment.as_str()), (&[9; 32], "alice@laptop"));
    }

    /// Of `tests/vectors.json`, which Python made.
    #[test]
    fn the_vector_is_the_key_that_it_should_be() {
        let line = "knock-spa-client-sealed-v1 DQ0NDQ0NDQ0NDQ0NDQ0NDQ4ODg4ODg4ODg4ODg4ODg4ODg4ODg4ODrhtXXRDC54ylzv/wOqKzhAHbZ1pFBI74eDqrOGkUguFMuvWju6iEvsCXl4jZ50dhQ alice@laptop";
        let line: ClientSealedLine = line.parse().unwrap();
        assert_eq!(line.unseal(b"correct horse battery staple").unwrap().secret.expose(), &[9; 32]);
    }

    #[test]
    fn no_other_passphrase_and_no_changed_line_opens() {
        let line: ClientSealedLine = LINE.parse().unwrap();
        for wrong in ["", "correct horse, Arger", "correct horse, Ärger ", "Correct horse, Ärger"] {
            assert_eq!(line.unseal(wrong.as_bytes()).err(), Some(StaysSealed::WrongPassphrase), "{wrong}");
        }
        // In the salt, the nonce, the text and the tag.
        for at in [0, 30, 60, 115] {
            let at = "knock-spa-client-sealed-v1 ".len() + at;
            let other = if &LINE[at..=at] == "A" { "B" } else { "A" };
            let changed: ClientSealedLine =
                format!("{}{other}{}", &LINE[..at], &LINE[at + 1..]).parse().unwrap();
            assert_eq!(changed.unseal(PASSPHRASE).err(), Some(StaysSealed::WrongPassphrase), "{at}");
        }
    }

    #[test]
    fn a_sealed_line_has_one_spelling() {
        let blob_at = "knock-spa-client-sealed-v1 ".len();
        let comment_at = LINE.rfind(' ').unwrap();
        assert_eq!(comment_at - blob_at, 118);
        assert_eq!(LINE.parse::<ClientSealedLine>().unwrap().to_string(), LINE);
        let bare = &LINE[..comment_at];
        assert_eq!(bare.parse::<ClientSealedLine>().unwrap().to_string(), bare);
        let fault = |line: &str| line.parse::<ClientSealedLine>().err();
        assert_eq!(fault(&format!("{bare}==")), Some(BadLine::Length));
        assert_eq!(fault(&LINE[..comment_at - 1]), Some(BadLine::Length));
        assert_eq!(fault(&format!("{bare} ")), Some(BadLine::Spacing));
        assert!(matches!(fault(&format!("{LINE} b")), Some(BadLine::Comment(_))));
        // The last character has four bits that stand for nothing.
        assert_eq!(fault(&format!("{}_", &LINE[..comment_at - 1])), Some(BadLine::NotBase64));
        assert_eq!(fault(&format!("{}/", &LINE[..comment_at - 1])), Some(BadLine::NotBase64));
        let wanted = Kind::ClientSealed;
        let found = Kind::ClientSecret;
        assert_eq!(fault(&key().to_text()), Some(BadLine::OtherKind { found, wanted }));
    }

    proptest! {
        #[test]
        fn sealed_lines_are_read_in_one_spelling(
            line in "knock-spa-client-sealed-v1 [A-Za-z0-9+/]{117}[AEIMQUYcgkosw048Z]( [a-z@]{0,3}){0,2}|.*",
        ) {
            if let Ok(value) = line.parse::<ClientSealedLine>() {
                prop_assert_eq!(value.to_string(), line);
            }
        }
    }

    #[test]
    fn nothing_shows_what_could_be_guessed_at() {
        let line: ClientSealedLine = LINE.parse().unwrap();
        assert_eq!(format!("{line:?}"), "ClientSealedLine { comment: Comment(\"alice@laptop\"), .. }");
    }
}
