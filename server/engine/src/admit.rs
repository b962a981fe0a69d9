//! The keeper's decisions: what a proven request opens, and when it closes.
//!
//! Stages 6 to 12 of `docs/protocol.md` section 4. Everything the listener says is checked again from the signature
//! up. Each decision becomes one record; what it moves is handed out only once the record is durable.

mod asker;
mod bucket;
mod changing;
pub mod closes;
mod decide;
pub mod effect;
mod ending;
mod enrolling;
pub mod explaining;
mod holds;
mod knocks;
pub mod local;
mod moving;
pub mod opening;
mod openings;
pub mod record;
mod refusals;
mod restore;
pub mod runs;
mod server_keys;
mod status;
mod tries;

use alloc::collections::{BTreeMap, BTreeSet, VecDeque};
use alloc::string::String;
use alloc::vec::Vec;
use core::time::Duration;

use knock_spa_keys::client::ClientKey;
use knock_spa_keys::server::ServerKey;
use knock_spa_proto::address::Address;
use knock_spa_proto::refusal::{Refusal, Tally};
use knock_spa_proto::spa::Statement;
use knock_spa_proto::spa::request::{Open, Request};
use knock_spa_proto::time::{BootTime, Now, UnixTime};

use self::asker::Asker;
use self::bucket::Bucket;
use self::decide::{Circumstances, lease};
use self::effect::{Cause, Effect, Ended, Event, Flows, JobId, Outcome, Ticket, Unwritten};
use self::enrolling::Enrolling;
use self::explaining::Explanations;
use self::holds::{Holds, Step};
use self::moving::Moved;
use self::opening::{HoldKey, Means, Opening, OpeningId, Origin, Term};
use self::openings::{Need, Openings};
use self::record::{Change, Record};
use self::refusals::Refusals;
use self::runs::{RunId, Runs};
use self::server_keys::KeyUses;
use crate::client::Client;
use crate::rules::{Knockable, OnStop, Rules};

pub use self::openings::{MAX_CLASSIC, MAX_ELEMENTS, MAX_OF_CLIENT};
pub use self::refusals::Refused;
pub use self::restore::{History, Restored};
pub use self::runs::MAX_RUNS;
pub use self::server_keys::KeyUse;
pub use self::status::OpeningStatus;

/// Openings that wait at most for the time of their packets: what the clients of a site ask for in a minute or two.
const MAX_EARLY: usize = 1_024;

/// The keeper's state.
#[derive(Debug)]
pub struct Admit {
    rules: Rules,
    /// The addresses of this machine: a door never opens for one of them.
    own: BTreeSet<Address>,
    marks: BTreeMap<ClientKey, UnixTime>,
    /// No packet made before this is accepted: what was accepted then is not known.
    floor: UnixTime,
    buckets: BTreeMap<ClientKey, Bucket>,
    openings: Openings,
    /// Openings that are not on record, whose packets are ahead of the clock, with when they move: no packet acts from
    /// memory before its own time, so that the next start need refuse no more than what was made before it.
    early: BTreeSet<(BootTime, Begun)>,
    holds: Holds,
    runs: Runs,
    /// Doors whose sequence is used up, until the rules have another.
    spent: BTreeSet<Knockable>,
    closing: BTreeMap<OpeningId, Closing>,
    refusals: Refusals,
    explanations: Explanations,
    accepted: u64,
    key_uses: KeyUses,
    journal_failed: bool,
    /// What follows once a record is durable.
    awaited: BTreeMap<Ticket, Awaited>,
    next_ticket: u64,
    next_opening: u64,
    effects: VecDeque<Effect>,
}

/// What waits for a record.
#[derive(Debug)]
enum Awaited {
    /// These openings move.
    Opening(Vec<Begun>),
    /// The hold of this opening on its commands is let go.
    Closing(Opening, Flows),
    /// This run goes on.
    Run(RunId),
    /// This door opens for this address.
    StrikeOut(Knockable, Address),
    /// This client is enrolled: by its files, once its mark is on record.
    Enrolment(Enrolling),
    /// Nothing: the record itself was what mattered.
    Nothing,
}

/// What was asked for of one opening.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Begun {
    id: OpeningId,
    term: Term,
    /// Whether it was there before.
    extended: bool,
    /// When the packet was made that asked for it, if one did.
    made: Option<UnixTime>,
}

impl Begun {
    /// Whether its packet is ahead of the clock.
    fn is_ahead(self, now: Now) -> bool {
        self.made.is_some_and(|made| made > now.unix)
    }

    /// When it no longer is, unless the clock steps.
    fn due(self, now: Now) -> BootTime {
        let ahead = self.made.map(|made| made.saturating_since(now.unix)).unwrap_or_default();
        now.boot.saturating_add(ahead)
    }
}

