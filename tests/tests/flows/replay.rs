//! The same bytes open nothing a second time: from wherever, whatever happened in between.

use std::net::Ipv4Addr;
use std::time::Instant;

use knock_spa_proto::spa::PACKET_LEN;
use knock_spa_proto::spa::request::Addresses;
use knock_spa_proto::time::UnixTime;
use knock_spa_tests::lab::{Echo, Packet, Recorder};
use knock_spa_tests::laptop::{ago, now, open};
use knock_spa_tests::server::DEFAULT;
use ring::rand::{SecureRandom, SystemRandom};
use rustix::process::Signal;

use super::*;

const MINUTE: Duration = Duration::from_secs(60);

/// The datagram in a packet to the SPA port.
fn datagram(packet: &Packet) -> Option<Vec<u8>> {
    let is_spa = packet.protocol == 17 && packet.ports().is_some_and(|(_, to)| to == 62201);
    is_spa.then(|| packet.payload[8..].to_vec())
}

/// Has the laptop open the door, and takes its packet off the wire.
fn capture(world: &World, laptop: &Laptop<'_>) -> Vec<u8> {
    let recorder = Recorder::start(&world.server);
    laptop.run("open ssh gw --no-wait --source sender --for 1h").ended_with(0);
    let packets = recorder.until(|packet| datagram(packet).is_some());
    datagram(packets.last().unwrap()).unwrap()
}

/// Sends the packet again, from all over the lab: seven times.
fn replay(world: &World, laptop: &Laptop<'_>, packet: &[u8]) {
    for ip in world.laptop.addresses() {
        laptop.send(packet, ip, spa_port(world, ip));
    }
    for host in [&world.stranger, &world.inner] {
        for ip in host.addresses() {
            host.send_udp(SocketAddr::new(ip, 0), spa_port(world, ip), packet);
        }
    }
    // And from elsewhere under the laptop's own address.
    let spoofed = SocketAddr::new(world.laptop.v4.into(), 4711);
    world.stranger.send_udp(spoofed, spa_port(world, spoofed.ip()), packet);
}

#[test]
fn a_captured_packet_opens_nothing_again() {
    let world = World::new();
    world.stranger.sh("ip addr add 192.0.2.2/32 dev eth0");
    let (mut server, laptop) = enrolled(&world, DEFAULT);
    let packet = capture(&world, &laptop);
    assert_eq!(packet.len(), PACKET_LEN);
    assert_eq!(await_packets(&server, 1).accepted, 1);
    assert_eq!(server.openings()[0].address, "192.0.2.2");
    server.command(&["close", "ssh"]).ended_with(0);

    replay(&world, &laptop, &packet);
    let counters = await_packets(&server, 8);
    assert_eq!((counters.accepted, counters.refused["duplicate"], counters.key_agreements), (1, 7, 1));

    // A new listener does not know the bytes. It computes one DH for them, and the keeper refuses the rest.
    server.kill_listener();
    until(PATIENCE, "another listener", || {
        let listener = server.status().listener;
        listener.ready && listener.restarts == 1
    });
    replay(&world, &laptop, &packet);
    let counters = await_packets(&server, 15);
    let refused = &counters.refused;
    assert_eq!((refused["replayed"], refused["duplicate"], counters.key_agreements), (1, 13, 2));

    for way in [Signal::KILL, Signal::TERM] {
        server.end(way);
        server.start();
        replay(&world, &laptop, &packet);
        let counters = await_packets(&server, 7);
        let refused = &counters.refused;
        assert_eq!((counters.accepted, counters.key_agreements), (0, 1), "{way:?}");
        assert_eq!((refused["replayed"], refused["duplicate"]), (1, 6), "{way:?}: {refused:?}");
        assert_eq!((server.openings(), server.guard().unwrap().open), (vec![], vec![]), "{way:?}");
    }
    // The client itself is not shut out by any of this.
    laptop.run("open ssh gw --no-wait").ended_with(0);
    assert_eq!(await_packets(&server, 8).accepted, 1);
}

#[test]
fn a_packet_of_another_time_is_stale_and_costs_nothing() {
    let world = World::new();
    let (server, laptop) = enrolled(&world, &format!("{DEFAULT}[spa]\nwindow = '10s'\n"));
    let request = open("ssh", Addresses::NONE.with_sender(), 0);
    let from = world.laptop.v4.into();
    let send = |stamp: UnixTime| {
        laptop.send(&laptop.seal(&server.key(), stamp, &request), from, spa_port(&world, from));
    };
    for stamp in [ago(Duration::from_secs(11)), ago(MINUTE), UnixTime::EPOCH, UnixTime::from_nanos(u64::MAX)]
    {
        send(stamp);
    }
    send(now().saturating_add(MINUTE));
    let counters = await_packets(&server, 5);
    assert_eq!((counters.refused["stale"], counters.key_agreements), (5, 0));
    assert_eq!(server.openings(), []);
    // A clock that is a little wrong is good enough, and a packet ahead of its time did not spoil it.
    send(ago(Duration::from_secs(5)));
    assert_eq!(await_packets(&server, 6).accepted, 1);
}

