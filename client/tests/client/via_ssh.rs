//! `knock-spa enroll --via-ssh`, with a stand-in for ssh that hands its last word to a shell, as sshd does, and one for
//! the server's program that notes how it was called. `tests/tests/enrolment` has the real ones.

use std::fs;
use std::net::Ipv4Addr;
use std::os::unix::fs::PermissionsExt as _;

use knock_spa_proto::spa::request::{Addresses, Open, Request};

use crate::program::{Device, PUBLIC_LINE, Run, SERVER_LINE, run};
use crate::server::{Server, SilentPort};
use crate::terminal::Terminal;

/// A device, and what it finds over ssh.
struct There {
    device: Device,
}

const FINGERPRINT: &str = "SHA256:fh2JkSl4JNo6IB8Yb0wC1pVkPVlpkYrYHtNyVbF6bnM";

impl There {
    /// A server whose `key show` prints `line`, and whose ssh runs the command with `shell`.
    fn new(line: &str, shell: &str) -> Self {
        let there = Self { device: Device::with_key() };
        there.program(
            "ssh",
            &format!("printf '%s\\n' \"$@\" >\"$0.words\"; eval \"last=\\${{$#}}\"; {shell} -c \"$last\""),
        );
        there.program("id", "echo 0");
        there.program(
            "knock-spad",
            &format!(
                "echo \"$@\" >>\"$0.calls\"\ncase \"$1 $2\" in\n'key show') echo Welcome; echo '{line}' ;;\n\
                 'client list') cat \"$0.clients\" 2>/dev/null ;;\n'client add') echo '{line}' ;;\nesac"
            ),
        );
        there
    }

    /// A program that is found there.
    fn program(&self, name: &str, script: &str) {
        let path = self.path(name);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(&path, format!("#!/bin/sh\n{script}\n")).unwrap();
        fs::set_permissions(path, fs::Permissions::from_mode(0o755)).unwrap();
    }

    fn path(&self, name: &str) -> std::path::PathBuf {
        self.device.directory().join("bin").join(name)
    }

    fn enroll(&self, words: &[&str]) -> Run {
        let mut command = self.device.command([&["enroll"], words].concat());
        command.env("PATH", format!("{}:/usr/bin:/bin", self.path("").display()));
        run(command, "")
    }

    /// How the server's program was called, a line for each time.
    fn calls(&self) -> Vec<String> {
        let calls = fs::read_to_string(self.path("knock-spad.calls")).unwrap_or_default();
        calls.lines().map(str::to_owned).collect()
    }
}

#[test]
fn the_server_enrols_this_device_and_opens_its_first_door() {
    let server = Server::at(Ipv4Addr::LOCALHOST);
    let there = There::new(&server.line(), "sh");
    let port = SilentPort::new();
    let probe = port.number().to_string();
    let run = there.enroll(&["--via-ssh", "admin@gw", "--probe", &probe, "--wait", "1s"]).ended_with(69);
    let run = run.said("does not answer within 1 s");
    let run = run.printed(&format!("{PUBLIC_LINE}\n")).said("added 127.0.0.1");
    let add = format!("client add alice@laptop {PUBLIC_LINE} --door ssh");
    assert_eq!(there.calls(), ["key show", "client list --json", &add], "{run:?}");
    let sender = Addresses::NONE.with_sender();
    let open = Open::new("ssh".parse().unwrap(), sender, None).unwrap();
    assert_eq!(server.hear_request(), Request::Open(open));
}

#[test]
fn whatever_shell_is_there_will_do() {
    for shell in ["dash", "bash", "bash --posix"] {
        let there = There::new(SERVER_LINE, shell);
        there.enroll(&["--via-ssh", "gw", "--no-open"]).ended_with(0);
        assert_eq!(there.calls().len(), 3, "{shell}");
    }
}

#[test]
fn names_and_doors_can_be_chosen() {
    let there = There::new(SERVER_LINE, "sh");
    let options = [
        "--via-ssh",
        "ssh://root@gw:2222",
        "--client",
        "laptop",
        "--door",
        "ssh",
        "--door",
        "web",
        "--no-open",
    ];
    there.enroll(&[&options[..], &["--host", "gw"]].concat()).ended_with(0).said("added gw:");
    let add = format!("client add laptop {PUBLIC_LINE} --door ssh --door web");
    assert_eq!(there.calls().last(), Some(&add));
    let words = fs::read_to_string(there.path("ssh.words")).unwrap();
    assert!(words.starts_with("--\nssh://root@gw:2222\nexec sh -c '"), "{words}");
    assert!(there.device.read("hosts.toml").contains(SERVER_LINE));
}

