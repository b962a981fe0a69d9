//! A world for the keeper's engine: clocks, a journal on a disk, the kernel's sets, and commands that run.
//!
//! It carries out effects as the keeper does: all there are, then one write for their records, then the outcomes. A
//! fuse can blow at any of these steps: from then on nothing happens until a restart.

pub(super) mod files;
mod machine;
mod sets;

use alloc::format;
use alloc::string::ToString;

use super::asking::state;
use super::*;
use crate::admit::effect::{Enrolment, Job};
use crate::admit::record::BootId;
use files::Files;
use machine::{Disk, Kernel, Shell};
use sets::Sets;

pub(super) struct World {
    pub(super) admit: Admit,
    pub(super) now: Now,
    pub(super) disk: Disk,
    pub(super) kernel: Kernel,
    /// The administrator's own sets.
    pub(super) sets: Sets,
    pub(super) shell: Shell,
    pub(super) files: Files,
    /// Commands that start once everything is written.
    to_run: Vec<Job>,
    pub(super) said: Vec<Event>,
    /// The doors whose sequences were struck out, in order.
    pub(super) struck_out: Vec<Knockable>,
    pub(super) state_lost: bool,
    /// What becomes of the flows of what the administrator closes.
    pub(super) flows: Flows,
    /// The elements whose flows were cut, in order, with what commands had open then.
    pub(super) cut: Vec<(Element, Vec<String>)>,
    rules: Rules,
    boot: BootId,
    /// Steps until everything stops; never where absent.
    fuse: Option<usize>,
    steps: usize,
    last_stamp: UnixTime,
    /// Every packet that came, in order.
    pub(super) delivered: Vec<Claim>,
    /// Whether a keeper ended that had done what is not on record.
    pub(super) marks_were_lost: bool,
}

impl World {
    /// A server that has been set up, and runs for the first time.
    pub(super) fn new(rules: Rules) -> Self {
        let keys = rules.servers().iter().copied().map(Record::Key).collect();
        let begin = Now {
            boot: BootTime::from_nanos(1_000_000_000_000),
            unix: UnixTime::from_nanos(1_790_000_000_000_000_000),
        };
        // It started long ago, as far as packets are concerned.
        let ago = 2 * u64::try_from(WINDOW.as_nanos()).unwrap();
        let now = Now {
            boot: BootTime::from_nanos(begin.boot.as_nanos() - ago),
            unix: UnixTime::from_nanos(begin.unix.as_nanos() - ago),
        };
        let boot = [1; 16];
        let own = [OWN4, OWN6].map(address).into();
        let restored = Restored::new(History::default(), rules.clone(), own, boot, now);
        let mut world = Self {
            admit: restored.admit,
            now,
            disk: Disk { durable: keys, ..Disk::default() },
            kernel: Kernel::default(),
            sets: Sets::default(),
            shell: Shell::default(),
            files: Files::of(&rules),
            to_run: Vec::new(),
            said: Vec::new(),
            struck_out: Vec::new(),
            state_lost: restored.state_lost,
            flows: Flows::LiveOn,
            cut: Vec::new(),
            rules,
            boot,
            fuse: None,
            steps: 0,
            last_stamp: UnixTime::EPOCH,
            delivered: Vec::new(),
            marks_were_lost: false,
        };
        world.restart_in(boot);
        (world.now, world.last_stamp) = (begin, UnixTime::EPOCH);
        world
    }

    pub(super) fn with_fuse(mut self, steps: usize) -> Self {
        self.light_fuse(steps);
        self
    }

    /// Everything stops after so many steps.
    pub(super) const fn light_fuse(&mut self, steps: usize) {
        self.fuse = Some(self.steps + steps);
    }

    /// Whether the fuse has blown.
    pub(super) fn is_dead(&self) -> bool {
        self.fuse.is_some_and(|fuse| self.steps >= fuse)
    }

    /// Steps that were done.
    pub(super) const fn steps(&self) -> usize {
        self.steps
    }

    fn step(&mut self) -> bool {
        let lives = !self.is_dead();
        self.steps += usize::from(lives);
        lives
    }

    // What comes in.

    /// A statement of `client`, signed now.
    pub(super) fn claim(&mut self, client: &ClientSecret, asked: &Asked, from: &str) -> Claim {
        self.request(client, &asked.request(), from)
    }

    /// The same by a clock that is ahead of the server's.
    pub(super) fn claim_ahead(
        &mut self,
        ahead: Duration,
        client: &ClientSecret,
        asked: &Asked,
        from: &str,
    ) -> Claim {
        let Claim { statement, .. } = self.claim(client, asked, from);
        self.claim_at(statement.stamp().saturating_add(ahead), client, asked, from)
    }

    /// The same for any request.
    pub(super) fn request(&mut self, client: &ClientSecret, request: &Request, from: &str) -> Claim {
        // Clients never use a stamp twice.
        self.last_stamp = self.now.unix.max(UnixTime::from_nanos(self.last_stamp.as_nanos() + 1));
        self.request_at(self.last_stamp, client, request, from)
    }

