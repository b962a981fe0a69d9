//! What commands hold open: each pair of a start and a stop command, however many openings share it.
//!
//! A hold starts when the first opening needs it and stops after the last. A stop never runs before its own start
//! has ended, and a stop that fails is tried again.

use alloc::collections::{BTreeMap, BTreeSet};
use core::time::Duration;

use knock_spa_proto::address::Address;
use knock_spa_proto::port::ServicePort;
use knock_spa_proto::service::ServiceName;
use knock_spa_proto::time::BootTime;

use super::effect::{Ended, Event, Job, JobId, Next};
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

#[derive(Debug)]
struct Hold {
    needed_by: BTreeSet<OpeningId>,
    stop: Option<Rendered>,
    timeout: Duration,
    phase: Phase,
    /// A start that came while the stop was running.
    restart: Option<Rendered>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Phase {
    /// Nothing has run yet.
    New,
    /// The start command runs.
    Starting,
    /// It has ended.
    Open,
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
    /// The hold is stopped, or has passed on to another opening: whoever waits for its end need not wait longer.
    Stopped(HoldKey),
}

#[derive(Debug, Default)]
pub(super) struct Holds {
    holds: BTreeMap<HoldKey, Hold>,
    jobs: BTreeMap<JobId, HoldKey>,
    next_job: u64,
}

impl Holds {
    /// Holds open what `opening` needs; `command` belongs to it.
    pub(super) fn acquire(
        &mut self,
        opening: &Opening,
        command: &Command,
        timeout: Duration,
    ) -> [Option<Step>; 2] {
        let key = HoldKey { door: opening.door, address: opening.address, port: command.port };
        let hold = self.holds.entry(key).or_insert_with(|| Hold {
            needed_by: BTreeSet::new(),
            stop: None,
            timeout,
            phase: Phase::New,
            restart: None,
        });
        let is_new = hold.needed_by.is_empty();
        hold.needed_by.insert(opening.id);
        match hold.phase {
            Phase::Stopping(_) => {
                hold.restart = Some(command.start.clone());
                hold.stop.clone_from(&command.stop);
                [None, None]
            }
            Phase::New | Phase::Retry(..) | Phase::Stuck if is_new => {
                hold.stop.clone_from(&command.stop);
                hold.phase = Phase::Starting;
                [Some(Step::Stopped(key)), self.run(key, command.start.clone())]
            }
            Phase::New | Phase::Starting | Phase::Open | Phase::Retry(..) | Phase::Stuck => [None, None],
        }
    }

    /// Holds open what `opening` had opened before this keeper started: it is not started again.
    pub(super) fn adopt(&mut self, opening: &Opening, command: &Command, timeout: Duration) {
        let key = HoldKey { door: opening.door, address: opening.address, port: command.port };
        let hold = self.holds.entry(key).or_insert_with(|| Hold {
            needed_by: BTreeSet::new(),
            stop: command.stop.clone(),
            timeout,
            phase: Phase::Open,
            restart: None,
        });
        hold.needed_by.insert(opening.id);
    }

    /// Says that `opening` needs its hold on `port` no longer; gives the hold where it stops because of that.
    pub(super) fn release(
        &mut self,
        opening: &Opening,
        port: Option<ServicePort>,
    ) -> (Option<HoldKey>, [Option<Step>; 2]) {
        let key = HoldKey { door: opening.door, address: opening.address, port };
        let Some(hold) = self.holds.get_mut(&key) else { return (None, [None, None]) };
        hold.needed_by.remove(&opening.id);
        if !hold.needed_by.is_empty() {
            return (None, [None, None]);
        }
        hold.restart = None;
        match hold.phase {
            Phase::Open => (Some(key), self.stop(key, 1)),
            Phase::New | Phase::Starting | Phase::Stopping(_) | Phase::Retry(..) | Phase::Stuck => {
                (Some(key), [None, None])
            }
        }
    }

