//! What knockd makes of packets, in virtual time.

use std::collections::BTreeSet;
use std::net::IpAddr;

use super::address;
use super::dialect::Door;
use super::packet::{Packet, Shape};
use super::sequence::{Element, Protocol};

/// Which of knockd's faults a model has.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Faults {
    /// All of them.
    Kept,
    /// None of those that were mended in its successor.
    Mended,
}

/// One step of an attempt that the log tells.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Line {
    /// Who knocks.
    pub from: IpAddr,
    /// The door's place in the file.
    pub door: usize,
    /// What happened.
    pub event: Event,
}

/// What can happen to an attempt and is told.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Event {
    /// So many ports were knocked at.
    Stage(usize),
    /// That was all of them.
    Opened,
    /// It took too long, and came so far.
    TimedOut(usize),
}

impl Line {
    /// The line as it is logged.
    #[must_use]
    pub fn message(&self, doors: &[String]) -> String {
        let (from, door) = (address::text(self.from), &doors[self.door]);
        match self.event {
            Event::Stage(stage) => format!("{from}: {door}: Stage {stage}"),
            Event::Opened => format!("{from}: {door}: OPEN SESAME"),
            Event::TimedOut(stage) => format!("{from}: {door}: sequence timeout (stage {stage})\n"),
        }
    }
}

/// Whatever follows attempts: the model, and what is held against it.
pub trait Tracker {
    /// A packet came at this second.
    fn hit(&mut self, packet: &Packet, now: i64) -> Vec<Line>;
    /// This second has come.
    fn pass(&mut self, now: i64) -> Vec<Line>;
}

/// knockd's own tracker.
#[derive(Debug)]
pub struct Model {
    faults: Faults,
    own: Vec<IpAddr>,
    doors: Vec<Watched>,
    attempts: Vec<Attempt>,
}

#[derive(Debug)]
struct Watched {
    door: Door,
    target: Option<Target>,
    /// What the kernel lets through for it, by IPv6.
    seen_6: BTreeSet<(bool, u16)>,
}

/// The address of a target, and the text with which destinations are compared.
#[derive(Debug)]
struct Target {
    ip: Option<IpAddr>,
    text: String,
}

#[derive(Clone, Debug)]
struct Attempt {
    from: IpAddr,
    door: usize,
    stage: usize,
    began: i64,
    fate: Fate,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Fate {
    Going,
    Failed,
    Opened,
}

impl Attempt {
    fn line(&self, event: Event) -> Line {
        Line { from: self.from, door: self.door, event }
    }
}

fn ports(sequence: &[Element]) -> BTreeSet<(bool, u16)> {
    sequence.iter().map(|element| (element.protocol == Protocol::Tcp, element.port)).collect()
}

impl Watched {
    fn new(door: Door) -> Self {
        let target = door.target.clone().map(|text| Target { ip: text.parse().ok(), text });
        let seen_6 = ports(&door.sequence);
        Self { door, target, seen_6 }
    }

    /// Whether the kernel lets the packet through on account of this door.
    fn admits(&self, packet: &Packet, own: &[IpAddr]) -> bool {
        let for_us = match &self.target {
            Some(target) => target.ip == Some(packet.to),
            None => own.contains(&packet.to),
        };
        let port = (packet.protocol == Protocol::Tcp, packet.port);
        let listed = if packet.to.is_ipv6() {
            self.seen_6.contains(&port)
        } else {
            ports(&self.door.sequence).contains(&port)
        };
        for_us && listed && self.likes(packet)
    }

    /// Whether an attempt at this door can be made by way of this address.
    fn accepts(&self, to: IpAddr, own: &[IpAddr]) -> bool {
        match &self.target {
            Some(target) => target.text == address::text(to),
            None => own.contains(&to),
        }
    }

    /// Whether the packet has the flags that the door asks for.
    fn likes(&self, packet: &Packet) -> bool {
        let Door { flags_set, flags_clear, .. } = self.door;
        packet.protocol == Protocol::Udp
            || packet.flags & flags_set == flags_set && packet.flags & flags_clear == 0
    }

    fn expects(&self, packet: &Packet, stage: usize) -> bool {
        self.door.sequence.get(stage) == Some(&Element { protocol: packet.protocol, port: packet.port })
    }
}

impl Model {
    /// A tracker that has seen nothing, of an interface with these addresses.
    #[must_use]
    pub fn new(faults: Faults, own: &[IpAddr], doors: &[Door]) -> Self {
        let doors = doors.iter().cloned().map(Watched::new).collect();
        Self { faults, own: own.to_vec(), doors, attempts: Vec::new() }
    }

    /// Goes on with the attempts of another model at doors that are the same here.
    pub fn inherit(&mut self, other: &Self) {
        let place = |door: usize| {
            let old = &other.doors[door].door;
            self.doors.iter().position(|watched| watched.door == *old)
        };
        let attempts = other.attempts.iter().filter(|attempt| attempt.fate == Fate::Going);
        self.attempts = attempts
            .filter_map(|attempt| place(attempt.door).map(|door| Attempt { door, ..attempt.clone() }))
            .collect();
    }

    /// Gives a door its next sequence.
    pub fn replace_sequence(&mut self, door: usize, sequence: Vec<Element>) {
        let watched = &mut self.doors[door];
        if self.faults == Faults::Mended {
            watched.seen_6 = ports(&sequence);
        }
        watched.door.sequence = sequence;
    }

