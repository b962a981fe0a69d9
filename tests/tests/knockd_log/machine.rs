//! A machine with a log file, a syslog daemon and names of its own.

use std::fs;
use std::io;
use std::net::UdpSocket;
use std::os::unix::fs::PermissionsExt;
use std::os::unix::net::UnixDatagram;
use std::path::PathBuf;
use std::process::Command;
use std::sync::Mutex;
use std::time::Duration;

use knock_spa_tests::lab::{Namespace, Running};
use knock_spad::config::settings::LogSettings;
use knock_spad::knockd_log::KnockdLog;
use rustix::fs::Mode;
use rustix::mount::{MountPropagationFlags, mount_bind, mount_bind_recursive, mount_change};
use rustix::thread::UnshareFlags;
use tempfile::TempDir;

/// Runs the rest of its arguments with the files of the directory `$1`, and with the umask `$2`.
const INSIDE: &str = r#"
    umask "$2"
    mount --bind /dev/null "$1/dev/null"
    mount --bind "$1/hosts" /etc/hosts
    mount --bind "$1/nsswitch.conf" /etc/nsswitch.conf
    mount --rbind "$1/dev" /dev
    shift 2
    "$@"
    exec sleep 1000
"#;

/// The names that the machine has for addresses.
const HOSTS: &str = "127.0.0.1 door-man.example.org alias\n::1 six_host\n";

/// Longer than a name is looked up in a file.
const SILENCE: Duration = Duration::from_millis(300);

/// A machine; dropping it removes its files.
#[derive(Debug)]
pub struct Machine {
    namespace: Namespace,
    directory: TempDir,
    umask: u32,
    syslog: UnixDatagram,
    datagrams: Mutex<Vec<Vec<u8>>>,
}

/// What was logged, without its times, escaped.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Log {
    file: Vec<String>,
    syslog: Vec<String>,
}

impl Machine {
    pub fn new(umask: u32) -> Self {
        let namespace = Namespace::new();
        namespace.run("ip link set lo up");
        let directory = TempDir::new().unwrap();
        let dev = directory.path().join("dev");
        fs::create_dir(&dev).unwrap();
        fs::write(dev.join("null"), "").unwrap();
        fs::write(directory.path().join("hosts"), HOSTS).unwrap();
        fs::write(directory.path().join("nsswitch.conf"), "hosts: files\n").unwrap();
        fs::write(directory.path().join("sequences"), " 7500:udp\n").unwrap();
        let syslog = UnixDatagram::bind(dev.join("log")).unwrap();
        syslog.set_nonblocking(true).unwrap();
        Self { namespace, directory, umask, syslog, datagrams: Mutex::default() }
    }

    pub fn path(&self, name: &str) -> PathBuf {
        self.directory.path().join(name)
    }

    /// Starts the real knockd with these doors; all that it starts ends with it.
    pub fn knockd(&self, doors: &str, options: &[&str]) -> Running {
        let head = format!("[options]\nusesyslog\nlogfile = {}\n", self.path("log").display());
        let doors = doors.replace('@', self.directory.path().to_str().unwrap());
        fs::write(self.path("knockd.conf"), head + &doors).unwrap();
        let mut command = Command::new("unshare");
        command.args(["--mount", "--propagation", "private", "--pid", "--fork", "--kill-child"]);
        command.args(["sh", "-e", "-c", INSIDE, "sh"]).arg(self.directory.path());
        command.arg(format!("{:o}", self.umask)).args(["knockd", "-i", "lo", "-c"]);
        self.namespace.spawn(command.arg(self.path("knockd.conf")).args(options))
    }

    /// Sends a datagram without contents from one of this machine's addresses to its first.
    pub fn knock(&self, from: &str, port: u16) {
        self.namespace.enter(|| {
            let socket = UdpSocket::bind((from, 0)).unwrap();
            let to = if from.contains(':') { "::1" } else { "127.0.0.1" };
            socket.send_to(b"", (to, port)).unwrap();
        });
    }

