//! What commands hold open: each pair of a start and a stop command, however many openings share it.
//!
//! A hold starts when the first opening needs it and stops after the last. A stop never runs before its own start
//! has ended, and a stop that fails is tried again. Stops are taken to undo one start each, as with a firewall's rules.
//! How far each hold has come is noted in the journal before the next command runs, so that the next keeper runs no
//! start twice, and as many stops as are due.

use alloc::collections::{BTreeMap, BTreeSet};
use alloc::vec::Vec;
use core::time::Duration;

use knock_spa_proto::port::ServicePort;
use knock_spa_proto::time::BootTime;

use super::closes::{CloseState, CloseStatus};
use super::effect::{Ended, Event, Job, JobId, Manner, Next};
use super::opening::{Command, Held, HoldKey, Opening, OpeningId};
use super::record::Record;
use super::tries::Tries;
use crate::command::Rendered;

#[derive(Debug)]
struct Hold {
    needed_by: BTreeSet<OpeningId>,
    /// Openings that are over, and wait for the end of this.
    outlived_by: Vec<OpeningId>,
    stop: Option<Rendered>,
    timeout: Duration,
    phase: Phase,
    /// Starts that have succeeded, or may have, less stops that have: so many stops are still due.
    opened: u32,
    /// What the journal knows of it.
    noted: Held,
    /// A start that waits for the end of the stop.
    restart: Option<Rendered>,
    /// How its stop command ended last, where it failed.
    failed: Option<Ended>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Phase {
    /// Nothing has run yet.
    New,
    /// The start command runs.
    Starting,
    /// It has succeeded.
    Open,
    /// It has failed, or nobody knows: whoever asks again has it run again.
    Unsure,
    /// The stop command runs, after so many tries that failed.
    Stopping(Tries),
    /// The stop command failed so many times; it runs again at this time.
    Retry(Tries, BootTime),
    /// The stop command failed too often.
    Stuck,
}

/// What a change of the holds asks for.
#[derive(Debug)]
pub(super) enum Step {
    /// Run this.
    Run(Job),
    /// Tell this.
    Say(Event),
    /// Note this in the journal, before what follows.
    Note(Record),
    /// The hold is stopped, or has passed on to another opening: these need not wait for its end any longer.
    Stopped(HoldKey, Vec<OpeningId>),
}

#[derive(Debug, Default)]
pub(super) struct Holds {
    holds: BTreeMap<HoldKey, Hold>,
    jobs: BTreeMap<u64, HoldKey>,
    /// When failed stops run again.
    retries: BTreeSet<(BootTime, HoldKey)>,
    next_job: u64,
}

impl Hold {
    const fn new(timeout: Duration, phase: Phase) -> Self {
        Self {
            needed_by: BTreeSet::new(),
            outlived_by: Vec::new(),
            stop: None,
            timeout,
            phase,
            opened: 0,
            noted: Held::UNKNOWN,
            restart: None,
            failed: None,
        }
    }

    /// What the next keeper must know. A start that was not heard to end is stopped once.
    fn held(&self) -> Held {
        match self.phase {
            Phase::Starting => Held { due: self.opened.saturating_add(1), is_open: false },
            Phase::Open => Held { due: self.opened.max(1), is_open: true },
            Phase::New | Phase::Unsure | Phase::Stopping(_) | Phase::Retry(..) | Phase::Stuck => {
                Held { due: self.opened.max(1), is_open: false }
            }
        }
    }
}

impl Holds {
    /// Holds open what `opening` needs; `command` belongs to it.
    pub(super) fn acquire(&mut self, opening: &Opening, command: &Command, timeout: Duration) -> Vec<Step> {
        let key = HoldKey::of(opening, command.port);
        let hold = self.holds.entry(key).or_insert_with(|| Hold::new(timeout, Phase::New));
        hold.needed_by.insert(opening.id);
        match hold.phase {
            Phase::New => {
                hold.stop.clone_from(&command.stop);
                self.start(key, command.start.clone())
            }
            Phase::Starting | Phase::Open => self.pass_on(key),
            Phase::Unsure | Phase::Retry(..) | Phase::Stuck => self.start_again(key, command),
            Phase::Stopping(_) => {
                hold.restart = Some(command.start.clone());
                hold.stop.clone_from(&command.stop);
                Vec::new()
            }
        }
    }

    /// Holds open what `opening` had opened by the word of the journal, which knows so much of it: it is not started
    /// again unasked.
    pub(super) fn adopt(&mut self, opening: &Opening, command: &Command, timeout: Duration, held: Held) {
        let key = HoldKey::of(opening, command.port);
        let phase = if held.is_open { Phase::Open } else { Phase::Unsure };
        let hold = self.holds.entry(key).or_insert_with(|| Hold::new(timeout, phase));
        hold.needed_by.insert(opening.id);
        hold.stop.clone_from(&command.stop);
        (hold.opened, hold.noted) = (held.due, held);
    }

