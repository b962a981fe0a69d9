//! The enrolled clients: one file each in a directory (`docs/protocol.md` section 8).

pub mod date;
pub mod invitations;
pub mod words;

mod policy;
mod survey;

use std::fs::{self, File};
use std::io;
use std::path::{Path, PathBuf};

use knock_spa_engine::client::{Client, ClientName};
use knock_spa_keys::client::ClientKey;
use knock_spa_keys::comment::Comment;
use knock_spa_proto::time::UnixTime;
use rustix::fs::{FlockOperation, flock};

use crate::clients::policy::Policy;
use crate::config::ConfigError;
use crate::config::remark::{Faults, Remark};
use crate::files::{self, Doing, FileError};

pub use crate::clients::invitations::Invitations;
pub use crate::clients::policy::{client_in, span_of, text_of};
pub use crate::clients::survey::Survey;

/// The longest file of a client, in bytes: its lists at their longest fit in.
pub const MAX_FILE_LEN: u64 = 16 * 1024;

/// The most files in the directory: more than anybody enrols, few enough to read them all at every start.
pub const MAX_CLIENTS: usize = 100_000;

/// How the name of a client's file ends.
const SUFFIX: &str = ".toml";

/// All enrolled clients, no two with one key.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Roster {
    /// The clients, in the order of their names.
    pub clients: Vec<Client>,
    /// What is weak or strange about their files.
    pub warnings: Vec<Remark>,
}

