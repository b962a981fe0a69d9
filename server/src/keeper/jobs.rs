//! The administrator's commands that run, and those that wait for their turn.

use std::collections::{HashMap, VecDeque};

use knock_spa_engine::admit::effect::{Ended, Job, JobId};
use tokio::task::{Id, JoinSet};

use crate::io::process;

/// Commands that run at a time: whoever knows a classic knock can knock from many addresses, and must not use up the
/// system's processes.
const AT_A_TIME: usize = 32;

/// Commands, run in the order in which they came.
#[derive(Debug, Default)]
pub(super) struct Jobs {
    running: JoinSet<(JobId, Ended)>,
    names: HashMap<Id, JobId>,
    waiting: VecDeque<Job>,
}

impl Jobs {
    /// Runs a command as soon as it is its turn.
    pub(super) fn push(&mut self, job: Job) {
        self.waiting.push_back(job);
        self.start_waiting();
    }

    fn start_waiting(&mut self) {
        while self.running.len() < AT_A_TIME {
            let Some(job) = self.waiting.pop_front() else { return };
            let name = job.id;
            let task = self.running.spawn(process::run(job));
            self.names.insert(task.id(), name);
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
        self.start_waiting();
        match self.names.remove(&task) {
            Some(name) => (name, outcome),
            None => std::future::pending().await,
        }
    }

    /// Whether none runs or waits.
    pub(super) fn is_empty(&self) -> bool {
        self.running.is_empty() && self.waiting.is_empty()
    }
}
