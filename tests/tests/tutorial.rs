//! The tutorial that most people have set their knockd up by, as they would follow it: a firewall of iptables that
//! netfilter-persistent keeps, port 22 rejected, and the default sequence that opens it for a while. It is followed with
//! knockd, and again with its successor in its place.

use std::fs;
use std::net::SocketAddr;
use std::os::unix::fs::symlink;
use std::path::Path;
use std::process::Command;
use std::time::Duration;

use knock_spa_tests::knockd::daemon::Daemon;
use knock_spa_tests::lab::{Answer, Echo, Namespace, PATIENCE, Running, until};
use knock_spa_tests::programs::knock_spa;
use tempfile::TempDir;

/// The server has its address as an alias, as an OpenVZ container has.
const ALIAS: &str = "venet0:0";
const HOST: &str = "192.0.2.1";

/// Whoever is not let in meets a refusal or silence within this.
const SOON: Duration = Duration::from_millis(300);

const FIREWALL: &str = "
    iptables -A INPUT -i lo -j ACCEPT
    iptables -A INPUT -m conntrack --ctstate ESTABLISHED,RELATED -j ACCEPT
    iptables -A INPUT -p tcp --dport 80 -j ACCEPT
    iptables -A INPUT -p tcp --dport 443 -j ACCEPT
    iptables -A INPUT -p tcp --dport 22 -j REJECT
    iptables -A INPUT -j DROP";

/// Debian's file, with `-I INPUT` for `-A`, a log file, and a door that closes by itself, soon.
const CONFIGURATION: &str = "[options]
	UseSyslog
	LogFile = DIR/knockd.log

[openSSH]
	sequence    = 7000,8000,9000
	seq_timeout = 5
	command     = /sbin/iptables -I INPUT -s %IP% -p tcp --dport 22 -j ACCEPT
	tcpflags    = syn

[closeSSH]
	sequence    = 9000,8000,7000
	seq_timeout = 5
	command     = /sbin/iptables -D INPUT -s %IP% -p tcp --dport 22 -j ACCEPT
	tcpflags    = syn

[SSH]
	sequence      = 7001,8001,9001
	seq_timeout   = 5
	tcpflags      = syn
	start_command = /sbin/iptables -I INPUT -s %IP% -p tcp --dport 22 -j ACCEPT
	cmd_timeout   = 2
	stop_command  = /sbin/iptables -D INPUT -s %IP% -p tcp --dport 22 -j ACCEPT
";

/// What `/etc/default/knockd` says.
const KNOCKD_OPTS: &str = "-i venet0:0";

/// A server after the tutorial, and somebody's laptop.
struct Scene {
    laptop: Namespace,
    server: Namespace,
    directory: TempDir,
    daemon: Daemon,
    services: [Echo; 3],
}

impl Scene {
    fn new(daemon: Daemon) -> Self {
        let (laptop, server) = (Namespace::new(), Namespace::new());
        server.sh(&format!(
            "ip link set lo up
             ip link add venet0 type veth peer name eth0 netns {}
             ip link set venet0 up
             ip addr add 127.0.0.2/32 dev venet0
             ip addr add {HOST}/24 dev venet0 label {ALIAS}",
            laptop.path()
        ));
        laptop.sh("ip link set lo up; ip link set eth0 up; ip addr add 192.0.2.2/24 dev eth0");
        until(PATIENCE, "the cable", || server.run("ip -o link show dev venet0").contains("LOWER_UP"));
        let services = [22, 80, 443].map(|port| Echo::tcp(&server, port));
        let directory = TempDir::new().unwrap();
        let scene = Self { laptop, server, directory, daemon, services };
        let text = CONFIGURATION.replace("DIR", scene.path().to_str().unwrap());
        fs::write(scene.path().join("knockd.conf"), text).unwrap();
        fs::create_dir(scene.path().join("etc-iptables")).unwrap();
        scene.server.sh(FIREWALL);
        scene.persistent("save");
        scene
    }

    fn path(&self) -> &Path {
        self.directory.path()
    }

