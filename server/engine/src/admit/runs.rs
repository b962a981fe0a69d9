//! What doors in knockd's manner have open: each knock runs its start command, and each start its own stop, once.
//!
//! A stop never runs before its own start has ended. What has a stop is on record before its start runs, so that it is
//! closed after a crash too: at least once, and exactly once unless the crash fell between *closing* and *closed*.

mod room;

use alloc::collections::{BTreeMap, BTreeSet};
use alloc::string::String;
use alloc::vec::Vec;
use core::time::Duration;

use knock_spa_proto::address::Address;
use knock_spa_proto::time::{BootTime, Now, UnixTime};

pub use self::room::MAX_RUNS;
use self::room::{NoRoom, Room};
use super::closes::{CloseState, CloseStatus};
use super::effect::{Ended, Job, JobId, Manner};
use super::opening::Deadline;
use super::tries::Tries;
use crate::command::Rendered;
use crate::knockd::{Again, Said};

/// Names a run for as long as the journal remembers it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct RunId(pub u64);

/// A start command that ran or runs, and what is to run after it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Run {
    /// Its name.
    pub id: RunId,
    /// The door's name.
    pub door: String,
    /// Who knocked.
    pub address: Address,
    /// When.
    pub since: UnixTime,
    /// What closes again.
    pub stop: Rendered,
    /// How long after the end of the start command.
    pub stop_after: Duration,
    /// What another knock does meanwhile.
    pub again: Again,
}

/// Where a run is.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Phase {
    /// Its record is being written; then this command starts.
    Recorded(Rendered),
    /// The start command runs.
    Starting,
    /// It is open until then.
    Open(Deadline),
    /// Its stop is due then, but its start has failed, or nobody knows how far it came.
    Unsure(Deadline),
    /// Somebody knocks at what may not be open: the stop command runs, and then this starts.
    Renewing(Rendered),
    /// The record that it is being closed is being written.
    Closing,
    /// The stop command runs, after so many tries that failed.
    Stopping(Tries),
    /// The stop command did not run to its end so many times; it runs again at this time.
    Retry(Tries, BootTime),
}

#[derive(Debug)]
struct Entry {
    run: Run,
    phase: Phase,
    /// The keeper stops: it is closed as soon as its start has ended.
    hurries: bool,
    /// How its stop command ended last, where it did not run to its end.
    failed: Option<Ended>,
}

/// What a job of ours is.
#[derive(Clone, Debug)]
struct Task {
    door: String,
    /// The run that it belongs to; none for a start that has no stop.
    run: Option<RunId>,
}

/// How far a run is, as far as others need to know.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Stage {
    /// Its start command has not ended yet.
    Starting,
    /// It is open until then.
    Open(Deadline),
    /// It is to be closed then, and nobody knows whether it is open.
    Unsure(Deadline),
    /// It is being closed.
    Closing,
}

impl Stage {
    /// When it is to be closed, where that is known.
    #[must_use]
    pub const fn until(self) -> Option<Deadline> {
        match self {
            Self::Open(until) | Self::Unsure(until) => Some(until),
            Self::Starting | Self::Closing => None,
        }
    }
}

/// What a change of the runs asks for.
#[derive(Debug)]
pub(super) enum Step {
    /// Run this.
    Run(Job),
    /// Tell this.
    Say(Said),
    /// Record that this begins, then say so with [`Runs::handle_recorded`].
    RecordBegun(Run),
    /// Note that this is to be closed then, and whether it is sure to be open.
    NoteOpen(RunId, Deadline, bool),
    /// Record that this is being closed, then say so with [`Runs::handle_recorded`].
    RecordClosing(RunId),
    /// Record that this is closed.
    RecordClosed(RunId),
    /// The stop command did not run to its end, and is tried again after this span.
    StopFailed(String, Ended, Duration),
}

/// What another knock can be for as well: a door, an address, and what closes. Doors may share a name, and commands
/// change.
type Target = (String, Address, Vec<String>);

