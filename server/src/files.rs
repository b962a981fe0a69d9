//! Small files: read within a bound, written whole or not at all.

use std::ffi::OsString;
use std::fmt;
use std::fs::{self, DirBuilder, File, OpenOptions};
use std::io::{self, Read, Write};
use std::os::unix::fs::{DirBuilderExt, MetadataExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

use zeroize::Zeroizing;

use crate::io::entropy;

/// Why a file could not be read or written.
#[derive(Debug, thiserror::Error)]
pub enum FileError {
    /// The system refused.
    #[error("can't {doing} {}: {error}", path.display())]
    System {
        /// What was tried.
        doing: Doing,
        /// With what.
        path: PathBuf,
        /// What the system said.
        error: io::Error,
    },
    /// A directory, a pipe or a device stands where a file belongs.
    #[error("{} is not a regular file", .0.display())]
    NotAFile(PathBuf),
    /// Something else stands where a directory belongs.
    #[error("{} is not a directory", .0.display())]
    NotADirectory(PathBuf),
    /// The file is longer than anything that makes sense here.
    #[error("{} is longer than {limit} bytes", path.display())]
    TooLong {
        /// The file.
        path: PathBuf,
        /// The most bytes that it may have.
        limit: u64,
    },
    /// The file is not UTF-8.
    #[error("{} is not text: it has bytes that are not UTF-8", .0.display())]
    NotText(PathBuf),
    /// Others than its owner may read or write a secret.
    #[error("{} holds a secret, and others may use it (its mode is {mode:04o})", path.display())]
    Exposed {
        /// The file.
        path: PathBuf,
        /// Its permission bits.
        mode: u32,
    },
    /// There is a file already, and it is not to be overwritten.
    #[error("{} exists already", .0.display())]
    Exists(PathBuf),
}

/// What was tried with a file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Doing {
    /// Reading it, or listing it.
    Read,
    /// Keeping others from changing it meanwhile.
    Lock,
    /// Making a new one.
    Create,
    /// Making a new directory.
    MakeDirectory,
    /// Writing it, or replacing it.
    Write,
    /// Removing it.
    Remove,
}

impl fmt::Display for Doing {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Read => "read",
            Self::Lock => "lock",
            Self::Create => "create",
            Self::MakeDirectory => "make the directory",
            Self::Write => "write",
            Self::Remove => "remove",
        })
    }
}

impl FileError {
    /// What to do about it, where that is known.
    #[must_use]
    pub fn hint(&self) -> Option<String> {
        match self {
            Self::Exposed { path, .. } => Some(format!("chmod 600 {}", path.display())),
            Self::System { .. } if self.is_denied() => {
                Some("this needs root, or whoever owns the file".into())
            }
            Self::System { .. }
            | Self::NotAFile(_)
            | Self::NotADirectory(_)
            | Self::TooLong { .. }
            | Self::NotText(_)
            | Self::Exists(_) => None,
        }
    }

    /// The file or directory.
    #[must_use]
    pub fn path(&self) -> &Path {
        match self {
            Self::System { path, .. } | Self::TooLong { path, .. } | Self::Exposed { path, .. } => path,
            Self::NotAFile(path) | Self::NotADirectory(path) | Self::NotText(path) | Self::Exists(path) => {
                path
            }
        }
    }

    /// Whether the system said that it is not allowed.
    #[must_use]
    pub fn is_denied(&self) -> bool {
        matches!(self, Self::System { error, .. } if error.kind() == io::ErrorKind::PermissionDenied)
    }

    /// Whether somebody else holds the lock.
    #[must_use]
    pub fn is_busy(&self) -> bool {
        matches!(self, Self::System { error, .. } if error.kind() == io::ErrorKind::WouldBlock)
    }

    /// Whether there is simply no such file.
    #[must_use]
    pub fn is_absent(&self) -> bool {
        matches!(self, Self::System { error, .. } if error.kind() == io::ErrorKind::NotFound)
    }

    /// What became of trying this with a file.
    pub(crate) fn while_trying<'path>(
        doing: Doing,
        path: &'path Path,
    ) -> impl FnOnce(io::Error) -> Self + 'path {
        move |error| Self::System { doing, path: path.to_owned(), error }
    }
}

/// The text of a file of at most `limit` bytes, and its permission bits.
///
/// # Errors
/// [`FileError`]: all but [`FileError::Exposed`], [`FileError::NotADirectory`] and [`FileError::Exists`].
pub fn read_text(path: &Path, limit: u64) -> Result<(String, u32), FileError> {
    let (file, mode) = open(path)?;
    let mut bytes = Vec::new();
    read_bounded(&file, &mut bytes, path, limit)?;
    let text = String::from_utf8(bytes).map_err(|_| FileError::NotText(path.to_owned()))?;
    Ok((text, mode))
}