    /// Works with the machine's syslog, names, and umask.
    #[expect(
        deprecated,
        reason = "its one danger, unsharing descriptors, is not asked for; the other is unsafe"
    )]
    pub fn inside<T: Send>(&self, work: impl FnOnce() -> T + Send) -> T {
        self.namespace.enter(|| {
            rustix::thread::unshare(UnshareFlags::NEWNS).unwrap();
            mount_change("/", MountPropagationFlags::PRIVATE | MountPropagationFlags::REC).unwrap();
            mount_bind("/dev/null", self.path("dev/null")).unwrap();
            mount_bind(self.path("hosts"), "/etc/hosts").unwrap();
            mount_bind(self.path("nsswitch.conf"), "/etc/nsswitch.conf").unwrap();
            mount_bind_recursive(self.path("dev"), "/dev").unwrap();
            rustix::process::umask(Mode::from(self.umask));
            work()
        })
    }

    /// What is set for the log.
    pub fn settings(&self, lookup: bool) -> LogSettings {
        LogSettings { file: Some(self.path("log")), syslog: true, verbose: false, lookup }
    }

    /// Opens our log on this machine.
    pub fn open(&self, lookup: bool) -> KnockdLog {
        KnockdLog::open(&self.settings(lookup))
    }

    /// Waits until nothing in the log waits any more.
    pub fn settle(&self, log: &mut KnockdLog) {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build().unwrap();
        runtime.block_on(async {
            while tokio::time::timeout(SILENCE, log.ready()).await.is_ok() {
                self.receive();
            }
        });
    }

    /// What was logged so far.
    pub fn log(&self) -> Log {
        self.receive();
        let datagrams = self.datagrams.lock().unwrap();
        let syslog =
            datagrams.iter().map(|datagram| self.plain(datagram).split_off("<29>Nov 26 00:54:18 ".len()));
        let text = self.plain(&fs::read(self.path("log")).unwrap_or_default());
        let file = text.split("\\n").map(|line| match line.strip_prefix('[') {
            Some(rest) => rest.split_once("] ").expect("a time").1.to_owned(),
            None => line.to_owned(),
        });
        Log { file: file.collect(), syslog: syslog.collect() }
    }

    /// The lines that a syslog daemon makes of the datagrams.
    pub fn syslog_lines(&self) -> Vec<u8> {
        let (priority, time) = ("<29>".len(), "Nov 26 00:54:18 ".len());
        let datagrams = self.datagrams.lock().unwrap();
        let line = |datagram: &Vec<u8>| {
            let (time, told) = datagram[priority..].split_at(time);
            [time, b"host ", told.trim_ascii_end(), b"\n"].concat()
        };
        datagrams.iter().flat_map(line).collect()
    }

    /// The times of the first line in the file and of the first datagram, to the minute.
    pub fn times(&self) -> [String; 2] {
        let file = fs::read_to_string(self.path("log")).unwrap();
        let datagrams = self.datagrams.lock().unwrap();
        let datagram = datagrams.first().expect("a datagram").escape_ascii().to_string();
        [file["[".len()..][.."2026-11-26 00:54".len()].into(), datagram[.."<29>Nov 26 00:54".len()].into()]
    }

    /// The permissions of the log file.
    pub fn mode(&self) -> u32 {
        fs::metadata(self.path("log")).unwrap().permissions().mode() & 0o7777
    }

    fn receive(&self) {
        let mut bytes = [0; 4096];
        loop {
            match self.syslog.recv(&mut bytes) {
                Ok(len) => self.datagrams.lock().unwrap().push(bytes[..len].to_vec()),
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => return,
                Err(error) => panic!("receiving: {error}"),
            }
        }
    }

    fn plain(&self, bytes: &[u8]) -> String {
        bytes.escape_ascii().to_string().replace(self.directory.path().to_str().unwrap(), "@")
    }
}

/// The id of the daemon that `unshare` started in the foreground.
pub fn daemon_of(running: &Running) -> rustix::process::Pid {
    let child = |parent: i32| -> i32 {
        let children = fs::read_to_string(format!("/proc/{parent}/task/{parent}/children")).unwrap();
        children.split_whitespace().next().expect("a child").parse().unwrap()
    };
    let shell = child(running.pid().as_raw_nonzero().get());
    rustix::process::Pid::from_raw(child(shell)).unwrap()
}
