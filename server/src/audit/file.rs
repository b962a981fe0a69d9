//! The audit file: one JSON object in a line.
//!
//! There is one for the process, as there is one log: what is told anywhere goes there.

use std::fs::{self, File, OpenOptions};
use std::io::{self, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, MutexGuard, PoisonError};

/// A file that grows beyond this is renamed to `FILE.1`, in the place of an older one, and begun anew: 64 MiB, a day or
/// two of the worst that strangers can cause.
const MAX_SIZE: u64 = 64 << 20;

static FILE: Mutex<AuditFile> = Mutex::new(AuditFile::none());

/// Where lines go.
#[derive(Debug)]
pub(super) struct AuditFile {
    path: Option<PathBuf>,
    file: Option<File>,
    size: u64,
    max_size: u64,
    /// Whether the last line broke off, as on a full disk.
    torn: bool,
    /// Lines that are in no file.
    lost: u64,
    fault: Option<String>,
    /// Whether nobody was told of the fault yet.
    untold: bool,
}

/// The file of this process.
pub(super) fn file() -> MutexGuard<'static, AuditFile> {
    FILE.lock().unwrap_or_else(PoisonError::into_inner)
}

impl AuditFile {
    const fn none() -> Self {
        Self {
            path: None,
            file: None,
            size: 0,
            max_size: MAX_SIZE,
            torn: false,
            lost: 0,
            fault: None,
            untold: false,
        }
    }

    /// Appends to this file from now on; where it is the same, to what bears its name now.
    pub(super) fn set(&mut self, path: Option<&Path>) {
        self.path = path.map(Into::into);
        (self.file, self.fault, self.untold, self.torn) = (None, None, false, false);
        if let Err(error) = self.open() {
            self.fail(&error);
        }
    }

    fn open(&mut self) -> io::Result<()> {
        let Some(path) = &self.path else { return Ok(()) };
        let mut options = OpenOptions::new();
        let flags = libc::O_NONBLOCK | libc::O_NOCTTY | libc::O_NOFOLLOW;
        let file = options.append(true).create(true).mode(0o600).custom_flags(flags).open(path)?;
        let metadata = file.metadata()?;
        if !metadata.is_file() {
            return Err(io::Error::other("it is no ordinary file"));
        }
        (self.size, self.file) = (metadata.len(), Some(file));
        Ok(())
    }

    /// Appends a line. One that can't be written is lost and counted, and the daemon goes on.
    pub(super) fn write(&mut self, line: &[u8]) {
        if self.path.is_none() {
            return;
        }
        match self.try_write(line) {
            Ok(()) => self.fault = None,
            Err(error) => {
                self.lost = self.lost.saturating_add(1);
                self.fail(&error);
            }
        }
    }

    fn try_write(&mut self, line: &[u8]) -> io::Result<()> {
        if self.size >= self.max_size {
            self.begin_anew()?;
        }
        if self.file.is_none() {
            self.open()?;
        }
        let Some(file) = &mut self.file else { return Ok(()) };
        let begin: &[u8] = if self.torn { b"\n" } else { b"" };
        let whole = [begin, line, b"\n"].concat();
        let written = file.write(&whole)?;
        self.size = self.size.saturating_add(u64::try_from(written).unwrap_or(u64::MAX));
        self.torn = written < whole.len();
        if self.torn { Err(io::ErrorKind::WriteZero.into()) } else { Ok(()) }
    }

    fn begin_anew(&mut self) -> io::Result<()> {
        let Some(path) = &self.path else { return Ok(()) };
        let mut old = path.clone().into_os_string();
        old.push(".1");
        fs::rename(path, old)?;
        (self.file, self.torn) = (None, false);
        self.open()
    }

    fn fail(&mut self, error: &io::Error) {
        if self.fault.is_none() {
            self.untold = true;
        }
        self.fault = Some(error.to_string());
    }

    /// What is wrong with it, the first time that it is.
    pub(super) fn take_untold(&mut self) -> Option<String> {
        self.fault.clone().filter(|_| std::mem::take(&mut self.untold))
    }

    /// What is wrong with it.
    pub(super) fn fault(&self) -> Option<String> {
        self.fault.clone()
    }

    /// Lines that are in no file.
    pub(super) const fn lost(&self) -> u64 {
        self.lost
    }
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt;

    use super::*;

    fn at(path: &Path) -> AuditFile {
        let mut file = AuditFile::none();
        file.set(Some(path));
        file
    }

    #[test]
    fn lines_are_appended_for_the_owner_alone_and_a_rotated_file_is_left() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("audit.jsonl");
        let mut file = at(&path);
        file.write(b"1");
        file.write(b"2");
        assert_eq!(fs::read_to_string(&path).unwrap(), "1\n2\n");
        assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
        fs::rename(&path, directory.path().join("old")).unwrap();
        file.set(Some(&path));
        file.write(b"3");
        assert_eq!(fs::read_to_string(&path).unwrap(), "3\n");
        assert_eq!(file.fault(), None);
    }

    #[test]
    fn it_never_takes_more_than_twice_its_size() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("audit.jsonl");
        let mut file = at(&path);
        file.max_size = 1000;
        for number in 0..1000 {
            file.write(format!("{number:9}").as_bytes());
            let sizes = fs::read_dir(directory.path()).unwrap();
            let total: u64 = sizes.map(|entry| entry.unwrap().metadata().unwrap().len()).sum();
            assert!(total <= 2000, "{total} at {number}");
        }
        assert_eq!(fs::read_dir(directory.path()).unwrap().count(), 2);
        assert!(fs::read_to_string(&path).unwrap().ends_with("999\n"));
    }

    #[test]
    fn what_cannot_be_written_is_told_once_and_counted_and_tried_again() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("missing/audit.jsonl");
        let mut file = at(&path);
        file.write(b"1");
        file.write(b"2");
        assert_eq!(file.lost(), 2);
        assert!(file.take_untold().unwrap().contains("No such file"));
        assert_eq!(file.take_untold(), None);
        assert!(file.fault().is_some());
        fs::create_dir(directory.path().join("missing")).unwrap();
        file.write(b"3");
        assert_eq!((fs::read_to_string(&path).unwrap(), file.fault()), ("3\n".into(), None));
    }

    #[test]
    fn neither_a_link_nor_a_pipe_is_written_to() {
        let directory = tempfile::tempdir().unwrap();
        let (target, link) = (directory.path().join("target"), directory.path().join("link"));
        fs::write(&target, "").unwrap();
        std::os::unix::fs::symlink(&target, &link).unwrap();
        for path in [&link, Path::new("/dev/null")] {
            let mut file = at(path);
            file.write(b"1");
            assert!(file.fault().is_some(), "{}", path.display());
        }
        assert_eq!(fs::read_to_string(&target).unwrap(), "");
    }
}
