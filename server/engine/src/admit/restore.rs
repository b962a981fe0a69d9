//! From the journal to the state before the stop.

use alloc::collections::{BTreeMap, BTreeSet};
use alloc::vec::Vec;

use knock_spa_keys::client::ClientKey;
use knock_spa_keys::server::ServerKey;
use knock_spa_proto::address::Address;
use knock_spa_proto::time::{BootTime, Now, UnixTime};

use super::opening::{Deadline, Held, HoldKey, Means, Opening, OpeningId, Term};
use super::record::{BootId, Change, Record};
use super::runs::{Run, RunId, Runs, Stage};
use super::server_keys::KeyUses;
use super::{Admit, Awaited, Closing};
use crate::admit::explaining::Explanations;
use crate::admit::holds::Holds;
use crate::admit::openings::Openings;
use crate::admit::refusals::Refusals;
use crate::rules::{Lease, Rules};

/// What the records say, folded one by one.
#[derive(Debug)]
pub struct History {
    marks: BTreeMap<ClientKey, UnixTime>,
    keys: BTreeSet<[u8; 32]>,
    openings: BTreeMap<OpeningId, (Option<BootId>, Opening)>,
    /// Those of them that were being closed.
    closing: BTreeSet<OpeningId>,
    holds: BTreeMap<HoldKey, (Option<BootId>, Held)>,
    runs: BTreeMap<RunId, PastRun>,
    boot: Option<BootId>,
    floor: UnixTime,
    next_opening: u64,
}

/// A run that the journal does not know to be closed.
#[derive(Debug)]
struct PastRun {
    opened_in: Option<BootId>,
    run: Run,
    /// Absent where nobody knows how far its start came.
    until: Option<Deadline>,
    is_sure: bool,
}

/// Long past.
const OVERDUE: Deadline = Deadline { boot: BootTime::ZERO, unix: UnixTime::EPOCH };

impl Default for History {
    /// The history of a server that has never run.
    fn default() -> Self {
        Self {
            marks: BTreeMap::new(),
            keys: BTreeSet::new(),
            openings: BTreeMap::new(),
            closing: BTreeSet::new(),
            holds: BTreeMap::new(),
            runs: BTreeMap::new(),
            boot: None,
            floor: UnixTime::EPOCH,
            next_opening: 0,
        }
    }
}

impl History {
    /// Folds in the next record.
    pub fn push(&mut self, record: Record) {
        match record {
            Record::Started(boot) => self.boot = Some(boot),
            Record::Key(server) => {
                self.keys.insert(*server.as_bytes());
            }
            Record::Change(change) => self.push_change(change),
            // It is not known whether the stop command ran: the opening stays, but its time is over.
            Record::Closing(id) => {
                if let Some((_, opening)) = self.openings.get_mut(&id) {
                    opening.term.until = Some(OVERDUE);
                    self.closing.insert(id);
                }
            }
            Record::Held(key, held) => drop(self.holds.insert(key, (self.boot, held))),
            Record::LetGo(key) => self.let_go(key),
            Record::Floor(stamp) => self.floor = self.floor.max(stamp),
            Record::RunBegun(run) => {
                self.runs.insert(run.id, PastRun { opened_in: self.boot, run, until: None, is_sure: false });
            }
            Record::RunOpen(id, until, is_sure) => self.set_until(id, until, is_sure),
            Record::RunClosing(id) => self.set_until(id, OVERDUE, false),
            Record::RunClosed(id) => {
                self.runs.remove(&id);
            }
        }
    }

    fn set_until(&mut self, id: RunId, until: Deadline, is_sure: bool) {
        if let Some(past) = self.runs.get_mut(&id) {
            (past.until, past.is_sure) = (Some(until), is_sure);
        }
    }

