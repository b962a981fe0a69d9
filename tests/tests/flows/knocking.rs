//! A classic knock opens the same door.

use std::path::Path;
use std::process::Command;

use knock_spa_proto::spa::PACKET_LEN;
use knock_spa_tests::lab::{Echo, Segment};
use knock_spa_tests::programs::{Run, knock_spa};
use knock_spa_tests::server::NAME;

use super::*;

const DOOR: &str =
    "[door.ssh]\nports = ['tcp/22']\nsequence = ['7000', '8000/udp', '9000']\nsequence-timeout = '2s'\n";

/// Waits until the server has dealt with everything that `host` has sent it so far. What is of no known key follows on
/// it, and both families come in order.
fn settle(world: &World, server: &Server<'_>, host: &Host) {
    for ip in host.addresses() {
        let before = server.refused("junk");
        host.send_udp(SocketAddr::new(ip, 0), spa_port(world, ip), &[0; PACKET_LEN]);
        until(PATIENCE, "a packet to be dealt with", || server.refused("junk") > before);
    }
}

#[test]
fn a_knock_opens_the_door_for_whoever_knocks() {
    let world = World::new();
    let _service = Echo::tcp(&world.server, 22);
    let server = Server::running(&world.server, DOOR);
    for (host, family) in [(&world.stranger, "-4"), (&world.inner, "-6")] {
        let ip = world.server.addresses()[usize::from(family == "-6")];
        let client = Laptop::new(host, &world.server);
        assert_silent(host, ip, 22);
        let run = client.run(&format!("knock {family} -v -d 5 {NAME} 7000 8000:udp 9000")).ended_with(0);
        run.said(&format!("hitting tcp {ip}:7000")).said(&format!("hitting udp {ip}:8000"));
        until(PATIENCE, "the door to open", || {
            host.connect(SocketAddr::new(ip, 22), SILENCE) == Answer::Open
        });
        assert_silent(&world.laptop, ip, 22);
    }
    let openings = server.openings();
    let shown: Vec<_> = openings.iter().map(|opening| (&*opening.address, &*opening.by)).collect();
    assert_eq!(shown, [("198.51.100.2", "classic knock"), ("2001:db8:3::2", "classic knock")]);
    assert!(openings.iter().all(|opening| opening.left.is_some_and(|left| left <= 60)));
}

#[test]
fn under_the_name_of_knock_it_is_knockd_s_client() {
    let world = World::new();
    let server = Server::running(&world.server, DOOR);
    let client = Laptop::new(&world.stranger, &world.server);
    std::os::unix::fs::symlink(knock_spa(), client.path("knock")).unwrap();
    let mut knock = client.with_hosts();
    knock.arg(client.path("knock")).args(["-4", "--delay=5", NAME, "7000:tcp", "8000:udp", "9000"]);
    Run::of(&world.stranger, &mut knock, "").ended_with(0);
    until(PATIENCE, "the door to open", || server.openings().len() == 1);
}

#[test]
fn debian_s_client_opens_it_too() {
    let debian_s = "/usr/bin/knock";
    if !Path::new(debian_s).exists() {
        eprintln!("{debian_s} is not installed: nothing is tested");
        return;
    }
    let world = World::new();
    let server = Server::running(&world.server, DOOR);
    for ip in world.server.addresses() {
        let mut knock = Command::new(debian_s);
        knock.args(["-d", "5", &ip.to_string(), "7000", "8000:udp", "9000:tcp"]);
        Run::of(&world.stranger, &mut knock, "").ended_with(0);
    }
    until(PATIENCE, "both families to open", || server.openings().len() == 2);
}

