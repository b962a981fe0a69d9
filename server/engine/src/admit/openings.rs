//! The openings, by name, by what they open and by deadline.

use alloc::collections::{BTreeMap, BTreeSet};
use alloc::vec::Vec;
use core::time::Duration;

use knock_spa_proto::address::Address;
use knock_spa_proto::element::Element;
use knock_spa_proto::port::ServicePort;
use knock_spa_proto::service::ServiceName;
use knock_spa_proto::time::BootTime;

use super::opening::{Opening, OpeningId, Origin, Term};
use crate::rules::Rules;
use crate::set::SetName;

/// Pairs of an address and a port that are open at most, all together: the guard's sets hold as many of each family.
pub const MAX_ELEMENTS: usize = 65_536;

/// What classic knocks may have of them: whoever knows a sequence can knock with any source address, and must not
/// take the room of those who prove who they are.
pub const MAX_CLASSIC: usize = MAX_ELEMENTS / 2;

/// What one client may have of them: a client gone wild does not lock out the others.
pub const MAX_OF_CLIENT: usize = 1_024;

#[derive(Debug, Default)]
pub(super) struct Openings {
    by_id: BTreeMap<OpeningId, Opening>,
    /// What of them is on record: nothing may move because of the rest.
    in_force: BTreeMap<OpeningId, Term>,
    by_target: BTreeMap<(ServiceName, Address), BTreeSet<OpeningId>>,
    by_element: BTreeMap<Element, BTreeSet<OpeningId>>,
    /// What of them is in sets of the administrator's.
    by_place: BTreeMap<(SetName, Address), BTreeSet<OpeningId>>,
    /// How many each door has.
    by_door: BTreeMap<ServiceName, usize>,
    by_deadline: BTreeSet<(BootTime, OpeningId)>,
    /// How much of the room each asker has.
    by_origin: BTreeMap<Origin, usize>,
    taken: usize,
}

impl Openings {
    /// Whether these openings, all of one origin, fit beside what is there and `closing` others, and none of their doors
    /// gets more than these rules allow it. What is there already needs no room.
    pub(super) fn have_room_for(&self, wanted: &[Opening], closing: usize, rules: &Rules) -> bool {
        let new: Vec<_> = wanted.iter().filter(|opening| self.same_as(opening).is_none()).collect();
        let Some(first) = new.first() else { return true };
        if !new.iter().all(|opening| self.door_has_room(opening.door, &new, rules)) {
            return false;
        }
        let own = self.by_origin.get(&first.origin).copied().unwrap_or_default();
        let (own, limit) = match first.origin {
            Origin::Client(..) => (own, MAX_OF_CLIENT),
            Origin::Classic => (own.saturating_add(closing), MAX_CLASSIC),
            Origin::Local => (own, MAX_ELEMENTS),
        };
        let more = new.into_iter().map(size).fold(0, usize::saturating_add);
        let all = self.taken.saturating_add(closing);
        own.saturating_add(more) <= limit && all.saturating_add(more) <= MAX_ELEMENTS
    }

    fn door_has_room(&self, door: ServiceName, new: &[&Opening], rules: &Rules) -> bool {
        let limit = rules.door(door).and_then(|door| door.max_openings);
        let Some(limit) = limit.and_then(|limit| usize::try_from(limit.get()).ok()) else { return true };
        let has = self.by_door.get(&door).copied().unwrap_or_default();
        has.saturating_add(new.iter().filter(|opening| opening.door == door).count()) <= limit
    }

    pub(super) fn get(&self, id: OpeningId) -> Option<&Opening> {
        self.by_id.get(&id)
    }

    pub(super) fn iter(&self) -> impl Iterator<Item = &Opening> {
        self.by_id.values()
    }

    /// The names of the openings that fit.
    pub(super) fn matching(&self, fits: impl Fn(&Opening) -> bool) -> Vec<OpeningId> {
        self.iter().filter(|opening| fits(opening)).map(|opening| opening.id).collect()
    }

    /// The opening that asks for the same as `other`, if there is one.
    pub(super) fn same_as(&self, other: &Opening) -> Option<&Opening> {
        let ids = self.by_target.get(&(other.door, other.address))?;
        ids.iter().filter_map(|id| self.get(*id)).find(|opening| opening.is_same_as(other))
    }

