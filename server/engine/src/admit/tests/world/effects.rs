//! What the world does: effects are carried out, records written, commands run.

use super::*;

impl World {
    /// Carries out effects until there are none.
    pub(crate) fn settle(&mut self) {
        loop {
            let mut tickets = Vec::new();
            while let Some(effect) = self.admit.poll_effect() {
                if !self.step() {
                    return;
                }
                self.carry_out(effect, &mut tickets);
            }
            let notes_alone = tickets.is_empty();
            self.write(tickets);
            self.start_all();
            let idle = notes_alone && (self.shell.slow || self.shell.running.is_empty());
            if idle || self.is_dead() {
                return;
            }
            if !self.shell.slow {
                self.end_all();
            }
        }
    }

    fn carry_out(&mut self, effect: Effect, tickets: &mut Vec<Ticket>) {
        match effect {
            Effect::Record(ticket, record) => {
                self.disk.appended.push(record);
                tickets.push(ticket);
            }
            Effect::Note(record) => self.disk.appended.push(record),
            Effect::Open(elements) => {
                for (element, left) in elements {
                    self.check_on_record(element, left);
                    self.kernel.set(element, left, self.now.boot);
                }
            }
            Effect::Fill(entries) => {
                for entry in entries {
                    for (port, left) in &entry.open {
                        self.check_on_record(Element { address: entry.address, port: *port }, *left);
                    }
                    self.sets.fill(&entry, self.kernel.time(self.now.boot));
                }
            }
            Effect::Close(elements) => elements.iter().for_each(|element| self.kernel.remove(*element)),
            Effect::Cut(elements) => {
                for element in elements {
                    let is_open = self.kernel.left(element, self.now.boot).is_some();
                    assert!(!is_open, "{element} is cut and open");
                    self.cut.push((element, self.shell.open.keys().cloned().collect()));
                }
            }
            Effect::Run(job) => self.to_run.push(job),
            Effect::StrikeOut(ticket, knocked) => {
                let struck = if self.disk.broken { Err(Unwritten) } else { Ok(()) };
                self.struck_out.extend(struck.map(|()| knocked).ok());
                self.admit.handle_outcome(Outcome::StruckOut(ticket, struck), self.now);
            }
            Effect::Enrol(ticket, enrolment) => self.enrol_by(ticket, &enrolment),
            Effect::Say(event) => self.said.push(event),
        }
    }

    /// Writes two files, and can die before, between and after.
    fn enrol_by(&mut self, ticket: Ticket, enrolment: &Enrolment) {
        let marked = |record: &Record| matches!(record, Record::Change(Change { mark: Some((key, _)), .. }) if *key == enrolment.invitation);
        assert!(self.disk.durable.iter().any(marked), "files are written before the mark is on record");
        let mut result = self.files.write_client(enrolment);
        if !self.step() {
            return;
        }
        result = result.and_then(|()| self.files.write_mark(enrolment));
        if self.step() {
            self.admit.handle_outcome(Outcome::Enrolled(ticket, result), self.now);
        }
    }

    /// Commands start when what was noted before them is written.
    fn start_all(&mut self) {
        for job in core::mem::take(&mut self.to_run) {
            if self.step() {
                self.shell.start(job);
            }
        }
    }

    fn write(&mut self, tickets: Vec<Ticket>) {
        if tickets.is_empty() && self.disk.appended.is_empty() || !self.step() {
            return;
        }
        if tickets.is_empty() {
            return self.disk.flush();
        }
        let result = self.disk.sync(|| self.admit.snapshot(self.boot));
        if !self.step() {
            return;
        }
        for ticket in tickets {
            let asked = match self.admit.awaited.get(&ticket) {
                Some(Awaited::Opening(begun)) if result.is_err() => begun.clone(),
                _ => Vec::new(),
            };
            self.admit.handle_outcome(Outcome::Recorded(ticket, result), self.now);
            self.count_acts_from_memory(asked);
        }
    }

    /// Counts what has moved of that without a record.
    fn count_acts_from_memory(&mut self, asked: Vec<Begun>) {
        let waits = |begun: &Begun| self.admit.early.iter().any(|(_, other)| other == begun);
        let asked = asked.into_iter().filter(|begun| !waits(begun));
        let packet = |begun: Begun| {
            let opening = self.admit.openings.get(begun.id).filter(|opening| opening.means.is_timed())?;
            let Origin::Client(key, _) = opening.origin else { return None };
            Some((key, begun.made?))
        };
        let acted: BTreeSet<_> = asked.filter_map(packet).collect();
        acted.into_iter().for_each(|mark| *self.disk.used.entry(mark).or_default() += 1);
    }

    pub(super) fn handle_timeout(&mut self) {
        let early: Vec<_> = self.admit.early.iter().map(|(_, begun)| *begun).collect();
        self.admit.handle_timeout(self.now);
        self.count_acts_from_memory(early);
    }

    /// Every command that runs ends.
    pub(crate) fn end_all(&mut self) {
        while let Some(job) = self.shell.running.keys().next().copied().filter(|_| !self.is_dead()) {
            self.end(job);
        }
    }

    /// A command ends, and what follows is carried out later.
    pub(crate) fn end(&mut self, job: JobId) {
        if self.step() {
            let ended = self.shell.end(job);
            self.admit.handle_outcome(Outcome::Ran(job, ended), self.now);
        }
    }

    /// The oldest command that runs ends, and what follows is carried out.
    pub(crate) fn end_next(&mut self) -> String {
        let Some(job) = self.shell.running.keys().next().copied() else { return String::new() };
        let what = self.shell.running[&job].command.argv.join(" ");
        self.end(job);
        self.settle();
        what
    }

    /// No element is opened unless an opening of it is on the disk, and none for longer than that says, except where
    /// the disk is broken.
    fn check_on_record(&self, element: Element, left: Option<Duration>) {
        let allows = |opening: &Opening| {
            let here = opening.elements().any(|other| other == element);
            here && opening
                .term
                .until
                .is_none_or(|until| left.is_some_and(|left| self.now.boot.saturating_add(left) <= until.boot))
        };
        let recorded = self.disk.openings().values().any(allows);
        assert!(recorded || self.disk.is_lost, "{element} opened before its record was durable");
    }
}
