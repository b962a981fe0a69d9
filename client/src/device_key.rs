//! The device's key as its file has it: one line; or the sealed line and, so that nobody is asked for a passphrase
//! where none is needed, the public line below it.

use std::str::FromStr;

use knock_spa_keys::client::{ClientLine, ClientSecretLine};
use knock_spa_keys::sealed::ClientSealedLine;
use knock_spa_keys::text::{BadLine, Kind};
use zeroize::Zeroizing;

/// The device's key.
#[derive(Debug)]
pub(crate) enum DeviceKey {
    /// The key itself.
    Bare(ClientSecretLine),
    /// The key under a passphrase.
    Sealed(SealedKey),
}

/// A key under a passphrase, and the public key of which the file says that it is its.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct SealedKey {
    /// The key under a passphrase.
    pub(crate) line: ClientSealedLine,
    /// What the server knows of it.
    pub(crate) public: ClientLine,
}

/// Why a text is no device's key.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum NotAKey {
    /// A line is not what it should be.
    #[error(transparent)]
    Line(#[from] BadLine),
    /// There is something behind the key.
    #[error("there is something behind the key")]
    TooMuch,
    /// The second line is missing.
    #[error("below a key under a passphrase stands its public line, which is missing")]
    NoPublicLine,
    /// The lines have two comments.
    #[error("its two lines do not have the same comment")]
    TwoComments,
}

impl DeviceKey {
    /// What the server knows of it.
    pub(crate) fn public(&self) -> ClientLine {
        match self {
            Self::Bare(line) => public_line(line),
            Self::Sealed(sealed) => sealed.public.clone(),
        }
    }

    /// Whether it takes a passphrase to use it.
    pub(crate) const fn is_sealed(&self) -> bool {
        matches!(self, Self::Sealed(_))
    }
}

impl SealedKey {
    /// The text of its file.
    pub(crate) fn to_text(&self) -> Zeroizing<String> {
        Zeroizing::new(format!("{}\n{}\n", self.line, self.public))
    }
}

/// The text of the file of a key without passphrase. Wiped when dropped.
pub(crate) fn bare_text(line: &ClientSecretLine) -> Zeroizing<String> {
    Zeroizing::new(format!("{}\n", line.to_text().as_str()))
}

/// The public line of a secret one.
pub(crate) fn public_line(line: &ClientSecretLine) -> ClientLine {
    ClientLine { key: line.secret.public(), comment: line.comment.clone() }
}

impl FromStr for DeviceKey {
    type Err = NotAKey;

    fn from_str(text: &str) -> Result<Self, NotAKey> {
        let text = text.strip_suffix('\n').unwrap_or(text);
        let (first, rest) = match text.split_once('\n') {
            Some((first, rest)) => (first, Some(rest)),
            None => (text, None),
        };
        if Kind::of_line(first) != Some(Kind::ClientSealed) {
            let line = first.parse()?;
            return if rest.is_some() { Err(NotAKey::TooMuch) } else { Ok(Self::Bare(line)) };
        }
        let line: ClientSealedLine = first.parse()?;
        let public: ClientLine = rest.ok_or(NotAKey::NoPublicLine)?.parse()?;
        if line.comment == public.comment {
            Ok(Self::Sealed(SealedKey { line, public }))
        } else {
            Err(NotAKey::TwoComments)
        }
    }
}

#[cfg(test)]
mod tests {
    use knock_spa_keys::client::ClientSecret;
    use knock_spa_keys::sealed::KeepRandom;

    use super::*;

    fn bare() -> ClientSecretLine {
        ClientSecretLine {
            secret: ClientSecret::from_seed([9; 32]),
            comment: "alice@laptop".parse().unwrap(),
        }
    }

    fn text_of(key: &DeviceKey) -> Zeroizing<String> {
        match key {
            DeviceKey::Bare(line) => bare_text(line),
            DeviceKey::Sealed(sealed) => sealed.to_text(),
        }
    }

    #[test]
    fn what_is_written_is_read() {
        let random = KeepRandom { salt: [4; 16], nonce: [1; 24] };
        let line = bare().seal(b"pass", random).unwrap();
        let sealed = DeviceKey::Sealed(SealedKey { line, public: public_line(&bare()) });
        for key in [DeviceKey::Bare(bare()), sealed] {
            let text = text_of(&key);
            let again: DeviceKey = text.parse().unwrap();
            assert_eq!(text_of(&again), text);
            assert_eq!((again.is_sealed(), again.public()), (key.is_sealed(), key.public()));
            assert_eq!(text_of(&text.trim_end().parse().unwrap()), text);
            assert!(format!("{text}x\n", text = text.as_str()).parse::<DeviceKey>().is_err());
            if let DeviceKey::Sealed(SealedKey { line, public }) = &key {
                assert_eq!(line.to_string().parse::<DeviceKey>().err(), Some(NotAKey::NoPublicLine));
                let other = text.replace(&public.to_string(), &public.to_string().replace("alice", "bob"));
                assert_eq!(other.parse::<DeviceKey>().err(), Some(NotAKey::TwoComments));
                assert!(!text.contains("CQkJ"), "the seed is not in it");
            }
        }
    }
}