/// The text of a secret file of at most `limit` bytes.
///
/// # Errors
/// As [`read_text`], and [`FileError::Exposed`] where anybody but its owner may read or write the file.
pub fn read_secret(path: &Path, limit: u64) -> Result<Zeroizing<String>, FileError> {
    let (file, mode) = open(path)?;
    if mode & 0o077 != 0 {
        return Err(FileError::Exposed { path: path.to_owned(), mode });
    }
    // Room for everything from the start: growing would leave copies of the secret behind.
    let room = usize::try_from(limit.saturating_add(1)).unwrap_or(0);
    let mut bytes = Zeroizing::new(Vec::with_capacity(room));
    read_bounded(&file, &mut bytes, path, limit)?;
    let text = std::str::from_utf8(&bytes).map_err(|_| FileError::NotText(path.to_owned()))?;
    Ok(Zeroizing::new(text.to_owned()))
}

/// A file of at most `limit` bytes, to be changed in place, and what is in it.
///
/// # Errors
/// [`FileError::System`], [`FileError::NotAFile`] and [`FileError::TooLong`].
pub fn open_to_change(path: &Path, limit: u64) -> Result<(File, Vec<u8>), FileError> {
    let (file, _) = open_with(OpenOptions::new().read(true).write(true), path)?;
    let mut bytes = Vec::new();
    read_bounded(&file, &mut bytes, path, limit)?;
    Ok((file, bytes))
}

fn open(path: &Path) -> Result<(File, u32), FileError> {
    open_with(OpenOptions::new().read(true), path)
}

/// Opens a regular file without waiting, should it be a pipe.
fn open_with(options: &mut OpenOptions, path: &Path) -> Result<(File, u32), FileError> {
    let trying = || FileError::while_trying(Doing::Read, path);
    let file = options.custom_flags(libc::O_NONBLOCK).open(path).map_err(trying())?;
    let metadata = file.metadata().map_err(trying())?;
    if metadata.is_file() {
        Ok((file, metadata.mode() & 0o7777))
    } else {
        Err(FileError::NotAFile(path.to_owned()))
    }
}

fn read_bounded(file: &File, into: &mut Vec<u8>, path: &Path, limit: u64) -> Result<(), FileError> {
    let read = file
        .take(limit.saturating_add(1))
        .read_to_end(into)
        .map_err(FileError::while_trying(Doing::Read, path))?;
    if u64::try_from(read).is_ok_and(|read| read <= limit) {
        Ok(())
    } else {
        Err(FileError::TooLong { path: path.to_owned(), limit })
    }
}

/// Writes a new file, readable by its owner alone; whole and durable when this returns, and absent
/// when it fails.
///
/// # Errors
/// [`FileError::Exists`], where nothing is changed, and [`FileError::System`].
pub fn create(path: &Path, contents: &[u8]) -> Result<(), FileError> {
    let temporary = Temporary::write(path, contents)?;
    fs::hard_link(&temporary.path, path).map_err(|error| {
        if error.kind() == io::ErrorKind::AlreadyExists {
            FileError::Exists(path.to_owned())
        } else {
            FileError::System { doing: Doing::Create, path: path.to_owned(), error }
        }
    })?;
    drop(temporary);
    sync_directory_of(path)
}

/// Writes a file anew, readable by its owner alone; at every moment, a power failure included, there is the
/// old file or the new one.
///
/// # Errors
/// [`FileError::System`].
pub fn replace(path: &Path, contents: &[u8]) -> Result<(), FileError> {
    let temporary = Temporary::write(path, contents)?;
    fs::rename(&temporary.path, path).map_err(FileError::while_trying(Doing::Write, path))?;
    sync_directory_of(path)
}

/// Removes a file; it stays away after a power failure.
///
/// # Errors
/// [`FileError::System`].
pub fn remove(path: &Path) -> Result<(), FileError> {
    fs::remove_file(path).map_err(FileError::while_trying(Doing::Remove, path))?;
    sync_directory_of(path)
}

/// Makes a directory and its missing parents with these permission bits, durably. `false` where it was there.
///
/// # Errors
/// [`FileError::NotADirectory`] and [`FileError::System`].
pub fn make_directory(path: &Path, mode: u32) -> Result<bool, FileError> {
    match fs::metadata(path) {
        Ok(metadata) if metadata.is_dir() => Ok(false),
        Ok(_) => Err(FileError::NotADirectory(path.to_owned())),
        Err(_) => {
            if let Some(parent) = path.parent().filter(|parent| !parent.as_os_str().is_empty()) {
                make_directory(parent, mode)?;
            }
            match DirBuilder::new().mode(mode).create(path) {
                // Somebody else was faster.
                Err(error) if error.kind() == io::ErrorKind::AlreadyExists && path.is_dir() => Ok(false),
                made => {
                    made.map_err(FileError::while_trying(Doing::MakeDirectory, path))?;
                    sync_directory_of(path).map(|()| true)
                }
            }
        }
    }
}

/// A file beside the one that is being written; gone when dropped.
struct Temporary {
    path: PathBuf,
}

impl Temporary {
    /// Starts the name of every temporary file. The leading dot keeps readers of directories away.
    const PREFIX: &str = ".knock-spa-";

