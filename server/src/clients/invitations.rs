//! The invitations: one file each in a directory beside that of the clients.
//!
//! One lock goes for both directories, the clients'. A file that can't be used invites nobody.

mod file;

use std::path::{Path, PathBuf};

use knock_spa_engine::admit::effect::Enrolment;
use knock_spa_engine::client::{Client, ClientName};
use knock_spa_engine::invitation::Invitation;
use knock_spa_keys::comment::Comment;
use knock_spa_proto::time::UnixTime;
use rustix::fs::FlockOperation;

use crate::clients::policy;
use crate::clients::survey::{Filed, Files};
use crate::clients::{MAX_FILE_LEN, Roster, Survey, lock, lock_with, path_of};
use crate::config::ConfigError;
use crate::config::remark::{Faults, Remark};
use crate::files::{self, FileError};

/// The most invitations that are kept: more than anybody has pending, few enough to read them all for each that comes.
pub const MAX_INVITATIONS: usize = 1_000;

/// The most files in their directory: what an editor or a crash left behind is not counted as an invitation.
const MAX_FILES: usize = 2 * MAX_INVITATIONS;

/// The directory of the invitations to a server whose clients are in this one.
#[must_use]
pub fn directory(clients: &Path) -> PathBuf {
    clients.with_file_name("invitations.d")
}

/// All invitations, no two with one key, and none with a client's.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Invitations {
    /// Those whose files can be used, in the order of their names. One whose name a client has is used up, whatever its
    /// file says: the keeper may have died before it could mark it.
    pub invitations: Vec<Invitation>,
    /// Those of them whose files do not say so yet.
    pub unmarked: Vec<ClientName>,
    /// Why others can't be used: nobody is invited by them.
    pub faults: Vec<Remark>,
    /// What is weak or strange about their files.
    pub warnings: Vec<Remark>,
}

