//! What happens, to knockd and in words to our log.

use std::path::Path;
use std::thread::sleep;
use std::time::Duration;

use knock_spa_engine::knockd::Said;
use knock_spa_proto::address::Address;
use knock_spa_tests::lab::Running;
use knock_spad::knockd_log::{KnockdLog, Line};
use rustix::process::{Signal, kill_process};

use crate::machine::{Machine, daemon_of};

/// Events, and the doors at which they happen.
#[derive(Debug)]
pub struct Story {
    /// In knockd's configuration; `@` is the machine's directory.
    pub doors: String,
    /// Of knockd.
    pub options: Vec<&'static str>,
    pub looks_up: bool,
    pub umask: u32,
    pub events: Vec<Event>,
}

/// What happens.
#[derive(Debug)]
pub enum Event {
    Start,
    StartWithoutPidFile,
    /// From an address to its ports, after a pause.
    Knock(&'static str, Duration, &'static [u16], Vec<Said>),
    Reload,
    Stop,
}

impl Event {
    /// Makes it happen to knockd.
    pub fn happen(&self, knockd: &mut Running, machine: &Machine) {
        match self {
            Self::Start | Self::StartWithoutPidFile => {}
            Self::Knock(address, pause, ports, _) => {
                sleep(*pause);
                ports.iter().for_each(|port| machine.knock(address, *port));
            }
            Self::Reload => kill_process(daemon_of(knockd), Signal::HUP).unwrap(),
            Self::Stop => kill_process(daemon_of(knockd), Signal::TERM).unwrap(),
        }
    }

    /// Tells it to our log.
    pub fn tell(&self, log: &mut KnockdLog, machine: &Machine) {
        match self {
            Self::Start => log.say(&Line::StartingUp { interface: "lo" }),
            Self::StartWithoutPidFile => {
                let error = std::fs::read("/nonexistent/pid").unwrap_err();
                log.say(&Line::PidFileFailed { file: Path::new("/nonexistent/pid"), error: &error });
                log.say(&Line::StartingUp { interface: "lo" });
            }
            Self::Knock(_, _, _, said) => said.iter().for_each(|said| log.say(&Line::Said(said))),
            Self::Reload => {
                log.say(&Line::Rereading { config: &machine.path("knockd.conf") });
                log.reopen(&machine.settings(false));
            }
            Self::Stop => log.say(&Line::ShuttingDown),
        }
    }
}

const NOW: Duration = Duration::ZERO;

/// After which knockd has given up an attempt at a door with `seq_timeout = 2`.
const LATER: Duration = Duration::from_millis(2100);

const V4: &str = "127.0.0.1";

fn address(text: &str) -> Address {
    text.parse().unwrap()
}

fn stage(door: &str, from: &str, stage: u8) -> Said {
    Said::Stage { door: door.into(), from: address(from), stage }
}

fn sesame(door: &str, from: &str) -> Said {
    Said::OpenSesame { door: door.into(), from: address(from) }
}

fn running(door: &str, command: &str) -> Said {
    Said::Running { door: door.into(), command: command.into() }
}

fn opened(door: &str, command: &str) -> Vec<Said> {
    vec![stage(door, V4, 1), sesame(door, V4), running(door, command)]
}

impl Story {
    fn new(doors: impl Into<String>, events: Vec<Event>) -> Self {
        Self { doors: doors.into(), options: Vec::new(), looks_up: false, umask: 0o022, events }
    }