    pub(super) fn claim_at(
        &self,
        stamp: UnixTime,
        client: &ClientSecret,
        asked: &Asked,
        from: &str,
    ) -> Claim {
        self.request_at(stamp, client, &asked.request(), from)
    }

    fn request_at(&self, stamp: UnixTime, client: &ClientSecret, request: &Request, from: &str) -> Claim {
        let server = self.rules.servers().first().copied().unwrap();
        let statement = state(&server, client, stamp, &request.encode());
        Claim { server, statement, from: address(from) }
    }

    /// A packet comes, and everything that follows is done.
    pub(super) fn ask(&mut self, client: &ClientSecret, asked: &Asked, from: &str) -> Claim {
        let claim = self.claim(client, asked, from);
        self.deliver(&claim);
        claim
    }

    pub(super) fn deliver(&mut self, claim: &Claim) {
        self.deliver_unsettled(claim);
        self.settle();
    }

    /// The packet comes, and others before its record is durable.
    pub(super) fn deliver_unsettled(&mut self, claim: &Claim) {
        self.delivered.push(claim.clone());
        if !self.is_dead() {
            self.admit.handle_claim(claim, self.now);
        }
    }

    pub(super) fn knock(&mut self, door: &str, from: &str) {
        if !self.is_dead() {
            self.admit.handle_knock(Knockable::Door(name(door)), address(from), self.now);
            self.settle();
        }
    }

    /// A classic knock at a door in knockd's manner.
    pub(super) fn knock_knockd(&mut self, place: usize, from: &str) {
        if !self.is_dead() {
            self.admit.handle_knock(Knockable::Knockd(place), address(from), self.now);
            self.settle();
        }
    }

    pub(super) fn close(&mut self, door: &str, at: Option<&str>) -> usize {
        if self.is_dead() {
            return 0;
        }
        let count = self.admit.handle_close(&of(door, at), self.flows, self.now);
        self.settle();
        count
    }

    pub(super) fn reload(&mut self, rules: Rules) {
        self.files = Files::of(&rules);
        self.rules = rules.clone();
        if !self.is_dead() {
            self.admit.handle_rules(rules, self.now);
            self.settle();
        }
    }

    /// The server's keys change while everything else stays.
    pub(super) fn rotate(&mut self, servers: Vec<ServerKey>) {
        self.rules.set_servers(servers.clone());
        if !self.is_dead() {
            self.admit.handle_servers(servers);
            self.settle();
        }
    }

    /// The files of clients and invitations are read again, and what follows is carried out later.
    pub(super) fn read_files(&mut self) {
        let rules = self.files.rules(self.rules.clone());
        self.admit.handle_rules(rules, self.now);
    }

    /// Other clients, in the place of all.
    pub(super) fn reload_clients(&mut self, clients: Vec<Client>, cut: Option<&str>) {
        self.rules = self.rules.clone().with_clients(clients).unwrap();
        self.files = Files::of(&self.rules);
        if !self.is_dead() {
            let cut = cut.map(|name| name.parse().unwrap());
            self.admit.handle_clients(self.rules.clone(), cut.as_ref(), self.now);
            self.settle();
        }
    }

    /// Lets time pass, and everything happen that falls due.
    pub(super) fn pass(&mut self, span: Duration) {
        let end = self.now.saturating_add(span);
        while let Some(due) = self.admit.poll_timeout().filter(|due| *due <= end.boot && !self.is_dead()) {
            self.now = self.now.saturating_add(due.saturating_since(self.now.boot));
            self.handle_timeout();
            self.settle();
        }
        self.now = end;
    }

    /// The machine sleeps; what fell due happens when it wakes up.
    pub(super) fn sleep(&mut self, span: Duration) {
        self.kernel.slept += span;
        self.now = self.now.saturating_add(span);
        self.pass(Duration::ZERO);
    }

    // What is done.