    /// Until when a door is open for an address on the administrator's account, by what is in force.
    pub(super) fn of_local(&self, door: ServiceName, address: Address) -> Option<Need> {
        let ids = self.by_target.get(&(door, address))?;
        let of_local = |id: &&OpeningId| self.get(**id).is_some_and(|one| one.origin == Origin::Local);
        let terms = ids.iter().filter(of_local).filter_map(|id| self.in_force.get(id));
        terms.map(|term| Need::of(*term)).max()
    }

    /// Takes in an opening that is to be recorded, in place of one of the same name.
    pub(super) fn insert(&mut self, opening: Opening) {
        drop(self.take(opening.id));
        self.by_target.entry((opening.door, opening.address)).or_default().insert(opening.id);
        for element in opening.elements() {
            self.by_element.entry(element).or_default().insert(opening.id);
        }
        if let Some(set) = opening.set() {
            self.by_place.entry((set.clone(), opening.address)).or_default().insert(opening.id);
        }
        if let Some(until) = opening.term.until {
            self.by_deadline.insert((until.boot, opening.id));
        }
        let of_door = self.by_door.entry(opening.door).or_default();
        *of_door = of_door.saturating_add(1);
        let share = self.by_origin.entry(opening.origin.clone()).or_default();
        *share = share.saturating_add(size(&opening));
        self.taken = self.taken.saturating_add(size(&opening));
        self.by_id.insert(opening.id, opening);
    }

    /// Puts in force that an opening lasts for `term`, and no other.
    pub(super) fn put_in_force(&mut self, id: OpeningId, term: Term) {
        if self.by_id.contains_key(&id) {
            self.in_force.insert(id, term);
        }
    }

    /// Gives an opening that was to last for `term` the term again that is in force; false where none is.
    pub(super) fn revert(&mut self, id: OpeningId, term: Term) -> bool {
        let Some(before) = self.in_force.get(&id).copied() else { return false };
        // Where it was asked to last for yet another term, the record of that one decides.
        if let Some(opening) = self.get(id).filter(|opening| opening.term == term).cloned() {
            self.insert(Opening { term: before, ..opening });
        }
        true
    }

    /// Changes for how long an opening lasts, and for how long it is in force.
    pub(super) fn change_term(&mut self, id: OpeningId, change: impl Fn(Term) -> Term) {
        if let Some(opening) = self.get(id).cloned() {
            self.insert(Opening { term: change(opening.term), ..opening });
        }
        if let Some(term) = self.in_force.get_mut(&id) {
            *term = change(*term);
        }
    }

    pub(super) fn remove(&mut self, id: OpeningId) -> Option<Opening> {
        self.in_force.remove(&id);
        self.take(id)
    }

    fn take(&mut self, id: OpeningId) -> Option<Opening> {
        let opening = self.by_id.remove(&id)?;
        remove_from(&mut self.by_target, &(opening.door, opening.address), id);
        for element in opening.elements() {
            remove_from(&mut self.by_element, &element, id);
        }
        if let Some(set) = opening.set() {
            remove_from(&mut self.by_place, &(set.clone(), opening.address), id);
        }
        if let Some(until) = opening.term.until {
            self.by_deadline.remove(&(until.boot, id));
        }
        take_from(&mut self.by_door, &opening.door, 1);
        self.taken = self.taken.saturating_sub(size(&opening));
        take_from(&mut self.by_origin, &opening.origin, size(&opening));
        Some(opening)
    }

    /// The next deadline.
    pub(super) fn next_deadline(&self) -> Option<BootTime> {
        self.by_deadline.first().map(|(deadline, _)| *deadline)
    }

    /// The name of an opening whose time is over.
    pub(super) fn expired(&self, now: BootTime) -> Option<OpeningId> {
        self.by_deadline.first().filter(|(deadline, _)| *deadline <= now).map(|(_, id)| *id)
    }

