//! The one text form of a key: its kind, 48 base64 characters with a checksum, and one more word.
//!
//! A silent protocol cannot tell a user of a typing error later, so the line finds it at once; and exactly one
//! spelling is accepted, so that equal keys are equal lines. A line here has no end: whoever reads a file takes
//! one newline off first.

use alloc::string::String;
use core::fmt;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD_NO_PAD;
use ring::digest::{Context, SHA256};
use zeroize::Zeroizing;

use crate::comment::NotAComment;
use crate::endpoint::BadEndpoint;
use crate::point::BadKey;

/// What a line holds: its first word.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// A server's public key and its endpoints.
    Server,
    /// A client's public key.
    Client,
    /// A server's secret key.
    ServerSecret,
    /// A client's secret key.
    ClientSecret,
    /// A client's secret key under a passphrase.
    ClientSealed,
}

/// Why a text is not the line that was wanted.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum BadLine {
    /// The first word is no kind.
    #[error("not a key: it does not begin with {wanted}")]
    NotAKey {
        /// The kind that was wanted.
        wanted: Kind,
    },
    /// The first word is another kind.
    #[error("this is a {found} line, and a {wanted} line is wanted")]
    OtherKind {
        /// The kind that it is.
        found: Kind,
        /// The kind that was wanted.
        wanted: Kind,
    },
    /// The second word is missing or not 48 characters long.
    #[error("the key is not 48 characters long: something is missing or too much")]
    Length,
    /// The second word is not base64.
    #[error("the key has a character that is not of base64")]
    NotBase64,
    /// The checksum does not fit the key.
    #[error("the key's checksum is wrong: a character was changed")]
    Checksum,
    /// There is a space too much.
    #[error("one space stands between two words, and none at the end")]
    Spacing,
    /// The bytes are not a public key.
    #[error("the key is unusable: {0}")]
    Key(#[from] BadKey),
    /// The third word is not a comment.
    #[error(transparent)]
    Comment(#[from] NotAComment),
    /// The third word is not a list of endpoints.
    #[error(transparent)]
    Endpoints(#[from] BadEndpoint),
    /// The third word of a server's line is missing.
    #[error("a server's line ends with its endpoints: HOST:PORT")]
    NoEndpoints,
}

/// A key and the word after it, not yet interpreted.
pub(crate) struct Parts<'a> {
    pub(crate) key: Zeroizing<[u8; KEY_LEN]>,
    pub(crate) rest: Option<&'a str>,
}

const KEY_LEN: usize = 32;
const CHECKSUM_LEN: usize = 4;
const BLOB_LEN: usize = KEY_LEN + CHECKSUM_LEN;
/// Base64 characters of a blob: four for three bytes, with neither padding nor bits to spare.
const TEXT_LEN: usize = BLOB_LEN / 3 * 4;

impl Kind {
    const ALL: [Self; 5] =
        [Self::Server, Self::Client, Self::ServerSecret, Self::ClientSecret, Self::ClientSealed];

    /// The kind of `line` by its first word, whatever the rest may be.
    #[must_use]
    pub fn of_line(line: &str) -> Option<Self> {
        let word = line.split(' ').next()?;
        Self::ALL.into_iter().find(|kind| kind.word() == word)
    }

    /// The first word of the line.
    #[must_use]
    pub const fn word(self) -> &'static str {
        match self {
            Self::Server => "knock-spa-server-v1",
            Self::Client => "knock-spa-client-v1",
            Self::ServerSecret => "knock-spa-server-secret-v1",
            Self::ClientSecret => "knock-spa-client-secret-v1",
            Self::ClientSealed => "knock-spa-client-sealed-v1",
        }
    }
}

impl fmt::Display for Kind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.word())
    }
}

/// Takes a line apart and checks the key's checksum.
pub(crate) fn parse(wanted: Kind, line: &str) -> Result<Parts<'_>, BadLine> {
    let (key, rest) = split(wanted, line)?;
    Ok(Parts { key: parse_blob(wanted, key)?, rest })
}

/// Takes a line apart into the words behind the first.
pub(crate) fn split(wanted: Kind, line: &str) -> Result<(&str, Option<&str>), BadLine> {
    let mut words = line.splitn(3, ' ');
    let found = words.next().and_then(Kind::of_line).ok_or(BadLine::NotAKey { wanted })?;
    if found != wanted {
        return Err(BadLine::OtherKind { found, wanted });
    }
    let key = words.next().ok_or(BadLine::Length)?;
    match words.next() {
        Some(rest) if rest.is_empty() || rest.contains(' ') => Err(BadLine::Spacing),
        rest => Ok((key, rest)),
    }
}

