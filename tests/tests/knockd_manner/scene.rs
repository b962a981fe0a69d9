//! Two machines on a cable, one of which has files of its own.

use std::fs;
use std::net::{IpAddr, SocketAddr};
use std::os::unix::fs::PermissionsExt;
use std::path::PathBuf;
use std::process::Command;
use std::sync::atomic::{AtomicU16, Ordering};
use std::time::Duration;

use knock_spa_tests::lab::{Host, Namespace, PATIENCE, Segment, until};
use tempfile::TempDir;

/// Runs the rest of its arguments with the directories of `$0` in place of the machine's: nothing of that changes.
const INSIDE: &str = r#"
    mount --bind "$0/lib" /var/lib
    mount --bind "$0/run" /run
    mount --bind "$0/knockd.conf" /etc/knockd.conf
    exec "$@"
"#;

/// The same where nothing can be kept.
const INSIDE_READ_ONLY: &str = r#"
    mount --bind "$0/lib" /var/lib
    mount -o remount,bind,ro /var/lib
    exec "$@"
"#;

/// The server and whoever knocks:
///
/// ```text
///   laptop                                server
///   192.0.2.2      eth0 ─────────── eth0  192.0.2.1
///   2001:db8:1::2                         2001:db8:1::1
/// ```
pub struct Scene {
    pub laptop: Host,
    pub server: Host,
    directory: TempDir,
}

impl Scene {
    /// The two machines, and a configuration for the daemon; `DIR` in it stands for the directory of its files.
    pub fn new(configuration: &str) -> Self {
        let scene = Self::bare(configuration);
        scene.lay_cable("eth0", "192.0.2", "2001:db8:1:");
        scene
    }

    /// The same without a cable.
    pub fn bare(configuration: &str) -> Self {
        let host = |v4: &str, v6: &str| {
            let namespace = Namespace::new();
            namespace.run("ip link set lo up");
            Host { namespace, v4: v4.parse().unwrap(), v6: v6.parse().unwrap() }
        };
        let laptop = host("192.0.2.2", "2001:db8:1::2");
        let server = host("192.0.2.1", "2001:db8:1::1");
        let scene = Self { laptop, server, directory: TempDir::new().unwrap() };
        for directory in ["lib", "run", "work"] {
            fs::create_dir(scene.path(directory)).unwrap();
        }
        fs::create_dir(scene.path("lib/misc")).unwrap();
        scene.configure(configuration);
        scene
    }

    /// Lays a cable between interfaces of one name, with `.1` and `:1` at the server's end and `.2` and `:2` at the
    /// other.
    pub fn lay_cable(&self, name: &str, v4: &str, v6: &str) {
        self.server.sh(&format!(
            "ip link add {name} type veth peer name {name} netns {}
             ip addr add {v4}.1/24 dev {name}
             ip addr add {v6}:1/64 dev {name} nodad
             ip link set {name} up",
            self.laptop.path()
        ));
        self.laptop.sh(&format!(
            "ip link set {name} up
             ip addr add {v4}.2/24 dev {name}
             ip addr add {v6}:2/64 dev {name} nodad"
        ));
        self.await_carrier(name);
    }

    /// Waits until both ends of a cable are up.
    pub fn await_carrier(&self, name: &str) {
        let line = format!("ip -o link show dev {name}");
        until(PATIENCE, "the cable", || self.server.run(&line).contains("LOWER_UP"));
    }

    /// A path in the directory.
    pub fn path(&self, name: &str) -> PathBuf {
        self.directory.path().join(name)
    }

    /// The text with the directory in place of `DIR`.
    pub fn filled(&self, text: &str) -> String {
        text.replace("DIR", self.directory.path().to_str().unwrap())
    }

    /// Writes the daemon's configuration, which nobody else may read.
    pub fn configure(&self, text: &str) {
        self.write("knockd.conf", text);
        fs::set_permissions(self.path("knockd.conf"), fs::Permissions::from_mode(0o600)).unwrap();
    }

    /// Writes a file into the directory.
    pub fn write(&self, name: &str, text: &str) {
        fs::write(self.path(name), self.filled(text)).unwrap();
    }

