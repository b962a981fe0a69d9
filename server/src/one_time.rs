//! Sequences that are good once: a file with one in each line, where a `#` at the start of a line strikes it out.
//!
//! The current sequence is always the first that is not struck out, so that the file alone says how things stand,
//! also for knockd.

use std::fs::{self, File};
use std::io;
use std::os::unix::fs::{FileExt, MetadataExt};
use std::path::Path;

use knock_spa_proto::knock::Sequence;

use crate::config::knockd::usable_lines;
use crate::files::{self, Doing, FileError};

/// The longest file, in bytes: some fifty thousand sequences.
pub const MAX_FILE_LEN: u64 = 1 << 20;

/// How often a file may be replaced while a line of it is struck out.
const MAX_ATTEMPTS: usize = 3;

/// Opens a file to read and write it, and reads it: what the configuration's reader asks for.
///
/// # Errors
/// As the system says, and where it is no regular file of at most [`MAX_FILE_LEN`] bytes.
pub fn open(path: &Path) -> io::Result<Vec<u8>> {
    match files::open_to_change(path, MAX_FILE_LEN) {
        Ok((_, bytes)) => Ok(bytes),
        Err(FileError::System { error, .. }) => Err(error),
        Err(other) => Err(io::Error::other(other)),
    }
}

/// The current sequence of a file; none where all are used up.
///
/// # Errors
/// [`FileError::System`], [`FileError::NotAFile`] and [`FileError::TooLong`].
pub fn current(path: &Path) -> Result<Option<Sequence>, FileError> {
    let (_, bytes) = files::open_to_change(path, MAX_FILE_LEN)?;
    Ok(usable_lines(&bytes).next().map(|(_, sequence)| sequence))
}

/// Strikes out the first line that is the `used` sequence, durably, and returns what is the current sequence then.
/// A line that is not there any more needs no striking out.
///
/// # Errors
/// As [`current`]; the line may be as it was.
pub fn strike_out(path: &Path, used: &Sequence) -> Result<Option<Sequence>, FileError> {
    for _ in 0..MAX_ATTEMPTS {
        let (file, bytes) = files::open_to_change(path, MAX_FILE_LEN)?;
        let line = usable_lines(&bytes).find(|(_, sequence)| sequence == used);
        let Some((line, _)) = line else { return current(path) };
        let is_struck = strike(&file, line.offset, line.raw(), path)
            .map_err(FileError::while_trying(Doing::Write, path))?;
        if is_struck {
            return current(path);
        }
    }
    let error = io::Error::other("it is replaced again and again");
    Err(FileError::System { doing: Doing::Write, path: path.to_owned(), error })
}

