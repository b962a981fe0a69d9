//! What a random trace is made of.

use std::fmt::Write;
use std::net::IpAddr;

use knock_spa_tests::knockd::packet::{Packet, Shape};
use knock_spa_tests::knockd::sequence::{Element, Protocol};
use knock_spa_tests::knockd::trace::{SERVER, SERVER_6, Step, Trace};

use super::Dice;

/// A trace that can be taken apart.
#[derive(Clone, Debug)]
pub struct Case {
    /// The doors.
    pub doors: Vec<Spec>,
    /// Those of the configuration that is read later.
    pub later: Vec<Spec>,
    /// What is done.
    pub steps: Vec<Step>,
}

/// A door.
#[derive(Clone, Debug)]
pub struct Spec {
    name: usize,
    sequence: Vec<Element>,
    lines: Vec<String>,
    flags: &'static str,
    target: Option<IpAddr>,
}

const KNOCKERS: [&str; 6] =
    ["198.51.100.1", "198.51.100.2", "198.51.100.3", "2001:db8:9::1", "2001:db8:9::2", "::192.0.2.7"];
const TARGETS: [&str; 4] = ["203.0.113.7", SERVER[1], "2001:db8:7::7", SERVER_6[0]];
const FLAGS: [&str; 7] = ["", "", "", "syn", "syn,!ack", "ack", "!rst"];
const BITS: [u8; 7] = [0x02, 0x02, 0x12, 0x10, 0x04, 0x01, 0x00];
const PORTS: [u16; 6] = [7000, 8000, 9000, 7001, 65535, 1];

fn address(text: &str) -> IpAddr {
    text.parse().expect("an address")
}

impl Case {
    /// A case of these random numbers.
    pub fn of(dice: &mut Dice) -> Self {
        let ports = &PORTS[..dice.between(3, 6)];
        let doors = Spec::several(dice, ports);
        let later = Spec::several(dice, ports);
        let steps = Walk::new(dice, ports, &doors).steps(dice);
        Self { doors, later, steps }
    }

    /// The case as a trace.
    pub fn trace(&self) -> Trace {
        let config = |doors: &[Spec]| doors.iter().map(Spec::text).collect::<String>();
        let writes = self.steps.iter().filter(|step| **step == Step::Write).count();
        let mut trace = Trace::new("random", &config(&self.doors), "");
        for _ in 0..writes {
            trace = trace.write("knockd.conf", &config(&self.later));
        }
        trace.steps.clone_from(&self.steps);
        trace
    }
}

impl Spec {
    fn several(dice: &mut Dice, ports: &[u16]) -> Vec<Self> {
        let mut specs: Vec<Self> = Vec::new();
        for name in 0..dice.between(1, 5) {
            let sequence = sequence(dice, ports, &specs);
            specs.push(Self::new(dice, name, sequence));
        }
        specs
    }

    fn new(dice: &mut Dice, name: usize, sequence: Vec<Element>) -> Self {
        let mut lines = Vec::new();
        if dice.percent(85) {
            lines.push(format!("start_command = echo {name} start %IP% >>$RAN"));
        }
        if dice.percent(15) {
            lines.push(format!("stop_command = echo {name} stop %IP% >>$RAN\ncmd_timeout = 0"));
        }
        if dice.percent(10) {
            lines.push(format!("start_command_6 = echo {name} start6 %IP% >>$RAN; exit {name}"));
        }
        if dice.percent(20) {
            lines.push(format!("seq_timeout = {}", dice.of(&["1", "2", "0", "x", "9"])));
        }
        let target = dice.percent(20).then(|| address(dice.of(&TARGETS)));
        Self { name, sequence, lines, flags: dice.of(&FLAGS), target }
    }

