//! What commands hold open: each pair of a start and a stop command, however many openings share it.
//!
//! A hold starts when the first opening needs it and stops after the last. A stop never runs before its own start
//! has ended, and a stop that fails is tried again. Stops are taken to undo one start each, as with a firewall's rules.

use alloc::collections::{BTreeMap, BTreeSet};
use alloc::vec::Vec;
use core::time::Duration;

use knock_spa_proto::address::Address;
use knock_spa_proto::port::ServicePort;
use knock_spa_proto::service::ServiceName;
use knock_spa_proto::time::BootTime;

use super::closes::{CloseState, CloseStatus};
use super::effect::{Ended, Event, Job, JobId, Manner, Next};
use super::opening::{Command, Opening, OpeningId};
use crate::command::Rendered;

/// Tries of a stop command before somebody must look: with the waits between them, half a minute.
const MAX_STOPS: u32 = 5;

/// What a hold is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct HoldKey {
    door: ServiceName,
    address: Address,
    port: Option<ServicePort>,
}

impl HoldKey {
    const fn of(opening: &Opening, port: Option<ServicePort>) -> Self {
        Self { door: opening.door, address: opening.address, port }
    }
}

#[derive(Debug)]
struct Hold {
    needed_by: BTreeSet<OpeningId>,
    /// Openings that are over, and wait for the end of this.
    outlived_by: Vec<OpeningId>,
    stop: Option<Rendered>,
    timeout: Duration,
    phase: Phase,
    /// Starts that have succeeded, less stops that have: so many stops are still due.
    opened: u32,
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
    /// The stop command runs, for the time of this number.
    Stopping(u32),
    /// The stop command failed so many times; it runs again at this time.
    Retry(u32, BootTime),
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
        let needed_by = BTreeSet::new();
        Self {
            needed_by,
            outlived_by: Vec::new(),
            stop: None,
            timeout,
            phase,
            opened: 0,
            restart: None,
            failed: None,
        }
    }
}

impl Holds {
    /// Holds open what `opening` needs; `command` belongs to it.
    pub(super) fn acquire(
        &mut self,
        opening: &Opening,
        command: &Command,
        timeout: Duration,
    ) -> [Option<Step>; 2] {
        let key = HoldKey::of(opening, command.port);
        let hold = self.holds.entry(key).or_insert_with(|| Hold::new(timeout, Phase::New));
        hold.needed_by.insert(opening.id);
        match hold.phase {
            Phase::New => {
                hold.stop.clone_from(&command.stop);
                [self.start(key, command.start.clone()), None]
            }
            Phase::Starting | Phase::Open => [self.pass_on(key), None],
            Phase::Unsure | Phase::Retry(..) | Phase::Stuck => self.start_again(key, command),
            Phase::Stopping(_) => {
                hold.restart = Some(command.start.clone());
                hold.stop.clone_from(&command.stop);
                [None, None]
            }
        }
    }

    /// Holds open what `opening` had opened by the word of the journal: it is not started again unasked. Whether it was
    /// started at all, or went with the boot in which it was, nobody knows.
    pub(super) fn adopt(&mut self, opening: &Opening, command: &Command, timeout: Duration) {
        let key = HoldKey::of(opening, command.port);
        let hold = self.holds.entry(key).or_insert_with(|| Hold::new(timeout, Phase::Unsure));
        hold.needed_by.insert(opening.id);
        hold.stop.clone_from(&command.stop);
        hold.opened = 1;
    }

    /// Says that `opening` needs its hold on `port` no longer; gives the hold where it stops because of that.
    pub(super) fn release(
        &mut self,
        opening: &Opening,
        port: Option<ServicePort>,
    ) -> (Option<HoldKey>, Option<Step>) {
        let key = HoldKey::of(opening, port);
        let Some(hold) = self.holds.get_mut(&key) else { return (None, None) };
        hold.needed_by.remove(&opening.id);
        if !hold.needed_by.is_empty() {
            return (None, None);
        }
        hold.outlived_by.push(opening.id);
        hold.restart = None;
        match hold.phase {
            Phase::Open | Phase::Unsure => (Some(key), self.stop(key, 1)),
            Phase::New | Phase::Starting | Phase::Stopping(_) | Phase::Retry(..) | Phase::Stuck => {
                (Some(key), None)
            }
        }
    }

