//! The one text form of a key: its kind, its bytes and their checksum in base64, and words about it.
//!
//! A silent protocol cannot tell a user of a typing error later, so the line finds it at once; and exactly one
//! spelling is accepted, so that equal keys are equal lines. A line here has no end: whoever reads a file takes
//! one newline off first.

use alloc::string::String;
use alloc::vec;
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
    /// An invitation: a server's public key and its endpoints, and the secret key that may enrol once.
    Invitation,
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
    /// The second word is missing, or is not as long as those of its kind are.
    #[error("the key is not as long as it should be: something is missing or too much")]
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
    /// The server's endpoints are missing.
    #[error("the server's endpoints are missing: HOST:PORT")]
    NoEndpoints,
    /// The name that an invitation is for is missing.
    #[error("the name that the invitation is for is missing")]
    NoName,
}

/// A key of `N` bytes and the words after it, not yet interpreted.
pub(crate) struct Parts<'a, const N: usize> {
    pub(crate) key: Zeroizing<[u8; N]>,
    pub(crate) rest: Option<&'a str>,
}

const CHECKSUM_LEN: usize = 4;

impl Kind {
    const ALL: [Self; 6] = [
        Self::Server,
        Self::Client,
        Self::ServerSecret,
        Self::ClientSecret,
        Self::ClientSealed,
        Self::Invitation,
    ];

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
            Self::Invitation => "knock-spa-invite-v1",
        }
    }
}

impl fmt::Display for Kind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.word())
    }
}

/// Takes a line apart that has one word after the key, or none, and checks the key's checksum.
pub(crate) fn parse<const N: usize>(wanted: Kind, line: &str) -> Result<Parts<'_, N>, BadLine> {
    let parts = parse_words(wanted, line)?;
    if parts.rest.is_some_and(|rest| rest.contains(' ')) { Err(BadLine::Spacing) } else { Ok(parts) }
}

/// Takes a line apart that has any number of words after the key, with one space between two.
pub(crate) fn parse_words<const N: usize>(wanted: Kind, line: &str) -> Result<Parts<'_, N>, BadLine> {
    let (key, rest) = split(wanted, line)?;
    Ok(Parts { key: parse_blob(wanted, key)?, rest })
}

/// The second word of a line, and those behind it.
pub(crate) fn split(wanted: Kind, line: &str) -> Result<(&str, Option<&str>), BadLine> {
    let mut words = line.splitn(3, ' ');
    let found = words.next().and_then(Kind::of_line).ok_or(BadLine::NotAKey { wanted })?;
    if found != wanted {
        return Err(BadLine::OtherKind { found, wanted });
    }
    let key = words.next().ok_or(BadLine::Length)?;
    match words.next() {
        Some(rest) if rest.split(' ').any(str::is_empty) => Err(BadLine::Spacing),
        rest => Ok((key, rest)),
    }
}

fn parse_blob<const N: usize>(kind: Kind, text: &str) -> Result<Zeroizing<[u8; N]>, BadLine> {
    if text.len() != text_len::<N>() {
        return Err(if text.is_empty() { BadLine::Spacing } else { BadLine::Length });
    }
    // Of the whole length from the start: growing would leave copies of the secret behind.
    let mut blob = Zeroizing::new(vec![0; N.saturating_add(CHECKSUM_LEN)]);
    STANDARD_NO_PAD.decode_slice(text, blob.as_mut_slice()).map_err(|_| BadLine::NotBase64)?;
    let (key, sum) = blob.split_first_chunk().ok_or(BadLine::Length)?;
    if *sum == checksum(kind, key) { Ok(Zeroizing::new(*key)) } else { Err(BadLine::Checksum) }
}

/// Base64 characters of a key of `N` bytes and its checksum: four for three bytes, and no padding.
const fn text_len<const N: usize>() -> usize {
    N.saturating_add(CHECKSUM_LEN).saturating_mul(4).div_ceil(3)
}

/// Puts a line together; an empty `rest` leaves out what follows the key. The result is wiped when dropped, for it
/// may hold a secret.
pub(crate) fn write<const N: usize>(kind: Kind, key: &[u8; N], rest: &str) -> Zeroizing<String> {
    let blob = Zeroizing::new([key.as_slice(), &checksum(kind, key)].concat());
    let blob = Zeroizing::new(STANDARD_NO_PAD.encode(&*blob));
    let space = if rest.is_empty() { "" } else { " " };
    // One allocation of the whole length: a string that grows leaves copies of the secret behind.
    Zeroizing::new([kind.word(), " ", &blob, space, rest].concat())
}

fn checksum(kind: Kind, key: &[u8]) -> [u8; CHECKSUM_LEN] {
    let [a, b, c, d, ..] = digest(kind, key);
    [a, b, c, d]
}

/// SHA-256 of the kind's word, a zero byte and the key.
pub(crate) fn digest(kind: Kind, key: &[u8]) -> [u8; 32] {
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
        parse::<32>(Kind::Client, line).err().unwrap()
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
        assert_eq!(parse::<32>(Kind::ClientSecret, &as_secret).err(), Some(BadLine::Checksum));
    }

    #[test]
    fn kinds_are_told_by_the_first_word() {
        for kind in Kind::ALL {
            assert_eq!(Kind::of_line(&format!("{kind} whatever")), Some(kind));
        }
        assert_eq!(Kind::of_line("knock-spa-server-v2 whatever"), None);
    }
}