    /// Every line of doors, and of a daemon's life.
    pub fn of_doors() -> Self {
        let (long_name, long_command) = ("é".repeat(100), format!("echo {}", "x".repeat(1500)));
        let too_long = "%IP%".repeat(600);
        let doors = format!(
            "[a b]\nsequence = 7000:udp,8000:udp\nseq_timeout = 2\ncommand = exit 4\n\
             [closes]\nsequence = 7001:udp\ncommand = true\ncmd_timeout = 0\nstop_command = kill -9 $$\n\
             [start]\nsequence = 7002:udp\ncommand = {too_long}\n\
             [stop]\nsequence = 7003:udp\ncommand = true\nstop_command = {too_long}\n\
             [{long_name}]\nsequence = 7004:udp\ncommand = true\n\
             [w\x07\x1b[31m]\nsequence = 7005:udp\ncommand = {long_command}\n"
        );
        let timeout = Said::SequenceTimeout { door: "a b".into(), from: address(V4), stage: 1 };
        let closed = vec![
            Said::CommandTimeout { door: "closes".into(), from: address(V4) },
            running("closes", "kill -9 $$"),
            Said::NonZero { door: "closes".into(), status: 0 },
        ];
        let failed = vec![
            stage("a b", V4, 1),
            stage("a b", V4, 2),
            sesame("a b", V4),
            running("a b", "exit 4"),
            Said::NonZero { door: "a b".into(), status: 4 },
        ];
        let start = vec![stage("start", V4, 1), sesame("start", V4), Said::StartTooLong];
        let stop = vec![stage("stop", V4, 1), sesame("stop", V4), Said::StopTooLong];
        let events = vec![
            Event::Start,
            Event::Knock(V4, NOW, &[7000, 8000], failed),
            Event::Knock(V4, NOW, &[7001], [opened("closes", "true"), closed].concat()),
            Event::Knock(V4, NOW, &[7002], start),
            Event::Knock(V4, NOW, &[7003], stop),
            Event::Knock(V4, NOW, &[7004], opened(&long_name, "true")),
            Event::Knock(V4, NOW, &[7005], opened("w\x07\x1b[31m", &long_command)),
            Event::Knock(V4, NOW, &[7000], vec![stage("a b", V4, 1)]),
            Event::Knock(V4, LATER, &[7004], [vec![timeout], opened(&long_name, "true")].concat()),
            Event::Reload,
            Event::Knock(V4, NOW, &[7004], opened(&long_name, "true")),
            Event::Stop,
        ];
        Self::new(doors, events)
    }

    /// Sources whose names are looked up.
    pub fn of_names() -> Self {
        let doors = "[n]\nsequence = 7000:udp,8000:udp\nseq_timeout = 2\n\
                     [o]\nsequence = 7001:udp\ncommand = true\ncmd_timeout = 0\nstop_command = exit 2\n";
        let events = [V4, "::1", "127.0.0.9"].into_iter().flat_map(|from| {
            let done = vec![
                Said::SequenceTimeout { door: "n".into(), from: address(from), stage: 1 },
                stage("o", from, 1),
                sesame("o", from),
                running("o", "true"),
                Said::CommandTimeout { door: "o".into(), from: address(from) },
                running("o", "exit 2"),
                Said::NonZero { door: "o".into(), status: 2 },
            ];
            [
                Event::Knock(from, NOW, &[7000], vec![stage("n", from, 1)]),
                Event::Knock(from, LATER, &[7001], done),
            ]
        });
        let events = [Event::Start].into_iter().chain(events).collect();
        Self { options: vec!["-l"], looks_up: true, ..Self::new(doors, events) }
    }

    /// A file of sequences with a single one in it.
    pub fn of_sequences() -> Self {
        let doors = "[once]\none_time_sequences = @/sequences\n";
        let said =
            vec![stage("once", V4, 1), sesame("once", V4), Said::NoMoreSequences { door: "once".into() }];
        Self::new(doors, vec![Event::Start, Event::Knock(V4, NOW, &[7500], said)])
    }

    /// A daemon in the background that can't write its process id down; with another umask.
    pub fn of_pid_files() -> Self {
        let story = Self::new("[x]\nsequence = 1\n", vec![Event::StartWithoutPidFile]);
        Self { options: vec!["-d", "-p", "/nonexistent/pid"], umask: 0o027, ..story }
    }
}
