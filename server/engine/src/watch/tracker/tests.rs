use alloc::string::ToString;
use core::time::Duration;

use knock_spa_proto::knock::Sequence;
use knock_spa_proto::port::Transport;

use super::*;

const SOURCE: &str = "192.0.2.1";

fn door(name: &str, ports: &[u16]) -> ClassicDoor {
    let step = |port: &u16| Step { transport: Transport::Tcp, port: *port };
    let sequence = Sequence::new(ports.iter().map(step).collect()).unwrap();
    let flags = FlagRule::default().requiring(TcpFlags::SYN).forbidding(TcpFlags::ACK);
    let knock = ClassicKnock { sequence, within: Duration::from_secs(5), flags };
    ClassicDoor { name: name.parse().unwrap(), knock }
}

fn tracker(doors: &[ClassicDoor]) -> Tracker {
    let mut tracker = Tracker::default();
    tracker.replace_doors(doors.to_vec());
    tracker
}

fn at(seconds: u64) -> BootTime {
    BootTime::ZERO.saturating_add(Duration::from_secs(seconds))
}

fn segment(from: &str, port: u16, flags: u8) -> Segment<'static> {
    Segment {
        from: Address::new(from.parse().unwrap()),
        from_port: 40_000,
        to: Address::new("192.0.2.9".parse().unwrap()),
        port,
        body: Body::Tcp(TcpFlags(flags)),
    }
}

/// The names of the doors that these ports open, hit by one source within a second.
fn opened(tracker: &mut Tracker, ports: &[u16]) -> Vec<ServiceName> {
    ports
        .iter()
        .flat_map(|port| tracker.handle_segment(&segment(SOURCE, *port, TcpFlags::SYN), at(1)))
        .collect()
}

#[test]
fn the_whole_sequence_in_order_opens_and_may_be_repeated() {
    let mut tracker = tracker(&[door("ssh", &[7000, 8000, 9000])]);
    assert_eq!(opened(&mut tracker, &[7000, 8000, 9000, 7000, 8000, 9000]).len(), 2);
    assert!(tracker.sources.is_empty());
}

#[test]
fn a_listed_port_out_of_turn_breaks_the_attempt_and_is_consumed() {
    let mut tracker = tracker(&[door("ssh", &[7000, 8000, 9000])]);
    assert!(opened(&mut tracker, &[7000, 9000, 8000, 9000]).is_empty());
    assert!(opened(&mut tracker, &[7000, 7000, 8000, 9000]).is_empty());
    assert_eq!(opened(&mut tracker, &[7000, 7000, 7000, 8000, 9000]).len(), 1);
    assert_eq!(opened(&mut tracker, &[7000, 4, 5, 8000, 6, 9000]).len(), 1, "unlisted ports do not count");
}

#[test]
fn segments_without_the_flags_do_not_touch_the_attempt() {
    let mut tracker = tracker(&[door("ssh", &[7000, 8000])]);
    assert!(tracker.handle_segment(&segment(SOURCE, 7000, TcpFlags::SYN), at(1)).is_empty());
    assert!(tracker.handle_segment(&segment(SOURCE, 7000, TcpFlags::ACK), at(1)).is_empty());
    assert!(tracker.handle_segment(&segment(SOURCE, 8000, TcpFlags::SYN | TcpFlags::ACK), at(1)).is_empty());
    assert_eq!(tracker.handle_segment(&segment(SOURCE, 8000, TcpFlags::SYN), at(1)).len(), 1);
}

#[test]
fn time_runs_from_the_first_step() {
    let mut tracker = tracker(&[door("ssh", &[7000, 8000])]);
    let hit = |port| segment(SOURCE, port, TcpFlags::SYN);
    assert!(tracker.handle_segment(&hit(7000), at(10)).is_empty());
    assert!(tracker.handle_segment(&hit(8000), at(15)).is_empty(), "five seconds are too many");
    assert!(tracker.handle_segment(&hit(7000), at(20)).is_empty());
    assert_eq!(tracker.handle_segment(&hit(8000), at(24)).len(), 1);
}

#[test]
fn doors_with_the_same_first_step_run_side_by_side() {
    let mut tracker = tracker(&[door("a", &[1, 2, 3]), door("b", &[1, 2]), door("c", &[1, 2])]);
    let names: Vec<_> = opened(&mut tracker, &[1, 2, 3]).iter().map(ServiceName::to_string).collect();
    assert_eq!(names, ["b", "c", "a"]);
    assert!(opened(&mut tracker, &[2, 1, 3, 2]).is_empty());
}

#[test]
fn sources_do_not_disturb_each_other() {
    let mut tracker = tracker(&[door("ssh", &[7000, 8000])]);
    let other = |port| segment("2001:db8::1", port, TcpFlags::SYN);
    assert!(tracker.handle_segment(&segment(SOURCE, 7000, TcpFlags::SYN), at(1)).is_empty());
    assert!(tracker.handle_segment(&other(7000), at(1)).is_empty());
    assert_eq!(tracker.handle_segment(&other(8000), at(1)).len(), 1);
    assert_eq!(tracker.handle_segment(&segment(SOURCE, 8000, TcpFlags::SYN), at(1)).len(), 1);
}

#[test]
fn attempts_at_unchanged_doors_survive_new_doors() {
    let ssh = door("ssh", &[7000, 8000]);
    let mut tracker = tracker(&[ssh.clone(), door("gone", &[7000, 8000])]);
    assert!(opened(&mut tracker, &[7000]).is_empty());
    tracker.replace_doors([door("new", &[1]), ssh].into());
    assert_eq!(opened(&mut tracker, &[8000]), ["ssh".parse().unwrap()]);
}

#[test]
fn spoofed_sources_cost_bounded_memory() {
    let mut tracker = tracker(&[door("ssh", &[7000, 8000]), door("one", &[5])]);
    for i in 0..200_000_u32 {
        let mut spoofed = segment(SOURCE, 7000, TcpFlags::SYN);
        spoofed.from = Address::from(core::net::Ipv4Addr::from(0x0a00_0000 | i));
        assert!(tracker.handle_segment(&spoofed, at(1)).is_empty());
        assert_eq!(opened(&mut tracker, &[5]).len(), 1);
    }
    assert!(tracker.sources.len() <= MAX_SOURCES);
    assert!(tracker.by_age.len() <= MAX_SOURCES * 2);
    assert_eq!(opened(&mut tracker, &[7000, 8000]).len(), 1);
}
