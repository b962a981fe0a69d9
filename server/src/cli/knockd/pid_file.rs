//! The file that says which process the daemon in the background is.

use std::fs::{self, File};
use std::io::{self, Write};
use std::path::{Path, PathBuf};

/// A file that is there for as long as this is.
#[derive(Debug)]
pub(super) struct PidFile(PathBuf);

impl PidFile {
    /// Writes the file, in place of what it held before, as knockd does.
    pub(super) fn write(path: &Path) -> io::Result<Self> {
        let mut file = File::create(path)?;
        writeln!(file, "{}", std::process::id())?;
        Ok(Self(std::path::absolute(path)?))
    }
}

impl Drop for PidFile {
    fn drop(&mut self) {
        // Another daemon may have taken our place already.
        let own = std::process::id().to_string();
        if fs::read_to_string(&self.0).is_ok_and(|text| text.trim_end() != own) {
            return;
        }
        if let Err(error) = fs::remove_file(&self.0) {
            tracing::debug!(event = "pid-file-left", %error);
        }
    }
}