/// Why a client can't be enrolled.
#[derive(Debug, thiserror::Error)]
pub enum NotEnrolled {
    /// The name is taken.
    #[error("there is a client {0} already")]
    NameTaken(ClientName),
    /// The key is taken: one key, one client.
    #[error("client {0} has this key already")]
    KeyTaken(ClientName),
    /// Its file would be none that can be read.
    #[error(transparent)]
    Faults(#[from] Faults),
    /// The name is kept for whoever enrols by an invitation.
    #[error("the name {0} is kept by an invitation")]
    Reserved(ClientName),
    /// The key is that of an invitation, which many may know.
    #[error("this key is that of the invitation {0}")]
    KeyOfInvitation(ClientName),
    /// The clients that there are can't be read.
    #[error(transparent)]
    Unreadable(#[from] ConfigError),
    /// The file can't be written.
    #[error(transparent)]
    File(#[from] FileError),
}

impl Roster {
    /// Reads all files of a directory.
    ///
    /// # Errors
    /// [`ConfigError::File`] where the directory can't be read, and otherwise all faults of all files.
    pub fn load(directory: &Path) -> Result<Self, ConfigError> {
        let Survey { clients, warnings, faults, unusable: _ } = Survey::of(directory)?;
        Ok(Faults::unless_any(faults, Self { clients, warnings })?)
    }

    /// The client with this key.
    #[must_use]
    pub fn owner(&self, key: &ClientKey) -> Option<&Client> {
        self.clients.iter().find(|client| client.key == *key)
    }
}

/// Enrols a client: writes its file, durably. `comment` stands after its key.
///
/// # Errors
/// [`NotEnrolled`]; then nothing has changed.
pub fn add(directory: &Path, client: &Client, comment: &Comment, now: UnixTime) -> Result<(), NotEnrolled> {
    let _lock = lock(directory)?;
    let roster = Roster::load(directory)?;
    if let Some(owner) = roster.owner(&client.key) {
        return Err(NotEnrolled::KeyTaken(owner.name.clone()));
    }
    let invitations = Invitations::load(directory, &roster.clients)?;
    if let Some(other) = invitations.invitations.iter().find(|other| *other.key() == client.key) {
        return Err(NotEnrolled::KeyOfInvitation(other.name().clone()));
    }
    if invitations.keep(&client.name, now) {
        return Err(NotEnrolled::Reserved(client.name.clone()));
    }
    let path = path_of(directory, &client.name);
    let text = policy::write(&path, client, comment)?;
    match files::create(&path, text.as_bytes()) {
        Err(FileError::Exists(_)) => Err(NotEnrolled::NameTaken(client.name.clone())),
        written => Ok(written?),
    }
}

/// Why a client can't be changed.
#[derive(Debug, thiserror::Error)]
pub enum NotChanged<E> {
    /// What is asked for can't be.
    #[error("{0}")]
    Refused(E),
    /// Its file can't be read, or would be none that can be.
    #[error(transparent)]
    Faults(#[from] Faults),
    /// The file can't be read or written; [`FileError::is_absent`] where there is no such client.
    #[error(transparent)]
    File(#[from] FileError),
}

/// A client that was changed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Changed {
    /// As it is now.
    pub client: Client,
    /// Whether its file had comments, which are gone.
    pub had_comments: bool,
}

/// Changes a client, durably and as a whole: its file is written anew. Its name and key stay.
///
/// # Errors
/// [`NotChanged`]; then nothing has changed.
pub fn change<E>(
    directory: &Path,
    name: &ClientName,
    change: impl FnOnce(Client) -> Result<Client, E>,
) -> Result<Changed, NotChanged<E>> {
    let _lock = lock(directory)?;
    let path = path_of(directory, name);
    let (text, _) = files::read_text(&path, MAX_FILE_LEN)?;
    let Policy { client, comment, .. } = policy::parse(&path, name, &text)?;
    let (name, key) = (client.name.clone(), client.key);
    let client = Client { name, key, ..change(client).map_err(NotChanged::Refused)? };
    files::replace(&path, policy::write(&path, &client, &comment)?.as_bytes())?;
    // No value has this character.
    Ok(Changed { client, had_comments: text.contains('#') })
}

/// Removes a client's file, durably, whatever it says; before that the invitation that it came by, so that nobody comes
/// back by it whatever happens meanwhile.
///
/// # Errors
/// [`FileError::System`]; [`FileError::is_absent`] where there is no such client.
pub fn remove(directory: &Path, name: &ClientName) -> Result<(), FileError> {
    let _lock = lock(directory)?;
    if path_of(directory, name).exists() {
        match files::remove(&path_of(&invitations::directory(directory), name)) {
            Err(error) if !error.is_absent() => return Err(error),
            Ok(()) | Err(_) => {}
        }
    }
    files::remove(&path_of(directory, name))
}

/// The file of a client.
#[must_use]
pub fn path_of(directory: &Path, name: &ClientName) -> PathBuf {
    directory.join(format!("{name}{SUFFIX}"))
}

/// Keeps others from enrolling or inviting at the same time, until dropped.
fn lock(directory: &Path) -> Result<File, FileError> {
    lock_with(directory, FlockOperation::LockExclusive)
}

fn lock_with(directory: &Path, operation: FlockOperation) -> Result<File, FileError> {
    let trying =
        |error: io::Error| FileError::System { doing: Doing::Lock, path: directory.to_owned(), error };
    let file = File::open(directory).map_err(trying)?;
    flock(&file, operation).map_err(|error| trying(error.into()))?;
    Ok(file)
}

/// The names of all files that are not hidden, in order. What is not UTF-8 in a name becomes replacement
/// characters, so that it is no client's.
fn file_names(directory: &Path, limit: usize) -> Result<Vec<String>, FileError> {
    let trying =
        |error: io::Error| FileError::System { doing: Doing::Read, path: directory.to_owned(), error };
    let mut names = Vec::new();
    for entry in fs::read_dir(directory).map_err(trying)? {
        names.push(entry.map_err(trying)?.file_name().to_string_lossy().into_owned());
        if names.len() > limit {
            return Err(trying(io::Error::other(format!("more than {limit} files"))));
        }
    }
    names.retain(|name| !name.starts_with('.'));
    names.sort_unstable();
    Ok(names)
}

#[cfg(test)]
mod tests;