    /// Runs netfilter-persistent with a directory of the test's own for /etc/iptables.
    fn persistent(&self, word: &str) {
        let own = self.path().join("etc-iptables");
        let script = format!(
            "mkdir -p /etc/iptables && mount --bind {} /etc/iptables && netfilter-persistent {word}",
            own.display()
        );
        let mut command = Command::new("unshare");
        command.args(["--mount", "--propagation", "private", "sh", "-e", "-c", &script]);
        self.server.run_command(&mut command, "");
    }

    fn start(&self) -> Running {
        let mut command = self.daemon.command(self.path());
        command.args(KNOCKD_OPTS.split(' ')).arg("-v").arg("-c").arg(self.path().join("knockd.conf"));
        let mut running = self.server.spawn(&mut command);
        running.await_output("listening on");
        until(PATIENCE, "the first line of the log", || self.log().contains("starting up, listening on"));
        running
    }

    fn log(&self) -> String {
        fs::read_to_string(self.path().join("knockd.log")).unwrap_or_default()
    }

    /// `knock -v HOST PORT…`, with the client of whose daemon it is.
    fn knock(&self, ports: &str) {
        let program = match self.daemon {
            Daemon::Knockd => "/usr/bin/knock".into(),
            Daemon::Ours => {
                let link = self.path().join("knock");
                if !link.exists() {
                    symlink(knock_spa(), &link).unwrap();
                }
                link
            }
        };
        let mut command = Command::new(program);
        command.args(["-v", "-d", "20", HOST]).args(ports.split(' '));
        let said = self.laptop.run_command(&mut command, "");
        assert_eq!(said.lines().count(), 3, "{said}");
        assert!(said.starts_with(&format!("hitting tcp {HOST}:")), "{said}");
    }

    fn reaches(&self, port: u16) -> Answer {
        self.laptop.connect(SocketAddr::new(HOST.parse().unwrap(), port), SOON)
    }

    /// How many rules let the laptop in.
    fn openings(&self) -> usize {
        self.server.run("iptables -S INPUT").matches("-s 192.0.2.2/32").count()
    }

    fn await_openings(&self, count: usize) {
        until(PATIENCE, &format!("{count} rules for the laptop"), || self.openings() == count);
    }
}

fn follow(daemon: Daemon) {
    let scene = Scene::new(daemon);
    assert_eq!(scene.services.len(), 3);
    assert_eq!(scene.reaches(22), Answer::Refused, "it is rejected");
    assert_eq!((scene.reaches(80), scene.reaches(443)), (Answer::Open, Answer::Open));
    assert_eq!(scene.reaches(8000), Answer::Silent);
    let _running = scene.start();

    scene.knock("7000 8000 9000");
    scene.await_openings(1);
    assert_eq!(scene.reaches(22), Answer::Open, "ssh HOST");
    scene.knock("9000 8000 7000");
    scene.await_openings(0);
    assert_eq!(scene.reaches(22), Answer::Refused);

    // The door that closes by itself, with the rules saved and loaded again meanwhile.
    scene.knock("7001 8001 9001");
    scene.await_openings(1);
    assert_eq!(scene.reaches(22), Answer::Open);
    scene.persistent("save");
    scene.persistent("reload");
    assert_eq!(scene.openings(), 1);
    scene.await_openings(0);
    assert_eq!(scene.reaches(22), Answer::Refused, "nothing is open afterwards");
    until(PATIENCE, "the log", || scene.log().contains("SSH: running command: /sbin/iptables -D INPUT"));
    for line in
        ["192.0.2.2: openSSH: Stage 1", "192.0.2.2: SSH: OPEN SESAME", "192.0.2.2: SSH: command timeout"]
    {
        assert!(scene.log().contains(line), "{line} in\n{}", scene.log());
    }
}

#[test]
fn the_tutorial_works_with_knockd() {
    follow(Daemon::Knockd);
}

#[test]
fn the_tutorial_works_with_its_successor() {
    follow(Daemon::Ours);
}
