//! What cannot be done is refused with a status and with words, and leaves everything as it was.

use std::fs;
use std::os::unix::fs::symlink;

use crate::program::{Device, SECRET_LINE, SERVER_LINE};

/// A device with a key that knows `gw`, at a port of loopback where nobody is.
fn enrolled() -> Device {
    let device = Device::with_key();
    let line = SERVER_LINE.replace("gw1.example.net:62201", "127.0.0.1:9");
    device.run(["enroll", &line, "--host", "gw"]).ended_with(0);
    device
}

/// Runs each row on a device as `prepare` leaves it: words, status, what is said. Blanks separate words; `_` is
/// a blank within one, `''` an empty one.
fn refused(prepare: impl Fn() -> Device, rows: &[(&str, i32, &[&str])]) {
    for (line, status, said) in rows {
        let device = prepare();
        let before = device.files();
        let words = line.split(' ').map(|word| word.replace("''", "").replace('_', " "));
        let run = device.run(words.filter(|word| !word.is_empty() || line.contains("''")));
        assert_eq!(run.status, *status, "{line}: {run:?}");
        assert_eq!(run.out, "", "{line}: {run:?}");
        for words in *said {
            assert!(run.err.contains(words), "{line}: {words:?} in {run:?}");
        }
        assert_eq!(device.files(), before, "{line}");
    }
}

#[test]
fn command_lines() {
    refused(
        enrolled,
        &[
            ("nonsense", 64, &["unrecognized subcommand"]),
            ("--nonsense", 64, &["unexpected argument"]),
            ("hosts", 64, &["Usage"]),
            ("open", 64, &["required", "<HOST>"]),
            ("open ssh", 64, &["required", "<HOST>"]),
            ("open ssh gw extra", 64, &["unexpected argument 'extra'"]),
            ("open SSH gw", 64, &["neither a door's name"]),
            ("open '' gw", 64, &["neither a door's name"]),
            ("open ssh,ssh gw", 64, &["named twice"]),
            ("open ssh, gw", 64, &["neither a door's name"]),
            ("open tcp/0 gw", 64, &["like tcp/22"]),
            ("open tcp/65536 gw", 64, &["like tcp/22"]),
            ("open ssh gw --for 10", 64, &["--for", "such as 90s"]),
            ("open ssh gw --for 0s", 64, &["such as 90s"]),
            ("open ssh gw --for 1h30m", 64, &["such as 90s"]),
            ("open ssh gw --for forever", 64, &["such as 90s"]),
            ("open ssh gw --wait 5", 64, &["--wait", "such as 90s"]),
            ("open ssh gw --wait 5s --no-wait", 64, &["cannot be used with"]),
            ("open ssh gw --source me", 64, &["write auto, sender"]),
            ("open ssh gw --source 127.0.0.1", 64, &["no remote host"]),
            ("open ssh gw --source 192.0.2.1,192.0.2.2", 64, &["one address of each family"]),
            ("open ssh gw --probe 0", 64, &["--probe"]),
            ("open ssh gw --probe ssh", 64, &["--probe"]),
            ("open ssh gw --repeat 0", 64, &["1..=10"]),
            ("open ssh gw --repeat 11", 64, &["1..=10"]),
            ("open ssh gw -4 -6", 64, &["cannot be used with"]),
            ("open ssh gw --json -- true", 64, &["cannot be used with"]),
            ("close", 64, &["required", "<HOST>"]),
            ("close SSH gw", 64, &["neither a door's name"]),
            ("close ssh gw extra", 64, &["unexpected argument"]),
            ("close ssh gw --for 1s", 64, &["unexpected argument '--for'"]),
            ("enroll --via-ssh=-oProxyCommand=id", 64, &["[USER@]HOST"]),
            ("enroll --via-ssh=-lroot", 64, &["[USER@]HOST"]),
            ("enroll --via-ssh gw;id", 64, &["[USER@]HOST"]),
            ("enroll --via-ssh gw x", 64, &["cannot be used with"]),
            ("enroll --via-ssh gw --client a'b", 64, &["letters, digits"]),
            ("enroll --via-ssh gw --door a$b", 64, &["--door"]),
            ("enroll --client alice", 64, &["--via-ssh"]),
            ("enroll --no-open --probe 22", 64, &["cannot be used with"]),
            ("passphrase now", 64, &["unexpected argument"]),
            ("passphrase --passphrase-fd x", 64, &["--passphrase-fd"]),
            ("passphrase --passphrase-fd 99", 64, &["descriptor 99", "3< FILE"]),
            ("proxy gw", 64, &["required", "<PORT>"]),
            ("proxy gw 0", 64, &["invalid value '0'"]),
            ("proxy gw ssh", 64, &["invalid value 'ssh'"]),
            ("proxy gw 22 --no-wait", 64, &["unexpected argument"]),
            ("ssh-config", 64, &["required", "<HOST>"]),
            ("doctor", 64, &["required", "<HOST>"]),
            ("doctor gw --service ''", 64, &["neither a door's name"]),
            ("completions", 64, &["<SHELL>"]),
            ("enroll --host=-gw", 64, &["--host", "letters, digits"]),
            ("enroll --host=a/b", 64, &["letters, digits"]),
            ("enroll --name=a_b", 64, &["letters, digits"]),
        ],
    );
}

