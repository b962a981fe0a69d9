//! The stage: three machines with our programs on them.

use std::env;
use std::fs;
use std::net::{IpAddr, SocketAddr};
use std::os::unix::fs::symlink;
use std::panic::resume_unwind;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::thread;
use std::time::Duration;

use knock_spa_proto::control::Status;
use knock_spa_tests::lab::{Answer, Host, PATIENCE, Running, Session, World, until};
use rustix::mount::{MountPropagationFlags, mount_bind, mount_change};
use rustix::thread::UnshareFlags;
use tempfile::TempDir;

/// How long an unanswered connection is waited for. An answer takes less than a thousandth of it.
pub const SILENCE: Duration = Duration::from_millis(500);

/// The port of the service, and of the door.
pub const PORT: u16 = 22;

/// The server's configuration, but for where its files are.
const CONFIGURATION: &str = r#"
[guard]
trusted  = []

[door.ssh]
ports    = ["tcp/22"]
open-for = "5s"
sequence = ["7000", "1984", "9000/udp"]
"#;

/// The machines and what runs on them.
pub struct Scene {
    /// The network.
    pub world: World,
    directory: TempDir,
    /// Where our programs are found by name.
    path: String,
    daemon: Option<Running>,
}

impl Scene {
    /// Lays out the network and the files.
    pub fn new() -> Self {
        let directory = TempDir::new().expect("a directory for files");
        let programs = env::current_exe().expect("an executable of our own");
        let programs = programs.parent().expect("it lies somewhere");
        for program in ["knock-spad", "knock-spa"] {
            assert!(programs.join(program).exists(), "{program} is missing in {}", programs.display());
        }
        let bin = directory.path().join("bin");
        fs::create_dir(&bin).expect("a directory for programs");
        symlink(programs.join("knock-spa"), bin.join("knock")).expect("the client's other name");
        let path = format!("{}:{}:/usr/bin:/bin", bin.display(), programs.display());
        own_names(directory.path());
        let scene = Self { world: World::new(), directory, path, daemon: None };
        scene.write_configuration();
        scene
    }

    fn write_configuration(&self) {
        let home = self.home("gw");
        let paths = ["key", "clients", "state", "runtime"]
            .map(|name| format!("{name} = \"{}\"\n", home.join(name).display()));
        let text = format!("[paths]\n{}{CONFIGURATION}", paths.concat());
        fs::write(home.join("gw.toml"), text).expect("writing a file");
    }