    /// What a file holds; nothing where there is none.
    pub fn read(&self, name: &str) -> String {
        fs::read_to_string(self.path(name)).unwrap_or_default()
    }

    /// What commands have written into `DIR/notes`, without the times of [`Note`].
    pub fn notes(&self) -> Vec<String> {
        self.read("notes").lines().map(|line| line.split(" @").next().unwrap().to_owned()).collect()
    }

    /// Waits until the notes are these.
    #[track_caller]
    pub fn await_notes(&self, notes: &[&str]) {
        until(PATIENCE, &format!("the notes {notes:?}"), || {
            assert!(self.notes().len() <= notes.len(), "{:?} instead of {notes:?}", self.notes());
            self.notes() == notes
        });
    }

    /// When a note was written, in seconds.
    #[track_caller]
    pub fn noted_at(&self, note: &str) -> f64 {
        let notes = self.read("notes");
        let line = notes.lines().find_map(|line| line.strip_prefix(note)?.strip_prefix(" @"));
        line.unwrap_or_else(|| panic!("no {note} in {notes}")).parse().unwrap()
    }

    /// A program on the server, with the files that are there.
    pub fn inside(&self, program: &str) -> Command {
        self.inside_of(INSIDE, program)
    }

    /// The same where `/var/lib` can't be written to.
    pub fn inside_read_only(&self, program: &str) -> Command {
        self.inside_of(INSIDE_READ_ONLY, program)
    }

    fn inside_of(&self, script: &str, program: &str) -> Command {
        let mut command = Command::new("unshare");
        command.args(["--mount", "--propagation", "private", "sh", "-e", "-c", script]);
        command.arg(self.directory.path()).arg(program).current_dir(self.path("work"));
        command
    }

    /// Sends a SYN to each of the ports, or a datagram to those with `:udp`, which only a true address can send.
    pub fn knock_at(&self, from: IpAddr, to: IpAddr, ports: &str) {
        for step in ports.split(' ') {
            if let Some(port) = step.strip_suffix(":udp") {
                let to = SocketAddr::new(to, port.parse().unwrap());
                self.laptop.send_udp(SocketAddr::new(from, 0), to, b"?");
            } else {
                let to = SocketAddr::new(to, step.parse().unwrap());
                let (from, flags) = (SocketAddr::new(from, source_port()), Segment::SYN);
                self.laptop.send(&Segment { from, to, flags, fragmented: false });
            }
        }
    }

    /// The same to the server's address of that family.
    pub fn knock(&self, from: &str, ports: &str) {
        let from: IpAddr = from.parse().unwrap();
        self.knock_at(from, self.server.address_like(from), ports);
    }

    /// Has somebody else knock, and waits until that has opened: all that was knocked before has been dealt with.
    #[track_caller]
    pub fn flush(&self, from: &str, ports: &str, note: &str) {
        self.knock(from, ports);
        self.await_note(note);
    }

    /// Waits until a note is there.
    #[track_caller]
    pub fn await_note(&self, note: &str) {
        until(PATIENCE, &format!("a note {note}"), || self.notes().iter().any(|found| found == note));
    }
}

/// A port that no recent knock came from: no two of them are the same packet.
fn source_port() -> u16 {
    static KNOCKS: AtomicU16 = AtomicU16::new(0);
    40_000 + KNOCKS.fetch_add(1, Ordering::Relaxed) % 20_000
}

/// A command that notes a word, who knocked, and when.
pub fn note(word: &str) -> String {
    format!("echo {word} %IP% @$(date +%s.%N) >> DIR/notes")
}

/// A door of this name that a sequence opens, which notes `start` and `stop` and has further lines.
pub fn door(name: &str, sequence: &str, more: &str) -> String {
    let (start, stop) = (note(&format!("{name} start")), note(&format!("{name} stop")));
    format!(
        "[{name}]\nsequence = {sequence}\ntcpflags = syn\nstart_command = {start}\nstop_command = {stop}\n{more}\n"
    )
}

/// Lets so much time pass: it is what the test is about.
pub fn pass(span: Duration) {
    std::thread::sleep(span);
}
