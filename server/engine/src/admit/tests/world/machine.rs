//! The machine under the keeper: a disk, the kernel's sets, and commands that run.

use alloc::format;

use super::*;
use crate::admit::effect::Job;

/// The journal's file.
#[expect(clippy::struct_excessive_bools, reason = "what can be wrong with a disk goes together in every way")]
#[derive(Debug, Default)]
pub(crate) struct Disk {
    pub(crate) durable: Vec<Record>,
    /// With the system, and lost with the power.
    pub(crate) unsynced: Vec<Record>,
    /// With the keeper, and lost with it.
    pub(crate) appended: Vec<Record>,
    pub(crate) broken: bool,
    /// As long as it is broken it takes no other name for the file either.
    pub(crate) sealed: bool,
    /// After a failure the file is begun anew; until then it says that records are missing.
    pub(crate) is_lost: bool,
    /// Whether the file's name says so too.
    pub(crate) is_marked: bool,
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
    /// How those end; with a status where absent.
    pub(crate) failing_by: Option<Ended>,
    /// Of what nobody can know whether it was opened or closed: a start may be repeated, or a stop have nothing to undo.
    pub(crate) unsure: BTreeSet<String>,
    /// Commands end only when a story says so.
    pub(crate) slow: bool,
}

impl Disk {
    /// Makes everything durable; after a failure by a new file of the present state.
    pub(crate) fn sync(&mut self, state: impl FnOnce() -> Vec<Record>) -> Result<(), Unwritten> {
        let records = self.take_appended();
        if self.broken {
            self.lose();
            return Err(Unwritten);
        }
        if self.is_lost {
            (self.is_lost, self.is_marked) = (false, false);
            self.durable = state();
        } else {
            self.durable.append(&mut self.unsynced);
            self.durable.extend(records);
        }
        self.unsynced.clear();
        Ok(())
    }

    /// Hands everything to the system, which keeps it through the keeper's end. Nobody begins a new file for that.
    pub(crate) fn flush(&mut self) {
        let records = self.take_appended();
        if self.broken && !records.is_empty() {
            self.lose();
        }
        if !self.is_lost {
            self.unsynced.extend(records);
        }
    }

    /// Nothing is written to the file any more, and its name says so, where it can.
    pub(crate) const fn lose(&mut self) {
        self.is_lost = true;
        self.is_marked |= !self.sealed;
    }

    /// The machine goes on without the keeper.
    pub(crate) fn outlive_keeper(&mut self) {
        self.appended.clear();
        self.durable.append(&mut self.unsynced);
    }

    /// The power goes: of what was not synced, so many records are there.
    pub(crate) fn lose_power(&mut self, kept: usize) {
        self.appended.clear();
        self.durable.extend(self.unsynced.drain(..).take(kept));
    }

    /// What was only appended reaches the disk as well, though nobody was told so.
    pub(crate) fn keep_appended(&mut self) {
        self.flush();
        self.durable.append(&mut self.unsynced);
    }

    fn take_appended(&mut self) -> Vec<Record> {
        let records = core::mem::take(&mut self.appended);
        if !self.broken {
            for record in &records {
                if let Record::Change(Change { mark: Some(mark), .. }) = record {
                    *self.used.entry(*mark).or_default() += 1;
                }
            }
        }
        records
    }

    /// The openings that are on the disk; of those that are being closed, what is not let go.
    pub(crate) fn openings(&self) -> BTreeMap<OpeningId, Opening> {
        let (mut openings, mut closing) = (BTreeMap::new(), BTreeSet::new());
        for record in &self.durable {
            match record {
                Record::Change(change) => {
                    openings.extend(change.opened.iter().map(|opening| (opening.id, opening.clone())));
                    change.closed.iter().for_each(|id| drop(openings.remove(id)));
                }
                Record::Closing(id) => drop(closing.insert(*id)),
                Record::LetGo(key) => {
                    let here = |opening: &&mut Opening| {
                        closing.contains(&opening.id) && HoldKey::of(opening, key.port) == *key
                    };
                    for opening in openings.values_mut().filter(here) {
                        if let Means::Commands { commands, .. } = &mut opening.means {
                            commands.retain(|command| command.port != key.port);
                        }
                    }
                }
                Record::Started(_)
                | Record::Key(_)
                | Record::Floor(_)
                | Record::RunBegun(_)
                | Record::RunOpen(..)
                | Record::RunClosing(_)
                | Record::RunClosed(_)
                | Record::Held(..) => {}
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
            "start" => {
                let count = self.open.entry(what.clone()).or_default();
                let is_known = matches!(job.id, JobId::Hold(_)) && !self.unsure.contains(&what);
                assert!(!is_known || *count == 0, "{what} is started twice: {:?}", self.ran);
                *count += 1;
            }
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
            self.unsure.insert(what.clone());
            let ended = self.failing_by.unwrap_or(Ended::Status(1));
            // What was killed may have done its work before, or not.
            let is_done = match ended {
                Ended::TimedOut => true,
                Ended::Killed => verb == "start",
                Ended::Status(_) | Ended::NotStarted => false,
            };
            if is_done == (verb == "stop") {
                self.forget(&what);
            }
            return ended;
        }
        if verb == "stop" {
            let is_known = matches!(job.id, JobId::Hold(_)) && !self.unsure.contains(&what);
            assert!(!is_known || self.open.contains_key(&what), "{what} is stopped twice: {:?}", self.ran);
            self.forget(&what);
        }
        Ended::Status(0)
    }

    /// The keeper ends, and knows by these records what it had opened.
    pub(crate) fn outlive_keeper(&mut self, openings: impl Iterator<Item = Opening>) {
        let busy: Vec<_> = self.busy_with().collect();
        let of_commands = openings.flat_map(|opening| match opening.means {
            Means::Commands { commands, .. } => commands,
            Means::Guard | Means::Set(_) => Vec::new(),
        });
        let recorded = of_commands.map(|command| command.start.argv[1..].join(" "));
        let recorded: Vec<_> = recorded.filter(|what| !self.open.contains_key(what)).collect();
        self.unsure.extend(busy.into_iter().chain(recorded));
        self.running.clear();
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