    /// What is being closed has no part in this any more; what was asked for since has.
    fn let_go(&mut self, key: HoldKey) {
        self.holds.remove(&key);
        for id in &self.closing {
            if let Some((_, opening)) = self.openings.get_mut(id)
                && let (door, address) = (opening.door, opening.address)
                && (door, address) == (key.door, key.address)
                && let Means::Commands { commands, .. } = &mut opening.means
            {
                commands.retain(|command| command.port != key.port);
            }
        }
    }

    /// How far a pair of commands has come. What commands had opened in another boot may have gone with it.
    fn held(&self, key: HoldKey, boot: BootId) -> Held {
        let Some((noted_in, held)) = self.holds.get(&key) else { return Held::UNKNOWN };
        Held { is_open: held.is_open && *noted_in == Some(boot), ..*held }
    }

    fn push_change(&mut self, change: Change) {
        if let Some((client, stamp)) = change.mark {
            let mark = self.marks.entry(client).or_insert(stamp);
            *mark = stamp.max(*mark);
        }
        for opening in change.opened {
            self.next_opening = self.next_opening.max(opening.id.0.saturating_add(1));
            self.openings.insert(opening.id, (self.boot, opening));
        }
        for id in change.closed {
            self.openings.remove(&id);
            self.closing.remove(&id);
        }
    }

    /// The marks, and nothing of what is open.
    #[must_use]
    pub fn marks_alone(self) -> Self {
        Self { marks: self.marks, floor: self.floor, ..Self::default() }
    }

    /// Takes note that records are missing, so that nobody knows which packets were accepted.
    pub fn forget_keys(&mut self) {
        self.keys.clear();
    }

    /// When the newest packet of each client was made that opened or closed something.
    pub fn last_uses(&self) -> impl Iterator<Item = (&ClientKey, UnixTime)> {
        self.marks.iter().map(|(client, stamp)| (client, *stamp))
    }

    /// Whether the journal has kept the marks of packets to this key.
    #[must_use]
    pub fn knows(&self, server: &ServerKey) -> bool {
        self.keys.contains(server.as_bytes())
    }
}

/// A keeper's state from its journal. The shell writes a new journal from [`Admit::snapshot`] before it does anything else.
#[derive(Debug)]
pub struct Restored {
    /// The state.
    pub admit: Admit,
    /// Whether a live key's marks are not in the journal, so that every packet is refused for as long as one that
    /// was accepted before could still be replayed.
    pub state_lost: bool,
}

impl Restored {
    /// The state after `history`, in the boot `boot`, now: openings whose time is over end at once.
    #[must_use]
    pub fn new(mut history: History, rules: Rules, own: BTreeSet<Address>, boot: BootId, now: Now) -> Self {
        let state_lost = rules.servers().iter().any(|server| !history.knows(server));
        let lost_now = if state_lost { now.unix.saturating_add(rules.window()) } else { UnixTime::EPOCH };
        // A clock that was far ahead when marks were lost must not keep everybody out until then.
        let farthest = now.unix.saturating_add(rules.window().saturating_mul(2));
        // On a disk that takes nothing no keeper can note what it did. Whatever acted from memory was made before it did
        // (`Admit::early`), so before now.
        let started = now.unix;
        let mut admit = Admit {
            rules: rules.clone(),
            own,
            marks: core::mem::take(&mut history.marks),
            floor: history.floor.min(farthest).max(lost_now).max(started),
            buckets: BTreeMap::new(),
            openings: Openings::default(),
            early: BTreeSet::new(),
            holds: Holds::default(),
            runs: Runs::default(),
            spent: BTreeSet::new(),
            closing: BTreeMap::new(),
            refusals: Refusals::default(),
            explanations: Explanations::default(),
            accepted: 0,
            key_uses: KeyUses::default(),
            journal_failed: false,
            awaited: BTreeMap::new(),
            next_ticket: 0,
            next_opening: history.next_opening,
            effects: alloc::collections::VecDeque::new(),
        };
        for (opened_in, opening) in history.openings.values() {
            let mut opening = opening.clone();
            if *opened_in != Some(boot) {
                opening.term = carried_over(opening.term, now);
            }
            admit.adopt(opening, |key| history.held(key, boot));
        }
        for past in core::mem::take(&mut history.runs).into_values() {
            let until = past.until_now(boot, now);
            admit.runs.adopt(past.run, until, past.is_sure);
        }
        admit.handle_rules(rules, now);
        admit.handle_timeout(now);
        Self { admit, state_lost }
    }
}

