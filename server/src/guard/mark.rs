//! What the administrator last decided about the guard, in a file that survives the daemon and the boot.

use std::fmt;
use std::path::Path;
use std::str::FromStr;

use knock_spa_proto::time::{BootTime, Now, UnixTime};

use crate::files::{self, FileError};
use crate::io::clock::BootId;

/// The administrator's decision.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mark {
    /// The guard stands.
    Confirmed,
    /// It stands until a time, unless it is confirmed before.
    Trial(Trial),
    /// It is removed, and nobody is to build it.
    Removed,
}

/// A trial of the guard: it ends by itself, and with the boot that it began in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Trial {
    /// The boot that it belongs to.
    pub boot: BootId,
    /// When it ends, in that boot.
    pub until: BootTime,
    /// The same by the wall clock: for people.
    pub ends: UnixTime,
}

/// The first word of the file: its kind and version.
const KIND: &str = "knock-spa-guard-v1";

impl fmt::Display for Mark {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Confirmed => write!(f, "{KIND} confirmed"),
            Self::Removed => write!(f, "{KIND} removed"),
            Self::Trial(Trial { boot, until, ends }) => {
                write!(f, "{KIND} trial {boot} {} {}", until.as_nanos(), ends.as_nanos())
            }
        }
    }
}

/// Not what the file of this version says.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("not a guard's mark of this version")]
pub struct NotAMark;

impl FromStr for Mark {
    type Err = NotAMark;

    fn from_str(text: &str) -> Result<Self, NotAMark> {
        let nanos = |word: &str| word.parse::<u64>().map_err(|_| NotAMark);
        match text.split(' ').collect::<Vec<_>>().as_slice() {
            [KIND, "confirmed"] => Ok(Self::Confirmed),
            [KIND, "removed"] => Ok(Self::Removed),
            [KIND, "trial", boot, until, ends] => Ok(Self::Trial(Trial {
                boot: boot.parse().map_err(|_| NotAMark)?,
                until: BootTime::from_nanos(nanos(until)?),
                ends: UnixTime::from_nanos(nanos(ends)?),
            })),
            _ => Err(NotAMark),
        }
    }
}

impl Trial {
    /// A trial that lasts for `span` from now on.
    #[must_use]
    pub fn of(span: std::time::Duration, boot: BootId, now: Now) -> Self {
        let end = now.saturating_add(span);
        Self { boot, until: end.boot, ends: end.unix }
    }
}

/// Why the mark cannot be read or written.
#[derive(Debug, thiserror::Error)]
pub enum MarkError {
    /// The file system refused.
    #[error(transparent)]
    File(#[from] FileError),
    /// The file says something that this version does not understand.
    #[error(
        "{0} is not a guard's mark of this version: delete it, or use `knock-spad guard confirm` or `remove`"
    )]
    Unknown(String),
}

/// The mark in the state directory; `None` where nothing was decided yet.
///
/// # Errors
/// [`MarkError`].
pub fn read(state: &Path) -> Result<Option<Mark>, MarkError> {
    let path = state.join("guard");
    let text = match files::read_text(&path, 200) {
        Ok((text, _mode)) => text,
        Err(error) if error.is_absent() => return Ok(None),
        Err(error) => return Err(error.into()),
    };
    let unknown = |_: NotAMark| MarkError::Unknown(path.display().to_string());
    text.strip_suffix('\n').ok_or(NotAMark).and_then(str::parse).map(Some).map_err(unknown)
}

/// The mark that counts. Where it cannot be read, doors stay shut: `trusted` is the way in.
#[must_use]
pub fn read_or_shut(state: &Path) -> Option<Mark> {
    read(state).unwrap_or_else(|error| {
        tracing::error!(event = "guard-mark-failed", %error, "the guard is taken to be confirmed");
        Some(Mark::Confirmed)
    })
}

/// Writes the mark, durably.
///
/// # Errors
/// [`MarkError::File`].
pub fn write(state: &Path, mark: Mark) -> Result<(), MarkError> {
    Ok(files::replace(&state.join("guard"), format!("{mark}\n").as_bytes())?)
}

#[cfg(test)]
mod tests {
    use super::*;

    const TRIAL: Mark = Mark::Trial(Trial {
        boot: BootId::from_bytes([0xa5; 16]),
        until: BootTime::from_nanos(7),
        ends: UnixTime::from_nanos(u64::MAX),
    });

    #[test]
    fn the_mark_is_what_was_last_written() {
        let state = tempfile::tempdir().unwrap();
        assert_eq!(read(state.path()).unwrap(), None);
        for mark in [Mark::Confirmed, TRIAL, Mark::Removed] {
            write(state.path(), mark).unwrap();
            assert_eq!(read(state.path()).unwrap(), Some(mark));
        }
    }

    #[test]
    fn what_is_no_mark_of_this_version_keeps_doors_shut() {
        let state = tempfile::tempdir().unwrap();
        let longer = format!("{TRIAL} 1\n");
        for text in [
            "knock-spa-guard-v2 confirmed\n",
            "knock-spa-guard-v1 confirmed",
            "knock-spa-guard-v1 trial\n",
            "knock-spa-guard-v1 trial a5a5 1 2\n",
            "",
            &longer,
        ] {
            std::fs::write(state.path().join("guard"), text).unwrap();
            assert!(matches!(read(state.path()), Err(MarkError::Unknown(_))), "{text:?}");
            assert_eq!(read_or_shut(state.path()), Some(Mark::Confirmed));
        }
    }
}
