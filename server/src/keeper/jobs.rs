//! The administrator's commands that run, and those that wait for their turn.

use std::collections::{HashMap, VecDeque};

use knock_spa_engine::admit::effect::{Ended, Job, JobId, Manner};
use tokio::task::{Id, JoinSet};

use crate::io::process;

/// Commands that run at a time, each of them not for long: whoever knows a classic knock can knock from many addresses,
/// and must not use up the system's processes.
const AT_A_TIME: usize = 32;

/// The same for commands in knockd's manner, which may take as long as they like: many, since one that hangs must not
/// keep another from running.
const KNOCKD_AT_A_TIME: usize = 512;

/// Commands of one kind, run in the order in which they came.
#[derive(Debug)]
struct Lane {
    at_a_time: usize,
    running: usize,
    waiting: VecDeque<Job>,
}

impl Lane {
    const fn new(at_a_time: usize) -> Self {
        Self { at_a_time, running: 0, waiting: VecDeque::new() }
    }

    /// The next command whose turn it is.
    fn next(&mut self) -> Option<Job> {
        if self.running >= self.at_a_time {
            return None;
        }
        let job = self.waiting.pop_front()?;
        self.running = self.running.saturating_add(1);
        Some(job)
    }
}

/// Which lane a command takes: what closes never waits for what opens.
#[derive(Clone, Copy, Debug)]
enum LaneName {
    Within,
    KnockdStarts,
    KnockdStops,
}

impl LaneName {
    const fn of(manner: Manner) -> Self {
        match manner {
            Manner::Within(_) => Self::Within,
            Manner::KnockdStart => Self::KnockdStarts,
            Manner::KnockdStop => Self::KnockdStops,
        }
    }
}

/// The commands that run, and those that wait.
#[derive(Debug)]
pub(super) struct Jobs {
    running: JoinSet<(JobId, Ended)>,
    names: HashMap<Id, (JobId, LaneName)>,
    within: Lane,
    knockd_starts: Lane,
    knockd_stops: Lane,
}

impl Default for Jobs {
    fn default() -> Self {
        Self {
            running: JoinSet::new(),
            names: HashMap::new(),
            within: Lane::new(AT_A_TIME),
            knockd_starts: Lane::new(KNOCKD_AT_A_TIME),
            knockd_stops: Lane::new(KNOCKD_AT_A_TIME),
        }
    }
}

impl Jobs {
    /// Runs a command as soon as it is its turn.
    pub(super) fn push(&mut self, job: Job) {
        let name = LaneName::of(job.manner);
        self.lane(name).waiting.push_back(job);
        self.start_waiting(name);
    }

    const fn lane(&mut self, name: LaneName) -> &mut Lane {
        match name {
            LaneName::Within => &mut self.within,
            LaneName::KnockdStarts => &mut self.knockd_starts,
            LaneName::KnockdStops => &mut self.knockd_stops,
        }
    }

    fn start_waiting(&mut self, lane: LaneName) {
        while let Some(job) = self.lane(lane).next() {
            let id = job.id;
            let task = self.running.spawn(process::run(job));
            self.names.insert(task.id(), (id, lane));
        }
    }

    /// Waits for a command to end, for ever where none runs.
    pub(super) async fn ended(&mut self) -> (JobId, Ended) {
        let (task, outcome) = match self.running.join_next_with_id().await {
            Some(Ok((task, (_, ended)))) => (task, ended),
            // It ran into a fault of ours: whoever waits for its end is told.
            Some(Err(error)) => (error.id(), Ended::NotStarted),
            None => return std::future::pending().await,
        };
        let Some((id, name)) = self.names.remove(&task) else { return std::future::pending().await };
        let lane = self.lane(name);
        lane.running = lane.running.saturating_sub(1);
        self.start_waiting(name);
        (id, outcome)
    }

    /// Whether none runs or waits.
    pub(super) fn is_empty(&self) -> bool {
        let lanes = [&self.within, &self.knockd_starts, &self.knockd_stops];
        self.running.is_empty() && lanes.iter().all(|lane| lane.waiting.is_empty())
    }
}
