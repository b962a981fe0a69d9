//! The file.

use std::fs::{File, OpenOptions};
use std::io::{self, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;

use jiff::civil::DateTime;

/// The file that lines are appended to; where there is none, they go nowhere.
#[derive(Debug, Default)]
pub(super) struct LogFile {
    file: Option<File>,
    /// Whether the last line broke off, as on a full disk.
    torn: bool,
}

impl LogFile {
    /// Opens a file, or makes it as the umask says. A pipe or a terminal holds up nobody, and never becomes the
    /// terminal of this process.
    pub(super) fn open(path: &Path) -> io::Result<Self> {
        let mut options = OpenOptions::new();
        options.append(true).create(true).custom_flags(libc::O_NONBLOCK | libc::O_NOCTTY);
        Ok(Self { file: Some(options.open(path)?), torn: false })
    }

    /// Appends a line in one piece. A line that does not fit on the disk is lost, and the daemon goes on.
    pub(super) fn write(&mut self, message: &[u8], at: DateTime) {
        let Some(file) = &mut self.file else { return };
        let line = line(message, at, self.torn);
        match file.write(&line) {
            Ok(0) => {}
            Ok(count) => self.torn = count < line.len(),
            Err(error) => tracing::debug!(event = "not-logged", %error),
        }
    }
}

fn line(message: &[u8], at: DateTime, after_torn: bool) -> Vec<u8> {
    let time =
        format!("[{:04}-{:02}-{:02} {:02}:{:02}] ", at.year(), at.month(), at.day(), at.hour(), at.minute());
    let begin: &[u8] = if after_torn { b"\n" } else { b"" };
    [begin, time.as_bytes(), message, b"\n"].concat()
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::os::unix::fs::PermissionsExt;

    use jiff::civil::datetime;

    use super::*;

    const AT: DateTime = datetime(2026, 1, 2, 3, 4, 59, 0);

    #[test]
    fn lines_are_appended_with_the_minute() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("log");
        fs::write(&path, "before\n").unwrap();
        let mut log = LogFile::open(&path).unwrap();
        log.write(b"one", AT);
        log.write(b"two\n", AT);
        let text = fs::read_to_string(&path).unwrap();
        assert_eq!(text, "before\n[2026-01-02 03:04] one\n[2026-01-02 03:04] two\n\n");
    }

    #[test]
    fn a_line_after_a_torn_one_begins_anew() {
        assert_eq!(line(b"x", AT, true), b"\n[2026-01-02 03:04] x\n");
    }

    #[test]
    fn a_full_disk_is_survived() {
        let mut log = LogFile::open(Path::new("/dev/full")).unwrap();
        log.write(b"lost", AT);
        assert!(!log.torn);
        LogFile::default().write(b"nowhere", AT);
    }

    #[test]
    fn a_pipe_without_readers_holds_up_nobody() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("fifo");
        rustix::fs::mkfifoat(rustix::fs::CWD, &path, 0o600.into()).unwrap();
        assert!(LogFile::open(&path).is_err());
        let _reader = File::options().read(true).custom_flags(libc::O_NONBLOCK).open(&path).unwrap();
        let mut log = LogFile::open(&path).unwrap();
        (0..10_000).for_each(|_| log.write(b"more than it takes", AT));
    }

    #[test]
    fn a_new_file_has_what_the_umask_leaves() {
        let directory = tempfile::tempdir().unwrap();
        let [ours, plain] = ["ours", "plain"].map(|name| directory.path().join(name));
        LogFile::open(&ours).unwrap();
        File::create(&plain).unwrap();
        let mode = |path| fs::metadata(path).unwrap().permissions().mode();
        assert_eq!(mode(ours), mode(plain));
    }
}