#[test]
fn who_is_enrolled_already_is_not_enrolled_twice() {
    let there = There::new(SERVER_LINE, "sh");
    let fingerprint = PUBLIC_LINE.parse::<knock_spa_keys::client::ClientLine>().unwrap().key.fingerprint();
    let list = |text: &str| fs::write(there.path("knock-spad.clients"), text).unwrap();
    list(&format!("[{{\"fingerprint\": \"{fingerprint}\"}}]\n"));
    let run = there.enroll(&["--via-ssh", "gw", "--no-open"]).ended_with(0);
    run.said("enrolled already").said("added gw1.example.net");
    assert_eq!(there.calls(), ["key show", "client list --json"]);
    list(&format!("[{{\"fingerprint\": \"{FINGERPRINT}\"}}]\n"));
    there.enroll(&["--via-ssh", "gw", "--no-open"]).ended_with(0).said("is known already");
    assert_eq!(there.calls().len(), 5);
}

#[test]
fn who_is_not_root_there_goes_by_sudo() {
    let there = There::new(SERVER_LINE, "sh");
    there.program("id", "echo 1000");
    there.program("sudo", "echo sudo \"$@\" >>\"$0.calls\"; exec \"$@\"");
    there.enroll(&["--via-ssh", "gw", "--no-open"]).ended_with(0);
    let calls = fs::read_to_string(there.path("sudo.calls")).unwrap();
    assert!(calls.lines().count() == 3 && calls.starts_with("sudo knock-spad key show\n"), "{calls}");
}

/// So that sudo can ask for a password there.
#[test]
fn on_a_terminal_there_is_one_too() {
    let there = There::new(SERVER_LINE, "sh");
    let script = "PATH=\"$KNOCK_SPA_HOME/../bin:$PATH\" exec \"$0\" enroll --via-ssh gw --no-open";
    Terminal::run(&there.device, script).ended_with(0);
    let words = fs::read_to_string(there.path("ssh.words")).unwrap();
    assert!(words.starts_with("-t\n--\ngw\nexec sh -c '"), "{words}");
    there.enroll(&["--via-ssh", "gw", "--no-open"]).ended_with(0);
    let words = fs::read_to_string(there.path("ssh.words")).unwrap();
    assert!(words.starts_with("--\ngw\n"), "{words}");
}

#[test]
fn what_fails_there_adds_nothing_here() {
    let there = There::new(SERVER_LINE, "sh");
    let before = there.device.files();
    let refused = |said: &[&str]| {
        let run = there.enroll(&["--via-ssh", "gw"]).ended_with(69);
        assert!(said.iter().all(|words| run.err.contains(words)), "{said:?} in {run:?}");
        assert_eq!(there.device.files(), before);
    };
    there.program("ssh", "echo no route >&2; exit 255");
    refused(&["cannot reach gw", "no route", "by hand"]);
    there.program("ssh", "exit 127");
    refused(&["not installed there"]);
    there.program("ssh", "echo 'there is a client alice@laptop already' >&2; exit 73");
    refused(&["a client alice@laptop already", "--client NAME"]);
    there.program("ssh", "echo knock-spa-server-v1 nonsense");
    refused(&["no server line came back"]);
    there.program("ssh", "yes | head -c 1000000");
    refused(&["no server line came back"]);
    fs::remove_file(there.path("ssh")).unwrap();
    let mut command = there.device.command(["enroll", "--via-ssh", "gw"]);
    command.env("PATH", there.path(""));
    run(command, "").ended_with(127).said("cannot run ssh");
}

#[test]
fn a_server_that_knows_no_endpoint_enrols_nobody() {
    let there = There::new(SERVER_LINE, "sh");
    there.program("knock-spad", "echo \"$@\" >>\"$0.calls\"; echo 'no endpoint' >&2; exit 66");
    there.enroll(&["--via-ssh", "gw"]).ended_with(69).said("knock-spad init --endpoint");
    assert_eq!(there.calls(), ["key show"]);
}

#[test]
fn a_rotated_key_is_renewed() {
    let there = There::new(SERVER_LINE, "sh");
    there.device.run(["enroll", &SERVER_LINE.replace("gw1", "gw2"), "--host", "gw"]).ended_with(0);
    there.enroll(&["--via-ssh", "gw", "--no-open"]).ended_with(0).said("renewed gw: its endpoints changed");
    assert_eq!(there.device.run(["hosts", "list"]).out.lines().count(), 1);
}