    fn write(beside: &Path, contents: &[u8]) -> Result<Self, FileError> {
        let trying = || FileError::while_trying(Doing::Write, beside);
        let draw: [u8; 8] = entropy::bytes().map_err(|none| trying()(io::Error::other(none)))?;
        let mut name = OsString::from(Self::PREFIX);
        name.push(format!("{:016x}.tmp", u64::from_ne_bytes(draw)));
        let path = beside.with_file_name(name);
        let mut file =
            OpenOptions::new().write(true).create_new(true).mode(0o600).open(&path).map_err(trying())?;
        let temporary = Self { path };
        file.write_all(contents).and_then(|()| file.sync_all()).map_err(trying())?;
        Ok(temporary)
    }
}

impl Drop for Temporary {
    fn drop(&mut self) {
        // After a rename it is gone already; otherwise a leftover does no harm.
        fs::remove_file(&self.path).unwrap_or_default();
    }
}

fn sync_directory_of(path: &Path) -> Result<(), FileError> {
    let directory = match path.parent() {
        Some(parent) if !parent.as_os_str().is_empty() => parent,
        _ => Path::new("."),
    };
    File::open(directory)
        .and_then(|directory| directory.sync_all())
        .map_err(FileError::while_trying(Doing::Write, directory))
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt;

    use super::*;

    fn names(directory: &Path) -> Vec<OsString> {
        fs::read_dir(directory).unwrap().map(|entry| entry.unwrap().file_name()).collect()
    }

    #[test]
    fn a_new_file_is_private_and_never_overwrites() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("new");
        create(&path, b"one").unwrap();
        assert!(matches!(create(&path, b"two"), Err(FileError::Exists(_))));
        assert_eq!(read_text(&path, 3).unwrap(), ("one".into(), 0o600));
        assert_eq!(names(directory.path()), ["new"]);
    }

    #[test]
    fn replacing_leaves_one_file() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("file");
        replace(&path, b"one").unwrap();
        replace(&path, b"two").unwrap();
        assert_eq!(*read_secret(&path, 3).unwrap(), "two");
        assert_eq!(names(directory.path()), ["file"]);
    }

    #[test]
    fn a_failed_write_leaves_nothing() {
        let directory = tempfile::tempdir().unwrap();
        let occupied = directory.path().join("occupied");
        fs::create_dir(&occupied).unwrap();
        assert!(replace(&occupied, b"x").is_err());
        assert!(create(&occupied, b"x").is_err());
        assert!(create(&directory.path().join("absent/file"), b"x").is_err());
        assert_eq!(names(directory.path()), ["occupied"]);
    }

    #[test]
    fn what_is_no_bounded_text_is_refused() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("file");
        fs::write(&path, b"\xff").unwrap();
        assert!(matches!(read_text(&path, 9), Err(FileError::NotText(_))));
        fs::write(&path, b"four").unwrap();
        assert!(matches!(read_text(&path, 3), Err(FileError::TooLong { limit: 3, .. })));
        assert!(matches!(read_text(directory.path(), 9), Err(FileError::NotAFile(_))));
        assert!(matches!(read_text(Path::new("/dev/zero"), 9), Err(FileError::NotAFile(_))));
        assert!(read_text(&directory.path().join("absent"), 9).unwrap_err().is_absent());
    }

    #[test]
    fn a_secret_for_others_is_no_secret() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("key");
        create(&path, b"secret").unwrap();
        for mode in [0o640, 0o604, 0o620, 0o601] {
            fs::set_permissions(&path, fs::Permissions::from_mode(mode)).unwrap();
            assert!(matches!(read_secret(&path, 9), Err(FileError::Exposed { .. })), "{mode:o}");
        }
        fs::set_permissions(&path, fs::Permissions::from_mode(0o400)).unwrap();
        assert_eq!(*read_secret(&path, 9).unwrap(), "secret");
    }

    #[test]
    fn a_directory_that_many_make_at_once_is_nobody_s_failure() {
        let directory = tempfile::tempdir().unwrap();
        for round in 0..50 {
            let nested = directory.path().join(format!("{round}/a/b"));
            let made = std::thread::scope(|scope| {
                let makers: Vec<_> =
                    (0..4).map(|_| scope.spawn(|| make_directory(&nested, 0o700).unwrap())).collect();
                makers.into_iter().map(|maker| maker.join().unwrap()).filter(|made| *made).count()
            });
            assert_eq!(made, 1);
        }
    }

    #[test]
    fn removed_is_gone_and_a_directory_is_made_once() {
        let directory = tempfile::tempdir().unwrap();
        let nested = directory.path().join("a/b");
        assert!(make_directory(&nested, 0o700).unwrap());
        assert!(!make_directory(&nested, 0o700).unwrap());
        let file = nested.join("file");
        create(&file, b"").unwrap();
        assert!(matches!(make_directory(&file, 0o700), Err(FileError::NotADirectory(_))));
        remove(&file).unwrap();
        assert!(remove(&file).unwrap_err().is_absent());
    }
}