/// Strikes out what is still this line of what is still this file; `false` where it is not.
fn strike(file: &File, offset: usize, line: &[u8], path: &Path) -> io::Result<bool> {
    let offset = u64::try_from(offset).map_err(io::Error::other)?;
    let mut found = vec![0; line.len()];
    match file.read_exact_at(&mut found, offset) {
        Ok(()) if found == line => {}
        Ok(()) => return Ok(false),
        Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => return Ok(false),
        Err(error) => return Err(error),
    }
    file.write_all_at(b"#", offset)?;
    file.sync_data()?;
    let (written, named) = (file.metadata()?, fs::metadata(path)?);
    Ok((written.dev(), written.ino()) == (named.dev(), named.ino()))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A file with these bytes, and its directory.
    fn file(bytes: impl AsRef<[u8]>) -> (tempfile::TempDir, std::path::PathBuf) {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("sequences");
        fs::write(&path, bytes).unwrap();
        (directory, path)
    }

    #[expect(clippy::needless_pass_by_value, reason = "what is shown is not needed any more")]
    fn shown(sequence: Option<Sequence>) -> String {
        let steps = |it: &Sequence| it.steps().iter().map(ToString::to_string).collect::<Vec<_>>().join(" ");
        sequence.as_ref().map_or_else(|| "none".into(), steps)
    }

    /// Uses the current sequence; what is current then, and what is in the file.
    fn use_one(path: &Path) -> (String, String) {
        let used = current(path).unwrap().unwrap();
        let next = shown(strike_out(path, &used).unwrap());
        (next, String::from_utf8_lossy(&fs::read(path).unwrap()).into_owned())
    }

    #[test]
    fn one_line_after_another_is_struck_out() {
        let (_directory, path) = file("# mine\n\n 1,2\n3,4:udp\r\n 5");
        assert_eq!(shown(current(&path).unwrap()), "1/tcp 2/tcp");
        assert_eq!(use_one(&path), ("3/tcp 4/udp".into(), "# mine\n\n#1,2\n3,4:udp\r\n 5".into()));
        assert_eq!(use_one(&path), ("5/tcp".into(), "# mine\n\n#1,2\n#,4:udp\r\n 5".into()));
        assert_eq!(use_one(&path), ("none".into(), "# mine\n\n#1,2\n#,4:udp\r\n#5".into()));
        assert_eq!(current(&path).unwrap(), None);
    }

    /// knockd strikes out the first line that is no comment, and so leaves the used one for whoever overheard it.
    #[test]
    fn lines_that_are_none_stay_as_they_are() {
        let (_directory, path) = file("70000\n 1:x\n 1,2\n 70000\n 3\n");
        assert_eq!(use_one(&path), ("3/tcp".into(), "70000\n 1:x\n#1,2\n 70000\n 3\n".into()));
        let (_directory, path) = file(b"\xff:x\n 9\n");
        assert_eq!(use_one(&path), ("none".into(), "\u{fffd}:x\n#9\n".into()));
    }

    #[test]
    fn a_long_line_is_struck_out_where_knockd_s_buffer_begins() {
        let long = format!("1:x{},7\n9\n", "y".repeat(4092));
        let (_directory, path) = file(&long);
        let (next, text) = use_one(&path);
        assert_eq!((next.as_str(), text), ("9/tcp", long.replace(",7", "#7")));
    }

    #[test]
    fn the_line_is_found_by_what_it_says() {
        let (_directory, path) = file(" 1,2\n 3\n");
        let used = current(&path).unwrap().unwrap();
        fs::write(&path, "# something new\n 7\n 1, 2 # moved\n 8\n").unwrap();
        assert_eq!(shown(strike_out(&path, &used).unwrap()), "7/tcp");
        assert_eq!(fs::read_to_string(&path).unwrap(), "# something new\n 7\n#1, 2 # moved\n 8\n");
        // Somebody else struck it out, or took it away.
        assert_eq!(shown(strike_out(&path, &used).unwrap()), "7/tcp");
        assert_eq!(fs::read_to_string(&path).unwrap(), "# something new\n 7\n#1, 2 # moved\n 8\n");
        fs::write(&path, "").unwrap();
        assert_eq!(strike_out(&path, &used).unwrap(), None);
    }

    #[test]
    fn a_sequence_that_stands_twice_is_good_twice() {
        let (_directory, path) = file(" 1,2\n 1,2\n");
        assert_eq!(use_one(&path), ("1/tcp 2/tcp".into(), "#1,2\n 1,2\n".into()));
        assert_eq!(use_one(&path), ("none".into(), "#1,2\n#1,2\n".into()));
    }

    #[test]
    fn a_line_that_changed_meanwhile_is_left_alone() {
        let (_directory, path) = file(" 1,2\n");
        let (opened, bytes) = files::open_to_change(&path, MAX_FILE_LEN).unwrap();
        for changed in [" 1,3\n", "", " 1,"] {
            fs::write(&path, changed).unwrap();
            assert!(!strike(&opened, 0, &bytes, &path).unwrap());
            assert_eq!(fs::read_to_string(&path).unwrap(), changed);
        }
    }

    #[test]
    fn a_file_that_was_replaced_meanwhile_is_noticed() {
        let (directory, path) = file(" 1,2\n");
        let (opened, bytes) = files::open_to_change(&path, MAX_FILE_LEN).unwrap();
        let newer = directory.path().join("newer");
        fs::write(&newer, " 1,2\n 3\n").unwrap();
        fs::rename(newer, &path).unwrap();
        assert!(!strike(&opened, 0, &bytes, &path).unwrap());
        assert_eq!(use_one(&path).1, "#1,2\n 3\n");
    }

    #[test]
    fn what_is_no_such_file_is_refused() {
        let directory = tempfile::tempdir().unwrap();
        let absent = directory.path().join("absent");
        assert!(current(&absent).unwrap_err().is_absent());
        assert_eq!(open(&absent).unwrap_err().raw_os_error(), Some(libc::ENOENT));
        assert_eq!(open(Path::new("")).unwrap_err().raw_os_error(), Some(libc::ENOENT));
        assert_eq!(open(directory.path()).unwrap_err().raw_os_error(), Some(libc::EISDIR));
        assert!(matches!(current(Path::new("/dev/null")), Err(FileError::NotAFile(_))));
        let long = file(vec![b' '; (1 << 20) + 1]);
        assert!(matches!(current(&long.1), Err(FileError::TooLong { .. })));
        assert!(open(&long.1).is_err());
        assert_eq!(open(&file(" 1\n").1).unwrap(), b" 1\n");
    }
}