/// An opening that is over, whose stop commands have not all succeeded yet.
#[derive(Debug)]
struct Closing {
    opening: Opening,
    flows: Flows,
    waits_for: BTreeSet<HoldKey>,
}

/// A statement as the listener hands it up: nothing of it is believed.
#[derive(Clone, Debug)]
pub struct Claim {
    /// The server key that it is said to be sealed to.
    pub server: ServerKey,
    /// What the packet says.
    pub statement: Statement,
    /// The source address that the packet is said to have had.
    pub from: Address,
}

impl Admit {
    /// Stages 6 to 12 for one statement.
    pub fn handle_claim(&mut self, claim: &Claim, now: Now) {
        if let Err((refusal, client)) = self.try_claim(claim, now) {
            self.refuse(refusal, claim.from, client, now);
        }
    }

    fn try_claim(&mut self, claim: &Claim, now: Now) -> Result<(), (Refusal, Option<String>)> {
        let nobody = |refusal| (refusal, None);
        let stamp = claim.statement.stamp();
        if stamp.abs_diff(now.unix) > self.rules.window() {
            return Err(nobody(Refusal::Stale));
        }
        let asker = Asker::of(&self.rules, claim.statement.client(), now.unix);
        let asker = asker.ok_or_else(|| nobody(Refusal::UnknownClient))?;
        if stamp <= self.mark(asker.key(), now) {
            return Err(nobody(Refusal::Replayed));
        }
        if !self.rules.is_server(&claim.server) {
            return Err(nobody(Refusal::Forged));
        }
        let proven = claim.statement.clone().verify(asker.key(), &claim.server);
        let proven = proven.map_err(|_| nobody(Refusal::Forged))?;
        // From here on the packet is the asker's own.
        let refused = |refusal| (refusal, Some(asker.to_text()));
        self.marks.insert(*asker.key(), stamp);
        let request = proven.request().map_err(|_| refused(Refusal::Malformed))?;
        if !self.buckets.entry(*asker.key()).or_insert_with(Bucket::full).take(asker.rate(), now.boot) {
            return Err(refused(Refusal::TooOften));
        }
        let done = match (&asker, request) {
            (Asker::Client(client), Request::Open(open)) => self.open(client, &open, claim, now),
            (Asker::Client(client), Request::Close(close)) => self.close_own(client, &close, claim, now),
            (Asker::Invitation(invitation), Request::Enrol(enrol)) => self.enrol(invitation, &enrol, claim),
            (Asker::Client(_), Request::Enrol(_)) => Err(Refusal::Unauthorised),
            (Asker::Invitation(_), Request::Open(_) | Request::Close(_)) => Err(Refusal::Unauthorised),
        };
        done.map_err(refused)?;
        self.key_uses.count(claim.server, *asker.key(), now.unix);
        Ok(())
    }

    /// Takes note of what the listener says that it has dropped by itself, all told.
    pub fn handle_dropped(&mut self, dropped: &Tally, now: Now) {
        let events = self.refusals.note_dropped(dropped, now.boot);
        self.effects.extend(events.into_iter().map(Effect::Say));
    }

    /// No packet of this client that was made before this is accepted. A floor that is far ahead is of a clock that has
    /// been set back since: it would keep everybody out, and tells nothing any more.
    fn mark(&self, client: &ClientKey, now: Now) -> UnixTime {
        let farthest = now.unix.saturating_add(self.rules.window().saturating_mul(2));
        let floor = if self.floor > farthest { UnixTime::EPOCH } else { self.floor };
        self.marks.get(client).copied().unwrap_or(UnixTime::EPOCH).max(floor)
    }