    /// Carries out effects until there are none.
    pub(super) fn settle(&mut self) {
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

    fn handle_timeout(&mut self) {
        let early: Vec<_> = self.admit.early.iter().map(|(_, begun)| *begun).collect();
        self.admit.handle_timeout(self.now);
        self.count_acts_from_memory(early);
    }

    /// Every command that runs ends.
    pub(super) fn end_all(&mut self) {
        while let Some(job) = self.shell.running.keys().next().copied().filter(|_| !self.is_dead()) {
            self.end(job);
        }
    }

    /// A command ends, and what follows is carried out later.
    pub(super) fn end(&mut self, job: JobId) {
        if self.step() {
            let ended = self.shell.end(job);
            self.admit.handle_outcome(Outcome::Ran(job, ended), self.now);
        }
    }

    /// The oldest command that runs ends, and what follows is carried out.
    pub(super) fn end_next(&mut self) -> String {
        let Some(job) = self.shell.running.keys().next().copied() else { return String::new() };
        let what = self.shell.running[&job].command.argv.join(" ");
        self.end(job);
        self.settle();
        what
    }

    // What survives.

    /// The keeper is killed and starts again: what it ran is killed with it, and what it had not written is lost.
    pub(super) fn crash(&mut self) {
        self.disk.outlive_keeper();
        self.shell.outlive_keeper(self.disk.openings().into_values());
        self.restart_in(self.boot);
    }

    /// The same, but everything that was to be written was.
    pub(super) fn crash_written(&mut self) {
        self.disk.keep_appended();
        self.shell.outlive_keeper(self.disk.openings().into_values());
        self.restart_in(self.boot);
    }

    /// The keeper is told to stop and does, and starts again.
    pub(super) fn stop_and_start(&mut self) {
        self.stop();
        self.shell.outlive_keeper(self.disk.openings().into_values());
        self.restart_in(self.boot);
    }

    /// The keeper is told to stop, and does.
    pub(super) fn stop(&mut self) {
        self.admit.handle_stop(self.now);
        self.settle();
        self.end_all();
        self.settle();
        self.disk.keep_appended();
    }

    /// The machine stops and boots again, `down` later: its sets and what commands had done are gone.
    pub(super) fn reboot(&mut self, down: Duration) {
        self.lose_power(down, 0);
    }

    /// The same, and of what was not synced so many records reached the disk.
    pub(super) fn lose_power(&mut self, down: Duration, kept: usize) {
        self.disk.lose_power(kept);
        self.sets = Sets::default();
        self.shell.open.clear();
        self.shell.outlive_keeper(self.disk.openings().into_values());
        self.kernel = Kernel::default();
        self.now =
            Now { boot: BootTime::from_nanos(30_000_000_000), unix: self.now.unix.saturating_add(down) };
        let [generation, ..] = self.boot;
        self.restart_in([generation + 1; 16]);
    }

    /// The keeper is killed, and starts again with other rules.
    pub(super) fn restart_with(&mut self, rules: Rules) {
        self.files = Files::of(&rules);
        self.rules = rules;
        self.crash();
    }

    fn restart_in(&mut self, boot: BootId) {
        self.fuse = None;
        self.boot = boot;
        self.shell.running.clear();
        self.to_run.clear();
        // What is made after the start is not made at the same instant.
        self.last_stamp = self.last_stamp.max(self.now.unix);
        let mut history = History::default();
        self.disk.durable.iter().cloned().for_each(|record| history.push(record));
        if self.disk.is_marked {
            history.forget_keys();
        }
        let own = [OWN4, OWN6].map(address).into();
        let rules = self.files.rules(self.rules.clone());
        let restored = Restored::new(history, rules, own, boot, self.now);
        self.admit = restored.admit;
        self.state_lost = restored.state_lost;
        self.marks_were_lost |= self.disk.is_lost;
        if self.disk.is_lost {
            // How often a start ran beside a stop that failed could not be noted.
            self.shell.open.values_mut().for_each(|count| *count = 1);
        }
        if self.disk.broken {
            self.disk.lose();
        } else {
            self.disk = Disk { used: core::mem::take(&mut self.disk.used), ..Disk::default() };
            self.disk.durable = self.admit.snapshot(boot);
        }
        self.settle();
        self.kernel.elements.clear();
        for (element, left) in self.admit.elements(self.now.boot) {
            self.kernel.set(element, left, self.now.boot);
        }
        self.fill_sets();
    }

    /// The sets are filled from memory, as at a start and after somebody else has changed them.
    pub(super) fn fill_sets(&mut self) {
        for entry in self.admit.set_entries(self.now.boot) {
            assert!(entry.shut.is_empty());
            self.sets.fill(&entry, self.kernel.time(self.now.boot));
        }
    }

    // What is seen.

    /// What the sets hold, and for how much longer.
    pub(super) fn held(&self) -> BTreeMap<String, Duration> {
        self.sets.all(self.kernel.time(self.now.boot))
    }

    /// What passes the guard now.
    pub(super) fn guard(&self) -> Vec<Element> {
        self.kernel.passing(self.now.boot)
    }

    /// For how long an element stays; `None` where it is not there.
    pub(super) fn left(&self, element: Element) -> Option<Duration> {
        self.kernel.left(element, self.now.boot)
    }

    /// What the refusals are that were counted since the last start.
    pub(super) fn refused(&self) -> Vec<(Refusal, u64)> {
        let counts = Refusal::ALL.map(|refusal| (refusal, self.admit.refused().of(refusal)));
        counts.into_iter().filter(|(_, count)| *count > 0).collect()
    }

    /// Doors that are open, for whom, asked by whom, and for how many seconds still.
    pub(super) fn status(&self) -> Vec<String> {
        let line = |opening: OpeningStatus| {
            let left = opening.left.map_or_else(|| "ever".into(), |left| left.as_secs().to_string());
            format!("{} {} {} {left}", opening.door, opening.address, opening.by)
        };
        self.admit.openings(self.now.boot).map(line).collect()
    }

    pub(super) fn take_said(&mut self) -> Vec<Event> {
        core::mem::take(&mut self.said)
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
