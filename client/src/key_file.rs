//! The file of this device's key, seen from outside: whether it is there, and what it begins with.

use std::io;

use knock_spa_keys::text;

use crate::failure::Failure;
use crate::home::{self, Home};
use crate::io::disk;

/// What the file of a key holds, by its first word.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    /// There is none.
    Missing,
    /// A key as it is, or something else that reading it will complain of.
    Bare,
    /// A key under a passphrase.
    Sealed,
}

impl Kind {
    fn of(contents: &str) -> Self {
        if text::Kind::of_line(contents) == Some(text::Kind::ClientSealed) {
            Self::Sealed
        } else {
            Self::Bare
        }
    }
}

/// Looks at the key's file.
pub(crate) fn look(home: &Home) -> Result<Kind, Failure> {
    let path = home.key_path();
    match disk::read(&path, home::MAX_KEY_LEN) {
        Ok(contents) => Ok(Kind::of(&contents.text)),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(Kind::Missing),
        Err(error) => Err(home::cannot_read(&path, &error)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_sealed_key_is_told_by_its_first_word() {
        assert_eq!(Kind::of("knock-spa-client-sealed-v1 AAAA alice@laptop\n"), Kind::Sealed);
        for text in [
            "",
            "knock-spa-client-secret-v1 AAAA\n",
            "knock-spa-client-sealed-v10 A",
            " knock-spa-client-sealed-v1",
        ] {
            assert_eq!(Kind::of(text), Kind::Bare, "{text}");
        }
    }
}