    /// Takes note of how a command ended.
    pub(super) fn handle_ended(&mut self, job: u64, ended: Ended, now: BootTime) -> [Option<Step>; 3] {
        let Some(key) = self.jobs.remove(&job) else { return [None, None, None] };
        let Some(hold) = self.holds.get_mut(&key) else { return [None, None, None] };
        let failed = ended != Ended::Status(0);
        let say = |next| failed.then_some(Step::Say(Event::CommandFailed { door: key.door, ended, next }));
        hold.failed = (failed && matches!(hold.phase, Phase::Stopping(_))).then_some(ended);
        match hold.phase {
            Phase::Starting => {
                hold.opened = hold.opened.saturating_add(u32::from(!failed));
                hold.phase = if failed { Phase::Unsure } else { Phase::Open };
                let stop = if hold.needed_by.is_empty() { self.stop(key, 1) } else { None };
                [say(Next::StopLater), stop, None]
            }
            Phase::Stopping(_) if hold.restart.is_some() => {
                hold.opened = hold.opened.saturating_sub(u32::from(!failed));
                let start = hold.restart.take();
                let passed_on = self.pass_on(key);
                let start = start.and_then(|start| self.start(key, start));
                [say(Next::StartAgain), passed_on, start]
            }
            Phase::Stopping(tries) if failed && tries < MAX_STOPS => {
                let wait = Duration::from_secs(1_u64.checked_shl(tries).unwrap_or(u64::MAX));
                let at = now.saturating_add(wait);
                hold.phase = Phase::Retry(tries, at);
                self.retries.insert((at, key));
                [say(Next::RetryIn(wait)), None, None]
            }
            Phase::Stopping(_) if failed => {
                hold.phase = Phase::Stuck;
                [say(Next::NeedsAttention), None, None]
            }
            Phase::Stopping(_) => {
                hold.opened = hold.opened.saturating_sub(1);
                let step = if hold.opened > 0 { self.stop(key, 1) } else { self.remove(key) };
                [step, None, None]
            }
            Phase::New | Phase::Open | Phase::Unsure | Phase::Retry(..) | Phase::Stuck => [None, None, None],
        }
    }

    /// When a failed stop is to be tried again.
    pub(super) fn next_retry(&self) -> Option<BootTime> {
        self.retries.first().map(|(at, _)| *at)
    }

    /// Tries one failed stop again whose time has come.
    pub(super) fn retry(&mut self, now: BootTime) -> Option<Step> {
        let (at, key) = self.retries.first().copied().filter(|(at, _)| *at <= now)?;
        self.retries.remove(&(at, key));
        match self.holds.get(&key)?.phase {
            Phase::Retry(tries, _) => self.stop(key, tries.saturating_add(1)),
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

    fn start(&mut self, key: HoldKey, start: Rendered) -> Option<Step> {
        self.holds.get_mut(&key)?.phase = Phase::Starting;
        self.run(key, start)
    }

    /// Runs the stop command, and then the start command: what is open, perhaps, is not to be opened twice.
    fn start_again(&mut self, key: HoldKey, command: &Command) -> [Option<Step>; 2] {
        let Some(hold) = self.holds.get_mut(&key) else { return [None, None] };
        if let Phase::Retry(_, at) = hold.phase {
            self.retries.remove(&(at, key));
        }
        let old = core::mem::replace(&mut hold.stop, command.stop.clone());
        match old {
            Some(stop) => {
                hold.phase = Phase::Stopping(1);
                hold.restart = Some(command.start.clone());
                [self.run(key, stop), None]
            }
            None => [self.pass_on(key), self.start(key, command.start.clone())],
        }
    }

    /// Runs the stop command; where there is none, the hold is stopped already.
    fn stop(&mut self, key: HoldKey, tries: u32) -> Option<Step> {
        let hold = self.holds.get_mut(&key)?;
        match hold.stop.clone() {
            Some(stop) => {
                hold.phase = Phase::Stopping(tries);
                self.run(key, stop)
            }
            None => self.remove(key),
        }
    }

    fn remove(&mut self, key: HoldKey) -> Option<Step> {
        self.holds.remove(&key).map(|hold| Step::Stopped(key, hold.outlived_by))
    }

    /// Openings that are over do not wait for a hold that others need now.
    fn pass_on(&mut self, key: HoldKey) -> Option<Step> {
        let outlived_by = core::mem::take(&mut self.holds.get_mut(&key)?.outlived_by);
        (!outlived_by.is_empty()).then_some(Step::Stopped(key, outlived_by))
    }

    fn run(&mut self, key: HoldKey, command: Rendered) -> Option<Step> {
        let timeout = self.holds.get(&key)?.timeout;
        let id = self.next_job;
        self.next_job = self.next_job.wrapping_add(1);
        self.jobs.insert(id, key);
        let door = key.door.as_str().into();
        Some(Step::Run(Job { id: JobId::Hold(id), door, command, manner: Manner::Within(timeout) }))
    }
}
