//! Our `knock` beside knockd's: the same packets, the same words, the same statuses.

use std::os::unix::fs::symlink;
use std::process::Command;
use std::time::Duration;

use knock_spa_tests::lab::{Packet, Recorder};
use knock_spa_tests::programs::{Run, knock_spa};
use tempfile::TempDir;

use crate::scene::Scene;

/// Where the recording of one command line ends: no line knocks there.
const END: u16 = 9;

/// What is looked up: `server` has both families, and `six` only one.
const HOSTS: &str = "192.0.2.1 server four\n2001:db8:1::1 server six\n";

/// Runs the rest of its arguments where nobody but the file of `$0` is asked for names.
const WITH_NAMES: &str = r#"
    mount --bind "$0/hosts" /etc/hosts
    mount --bind "$0/nsswitch.conf" /etc/nsswitch.conf
    exec "$@"
"#;

/// Command lines with a packet for each port, or none at all.
const LINES: &[&str] = &[
    "192.0.2.1 7000",
    "192.0.2.1 7000 8000 9000",
    "192.0.2.1 9000 8000 7000 8000",
    "192.0.2.1 7000 7000",
    "192.0.2.1 7000:tcp 8000:udp 9000",
    "192.0.2.1 7000:udp",
    "192.0.2.1 7000:UDP 8000:Udp 9000:x 7001:",
    "-u 192.0.2.1 7000 8000 9000",
    "-u 192.0.2.1 7000:tcp 8000",
    "-v 192.0.2.1 7000 8000:udp",
    "-u -v 192.0.2.1 7000",
    "192.0.2.1 7000 -v",
    "192.0.2.1 7000 -u 8000 -v",
    "-d 20 192.0.2.1 7000 8000",
    "-v --delay 20 192.0.2.1 7000 8000:udp",
    "--delay=20 --udp --verbose 192.0.2.1 7000 8000",
    "-vud20 192.0.2.1 7000 8000",
    "-4 -v 192.0.2.1 7000",
    "-6 -v 2001:db8:1::1 7000 8000:udp",
    "--ipv6 -v 2001:db8:1::1 7000",
    "--ipv4 -v 192.0.2.1 7000",
    "-v 2001:db8:1::1 7000 8000:udp",
    "-4 -v 2001:db8:1::1 7000",
    "-6 -v 192.0.2.1 7000",
    "-4 -v server 7000",
    "-6 -v server 7000 8000",
    "-v four 7000 8000:udp",
    "-v six 7000",
    "-v nowhere 7000",
    "-4 -v six 7000",
    "-v 192.0.2.1 70000",
    "-v 192.0.2.1 70000:udp 65537 7000",
    "-v 192.0.2.1 0 7000",
    "-v 192.0.2.1 ssh domain:udp",
    "-v 192.0.2.1 7000 no-such-service 8000",
    "-v -u 192.0.2.1 ssh",
    "-v 192.0.2.1 ssh:udp tftp tftp:udp www",
    "-v -u 192.0.2.1 tftp ssh:tcp",
    "-v 192.0.2.1 065 +5 4294974296",
    "-v 192.0.2.1 0x1b58",
    "-v 192.0.2.1 7000x",
    "-v 192.0.2.1 :udp",
    "-v 192.0.2.1 7000 :tcp",
    "-v 192.0.2.1 7000:udp:tcp",
    "-v 192.0.2.1 -1",
    "-v 192.0.2.1",
    "-v",
    "",
    "-x 192.0.2.1 7000",
    "--nope 192.0.2.1 7000",
    "-d",
    "-h",
    "-v -- 192.0.2.1 7000",
];

/// What came of a command line.
#[derive(Debug, PartialEq, Eq)]
struct Outcome {
    status: i32,
    /// What `-v` says; for a line that makes no sense, its help is not compared.
    out: String,
    packets: Vec<String>,
}

