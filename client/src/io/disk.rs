//! Files: bounded reading, and writing that leaves either the old file or the whole new one.

use std::fs::{self, DirBuilder, File, OpenOptions};
use std::io::{self, Read as _, Write as _};
use std::os::unix::fs::{DirBuilderExt as _, OpenOptionsExt as _, PermissionsExt as _};
use std::path::{Path, PathBuf};
use std::time::UNIX_EPOCH;

use knock_spa_proto::time::UnixTime;
use zeroize::Zeroizing;

/// The text of a file, wiped when dropped, and who may touch it.
#[derive(Debug)]
pub(crate) struct Contents {
    /// All of it.
    pub(crate) text: Zeroizing<String>,
    /// The permission bits, such as 0o600.
    pub(crate) mode: u32,
}

/// What became of a file that was to be new.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Created {
    /// It is there now, durably.
    New,
    /// Something bore the name before, and was left alone.
    Existed,
}

/// Reads a regular file of at most `max` bytes of UTF-8.
pub(crate) fn read(path: &Path, max: u64) -> io::Result<Contents> {
    // Asked before opening: opening a named pipe would wait for its other end.
    if !fs::metadata(path)?.is_file() {
        return Err(io::Error::new(io::ErrorKind::InvalidData, "not a regular file"));
    }
    let file = File::open(path)?;
    let mode = permission_bits(&file.metadata()?);
    Ok(Contents { text: read_text(file, max)?, mode })
}

/// Reads UTF-8 to its end, which must come within `max` bytes.
pub(crate) fn read_text(from: impl io::Read, max: u64) -> io::Result<Zeroizing<String>> {
    let mut bytes = Zeroizing::new(Vec::new());
    from.take(max.saturating_add(1)).read_to_end(&mut bytes)?;
    if u64::try_from(bytes.len()).is_ok_and(|len| len > max) {
        return Err(io::Error::new(io::ErrorKind::InvalidData, format!("longer than {max} bytes")));
    }
    match std::str::from_utf8(&bytes) {
        Ok(text) => Ok(Zeroizing::new(text.to_owned())),
        Err(_) => Err(io::Error::new(io::ErrorKind::InvalidData, "not UTF-8 text")),
    }
}

fn permission_bits(metadata: &fs::Metadata) -> u32 {
    metadata.permissions().mode() & 0o7777
}

/// The permission bits of what is at `path`.
pub(crate) fn mode(path: &Path) -> io::Result<u32> {
    fs::metadata(path).map(|metadata| permission_bits(&metadata))
}

/// When the file at `path` was last written, by the clock of then; `None` where there is none, or no such time.
pub(crate) fn written(path: &Path) -> Option<UnixTime> {
    let written = fs::metadata(path).ok()?.modified().ok()?;
    let since = written.duration_since(UNIX_EPOCH).ok()?;
    u64::try_from(since.as_nanos()).ok().map(UnixTime::from_nanos)
}

/// Makes a directory for its owner alone, and those above it; returns its permission bits, which are looser
/// where it existed so.
pub(crate) fn make_private_directory(path: &Path) -> io::Result<u32> {
    DirBuilder::new().recursive(true).mode(0o700).create(path)?;
    mode(path)
}

/// Waits until no other process of ours changes files of this directory. The lock ends when the value is
/// dropped.
pub(crate) fn lock(directory: &Path) -> io::Result<File> {
    let directory = File::open(directory)?;
    directory.lock()?;
    Ok(directory)
}

/// Durably creates a file for its owner alone, unless its name is taken. `unique` names the draft.
pub(crate) fn create(path: &Path, text: &str, unique: u64) -> io::Result<Created> {
    let draft = Draft::write(path, text, unique)?;
    match fs::hard_link(&draft.path, path) {
        Ok(()) => sync_directory_of(path).map(|()| Created::New),
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => Ok(Created::Existed),
        Err(error) => Err(error),
    }
}

/// Durably puts a file for its owner alone in the place of another, or of none. Where a symbolic link leads
/// to the file, the link stays. `unique` names the draft.
pub(crate) fn replace(path: &Path, text: &str, unique: u64) -> io::Result<()> {
    let path = fs::canonicalize(path).unwrap_or_else(|_| path.to_owned());
    let draft = Draft::write(&path, text, unique)?;
    fs::rename(&draft.path, &path)?;
    sync_directory_of(&path)
}

fn sync_directory_of(path: &Path) -> io::Result<()> {
    File::open(directory_of(path))?.sync_all()
}

fn directory_of(path: &Path) -> &Path {
    path.parent().filter(|parent| !parent.as_os_str().is_empty()).unwrap_or_else(|| Path::new("."))
}

/// A file that is being written, beside the one that it will become; removed when dropped.
struct Draft {
    path: PathBuf,
}

impl Draft {
    fn write(beside: &Path, text: &str, unique: u64) -> io::Result<Self> {
        let path = directory_of(beside).join(format!(".knock-spa-{unique:016x}.draft"));
        let mut file = OpenOptions::new().write(true).create_new(true).mode(0o600).open(&path)?;
        let draft = Self { path };
        file.write_all(text.as_bytes())?;
        file.sync_all()?;
        Ok(draft)
    }
}

impl Drop for Draft {
    fn drop(&mut self) {
        // It has become the file by renaming, or it is in nobody's way.
        fs::remove_file(&self.path).unwrap_or_default();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn names(directory: &Path) -> Vec<String> {
        let names = fs::read_dir(directory).unwrap().map(|entry| entry.unwrap().file_name());
        names.map(|name| name.into_string().unwrap()).collect()
    }

    #[test]
    fn a_name_that_is_taken_is_left_alone() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("file");
        assert_eq!(create(&path, "one", 1).unwrap(), Created::New);
        assert_eq!(create(&path, "two", 1).unwrap(), Created::Existed);
        let contents = read(&path, 3).unwrap();
        assert_eq!((contents.text.as_str(), contents.mode), ("one", 0o600));
        assert_eq!(names(directory.path()), ["file"]);
    }

    #[test]
    fn a_link_to_the_file_stays() {
        let directory = tempfile::tempdir().unwrap();
        let [path, link] = ["file", "link"].map(|name| directory.path().join(name));
        replace(&path, "one", 1).unwrap();
        std::os::unix::fs::symlink(&path, &link).unwrap();
        replace(&link, "two", 2).unwrap();
        assert_eq!(read(&path, 3).unwrap().text.as_str(), "two");
        assert!(fs::symlink_metadata(&link).unwrap().is_symlink());
        assert_eq!(names(directory.path()).len(), 2);
    }

    #[test]
    fn reading_is_bounded() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("file");
        fs::write(&path, b"four").unwrap();
        assert_eq!(read(&path, 3).unwrap_err().to_string(), "longer than 3 bytes");
        fs::write(&path, b"\xff").unwrap();
        assert_eq!(read(&path, 3).unwrap_err().to_string(), "not UTF-8 text");
        assert_eq!(read(directory.path(), 3).unwrap_err().to_string(), "not a regular file");
    }

    #[test]
    fn a_private_directory_is_private() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("a/b");
        assert_eq!(make_private_directory(&path).unwrap(), 0o700);
        fs::set_permissions(&path, fs::Permissions::from_mode(0o777)).unwrap();
        assert_eq!(make_private_directory(&path).unwrap(), 0o777);
        lock(&path).unwrap();
    }
}