    /// Takes note of how a command ended.
    pub(super) fn handle_ended(&mut self, job: JobId, ended: Ended, now: BootTime) -> [Option<Step>; 3] {
        let Some(key) = self.jobs.remove(&job) else { return [None, None, None] };
        let Some(hold) = self.holds.get_mut(&key) else { return [None, None, None] };
        let failed = ended != Ended::Status(0);
        let say = |next| failed.then_some(Step::Say(Event::CommandFailed { door: key.door, ended, next }));
        match hold.phase {
            Phase::Starting => {
                hold.phase = Phase::Open;
                let [a, b] = if hold.needed_by.is_empty() { self.stop(key, 1) } else { [None, None] };
                [say(Next::StopLater), a, b]
            }
            Phase::Stopping(_) if hold.restart.is_some() => {
                hold.phase = Phase::Starting;
                let start = hold.restart.take();
                let next = start.and_then(|start| self.run(key, start));
                [say(Next::StopLater), Some(Step::Stopped(key)), next]
            }
            Phase::Stopping(tries) if failed && tries < MAX_STOPS => {
                let wait = Duration::from_secs(1_u64.checked_shl(tries).unwrap_or(u64::MAX));
                hold.phase = Phase::Retry(tries, now.saturating_add(wait));
                [say(Next::RetryIn(wait)), None, None]
            }
            Phase::Stopping(_) if failed => {
                hold.phase = Phase::Stuck;
                [say(Next::NeedsAttention), None, None]
            }
            Phase::Stopping(_) => {
                self.holds.remove(&key);
                [Some(Step::Stopped(key)), None, None]
            }
            Phase::New | Phase::Open | Phase::Retry(..) | Phase::Stuck => [None, None, None],
        }
    }

    /// When a failed stop is to be tried again.
    pub(super) fn next_retry(&self) -> Option<BootTime> {
        self.holds.values().filter_map(|hold| retry_at(hold.phase)).min()
    }

    /// Tries one failed stop again whose time has come.
    pub(super) fn retry(&mut self, now: BootTime) -> Option<Step> {
        let (key, tries) = self.holds.iter().find_map(|(key, hold)| match hold.phase {
            Phase::Retry(tries, at) if at <= now => Some((*key, tries)),
            Phase::New
            | Phase::Starting
            | Phase::Open
            | Phase::Stopping(_)
            | Phase::Retry(..)
            | Phase::Stuck => None,
        })?;
        let [step, _] = self.stop(key, tries.saturating_add(1));
        step
    }

    /// How many stop commands have failed and not succeeded since, and how many of those are given up.
    pub(super) fn failing(&self) -> (usize, usize) {
        let count = |fits: fn(Phase) -> bool| self.holds.values().filter(|hold| fits(hold.phase)).count();
        (count(|phase| retry_at(phase).is_some()), count(|phase| phase == Phase::Stuck))
    }

    /// Runs the stop command; where there is none, the hold is stopped already.
    fn stop(&mut self, key: HoldKey, tries: u32) -> [Option<Step>; 2] {
        let Some(hold) = self.holds.get_mut(&key) else { return [None, None] };
        match hold.stop.clone() {
            Some(stop) => {
                hold.phase = Phase::Stopping(tries);
                [self.run(key, stop), None]
            }
            None => {
                self.holds.remove(&key);
                [Some(Step::Stopped(key)), None]
            }
        }
    }

    fn run(&mut self, key: HoldKey, command: Rendered) -> Option<Step> {
        let timeout = self.holds.get(&key)?.timeout;
        let id = JobId(self.next_job);
        self.next_job = self.next_job.wrapping_add(1);
        self.jobs.insert(id, key);
        Some(Step::Run(Job { id, door: key.door, command, timeout }))
    }
}

const fn retry_at(phase: Phase) -> Option<BootTime> {
    match phase {
        Phase::Retry(_, at) => Some(at),
        Phase::New | Phase::Starting | Phase::Open | Phase::Stopping(_) | Phase::Stuck => None,
    }
}