    /// Until when an element is needed, by what is in force.
    pub(super) fn need(&self, element: Element) -> Need {
        let ids = self.by_element.get(&element).into_iter().flatten();
        let ends = ids.filter_map(|id| self.in_force.get(id)).map(|term| Need::of(*term));
        ends.max().unwrap_or(Need::None)
    }

    /// The addresses that sets of the administrator's have, or are to have.
    pub(super) fn places(&self) -> impl Iterator<Item = &(SetName, Address)> {
        self.by_place.keys()
    }

    /// Which ports of an address are needed in a set, by what is in force, and until when.
    pub(super) fn needed_in(&self, set: &SetName, address: Address) -> BTreeMap<ServicePort, Need> {
        let mut needed = BTreeMap::new();
        let ids = self.by_place.get(&(set.clone(), address)).into_iter().flatten();
        for (opening, term) in ids.filter_map(|id| Some((self.get(*id)?, self.in_force.get(id)?))) {
            for port in &opening.ports {
                let need = needed.entry(*port).or_insert(Need::None);
                *need = Need::of(*term).max(*need);
            }
        }
        needed
    }
}

fn take_from<K: Ord>(counts: &mut BTreeMap<K, usize>, key: &K, less: usize) {
    if let Some(count) = counts.get_mut(key) {
        *count = count.saturating_sub(less);
        if *count == 0 {
            counts.remove(key);
        }
    }
}

/// What an opening takes of the room: at least one, also where it opens no port.
fn size(opening: &Opening) -> usize {
    opening.ports.len().max(1)
}

fn remove_from<K: Ord>(index: &mut BTreeMap<K, BTreeSet<OpeningId>>, key: &K, id: OpeningId) {
    if let Some(ids) = index.get_mut(key) {
        ids.remove(&id);
        if ids.is_empty() {
            index.remove(key);
        }
    }
}

/// Until when something is needed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Need {
    None,
    Until(BootTime),
    Forever,
}

impl Need {
    pub(super) fn of(term: Term) -> Self {
        term.until.map_or(Self::Forever, |until| Self::Until(until.boot))
    }

    /// The span that is left; the inner `None` is for ever, the outer one not at all.
    pub(super) fn left(self, now: BootTime) -> Option<Option<Duration>> {
        match self {
            Self::Forever => Some(None),
            Self::Until(end) if end > now => Some(Some(end.saturating_since(now))),
            Self::Until(_) | Self::None => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use alloc::format;

    use knock_spa_proto::time::{Now, UnixTime};

    use super::*;
    use crate::admit::effect::Flows;
    use crate::rules::{Action, Door, Lease, OnStop};
    use crate::set::SetAction;

    #[test]
    fn nothing_stays_behind_of_what_is_removed() {
        let sets = SetAction { set4: "inet filter knock4".parse().ok(), set6: None };
        [Action::Guard, Action::Set(sets)].into_iter().for_each(nothing_stays_behind);
    }

    fn nothing_stays_behind(action: Action) {
        let door = Door {
            name: "ssh".parse().unwrap(),
            aliases: Vec::new(),
            ports: ["tcp/22", "tcp/23"].map(|port| port.parse().unwrap()).into(),
            open_for: Lease::Forever,
            max_open: Lease::Forever,
            max_openings: None,
            flows: Flows::LiveOn,
            on_stop: OnStop::of(&action),
            action,
            classic: None,
        };
        let now = Now { boot: BootTime::from_nanos(1), unix: UnixTime::from_nanos(1) };
        let asked = |lease| {
            let address = Address::new("198.51.100.7".parse().unwrap());
            let opening = Opening::asked(&door, &door.ports, address, &Origin::Classic, lease, now);
            Opening { id: OpeningId(3), ..opening.unwrap() }
        };
        let mut openings = Openings::default();
        for lease in [Lease::For(Duration::from_secs(5)), Lease::For(Duration::from_secs(9)), Lease::Forever]
        {
            openings.insert(asked(lease));
            openings.put_in_force(OpeningId(3), asked(lease).term);
        }
        assert!(openings.remove(OpeningId(3)).is_some());
        openings.put_in_force(OpeningId(3), asked(Lease::Forever).term);
        assert_eq!(format!("{openings:?}"), format!("{:?}", Openings::default()));
    }
}
