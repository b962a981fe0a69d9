//! A client's Ed25519 key: what requests are signed with.

use alloc::string::String;
use core::fmt;
use core::str::FromStr;

use ring::signature::{ED25519, Ed25519KeyPair, KeyPair as _, UnparsedPublicKey};
use zeroize::Zeroizing;

use crate::comment::Comment;
use crate::fingerprint::Fingerprint;
use crate::point::{self, BadKey};
use crate::text::{self, BadLine, Kind};

/// A client's public key: its identity. Never of small order, for such a key would verify forgeries.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ClientKey([u8; 32]);

/// A client's secret key. Wiped when dropped.
pub struct ClientSecret {
    seed: Zeroizing<[u8; 32]>,
    public: ClientKey,
}

/// What a server needs to know of a client. Text: `knock-spa-client-v1 <48 characters> [comment]`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ClientLine {
    /// The client's public key.
    pub key: ClientKey,
    /// Whose it is; may be empty.
    pub comment: Comment,
}

/// A client's secret key as it is kept. Text: `knock-spa-client-secret-v1 <48 characters> [comment]`.
#[derive(Debug)]
pub struct ClientSecretLine {
    /// The secret key.
    pub secret: ClientSecret,
    /// Whose it is; may be empty.
    pub comment: Comment,
}

/// The signature is not this key's, or not over this message.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the signature is not this key's over this message")]
pub struct BadSignature;

impl ClientKey {
    /// The key of these bytes.
    ///
    /// # Errors
    /// [`BadKey`] where they are not the canonical encoding of a point that can be somebody's key.
    pub fn from_bytes(bytes: [u8; 32]) -> Result<Self, BadKey> {
        point::check_edwards(bytes).map(|()| Self(bytes))
    }

    /// The key's bytes (RFC 8032 section 5.1.2).
    #[must_use]
    pub const fn as_bytes(&self) -> &[u8; 32] {
        &self.0
    }

    /// What people compare.
    #[must_use]
    pub fn fingerprint(&self) -> Fingerprint {
        Fingerprint::of(Kind::Client, &self.0)
    }

    /// Checks that this key signed `message` (RFC 8032 section 5.1.7).
    ///
    /// # Errors
    /// [`BadSignature`] where it did not.
    pub fn verify(&self, message: &[u8], signature: &[u8; 64]) -> Result<(), BadSignature> {
        UnparsedPublicKey::new(&ED25519, self.0).verify(message, signature).map_err(|_| BadSignature)
    }
}

impl ClientSecret {
    /// The secret key of this seed (RFC 8032 section 5.1.5): any 32 bytes, drawn at random.
    #[must_use]
    pub fn from_seed(seed: [u8; 32]) -> Self {
        let seed = Zeroizing::new(seed);
        let mut public = [0; 32];
        copy(pair(&seed).public_key().as_ref(), &mut public);
        // Clamping keeps the public key off the points of small order.
        Self { seed, public: ClientKey(public) }
    }

    /// The secret seed, lent.
    #[must_use]
    pub fn expose(&self) -> &[u8; 32] {
        &self.seed
    }

    /// The public key.
    #[must_use]
    pub const fn public(&self) -> ClientKey {
        self.public
    }

    /// The signature over `message` (RFC 8032 section 5.1.6): the same each time.
    #[must_use]
    pub fn sign(&self, message: &[u8]) -> [u8; 64] {
        let mut signature = [0; 64];
        copy(pair(&self.seed).sign(message).as_ref(), &mut signature);
        signature
    }
}

#[expect(clippy::expect_used, reason = "ring refuses a seed for its length alone, which the type fixes")]
fn pair(seed: &[u8; 32]) -> Ed25519KeyPair {
    Ed25519KeyPair::from_seed_unchecked(seed).expect("a seed of 32 bytes")
}

/// Copies what ring returns as a slice, though its length is fixed.
fn copy(from: &[u8], to: &mut [u8]) {
    to.iter_mut().zip(from).for_each(|(to, from)| *to = *from);
}

impl fmt::Debug for ClientKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(&self.fingerprint(), f)
    }
}

impl fmt::Debug for ClientSecret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("(..)")
    }
}

impl FromStr for ClientLine {
    type Err = BadLine;

    fn from_str(line: &str) -> Result<Self, BadLine> {
        let parts = text::parse(Kind::Client, line)?;
        let comment = parts.rest.unwrap_or_default().parse()?;
        Ok(Self { key: ClientKey::from_bytes(*parts.key)?, comment })
    }
}

impl fmt::Display for ClientLine {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&text::write(Kind::Client, self.key.as_bytes(), self.comment.as_str()))
    }
}

impl FromStr for ClientSecretLine {
    type Err = BadLine;

    fn from_str(line: &str) -> Result<Self, BadLine> {
        let parts = text::parse(Kind::ClientSecret, line)?;
        let comment = parts.rest.unwrap_or_default().parse()?;
        Ok(Self { secret: ClientSecret::from_seed(*parts.key), comment })
    }
}

