//! From one key to the next, in steps after each of which there is a key, and a line that goes with it.
//!
//! The new key is to be in the journal before the first step: a live key that is not there has lost its marks.

use std::path::Path;

use knock_spa_keys::endpoint::Endpoints;
use knock_spa_keys::server::{ServerKey, ServerSecretLine};
use knock_spa_proto::span::Span;
use knock_spa_proto::time::UnixTime;

use crate::clients::date::Moment;
use crate::files;
use crate::server_key::previous::{self, Previous};
use crate::server_key::{self, KeyError, Keys};

/// The longest grace: for longer, two keys are no rotation.
const MAX_GRACE_SECS: u32 = 366 * 86_400;

/// What becomes of a previous key that is there still.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Earlier {
    /// It stays, and there is no rotation.
    Keep,
    /// It ends at once: there are never more than two.
    End,
}

/// Why there is no new key.
#[derive(Debug, thiserror::Error)]
pub enum RotationError {
    /// A key can't be read, written or drawn.
    #[error(transparent)]
    Key(#[from] KeyError),
    /// The previous rotation is not over.
    #[error("the previous key lives until {}: there are never more than two", Moment(*.0))]
    PreviousLives(UnixTime),
    /// The previous key's file is not understood.
    #[error("there is a previous key that can't be used: {0}")]
    PreviousUnusable(KeyError),
    /// The grace is too long.
    #[error("a grace of {0} is too long: at most 366d")]
    TooLong(Span),
}

/// A rotation of which nothing is done yet.
#[derive(Debug)]
pub struct Rotation<'p> {
    path: &'p Path,
    old: ServerSecretLine,
    new: ServerSecretLine,
    until: UnixTime,
    endpoints: Endpoints,
}

impl<'p> Rotation<'p> {
    /// Draws a new key for the file `path`; the old one is good for `grace` from now on.
    ///
    /// # Errors
    /// [`RotationError`].
    pub fn prepare(
        path: &'p Path,
        grace: Span,
        earlier: Earlier,
        now: UnixTime,
    ) -> Result<Self, RotationError> {
        if grace.secs().get() > MAX_GRACE_SECS {
            return Err(RotationError::TooLong(grace));
        }
        let keys = Keys::load(path, now)?;
        let endpoints = server_key::load_line(path, &keys.known())?.endpoints;
        match keys.previous {
            Previous::Live(key) if earlier == Earlier::Keep => {
                return Err(RotationError::PreviousLives(key.until));
            }
            Previous::Unusable(error) if earlier == Earlier::Keep => {
                return Err(RotationError::PreviousUnusable(error));
            }
            Previous::Absent | Previous::Live(_) | Previous::Ended(_) | Previous::Unusable(_) => {}
        }
        let new = server_key::draw(keys.current.comment.clone())?;
        Ok(Self {
            path,
            old: keys.current,
            new,
            until: now.saturating_add(grace.duration()).whole_second(),
            endpoints,
        })
    }

    /// The new key.
    #[must_use]
    pub const fn new_key(&self) -> ServerKey {
        self.new.secret.public()
    }

    /// The first step: the old key is kept as the previous one. While it is the current one as well, that counts for
    /// nothing. The line may be that of the key before, where a rotation was interrupted: nobody would know that any more.
    ///
    /// # Errors
    /// [`KeyError::File`].
    pub fn keep_old(&self) -> Result<(), KeyError> {
        server_key::write_line(self.path, self.old.secret.public(), self.endpoints.clone())?;
        Ok(previous::write(self.path, &self.old, self.until)?)
    }

    /// The second step: the new key is the current one. The line is that of the previous one still, and taken for what
    /// it is.
    ///
    /// # Errors
    /// [`KeyError::File`].
    pub fn take_new(&self) -> Result<(), KeyError> {
        Ok(files::replace(self.path, server_key::as_file(&self.new).as_bytes())?)
    }

    /// The last step: the line is the new key's.
    ///
    /// # Errors
    /// [`KeyError::File`].
    pub fn write_line(&self) -> Result<(), KeyError> {
        server_key::write_line(self.path, self.new_key(), self.endpoints.clone()).map(drop)
    }

    /// All steps.
    ///
    /// # Errors
    /// [`KeyError::File`]; whatever was done by then stays, and is good.
    pub fn carry_out(&self) -> Result<(), KeyError> {
        self.keep_old()?;
        self.take_new()?;
        self.write_line()
    }
}

impl Keys {
    /// The keys that the line may be of, the current one first.
    #[must_use]
    pub fn known(&self) -> Vec<ServerKey> {
        [Some(self.current.secret.public()), self.previous.public()].into_iter().flatten().collect()
    }
}

