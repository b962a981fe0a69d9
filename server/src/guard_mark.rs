//! What the administrator last decided about the guard, in a file that survives the daemon and the boot.

use std::path::Path;

use crate::files::{self, FileError};

/// The administrator's decision.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mark {
    /// The guard stands.
    Confirmed,
    /// It is removed, and nobody is to build it.
    Removed,
}

impl Mark {
    const fn text(self) -> &'static str {
        match self {
            Self::Confirmed => "knock-spa-guard-v1 confirmed\n",
            Self::Removed => "knock-spa-guard-v1 removed\n",
        }
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
    let text = match files::read_text(&path, 100) {
        Ok((text, _mode)) => text,
        Err(error) if error.is_absent() => return Ok(None),
        Err(error) => return Err(error.into()),
    };
    let mark = [Mark::Confirmed, Mark::Removed].into_iter().find(|mark| mark.text() == text);
    mark.map(Some).ok_or_else(|| MarkError::Unknown(path.display().to_string()))
}

/// Writes the mark, durably.
///
/// # Errors
/// [`MarkError::File`].
pub fn write(state: &Path, mark: Mark) -> Result<(), MarkError> {
    Ok(files::replace(&state.join("guard"), mark.text().as_bytes())?)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_mark_is_what_was_last_written() {
        let state = tempfile::tempdir().unwrap();
        assert_eq!(read(state.path()).unwrap(), None);
        for mark in [Mark::Confirmed, Mark::Removed] {
            write(state.path(), mark).unwrap();
            assert_eq!(read(state.path()).unwrap(), Some(mark));
        }
        std::fs::write(state.path().join("guard"), "knock-spa-guard-v2 confirmed\n").unwrap();
        assert!(matches!(read(state.path()), Err(MarkError::Unknown(_))));
    }
}