fn parse_blob(kind: Kind, text: &str) -> Result<Zeroizing<[u8; KEY_LEN]>, BadLine> {
    if text.len() != TEXT_LEN {
        return Err(if text.is_empty() { BadLine::Spacing } else { BadLine::Length });
    }
    let mut blob = Zeroizing::new([0; BLOB_LEN]);
    STANDARD_NO_PAD.decode_slice(text, blob.as_mut_slice()).map_err(|_| BadLine::NotBase64)?;
    let (key, sum) = blob.split_first_chunk().ok_or(BadLine::Length)?;
    if *sum == checksum(kind, key) { Ok(Zeroizing::new(*key)) } else { Err(BadLine::Checksum) }
}

/// Puts a line together; an empty `rest` leaves the third word out. The result is wiped when dropped, for it
/// may hold a secret.
pub(crate) fn write(kind: Kind, key: &[u8; KEY_LEN], rest: &str) -> Zeroizing<String> {
    let mut blob = Zeroizing::new([0; BLOB_LEN]);
    blob.iter_mut().zip(key.iter().chain(&checksum(kind, key))).for_each(|(to, from)| *to = *from);
    let blob = Zeroizing::new(STANDARD_NO_PAD.encode(*blob));
    let space = if rest.is_empty() { "" } else { " " };
    // One allocation of the whole length: a string that grows leaves copies of the secret behind.
    Zeroizing::new([kind.word(), " ", &blob, space, rest].concat())
}

fn checksum(kind: Kind, key: &[u8; KEY_LEN]) -> [u8; CHECKSUM_LEN] {
    let [a, b, c, d, ..] = digest(kind, key);
    [a, b, c, d]
}

/// SHA-256 of the kind's word, a zero byte and the key.
pub(crate) fn digest(kind: Kind, key: &[u8; KEY_LEN]) -> [u8; 32] {
    let mut context = Context::new(&SHA256);
    context.update(kind.word().as_bytes());
    context.update(&[0]);
    context.update(key);
    let mut digest = [0; 32];
    digest.iter_mut().zip(context.finish().as_ref()).for_each(|(to, from)| *to = *from);
    digest
}

#[cfg(test)]
#[expect(clippy::string_slice, reason = "the texts here are ASCII")]
mod tests {
    use alloc::format;

    use super::*;

    const CLIENT: &str = "knock-spa-client-v1 /RckOFqgx1tk+3jNYC+h2ZH96/drE8WO1wLqyDXp9hizdz1g alice@laptop";

    fn fault(line: &str) -> BadLine {
        parse(Kind::Client, line).err().unwrap()
    }

    #[test]
    fn faults_are_named() {
        let (word, blob) = CLIENT.rsplit_once(' ').unwrap().0.split_once(' ').unwrap();
        assert_eq!(fault(""), BadLine::NotAKey { wanted: Kind::Client });
        assert_eq!(fault("ssh-ed25519 AAAA"), BadLine::NotAKey { wanted: Kind::Client });
        let server = BadLine::OtherKind { found: Kind::Server, wanted: Kind::Client };
        assert_eq!(fault("knock-spa-server-v1 x"), server);
        assert_eq!(fault(word), BadLine::Length);
        assert_eq!(fault(&format!("{word} {}", &blob[1..])), BadLine::Length);
        assert_eq!(fault(&format!("{word} {blob}=")), BadLine::Length);
        assert_eq!(fault(&format!("{word} {}=", &blob[1..])), BadLine::NotBase64);
        assert_eq!(fault(&format!("{word} {}_", &blob[1..])), BadLine::NotBase64);
        assert_eq!(fault(&format!("{word} {}A", &blob[1..])), BadLine::Checksum);
        for spaced in [format!("{word}  {blob}"), format!("{word} {blob} "), format!("{word} {blob} a b")] {
            assert_eq!(fault(&spaced), BadLine::Spacing);
        }
        assert_eq!(fault(&format!(" {word} {blob}")), BadLine::NotAKey { wanted: Kind::Client });
    }

    #[test]
    fn a_checksum_belongs_to_its_kind() {
        let as_secret = CLIENT.replace("client", "client-secret");
        assert_eq!(parse(Kind::ClientSecret, &as_secret).err(), Some(BadLine::Checksum));
    }

    #[test]
    fn kinds_are_told_by_the_first_word() {
        for kind in Kind::ALL {
            assert_eq!(Kind::of_line(&format!("{kind} whatever")), Some(kind));
        }
        assert_eq!(Kind::of_line("knock-spa-server-v2 whatever"), None);
    }
}