#[derive(Debug, Default)]
pub(super) struct Runs {
    entries: BTreeMap<RunId, Entry>,
    /// What extends instead of starting again.
    by_target: BTreeMap<Target, RunId>,
    /// When entries are to be looked at.
    due: BTreeSet<(BootTime, RunId)>,
    tasks: BTreeMap<u64, Task>,
    /// What entries, and tasks without one, take up.
    room: Room,
    next_run: u64,
    next_task: u64,
}

impl Runs {
    /// Begins a run, or extends the one that is there.
    pub(super) fn begin(
        &mut self,
        door: &str,
        address: Address,
        pair: crate::knockd::Pair,
        again: Again,
        now: Now,
    ) -> Result<Option<Step>, NoRoom> {
        let Some((stop, stop_after)) = pair.stop else {
            self.room.take(door)?;
            return Ok(Some(self.start(door, None, pair.start)));
        };
        if again == Again::Extend
            && let Some(id) = self.by_target.get(&(door.into(), address, stop.argv.clone())).copied()
            && let Some(step) = self.extend(id, &pair.start, stop_after, now)
        {
            return Ok(step);
        }
        self.room.take(door)?;
        let id = RunId(self.next_run);
        self.next_run = self.next_run.saturating_add(1);
        let run = Run { id, door: door.into(), address, since: now.unix, stop, stop_after, again };
        self.insert(run.clone(), Phase::Recorded(pair.start));
        Ok(Some(Step::RecordBegun(run)))
    }

    /// Puts off the stop of a run; the outer `None` where it is being closed already, the inner where there is nothing
    /// to do: the time counts from the end of the start command anyway. What may not be open starts again, after its
    /// stop, since it may be open all the same.
    fn extend(
        &mut self,
        id: RunId,
        start: &Rendered,
        stop_after: Duration,
        now: Now,
    ) -> Option<Option<Step>> {
        let entry = self.entries.get_mut(&id)?;
        match entry.phase {
            Phase::Recorded(_) | Phase::Starting | Phase::Renewing(_) => Some(None),
            Phase::Open(_) => Some(self.open(id, Deadline::after(stop_after, now))),
            Phase::Unsure(until) => {
                self.due.remove(&(until.boot, id));
                entry.phase = Phase::Renewing(start.clone());
                let (door, stop) = (entry.run.door.clone(), entry.run.stop.clone());
                Some(Some(Step::Run(self.job(&door, Some(id), stop, Manner::KnockdStop))))
            }
            Phase::Closing | Phase::Stopping(_) | Phase::Retry(..) => None,
        }
    }

    fn insert(&mut self, run: Run, phase: Phase) {
        if run.again == Again::Extend {
            self.by_target.insert(target(&run), run.id);
        }
        self.next_run = self.next_run.max(run.id.0.saturating_add(1));
        self.entries.insert(run.id, Entry { run, phase, hurries: false, failed: None });
    }

    /// Takes in a run of the journal, which is to be closed then.
    pub(super) fn adopt(&mut self, run: Run, until: Deadline, is_sure: bool) {
        let id = run.id;
        self.room.take_anyway(&run.door);
        self.insert(run, if is_sure { Phase::Open(until) } else { Phase::Unsure(until) });
        self.due.insert((until.boot, id));
    }

    /// Goes on after a record that was asked for.
    pub(super) fn handle_recorded(&mut self, id: RunId) -> Option<Step> {
        let entry = self.entries.get_mut(&id)?;
        match entry.phase.clone() {
            Phase::Recorded(start) => {
                entry.phase = Phase::Starting;
                let door = entry.run.door.clone();
                Some(self.start(&door, Some(id), start))
            }
            Phase::Closing => self.stop(id, Tries::default()),
            Phase::Starting
            | Phase::Open(_)
            | Phase::Unsure(_)
            | Phase::Renewing(_)
            | Phase::Stopping(_)
            | Phase::Retry(..) => None,
        }
    }

