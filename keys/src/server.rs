//! A server's X25519 key: what packets are sealed to.

use alloc::string::{String, ToString};
use core::fmt;
use core::str::FromStr;

use x25519_dalek::{PublicKey, StaticSecret};
use zeroize::Zeroizing;

use crate::comment::Comment;
use crate::endpoint::Endpoints;
use crate::fingerprint::Fingerprint;
use crate::point::{self, BadKey};
use crate::text::{self, BadLine, Kind};

/// A server's public key. It is not published, yet authorises nothing: who has it can make packets that the
/// server looks into.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ServerKey([u8; 32]);

/// A server's secret key. Wiped when dropped.
pub struct ServerSecret {
    secret: StaticSecret,
    /// Derived once: opening a packet needs it, and would otherwise pay for it each time.
    public: ServerKey,
}

/// What a client needs to know of a server. Text: `knock-spa-server-v1 <48 characters> host:port[,host:port]`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ServerLine {
    /// The server's public key.
    pub key: ServerKey,
    /// Where it hears packets.
    pub endpoints: Endpoints,
}

/// A server's secret key as it is kept. Text: `knock-spa-server-secret-v1 <48 characters> [comment]`.
#[derive(Debug)]
pub struct ServerSecretLine {
    /// The secret key.
    pub secret: ServerSecret,
    /// Which server's it is; may be empty.
    pub comment: Comment,
}

/// A secret that two sides share. Wiped when dropped.
pub type Shared = Zeroizing<[u8; 32]>;

impl ServerKey {
    /// The key of these bytes.
    ///
    /// # Errors
    /// [`BadKey`] where they are not the canonical encoding of a point that can be somebody's key.
    pub fn from_bytes(bytes: [u8; 32]) -> Result<Self, BadKey> {
        point::check_montgomery(bytes).map(|()| Self(bytes))
    }

    /// The key's bytes (RFC 7748 section 5).
    #[must_use]
    pub const fn as_bytes(&self) -> &[u8; 32] {
        &self.0
    }

    /// What people compare.
    #[must_use]
    pub fn fingerprint(&self) -> Fingerprint {
        Fingerprint::of(Kind::Server, &self.0)
    }

    /// The client's half of an agreement: the public key of `ephemeral`, for the server, and the secret that
    /// [`ServerSecret::agree`] computes from it. `ephemeral` is 32 random bytes, used once.
    #[must_use]
    pub fn encapsulate(&self, ephemeral: [u8; 32]) -> ([u8; 32], Shared) {
        let ephemeral = StaticSecret::from(ephemeral);
        // Contributory always: a key of small order is no `ServerKey`.
        let shared = ephemeral.diffie_hellman(&PublicKey::from(self.0));
        (PublicKey::from(&ephemeral).to_bytes(), Zeroizing::new(shared.to_bytes()))
    }
}

impl ServerSecret {
    /// The secret key of these bytes: any 32, drawn at random.
    #[must_use]
    pub fn from_bytes(bytes: [u8; 32]) -> Self {
        let secret = StaticSecret::from(bytes);
        // Clamping (RFC 7748 section 5) keeps the public key off the points of small order.
        let public = ServerKey(PublicKey::from(&secret).to_bytes());
        Self { secret, public }
    }

    /// The secret bytes, lent.
    #[must_use]
    pub fn expose(&self) -> &[u8; 32] {
        self.secret.as_bytes()
    }

    /// The public key.
    #[must_use]
    pub const fn public(&self) -> ServerKey {
        self.public
    }

    /// The secret shared with whoever sent the public key `enc`; `None` where `enc` is of small order, so
    /// that the result would not depend on this key (RFC 9180 section 7.1.4).
    #[must_use]
    pub fn agree(&self, enc: &[u8; 32]) -> Option<Shared> {
        let shared = self.secret.diffie_hellman(&PublicKey::from(*enc));
        shared.was_contributory().then(|| Zeroizing::new(shared.to_bytes()))
    }
}

impl fmt::Debug for ServerKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(&self.fingerprint(), f)
    }
}

impl fmt::Debug for ServerSecret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("(..)")
    }
}

impl FromStr for ServerLine {
    type Err = BadLine;

    fn from_str(line: &str) -> Result<Self, BadLine> {
        let parts = text::parse(Kind::Server, line)?;
        let endpoints = parts.rest.ok_or(BadLine::NoEndpoints)?.parse()?;
        Ok(Self { key: ServerKey::from_bytes(*parts.key)?, endpoints })
    }
}

impl fmt::Display for ServerLine {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&text::write(Kind::Server, self.key.as_bytes(), &self.endpoints.to_string()))
    }
}

impl FromStr for ServerSecretLine {
    type Err = BadLine;

