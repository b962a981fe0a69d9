//! The control socket: where it is, and how a command asks the daemon.

use std::io::{self, BufRead, BufReader, Read, Write};
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::time::Duration;

use knock_spa_proto::control::{Command, Cut, MAX_LINE, Reply, VERSION, Versioned};
use serde::Deserialize;
use serde::de::DeserializeOwned;

/// How long an answer may take.
const PATIENCE: Duration = Duration::from_secs(30);

/// The socket in the runtime directory.
#[must_use]
pub fn socket(runtime: &Path) -> PathBuf {
    runtime.join("control.sock")
}

/// Why there is no answer.
#[derive(Debug, thiserror::Error)]
pub enum AskError {
    /// No daemon runs.
    #[error("no daemon answers at {}", .0.display())]
    NoDaemon(PathBuf),
    /// The socket is not ours to use.
    #[error("{} may be used by root alone", .0.display())]
    NotAllowed(PathBuf),
    /// The conversation broke off.
    #[error("the daemon gave no answer: {0}")]
    Io(#[from] io::Error),
    /// The answer is not understood.
    #[error("the daemon's answer is not understood: {0}")]
    Answer(String),
}

/// Asks the daemon.
///
/// # Errors
/// [`AskError`].
pub fn ask(runtime: &Path, command: Command) -> Result<Reply, AskError> {
    ask_within(runtime, command, PATIENCE)
}

/// Asks the daemon, and waits for at most `patience`.
///
/// # Errors
/// [`AskError`].
pub fn ask_within(runtime: &Path, command: Command, patience: Duration) -> Result<Reply, AskError> {
    let path = socket(runtime);
    let stream = UnixStream::connect(&path).map_err(|error| not_connected(error, path))?;
    stream.set_read_timeout(Some(patience))?;
    stream.set_write_timeout(Some(patience))?;
    let mut request = serde_json::to_vec(&Versioned::new(command)).map_err(io::Error::other)?;
    request.push(b'\n');
    (&stream).write_all(&request)?;
    let mut line = Vec::new();
    let limit = u64::try_from(MAX_LINE).unwrap_or(u64::MAX);
    BufReader::new(&stream).take(limit).read_until(b'\n', &mut line)?;
    parse(&line).map_err(AskError::Answer)
}

/// What became of connections that were to end, for a person.
#[must_use]
pub fn words_for_cut(cut: &Cut) -> String {
    let Cut { connections, later, faults } = cut;
    let plural = |count: usize| if count == 1 { "" } else { "s" };
    let mut words = format!("{connections} connection{} cut", plural(*connections));
    if *later > 0 {
        words.push_str(&format!(
            "; those through {later} opening{} by command are cut once the command has run that closes, and the log \
             tells of it",
            plural(*later)
        ));
    }
    for fault in faults {
        words.push_str(&format!("; connections may live on: {fault}"));
    }
    words
}

fn not_connected(error: io::Error, path: PathBuf) -> AskError {
    let kind = error.kind();
    if matches!(kind, io::ErrorKind::NotFound | io::ErrorKind::ConnectionRefused) {
        AskError::NoDaemon(path)
    } else if kind == io::ErrorKind::PermissionDenied {
        AskError::NotAllowed(path)
    } else {
        AskError::Io(error)
    }
}

/// Reads a line of this version.
///
/// # Errors
/// What is wrong with it, for a person.
pub fn parse<T: DeserializeOwned>(line: &[u8]) -> Result<T, String> {
    let version: Version = serde_json::from_slice(line).map_err(|error| error.to_string())?;
    if version.version != VERSION {
        return Err(format!(
            "it speaks version {}, and this program version {VERSION}: restart the daemon after an update",
            version.version
        ));
    }
    let versioned: Versioned<T> = serde_json::from_slice(line).map_err(|error| error.to_string())?;
    Ok(versioned.message)
}

#[derive(Deserialize)]
struct Version {
    version: u32,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn other_versions_and_rubbish_are_refused() {
        assert_eq!(parse::<Command>(br#"{"version":1,"command":"status"}"#), Ok(Command::Status));
        let close = br#"{"version":1,"command":"close","door":"ssh","address":null}"#;
        assert_eq!(
            parse::<Command>(close),
            Ok(Command::Close { door: Some("ssh".into()), address: None, client: None, cut: false })
        );
        for line in [
            r#"{"version":2,"command":"status"}"#,
            r#"{"command":"status"}"#,
            r#"{"version":1,"command":"dance"}"#,
            r#"{"version":1}"#,
            "",
            "rubbish",
        ] {
            assert!(parse::<Command>(line.as_bytes()).is_err(), "{line}");
        }
    }
}
