//! A trace while it is being run.

use std::fs;
use std::net::IpAddr;
use std::path::Path;
use std::slice::Iter;
use std::thread;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use rustix::process::Signal;

use super::daemon::{Daemon, Life};
use super::dialect::{self, Files, Report};
use super::directory::Directory;
use super::forecast::{CONFIG, forecast};
use super::history::{Happening, History, What};
use super::outcome::{End, Outcome};
use super::packet::Packet;
use super::rig::{Rig, Run, Verdict};
use super::sentinel;
use super::trace::{Step, Trace};
use crate::lab::PATIENCE;

/// Daemons in the middle of a trace.
pub(super) struct Play<'r> {
    rig: &'r Rig,
    trace: &'r Trace,
    home: &'r Path,
    lives: Vec<Life>,
    history: History,
    /// The configuration without the last door.
    config: String,
    /// The number of the last door.
    sentinel: u16,
    /// How often somebody has knocked at it.
    serial: u16,
    writes: Iter<'r, (String, String)>,
    flaw: Option<String>,
    /// Whether nothing can be sent any more.
    is_unplugged: bool,
}

/// The milliseconds of the wall clock.
fn now() -> i64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).expect("a clock that is set");
    i64::try_from(since.as_millis()).expect("a year with few digits")
}

/// Waits for the next second where this one is nearly over: a daemon may read a packet a little after it came.
fn leave_second() {
    let into = now().rem_euclid(1000);
    if into > 850 {
        thread::sleep(Duration::from_millis((1100 - into).unsigned_abs()));
    }
}

/// Waits for the moment in a second that leaves the most time to either side of its end.
fn align() {
    let wait = (1_200 - now().rem_euclid(1000)) % 1000;
    thread::sleep(Duration::from_millis(wait.unsigned_abs()));
}

impl<'r> Play<'r> {
    pub(super) fn new(rig: &'r Rig, trace: &'r Trace, home: &'r Path) -> Self {
        Self {
            rig,
            trace,
            home,
            lives: Vec::new(),
            history: History::new(),
            config: trace.config.clone(),
            sentinel: 0,
            serial: 0,
            writes: trace.writes.iter(),
            flaw: None,
            is_unplugged: false,
        }
    }

    fn happened(&mut self, what: What) {
        self.history.push(Happening { at: now(), what });
    }

    fn blame(&mut self, flaw: String) {
        self.flaw.get_or_insert(flaw);
    }

    fn full_config(&self, number: u16) -> String {
        sentinel::with_last_door(&self.config, &self.trace.own, number)
    }

    /// Starts the daemons, and waits until they listen.
    pub(super) fn start(&mut self, daemons: &[Daemon]) {
        let texts = [vec![(CONFIG.to_owned(), self.full_config(0))], self.trace.files.clone()].concat();
        for (name, text) in &texts {
            self.happened(What::Written { name: name.clone(), text: text.clone() });
        }
        for (&daemon, name) in daemons.iter().zip(["a", "b"]) {
            let directory = Directory::new(&self.home.join(name));
            texts.iter().for_each(|(name, text)| directory.write(name, text));
            self.lives.push(Life::start(
                daemon,
                directory,
                self.rig.scratch(),
                self.trace,
                self.rig.server(),
            ));
        }
        self.happened(What::Started);
        let trace = self.trace;
        self.await_all("a daemon to listen", |life| {
            life.is_placed() && life.directory.count(trace, "listening on") > 0
        });
        if std::env::var_os("KNOCKD_WARM_UP").is_some() {
            self.await_last_door(50, Duration::from_millis(200));
        }
        if trace.is_timed() {
            align();
        }
    }

    /// Waits until something holds for each daemon that has not ended.
    fn await_all(&mut self, what: &str, holds: impl FnMut(&Life) -> bool) {
        if !self.holds_within(PATIENCE, holds) {
            self.blame(format!("waited {PATIENCE:?} for {what}"));
        }
    }

