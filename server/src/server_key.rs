//! The server's own key: the secret in one file, and beside it the line that clients need, with the endpoints
//! that the administrator gave.

use std::ffi::OsString;
use std::path::{Path, PathBuf};

use knock_spa_keys::comment::Comment;
use knock_spa_keys::endpoint::Endpoints;
use knock_spa_keys::server::{ServerKey, ServerLine, ServerSecret, ServerSecretLine};
use knock_spa_keys::text::BadLine;

use crate::files::{self, FileError};
use crate::io::entropy::{self, NoEntropy};

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
    /// A new key can't be drawn.
    #[error(transparent)]
    NoEntropy(#[from] NoEntropy),
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
    let line =
        ServerSecretLine { secret: ServerSecret::from_bytes(entropy::bytes()?), comment: Comment::default() };
    let mut text = line.to_text();
    text.push('\n');
    files::create(path, text.as_bytes())?;
    Ok(line)
}

/// The file of the line that belongs to the secret key of this file.
#[must_use]
pub fn line_path(key: &Path) -> PathBuf {
    let mut name = OsString::from(key);
    name.push(".pub");
    name.into()
}

/// Reads the line that belongs to the secret key in the file `path`, whose public half is `key`.
///
/// # Errors
/// [`KeyError::File`], [`KeyError::BadLine`], and [`KeyError::OtherKey`] where the line is of another key.
pub fn load_line(path: &Path, key: ServerKey) -> Result<ServerLine, KeyError> {
    let path = line_path(path);
    let (text, _) = files::read_text(&path, MAX_FILE_LEN)?;
    let line: ServerLine = parse(&path, &text)?;
    if line.key == key { Ok(line) } else { Err(KeyError::OtherKey(path)) }
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
        assert!(matches!(load_line(&path, key), Err(KeyError::File(error)) if error.is_absent()));
        let line = write_line(&path, key, "gw.example.net:62201".parse().unwrap()).unwrap();
        assert_eq!(load_line(&path, key).unwrap(), line);
        let other = ServerSecret::from_bytes([8; 32]).public();
        assert!(matches!(load_line(&path, other), Err(KeyError::OtherKey(_))));
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