    fn text(&self) -> String {
        let ports: Vec<_> = self.sequence.iter().map(Element::to_string).collect();
        let mut text = format!("[{}]\nsequence = {}\n", self.name, ports.join(","));
        let flags =
            Some(self.flags).filter(|flags| !flags.is_empty()).map(|flags| format!("tcpflags = {flags}"));
        let target = self.target.map(|target| format!("target = {target}"));
        for line in self.lines.iter().cloned().chain(flags).chain(target) {
            writeln!(text, "{line}").expect("a text");
        }
        text
    }

    /// Flags that the door may like.
    fn bits(&self) -> u8 {
        if self.flags == "ack" { 0x10 } else { 0x02 }
    }
}

/// A sequence, which often begins as another does.
fn sequence(dice: &mut Dice, ports: &[u16], others: &[Spec]) -> Vec<Element> {
    let mut sequence = Vec::new();
    if !others.is_empty() && dice.percent(45) {
        let other = &others[dice.below(others.len())].sequence;
        sequence.extend(&other[..dice.between(1, other.len())]);
    }
    let more = if sequence.is_empty() { dice.between(1, 4) } else { dice.between(0, 2) };
    for _ in 0..more {
        sequence.push(Element { protocol: protocol(dice), port: dice.of(ports) });
    }
    sequence
}

fn protocol(dice: &mut Dice) -> Protocol {
    if dice.percent(25) { Protocol::Udp } else { Protocol::Tcp }
}

/// Those who knock, each on the way to some door, if not quite straight.
struct Walk<'c> {
    ports: &'c [u16],
    doors: &'c [Spec],
    knockers: Vec<Knocker>,
}

struct Knocker {
    from: IpAddr,
    door: usize,
    at: usize,
}

impl<'c> Walk<'c> {
    fn new(dice: &mut Dice, ports: &'c [u16], doors: &'c [Spec]) -> Self {
        let knocker = |dice: &mut Dice| Knocker {
            from: address(dice.of(&KNOCKERS)),
            door: dice.below(doors.len()),
            at: 0,
        };
        let knockers = (0..dice.between(1, 3)).map(|_| knocker(dice)).collect();
        Self { ports, doors, knockers }
    }

    fn steps(mut self, dice: &mut Dice) -> Vec<Step> {
        let is_slow = dice.percent(4);
        let mut steps = Vec::new();
        for _ in 0..dice.between(4, 40) {
            let step = match dice.below(1000) {
                0..8 => Step::Sync,
                8..12 => Step::Reload,
                12..15 => Step::Write,
                15..80 if is_slow => Step::Wait(dice.of(&[300, 700, 1000])),
                _ => Step::Hit(self.packet(dice)),
            };
            steps.push(step);
        }
        steps
    }

    fn packet(&mut self, dice: &mut Dice) -> Packet {
        let which = dice.below(self.knockers.len());
        let knocker = &mut self.knockers[which];
        let door = &self.doors[knocker.door];
        let from = knocker.from;
        let stray = Element { protocol: protocol(dice), port: dice.of(self.ports) };
        let next = door.sequence[knocker.at.min(door.sequence.len() - 1)];
        let is_straight = dice.percent(80);
        let element = if is_straight { next } else { stray };
        let flags = if dice.percent(85) { door.bits() } else { dice.of(&BITS) };
        let target = door.target.filter(|target| target.is_ipv4() == from.is_ipv4() && dice.percent(90));
        let own: &[&str] = if from.is_ipv4() { &SERVER } else { &SERVER_6 };
        let odd = if from.is_ipv4() { TARGETS[0] } else { TARGETS[2] };
        let to = target.unwrap_or_else(|| {
            address(if dice.percent(3) { odd } else { own[usize::from(dice.percent(10))] })
        });
        knocker.at += usize::from(is_straight || dice.percent(30));
        if knocker.at >= door.sequence.len() || dice.percent(4) {
            *knocker = Knocker { from, door: dice.below(self.doors.len()), at: 0 };
        }
        let Element { protocol, port } = element;
        Packet { from, to, protocol, port, flags, shape: Shape::Plain }
    }
}
