//! The previous key: a rotation keeps it beside the new one, with the time at which it ends.
//!
//! The file has two lines: `knock-spa-server-previous-v1` and a time, then the secret key's own.

use std::ffi::OsString;
use std::path::{Path, PathBuf};

use knock_spa_keys::server::{ServerKey, ServerSecretLine};
use knock_spa_keys::text::BadLine;
use knock_spa_proto::time::UnixTime;
use zeroize::Zeroizing;

use crate::clients::date::Moment;
use crate::files::{self, FileError};
use crate::server_key::{KeyError, MAX_FILE_LEN};

/// Begins the file: its kind and version.
const WORD: &str = "knock-spa-server-previous-v1 ";

/// What there is of a previous key.
#[derive(Debug)]
pub enum Previous {
    /// Nothing.
    Absent,
    /// It is good still.
    Live(PreviousKey),
    /// Its time is over: only its file is still there.
    Ended(PreviousKey),
    /// A file that can't be used: whoever knows nothing but the previous key is refused.
    Unusable(KeyError),
}

/// A key until its end.
#[derive(Debug)]
pub struct PreviousKey {
    /// The key.
    pub line: ServerSecretLine,
    /// From when on nothing that was sealed to it is accepted.
    pub until: UnixTime,
}

/// Contents that are no previous key.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum NotPrevious {
    /// The first line is another.
    #[error("its first line is not \"knock-spa-server-previous-v1\" and a time like 2027-06-30T12:00:00Z")]
    Head,
    /// The second line is no secret key.
    #[error("its second line: {0}")]
    Key(BadLine),
}

impl Previous {
    /// What there is of a key before `current`, whose secret is in the file `path`.
    #[must_use]
    pub fn load(path: &Path, current: ServerKey, now: UnixTime) -> Self {
        match read(path) {
            Ok(key) if key.line.secret.public() == current => Self::Absent, // A rotation that was interrupted.
            Ok(key) if key.until <= now => Self::Ended(key),
            Ok(key) => Self::Live(key),
            Err(KeyError::File(error)) if error.is_absent() => Self::Absent,
            Err(error) => Self::Unusable(error),
        }
    }

    /// The key, where it is good.
    #[must_use]
    pub const fn live(&self) -> Option<&PreviousKey> {
        match self {
            Self::Live(key) => Some(key),
            Self::Absent | Self::Ended(_) | Self::Unusable(_) => None,
        }
    }

    /// The public half, where the file says which it is.
    #[must_use]
    pub const fn public(&self) -> Option<ServerKey> {
        match self {
            Self::Live(key) | Self::Ended(key) => Some(key.line.secret.public()),
            Self::Absent | Self::Unusable(_) => None,
        }
    }
}

/// The file of the key before the one in the file `path`.
#[must_use]
pub fn path_of(path: &Path) -> PathBuf {
    let mut name = OsString::from(path);
    name.push(".previous");
    name.into()
}

fn read(path: &Path) -> Result<PreviousKey, KeyError> {
    let path = path_of(path);
    let text = files::read_secret(&path, MAX_FILE_LEN)?;
    parse(&text).map_err(|fault| KeyError::BadPrevious { path, fault })
}

fn parse(text: &str) -> Result<PreviousKey, NotPrevious> {
    let (head, key) = text.split_once('\n').ok_or(NotPrevious::Head)?;
    let until = head.strip_prefix(WORD).and_then(|until| until.parse().ok());
    let Moment(until) = until.ok_or(NotPrevious::Head)?;
    let line = key.strip_suffix('\n').unwrap_or(key).parse().map_err(NotPrevious::Key)?;
    Ok(PreviousKey { line, until })
}

/// Writes `line` as the key before the one in the file `path`, in place of what there is.
///
/// # Errors
/// What the system said.
pub(super) fn write(path: &Path, line: &ServerSecretLine, until: UnixTime) -> Result<(), FileError> {
    let (head, key) = (format!("{WORD}{}\n", Moment(until)), line.to_text());
    // Room for everything from the start: growing would leave copies of the secret behind.
    let room = head.len().saturating_add(key.len()).saturating_add(1);
    let mut text = Zeroizing::new(String::with_capacity(room));
    text.push_str(&head);
    text.push_str(&key);
    text.push('\n');
    files::replace(&path_of(path), text.as_bytes())
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::os::unix::fs::PermissionsExt;

    use knock_spa_keys::server::ServerSecret;

    use super::*;

    const UNTIL: UnixTime = UnixTime::from_nanos(1_814_400_000_000_000_000);

    fn secret(number: u8) -> ServerSecretLine {
        let comment = "gw".parse().unwrap();
        ServerSecretLine { secret: ServerSecret::from_bytes([number; 32]), comment }
    }

    #[test]
    fn a_previous_key_lives_until_its_end() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("server.key");
        let current = secret(8).secret.public();
        let at = |nanos| Previous::load(&path, current, UnixTime::from_nanos(nanos));
        assert!(matches!(at(0), Previous::Absent));
        write(&path, &secret(7), UNTIL).unwrap();
        let text = fs::read_to_string(path_of(&path)).unwrap();
        assert!(text.starts_with("knock-spa-server-previous-v1 2027-07-01T00:00:00Z\n"), "{text}");
        let last = UNTIL.as_nanos() - 1;
        let Previous::Live(key) = at(last) else { panic!("{:?}", at(last)) };
        assert_eq!((key.line.secret.public(), key.until), (secret(7).secret.public(), UNTIL));
        assert_eq!(key.line.comment.as_str(), "gw");
        assert!(matches!(at(last + 1), Previous::Ended(_)));
        let same = Previous::load(&path, secret(7).secret.public(), UnixTime::EPOCH);
        assert!(matches!(same, Previous::Absent), "the rotation has not come to its end");
    }

    #[test]
    fn what_is_no_previous_key_is_said_to_be_none() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("server.key");
        write(&path, &secret(7), UNTIL).unwrap();
        let good = fs::read_to_string(path_of(&path)).unwrap();
        let (head, key) = good.split_once('\n').unwrap();
        let bad = [
            String::new(),
            key.to_owned(),
            head.to_owned(),
            format!("{head}\n"),
            good.replace("previous-v1", "previous-v2"),
            good.replace("T00:00:00Z", ""),
            good.replace("T00:00:00Z", "T00:00:00"),
            good.replace("server-secret", "server"),
            format!("{good}\n"),
            format!("{good}{key}"),
        ];
        for text in bad {
            fs::write(path_of(&path), &text).unwrap();
            let loaded = Previous::load(&path, secret(8).secret.public(), UnixTime::EPOCH);
            assert!(matches!(loaded, Previous::Unusable(KeyError::BadPrevious { .. })), "{text}: {loaded:?}");
        }
        fs::write(path_of(&path), &good).unwrap();
        fs::set_permissions(path_of(&path), fs::Permissions::from_mode(0o644)).unwrap();
        let loaded = Previous::load(&path, secret(8).secret.public(), UnixTime::EPOCH);
        assert!(matches!(loaded, Previous::Unusable(KeyError::File(FileError::Exposed { .. }))));
    }
}
