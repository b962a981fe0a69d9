//! How openings end: by their client, by the administrator, by time; and what their end moves.

use alloc::collections::BTreeSet;
use alloc::vec::Vec;

use knock_spa_keys::client::ClientKey;
use knock_spa_proto::address::Address;
use knock_spa_proto::port::ServicePort;
use knock_spa_proto::refusal::Refusal;
use knock_spa_proto::service::ServiceName;
use knock_spa_proto::spa::request::Close;
use knock_spa_proto::time::{Now, UnixTime};

use super::effect::{Cause, Effect, Event, Flows};
use super::local::Which;
use super::moving::Moved;
use super::opening::{HoldKey, Means, Opening, OpeningId, Origin};
use super::record::{Change, Record};
use super::runs::Stage;
use super::{Admit, Awaited, Claim, Closing};
use crate::client::Client;

impl Admit {
    /// Ends openings of the client itself.
    pub(super) fn close_own(
        &mut self,
        client: &Client,
        close: &Close,
        claim: &Claim,
        now: Now,
    ) -> Result<(), Refusal> {
        let asked = self.circumstances(claim.from).resolve(close.services());
        let doors = asked.map_err(|_| Refusal::Unauthorised)?;
        let ports: BTreeSet<(ServiceName, ServicePort)> =
            doors.iter().flat_map(|(door, ports)| ports.iter().map(|port| (door.name, *port))).collect();
        let to = close.to();
        let named =
            [to.v4().map(Address::from), to.v6().map(Address::from), to.sender().then_some(claim.from)];
        let anywhere = named.iter().all(Option::is_none);
        let ids = self.openings.matching(|opening| {
            let own = matches!(&opening.origin, Origin::Client(key, _) if *key == client.key);
            let here = anywhere || named.contains(&Some(opening.address));
            let all = doors.iter().any(|(door, _)| door.name == opening.door && door.ports.is_empty());
            let meant = close.services().is_empty()
                || all
                || opening.ports.iter().any(|port| ports.contains(&(opening.door, *port)));
            own && here && meant
        });
        self.accepted = self.accepted.saturating_add(1);
        self.end(Some((client.key, claim.statement.stamp())), ids, Cause::ByClient, Flows::LiveOn, now);
        Ok(())
    }

    /// Ends what the administrator names, with or without the flows; says how many openings that were.
    pub fn handle_close(&mut self, which: &Which, flows: Flows, now: Now) -> usize {
        let ids = self.openings.matching(|opening| which.is(opening));
        let mut count = ids.len();
        if which.is_everything() {
            let open = self.runs.iter().filter(|(_, stage)| *stage != Stage::Closing);
            count = count.saturating_add(open.count());
            self.stop_runs();
        }
        self.end(None, ids, Cause::ByAdministrator, flows, now);
        count
    }

    /// Ends these openings, in one durable record with the mark of the packet that asked for it.
    pub(super) fn end(
        &mut self,
        mark: Option<(ClientKey, UnixTime)>,
        ids: Vec<OpeningId>,
        cause: Cause,
        flows: Flows,
        now: Now,
    ) {
        let closed: Vec<_> = ids.iter().filter(|id| self.is_timed(**id)).copied().collect();
        if mark.is_some() || !closed.is_empty() {
            self.record(Record::Change(Change { mark, opened: Vec::new(), closed }), Awaited::Nothing);
        }
        let mut moved = Moved::default();
        ids.into_iter().for_each(|id| self.end_one(id, cause, flows, &mut moved));
        self.move_on(moved, now.boot);
    }

    fn is_timed(&self, id: OpeningId) -> bool {
        self.openings.get(id).is_some_and(|opening| opening.means.is_timed())
    }

    /// Ends an opening, with its flows where `flows` or its door says so; what is to be set anew because of that once all
    /// has ended that ends is added to `moved`.
    pub(super) fn end_one(&mut self, id: OpeningId, cause: Cause, flows: Flows, moved: &mut Moved) {
        let Some(opening) = self.openings.remove(id) else { return };
        let flows = flows.max(self.flows_of(&opening));
        self.effects.push_back(Effect::Say(Event::Closed {
            door: opening.door,
            address: opening.address,
            by: opening.origin.clone(),
            cause,
        }));
        let closed = Record::Change(Change { closed: [id].into(), ..Change::default() });
        match (&opening.means, cause) {
            // The kernel has closed it already, unless the machine slept: its timeouts do not run meanwhile.
            (Means::Guard | Means::Set(_), Cause::Expired) => self.effects.push_back(Effect::Note(closed)),
            // The record may have reached the disk all the same; nothing was opened.
            (_, Cause::Unrecorded) => return self.effects.push_back(Effect::Note(closed)),
            (Means::Guard | Means::Set(_), _) => {}
            (Means::Commands { .. }, _) => {
                return self.record(Record::Closing(id), Awaited::Closing(opening, flows));
            }
        }
        moved.add(&opening);
        moved.add_flows(&opening, flows);
    }

    /// The closing is on record: the commands that nobody else needs are stopped.
    pub(super) fn release(&mut self, opening: Opening, flows: Flows) {
        let Means::Commands { commands, .. } = &opening.means else { return };
        let released: Vec<_> =
            commands.iter().map(|command| self.holds.release(&opening, command.port)).collect();
        let waits_for = released.iter().filter_map(|(waits_for, _)| *waits_for).collect();
        let id = opening.id;
        self.closing.insert(id, Closing { opening, flows, waits_for });
        for step in released.into_iter().flat_map(|(_, steps)| steps) {
            self.push_step(step);
        }
        self.settle(id);
    }

    /// A hold is stopped, or somebody else's now: openings that waited for nothing else are closed.
    pub(super) fn handle_stopped(&mut self, key: HoldKey, outlived_by: Vec<OpeningId>) {
        for id in outlived_by {
            if let Some(closing) = self.closing.get_mut(&id) {
                closing.waits_for.remove(&key);
            }
            self.settle(id);
        }
    }

    /// Records an opening as closed that waits for nothing any more.
    fn settle(&mut self, id: OpeningId) {
        if self.closing.get(&id).is_some_and(|closing| closing.waits_for.is_empty()) {
            // Before its stop command has run, a firewall would take the next packet for the first of a flow.
            if let Some(Closing { opening, flows: Flows::Cut, .. }) = self.closing.remove(&id) {
                self.cut(opening.elements());
            }
            // Durable, so that the stop does not run again after a loss of power either.
            let closed = Change { closed: [id].into(), ..Change::default() };
            self.record(Record::Change(closed), Awaited::Nothing);
        }
    }
}

impl Closing {
    /// The opening with those of its commands that are not stopped yet.
    pub(super) fn left(&self) -> Opening {
        let mut left = self.opening.clone();
        if let Means::Commands { commands, .. } = &mut left.means {
            commands.retain(|command| self.waits_for.contains(&HoldKey::of(&self.opening, command.port)));
        }
        left
    }
}
