//! What an administrator is told before the guard goes up.

use std::process::Command;

use knock_spa_tests::programs::{Run, knock_spad};
use knock_spa_tests::server::DEFAULT;

use super::*;

/// A command as typed over a session of sshd's: also by `sudo`, which keeps that from it.
fn over_ssh(world: &World, server: &Server<'_>, session: &str, words: &[&str]) -> Run {
    let mut command = Command::new("env");
    command.arg(format!("SSH_CONNECTION={session}"));
    command.args(["sh", "-c", "env -u SSH_CONNECTION \"$@\"; exit $?", "sh"]);
    command.arg(knock_spad()).arg("--config").arg(server.path("knock-spad.toml")).args(words);
    Run::of(&world.server, &mut command, "")
}

const ITS_OWN: &str = "over which 192.0.2.2 types this";
const FROM_LAPTOP: &str = "192.0.2.2 50000 192.0.2.1 22";

fn is_warned(run: &Run) -> bool {
    run.err.contains(ITS_OWN)
}

#[test]
fn whoever_would_shut_out_himself_is_told() {
    let world = World::new();
    let (server, laptop) = enrolled(&world, DEFAULT);
    for words in [&["guard", "try", "10m"][..], &["guard", "confirm"], &["status"], &["check"]] {
        let run = over_ssh(&world, &server, FROM_LAPTOP, words).ended_with(0);
        assert!(is_warned(&run), "{words:?}: {run:?}");
        assert!(!is_warned(
            &over_ssh(&world, &server, "192.0.2.2 50000 192.0.2.1 2222", words).ended_with(0)
        ));
        assert!(!is_warned(&server.command(words).ended_with(0)), "{words:?}");
        assert!(run.err.contains("[guard] trusted"), "{words:?}: {run:?}");
    }
    laptop.run("open ssh gw --no-wait").ended_with(0);
    until(PATIENCE, "the door to open", || server.openings().len() == 2);
    let run = over_ssh(&world, &server, FROM_LAPTOP, &["guard", "confirm"]).ended_with(0);
    assert!(!is_warned(&run), "{run:?}");
    let run =
        over_ssh(&world, &server, "198.51.100.2 50000 192.0.2.1 22", &["guard", "confirm"]).ended_with(0);
    run.said("over which 198.51.100.2 types this");
}

#[test]
fn whoever_is_trusted_is_told_nothing() {
    let world = World::new();
    let server = Server::running(&world.server, &format!("{DEFAULT}[guard]\ntrusted = ['iif to-laptop']\n"));
    let run = over_ssh(&world, &server, FROM_LAPTOP, &["guard", "try", "10m"]).ended_with(0);
    assert_eq!(run.err, "");
    let run = over_ssh(&world, &server, "198.51.100.2 50000 198.51.100.1 22", &["guard", "confirm"]);
    run.ended_with(0).said("over which 198.51.100.2 types this");
}

#[test]
fn what_others_do_to_the_doors_is_told() {
    let world = World::new();
    let server = Server::running(&world.server, &format!("{DEFAULT}[guard]\ntrusted = ['iif wg0']\n"));
    world.server.sh("nft add table inet f
         nft 'add chain inet f in { type filter hook input priority 0; policy drop; }'
         nft add rule inet f in ct state established accept
         nft add rule inet f in meta l4proto ipv6-icmp accept
         nft 'add chain inet f raw { type filter hook prerouting priority raw; }'
         nft add rule inet f raw udp dport 53 notrack");
    let drops = "the chain inet f in of nftables may drop what the guard opens, at tcp/22 over IPv4, tcp/22 over IPv6";
    for words in [&["guard", "try", "10m"][..], &["guard", "confirm"], &["status"], &["check"]] {
        let run = server.command(words).ended_with(0).said(drops);
        assert!(!run.err.contains("tracking"), "{run:?}");
    }
    world
        .server
        .sh("nft add rule inet f in tcp dport 22 accept; nft add rule inet f raw tcp dport 22 notrack");
    let run = server.command(&["guard", "confirm"]).ended_with(0);
    assert!(!run.err.contains("may drop"), "{run:?}");
    run.said("the chain inet f raw of nftables may keep packets at tcp/22 from connection tracking");
}