/// Ends the previous key of the file `path`: with its file go the packets to it. `false` where there is none.
///
/// # Errors
/// [`KeyError::File`].
pub fn end_previous(path: &Path, keys: &Keys) -> Result<bool, KeyError> {
    // The line must not be left with a key that nobody knows any more.
    if let Ok(line) = server_key::load_line(path, &keys.known()) {
        server_key::write_line(path, line.key, line.endpoints)?;
    }
    match files::remove(&previous::path_of(path)) {
        Ok(()) => Ok(true),
        Err(error) if error.is_absent() => Ok(false),
        Err(error) => Err(error.into()),
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::server_key::{create, load_line, write_line};

    const NOW: UnixTime = UnixTime::from_nanos(1_790_000_000_500_000_000);

    fn days(days: u32) -> Span {
        format!("{days}d").parse().unwrap()
    }

    fn after(days: u32) -> UnixTime {
        NOW.saturating_add(Duration::from_secs(86_400).saturating_mul(days))
    }

    /// The keys that are live, and the key of the line, which must be the first of them.
    fn live(path: &Path, now: UnixTime) -> Vec<ServerKey> {
        let keys = Keys::load(path, now).unwrap();
        assert_eq!(load_line(path, &keys.known()).unwrap().key, keys.current.secret.public());
        keys.public()
    }

    #[test]
    fn each_step_leaves_keys_and_a_line() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("server.key");
        let old = create(&path).unwrap().secret.public();
        write_line(&path, old, "gw:1".parse().unwrap()).unwrap();
        // One that was interrupted after its first step is nothing to the next.
        Rotation::prepare(&path, days(30), Earlier::Keep, NOW).unwrap().keep_old().unwrap();
        assert_eq!(live(&path, NOW), [old]);
        let rotation = Rotation::prepare(&path, days(30), Earlier::Keep, NOW).unwrap();
        let new = rotation.new_key();
        rotation.keep_old().unwrap();
        assert_eq!(live(&path, NOW), [old]);
        rotation.take_new().unwrap();
        assert_eq!(live(&path, NOW), [new, old]);
        assert_eq!(live(&path, after(31)), [new], "though the line is of a key that has ended");
        rotation.write_line().unwrap();
        assert_eq!((live(&path, NOW), live(&path, after(29))), (vec![new, old], vec![new, old]));
        assert_eq!(live(&path, after(31)), [new]);
    }

    #[test]
    fn a_rotation_that_stops_at_its_line_can_end_all_the_same() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("server.key");
        write_line(&path, create(&path).unwrap().secret.public(), "gw:1".parse().unwrap()).unwrap();
        let rotation = Rotation::prepare(&path, days(30), Earlier::Keep, NOW).unwrap();
        rotation.keep_old().unwrap();
        rotation.take_new().unwrap();
        assert!(end_previous(&path, &Keys::load(&path, after(31)).unwrap()).unwrap());
        assert_eq!(live(&path, NOW), [rotation.new_key()]);
        assert!(!end_previous(&path, &Keys::load(&path, NOW).unwrap()).unwrap());
    }

    #[test]
    fn a_rotation_after_one_that_stopped_at_its_line_leaves_a_line() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("server.key");
        write_line(&path, create(&path).unwrap().secret.public(), "gw:1".parse().unwrap()).unwrap();
        let stopped = Rotation::prepare(&path, days(30), Earlier::Keep, NOW).unwrap();
        stopped.keep_old().unwrap();
        stopped.take_new().unwrap();
        let next = Rotation::prepare(&path, days(30), Earlier::End, NOW).unwrap();
        next.keep_old().unwrap();
        assert_eq!(live(&path, NOW), [stopped.new_key()]);
        next.take_new().unwrap();
        assert_eq!(live(&path, NOW), [next.new_key(), stopped.new_key()]);
    }

    #[test]
    fn two_keys_are_the_most() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("server.key");
        let first = create(&path).unwrap().secret.public();
        write_line(&path, first, "gw:1".parse().unwrap()).unwrap();
        let second = Rotation::prepare(&path, days(30), Earlier::Keep, NOW).unwrap();
        second.carry_out().unwrap();
        let refused = Rotation::prepare(&path, days(1), Earlier::Keep, after(29)).unwrap_err();
        assert!(matches!(refused, RotationError::PreviousLives(until) if until <= after(30)), "{refused}");
        assert_eq!(live(&path, NOW), [second.new_key(), first]);
        let third = Rotation::prepare(&path, days(1), Earlier::End, NOW).unwrap();
        third.carry_out().unwrap();
        assert_eq!(live(&path, NOW), [third.new_key(), second.new_key()]);
        // One whose time is over needs nobody's leave.
        assert!(Rotation::prepare(&path, days(1), Earlier::Keep, after(2)).is_ok());
        std::fs::write(previous::path_of(&path), "rubbish").unwrap();
        let refused = Rotation::prepare(&path, days(1), Earlier::Keep, NOW).unwrap_err();
        assert!(matches!(refused, RotationError::PreviousUnusable(_)), "{refused}");
        assert!(Rotation::prepare(&path, days(1), Earlier::End, NOW).is_ok());
        let refused = Rotation::prepare(&path, days(367), Earlier::End, NOW).unwrap_err();
        assert!(matches!(refused, RotationError::TooLong(_)), "{refused}");
    }
}
