//! The same traces in virtual time: the listener's engine beside the model, without daemons.

use std::iter;
use std::net::IpAddr;
use std::time::Duration;

use knock_spa_engine::watch::{ClassicDoor, Orders, Watch};
use knock_spa_proto::address::Address;
use knock_spa_proto::knock::{ClassicKnock, DoorNumber, FlagRule, Sequence, Step, TimeLimit};
use knock_spa_proto::port::Transport;
use knock_spa_proto::report::Report;
use knock_spa_proto::time::{BootTime, Now, UnixTime};
use knock_spa_tests::knockd::dialect::Door;
use knock_spa_tests::knockd::model::{Event, Faults, Line, Model, Tracker};
use knock_spa_tests::knockd::packet::Packet;
use knock_spa_tests::knockd::sequence::Protocol;
use knock_spa_tests::knockd::trace::{Ours, Trace};
use knock_spa_tests::knockd::virtual_time::told;

use super::random::{Case, Dice};
use super::traces;

/// The listener's own state, fed with packets as the kernel delivers them.
struct Listener {
    watch: Watch,
}

impl Listener {
    fn new(own: &[IpAddr], doors: &[Door]) -> Self {
        let orders = Orders {
            generation: 1,
            spa_port: None,
            window: Duration::from_secs(60),
            secrets: Vec::new(),
            own: own.iter().copied().map(Address::new).collect(),
            doors: doors.iter().enumerate().map(|(place, door)| classic_door(place, door)).collect(),
            explains: false,
            tells_stages: true,
        };
        Self { watch: Watch::new(orders, at(0)) }
    }

    /// What the listener has to tell the keeper, as lines.
    fn lines(&mut self) -> Vec<Line> {
        let reports = iter::from_fn(|| self.watch.poll_report());
        reports.filter_map(line).collect()
    }
}

impl Tracker for Listener {
    fn hit(&mut self, packet: &Packet, now: i64) -> Vec<Line> {
        self.watch.handle_packet(&packet.bytes(), at(now));
        // Its timer goes off before the next packet is read.
        self.pass(now)
    }

    fn pass(&mut self, now: i64) -> Vec<Line> {
        self.watch.handle_timeout(at(now));
        self.lines()
    }
}

/// A second of the wall clock, on a machine that booted when it was set to 0.
fn at(second: i64) -> Now {
    let nanos = u64::try_from(second).expect("a time since 1970") * 1_000_000_000;
    Now { boot: BootTime::from_nanos(nanos), unix: UnixTime::from_nanos(nanos) }
}

fn classic_door(place: usize, door: &Door) -> ClassicDoor {
    let steps = door.sequence.iter().map(|element| Step {
        transport: match element.protocol {
            Protocol::Tcp => Transport::Tcp,
            Protocol::Udp => Transport::Udp,
        },
        port: element.port,
    });
    let flags = FlagRule::default().requiring(door.flags_set).forbidding(door.flags_clear);
    let within = TimeLimit::WholeSeconds(u32::try_from(door.within).unwrap_or(0));
    let sequence = Sequence::new(steps.collect()).expect("a sequence that was parsed");
    let target = door.target.as_ref().and_then(|target| target.parse().ok());
    let knock = ClassicKnock { target, ..ClassicKnock::new(sequence, within, flags) };
    ClassicDoor { number: DoorNumber(u32::try_from(place).expect("a few doors")), knock }
}

/// The line of knockd's log that a report is; none for what knockd's log does not know.
fn line(report: Report) -> Option<Line> {
    let (door, from, event) = match report {
        Report::Stage { door, from, stage } => (door, from, Event::Stage(stage.into())),
        Report::Knock { door, from } => (door, from, Event::Opened),
        Report::SequenceTimeout { door, from, stage } => (door, from, Event::TimedOut(stage.into())),
        Report::Ready { .. } | Report::Statement { .. } | Report::Stale { .. } | Report::Counters(_) => {
            return None;
        }
    };
    Some(Line { from: from.ip(), door: usize::try_from(door.0).expect("a few doors"), event })
}

/// What is held against the mended model.
fn under_test(own: &[IpAddr], doors: &[Door]) -> Box<dyn Tracker> {
    Box::new(Listener::new(own, doors))
}

fn mended(own: &[IpAddr], doors: &[Door]) -> Box<dyn Tracker> {
    Box::new(Model::new(Faults::Mended, own, doors))
}

/// Whether the tracker was asked at all.
fn agrees(trace: &Trace) -> bool {
    let (expected, found) = (told(trace, &mended), told(trace, &under_test));
    let first = expected.iter().flatten().zip(found.iter().flatten()).position(|(one, other)| one != other);
    assert_eq!(expected, found, "{} from line {first:?} on:\n{}{:#?}", trace.name, trace.config, trace.steps);
    found.is_some_and(|told| !told.is_empty())
}

#[test]
fn the_tracker_follows_traces_written_by_hand() {
    let traces = traces::all();
    let asked = traces.iter().filter(|trace| !matches!(trace.ours, Ours::Other(_)) && agrees(trace)).count();
    assert!(asked > 150, "{asked} of {}", traces.len());
}

#[test]
fn the_tracker_follows_random_traces() {
    let asked = (0..2000).filter(|number| agrees(&Case::of(&mut Dice::new(1, *number)).trace())).count();
    assert!(asked > 1500, "{asked}");
}
