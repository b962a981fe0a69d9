//! The administrator's commands that run, and those that wait for their turn.

use std::collections::{BTreeMap, HashMap, VecDeque};

use knock_spa_engine::admit::effect::{Ended, Job, JobId, Manner};
use tokio::task::{Id, JoinSet};

use crate::io::process;

/// Commands that run at a time, each of them not for long: whoever knows a classic knock can knock from many addresses,
/// and must not use up the system's processes.
const AT_A_TIME: usize = 32;

/// The same for commands in knockd's manner, which may take as long as they like: many, since one that hangs must not
/// keep another from running.
const KNOCKD_AT_A_TIME: usize = 512;

/// Commands of one kind. Those of a door run in the order in which they came; of several doors, that with the fewest
/// that run comes first, and none takes all places: a door that is knocked at without end keeps nobody from another.
#[derive(Debug)]
struct Lane {
    at_a_time: usize,
    /// How many of each door run, where any do.
    running: BTreeMap<String, usize>,
    /// What waits at each door, where anything does.
    waiting: BTreeMap<String, VecDeque<Job>>,
}

impl Lane {
    const fn new(at_a_time: usize) -> Self {
        Self { at_a_time, running: BTreeMap::new(), waiting: BTreeMap::new() }
    }

    fn push(&mut self, job: Job) {
        self.waiting.entry(job.door.clone()).or_default().push_back(job);
    }

    /// The next command whose turn it is.
    fn next(&mut self) -> Option<Job> {
        if self.running.values().sum::<usize>() >= self.at_a_time {
            return None;
        }
        let running = |door: &String| self.running.get(door).copied().unwrap_or_default();
        let door = self.waiting.keys().min_by_key(|door| running(door))?.clone();
        let of_one_door = self.at_a_time.saturating_sub(self.at_a_time.div_ceil(4));
        if running(&door) >= of_one_door {
            return None;
        }
        let jobs = self.waiting.get_mut(&door)?;
        let job = jobs.pop_front();
        if jobs.is_empty() {
            self.waiting.remove(&door);
        }
        let running = self.running.entry(door).or_default();
        *running = running.saturating_add(1);
        job
    }

    /// Takes note that a command of the door has ended.
    fn end(&mut self, door: &str) {
        let Some(running) = self.running.get_mut(door) else { return };
        *running = running.saturating_sub(1);
        if *running == 0 {
            self.running.remove(door);
        }
    }

    fn is_waited_for(&self) -> bool {
        !self.waiting.is_empty()
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

/// What a task runs.
#[derive(Debug)]
struct Name {
    id: JobId,
    lane: LaneName,
    door: String,
}

/// The commands that run, and those that wait.
#[derive(Debug)]
pub(super) struct Jobs {
    running: JoinSet<(JobId, Ended)>,
    names: HashMap<Id, Name>,
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
        self.lane(name).push(job);
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
            let name = Name { id: job.id, lane, door: job.door.clone() };
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
        let Some(Name { id, lane, door }) = self.names.remove(&task) else {
            return std::future::pending().await;
        };
        self.lane(lane).end(&door);
        self.start_waiting(lane);
        (id, outcome)
    }

    /// Whether none runs or waits.
    pub(super) fn is_empty(&self) -> bool {
        let lanes = [&self.within, &self.knockd_starts, &self.knockd_stops];
        self.running.is_empty() && !lanes.iter().any(|lane| lane.is_waited_for())
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use knock_spa_engine::command::Rendered;

    use super::*;

    fn job(number: u64, door: &str) -> Job {
        let command = Rendered::shell(String::new());
        Job { id: JobId::Run(number), door: door.into(), command, manner: Manner::Within(Duration::MAX) }
    }

    #[test]
    fn a_busy_door_leaves_room_for_others() {
        let mut lane = Lane::new(8);
        (0..20).for_each(|number| lane.push(job(number, "busy")));
        let numbers = |lane: &mut Lane| -> Vec<_> {
            std::iter::from_fn(|| lane.next()).map(|job| (job.id, job.door)).collect()
        };
        let of = |door: &str, numbers: &[u64]| -> Vec<_> {
            numbers.iter().map(|number| (JobId::Run(*number), door.to_owned())).collect()
        };
        assert_eq!(
            numbers(&mut lane),
            of("busy", &[0, 1, 2, 3, 4, 5]),
            "in their order, and not in all places"
        );
        (100..105).for_each(|number| lane.push(job(number, "other")));
        assert_eq!(numbers(&mut lane), of("other", &[100, 101]));
        lane.end("busy");
        lane.end("busy");
        assert_eq!(numbers(&mut lane), of("other", &[102, 103]), "it has fewer that run");
        (0..4).for_each(|_| lane.end("busy"));
        assert_eq!(numbers(&mut lane), [of("busy", &[6, 7, 8, 9]), vec![]].concat());
        assert!(lane.is_waited_for());
    }
}
