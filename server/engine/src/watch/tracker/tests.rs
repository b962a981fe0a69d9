use alloc::format;
use alloc::string::String;
use core::time::Duration;

use knock_spa_proto::knock::{FlagRule, Sequence, TimeLimit};
use knock_spa_proto::port::Transport;
use knock_spa_proto::time::UnixTime;

use super::sources::{MAX_ATTEMPTS, MAX_SOURCES};
use super::*;

const SOURCE: &str = "192.0.2.1";
const OWN: &str = "192.0.2.9";
const TARGET: &str = "203.0.113.5";

fn door(number: u32, ports: &[u16]) -> ClassicDoor {
    let step = |port: &u16| Step { transport: Transport::Tcp, port: *port };
    let sequence = Sequence::new(ports.iter().map(step).collect()).unwrap();
    let flags = FlagRule::default().requiring(TcpFlags::SYN).forbidding(TcpFlags::ACK);
    let within = TimeLimit::Span(Duration::from_secs(5));
    ClassicDoor { number: DoorNumber(number), knock: ClassicKnock::new(sequence, within, flags) }
}

fn changed(mut door: ClassicDoor, change: impl FnOnce(&mut ClassicKnock)) -> ClassicDoor {
    change(&mut door.knock);
    door
}

fn tracker(doors: &[ClassicDoor]) -> Tracker {
    let mut tracker = Tracker::default();
    tracker.replace_doors(doors.to_vec());
    tracker
}

fn at_millis(millis: u64) -> Now {
    let nanos = millis * 1_000_000;
    // The wall clock is 300 ms into its second when the machine boots.
    Now { boot: BootTime::from_nanos(nanos), unix: UnixTime::from_nanos(1_790_000_000_300_000_000 + nanos) }
}

fn at(seconds: u64) -> Now {
    at_millis(seconds * 1000)
}

fn segment(from: &str, to: &str, port: u16, flags: u8) -> Segment<'static> {
    Segment {
        from: Address::new(from.parse().unwrap()),
        from_port: 40_000,
        to: Address::new(to.parse().unwrap()),
        port,
        body: Body::Tcp(TcpFlags(flags)),
    }
}

fn shown(progress: Vec<Progress>) -> Vec<String> {
    let shown = |progress| match progress {
        Progress::Stage(door, _, stage) => format!("{} {stage}", door.0),
        Progress::Done(door, _) => format!("{} open", door.0),
        Progress::Expired(door, from, stage) => format!("{} {from} expired {stage}", door.0),
    };
    progress.into_iter().map(shown).collect()
}

fn hit(tracker: &mut Tracker, segment: &Segment<'_>, now: Now) -> Vec<String> {
    let is_own = segment.to == Address::new(OWN.parse().unwrap());
    shown(tracker.handle_segment(segment, is_own, now))
}

fn syn(tracker: &mut Tracker, port: u16, now: Now) -> Vec<String> {
    hit(tracker, &segment(SOURCE, OWN, port, TcpFlags::SYN), now)
}

/// What comes of these ports, hit by one source within a second.
fn after(tracker: &mut Tracker, ports: &[u16]) -> Vec<String> {
    ports.iter().flat_map(|port| syn(tracker, *port, at(1))).collect()
}

fn opened(tracker: &mut Tracker, ports: &[u16]) -> usize {
    after(tracker, ports).iter().filter(|line| line.ends_with("open")).count()
}

#[test]
fn the_whole_sequence_in_order_opens_and_may_be_repeated() {
    let mut tracker = tracker(&[door(1, &[7000, 8000, 9000])]);
    assert_eq!(after(&mut tracker, &[7000, 8000, 9000]), ["1 1", "1 2", "1 3", "1 open"]);
    assert_eq!(opened(&mut tracker, &[7000, 8000, 9000]), 1);
    assert_eq!((tracker.sources.len(), tracker.next_end()), (0, None));
}

#[test]
fn a_listed_port_out_of_turn_breaks_the_attempt_and_is_consumed() {
    let mut tracker = tracker(&[door(1, &[7000, 8000, 9000])]);
    assert_eq!(opened(&mut tracker, &[7000, 9000, 8000, 9000]), 0);
    assert_eq!(opened(&mut tracker, &[7000, 7000, 8000, 9000]), 0);
    assert_eq!(opened(&mut tracker, &[7000, 7000, 7000, 8000, 9000]), 1);
    assert_eq!(opened(&mut tracker, &[7000, 4, 5, 8000, 6, 9000]), 1, "unlisted ports do not count");
}