    /// Takes away a door's sequence: nothing opens it any more.
    pub fn disable(&mut self, door: usize) {
        self.replace_sequence(door, Vec::new());
    }

    /// Whether nothing can open the door.
    #[must_use]
    pub fn is_disabled(&self, door: usize) -> bool {
        self.doors[door].door.sequence.is_empty()
    }

    fn admits(&self, packet: &Packet) -> bool {
        let visible = matches!(packet.shape, Shape::Plain | Shape::Options);
        // Where the interface has no address, knockd installs no filter.
        visible && (self.own.is_empty() || self.doors.iter().any(|door| door.admits(packet, &self.own)))
    }

    /// Whether nothing can come of the attempt any more. In knockd one that succeeded goes on where the door
    /// has got a longer sequence meanwhile.
    fn is_over(&self, attempt: &Attempt) -> bool {
        match (self.faults, attempt.fate) {
            (_, Fate::Failed) | (Faults::Mended, Fate::Opened) => true,
            (Faults::Kept, _) => attempt.stage >= self.doors[attempt.door].door.sequence.len(),
            (Faults::Mended, Fate::Going) => false,
        }
    }

    fn deadline(&self, attempt: &Attempt) -> i64 {
        attempt.began + i64::from(self.doors[attempt.door].door.within)
    }

    /// Drops what is over.
    fn sweep(&mut self, now: i64) -> Vec<Line> {
        let mut lines = Vec::new();
        let mut left = Vec::new();
        let mut forgets = false;
        for (at, attempt) in self.attempts.iter().enumerate() {
            let over = self.is_over(attempt);
            let expired = !over && self.faults == Faults::Kept && now >= self.deadline(attempt);
            if expired {
                lines.push(attempt.line(Event::TimedOut(attempt.stage)));
            }
            if over || expired {
                forgets |= at == 0 && self.faults == Faults::Kept;
            } else {
                left.push(attempt.clone());
            }
        }
        self.attempts = if forgets { Vec::new() } else { left };
        lines
    }

    /// Goes on with the attempts of the packet's source, if it has any that care for its destination.
    fn advance(&mut self, packet: &Packet) -> Option<Vec<Line>> {
        let mut found = None;
        for attempt in &mut self.attempts {
            let watched = &self.doors[attempt.door];
            if attempt.from != packet.from || !watched.accepts(packet.to, &self.own) {
                continue;
            }
            let lines = found.get_or_insert_with(Vec::new);
            if watched.likes(packet) {
                lines.extend(knock(attempt, watched, packet));
            }
        }
        found
    }

    fn begin(&mut self, packet: &Packet, now: i64) -> Vec<Line> {
        let mut lines = Vec::new();
        for (door, watched) in self.doors.iter().enumerate() {
            let accepted = watched.accepts(packet.to, &self.own) && watched.likes(packet);
            if accepted && watched.expects(packet, 0) {
                let mut attempt =
                    Attempt { from: packet.from, door, stage: 0, began: now, fate: Fate::Going };
                lines.extend(knock(&mut attempt, watched, packet));
                self.attempts.push(attempt);
            }
        }
        lines
    }
}

/// Compares a packet with what the attempt waits for.
fn knock(attempt: &mut Attempt, watched: &Watched, packet: &Packet) -> Vec<Line> {
    if !watched.expects(packet, attempt.stage) {
        attempt.fate = Fate::Failed;
        return Vec::new();
    }
    attempt.stage += 1;
    let mut lines = vec![attempt.line(Event::Stage(attempt.stage))];
    if attempt.stage >= watched.door.sequence.len() {
        attempt.fate = Fate::Opened;
        lines.push(attempt.line(Event::Opened));
    }
    lines
}

impl Tracker for Model {
    fn hit(&mut self, packet: &Packet, now: i64) -> Vec<Line> {
        let mut lines = self.pass(now);
        let packet = &match self.faults {
            Faults::Kept => *packet,
            // An address of IPv4 in the clothes of IPv6 is that of IPv4.
            Faults::Mended => Packet { from: packet.from.to_canonical(), ..*packet },
        };
        if self.admits(packet) {
            lines.extend(self.sweep(now));
            let knocked = self.advance(packet);
            lines.extend(knocked.unwrap_or_else(|| self.begin(packet, now)));
            // An attempt may have had no time at all.
            lines.extend(self.pass(now));
        }
        lines
    }

    fn pass(&mut self, now: i64) -> Vec<Line> {
        if self.faults == Faults::Kept {
            return Vec::new();
        }
        let mut expired: Vec<_> = self
            .attempts
            .iter()
            .filter(|attempt| attempt.fate == Fate::Going && now >= self.deadline(attempt))
            .cloned()
            .collect();
        // What is over at the same time is told in the order in which it began.
        expired.sort_by_key(|attempt| self.deadline(attempt));
        let mut attempts = std::mem::take(&mut self.attempts);
        attempts.retain(|attempt| attempt.fate != Fate::Going || now < self.deadline(attempt));
        self.attempts = attempts;
        expired.iter().map(|attempt| attempt.line(Event::TimedOut(attempt.stage))).collect()
    }
}
