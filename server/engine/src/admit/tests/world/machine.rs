//! The machine under the keeper: a disk, the kernel's sets, and commands that run.

use alloc::format;

use super::*;
use crate::admit::effect::Job;

/// The journal's file.
#[derive(Debug, Default)]
pub(crate) struct Disk {
    pub(crate) durable: Vec<Record>,
    /// Appended, and lost if the machine stops.
    pub(crate) unsynced: Vec<Record>,
    pub(crate) broken: bool,
    /// After a failure the file is begun anew; until then it says that records are missing.
    pub(crate) is_lost: bool,
    /// Times that each mark became durable, or was acted on without.
    pub(crate) used: BTreeMap<(ClientKey, UnixTime), usize>,
}

/// The guard's sets, which end by themselves.
#[derive(Debug, Default)]
pub(crate) struct Kernel {
    pub(crate) elements: BTreeMap<Element, Option<BootTime>>,
    /// For how long the machine has slept: the kernel's timeouts do not run meanwhile.
    pub(crate) slept: Duration,
}

/// Commands: `start` and `stop`, with door, address and perhaps port.
#[derive(Debug, Default)]
pub(crate) struct Shell {
    pub(crate) running: BTreeMap<JobId, Job>,
    /// Everything that was started, in order.
    pub(crate) ran: Vec<String>,
    /// How often each thing was opened, and not closed since.
    pub(crate) open: BTreeMap<String, usize>,
    /// Commands that begin so fail; all succeed where empty.
    pub(crate) failing: &'static str,
    /// Commands end only when a story says so.
    pub(crate) slow: bool,
}

impl Disk {
    /// Makes everything durable; after a failure by a new file of the present state.
    pub(crate) fn sync(&mut self, state: impl FnOnce() -> Vec<Record>) -> Result<(), Unwritten> {
        let records = self.take_unsynced();
        if self.broken {
            self.is_lost = true;
            return Err(Unwritten);
        }
        if self.is_lost {
            self.is_lost = false;
            self.durable = state();
        } else {
            self.durable.extend(records);
        }
        Ok(())
    }
}

impl Disk {
    pub(crate) fn keep_unsynced(&mut self) {
        let records = self.take_unsynced();
        self.durable.extend(records);
    }

    fn take_unsynced(&mut self) -> Vec<Record> {
        let records = core::mem::take(&mut self.unsynced);
        for record in &records {
            if let Record::Change(Change { mark: Some(mark), .. }) = record {
                *self.used.entry(*mark).or_default() += 1;
            }
        }
        records
    }

    /// The openings that are on the disk.
    pub(crate) fn openings(&self) -> BTreeMap<OpeningId, Opening> {
        let mut openings = BTreeMap::new();
        for record in &self.durable {
            if let Record::Change(change) = record {
                openings.extend(change.opened.iter().map(|opening| (opening.id, opening.clone())));
                change.closed.iter().for_each(|id| drop(openings.remove(id)));
            }
        }
        openings
    }
}

impl Kernel {
    pub(crate) fn set(&mut self, element: Element, left: Option<Duration>, now: BootTime) {
        let now = self.time(now);
        self.elements.insert(element, left.map(|left| now.saturating_add(left)));
    }

    pub(crate) fn remove(&mut self, element: Element) {
        self.elements.remove(&element);
    }

    pub(crate) fn time(&self, now: BootTime) -> BootTime {
        let slept = u64::try_from(self.slept.as_nanos()).unwrap();
        BootTime::from_nanos(now.as_nanos() - slept)
    }

    pub(crate) fn left(&self, element: Element, now: BootTime) -> Option<Duration> {
        match self.elements.get(&element)? {
            None => Some(Duration::MAX),
            Some(end) => Some(end.saturating_since(self.time(now))).filter(|left| *left > Duration::ZERO),
        }
    }

    pub(crate) fn passing(&self, now: BootTime) -> Vec<Element> {
        self.elements.keys().copied().filter(|element| self.left(*element, now).is_some()).collect()
    }
}

impl Shell {
    pub(crate) fn start(&mut self, job: Job) {
        let (verb, what) = Self::read(&job);
        let busy = self.running.values().any(|other| Self::read(other).1 == what);
        assert!(!busy || matches!(job.id, JobId::Run(_)), "{verb} {what} while another command for it runs");
        // Whatever a command does, it does at once or never, and it may be killed before it ends.
        match verb {
            "start" => *self.open.entry(what.clone()).or_default() += 1,
            "stop" => {}
            _ => panic!("unknown command {verb}"),
        }
        self.ran.push(format!("{verb} {what}"));
        self.running.insert(job.id, job);
    }

    pub(crate) fn end(&mut self, job: JobId) -> Ended {
        let job = self.running.remove(&job).unwrap();
        let (verb, what) = Self::read(&job);
        if !self.failing.is_empty() && format!("{verb} {what}").starts_with(self.failing) {
            if verb == "start" {
                self.forget(&what);
            }
            return Ended::Status(1);
        }
        if verb == "stop" {
            self.forget(&what);
        }
        Ended::Status(0)
    }

    /// What commands run for.
    pub(crate) fn busy_with(&self) -> impl Iterator<Item = String> {
        self.running.values().map(|job| Self::read(job).1)
    }

    /// One stop undoes one start, as with rules of a firewall.
    fn forget(&mut self, what: &str) {
        if let Some(count) = self.open.get_mut(what) {
            *count -= 1;
            if *count == 0 {
                self.open.remove(what);
            }
        }
    }

    fn read(job: &Job) -> (&str, String) {
        if let [shell, _, line] = &job.command.argv[..]
            && shell == "/bin/sh"
        {
            let (verb, what) = line.split_once(' ').unwrap();
            return (verb, what.into());
        }
        let [verb, what @ ..] = &job.command.argv[..] else { panic!("an empty command") };
        (verb, what.join(" "))
    }
}