impl ClientSecretLine {
    /// The line, wiped when dropped.
    #[must_use]
    pub fn to_text(&self) -> Zeroizing<String> {
        text::write(Kind::ClientSecret, self.secret.expose(), self.comment.as_str())
    }
}

#[cfg(test)]
#[expect(clippy::string_slice, reason = "the texts here are ASCII")]
mod tests {
    use alloc::format;
    use alloc::string::ToString;
    use alloc::vec::Vec;

    use ed25519_dalek::{Signer as _, SigningKey, VerifyingKey};
    use proptest::prelude::*;

    use super::*;

    const LINE: &str = "knock-spa-client-v1 /RckOFqgx1tk+3jNYC+h2ZH96/drE8WO1wLqyDXp9hizdz1g alice@laptop";

    #[test]
    fn the_example_is_a_client_line() {
        let line: ClientLine = LINE.parse().unwrap();
        assert_eq!(line.key, ClientSecret::from_seed([9; 32]).public());
        assert_eq!(line.comment.as_str(), "alice@laptop");
        assert_eq!(line.to_string(), LINE);
        let bare = LINE.strip_suffix(" alice@laptop").unwrap();
        assert_eq!(bare.parse::<ClientLine>().unwrap().to_string(), bare);
    }

    /// Replaces, inserts and removes each ASCII character everywhere.
    #[test]
    fn a_changed_line_is_refused_or_has_another_comment() {
        let comment_at = LINE.rfind(' ').unwrap();
        let check = |at: usize, with: &str, removed: usize| {
            let line = format!("{}{with}{}", &LINE[..at], &LINE[at + removed..]);
            if let Ok(value) = line.parse::<ClientLine>()
                && line != LINE
            {
                assert!(at > comment_at, "{line}");
                assert_eq!(value.to_string(), line, "one spelling");
            }
        };
        for at in 0..LINE.len() {
            check(at, "", 1);
            for byte in 0..128u8 {
                check(at, &char::from(byte).to_string(), 0);
                check(at, &char::from(byte).to_string(), 1);
            }
        }
    }

    /// ring verifies this for any message, where it is let.
    #[test]
    fn the_forgery_of_the_identity_has_no_key() {
        let mut identity = [0; 32];
        identity[0] = 1;
        let mut signature = [0; 64];
        signature[0] = 1;
        assert_eq!(ClientKey(identity).verify(b"anything", &signature), Ok(()));

        assert_eq!(ClientKey::from_bytes(identity), Err(BadKey::SmallOrder));
        let line = text::write(Kind::Client, &identity, "");
        assert_eq!(line.parse::<ClientLine>(), Err(BadLine::Key(BadKey::SmallOrder)));
    }

    #[test]
    fn nothing_shows_a_secret() {
        let line = ClientSecretLine { secret: ClientSecret::from_seed([9; 32]), comment: Comment::default() };
        assert_eq!(format!("{line:?}"), "ClientSecretLine { secret: (..), comment: Comment(\"\") }");
    }

    proptest! {
        #[test]
        fn another_implementation_agrees(seed: [u8; 32], message: Vec<u8>, flip in 0..512usize) {
            let ours = ClientSecret::from_seed(seed);
            let theirs = SigningKey::from_bytes(&seed);
            prop_assert_eq!(*ours.public().as_bytes(), theirs.verifying_key().to_bytes());
            let mut signature = ours.sign(&message);
            prop_assert_eq!(signature, theirs.sign(&message).to_bytes());
            prop_assert_eq!(ours.public().verify(&message, &signature), Ok(()));
            signature[flip / 8] ^= 1 << (flip % 8);
            prop_assert_eq!(ours.public().verify(&message, &signature), Err(BadSignature));
        }

        #[test]
        fn another_implementation_agrees_on_keys(bytes: [u8; 32]) {
            let theirs = VerifyingKey::from_bytes(&bytes).is_ok_and(|key| !key.is_weak());
            prop_assert_eq!(ClientKey::from_bytes(bytes).is_ok(), theirs);
        }

        #[test]
        fn lines_come_back(seed: [u8; 32], comment in "[A-Za-z0-9@._+-]{0,64}") {
            let secret = ClientSecret::from_seed(seed);
            prop_assert_eq!(ClientKey::from_bytes(*secret.public().as_bytes()), Ok(secret.public()));
            let line = ClientLine { key: secret.public(), comment: comment.parse().unwrap() };
            prop_assert_eq!(line.to_string().parse(), Ok(line));
            let line = ClientSecretLine { secret, comment: comment.parse().unwrap() };
            let again: ClientSecretLine = line.to_text().parse().unwrap();
            prop_assert_eq!(again.secret.expose(), &seed);
            prop_assert_eq!(again.to_text(), line.to_text());
        }
    }
}
