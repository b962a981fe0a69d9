//! What should come of a trace.

mod commands;
mod one_time;

use std::mem;

use super::dialect::{self, Configuration, Door, Files, Report};
use super::history::{Happening, History, What};
use super::model::{Event, Faults, Line, Model, Tracker};
use super::outcome::{End, Outcome, is_aside};
use super::sentinel;
use super::trace::Trace;

/// The name of the configuration file.
pub const CONFIG: &str = "knockd.conf";

/// What the variable `WORD` of the daemons' environment holds.
pub const WORD: &str = "inherited";

/// What should come of a history for a daemon that lives in a directory of this path.
#[must_use]
pub fn forecast(trace: &Trace, directory: &str, faults: Faults, history: &History) -> Outcome {
    let mut world = World::new(trace, directory, faults);
    for happening in history {
        world.take(happening);
    }
    world.outcome(trace)
}

/// The daemon's surroundings, and what it has done.
struct World<'t> {
    directory: &'t str,
    faults: Faults,
    trace: &'t Trace,
    files: Files,
    running: Option<Running>,
    log: Vec<String>,
    ran: Vec<(i64, String)>,
    err: Vec<String>,
    out: Vec<String>,
    /// What commands printed.
    printed: Vec<String>,
    end: End,
}

/// What it goes by.
struct Running {
    doors: Vec<Door>,
    /// The names as they are logged.
    names: Vec<String>,
    model: Model,
}

impl<'t> World<'t> {
    fn new(trace: &'t Trace, directory: &'t str, faults: Faults) -> Self {
        Self {
            directory,
            faults,
            trace,
            files: Files::new(),
            running: None,
            log: Vec::new(),
            ran: Vec::new(),
            err: Vec::new(),
            out: Vec::new(),
            printed: Vec::new(),
            end: End::Running,
        }
    }

    fn path(&self, name: &str) -> String {
        format!("{}/{name}", self.directory)
    }

    fn take(&mut self, happening: &Happening) {
        let now = happening.at;
        match &happening.what {
            What::Written { name, text } => {
                self.files.insert(self.path(name), text.replace("DIR", self.directory));
            }
            What::Renamed { from, to } => {
                if let Some(text) = self.files.remove(&self.path(from)) {
                    self.files.insert(self.path(to), text);
                }
            }
            What::Started => self.start(),
            What::Hit(packet) => {
                let lines =
                    self.running.as_mut().map(|running| running.model.hit(packet, now.div_euclid(1000)));
                self.tell(lines.unwrap_or_default(), now);
            }
            What::Tick => self.pass(now),
            What::Reload => {
                self.pass(now);
                self.reload();
            }
            What::Terminated => self.finish(now, 15),
            What::Interrupted => self.finish(now, 2),
            What::Unplugged => {
                if self.running.is_some() {
                    self.err.push("pcap: The interface disappeared".to_owned());
                    self.finish(now, 0);
                }
            }
        }
    }

    fn read(&self) -> Result<Configuration, Vec<Report>> {
        let path = self.path(CONFIG);
        match self.files.get(&path) {
            Some(text) => dialect::parse(text, &self.files),
            None => Err(vec![Report { err: format!("{path}: No such file or directory"), log: None }]),
        }
    }

    fn adopt(&mut self, configuration: Configuration) {
        let doors = configuration.doors;
        let names = doors.iter().map(|door| cut(&door.name, 127)).collect();
        let mut model = Model::new(self.faults, &self.trace.own, &doors);
        if let Some(last) = self.running.as_ref().filter(|_| self.faults == Faults::Mended) {
            model.inherit(&last.model);
        }
        self.running = Some(Running { doors, names, model });
    }

    /// Says what is wrong, to the log too where it is open.
    fn report(&mut self, reports: Vec<Report>, logged: bool) {
        for report in reports {
            self.err.push(report.err);
            report.log.filter(|_| logged).into_iter().for_each(|message| self.say(message));
        }
    }