#[test]
fn other_packets_open_nothing() {
    let world = World::new();
    let server = Server::running(&world.server, DOOR);
    // Each from another address, since an attempt that was begun goes on until its time is over.
    for (i, steps) in [
        "9000 8000:udp 7000",
        "7000 8000:udp",
        "7000 8000:tcp 9000",
        "7000 9000 8000:udp 9000",
        "7000 7000 8000:udp 9000",
        "7000:udp 8000:udp 9000:udp",
    ]
    .into_iter()
    .enumerate()
    {
        let host = [&world.laptop, &world.stranger, &world.inner][i / 2];
        let client = Laptop::new(host, &world.server);
        let family = if i % 2 == 0 { "-4" } else { "-6" };
        client.run(&format!("knock {family} -d 5 {NAME} {steps}")).ended_with(0);
    }
    for host in [&world.laptop, &world.stranger, &world.inner] {
        settle(&world, &server, host);
    }
    assert_eq!(server.openings(), []);
}

#[test]
fn a_sequence_that_takes_too_long_is_forgotten() {
    let world = World::new();
    let server = Server::running(&world.server, DOOR);
    let client = Laptop::new(&world.stranger, &world.server);
    client.run(&format!("knock -4 -d 1100 {NAME} 7000 8000:udp 9000")).ended_with(0);
    settle(&world, &server, &world.stranger);
    assert_eq!(server.openings(), []);
    client.run(&format!("knock -4 -d 5 {NAME} 7000 8000:udp 9000")).ended_with(0);
    until(PATIENCE, "the door to open", || server.openings().len() == 1);
}

#[test]
fn only_segments_with_the_door_s_flags_count() {
    let world = World::new();
    let door = "[door.ssh]\nports = ['tcp/22']\nsequence = ['7000', '8000', '9000']\n";
    let server = Server::running(&world.server, door);
    for ip in world.server.addresses() {
        let from = SocketAddr::new(world.stranger.address_like(ip), 40_000);
        let knock = |flags: u8, fragmented| {
            for port in [7000, 8000, 9000] {
                world.stranger.send(&Segment { from, to: SocketAddr::new(ip, port), flags, fragmented });
            }
            settle(&world, &server, &world.stranger);
        };
        for flags in [Segment::ACK, Segment::FIN, 0] {
            knock(flags, false);
        }
        // The first fragment of IPv4 ends before the flags.
        knock(Segment::SYN, ip.is_ipv4());
        assert_eq!(server.openings().len(), usize::from(ip.is_ipv6()), "{ip}");
    }
}

#[test]
fn addresses_that_no_stranger_has_do_not_knock() {
    let world = World::new();
    let door = "[door.ssh]\nports = ['tcp/22']\nsequence = ['7000', '8000', '9000']\n";
    let server = Server::running(&world.server, door);
    for from in ["192.0.2.1", "10.0.0.1", "127.0.0.1", "224.0.0.1", "2001:db8:2::1", "::1", "ff02::1"] {
        let from = SocketAddr::new(from.parse().unwrap(), 40_000);
        for port in [7000, 8000, 9000] {
            let to = SocketAddr::new(world.server.address_like(from.ip()), port);
            world.stranger.send(&Segment { from, to, flags: Segment::SYN, fragmented: false });
        }
    }
    settle(&world, &server, &world.stranger);
    assert_eq!(server.openings(), []);
    let refusals = server.status().refusals;
    let own = refusals.iter().find(|refusal| refusal.from == "192.0.2.1").expect("it was seen");
    assert_eq!(own.reason, "unauthorised");
}

#[test]
fn what_one_way_has_opened_another_does_not_shut() {
    let world = World::new();
    let (server, laptop) = enrolled(&world, DOOR);
    laptop.run("open ssh gw -4 --no-wait --for 1h").ended_with(0);
    laptop.run(&format!("knock -4 -d 5 {NAME} 7000 8000:udp 9000")).ended_with(0);
    until(PATIENCE, "the door to open both ways", || server.openings().len() == 2);
    let remaining = || left(&server, world.laptop.v4, "tcp/22").unwrap().unwrap();
    assert!(remaining() > Duration::from_secs(3000), "the kernel keeps it until the later end");
    laptop.run("close gw").ended_with(0);
    until(PATIENCE, "the client's opening to end", || server.openings().len() == 1);
    assert!(remaining() <= Duration::from_secs(60), "{:?}", remaining());
}
