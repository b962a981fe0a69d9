//! A shut port gives nothing away, whatever is thrown at it.

use std::net::SocketAddrV6;

use knock_spa_tests::lab::{Echo, Packet, Recorder, Segment, Session, World};

use super::*;

/// Nothing listens and nothing is guarded here.
const CONTROL: u16 = 1;

/// Every probe of nmap's manual that a port can answer, and the flags of a handshake.
const PROBES: [u8; 8] = [
    Segment::SYN,
    Segment::ACK,
    Segment::FIN,
    0,
    Segment::RST,
    Segment::SYN | Segment::ACK,
    Segment::FIN | Segment::ACK,
    Segment::FIN | 0x08 | 0x20,
];

fn probes(world: &World, to: SocketAddr) -> Vec<Packet> {
    let from = SocketAddr::new(world.stranger.address_like(to.ip()), 40000);
    let segments = PROBES
        .into_iter()
        .flat_map(|flags| [false, true].map(|fragmented| Segment { from, to, flags, fragmented }));
    segments.flat_map(|segment| world.stranger.answers(&segment, CONTROL)).collect()
}

#[test]
fn every_kind_of_segment_meets_silence() {
    let world = World::new();
    let _service = Echo::tcp(&world.server, 22);
    let _guard = guarding(&world.server, &["tcp/22", "tcp/23"]);
    for ip in world.server.addresses() {
        for door in [22, 23] {
            assert_eq!(probes(&world, SocketAddr::new(ip, door)), [], "port {door}");
        }
        assert!(
            probes(&world, SocketAddr::new(ip, 80)).len() >= 10,
            "they are answered where nothing is guarded"
        );
    }
}

#[test]
fn an_open_door_is_silent_to_others() {
    let world = World::new();
    let _service = Echo::tcp(&world.server, 22);
    let mut guard = guarding(&world.server, &["tcp/22"]);
    for ip in world.server.addresses() {
        guard.open(&[(element(world.laptop.address_like(ip), "tcp/22"), Some(LONG))]).unwrap();
        let mut session = Session::open(&world.laptop, SocketAddr::new(ip, 22));
        assert_eq!(probes(&world, SocketAddr::new(ip, 22)), []);
        assert!(session.echoes(PATIENCE));
    }
}

#[test]
fn the_spa_port_does_not_say_that_nothing_listens() {
    let world = World::new();
    let _guard = guarding(&world.server, &["udp/62201"]);
    for ip in world.server.addresses() {
        let recorder = Recorder::start(&world.stranger);
        assert_eq!(world.stranger.ask_udp(SocketAddr::new(ip, 62201), SILENCE), Answer::Silent);
        assert_eq!(world.stranger.ask_udp(SocketAddr::new(ip, 62202), PATIENCE), Answer::Refused);
        let icmp = recorder.until(|packet| packet.from == ip && matches!(packet.protocol, 1 | 58));
        let answers = icmp.iter().filter(|packet| packet.from == ip && matches!(packet.protocol, 1 | 58));
        assert_eq!(answers.count(), 1, "only that about port 62202: {icmp:#?}");
    }
}

#[test]
fn a_link_local_address_is_no_way_around() {
    let world = World::new();
    let _service = Echo::tcp(&world.server, 22);
    let addresses = world.server.run("ip -6 -oneline address show dev to-laptop scope link");
    let address = addresses.split_whitespace().find_map(|word| word.strip_suffix("/64")).unwrap();
    let link = world.laptop.run("ip -oneline link show dev eth0");
    let index = link.split(':').next().unwrap().parse().unwrap();
    let to = SocketAddr::V6(SocketAddrV6::new(address.parse().unwrap(), 22, 0, index));
    assert_eq!(world.laptop.connect(to, PATIENCE), Answer::Open);
    let _guard = guarding(&world.server, &["tcp/22"]);
    assert_eq!(world.laptop.connect(to, SILENCE), Answer::Silent);
}