    fn start(&mut self) {
        match self.read() {
            Ok(mut configuration) => {
                self.report(mem::take(&mut configuration.reports), false);
                self.adopt(configuration);
                if self.trace.logs.is_empty() {
                    self.err.push("warning: cannot open logfile: No such file or directory".to_owned());
                }
                self.out.push(format!("listening on {}...", self.trace.interface));
                self.say(format!("starting up, listening on {}", self.trace.interface));
            }
            Err(reports) => {
                self.report(reports, false);
                self.out.push("USAGE".to_owned());
                self.end = End::Exited(1);
            }
        }
    }

    fn reload(&mut self) {
        if self.running.is_none() {
            return;
        }
        self.say(format!("re-reading config file: {}\n", self.path(CONFIG)));
        match self.read() {
            Ok(mut configuration) => {
                self.report(mem::take(&mut configuration.reports), true);
                self.adopt(configuration);
            }
            Err(reports) if self.faults == Faults::Kept => {
                self.report(reports, true);
                self.running = None;
                self.end = End::Exited(1);
            }
            Err(_) => {}
        }
    }

    fn finish(&mut self, now: i64, status: i32) {
        self.pass(now);
        if self.running.take().is_some() {
            self.out.extend(["waiting for child processes...", "closing..."].map(str::to_owned));
            self.say("shutting down".to_owned());
            self.end = if self.trace.is_background() { End::Vanished } else { End::Exited(status) };
        }
    }

    fn pass(&mut self, now: i64) {
        let lines = self.running.as_mut().map(|running| running.model.pass(now.div_euclid(1000)));
        self.tell(lines.unwrap_or_default(), now);
    }

    /// The message with the knocker's name in it, where that is asked for and known.
    fn named(&self, message: String) -> String {
        if self.trace.looks_up() && message.starts_with("127.0.0.1:") {
            return message.replacen("127.0.0.1", "127.0.0.1 (localhost)", 1);
        }
        message
    }

    /// Logs a message, which has at most 1023 bytes.
    fn say(&mut self, message: String) {
        self.log.push(cut(&message, 1023));
    }

    fn tell(&mut self, lines: Vec<Line>, now: i64) {
        for line in lines {
            let Some(running) = &self.running else { return };
            let message = self.named(line.message(&running.names));
            self.out.push(message.trim_end().to_owned());
            self.say(message);
            if line.event == Event::Opened {
                self.run(&line, now);
                self.rotate(line.door);
            }
        }
    }

    fn outcome(self, trace: &Trace) -> Outcome {
        let plain = |text: &String| text.replace(self.directory, "DIR");
        let (aside, log): (Vec<_>, Vec<_>) = self
            .log
            .iter()
            .map(plain)
            .filter(|message| !sentinel::is_meant(message))
            .partition(|line| is_aside(line));
        let out = self.out.iter().map(plain).filter(|line| !sentinel::is_meant(line));
        let known = |path: &&String| {
            **path != self.path(CONFIG) && !trace.logs.iter().any(|log| self.path(log) == **path)
        };
        let is_told = trace.is_verbose() || self.out == ["USAGE"];
        let (log, aside) = if trace.logs.is_empty() { Default::default() } else { (log, aside) };
        let mut outcome = Outcome {
            log,
            aside,
            ran: self.ran.iter().map(|(at, line)| (Some(*at), plain(line))).collect(),
            files: self
                .files
                .keys()
                .filter(known)
                .map(|path| (plain(path), plain(&self.files[path])))
                .collect(),
            end: self.end,
            err: self.err.iter().map(plain).collect(),
            out: out.filter(|_| is_told).chain(self.printed.iter().map(plain)).collect(),
        };
        outcome.level(trace);
        outcome
    }
}

/// The longest beginning of at most so many bytes.
fn cut(text: &str, len: usize) -> String {
    let ends = text.char_indices().map(|(at, c)| at + c.len_utf8());
    text[..ends.take_while(|end| *end <= len).last().unwrap_or(0)].to_owned()
}