#[test]
fn repeats_are_tolerated_where_the_door_says_so_but_nothing_else_is() {
    let tolerant = |ports| changed(door(1, ports), |knock| knock.repeats = Repeats::Tolerated);
    let mut three = tracker(&[tolerant(&[7000, 8000, 9000])]);
    assert_eq!(opened(&mut three, &[7000, 7000, 7000, 8000, 8000, 9000]), 1);
    assert_eq!(opened(&mut three, &[7000, 8000, 7000, 9000]), 0);
    assert_eq!(opened(&mut three, &[7000, 9000, 8000, 9000]), 0);
    let mut twice = tracker(&[tolerant(&[7000, 7000, 8000])]);
    assert_eq!(opened(&mut twice, &[7000, 8000]), 0, "a step that stands twice is hit twice");
    assert_eq!(opened(&mut twice, &[7000, 7000, 7000, 8000]), 1);
}

#[test]
fn segments_without_the_flags_do_not_touch_the_attempt() {
    let mut tracker = tracker(&[door(1, &[7000, 8000])]);
    let mut hits = |flags, port| hit(&mut tracker, &segment(SOURCE, OWN, port, flags), at(1));
    assert_eq!(hits(TcpFlags::SYN, 7000), ["1 1"]);
    assert!(hits(TcpFlags::ACK, 7000).is_empty());
    assert!(hits(TcpFlags::SYN | TcpFlags::ACK, 8000).is_empty());
    assert_eq!(hits(TcpFlags::SYN, 8000), ["1 2", "1 open"]);
}

#[test]
fn time_runs_from_the_first_step_and_its_end_is_told() {
    let mut tracker = tracker(&[door(1, &[7000, 8000, 9000])]);
    assert_eq!(syn(&mut tracker, 7000, at(10)), ["1 1"]);
    assert_eq!(syn(&mut tracker, 8000, at(12)), ["1 2"]);
    assert_eq!(tracker.next_end(), Some(at(15).boot));
    assert!(tracker.handle_timeout(at_millis(14_999).boot).is_empty());
    assert_eq!(shown(tracker.handle_timeout(at(15).boot)), [format!("1 {SOURCE} expired 2")]);
    assert_eq!(syn(&mut tracker, 7000, at(20)), ["1 1"]);
    assert_eq!(syn(&mut tracker, 7000, at(25)), [format!("1 {SOURCE} expired 1"), "1 1".into()]);
}

#[test]
fn whole_seconds_are_counted_by_the_wall_clock() {
    let limited =
        |seconds| changed(door(1, &[7000, 8000]), |knock| knock.within = TimeLimit::WholeSeconds(seconds));
    let mut five = tracker(&[limited(5)]);
    assert_eq!(syn(&mut five, 7000, at(10)).len(), 1);
    assert_eq!(syn(&mut five, 8000, at_millis(14_699)).len(), 2);
    assert_eq!(syn(&mut five, 7000, at(20)).len(), 1);
    assert_eq!(syn(&mut five, 8000, at_millis(24_700)), [format!("1 {SOURCE} expired 1")]);
    let mut zero = tracker(&[limited(0)]);
    assert_eq!(syn(&mut zero, 7000, at(10)), ["1 1"]);
    assert_eq!(syn(&mut zero, 8000, at(10)), [format!("1 {SOURCE} expired 1")]);
}

#[test]
fn doors_with_the_same_first_step_run_side_by_side() {
    let mut tracker = tracker(&[door(1, &[1, 2, 3]), door(2, &[1, 2]), door(3, &[1, 2])]);
    let lines = after(&mut tracker, &[1, 2, 3]);
    assert_eq!(
        lines,
        ["1 1", "2 1", "3 1", "1 2", "2 2", "2 open", "3 2", "3 open", "1 3", "1 open"].map(String::from)
    );
    assert_eq!(opened(&mut tracker, &[2, 1, 3, 2]), 0);
}

#[test]
fn a_failed_attempt_leaves_the_others_alone() {
    let mut tracker = tracker(&[door(1, &[1, 2]), door(2, &[1, 3, 4])]);
    assert_eq!(after(&mut tracker, &[1, 3, 4]), ["1 1", "2 1", "2 2", "2 3", "2 open"]);
}

#[test]
fn sources_do_not_disturb_each_other() {
    let mut tracker = tracker(&[door(1, &[7000, 8000])]);
    let mut other = |port| hit(&mut tracker, &segment("2001:db8::1", OWN, port, TcpFlags::SYN), at(1));
    assert_eq!(other(7000), ["1 1"]);
    let mut own = |port| hit(&mut tracker, &segment(SOURCE, OWN, port, TcpFlags::SYN), at(1));
    assert_eq!(own(7000), ["1 1"]);
    assert_eq!(own(8000), ["1 2", "1 open"]);
}

