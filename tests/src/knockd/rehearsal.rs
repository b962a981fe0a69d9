//! Traces in virtual time, without any daemon.

use super::dialect::{self, Files};
use super::forecast::CONFIG;
use super::history::{Happening, History, What};
use super::sentinel;
use super::trace::{Step, Trace};

/// The moment in a second when a rehearsal starts, in milliseconds of the wall clock.
const START: i64 = 1_700_000_000_200;

/// What would happen to a daemon, if every step but waiting took a millisecond.
#[must_use]
pub fn rehearse(trace: &Trace) -> History {
    let mut rehearsal = Rehearsal {
        trace,
        now: START,
        history: History::new(),
        config: trace.config.clone(),
        sentinel: 0,
        serial: 0,
        written: 0,
    };
    rehearsal.write(CONFIG, &sentinel::with_last_door(&trace.config, &trace.own, 0));
    for (name, text) in &trace.files {
        rehearsal.write(name, text);
    }
    rehearsal.happened(What::Started);
    for step in &trace.steps {
        rehearsal.step(step);
    }
    rehearsal.end(What::Terminated);
    rehearsal.history
}

struct Rehearsal<'t> {
    trace: &'t Trace,
    now: i64,
    history: History,
    config: String,
    sentinel: u16,
    serial: u16,
    written: usize,
}

impl Rehearsal<'_> {
    fn happened(&mut self, what: What) {
        self.history.push(Happening { at: self.now, what });
        self.now += 1;
    }

    fn write(&mut self, name: &str, text: &str) {
        self.happened(What::Written { name: name.to_owned(), text: text.to_owned() });
    }

    fn step(&mut self, step: &Step) {
        match step {
            Step::Hit(packet) => self.happened(What::Hit(*packet)),
            Step::Wait(milliseconds) => {
                self.now += i64::try_from(*milliseconds).expect("a short wait");
                self.happened(What::Tick);
            }
            Step::Sync => self.sync(),
            Step::Reload => self.reload(),
            Step::Write => self.write_next(),
            Step::Rename { from, to } => self.happened(What::Renamed { from: from.clone(), to: to.clone() }),
            Step::Terminate => self.end(What::Terminated),
            Step::Interrupt => self.end(What::Interrupted),
            Step::Ip(line) if line.starts_with("link del") => self.happened(What::Unplugged),
            Step::Ip(_) => {}
        }
    }

    fn sync(&mut self) {
        self.serial += 1;
        for from in sentinel::knockers(&self.trace.own, self.serial) {
            self.happened(What::Hit(sentinel::knock(from, self.sentinel)));
        }
    }

    fn reload(&mut self) {
        self.sync();
        let text = sentinel::with_last_door(&self.config, &self.trace.own, self.sentinel + 1);
        let files: Files = self.trace.files.iter().chain(&self.trace.writes).cloned().collect();
        self.sentinel += u16::from(dialect::parse(&text.replace("DIR/", ""), &files).is_ok());
        self.write(CONFIG, &text);
        self.happened(What::Reload);
        self.sync();
    }

    fn write_next(&mut self) {
        let (name, text) = &self.trace.writes[self.written];
        self.written += 1;
        if name == CONFIG {
            self.config.clone_from(text);
        } else {
            self.write(name, text);
        }
    }

    fn end(&mut self, what: What) {
        self.sync();
        self.happened(what);
    }
}