    fn holds_within(&mut self, limit: Duration, mut holds: impl FnMut(&Life) -> bool) -> bool {
        let start = Instant::now();
        while !self.lives.iter_mut().all(|life| life.end() != End::Running || holds(life)) {
            if start.elapsed() > limit {
                return false;
            }
            thread::sleep(Duration::from_millis(2));
        }
        true
    }

    fn is_over(&mut self) -> bool {
        self.lives.iter_mut().all(|life| life.end() != End::Running)
    }

    /// Does a step.
    pub(super) fn step(&mut self, step: &Step) {
        match step {
            Step::Hit(packet) => self.hit(*packet),
            Step::Wait(milliseconds) => {
                thread::sleep(Duration::from_millis(*milliseconds));
                self.happened(What::Tick);
            }
            Step::Sync => self.sync(),
            Step::Reload => self.reload(),
            Step::Write => self.write_next(),
            Step::Rename { from, to } => self.rename(from, to),
            Step::Terminate => self.stop(Signal::TERM, What::Terminated),
            Step::Interrupt => self.stop(Signal::INT, What::Interrupted),
            Step::Ip(line) => self.ip(line),
        }
    }

    fn hit(&mut self, packet: Packet) {
        leave_second();
        let before = now();
        self.rig.send(&packet);
        self.happened(What::Hit(packet));
        if before.div_euclid(1000) != now().div_euclid(1000) {
            self.blame("a second began while a packet was sent".to_owned());
        }
    }

    fn write(&mut self, name: &str, text: &str) {
        self.lives.iter().for_each(|life| life.directory.write(name, text));
        self.happened(What::Written { name: name.to_owned(), text: text.to_owned() });
    }

    fn write_next(&mut self) {
        let (name, text) = self.writes.next().expect("as many texts as steps that write");
        if name == CONFIG {
            self.config.clone_from(text);
        } else {
            self.write(name, text);
        }
    }

    fn rename(&mut self, from: &str, to: &str) {
        for life in &self.lives {
            fs::rename(life.directory.path(from), life.directory.path(to)).expect("renaming a file");
        }
        self.happened(What::Renamed { from: from.to_owned(), to: to.to_owned() });
    }

    fn ip(&mut self, line: &str) {
        self.rig.server().run(&format!("ip {line}"));
        if line.starts_with("link del") {
            self.happened(What::Unplugged);
            self.is_unplugged = true;
            self.await_all("knockd to end", |life| life.daemon == Daemon::Ours);
        }
    }

    fn stop(&mut self, signal: Signal, what: What) {
        self.sync();
        leave_second();
        self.lives.iter_mut().for_each(|life| life.signal(signal));
        self.happened(what);
        self.await_all("the daemons to end", |_| false);
    }

    /// Waits until every daemon has dealt with all packets.
    pub(super) fn sync(&mut self) {
        // Where a sequence was used up, the next one is listened for only after the first of two.
        let rounds = if self.trace.files.is_empty() { 1 } else { 2 };
        (0..rounds).for_each(|_| self.sync_once());
    }

    fn sync_once(&mut self) {
        // While knockd replaces a filter, packets are lost; one of these that is lost would have changed nothing.
        let (tries, limit) = if self.trace.files.is_empty() { (1, PATIENCE) } else { (10, PATIENCE / 10) };
        self.await_last_door(tries, limit);
    }

    /// Knocks at the last door, up to so many times, until every daemon has told of it.
    fn await_last_door(&mut self, tries: u32, limit: Duration) {
        let mut knockers = Vec::new();
        for _ in 0..tries {
            if self.is_over() || self.is_unplugged {
                return;
            }
            self.serial += 1;
            let these = sentinel::knockers(&self.trace.own, self.serial);
            these.iter().for_each(|from| self.hit(sentinel::knock(*from, self.sentinel)));
            knockers.extend(these);
            if self.is_told(limit, &knockers) {
                return;
            }
        }
        self.blame("a packet was not dealt with".to_owned());
    }