#[test]
fn hosts_that_nobody_knows() {
    refused(
        enrolled,
        &[
            ("open ssh other", 68, &["no host is called other", "known: gw", "knock-spa enroll"]),
            ("close other", 68, &["no host is called other"]),
            ("close ssh other", 68, &["no host is called other"]),
            ("proxy other 22", 68, &["no host is called other"]),
            ("ssh-config other", 68, &["no host is called other"]),
            ("doctor other", 68, &["no host is called other"]),
            ("hosts show other", 68, &["no host is called other"]),
            ("hosts remove other", 68, &["no host is called other"]),
        ],
    );
    refused(Device::with_key, &[("open ssh gw", 68, &["none is known yet", "knock-spa enroll"])]);
}

#[test]
fn lines_that_are_no_server_lines() {
    let changed = SERVER_LINE.replace("E75P", "E75Q").replace(' ', "_");
    let line = SERVER_LINE.replace(' ', "_");
    let without_endpoint = line.replace("_gw1.example.net:62201", "");
    let without_port = line.replace(":62201", "");
    let secret = SECRET_LINE.replace(' ', "_");
    let [changed, without_endpoint, without_port, secret, double] =
        [changed, without_endpoint, without_port, secret, line.replace("_gw", "__gw")]
            .map(|line| format!("enroll {line}"));
    refused(
        Device::new,
        &[
            (
                "enroll nonsense",
                65,
                &["no server line", "neither knock-spa-server-v1 nor knock-spa-invite-v1"],
            ),
            (&changed, 65, &["checksum"]),
            (&without_endpoint, 65, &["HOST:PORT"]),
            (&without_port, 65, &["HOST:PORT"]),
            (&double, 65, &["no server line"]),
            (&secret, 65, &["it is a secret key"]),
            ("enroll knock-spa-client-v1_x", 65, &["public line of a device", "client add"]),
            ("enroll knock-spa-server-v2_x", 65, &["begins with neither knock-spa-server-v1"]),
            (
                "enroll knock-spa-invite-v1_x",
                65,
                &["no whole invitation", "not as long", "knock-spad invite"],
            ),
        ],
    );
}

#[test]
fn answers_that_are_no_server_lines() {
    let two_lines = format!("{SERVER_LINE}\n{SERVER_LINE}\n");
    let long = "x".repeat(9000);
    for (input, words) in [
        ("nonsense\n", "begins with neither knock-spa-server-v1"),
        (&two_lines, "no server line"),
        (&long, "longer than"),
        ("\0", "no server line"),
    ] {
        let device = enrolled();
        let before = device.files();
        let run = device.run_with_input(["enroll"], input).ended_with(65).said(words);
        assert!(run.out.starts_with("knock-spa-client-v1 "), "{run:?}");
        assert_eq!(device.files(), before);
    }
}

#[test]
fn keys_that_cannot_be_used() {
    refused(
        Device::new,
        &[
            ("open ssh gw", 66, &["has no key yet", "client.key does not exist", "knock-spa enroll"]),
            ("close gw", 66, &["has no key yet"]),
        ],
    );
    let with_key = |text: &'static str, mode| {
        move || {
            let device = enrolled();
            device.write("client.key", text, mode);
            device
        }
    };
    let public = crate::program::PUBLIC_LINE;
    refused(
        with_key(SECRET_LINE, 0o644),
        &[
            ("open ssh gw", 77, &["its mode 0644", "chmod 600"]),
            ("close gw", 77, &["its mode 0644", "chmod 600"]),
            ("enroll", 77, &["its mode 0644", "chmod 600"]),
        ],
    );
    refused(with_key(public, 0o600), &[("open ssh gw", 65, &["is not a key", "knock-spa-client-secret-v1"])]);
    refused(
        with_key("", 0o600),
        &[("open ssh gw", 65, &["is not a key"]), ("enroll", 65, &["is not a key"])],
    );
    refused(with_key("\n\n", 0o600), &[("open ssh gw", 65, &["is not a key"])]);
    let long: &'static str = "x".repeat(2000).leak();
    refused(with_key(long, 0o600), &[("open ssh gw", 74, &["longer than 1024 bytes"])]);
}

