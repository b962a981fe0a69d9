//! Syslog, as the C library sends to it.

use std::collections::VecDeque;
use std::io;
use std::os::unix::net::UnixDatagram;
use std::path::Path;

use jiff::civil::DateTime;

/// Where the syslog daemon of this machine receives.
pub(super) const SOCKET: &str = "/dev/log";

/// Facility daemon, severity notice.
const PRIORITY: u8 = 3 << 3 | 5;

/// Lines that wait for a syslog daemon which does not keep up.
const MAX_BACKLOG: usize = 512;

const MONTHS: [&str; 12] =
    ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"];

/// Lines on their way to syslog. Those that cannot go, since no daemon is there or too many wait, are lost.
#[derive(Debug)]
pub(super) struct Syslog {
    path: &'static Path,
    socket: Option<UnixDatagram>,
    backlog: VecDeque<Vec<u8>>,
}

/// What became of a line.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Sent {
    /// The daemon has it, or there is no daemon.
    Gone,
    /// The daemon's queue is full.
    NotYet,
}

impl Syslog {
    pub(super) fn new(path: &'static str) -> Self {
        Self { path: Path::new(path), socket: None, backlog: VecDeque::new() }
    }

    /// Takes a line to be sent.
    pub(super) fn push(&mut self, message: &[u8], at: DateTime) {
        if self.backlog.len() < MAX_BACKLOG {
            self.backlog.push_back(datagram(message, at));
        }
    }

    /// Sends the lines that the daemon takes without waiting.
    pub(super) fn send(&mut self) {
        while let Some(line) = self.backlog.pop_front() {
            if self.send_one(&line) == Sent::NotYet {
                self.backlog.push_front(line);
                return;
            }
        }
    }

    /// Whether lines wait.
    pub(super) fn is_behind(&self) -> bool {
        !self.backlog.is_empty()
    }

    fn send_one(&mut self, line: &[u8]) -> Sent {
        // A socket from before a restart of the daemon leads nowhere.
        if let Some(socket) = &self.socket {
            match socket.send(line) {
                Ok(_) => return Sent::Gone,
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => return Sent::NotYet,
                Err(_) => self.socket = None,
            }
        }
        let outcome = connect(self.path).and_then(|socket| self.socket.insert(socket).send(line));
        match outcome {
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => Sent::NotYet,
            Err(error) => {
                tracing::debug!(event = "no-syslog", %error);
                Sent::Gone
            }
            Ok(_) => Sent::Gone,
        }
    }
}

fn connect(path: &Path) -> io::Result<UnixDatagram> {
    let socket = UnixDatagram::unbound()?;
    socket.set_nonblocking(true)?;
    socket.connect(path)?;
    Ok(socket)
}

fn datagram(message: &[u8], at: DateTime) -> Vec<u8> {
    let month = usize::try_from(at.month()).ok().and_then(|month| MONTHS.get(month.checked_sub(1)?));
    let head = format!(
        "<{PRIORITY}>{} {:2} {:02}:{:02}:{:02} knockd: ",
        month.unwrap_or(&"Jan"),
        at.day(),
        at.hour(),
        at.minute(),
        at.second()
    );
    [head.as_bytes(), message].concat()
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::time::Duration;

    use jiff::civil::datetime;
    use tempfile::TempDir;

    use super::*;

    const AT: DateTime = datetime(2026, 1, 2, 3, 4, 5, 0);

    fn place() -> (TempDir, &'static str) {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("log").into_os_string().into_string().unwrap();
        (directory, path.leak())
    }

    fn daemon(path: &str) -> UnixDatagram {
        let daemon = UnixDatagram::bind(path).unwrap();
        daemon.set_read_timeout(Some(Duration::from_secs(10))).unwrap();
        daemon
    }

    fn receive(daemon: &UnixDatagram) -> String {
        let mut bytes = [0; 2048];
        let len = daemon.recv(&mut bytes).unwrap();
        String::from_utf8(bytes[..len].to_vec()).unwrap()
    }

    fn say(syslog: &mut Syslog, message: &str) {
        syslog.push(message.as_bytes(), AT);
        syslog.send();
    }

    #[test]
    fn a_line_has_priority_time_and_name() {
        let (_directory, path) = place();
        let daemon = daemon(path);
        let mut syslog = Syslog::new(path);
        say(&mut syslog, "192.0.2.1: ssh: sequence timeout (stage 1)\n");
        let expected = "<29>Jan  2 03:04:05 knockd: 192.0.2.1: ssh: sequence timeout (stage 1)\n";
        assert_eq!(receive(&daemon), expected);
        let december = datagram(b"x", datetime(2026, 12, 31, 23, 59, 59, 0));
        assert_eq!(december, b"<29>Dec 31 23:59:59 knockd: x");
    }

    #[test]
    fn a_daemon_that_starts_again_is_found() {
        let (_directory, path) = place();
        let mut syslog = Syslog::new(path);
        say(&mut syslog, "there is none yet");
        assert!(!syslog.is_behind());
        for _ in 0..2 {
            let daemon = daemon(path);
            say(&mut syslog, "told");
            assert!(receive(&daemon).ends_with("knockd: told"));
            fs::remove_file(path).unwrap();
        }
    }

    #[test]
    fn a_daemon_that_is_stuck_holds_up_nobody() {
        let (_directory, path) = place();
        let daemon = daemon(path);
        let mut syslog = Syslog::new(path);
        let total = 10_000;
        (0..total).for_each(|count| say(&mut syslog, &count.to_string()));
        assert!(syslog.is_behind());
        assert_eq!(syslog.backlog.len(), MAX_BACKLOG);
        let mut count = 0;
        while syslog.is_behind() {
            let line = receive(&daemon);
            assert_eq!(line, format!("<29>Jan  2 03:04:05 knockd: {count}"));
            count += 1;
            syslog.send();
        }
    }
}
