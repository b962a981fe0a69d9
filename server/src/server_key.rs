//! The server's own keys: the secret in one file, and beside it the line that clients need, with the endpoints
//! that the administrator gave, and the previous key for as long as it lives.

pub mod previous;
pub mod rotation;

use std::ffi::OsString;
use std::iter;
use std::path::{Path, PathBuf};

use knock_spa_keys::comment::Comment;
use knock_spa_keys::endpoint::Endpoints;
use knock_spa_keys::server::{ServerKey, ServerLine, ServerSecret, ServerSecretLine};
use knock_spa_keys::text::BadLine;
use knock_spa_proto::time::UnixTime;
use zeroize::Zeroizing;

use crate::files::{self, FileError};
use crate::io::entropy::{self, NoEntropy};

use self::previous::{NotPrevious, Previous};

/// The longest file, in bytes: a line with eight endpoints, each of the longest name, fits in.
const MAX_FILE_LEN: u64 = 4096;

/// Why there is no key, or no line.
#[derive(Debug, thiserror::Error)]
pub enum KeyError {
    /// The file can't be read or written.
    #[error(transparent)]
    File(#[from] FileError),
    /// The file does not hold what it should.
    #[error("{}: {fault}", path.display())]
    BadLine {
        /// The file.
        path: PathBuf,
        /// What is wrong with its line.
        fault: BadLine,
    },
    /// The line is of another key than the secret.
    #[error("{} is not the line of the secret key beside it", .0.display())]
    OtherKey(PathBuf),
    /// The file of the previous key does not hold what it should.
    #[error("{}: {fault}", path.display())]
    BadPrevious {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        fault: NotPrevious,
    },
    /// A new key can't be drawn.
    #[error(transparent)]
    NoEntropy(#[from] NoEntropy),
}

/// The keys to which packets are accepted.
#[derive(Debug)]
pub struct Keys {
    /// The one that clients are given.
    pub current: ServerSecretLine,
    /// The one before it.
    pub previous: Previous,
}

impl Keys {
    /// Reads the secret key of the file `path`, and the previous one beside it. What is wrong with the latter does not
    /// stop the former.
    ///
    /// # Errors
    /// As [`load`], for the current key.
    pub fn load(path: &Path, now: UnixTime) -> Result<Self, KeyError> {
        let current = load(path)?;
        let previous = Previous::load(path, current.secret.public(), now);
        Ok(Self { current, previous })
    }

    /// The secrets of the keys that are live, the current one first.
    pub fn secrets(&self) -> impl Iterator<Item = &ServerSecret> {
        iter::once(&self.current.secret).chain(self.previous.live().map(|previous| &previous.line.secret))
    }

    /// The public halves of the keys that are live, the current one first.
    #[must_use]
    pub fn public(&self) -> Vec<ServerKey> {
        self.secrets().map(ServerSecret::public).collect()
    }
}

/// Reads the secret key.
///
/// # Errors
/// [`KeyError::File`], also where others than its owner may use the file, and [`KeyError::BadLine`].
pub fn load(path: &Path) -> Result<ServerSecretLine, KeyError> {
    let text = files::read_secret(path, MAX_FILE_LEN)?;
    parse(path, &text)
}

/// Draws a new key and writes it to a new file.
///
/// # Errors
/// [`KeyError::File`], also where there is a file already, and [`KeyError::NoEntropy`].
pub fn create(path: &Path) -> Result<ServerSecretLine, KeyError> {
    let line = draw(Comment::default())?;
    files::create(path, as_file(&line).as_bytes())?;
    Ok(line)
}

/// A new key.
fn draw(comment: Comment) -> Result<ServerSecretLine, KeyError> {
    Ok(ServerSecretLine { secret: ServerSecret::from_bytes(entropy::bytes()?), comment })
}

/// What the file of a secret key holds.
fn as_file(line: &ServerSecretLine) -> Zeroizing<String> {
    // Room for everything from the start: growing would leave copies of the secret behind.
    let text = line.to_text();
    let mut file = Zeroizing::new(String::with_capacity(text.len().saturating_add(1)));
    file.push_str(&text);
    file.push('\n');
    file
}

/// The file of the line that belongs to the secret key of this file.
#[must_use]
pub fn line_path(key: &Path) -> PathBuf {
    let mut name = OsString::from(key);
    name.push(".pub");
    name.into()
}

/// Reads the line that belongs to the secret key in the file `path`, whose public half is the first of `keys`. A
/// rotation that was interrupted has left the line of the previous one, the second: the endpoints are the same.
///
/// # Errors
/// [`KeyError::File`], [`KeyError::BadLine`], and [`KeyError::OtherKey`] where the line is of yet another key.
pub fn load_line(path: &Path, keys: &[ServerKey]) -> Result<ServerLine, KeyError> {
    let path = line_path(path);
    let (text, _) = files::read_text(&path, MAX_FILE_LEN)?;
    let line: ServerLine = parse(&path, &text)?;
    match keys.first() {
        Some(current) if keys.contains(&line.key) => Ok(ServerLine { key: *current, ..line }),
        Some(_) | None => Err(KeyError::OtherKey(path)),
    }
}

/// Writes the line that belongs to the secret key in the file `path`, whose public half is `key`.
///
/// # Errors
/// [`KeyError::File`].
pub fn write_line(path: &Path, key: ServerKey, endpoints: Endpoints) -> Result<ServerLine, KeyError> {
    let line = ServerLine { key, endpoints };
    files::replace(&line_path(path), format!("{line}\n").as_bytes())?;
    Ok(line)
}

fn parse<T: std::str::FromStr<Err = BadLine>>(path: &Path, text: &str) -> Result<T, KeyError> {
    let line = text.strip_suffix('\n').unwrap_or(text);
    line.parse().map_err(|fault| KeyError::BadLine { path: path.to_owned(), fault })
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;

    #[test]
    fn a_key_is_made_once_and_read_again() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("server.key");
        let made = create(&path).unwrap();
        assert_eq!(load(&path).unwrap().secret.public(), made.secret.public());
        assert!(matches!(create(&path), Err(KeyError::File(FileError::Exists(_)))));
        let other = create(&directory.path().join("other.key")).unwrap();
        assert_ne!(other.secret.public(), made.secret.public());
    }

    #[test]
    fn a_line_belongs_to_its_secret() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("server.key");
        let key = ServerSecret::from_bytes([7; 32]).public();
        assert!(matches!(load_line(&path, &[key]), Err(KeyError::File(error)) if error.is_absent()));
        let line = write_line(&path, key, "gw.example.net:62201".parse().unwrap()).unwrap();
        assert_eq!(load_line(&path, &[key]).unwrap(), line);
        let other = ServerSecret::from_bytes([8; 32]).public();
        assert!(matches!(load_line(&path, &[other]), Err(KeyError::OtherKey(_))));
        assert_eq!(load_line(&path, &[other, key]).unwrap().key, other);
    }

    #[test]
    fn a_file_holds_one_line_and_nothing_else() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("server.key");
        create(&path).unwrap();
        let text = fs::read_to_string(&path).unwrap();
        for text in
            [format!("{text}\n"), format!("# {text}"), text.replace("server-secret", "server"), String::new()]
        {
            fs::write(&path, text).unwrap();
            assert!(matches!(load(&path), Err(KeyError::BadLine { .. })));
        }
        fs::write(&path, text.trim_end()).unwrap();
        assert!(load(&path).is_ok());
    }
}