#[test]
fn lists_of_hosts_that_cannot_be_used() {
    let with_hosts = |text: &'static str| {
        move || {
            let device = Device::with_key();
            device.write("hosts.toml", text, 0o600);
            device
        }
    };
    for (text, line, words) in [
        ("version = 2\n", 1, "version 1"),
        ("\nversion = 1\nhots = 1\n", 3, "unknown field `hots`"),
        ("version = 1\n[host.gw]\nline = \"x\"\n", 3, "does not begin with knock-spa-server-v1"),
        ("version = 1\n[host.gw]\n", 2, "missing field `line`"),
        ("version = 1\n[host.gw\n", 2, ""),
    ] {
        let place = format!("hosts.toml:{line}: ");
        let said: &[&str] = &[&place, words, "mend the line"];
        let enroll = format!("enroll {}", SERVER_LINE.replace(' ', "_"));
        refused(
            with_hosts(text),
            &[
                ("open ssh gw", 78, said),
                ("close gw", 78, said),
                ("hosts list", 78, said),
                ("hosts remove gw", 78, said),
            ],
        );
        // The device's key is there, so its public line is printed before the hosts are looked at.
        let device = with_hosts(text)();
        let before = device.files();
        device.run(enroll.split(' ').map(|word| word.replace('_', " "))).ended_with(78).said(&place);
        assert_eq!(device.files(), before);
    }
}

#[test]
fn places_where_nothing_can_be_kept() {
    let in_the_way = || {
        let device = Device::new();
        fs::write(device.home(), "not a directory").unwrap();
        device
    };
    refused(in_the_way, &[("enroll", 74, &["cannot read", "Not a directory"])]);
    let dangling = || {
        let device = Device::new();
        fs::create_dir_all(device.home()).unwrap();
        symlink("/nonexistent/key", device.path("client.key")).unwrap();
        device
    };
    refused(dangling, &[("enroll", 73, &["cannot create", "leads nowhere"])]);
    let directory = || {
        let device = Device::new();
        fs::create_dir_all(device.path("client.key")).unwrap();
        device
    };
    refused(
        directory,
        &[("enroll", 74, &["not a regular file"]), ("open ssh gw", 74, &["not a regular file"])],
    );
    refused(Device::new, &[("enroll --home /proc/self/none", 73, &["cannot create", "--home DIR"])]);
}

#[test]
fn names_without_address() {
    let device = Device::with_key();
    let line = SERVER_LINE.replace("gw1.example.net", "127.0.0.1");
    device.run(["enroll", &line, "--host", "gw"]).ended_with(0);
    device.run(["open", "ssh", "gw", "-6"]).ended_with(68).said("cannot find the server").said("that family");
    device.run(["close", "gw", "-6"]).ended_with(68).said("cannot find the server");
}

#[test]
fn addresses_without_route() {
    let device = Device::with_key();
    let line = SERVER_LINE.replace("gw1.example.net", "255.255.255.255");
    device.run(["enroll", &line, "--host", "gw"]).ended_with(0);
    device.run(["open", "ssh", "gw"]).ended_with(69).said("no way to 255.255.255.255");
}

#[test]
fn commands_that_cannot_be_run() {
    let device = enrolled();
    let open = ["open", "ssh", "gw", "--no-wait", "--"];
    device.run(open.into_iter().chain(["/nonexistent/command"])).ended_with(127).said("cannot run");
    device.run(open.into_iter().chain(["/etc/passwd"])).ended_with(126).said("cannot run");
}

#[test]
fn classic_knocks() {
    refused(
        Device::new,
        &[
            ("knock", 1, &["a host and at least one port", "usage: knock"]),
            ("knock 127.0.0.1", 1, &["a host and at least one port"]),
            ("knock -x 127.0.0.1 1", 1, &["invalid option -- 'x'"]),
            ("knock --nope 127.0.0.1 1", 1, &["unrecognized option '--nope'"]),
            ("knock -d -5 127.0.0.1 1", 1, &["milliseconds, not -5"]),
            ("knock -d x 127.0.0.1 1", 1, &["milliseconds, not x"]),
            ("knock 127.0.0.1 1 -d", 1, &["requires an argument -- 'd'"]),
            ("knock --udp=1 127.0.0.1 1", 1, &["doesn't allow an argument"]),
            ("knock 127.0.0.1 no-such-service", 1, &["no service is called no-such-service"]),
            ("knock -6 127.0.0.1 1", 1, &["no address of that family"]),
            ("knock '' 1", 1, &["cannot resolve"]),
        ],
    );
}

#[test]
fn help_and_version_are_no_errors() {
    let device = Device::new();
    for words in [vec!["--help"], vec!["--version"], vec!["open", "--help"], vec!["help", "close"]] {
        let run = device.run(&words).ended_with(0);
        assert!(run.out.contains("knock-spa") && run.err.is_empty(), "{run:?}");
    }
    device.run::<[&str; 0]>([]).ended_with(64).said("Usage: knock-spa");
    let help = device.run(["knock", "--help"]).ended_with(1);
    assert!(help.out.starts_with("usage: knock "), "{help:?}");
    assert!(!device.home().exists());
}