    /// Takes note of how a command ended.
    pub(super) fn handle_ended(&mut self, job: u64, ended: Ended, now: Now) -> [Option<Step>; 3] {
        let Some(task) = self.tasks.remove(&job) else { return [None, None, None] };
        if task.run.is_none() {
            self.room.give_back(&task.door);
        }
        let said = match ended {
            Ended::Status(0) => None,
            Ended::Status(status) => Some(Said::NonZero { door: task.door, status }),
            // The shell's own end is what counts; killed by a signal it has status 0.
            Ended::Killed | Ended::TimedOut => Some(Said::NonZero { door: task.door, status: 0 }),
            Ended::NotStarted => Some(Said::NotStarted),
        };
        let said = said.map(Step::Say);
        let Some(id) = task.run else { return [said, None, None] };
        let Some(entry) = self.entries.get_mut(&id) else { return [said, None, None] };
        match entry.phase.clone() {
            Phase::Starting | Phase::Renewing(_) if entry.hurries => [said, self.close(id), None],
            Phase::Starting => {
                let until = Deadline::after(entry.run.stop_after, now);
                let is_open = ended == Ended::Status(0);
                [said, if is_open { self.open(id, until) } else { self.doubt(id, until) }, None]
            }
            Phase::Renewing(start) => {
                entry.phase = Phase::Starting;
                let door = entry.run.door.clone();
                [said, Some(self.start(&door, Some(id), start)), None]
            }
            Phase::Stopping(tries) => {
                let [failed, next] = self.handle_stopped(id, tries, ended, now.boot);
                [said, failed, next]
            }
            Phase::Recorded(_) | Phase::Open(_) | Phase::Unsure(_) | Phase::Closing | Phase::Retry(..) => {
                [said, None, None]
            }
        }
    }

    /// A stop that ran to its end has done what it could, whatever its status: a second one could close what another
    /// knock has opened meanwhile.
    fn handle_stopped(&mut self, id: RunId, tries: Tries, ended: Ended, now: BootTime) -> [Option<Step>; 2] {
        let again = match ended {
            Ended::Status(_) => None,
            Ended::Killed | Ended::TimedOut | Ended::NotStarted => tries.fail(ended),
        };
        let Some((tries, wait)) = again else {
            self.remove(id);
            return [Some(Step::RecordClosed(id)), None];
        };
        let Some(entry) = self.entries.get_mut(&id) else { return [None, None] };
        entry.failed = Some(ended);
        let at = now.saturating_add(wait);
        entry.phase = Phase::Retry(tries, at);
        self.due.insert((at, id));
        [Some(Step::StopFailed(entry.run.door.clone(), ended, wait)), None]
    }

    /// Goes on with one run whose time has come.
    pub(super) fn handle_timeout(&mut self, now: BootTime) -> Option<[Option<Step>; 2]> {
        let (at, id) = self.due.first().copied().filter(|(at, _)| *at <= now)?;
        self.due.remove(&(at, id));
        let Some(entry) = self.entries.get(&id) else { return Some([None, None]) };
        Some(match entry.phase {
            Phase::Open(_) | Phase::Unsure(_) => {
                let (door, from) = (entry.run.door.clone(), entry.run.address);
                [Some(Step::Say(Said::CommandTimeout { door, from })), self.close(id)]
            }
            Phase::Retry(tries, _) => [self.stop(id, tries), None],
            Phase::Recorded(_)
            | Phase::Starting
            | Phase::Renewing(_)
            | Phase::Closing
            | Phase::Stopping(_) => [None, None],
        })
    }

    /// Closes everything that is open, since nobody would later: what a start still runs for, after its end.
    pub(super) fn handle_stop(&mut self) -> Vec<Step> {
        let ids: Vec<RunId> = self.entries.keys().copied().collect();
        ids.into_iter().filter_map(|id| self.hurry(id)).collect()
    }

    fn hurry(&mut self, id: RunId) -> Option<Step> {
        let entry = self.entries.get_mut(&id)?;
        entry.hurries = true;
        match entry.phase {
            Phase::Open(until) | Phase::Unsure(until) => {
                self.due.remove(&(until.boot, id));
                self.close(id)
            }
            Phase::Recorded(_)
            | Phase::Starting
            | Phase::Renewing(_)
            | Phase::Closing
            | Phase::Stopping(_)
            | Phase::Retry(..) => None,
        }
    }