/// Why nobody is invited.
#[derive(Debug, thiserror::Error)]
pub enum NotInvited {
    /// The name is a client's.
    #[error("there is a client {0} already")]
    NameTaken(ClientName),
    /// The name is kept by another invitation.
    #[error("there is an invitation {0} already, and nobody has used it yet")]
    Pending(ClientName),
    /// There are as many as can be.
    #[error("there are {MAX_INVITATIONS} invitations, and more are not kept")]
    TooMany,
    /// The clients that there are can't be read.
    #[error(transparent)]
    Unreadable(#[from] ConfigError),
    /// Its file would be none that can be read.
    #[error(transparent)]
    Faults(#[from] Faults),
    /// The file can't be written.
    #[error(transparent)]
    File(#[from] FileError),
}

/// Why a client was not enrolled by an invitation.
#[derive(Debug, thiserror::Error)]
pub enum NotEnrolledBy {
    /// The invitation is not there any more, or is another one.
    #[error("the invitation {0} is gone")]
    Gone(ClientName),
    /// Another client was enrolled by it; or the same one, and was removed since.
    #[error("the invitation {0} is used up")]
    Used(ClientName),
    /// Its file was changed, and grants something else than what is in force.
    #[error("the file of the invitation {0} was changed since it was loaded")]
    Changed(ClientName),
    /// The name is another client's, or the file of that name can't be used.
    #[error("there is a file of a client {0} already, with another key")]
    NameTaken(ClientName),
    /// The key is another client's.
    #[error("client {0} has this key already")]
    KeyTaken(ClientName),
    /// A file can't be read or written.
    #[error(transparent)]
    File(#[from] FileError),
    /// The invitation's file says something wrong.
    #[error(transparent)]
    Faults(#[from] Faults),
}

impl Invitations {
    /// Reads all invitations to a server that has these clients, whose files are in the directory `clients`.
    ///
    /// # Errors
    /// [`FileError`] where their directory can't be read; that it is not there means that there are none.
    pub fn load(clients: &Path, enrolled: &[Client]) -> Result<Self, FileError> {
        let directory = directory(clients);
        let files = match Files::<Invitation>::read(&directory, MAX_FILES) {
            Err(error) if error.is_absent() => Files::none(),
            read => read?,
        };
        let mut all = Self { faults: files.faults, warnings: files.warnings, ..Self::default() };
        for mut invitation in files.usable {
            if let Some(client) = enrolled.iter().find(|client| client.key == *invitation.key()) {
                let path = path_of(&directory, invitation.name());
                let what =
                    format!("{}: client {} has its key, which many may know", path.display(), client.name);
                all.faults.push(Remark { file: path, line: None, what, hint: None });
                continue;
            }
            let namesake = enrolled.iter().find(|client| client.name == *invitation.name());
            if let (None, Some(client)) = (invitation.used_by, namesake) {
                invitation.used_by = Some(client.key);
                all.unmarked.push(client.name.clone());
            }
            all.invitations.push(invitation);
        }
        Ok(all)
    }

    /// Those by which somebody may still enrol.
    pub fn pending(&self, now: UnixTime) -> impl Iterator<Item = &Invitation> {
        self.invitations.iter().filter(move |one| one.used_by.is_none() && one.is_valid_at(now))
    }

    /// Whether this name is kept for somebody who may still enrol.
    #[must_use]
    pub fn keep(&self, name: &ClientName, now: UnixTime) -> bool {
        self.pending(now).any(|invitation| invitation.name() == name)
    }
}

/// Keeps an invitation, durably, in place of one of the same name that is used up or over.
///
/// # Errors
/// [`NotInvited`]; then nobody is invited.
pub fn invite(clients: &Path, invitation: &Invitation, now: UnixTime) -> Result<(), NotInvited> {
    let directory = directory(clients);
    let name = invitation.name();
    let _lock = lock(clients)?;
    let roster = Roster::load(clients)?;
    if roster.clients.iter().any(|client| client.name == *name) {
        return Err(NotInvited::NameTaken(name.clone()));
    }
    files::make_directory(&directory, 0o700)?;
    let mut kept = Invitations::load(clients, &roster.clients)?;
    if kept.keep(name, now) {
        return Err(NotInvited::Pending(name.clone()));
    }
    if kept.invitations.len() >= MAX_INVITATIONS {
        // What is over serves nobody any more.
        for over in kept.invitations.extract_if(.., |one| !one.is_valid_at(now)) {
            files::remove(&path_of(&directory, over.name()))?;
        }
        if kept.invitations.len() >= MAX_INVITATIONS {
            return Err(NotInvited::TooMany);
        }
    }
    // What is written is what is read, with its limits.
    let path = path_of(&directory, name);
    Invitation::parse(&path, name, &file::Written(invitation).to_string())?;
    Ok(write(&directory, invitation)?)
}

/// Removes an invitation, durably, whatever its file says; the key by which somebody was enrolled, if somebody was.
///
/// # Errors
/// [`FileError::System`]; [`FileError::is_absent`] where there is no such invitation.
pub fn revoke(clients: &Path, name: &ClientName) -> Result<Option<Invitation>, FileError> {
    let _lock = lock(clients)?;
    let path = path_of(&directory(clients), name);
    let revoked = read(&path, name).ok().flatten();
    files::remove(&path)?;
    Ok(revoked)
}

/// Enrols a client by its invitation: writes the client's file, then marks the invitation, both durably.
///
/// Where it was stopped between the two, it goes on for the same key, and refuses every other. It does not wait for
/// others who change clients at this moment: then it fails, and the client tries again anyway.
///
/// # Errors
/// [`NotEnrolledBy`].
pub fn enrol(clients: &Path, enrolment: &Enrolment) -> Result<(), NotEnrolledBy> {
    let Enrolment { invitation: invited, client } = enrolment;
    let name = &client.name;
    let directory = directory(clients);
    let _lock = lock_with(clients, FlockOperation::NonBlockingLockExclusive)?;
    let found = read(&path_of(&directory, name), name)?.filter(|found| found.key() == invited);
    let invitation = found.ok_or_else(|| NotEnrolledBy::Gone(name.clone()))?;
    let survey = Survey::of(clients)?;
    if !survey.clients.contains(client) {
        if let Some(owner) = survey.clients.iter().find(|other| other.key == client.key) {
            return Err(NotEnrolledBy::KeyTaken(owner.name.clone()));
        }
        if invitation.used_by.is_some() {
            return Err(NotEnrolledBy::Used(name.clone()));
        }
        if invitation.client_of(client.key) != *client {
            return Err(NotEnrolledBy::Changed(name.clone()));
        }
        create(clients, client)?;
    }
    match invitation.used_by {
        Some(by) if by == client.key => Ok(()),
        Some(_) => Err(NotEnrolledBy::Used(name.clone())),
        None => Ok(write(&directory, &Invitation { used_by: Some(client.key), ..invitation })?),
    }
}

/// Writes the file of a client that is enrolled by an invitation.
fn create(clients: &Path, client: &Client) -> Result<(), NotEnrolledBy> {
    // The alphabet of a name is within that of a comment.
    let comment: Comment = client.name.as_str().parse().unwrap_or_default();
    let path = path_of(clients, &client.name);
    let text = policy::write(&path, client, &comment)?;
    match files::create(&path, text.as_bytes()) {
        Err(FileError::Exists(_)) => Err(NotEnrolledBy::NameTaken(client.name.clone())),
        written => Ok(written?),
    }
}

/// Marks invitations as used whose names clients have, and whose files do not say so yet.
///
/// # Errors
/// [`FileError`], the first one.
pub fn mark(clients: &Path, found: &Invitations) -> Result<(), FileError> {
    if found.unmarked.is_empty() {
        return Ok(());
    }
    let _lock = lock_with(clients, FlockOperation::NonBlockingLockExclusive)?;
    let directory = directory(clients);
    for invitation in found.invitations.iter().filter(|one| found.unmarked.contains(one.name())) {
        let path = path_of(&directory, invitation.name());
        let stands = read(&path, invitation.name()).ok().flatten();
        let is_same =
            stands.is_some_and(|stands| stands.key() == invitation.key() && stands.used_by.is_none());
        if is_same && path_of(clients, invitation.name()).exists() {
            write(&directory, invitation)?;
        }
    }
    Ok(())
}

fn write(directory: &Path, invitation: &Invitation) -> Result<(), FileError> {
    let text = file::Written(invitation).to_string();
    files::replace(&path_of(directory, invitation.name()), text.as_bytes())
}

/// The invitation of a file, if there is one.
fn read(path: &Path, name: &ClientName) -> Result<Option<Invitation>, NotEnrolledBy> {
    match files::read_text(path, MAX_FILE_LEN) {
        Ok((text, _)) => Ok(Some(Invitation::parse(path, name, &text)?.0)),
        Err(error) if error.is_absent() => Ok(None),
        Err(error) => Err(error.into()),
    }
}

#[cfg(test)]
mod tests;
