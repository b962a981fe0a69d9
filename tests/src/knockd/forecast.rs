//! What should come of a trace.

use std::{env, mem};

use super::address;
use super::dialect::{self, Configuration, Door, Files, Report};
use super::history::{Happening, History, What};
use super::model::{Event, Faults, Line, Model, Tracker};
use super::outcome::{End, Outcome, is_aside};
use super::sentinel;
use super::sequence;
use super::shell;
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
        let model = Model::new(self.faults, &self.trace.own, &doors);
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

    fn run(&mut self, line: &Line, now: i64) {
        let Some(running) = &self.running else { return };
        let (door, name) = (running.doors[line.door].clone(), running.names[line.door].clone());
        let from = address::text(line.from);
        let of_family = |six: &Option<String>, four: &Option<String>| {
            let six = six.clone().filter(|_| line.from.is_ipv6());
            six.or_else(|| four.clone()).map(|command| command.replace("%IP%", &from))
        };
        let start = of_family(&door.start_6, &door.start).filter(|command| !command.is_empty());
        let stop = of_family(&door.stop_6, &door.stop);
        let Some(start) = start else { return };
        let too_long = |command: &String| command.len() >= 4096;
        if too_long(&start) {
            return self.complain("error: parsed start command has been truncated! --> won't execute it");
        }
        if stop.as_ref().is_some_and(too_long) {
            let message = "error: parsed stop command has been truncated! --> won't execute start command";
            return self.complain(message);
        }
        let end = self.command(&name, &start, now);
        let open_for = i64::from(door.open_for);
        if let Some(stop) = stop.filter(|_| open_for < i64::from(i32::MAX)) {
            let message = self.named(format!("{from}: {name}: command timeout"));
            self.out.push(message.clone());
            self.say(message);
            self.command(&name, &stop, end + open_for * 1000);
        }
    }

    /// What commands see of their surroundings.
    fn variables(&self) -> [(&'static str, String); 2] {
        let here = env::current_dir().map(|path| path.display().to_string()).unwrap_or_default();
        let place = if self.trace.is_background() { "/".to_owned() } else { here };
        [("PWD", place), ("WORD", WORD.to_owned())]
    }

    /// Runs a command; when it ends.
    fn command(&mut self, door: &str, command: &str, now: i64) -> i64 {
        let message = format!("{door}: running command: {command}\n");
        self.out.push(message.trim_end().to_owned());
        self.say(message);
        let effect = shell::effect(command, &self.variables());
        let end = now + effect.takes;
        self.ran.extend(effect.ran.into_iter().map(|line| (end, line)));
        // What a daemon says in the background is lost, and so is what its commands say.
        if !self.trace.is_background() {
            self.err.extend(effect.err);
            self.printed.extend(effect.out);
        }
        if let Some(status) = effect.status {
            self.complain(&format!("{door}: command returned non-zero status code ({status})"));
        }
        end
    }

    /// Says something to the log and to standard error.
    fn complain(&mut self, message: &str) {
        self.err.push(message.to_owned());
        self.say(message.to_owned());
    }

    /// Strikes out the sequence that was used, and goes on to the next.
    fn rotate(&mut self, door: usize) {
        let Some(running) = &mut self.running else { return };
        let Some(path) = running.doors[door].one_time.clone() else { return };
        let text = self.files.entry(path).or_default();
        let (first, line) =
            dialect::written(text).next().map_or((None, ""), |(start, line)| (Some(start), line));
        let (used, slip) = match self.faults {
            Faults::Kept => (first, sequence::parse(line).err()),
            Faults::Mended => (dialect::first_usable(text).1.map(|(start, _)| start), None),
        };
        let was_replaced = mem::take(&mut running.doors[door].is_replaced);
        if let Some(start) = used.filter(|_| !was_replaced) {
            text.replace_range(start..=start, "#");
        }
        let (flaws, next) = dialect::first_usable(text);
        let flaws: Vec<_> = slip.into_iter().chain(flaws).collect();
        let name = running.names[door].clone();
        match next {
            Some((_, next)) => running.model.replace_sequence(door, next),
            None => running.model.disable(door),
        }
        let is_exhausted = running.model.is_disabled(door);
        self.report(flaws.iter().map(|flaw| Report::of_flaw(flaw, &name)).collect(), true);
        if is_exhausted {
            self.exhaust(&name);
        }
    }

    fn exhaust(&mut self, name: &str) {
        self.report(vec![Report::of_exhaustion(name)], true);
        if self.faults == Faults::Kept {
            self.running = None;
            self.end = End::Signalled(6);
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
