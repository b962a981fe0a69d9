//! Trackers that live through traces in virtual time.

use std::net::IpAddr;

use super::dialect::{self, Door, Files};
use super::forecast::CONFIG;
use super::history::What;
use super::model::{Line, Tracker};
use super::rehearsal::rehearse;
use super::trace::Trace;

/// What a tracker told, and at which second.
pub type Told = Vec<(i64, Line)>;

/// Makes a tracker of the interface's addresses and the doors.
pub type Make = dyn Fn(&[IpAddr], &[Door]) -> Box<dyn Tracker>;

/// What a tracker tells of a trace; nothing where no daemon starts, or where sequences change while one runs.
/// It is told of every second that comes, and of nothing after a reload.
pub fn told(trace: &Trace, make: &Make) -> Option<Told> {
    let history = rehearse(trace);
    let read =
        |text: &str| dialect::parse(text, &Files::new()).ok().map(|read| make(&trace.own, &read.doors));
    let mut tracker = read("")?;
    let (mut text, mut told) = (String::new(), Told::new());
    let mut last = history.first()?.at.div_euclid(1000);
    for happening in &history {
        let now = happening.at.div_euclid(1000);
        for second in last + 1..=now {
            told.extend(tracker.pass(second).into_iter().map(|line| (second, line)));
        }
        last = now;
        match &happening.what {
            What::Written { name, text: written } if name == CONFIG => text.clone_from(written),
            What::Started => tracker = read(&text)?,
            What::Hit(packet) => told.extend(tracker.hit(packet, now).into_iter().map(|line| (now, line))),
            What::Reload | What::Terminated | What::Interrupted | What::Unplugged => break,
            What::Written { .. } | What::Renamed { .. } | What::Tick => {}
        }
    }
    Some(told)
}
