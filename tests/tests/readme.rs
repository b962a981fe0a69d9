//! `README.md` is true: what it says one should type is typed, and what it says one will see is seen.
//!
//! Its blocks of kind `console` are one story. Lines after `gw# ` are for root on a server, those after `laptop$ ` for
//! a user's machine; the rest is what they print, where `…` stands for anything.

use std::fs;
use std::net::SocketAddr;
use std::path::Path;
use std::process::Command;
use std::time::Duration;

use knock_spa_tests::lab::{Answer, Echo, Host, PATIENCE, Running, Session, World, until};
use knock_spa_tests::pattern::fits;
use knock_spa_tests::programs::{Run, knock_spa, knock_spad};
use tempfile::TempDir;

/// The machines of the README, and the words before what is typed at them.
const PROMPTS: [(&str, &str); 2] = [("gw# ", "gw"), ("laptop$ ", "laptop")];

/// Runs the words after the first two in a file system like this machine's, but with directories of its own, which stay
/// in `$1`, for `/etc`, `/var`, `/run` and homes; our programs, which are in `$2`, are in `/programs`.
///
/// This is for a mount namespace that ends with it. Nobody else may see these mounts, above all not who removes `$1`.
const FILE_SYSTEM: &str = r#"
    root=$1 programs=$2
    shift 2
    for entry in /*; do
        case $entry in
        /etc | /home | /programs | /root | /run | /var) continue ;;
        esac
        if [ -L "$entry" ]; then
            [ -L "$root$entry" ] || cp -P "$entry" "$root$entry"
        elif [ -d "$entry" ]; then
            mkdir -p "$root$entry"
            mount --rbind "$entry" "$root$entry"
        fi
    done
    mount --bind "$programs" "$root/programs"
    exec chroot "$root" "$@"
"#;

/// Longer than any answer takes in the lab, and short enough to wait for in vain.
const SILENCE: Duration = Duration::from_millis(250);

/// Something to type, and what comes of it.
struct Typed {
    machine: &'static str,
    line: String,
    printed: String,
}

/// What the README says, in order.
fn story() -> Vec<Typed> {
    let text = fs::read_to_string(concat!(env!("CARGO_MANIFEST_DIR"), "/../README.md")).unwrap();
    let blocks = text.split("```console\n").skip(1).map(|rest| rest.split("```").next().unwrap());
    let mut story: Vec<Typed> = Vec::new();
    for line in blocks.flat_map(str::lines) {
        let typed = PROMPTS.iter().find_map(|(prompt, machine)| Some((*machine, line.strip_prefix(prompt)?)));
        match typed {
            Some((machine, line)) => story.push(Typed { machine, line: line.into(), printed: String::new() }),
            None => {
                let printed = &mut story.last_mut().expect("something was typed before").printed;
                printed.push_str(line);
                printed.push('\n');
            }
        }
    }
    story
}

/// Two machines with the programs on them, and a service on one of them.
struct Scene {
    /// What runs in the background.
    running: Vec<Running>,
    world: World,
    files: TempDir,
    /// All that was printed.
    printed: String,
}

impl Scene {
    fn new() -> Self {
        let (world, files) = (World::new(), TempDir::new().unwrap());
        for (_, machine) in PROMPTS {
            let root = files.path().join(machine);
            for directory in ["etc", "home", "programs", "root", "run", "var/lib"] {
                fs::create_dir_all(root.join(directory)).unwrap();
            }
            fs::copy("/etc/services", root.join("etc/services")).unwrap();
            fs::write(root.join("etc/nsswitch.conf"), "hosts: files\n").unwrap();
            fs::write(root.join("etc/host.conf"), "multi on\n").unwrap();
            let hosts = world.server.addresses().map(|ip| format!("{ip} gw.example.net\n"));
            fs::write(root.join("etc/hosts"), hosts.concat()).unwrap();
        }
        Self { running: Vec::new(), world, files, printed: String::new() }
    }

    fn host(&self, machine: &str) -> &Host {
        if machine == "gw" { &self.world.server } else { &self.world.laptop }
    }

    /// `sh` with a script, at a machine.
    fn sh(&self, machine: &str, script: &str) -> Command {
        let (server, client) = (knock_spad(), knock_spa());
        assert_eq!(server.parent(), client.parent());
        let mut command = Command::new("unshare");
        command.args(["--mount", "--propagation", "private", "sh", "-e", "-c", FILE_SYSTEM, "sh"]);
        command.arg(self.files.path().join(machine)).arg(server.parent().unwrap());
        command.args(["sh", "-c", &format!("cd; exec 2>&1; {script}")]);
        command.env_clear().env("PATH", "/programs:/usr/bin:/bin:/usr/sbin:/sbin");
        command.env("HOME", "/root").env("USER", "you");
        command
    }

    /// Types a line; what it prints.
    fn type_line(&mut self, machine: &str, line: &str) -> String {
        if let Some(line) = line.strip_suffix(" &") {
            let mut command = self.sh(machine, &format!("exec {line}"));
            self.running.push(self.host(machine).spawn(&mut command));
            let status = || Run::of(self.host(machine), &mut self.sh(machine, "knock-spad status"), "").out;
            until(PATIENCE, "the daemon to listen", || status().contains("listener: listening"));
            assert_eq!(self.door(), Answer::Open, "the first configuration waits to be confirmed");
            return String::new();
        }
        if line.starts_with("ssh ") {
            self.see_service();
            return String::new();
        }
        let pasted = if line == "knock-spa enroll" { self.invitation() } else { String::new() };
        let printed = Run::of(self.host(machine), &mut self.sh(machine, line), &pasted).ended_with(0).out;
        if line.contains(" guard try ") {
            assert_eq!(self.door(), Answer::Silent);
        }
        self.printed.push_str(&printed);
        printed
    }

    /// What the door says to the laptop.
    fn door(&self) -> Answer {
        self.world.laptop.connect(SocketAddr::new(self.world.server.v4.into(), 22), SILENCE)
    }

    /// The invitation that was printed last.
    fn invitation(&self) -> String {
        let printed = self.printed.lines().rev().find(|line| line.starts_with("knock-spa-invite-v1 "));
        format!("{}\n", printed.expect("an invitation was printed"))
    }

    /// The resolver gives IPv6 first, to `knock` as to `ssh`.
    fn see_service(&self) {
        let port = SocketAddr::new(self.world.server.v6.into(), 22);
        assert!(Session::open(&self.world.laptop, port).echoes(PATIENCE));
    }
}

impl Drop for Scene {
    fn drop(&mut self) {
        let mounts = fs::read_to_string("/proc/self/mountinfo").unwrap_or_default();
        if mounts.contains(&self.files.path().display().to_string()) {
            // Removing the directory would remove what is mounted there: this machine.
            std::process::abort();
        }
    }
}

#[test]
fn what_it_says_is_so() {
    let mut scene = Scene::new();
    let _service = Echo::tcp(&scene.world.server, 22);
    let story = story();
    assert!(story.iter().any(|typed| typed.line.starts_with("ssh ")));
    for typed in story {
        let printed = scene.type_line(typed.machine, &typed.line);
        assert!(fits(&typed.printed, &printed), "{}:\n{printed}", typed.line);
    }
}

#[test]
fn it_is_short_and_leads_somewhere() {
    let top = Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap();
    let text = fs::read_to_string(top.join("README.md")).unwrap();
    assert!(text.lines().count() <= 120);
    let links: Vec<&str> = text.split("](").skip(1).map(|rest| rest.split(')').next().unwrap()).collect();
    assert!(links.len() > 10);
    for link in links {
        assert!(top.join(link).exists(), "{link}");
    }
}
