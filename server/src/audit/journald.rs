//! The journal daemon: events as entries with fields of their own.
//!
//! Where standard error leads to the journal anyway, its native protocol takes the place of the lines there; else every
//! event would be in it twice.

use std::io;
use std::os::fd::AsFd;
use std::os::unix::net::UnixDatagram;
use std::path::Path;

use rustix::fs::fstat;

use super::record::Record;

/// Where the journal daemon listens.
pub(super) const SOCKET: &str = "/run/systemd/journal/socket";

/// The journal daemon's socket.
#[derive(Debug)]
pub(super) struct Journald {
    socket: UnixDatagram,
}

impl Journald {
    /// The journal daemon, where `stream` (`JOURNAL_STREAM`, see systemd.exec(5)) says that standard error leads to it.
    pub(super) fn behind(stream: Option<&str>, output: impl AsFd, path: &Path) -> Option<Self> {
        let output = fstat(output).ok()?;
        if stream? != format!("{}:{}", output.st_dev, output.st_ino) {
            return None;
        }
        Self::connect(path).ok()
    }

    fn connect(path: &Path) -> io::Result<Self> {
        let socket = UnixDatagram::unbound()?;
        socket.connect(path)?;
        // A journal daemon that hangs holds up nothing.
        socket.set_nonblocking(true)?;
        Ok(Self { socket })
    }

    /// Sends a record: false where it did not get there.
    pub(super) fn send(&self, record: &Record) -> bool {
        self.socket.send(&record.to_journal()).is_ok()
    }
}

#[cfg(test)]
mod tests {
    use tracing::Level;

    use super::*;

    #[test]
    fn only_an_output_that_is_the_journals_is_replaced() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("socket");
        let daemon = UnixDatagram::bind(&path).unwrap();
        let (output, other) = (tempfile::tempfile().unwrap(), tempfile::tempfile().unwrap());
        let stat = fstat(&output).unwrap();
        let stream = format!("{}:{}", stat.st_dev, stat.st_ino);
        assert!(Journald::behind(None, &output, &path).is_none());
        assert!(Journald::behind(Some(&stream), &other, &path).is_none());
        assert!(Journald::behind(Some(&stream), &output, &directory.path().join("none")).is_none());
        let journald = Journald::behind(Some(&stream), &output, &path).unwrap();
        let record =
            Record { name: "opened".into(), level: Level::INFO, fields: Vec::new(), message: String::new() };
        assert!(journald.send(&record));
        let mut datagram = [0; 256];
        let len = daemon.recv(&mut datagram).unwrap();
        assert_eq!(datagram[..len], record.to_journal());
        drop(daemon);
        assert!(!journald.send(&record));
    }
}
