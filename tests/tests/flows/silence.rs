//! Our processes send nothing: a host with the daemon answers as it does without.
//!
//! What is compared is everything that the server's machine sends, on every interface, but neighbour discovery and
//! group membership, which the kernel sends when it likes.

use std::net::Ipv6Addr;

use knock_spa_proto::spa::PACKET_LEN;
use knock_spa_proto::spa::request::Addresses;
use knock_spa_tests::lab::{Echo, Packet, Recorder, Segment};
use knock_spa_tests::laptop::{now, open};
use knock_spa_tests::server::DEFAULT;
use rustix::process::Signal;

use super::*;

/// Nothing listens and nothing is guarded at this TCP port of the server.
const CONTROL: u16 = 1;

/// Knocks open nothing that matters here; their ports are watched.
const KNOCKED: &str = "[door.imap]\nports = ['tcp/143']\nsequence = ['7000', '8000/udp']\n";

/// What one packet looks like from outside: whom it is for, its kind, and what of it is not random.
type Look = (IpAddr, u8, Option<(u16, u16)>, Vec<u8>, usize);

fn look(packet: &Packet) -> Look {
    let shown = match packet.protocol {
        6 => vec![packet.payload[13]],
        1 | 58 => packet.payload[..2].to_vec(),
        _ => Vec::new(),
    };
    (packet.to, packet.protocol, packet.ports(), shown, packet.payload.len())
}

/// Everything that the server has sent since the recording began.
fn sent(world: &World, recorder: &Recorder) -> Vec<Look> {
    let from = SocketAddr::new(world.stranger.v6.into(), 50_000);
    let to = SocketAddr::new(world.server.v6.into(), CONTROL);
    world.stranger.send(&Segment { from, to, flags: Segment::ACK, fragmented: false });
    let is_control = |packet: &Packet| packet.ports() == Some((CONTROL, from.port()));
    let is_multicast = |packet: &Packet| packet.to.is_multicast();
    let own = |packet: &Packet| match packet.from {
        IpAddr::V4(v4) => v4.octets()[3] == 1,
        IpAddr::V6(v6) => v6.octets()[15] == 1 || v6.is_unicast_link_local() || v6 == Ipv6Addr::UNSPECIFIED,
    };
    let discovers = |packet: &Packet| packet.protocol == 58 && (130..=143).contains(&packet.payload[0]);
    let packets = recorder.until(is_control);
    let packets = packets.iter().filter(|packet| own(packet) && !is_control(packet));
    packets.filter(|packet| !(is_multicast(packet) || discovers(packet))).map(look).collect()
}

/// Throws everything at the server that could have an answer. `valid` is a packet that opens a door.
fn probe(world: &World, valid: &[u8]) {
    let stranger = &world.stranger;
    for ip in world.server.addresses() {
        let own = stranger.address_like(ip);
        for (i, flags) in
            [Segment::SYN, Segment::ACK, Segment::FIN, 0, Segment::SYN | Segment::ACK].into_iter().enumerate()
        {
            for (port, to) in [22, 143, 7000, 80, 62201].into_iter().enumerate() {
                let from = SocketAddr::new(own, 40_000 + u16::try_from(10 * port + i).unwrap());
                let to = SocketAddr::new(ip, to);
                stranger.send(&Segment { from, to, flags, fragmented: false });
            }
        }
        let udp = |port: u16, payload: &[u8]| {
            stranger.send_udp(SocketAddr::new(own, 41_000), SocketAddr::new(ip, port), payload);
        };
        for payload in [&[][..], b"?", &[7; PACKET_LEN], &[7; PACKET_LEN + 1], valid, valid] {
            udp(62201, payload);
        }
        udp(8000, b"");
        udp(9, b"?");
        stranger.run(&format!("ping -c 1 -W 5 {ip}"));
    }
}

/// A world that answers as often as it is asked.
fn eager_world() -> World {
    let world = World::new();
    world.server.set("ipv4/icmp_ratelimit", "0");
    world.server.set("ipv6/icmp/ratelimit", "0");
    world
}

#[test]
fn with_the_daemon_a_host_sends_what_it_sends_without() {
    let world = eager_world();
    let _service = Echo::tcp(&world.server, 22);
    let configuration = format!("{DEFAULT}{KNOCKED}[guard]\nstart = 'confirmed'\n");
    let mut server = Server::new(&world.server, &configuration);
    let laptop = Laptop::new(&world.laptop, &world.server);
    server.enrol(&laptop, "alice", &["--door", "ssh"]);
    // Stated, so that it may come from anywhere; made each time, since nothing counts that was made before the start.
    let packet = |server: &Server<'_>| {
        let to = Addresses::NONE.with_v4(world.laptop.v4).unwrap();
        laptop.seal(&server.key(), now(), &open("ssh", to, 0))
    };

    let recorder = Recorder::start(&world.server);
    probe(&world, &packet(&server));
    let without = sent(&world, &recorder);
    assert!(without.len() > 30, "the host answers: {without:?}");

    let recorder = Recorder::start(&world.server);
    server.start();
    probe(&world, &packet(&server));
    // Two of random bytes, then the valid one and three copies, two of which came over IPv6.
    let counters = await_packets(&server, 6);
    assert_eq!((counters.accepted, counters.refused["junk"], counters.refused["duplicate"]), (1, 2, 3));
    assert_eq!(server.status().openings.len(), 1);
    server.command(&["reload"]).ended_with(0);
    server.command(&["close", "ssh"]).ended_with(0);
    server.stop();
    let with = sent(&world, &recorder);
    assert_eq!(with, without);
}

#[test]
fn with_the_guard_it_sends_less() {
    let world = eager_world();
    let _service = Echo::tcp(&world.server, 22);
    let (mut server, laptop) = enrolled(&world, &format!("{DEFAULT}{KNOCKED}"));
    let to = Addresses::NONE.with_v4(world.laptop.v4).unwrap();
    let packet = |secs| laptop.seal(&server.key(), now().saturating_add(secs), &open("ssh", to, 0));
    let packets = [packet(Duration::ZERO), packet(Duration::from_secs(1)), packet(Duration::from_secs(2))];
    let [first, second, third] = packets;

    // The control is an acknowledgement to a port that nobody guards: it is answered here as well.
    let recorder = Recorder::start(&world.server);
    probe(&world, &first);
    await_packets(&server, 6);
    let guarded = sent(&world, &recorder);

    // The guard stays as it is when the daemon is gone.
    server.end(Signal::KILL);
    let recorder = Recorder::start(&world.server);
    probe(&world, &second);
    assert_eq!(sent(&world, &recorder), guarded);

    server.command(&["guard", "remove"]).ended_with(0);
    let recorder = Recorder::start(&world.server);
    probe(&world, &third);
    let mut dropped = sent(&world, &recorder);
    for look in guarded {
        let at = dropped.iter().position(|other| *other == look);
        dropped.remove(at.unwrap_or_else(|| panic!("without a guard nobody sends {look:?}")));
    }
    // Of TCP: what the guarded ports answered. Of UDP: what was said of the SPA port.
    let about = |(_, protocol, ports, ..): &Look| match protocol {
        6 => ports.is_some_and(|(from, _)| matches!(from, 22 | 143)),
        protocol => matches!(protocol, 1 | 58),
    };
    assert!(dropped.len() > 10 && dropped.iter().all(about), "{dropped:?}");
}