#[test]
fn attempts_at_different_targets_are_independent() {
    let target = Address::new(TARGET.parse().unwrap());
    let mut tracker =
        tracker(&[door(1, &[1, 2]), changed(door(2, &[1, 2]), |knock| knock.target = Some(target))]);
    let mut to = |to, port| hit(&mut tracker, &segment(SOURCE, to, port, TcpFlags::SYN), at(1));
    assert_eq!(to(OWN, 1), ["1 1"]);
    assert_eq!(to(TARGET, 1), ["2 1"]);
    assert!(to("203.0.113.6", 2).is_empty());
    assert_eq!(to(OWN, 2), ["1 2", "1 open"]);
    assert_eq!(to(TARGET, 2), ["2 2", "2 open"]);
    assert!(tracker.is_target(target));
}

#[test]
fn a_cooldown_keeps_a_door_shut_for_the_source_alone() {
    let mut tracker =
        tracker(&[changed(door(1, &[5]), |knock| knock.cooldown = Duration::from_secs(3)), door(2, &[6])]);
    assert_eq!(after(&mut tracker, &[5, 5, 6, 6]), ["1 1", "1 open", "2 1", "2 open", "2 1", "2 open"]);
    assert!(syn(&mut tracker, 5, at_millis(3_999)).is_empty());
    assert_eq!(hit(&mut tracker, &segment("192.0.2.2", OWN, 5, TcpFlags::SYN), at(2)).len(), 2);
    assert_eq!(syn(&mut tracker, 5, at(4)).len(), 2);
}

#[test]
fn a_door_that_opens_once_does_not_open_again_before_it_has_another_number() {
    let once = |number| changed(door(number, &[1, 2]), |knock| knock.uses = Uses::Once);
    let mut tracker = tracker(&[once(1)]);
    assert_eq!(hit(&mut tracker, &segment("192.0.2.2", OWN, 1, TcpFlags::SYN), at(1)), ["1 1"]);
    assert_eq!(opened(&mut tracker, &[1, 2]), 1);
    assert_eq!(opened(&mut tracker, &[1, 2]), 0);
    assert_eq!(hit(&mut tracker, &segment("192.0.2.2", OWN, 2, TcpFlags::SYN), at(1)), ["1 2"]);
    tracker.replace_doors([once(1)].into());
    assert_eq!(opened(&mut tracker, &[1, 2]), 0);
    tracker.replace_doors([once(2)].into());
    assert_eq!(opened(&mut tracker, &[1, 2]), 1);
}

#[test]
fn attempts_at_unchanged_doors_survive_new_doors() {
    let mut tracker = tracker(&[door(1, &[7000, 8000]), door(2, &[7000, 8000])]);
    assert_eq!(opened(&mut tracker, &[7000]), 0);
    tracker.replace_doors([door(3, &[1]), door(1, &[7000, 8000])].into());
    assert_eq!(after(&mut tracker, &[8000]), ["1 2", "1 open"]);
}

fn spoofed(i: u32, port: u16) -> Segment<'static> {
    let from = Address::from(core::net::Ipv4Addr::from(0x0a00_0000 | i));
    Segment { from, ..segment(SOURCE, OWN, port, TcpFlags::SYN) }
}

#[test]
fn spoofed_sources_cost_bounded_memory() {
    let mut tracker = tracker(&[door(1, &[7000, 8000]), door(2, &[5])]);
    for i in 0..100_000 {
        assert_eq!(hit(&mut tracker, &spoofed(i, 7000), at(1)), ["1 1"]);
        assert_eq!(opened(&mut tracker, &[5]), 1);
    }
    assert_eq!(tracker.sources.len(), MAX_SOURCES);
    assert_eq!(opened(&mut tracker, &[7000, 8000]), 1);
    assert_eq!(tracker.handle_timeout(at(6).boot).len(), MAX_SOURCES - 1);
    assert_eq!((tracker.sources.len(), tracker.next_end()), (0, None));
}

#[test]
fn a_flood_of_first_steps_displaces_nobody_who_has_come_further() {
    let mut tracker = tracker(&[door(1, &[7000, 8000, 9000])]);
    assert_eq!(after(&mut tracker, &[7000, 8000]).len(), 2);
    (0..100_000).for_each(|i| assert_eq!(hit(&mut tracker, &spoofed(i, 7000), at(1)).len(), 1));
    assert_eq!(opened(&mut tracker, &[9000]), 1);
}

#[test]
fn many_doors_with_the_same_first_step_cost_bounded_memory() {
    let doors: Vec<_> = (0..1000).map(|number| door(number, &[1, 2])).collect();
    let mut tracker = tracker(&doors);
    for i in 0..500 {
        assert_eq!(hit(&mut tracker, &spoofed(i, 1), at(1)).len(), 1000);
    }
    assert!(tracker.sources.len() <= MAX_ATTEMPTS / 1000);
    assert_eq!(opened(&mut tracker, &[1, 2]), 1000);
}