/// A packet in a word: protocol, destination, flags of TCP, payload of UDP.
fn shown(packet: &Packet) -> Option<String> {
    let (_, port) = packet.ports()?;
    let rest = match packet.tcp_flags() {
        Some(flags) => format!("tcp flags {flags:#04x}"),
        None => format!("udp {:?}", &packet.payload[8..]),
    };
    Some(format!("{} {port} {rest}", packet.to))
}

/// Runs a command line, and records what it sends.
fn outcome(scene: &Scene, files: &TempDir, program: &str, line: &str) -> Outcome {
    let recorder = Recorder::start(&scene.laptop);
    let mut command = Command::new("unshare");
    command.args(["--mount", "--propagation", "private", "sh", "-e", "-c"]);
    command.arg(WITH_NAMES).arg(files.path());
    command.arg(program).args(line.split_whitespace()).env("LC_ALL", "C");
    let run = Run::of(&scene.laptop, &mut command, "");
    scene.laptop.send_udp("192.0.2.2:0".parse().unwrap(), (scene.server.v4, END).into(), b"");
    let is_end = |packet: &Packet| packet.ports().is_some_and(|(_, port)| port == END);
    let packets = recorder.until(is_end);
    let own = [scene.laptop.v4.into(), scene.laptop.v6.into()];
    let is_knock = |packet: &&Packet| own.contains(&packet.from) && !is_end(packet);
    let packets = packets.iter().filter(is_knock).filter_map(shown).collect();
    let out = run.out.lines().filter(|line| line.starts_with("hitting ")).map(|line| format!("{line}\n"));
    Outcome { status: run.status, out: out.collect(), packets }
}

/// A scene where packets go out at once, and answers of closed ports are no part of it.
fn scene() -> (Scene, TempDir) {
    let scene = Scene::new("");
    let files = TempDir::new().unwrap();
    std::fs::write(files.path().join("hosts"), HOSTS).unwrap();
    std::fs::write(files.path().join("nsswitch.conf"), "hosts: files\nservices: files\n").unwrap();
    symlink(knock_spa(), files.path().join("knock")).unwrap();
    let line = scene.server.run("ip -o link show dev eth0");
    let address = line.split("link/ether ").nth(1).unwrap().split(' ').next().unwrap();
    for to in ["192.0.2.1", "2001:db8:1::1"] {
        scene.laptop.run(&format!("ip neigh replace {to} lladdr {address} dev eth0 nud permanent"));
    }
    (scene, files)
}

#[test]
fn the_classic_client_sends_and_says_what_knockd_s_does() {
    let (scene, files) = scene();
    let ours = files.path().join("knock");
    let mut faults = Vec::new();
    for line in LINES {
        let theirs = outcome(&scene, &files, "/usr/bin/knock", line);
        let ours = outcome(&scene, &files, ours.to_str().unwrap(), line);
        if ours != theirs {
            faults.push(format!("knock {line}\n  ours:   {ours:?}\n  theirs: {theirs:?}"));
        }
    }
    assert!(faults.is_empty(), "{}", faults.join("\n"));
}

#[test]
fn the_classic_client_opens_a_door() {
    let (scene, files) = scene();
    scene.configure(&crate::scene::door("ssh", "7000,8000:udp,9000", "cmd_timeout = 600"));
    let _daemon = scene.start(&[]);
    for (program, line) in [
        ("/usr/bin/knock".to_owned(), "192.0.2.1 7000 8000:udp 9000"),
        (files.path().join("knock").to_str().unwrap().to_owned(), "2001:db8:1::1 7000 8000:udp 9000"),
    ] {
        let sent = outcome(&scene, &files, &program, &format!("-d 5 {line}"));
        assert_eq!((sent.status, sent.packets.len()), (0, 3), "{sent:?}");
    }
    scene.await_note("ssh start 192.0.2.2");
    scene.await_note("ssh start 2001:db8:1::2");
    let silence = scene.laptop.connect((scene.server.v4, 7000).into(), Duration::from_secs(1));
    assert_eq!(silence, knock_spa_tests::lab::Answer::Refused);
}
