//! The lab itself: what a test sees through it is so.

use std::net::SocketAddr;
use std::process::Command;
use std::time::Duration;

use knock_spa_tests::lab::{Answer, Bridged, Echo, Namespace, PATIENCE, Recorder, Segment, Session, World};

/// Longer than any answer takes in the lab, and short enough to wait for in vain.
const SILENCE: Duration = Duration::from_millis(300);

#[test]
fn everybody_reaches_the_server_and_what_is_behind_it() {
    let world = World::new();
    let _services = [Echo::tcp(&world.server, 22), Echo::tcp(&world.inner, 22)];
    for client in [&world.laptop, &world.stranger] {
        for ip in world.server.addresses().into_iter().chain(world.inner.addresses()) {
            assert_eq!(client.connect(SocketAddr::new(ip, 22), PATIENCE), Answer::Open, "{ip}");
            assert_eq!(client.connect(SocketAddr::new(ip, 23), PATIENCE), Answer::Refused, "{ip}");
            assert!(Session::open(client, SocketAddr::new(ip, 22)).echoes(PATIENCE));
        }
    }
}

#[test]
fn a_dropped_packet_is_silence() {
    let world = World::new();
    world.server.run("nft add table inet filter");
    world.server.run("nft add chain inet filter input { type filter hook input priority 0 ; }");
    world.server.run("nft add rule inet filter input meta l4proto . th dport { tcp . 22, udp . 53 } drop");
    let _services =
        [Echo::tcp(&world.server, 22), Echo::udp(&world.server, 53), Echo::udp(&world.server, 54)];
    for ip in world.server.addresses() {
        assert_eq!(world.laptop.connect(SocketAddr::new(ip, 22), SILENCE), Answer::Silent);
        assert_eq!(world.laptop.ask_udp(SocketAddr::new(ip, 53), SILENCE), Answer::Silent);
        assert_eq!(world.laptop.ask_udp(SocketAddr::new(ip, 54), PATIENCE), Answer::Open);
        assert_eq!(world.laptop.ask_udp(SocketAddr::new(ip, 55), PATIENCE), Answer::Refused);
    }
}

#[test]
fn a_stopped_service_refuses() {
    let world = World::new();
    let to = SocketAddr::new(world.server.v4.into(), 22);
    for _ in 0..2 {
        let echo = Echo::tcp(&world.server, 22);
        let mut session = Session::open(&world.laptop, to);
        // Until it is served, it waits in the listener and goes with it.
        assert!(session.echoes(PATIENCE));
        drop(echo);
        assert_eq!(world.laptop.connect(to, PATIENCE), Answer::Refused);
        assert!(session.echoes(PATIENCE), "sessions outlive the listener");
    }
}

#[test]
fn hand_made_segments_are_answered_as_the_standard_says() {
    let world = World::new();
    let _service = Echo::tcp(&world.server, 22);
    for ip in world.server.addresses() {
        let from = SocketAddr::new(world.stranger.address_like(ip), 40000);
        let probe = |port, flags, fragmented| {
            let segment = Segment { from, to: SocketAddr::new(ip, port), flags, fragmented };
            let answers = world.stranger.answers(&segment, 1);
            answers.iter().map(|packet| packet.tcp_flags().expect("only TCP")).collect::<Vec<_>>()
        };
        for fragmented in [false, true] {
            assert_eq!(
                probe(22, Segment::SYN, fragmented),
                [Segment::SYN | Segment::ACK],
                "{ip} {fragmented}"
            );
            assert_eq!(probe(22, Segment::ACK, fragmented), [Segment::RST], "{ip} {fragmented}");
            assert_eq!(
                probe(23, Segment::SYN, fragmented),
                [Segment::RST | Segment::ACK],
                "{ip} {fragmented}"
            );
            assert_eq!(probe(23, 0, fragmented), [Segment::RST | Segment::ACK], "{ip} {fragmented}");
            assert!(probe(22, 0, fragmented).is_empty(), "a listener ignores a segment without flags");
        }
    }
}

#[test]
fn a_recording_tells_who_sent_what() {
    let world = World::new();
    let _service = Echo::tcp(&world.inner, 22);
    let recorder = Recorder::start(&world.server);
    let to = SocketAddr::new(world.inner.v6.into(), 22);
    let session = Session::open(&world.stranger, to);
    let from_inner = |packet: &knock_spa_tests::lab::Packet| packet.from == to.ip() && packet.protocol == 6;
    let packets = recorder.until(from_inner);
    let answer = packets.last().unwrap();
    assert_eq!(answer.tcp_flags(), Some(Segment::SYN | Segment::ACK));
    assert_eq!(answer.ports(), Some((22, session.local().port())));
    assert_eq!(answer.to, session.local().ip());
    assert!(packets.iter().any(|packet| packet.tcp_flags() == Some(Segment::SYN) && packet.to == to.ip()));
}

#[test]
fn a_switch_passes_both_families_through_its_firewall() {
    let world = Bridged::new();
    let _service = Echo::tcp(&world.right, 22);
    let ask = |ip| world.left.connect(SocketAddr::new(ip, 22), SILENCE);
    assert_eq!(world.right.addresses().map(ask), [Answer::Open; 2]);
    world.switch.run("nft add table inet filter");
    world.switch.run("nft add chain inet filter pre { type filter hook prerouting priority -199 ; }");
    world.switch.run("nft add rule inet filter pre tcp dport 22 drop");
    assert_eq!(world.right.addresses().map(ask), [Answer::Silent; 2]);
}

#[test]
fn a_process_lives_in_its_namespace_and_dies_with_its_guard() {
    let namespace = Namespace::new();
    let mut script = Command::new("sh");
    script.args([
        "-c",
        "trap 'echo caught; exit 3' TERM; cat /proc/net/dev; echo ready; while :; do sleep 0.01; done",
    ]);
    let mut running = namespace.spawn(&mut script);
    running.await_output("ready\n");
    assert!(running.output().contains("lo:") && !running.output().contains("eth"));
    running.signal(rustix::process::Signal::TERM);
    assert_eq!(running.wait().code(), Some(3));
    running.await_output("caught\n");

    let guarded = namespace.spawn(Command::new("sleep").arg("1000"));
    let process = format!("/proc/{}", guarded.pid().as_raw_nonzero());
    assert!(std::path::Path::new(&process).exists());
    drop(guarded);
    assert!(!std::path::Path::new(&process).exists());
}

#[test]
#[should_panic(expected = "the closure's own words")]
fn a_panic_inside_a_namespace_is_the_tests() {
    Namespace::new().enter(|| panic!("the closure's own words"));
}
