//! The real ssh, with what `knock-spa ssh-config` prints, and the real sshd behind a door.

use std::fs;

use knock_spa_tests::rights::skip;
use knock_spa_tests::server::{DEFAULT, NAME};
use knock_spa_tests::sshd::{self, Sshd};

use super::*;

/// Says hello on the server, by way of its shell.
const HELLO: [&str; 3] = ["gw", "echo", "hello"];

fn with_sshd(test: impl FnOnce(&World)) {
    if sshd::is_possible() {
        test(&World::new());
    } else {
        skip("sshd needs more than one user");
    }
}

#[test]
fn plain_ssh_asks_for_its_port_first() {
    with_sshd(|world| {
        let sshd = Sshd::start(&world.server, 22);
        let (server, laptop) = enrolled(world, DEFAULT);
        let config = laptop.run("ssh-config gw").ended_with(0);
        assert_eq!(config.err, "");
        for (n, address) in (1..).zip(world.server.addresses()) {
            assert_silent(&world.laptop, address, 22);
            let run = sshd.ssh(&laptop, &config.out, NAME, &HELLO).ended_with(0);
            assert_eq!((run.out.as_str(), run.err.as_str()), ("hello\n", ""));
            await_packet(&server, n);
            assert_silent(&world.stranger, address, 22);
            server.command(&["close", "ssh"]).ended_with(0);
        }
        // Without the block, the same ssh finds a shut door.
        let bare = format!("Host gw\nHostName {NAME}\nConnectTimeout 1\n");
        sshd.ssh(&laptop, &bare, NAME, &HELLO).ended_with(255).said("timed out");
    });
}

#[test]
fn another_port_and_one_family_alone() {
    with_sshd(|world| {
        let sshd = Sshd::start(&world.server, 2222);
        let (server, laptop) = enrolled(world, "[door.ssh]\nports = ['tcp/2222']\n");
        let hosts = laptop.path("home/hosts.toml");
        let text = fs::read_to_string(&hosts).unwrap() + "ports = { ssh = 2222 }\n";
        fs::write(&hosts, text).unwrap();
        for (option, address) in [("-4", world.laptop.v4.to_string()), ("-6", world.laptop.v6.to_string())] {
            let config = laptop.run(&format!("ssh-config gw {option} --for 30s")).ended_with(0).out;
            sshd.ssh(&laptop, &config, NAME, &HELLO).ended_with(0).said("hello");
            let open = server.openings();
            assert_eq!((open.len(), &open[0].address), (1, &address), "{config}");
            assert!(open[0].left.unwrap() <= 30);
            server.command(&["close", "ssh"]).ended_with(0);
        }
    });
}

#[test]
fn a_server_that_is_known_by_its_ipv6_address_alone() {
    with_sshd(|world| {
        let sshd = Sshd::start(&world.server, 22);
        let (server, laptop) = enrolled(world, DEFAULT);
        let line = server.line().to_string().replace(NAME, &format!("[{}]", world.server.v6));
        laptop.run("hosts remove gw").ended_with(0);
        laptop.run_words(&["enroll", &line]).ended_with(0);
        let address = world.server.v6.to_string();
        let config = laptop.run(&format!("ssh-config {address}")).ended_with(0).out;
        sshd.ssh(&laptop, &config, &address, &[&address, "echo", "hello"]).ended_with(0).said("hello");
        laptop.run_words(&["enroll", &line, "--host", "gw"]).ended_with(0);
        let config = laptop.run("ssh-config gw").ended_with(0).out;
        sshd.ssh(&laptop, &config, &address, &HELLO).ended_with(0).said("hello");
    });
}

#[test]
fn open_becomes_ssh() {
    with_sshd(|world| {
        let sshd = Sshd::start(&world.server, 22);
        let (_server, laptop) = enrolled(world, DEFAULT);
        let ssh = sshd.ssh_words("", NAME, &[NAME, "echo hello; exit 7"]);
        let words = [&["open", "ssh", "gw", "--"][..], &ssh.iter().map(String::as_str).collect::<Vec<_>>()];
        let run = laptop.run_words(&words.concat()).ended_with(7);
        assert_eq!(run.out, "hello\n");
    });
}
