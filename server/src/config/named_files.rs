//! The files that a configuration names, and that are part of what it says.

use std::fs::OpenOptions;
use std::io::{self, Read};
use std::os::unix::fs::{MetadataExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

use crate::config::knockd;
use crate::one_time;

/// Where the files are that a configuration names.
pub trait NamedFiles {
    /// The bytes of a file in knockd's dialect, and its permission bits.
    ///
    /// # Errors
    /// What the system says.
    fn knockd(&mut self, path: &Path) -> io::Result<(Vec<u8>, u32)>;

    /// The bytes of a file of one-time sequences, which the daemon will also write.
    ///
    /// # Errors
    /// What the system says.
    fn one_time(&mut self, path: &Path) -> io::Result<Vec<u8>>;
}

/// The files of this machine.
#[derive(Clone, Debug)]
pub struct OnDisk {
    /// Where relative paths begin; empty is the current directory.
    pub base: PathBuf,
}

impl NamedFiles for OnDisk {
    /// A directory reads as empty, as with knockd.
    fn knockd(&mut self, path: &Path) -> io::Result<(Vec<u8>, u32)> {
        let path = self.base.join(path);
        let file = OpenOptions::new().read(true).custom_flags(libc::O_NONBLOCK).open(path)?;
        let metadata = file.metadata()?;
        let mut bytes = Vec::new();
        if !metadata.is_dir() {
            // One more than allowed tells what is too long from what just fits.
            file.take(knockd::MAX_FILE_LEN.saturating_add(1)).read_to_end(&mut bytes)?;
        }
        if u64::try_from(bytes.len()).is_ok_and(|len| len > knockd::MAX_FILE_LEN) {
            return Err(io::ErrorKind::FileTooLarge.into());
        }
        Ok((bytes, metadata.mode() & 0o7777))
    }

    fn one_time(&mut self, path: &Path) -> io::Result<Vec<u8>> {
        one_time::open(&self.base.join(path))
    }
}