    fn circumstances(&self, observed: Address) -> Circumstances<'_> {
        Circumstances { rules: &self.rules, own: &self.own, observed }
    }

    /// Grants and records an open request.
    fn open(&mut self, client: &Client, open: &Open, claim: &Claim, now: Now) -> Result<(), Refusal> {
        let decision = self.circumstances(claim.from).decide(client, open);
        let grant = decision.map_err(|_| Refusal::Unauthorised)?;
        let origin = Origin::Client(client.key, client.name.clone());
        let wish = open.ttl().map(|secs| Duration::from_secs(secs.get().into()));
        let mut wanted = Vec::new();
        for (door, ports) in &grant.doors {
            let lease = lease(door, client, wish, now.unix);
            for address in &grant.addresses {
                let opening = Opening::asked(door, ports, *address, &origin, lease, now);
                wanted.push(opening.ok_or(Refusal::Unauthorised)?);
            }
        }
        self.begin(Some((client.key, claim.statement.stamp())), wanted)
    }

    /// Records the openings that are wanted; those that are in force already go on.
    fn begin(&mut self, mark: Option<(ClientKey, UnixTime)>, wanted: Vec<Opening>) -> Result<(), Refusal> {
        if !self.openings.have_room_for(&wanted, self.closing.len(), &self.rules) {
            return Err(Refusal::NoRoom);
        }
        let (mut opened, mut begun) = (Vec::new(), Vec::new());
        for mut opening in wanted {
            let extended = self.name(&mut opening);
            let made = mark.map(|(_, stamp)| stamp);
            begun.push(Begun { id: opening.id, term: opening.term, extended, made });
            self.openings.insert(opening.clone());
            opened.push(opening);
        }
        self.accepted = self.accepted.saturating_add(u64::from(mark.is_some()));
        self.record(Record::Change(Change { mark, opened, closed: Vec::new() }), Awaited::Opening(begun));
        Ok(())
    }

    /// Gives the opening its name: that of the opening that it extends, else a new one; says whether it extends.
    /// Never shortens.
    fn name(&mut self, opening: &mut Opening) -> bool {
        let Some(old) = self.openings.same_as(opening) else {
            opening.id = OpeningId(self.next_opening);
            self.next_opening = self.next_opening.saturating_add(1);
            return false;
        };
        opening.id = old.id;
        opening.since = old.since;
        // What it moves stays as it was rendered when it opened: new commands would not close what the old ones opened.
        opening.means.clone_from(&old.means);
        if Need::of(old.term) > Need::of(opening.term) {
            opening.term = old.term;
        }
        true
    }

    /// Decides by these rules from now on, which differ in nothing but sequences that were good once: what was opened by
    /// the last of them lives on.
    pub fn handle_sequences(&mut self, rules: Rules) {
        self.rules = rules;
        self.spent.clear();
    }

    /// Takes note of which addresses this machine has.
    pub fn handle_own(&mut self, own: BTreeSet<Address>) {
        self.own = own;
    }

    /// Ends what is not to outlive the keeper, before it stops.
    pub fn handle_stop(&mut self, now: Now) {
        let on_stop = |opening: &Opening| self.rules.door(opening.door).map(|door| door.on_stop);
        let ids = self.openings.matching(|opening| on_stop(opening) != Some(OnStop::Keep));
        self.end(None, ids, Cause::ByStop, Flows::LiveOn, now);
        self.stop_runs();
    }

    /// Ends what is over, and tries again what has failed.
    pub fn handle_timeout(&mut self, now: Now) {
        let mut moved = Moved::default();
        while let Some(id) = self.openings.expired(now.boot) {
            self.end_one(id, Cause::Expired, Flows::LiveOn, &mut moved);
        }
        self.move_on(moved, now.boot);
        while let Some((due, begun)) = self.early.first().copied().filter(|(due, _)| *due <= now.boot) {
            self.early.remove(&(due, begun));
            self.move_all([begun].into(), Err(Unwritten), now);
        }
        while let Some(steps) = self.holds.retry(now.boot) {
            steps.into_iter().for_each(|step| self.push_step(step));
        }
        self.time_runs(now.boot);
    }

    /// When [`Self::handle_timeout`] is to be called.
    #[must_use]
    pub fn poll_timeout(&self) -> Option<BootTime> {
        let early = self.early.first().map(|(due, _)| *due);
        let times = [self.openings.next_deadline(), self.holds.next_retry(), self.runs.next_due(), early];
        times.into_iter().flatten().min()
    }

    /// The next thing to do.
    pub fn poll_effect(&mut self) -> Option<Effect> {
        self.effects.pop_front()
    }

    /// Takes note of what came of an effect.
    pub fn handle_outcome(&mut self, outcome: Outcome, now: Now) {
        match outcome {
            Outcome::Recorded(ticket, result) => self.handle_recorded(ticket, result, now),
            Outcome::StruckOut(ticket, result) => self.handle_struck_out(ticket, result, now),
            Outcome::Enrolled(ticket, result) => self.handle_enrolled(ticket, result, now),
            Outcome::Ran(JobId::Hold(job), ended) => self.handle_ran(job, ended, now),
            Outcome::Ran(JobId::Run(job), ended) => self.handle_run_ended(job, ended, now),
        }
    }

    fn handle_ran(&mut self, job: u64, ended: Ended, now: Now) {
        for step in self.holds.handle_ended(job, ended, now.boot) {
            self.push_step(step);
        }
    }

    fn handle_recorded(&mut self, ticket: Ticket, result: Result<(), Unwritten>, now: Now) {
        if result.is_err() && !self.journal_failed {
            self.effects.push_back(Effect::Say(Event::JournalFailed));
        }
        self.journal_failed = result.is_err();
        match self.awaited.remove(&ticket) {
            Some(Awaited::Opening(begun)) => self.move_all(begun, result, now),
            Some(Awaited::Closing(opening, flows)) => self.release(opening, flows),
            // Without a journal too: the administrator must get in, and what closes again is kept in memory.
            Some(Awaited::Run(id)) => self.go_on_with_run(id),
            Some(Awaited::Enrolment(enrolling)) => self.go_on_with_enrolment(enrolling, result, now),
            Some(Awaited::StrikeOut(..) | Awaited::Nothing) | None => {}
        }
    }

    /// Moves all that was asked for at once. Where some of it does not move, that is one refusal, and no request that
    /// was accepted.
    fn move_all(&mut self, begun: Vec<Begun>, recorded: Result<(), Unwritten>, now: Now) {
        let (mut refused, mut opened, mut moved) = (None, Vec::new(), Moved::default());
        for begun in begun {
            match self.move_open(begun, recorded, &mut moved, now) {
                Some(Ok(event)) => opened.push(Effect::Say(event)),
                Some(Err(who)) => refused = Some(who),
                None => {}
            }
        }
        self.move_on(moved, now.boot);
        self.effects.extend(opened);
        if let Some((address, client)) = refused {
            self.accepted = self.accepted.saturating_sub(u64::from(client.is_some()));
            self.refuse(Refusal::Unrecorded, address, client, now);
        }
    }

    /// The opening is on record: now it moves. Where it is not, guard and sets go on from memory, because the kernel
    /// closes them and the administrator must get in to mend the disk; commands do not run, and what they opened before
    /// lasts no longer than it was to: the error tells for whom, and which client asked. Nothing where it has ended already.
    fn move_open(
        &mut self,
        begun: Begun,
        recorded: Result<(), Unwritten>,
        moved: &mut Moved,
        now: Now,
    ) -> Option<Result<Event, (Address, Option<String>)>> {
        let opening = self.openings.get(begun.id).cloned()?;
        match &opening.means {
            Means::Guard | Means::Set(_) if recorded.is_err() && begun.is_ahead(now) => {
                if self.early.len() < MAX_EARLY {
                    self.early.insert((begun.due(now), begun));
                    return None;
                }
                return Some(Err(self.take_back(&opening, begun, moved)));
            }
            Means::Guard | Means::Set(_) => {
                self.openings.put_in_force(begun.id, begun.term);
                moved.add(&opening);
            }
            Means::Commands { .. } if recorded.is_err() => {
                return Some(Err(self.take_back(&opening, begun, moved)));
            }
            Means::Commands { commands, timeout } => {
                self.openings.put_in_force(begun.id, begun.term);
                for command in commands {
                    let steps = self.holds.acquire(&opening, command, *timeout);
                    steps.into_iter().for_each(|step| self.push_step(step));
                }
            }
        }
        Some(Ok(Event::Opened {
            door: opening.door,
            by: opening.origin,
            lease: begun.term.lease,
            ports: opening.ports,
            address: opening.address,
            extended: begun.extended,
        }))
    }

    /// The opening does not move after all: for whom, and which client asked.
    fn take_back(&mut self, opening: &Opening, begun: Begun, moved: &mut Moved) -> (Address, Option<String>) {
        if !self.openings.revert(begun.id, begun.term) {
            self.end_one(begun.id, Cause::Unrecorded, Flows::LiveOn, moved);
        }
        (opening.address, opening.origin.client())
    }

    fn record(&mut self, record: Record, awaited: Awaited) {
        let ticket = self.await_for(awaited);
        self.effects.push_back(Effect::Record(ticket, record));
    }

    fn await_for(&mut self, awaited: Awaited) -> Ticket {
        let ticket = Ticket(self.next_ticket);
        self.next_ticket = self.next_ticket.wrapping_add(1);
        self.awaited.insert(ticket, awaited);
        ticket
    }

    fn push_step(&mut self, step: Step) {
        match step {
            Step::Run(job) => self.effects.push_back(Effect::Run(job)),
            Step::Say(event) => self.effects.push_back(Effect::Say(event)),
            Step::Note(record) => self.effects.push_back(Effect::Note(record)),
            Step::Stopped(key, outlived_by) => self.handle_stopped(key, outlived_by),
        }
    }

    fn refuse(&mut self, refusal: Refusal, from: Address, client: Option<String>, now: Now) {
        if let Some(event) = self.refusals.count(refusal, from, client, now) {
            self.effects.push_back(Effect::Say(event));
        }
    }
}

#[cfg(test)]
#[expect(clippy::arithmetic_side_effects, reason = "a sum that overflows fails its test, as it should")]
mod tests;