    /// The lines of the configuration that matter here.
    pub fn configuration() -> impl Iterator<Item = &'static str> {
        CONFIGURATION.trim().lines()
    }

    /// What `sh` prints, on either output, for a line typed at a machine.
    pub fn sh(&self, machine: &str, line: &str) -> String {
        let script = format!("exec 2>&1; {line}");
        let mut command = Command::new("sh");
        command.args(["-e", "-c", &script]).stdin(Stdio::null());
        self.at(machine, &mut command);
        let output = self.host(machine).enter(|| command.output()).expect("running sh");
        let text = String::from_utf8_lossy(&output.stdout).into_owned();
        assert!(output.status.success(), "`{line}` failed: {}\n{text}", output.status);
        text
    }

    /// Starts the daemon and waits until it listens.
    pub fn start_daemon(&mut self) {
        let mut command = Command::new("knock-spad");
        command.args(["--config", "gw.toml", "run"]);
        self.at("gw", &mut command);
        self.daemon = Some(self.world.server.spawn(&mut command));
        until(PATIENCE, "the daemon to be ready", || {
            self.try_status().is_some_and(|status| status.listener.ready)
        });
    }

    /// Stops the daemon, in good order.
    pub fn stop_daemon(&mut self) {
        let mut daemon = self.daemon.take().expect("it runs");
        daemon.signal(rustix::process::Signal::TERM);
        let status = daemon.wait();
        assert!(status.success(), "the daemon ended: {status}\n{}", daemon.output());
    }

    /// What the daemon says of itself.
    pub fn status(&self) -> Status {
        self.try_status().expect("the daemon tells its status")
    }

    fn try_status(&self) -> Option<Status> {
        let mut command = Command::new("knock-spad");
        command.args(["--config", "gw.toml", "status", "--json"]);
        self.at("gw", &mut command);
        let output = self.world.server.enter(|| command.output()).expect("running knock-spad");
        output.status.success().then(|| serde_json::from_slice(&output.stdout).expect("a status"))
    }

    /// Waits until what the daemon says of itself is so.
    pub fn await_status(&self, what: &str, holds: impl Fn(&Status) -> bool) {
        until(PATIENCE, what, || holds(&self.status()));
    }

    /// The door's addresses: IPv4, IPv6.
    pub fn doors(&self) -> [SocketAddr; 2] {
        self.world.server.addresses().map(|ip: IpAddr| SocketAddr::new(ip, PORT))
    }

    /// Sees that the door answers nothing at all to a machine, in either family.
    pub fn see_silence(&self, machine: &str) {
        let host = self.host(machine);
        let answers = thread::scope(|scope| {
            let asked = self.doors().map(|door| scope.spawn(move || host.connect(door, SILENCE)));
            asked.map(|asked| asked.join().unwrap_or_else(|panic| resume_unwind(panic)))
        });
        assert_eq!(answers, [Answer::Silent; 2], "what {machine} met at tcp/{PORT} (IPv4, IPv6)");
    }

    /// Sees that the service answers a machine, in either family; the sessions.
    pub fn see_service(&self, machine: &str) -> [Session; 2] {
        let mut sessions = self.doors().map(|door| Session::open(self.host(machine), door));
        sessions.iter_mut().for_each(see_echo);
        sessions
    }

    /// The machine of this name.
    pub fn host(&self, machine: &str) -> &Host {
        match machine {
            "gw" => &self.world.server,
            "laptop" => &self.world.laptop,
            "stranger" => &self.world.stranger,
            _ => panic!("there is no machine {machine}"),
        }
    }

    /// Makes it a command of somebody who sits at a machine.
    fn at(&self, machine: &str, command: &mut Command) {
        let home = self.home(machine);
        command.env_clear().env("PATH", &self.path).env("HOME", &home).env("USER", machine).current_dir(home);
    }

    fn home(&self, machine: &str) -> PathBuf {
        let home = self.directory.path().join(machine);
        fs::create_dir_all(&home).expect("a home directory");
        home
    }
}

impl Drop for Scene {
    fn drop(&mut self) {
        if let Some(daemon) = self.daemon.as_ref().filter(|_| thread::panicking()) {
            print!("\nThe daemon's log:\n{}\n", daemon.output());
        }
    }
}

/// Sees that a session with the service is alive.
pub fn see_echo(session: &mut Session) {
    assert!(session.echoes(PATIENCE), "the service did not answer {}", session.local());
}

/// Gives this process, and what it starts, a name for the server that nobody else sees.
fn own_names(directory: &Path) {
    #[expect(deprecated, reason = "its danger, unsharing descriptors, is not asked for")]
    rustix::thread::unshare(UnshareFlags::NEWNS)
        .expect("leaving the mounts of everybody else, as tests/demo may");
    mount_change("/", MountPropagationFlags::PRIVATE | MountPropagationFlags::REC).expect("private mounts");
    for (file, text) in [
        ("/etc/hosts", "127.0.0.1 localhost\n192.0.2.1 gw\n2001:db8:1::1 gw\n"),
        // Nobody else is to be asked, and both lines count.
        ("/etc/nsswitch.conf", "hosts: files\n"),
        ("/etc/host.conf", "multi on\n"),
    ] {
        let ours = directory.join(file.rsplit('/').next().unwrap_or(file));
        fs::write(&ours, text).expect("writing a file");
        if Path::new(file).exists() {
            mount_bind(&ours, file).unwrap_or_else(|error| panic!("mounting over {file}: {error}"));
        }
    }
}