impl PastRun {
    /// When it is due in this boot. Where its start was not heard to end, that is taken to have been at once. What
    /// another boot opened went with it, and its stop runs before anybody knocks: later it could close what is new.
    fn until_now(&self, boot: BootId, now: Now) -> Deadline {
        if self.opened_in != Some(boot) {
            return OVERDUE;
        }
        self.until.unwrap_or_else(|| {
            let (lease, begun) = (self.run.stop_after, self.run.since);
            let left = begun.saturating_add(lease).saturating_since(now.unix);
            Deadline::after(left.min(lease), now)
        })
    }
}

/// A term of another boot in this one: its end by the wall clock, and never more than the lease's own length away.
fn carried_over(term: Term, now: Now) -> Term {
    let carry = |until: Deadline| {
        let left = until.unix.saturating_since(now.unix);
        let longest = match term.lease {
            Lease::For(span) => span,
            Lease::Forever => left,
        };
        Deadline::after(left.min(longest), now)
    };
    Term { until: term.until.map(carry), ..term }
}

impl Admit {
    /// Puts an opening of the journal in force; what it moved is taken to be where the journal says.
    fn adopt(&mut self, opening: Opening, held: impl Fn(HoldKey) -> Held) {
        if let Means::Commands { commands, timeout } = &opening.means {
            for command in commands {
                let held = held(HoldKey::of(&opening, command.port));
                self.holds.adopt(&opening, command, *timeout, held);
            }
        }
        let (id, term) = (opening.id, opening.term);
        self.openings.insert(opening);
        self.openings.put_in_force(id, term);
    }

    /// The shortest journal with this meaning, for the boot `boot`: what a new file begins with.
    #[must_use]
    pub fn snapshot(&self, boot: BootId) -> Vec<Record> {
        let mut records = Vec::from([Record::Started(boot)]);
        records.extend((self.floor > UnixTime::EPOCH).then_some(Record::Floor(self.floor)));
        records.extend(self.rules.servers().iter().copied().map(Record::Key));
        let change = |mark, opened| Record::Change(Change { mark, opened, closed: Vec::new() });
        let marks = self.marks.iter().map(|(client, stamp)| Some((*client, *stamp)));
        records.extend(marks.map(|mark| change(mark, Vec::new())));
        let closing = self.closing.values().map(Closing::left).chain(self.awaiting_close().cloned());
        let closing: Vec<Opening> = closing.collect();
        let openings = self.openings.iter().chain(&closing);
        records.extend(openings.map(|opening| change(None, [opening.clone()].into())));
        records.extend(closing.iter().map(|opening| Record::Closing(opening.id)));
        records.extend(self.holds.records());
        for (run, stage) in self.runs.iter() {
            records.push(Record::RunBegun(run.clone()));
            records.extend(match stage {
                Stage::Starting => None,
                Stage::Open(until) => Some(Record::RunOpen(run.id, until, true)),
                Stage::Unsure(until) => Some(Record::RunOpen(run.id, until, false)),
                Stage::Closing => Some(Record::RunClosing(run.id)),
            });
        }
        records
    }

    fn awaiting_close(&self) -> impl Iterator<Item = &Opening> + Clone {
        self.awaited.values().filter_map(|awaited| match awaited {
            Awaited::Closing(opening, _) => Some(opening),
            Awaited::Opening(_)
            | Awaited::Run(_)
            | Awaited::StrikeOut(..)
            | Awaited::Enrolment(_)
            | Awaited::Nothing => None,
        })
    }
}