#[test]
fn an_older_packet_that_comes_late_is_refused() {
    let world = World::new();
    let (mut server, laptop) = enrolled(&world, DEFAULT);
    let from = world.laptop.v6.into();
    let request = open("ssh", Addresses::NONE.with_sender(), 0);
    let packet = |stamp| laptop.seal(&server.key(), stamp, &request);
    let [older, newer, newest] = [ago(MINUTE / 2), ago(MINUTE / 3), now()].map(packet);
    let send = |packet: &[u8]| laptop.send(packet, from, spa_port(&world, from));
    send(&newer);
    await_packets(&server, 1);
    send(&older);
    assert_eq!(await_packets(&server, 2).refused["replayed"], 1);
    server.kill();
    server.start();
    send(&older);
    send(&newer);
    let counters = await_packets(&server, 2);
    assert_eq!((counters.accepted, counters.refused["replayed"]), (0, 2));
    send(&newest);
    assert_eq!(await_packets(&server, 3).accepted, 1);
}

#[test]
fn a_packet_for_another_server_is_junk() {
    let world = World::new();
    let (server, laptop) = enrolled(&world, DEFAULT);
    let other = Server::new(&world.inner, DEFAULT);
    let request = open("ssh", Addresses::NONE.with_sender(), 0);
    let from = world.laptop.v4.into();
    laptop.send(&laptop.seal(&other.key(), now(), &request), from, spa_port(&world, from));
    let counters = await_packets(&server, 1);
    assert_eq!((counters.refused["junk"], counters.key_agreements), (1, 0));
}

#[test]
fn outsiders_cannot_make_the_server_compute() {
    let world = World::new();
    let _service = Echo::tcp(&world.server, 22);
    let (server, laptop) = enrolled(&world, DEFAULT);
    let random = SystemRandom::new();
    let mut packet = [0; PACKET_LEN];
    let from = SocketAddr::new(world.stranger.v4.into(), 4711);
    let socket = world.stranger.enter(|| std::net::UdpSocket::bind(from)).unwrap();
    for _ in 0..10_000 {
        random.fill(&mut packet).unwrap();
        socket.send_to(&packet, spa_port(&world, from.ip())).unwrap();
    }
    // Of other lengths they do not even reach the listener.
    for len in [0, 1, PACKET_LEN - 1, PACKET_LEN + 1, 1400] {
        socket.send_to(&vec![0; len], spa_port(&world, from.ip())).unwrap();
    }
    laptop.run("open ssh gw --wait 10s").ended_with(0).said("ssh answers");
    let mut counters = server.status().counters;
    until(PATIENCE, "every packet to be counted", || {
        counters = server.status().counters;
        counters.received == counters.accepted + counters.refused.values().sum::<u64>()
    });
    // What is sent faster than it is read may be lost, since the kernel's queue is bounded: the client tries again.
    assert!(counters.refused["junk"] >= 1000 && counters.accepted >= 1, "{counters:?}");
    assert_eq!(counters.received, counters.refused["junk"] + counters.accepted, "{counters:?}");
    assert_eq!(counters.key_agreements, counters.accepted);
}

/// The record comes before the move, and the mark is in it: killed at any moment, a packet has opened the door and
/// will not again, or it has not.
#[test]
fn whenever_it_is_killed_a_packet_opens_at_most_once() {
    let world = World::new();
    let (mut server, laptop) = enrolled(&world, DEFAULT);
    let key = server.key();
    let from = world.laptop.v4.into();
    let (mut opened_before, mut opened_after) = (0, 0);
    for i in 0..12_u8 {
        let wanted = Ipv4Addr::new(192, 0, 2, 100 + i);
        let request = open("ssh", Addresses::NONE.with_v4(wanted).unwrap(), 3600);
        let packet = laptop.seal(&key, now(), &request);
        laptop.send(&packet, from, spa_port(&world, from));
        let start = Instant::now();
        while start.elapsed() < Duration::from_micros(400) * i.into() {}
        server.kill_keeper();
        let has_opened = left(&server, wanted, "tcp/22").is_some();
        server.start();
        let is_open = left(&server, wanted, "tcp/22").is_some();
        assert!(is_open || !has_opened, "what was opened is on record");
        laptop.send(&packet, from, spa_port(&world, from));
        let counters = await_packets(&server, 1);
        if is_open {
            assert_eq!(counters.refused["replayed"], 1, "{i}: {counters:?}");
            opened_before += 1;
        } else {
            assert_eq!(counters.accepted, 1, "{i}: {counters:?}");
            opened_after += 1;
        }
    }
    eprintln!("opened before the kill: {opened_before}, after it: {opened_after}");
}

#[test]
fn what_the_machine_sends_itself_is_not_heard() {
    let world = World::new();
    let (server, laptop) = enrolled(&world, DEFAULT);
    let request = open("ssh", Addresses::NONE.with_v4(world.stranger.v4).unwrap(), 0);
    for own in ["127.0.0.1", "192.0.2.1", "::1", "2001:db8:1::1"] {
        let own: IpAddr = own.parse().unwrap();
        let packet = laptop.seal(&server.key(), now(), &request);
        world.server.send_udp(SocketAddr::new(own, 0), SocketAddr::new(own, 62201), &packet);
    }
    // Nor what only passes through.
    for ip in world.laptop.addresses() {
        let packet = laptop.seal(&server.key(), now(), &request);
        laptop.send(&packet, ip, SocketAddr::new(world.inner.address_like(ip), 62201));
    }
    for ip in world.laptop.addresses() {
        let to = Addresses::NONE.with_v4(world.laptop.v4).unwrap();
        laptop.send(&laptop.seal(&server.key(), now(), &open("ssh", to, 0)), ip, spa_port(&world, ip));
    }
    assert_eq!(await_packet(&server, 2).received, 2);
}