    /// Whether every daemon tells of one of the knockers of each family.
    fn is_told(&mut self, limit: Duration, knockers: &[IpAddr]) -> bool {
        let (trace, number) = (self.trace, self.sentinel);
        let is_told = |life: &Life, is_of_family: fn(&IpAddr) -> bool| {
            let mut messages = knockers
                .iter()
                .filter(|from| is_of_family(from))
                .map(|from| sentinel::message(*from, number))
                .peekable();
            messages.peek().is_none() || messages.any(|message| life.directory.count(trace, &message) > 0)
        };
        self.holds_within(limit, |life| is_told(life, IpAddr::is_ipv4) && is_told(life, IpAddr::is_ipv6))
    }

    /// Whether a daemon that goes on can do so with its new configuration.
    fn is_readable(&self, text: &str) -> bool {
        let Some(life) = self.lives.first() else { return false };
        let directory = life.directory.text();
        let files: Files = life.directory.all().into_iter().collect();
        let read = dialect::parse(&text.replace("DIR", directory), &files);
        read.map_or_else(|reports| reports.last().is_some_and(Report::is_of_exhaustion), |_| true)
    }

    /// Has the configuration read again, with another last door, so that it is seen when that is done. While a
    /// filter is replaced, packets are lost.
    fn reload(&mut self) {
        self.sync();
        let text = self.full_config(self.sentinel + 1);
        let readable = self.is_readable(&text);
        self.write(CONFIG, &text);
        self.happened(What::Reload);
        let trace = self.trace;
        let before: Vec<_> =
            self.lives.iter().map(|life| (life.daemon, life.directory.count(trace, REREADING))).collect();
        self.lives.iter_mut().for_each(|life| life.signal(Signal::HUP));
        self.await_all("the configuration to be read", |life| {
            life.directory.count(trace, REREADING)
                > before.iter().find(|it| it.0 == life.daemon).map_or(0, |it| it.1)
        });
        self.sentinel += u16::from(readable);
        self.await_last_door(50, Duration::from_millis(200));
    }

    fn forecasts(&self) -> Vec<Outcome> {
        let lives = self.lives.iter();
        lives
            .map(|life| forecast(self.trace, life.directory.text(), life.daemon.faults(), &self.history))
            .collect()
    }

    /// Waits until the commands have done what they should, or for long enough in vain.
    fn await_commands(&mut self) {
        let expected = self.forecasts();
        let last = expected.iter().flat_map(|outcome| &outcome.ran).filter_map(|(at, _)| *at).max();
        let left = Duration::from_millis(last.map_or(0, |at| (at - now()).max(0)).unsigned_abs());
        let deadline = Instant::now() + left + self.rig.patience;
        let is_done = |(life, expected): (&mut Life, &Outcome)| {
            let end = life.end();
            life.directory.outcome(self.trace, end).has_as_much_as(expected)
        };
        while !self.lives.iter_mut().zip(&expected).all(is_done) && Instant::now() < deadline {
            thread::sleep(Duration::from_millis(2));
        }
    }

    /// Ends the daemons, and tells what came of it all.
    pub(super) fn finish(mut self) -> Run {
        self.sync();
        self.await_commands();
        if !self.is_over() {
            self.stop(Signal::TERM, What::Terminated);
            self.await_commands();
        }
        let expected = self.forecasts();
        let verdicts = self.lives.iter_mut().zip(expected).map(|(life, expected)| {
            let end = life.end();
            Verdict { daemon: life.daemon, expected, found: life.directory.outcome(self.trace, end) }
        });
        Run { verdicts: verdicts.collect(), history: self.history, flaw: self.flaw }
    }
}

/// The beginning of what is logged when the configuration is read again.
const REREADING: &str = "re-reading config file: ";