    /// When [`Self::handle_timeout`] has something to do.
    pub(super) fn next_due(&self) -> Option<BootTime> {
        self.due.first().map(|(at, _)| *at)
    }

    /// How many stop commands did not run to their end, and will be tried again.
    pub(super) fn failing(&self) -> usize {
        self.entries.values().filter(|entry| matches!(entry.phase, Phase::Retry(..))).count()
    }

    /// The runs with a stop.
    pub(super) fn iter(&self) -> impl Iterator<Item = (&Run, Stage)> {
        self.entries.values().map(|entry| {
            let stage = match entry.phase {
                Phase::Recorded(_) | Phase::Starting | Phase::Renewing(_) => Stage::Starting,
                Phase::Open(until) => Stage::Open(until),
                Phase::Unsure(until) => Stage::Unsure(until),
                Phase::Closing | Phase::Stopping(_) | Phase::Retry(..) => Stage::Closing,
            };
            (&entry.run, stage)
        })
    }

    /// The stop commands that run, or must run again.
    pub(super) fn closes(&self) -> impl Iterator<Item = CloseStatus> {
        self.entries.values().filter_map(|entry| {
            let state = match entry.phase {
                Phase::Closing | Phase::Stopping(_) => CloseState::Running,
                Phase::Retry(_, at) => CloseState::RetryAt(at),
                Phase::Recorded(_)
                | Phase::Starting
                | Phase::Open(_)
                | Phase::Unsure(_)
                | Phase::Renewing(_) => return None,
            };
            let (door, address) = (entry.run.door.clone(), entry.run.address);
            Some(CloseStatus { door, address, port: None, state, failed: entry.failed })
        })
    }

    fn open(&mut self, id: RunId, until: Deadline) -> Option<Step> {
        let entry = self.entries.get_mut(&id)?;
        if let Phase::Open(old) = core::mem::replace(&mut entry.phase, Phase::Open(until)) {
            self.due.remove(&(old.boot, id));
        }
        self.due.insert((until.boot, id));
        Some(Step::NoteOpen(id, until, true))
    }

    fn doubt(&mut self, id: RunId, until: Deadline) -> Option<Step> {
        self.entries.get_mut(&id)?.phase = Phase::Unsure(until);
        self.due.insert((until.boot, id));
        Some(Step::NoteOpen(id, until, false))
    }

    fn close(&mut self, id: RunId) -> Option<Step> {
        let entry = self.entries.get_mut(&id)?;
        entry.phase = Phase::Closing;
        let target = target(&entry.run);
        if self.by_target.get(&target) == Some(&id) {
            self.by_target.remove(&target);
        }
        Some(Step::RecordClosing(id))
    }

    fn remove(&mut self, id: RunId) {
        if let Some(entry) = self.entries.remove(&id) {
            self.room.give_back(&entry.run.door);
        }
    }

    fn start(&mut self, door: &str, run: Option<RunId>, command: Rendered) -> Step {
        Step::Run(self.job(door, run, command, Manner::KnockdStart))
    }

    fn stop(&mut self, id: RunId, tries: Tries) -> Option<Step> {
        let entry = self.entries.get_mut(&id)?;
        entry.phase = Phase::Stopping(tries);
        let (door, command) = (entry.run.door.clone(), entry.run.stop.clone());
        Some(Step::Run(self.job(&door, Some(id), command, Manner::KnockdStop)))
    }

    fn job(&mut self, door: &str, run: Option<RunId>, command: Rendered, manner: Manner) -> Job {
        let id = self.next_task;
        self.next_task = self.next_task.wrapping_add(1);
        self.tasks.insert(id, Task { door: door.into(), run });
        Job { id: JobId::Run(id), door: door.into(), command, manner }
    }
}

fn target(run: &Run) -> Target {
    (run.door.clone(), run.address, run.stop.argv.clone())
}