    /// Says that `opening` needs its hold on `port` no longer; gives the hold where it stops because of that.
    pub(super) fn release(
        &mut self,
        opening: &Opening,
        port: Option<ServicePort>,
    ) -> (Option<HoldKey>, Vec<Step>) {
        let key = HoldKey::of(opening, port);
        let Some(hold) = self.holds.get_mut(&key) else { return (None, Vec::new()) };
        hold.needed_by.remove(&opening.id);
        if !hold.needed_by.is_empty() {
            return (None, Vec::new());
        }
        hold.outlived_by.push(opening.id);
        hold.restart = None;
        match hold.phase {
            Phase::Open | Phase::Unsure => (Some(key), self.stop(key, Tries::default())),
            Phase::New | Phase::Starting | Phase::Stopping(_) | Phase::Retry(..) | Phase::Stuck => {
                (Some(key), Vec::new())
            }
        }
    }

    /// Takes note of how a command ended.
    pub(super) fn handle_ended(&mut self, job: u64, ended: Ended, now: BootTime) -> Vec<Step> {
        let Some(key) = self.jobs.remove(&job) else { return Vec::new() };
        let Some(hold) = self.holds.get_mut(&key) else { return Vec::new() };
        let failed = ended != Ended::Status(0);
        hold.failed = (failed && matches!(hold.phase, Phase::Stopping(_))).then_some(ended);
        match hold.phase {
            Phase::Starting => self.handle_started(key, ended),
            Phase::Stopping(_) if hold.restart.is_some() => {
                hold.opened = hold.opened.saturating_sub(u32::from(!failed));
                let start = hold.restart.take();
                let mut steps = failure(key, ended, Next::StartAgain);
                steps.extend(self.pass_on(key));
                steps.extend(start.into_iter().flat_map(|start| self.start(key, start)));
                steps
            }
            Phase::Stopping(tries) if failed => self.handle_not_stopped(key, tries, ended, now),
            Phase::Stopping(_) => {
                hold.opened = hold.opened.saturating_sub(1);
                if hold.opened > 0 { self.stop(key, Tries::default()) } else { self.remove(key) }
            }
            Phase::New | Phase::Open | Phase::Unsure | Phase::Retry(..) | Phase::Stuck => Vec::new(),
        }
    }

    fn handle_started(&mut self, key: HoldKey, ended: Ended) -> Vec<Step> {
        let Some(hold) = self.holds.get_mut(&key) else { return Vec::new() };
        let is_open = ended == Ended::Status(0);
        // One that was killed may have done all of it.
        let may_be_open = matches!(ended, Ended::Killed | Ended::TimedOut) || is_open;
        hold.opened = hold.opened.saturating_add(u32::from(may_be_open));
        hold.phase = if is_open { Phase::Open } else { Phase::Unsure };
        let mut steps = failure(key, ended, Next::StopLater);
        if hold.needed_by.is_empty() {
            steps.extend(self.stop(key, Tries::default()));
        } else {
            steps.extend(self.note(key));
        }
        steps
    }

    fn handle_not_stopped(&mut self, key: HoldKey, tries: Tries, ended: Ended, now: BootTime) -> Vec<Step> {
        let Some(hold) = self.holds.get_mut(&key) else { return Vec::new() };
        let Some((tries, wait)) = tries.fail(ended) else {
            hold.phase = Phase::Stuck;
            return failure(key, ended, Next::NeedsAttention);
        };
        let at = now.saturating_add(wait);
        hold.phase = Phase::Retry(tries, at);
        self.retries.insert((at, key));
        failure(key, ended, Next::RetryIn(wait))
    }

    /// When a failed stop is to be tried again.
    pub(super) fn next_retry(&self) -> Option<BootTime> {
        self.retries.first().map(|(at, _)| *at)
    }

    /// Tries one failed stop again whose time has come.
    pub(super) fn retry(&mut self, now: BootTime) -> Option<Vec<Step>> {
        let (at, key) = self.retries.first().copied().filter(|(at, _)| *at <= now)?;
        self.retries.remove(&(at, key));
        match self.holds.get(&key)?.phase {
            Phase::Retry(tries, _) => Some(self.stop(key, tries)),
            Phase::New
            | Phase::Starting
            | Phase::Open
            | Phase::Unsure
            | Phase::Stopping(_)
            | Phase::Stuck => None,
        }
    }

    /// How many stop commands have failed and not succeeded since, and how many of those are given up.
    pub(super) fn failing(&self) -> (usize, usize) {
        let stuck = self.holds.values().filter(|hold| hold.phase == Phase::Stuck).count();
        (self.retries.len(), stuck)
    }