    fn from_str(line: &str) -> Result<Self, BadLine> {
        let parts = text::parse(Kind::ServerSecret, line)?;
        let comment = parts.rest.unwrap_or_default().parse()?;
        Ok(Self { secret: ServerSecret::from_bytes(*parts.key), comment })
    }
}

impl ServerSecretLine {
    /// The line, wiped when dropped.
    #[must_use]
    pub fn to_text(&self) -> Zeroizing<String> {
        text::write(Kind::ServerSecret, self.secret.expose(), self.comment.as_str())
    }
}

#[cfg(test)]
#[expect(clippy::string_slice, reason = "the texts here are ASCII")]
mod tests {
    use alloc::format;

    use proptest::prelude::*;

    use super::*;

    const LINE: &str =
        "knock-spa-server-v1 E75P6uryBMf9M1j8nAByGIHRdCeBKCJ+xnTzf3/pe211Kvv9 gw1.example.net:62201";

    #[test]
    fn the_example_is_a_server_line() {
        let line: ServerLine = LINE.parse().unwrap();
        assert_eq!(line.key, ServerSecret::from_bytes([7; 32]).public());
        assert_eq!(line.to_string(), LINE);
        assert_eq!(
            LINE.replace(" gw1.example.net:62201", "").parse::<ServerLine>(),
            Err(BadLine::NoEndpoints)
        );
    }

    #[test]
    fn nothing_shows_a_secret() {
        let line =
            ServerSecretLine { secret: ServerSecret::from_bytes([7; 32]), comment: Comment::default() };
        assert_eq!(format!("{line:?}"), "ServerSecretLine { secret: (..), comment: Comment(\"\") }");
    }

    #[test]
    fn a_key_that_no_secret_has_is_refused() {
        let all_zero = text::write(Kind::Server, &[0; 32], "gw:1");
        assert_eq!(all_zero.parse::<ServerLine>(), Err(BadLine::Key(BadKey::SmallOrder)));
    }

    /// RFC 7748 section 6.1.
    #[test]
    fn agreement_is_x25519() {
        let bytes = |hex: &str| -> [u8; 32] {
            core::array::from_fn(|i| u8::from_str_radix(&hex[2 * i..2 * i + 2], 16).unwrap())
        };
        let alice = bytes("77076d0a7318a57d3c16c17251b26645df4c2f87ebc0992ab177fba51db92c2a");
        let alice_public = bytes("8520f0098930a754748b7ddcb43ef75a0dbf3a0d26381af4eba4a98eaa9b4e6a");
        let bob = bytes("5dab087e624a8a4b79e17f8b83800ee66f3bb1292618b6fd1c2f8b27ff88e0eb");
        let bob_public = bytes("de9edb7d7b7dc1b4d35b61c2ece435373f8343c85b78674dadfc7e146f882b4f");
        let shared =
            Zeroizing::new(bytes("4a5d9d5ba4ce2de1728e3bf480350f25e07e21c947d19e3376f09b3c1e161742"));

        let bob = ServerSecret::from_bytes(bob);
        assert_eq!(bob.public().as_bytes(), &bob_public);
        assert_eq!(bob.agree(&alice_public), Some(shared.clone()));
        assert_eq!(bob.public().encapsulate(alice), (alice_public, shared));
    }

    #[test]
    fn agreement_with_a_point_of_small_order_is_none() {
        let secret = ServerSecret::from_bytes([7; 32]);
        assert_eq!(secret.agree(&[0; 32]), None);
        let mut one = [0; 32];
        one[0] = 1;
        assert_eq!(secret.agree(&one), None);
    }

    proptest! {
        #[test]
        fn both_sides_agree(secret: [u8; 32], ephemeral: [u8; 32]) {
            let secret = ServerSecret::from_bytes(secret);
            let (enc, shared) = secret.public().encapsulate(ephemeral);
            prop_assert_eq!(secret.agree(&enc), Some(shared));
        }

        #[test]
        fn lines_come_back(bytes: [u8; 32], comment in "[A-Za-z0-9@._+-]{0,64}") {
            let secret = ServerSecret::from_bytes(bytes);
            prop_assert_eq!(ServerKey::from_bytes(*secret.public().as_bytes()), Ok(secret.public()));
            let line = ServerLine { key: secret.public(), endpoints: "gw:1,[::1]:2".parse().unwrap() };
            prop_assert_eq!(line.to_string().parse(), Ok(line));
            let line = ServerSecretLine { secret, comment: comment.parse().unwrap() };
            let again: ServerSecretLine = line.to_text().parse().unwrap();
            prop_assert_eq!(again.secret.expose(), &bytes);
            prop_assert_eq!(again.to_text(), line.to_text());
        }
    }
}