    /// The stop commands that run, or must run again.
    pub(super) fn closes(&self) -> impl Iterator<Item = CloseStatus> {
        self.holds.iter().filter_map(|(key, hold)| {
            let state = match hold.phase {
                Phase::Stopping(_) => CloseState::Running,
                Phase::Retry(_, at) => CloseState::RetryAt(at),
                Phase::Stuck => CloseState::NeedsAttention,
                Phase::New | Phase::Starting | Phase::Open | Phase::Unsure => return None,
            };
            let (door, address, port) = (key.door.as_str().into(), key.address, key.port);
            Some(CloseStatus { door, address, port, state, failed: hold.failed })
        })
    }

    /// How many holds and jobs there are.
    #[cfg(test)]
    pub(super) fn sizes(&self) -> (usize, usize) {
        (self.holds.len(), self.jobs.len())
    }

    /// How many holds somebody needs, or waits for the end of.
    #[cfg(test)]
    pub(super) fn wanted(&self) -> usize {
        let wanted = |hold: &&Hold| !hold.needed_by.is_empty() || !hold.outlived_by.is_empty();
        self.holds.values().filter(wanted).count()
    }

    /// What the next keeper must know of the holds, beyond the openings that need them.
    pub(super) fn records(&self) -> impl Iterator<Item = Record> {
        let all = self.holds.iter().map(|(key, hold)| (*key, hold.held()));
        all.filter(|(_, held)| *held != Held::UNKNOWN).map(|(key, held)| Record::Held(key, held))
    }

    /// Notes where the hold is now, unless the journal knows.
    fn note(&mut self, key: HoldKey) -> Option<Step> {
        let hold = self.holds.get_mut(&key)?;
        let held = hold.held();
        let known = core::mem::replace(&mut hold.noted, held);
        (known != held).then_some(Step::Note(Record::Held(key, held)))
    }

    fn start(&mut self, key: HoldKey, start: Rendered) -> Vec<Step> {
        if let Some(hold) = self.holds.get_mut(&key) {
            hold.phase = Phase::Starting;
        }
        self.run(key, start)
    }

    /// Runs the stop command, and then the start command: what is open, perhaps, is not to be opened twice.
    fn start_again(&mut self, key: HoldKey, command: &Command) -> Vec<Step> {
        let Some(hold) = self.holds.get_mut(&key) else { return Vec::new() };
        if let Phase::Retry(_, at) = hold.phase {
            self.retries.remove(&(at, key));
        }
        let old = core::mem::replace(&mut hold.stop, command.stop.clone());
        match old {
            Some(stop) => {
                hold.phase = Phase::Stopping(Tries::default());
                hold.restart = Some(command.start.clone());
                self.run(key, stop)
            }
            None => {
                let mut steps = self.pass_on(key);
                steps.extend(self.start(key, command.start.clone()));
                steps
            }
        }
    }

    /// Runs the stop command; where there is none, the hold is stopped already.
    fn stop(&mut self, key: HoldKey, tries: Tries) -> Vec<Step> {
        let Some(hold) = self.holds.get_mut(&key) else { return Vec::new() };
        match hold.stop.clone() {
            Some(stop) => {
                hold.phase = Phase::Stopping(tries);
                self.run(key, stop)
            }
            None => self.remove(key),
        }
    }

    fn remove(&mut self, key: HoldKey) -> Vec<Step> {
        let Some(hold) = self.holds.remove(&key) else { return Vec::new() };
        [Step::Note(Record::LetGo(key)), Step::Stopped(key, hold.outlived_by)].into()
    }

    /// Openings that are over do not wait for a hold that others need now.
    fn pass_on(&mut self, key: HoldKey) -> Vec<Step> {
        let Some(hold) = self.holds.get_mut(&key) else { return Vec::new() };
        let outlived_by = core::mem::take(&mut hold.outlived_by);
        if outlived_by.is_empty() { Vec::new() } else { [Step::Stopped(key, outlived_by)].into() }
    }

    fn run(&mut self, key: HoldKey, command: Rendered) -> Vec<Step> {
        let Some(timeout) = self.holds.get(&key).map(|hold| hold.timeout) else { return Vec::new() };
        let note = self.note(key);
        let id = self.next_job;
        self.next_job = self.next_job.wrapping_add(1);
        self.jobs.insert(id, key);
        let door = key.door.as_str().into();
        let job = Job { id: JobId::Hold(id), door, command, manner: Manner::Within(timeout) };
        note.into_iter().chain([Step::Run(job)]).collect()
    }
}

/// Tells of a command that failed.
fn failure(key: HoldKey, ended: Ended, next: Next) -> Vec<Step> {
    let event = Event::CommandFailed { door: key.door, ended, next };
    if ended == Ended::Status(0) { Vec::new() } else { [Step::Say(event)].into() }
}
