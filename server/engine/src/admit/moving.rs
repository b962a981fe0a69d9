//! What the kernel is to hold of what is open: elements of the guard, and of the administrator's own sets.
//!
//! An element lasts until the latest opening that needs it. In a set of the administrator's an element may stand for all
//! ports of an address: what the set is to hold for an address is therefore told whole.

use alloc::collections::{BTreeMap, BTreeSet};
use alloc::vec::Vec;
use core::time::Duration;

use knock_spa_proto::address::Address;
use knock_spa_proto::element::Element;
use knock_spa_proto::port::ServicePort;
use knock_spa_proto::time::BootTime;

use super::Admit;
use super::effect::{Effect, Flows, SetEntry};
use super::opening::Opening;
use super::openings::Need;
use crate::set::SetName;

/// What openings have moved, to be set anew once all is changed that changes together.
#[derive(Debug, Default)]
pub(super) struct Moved {
    guarded: BTreeSet<Element>,
    in_sets: BTreeMap<(SetName, Address), BTreeSet<ServicePort>>,
    cut: BTreeSet<Element>,
}

impl Moved {
    /// Also what this opening moves; nothing where that is commands.
    pub(super) fn add(&mut self, opening: &Opening) {
        self.guarded.extend(opening.guarded());
        if let Some(set) = opening.set() {
            let ports = self.in_sets.entry((set.clone(), opening.address)).or_default();
            ports.extend(opening.ports.iter().copied());
        }
    }

    /// Also the flows to what this opening had open, where they are to end with it.
    pub(super) fn add_flows(&mut self, opening: &Opening, flows: Flows) {
        if flows == Flows::Cut {
            self.cut.extend(opening.elements());
        }
    }
}

impl Admit {
    /// Gives all of this the end that the openings in force need, and ends the flows that nobody needs any more.
    pub(super) fn move_on(&mut self, moved: Moved, now: BootTime) {
        self.set_guarded(moved.guarded, now);
        let filled: Vec<_> = moved
            .in_sets
            .into_iter()
            .map(|((set, address), ports)| self.set_entry(set, address, ports, now))
            .collect();
        if !filled.is_empty() {
            self.effects.push_back(Effect::Fill(filled));
        }
        self.cut(moved.cut);
    }

    fn set_guarded(&mut self, elements: BTreeSet<Element>, now: BootTime) {
        let (mut open, mut close) = (Vec::new(), Vec::new());
        for element in elements {
            match self.openings.need(element).left(now) {
                Some(left) => open.push((element, left)),
                None => close.push(element),
            }
        }
        if !open.is_empty() {
            self.effects.push_back(Effect::Open(open));
        }
        if !close.is_empty() {
            self.effects.push_back(Effect::Close(close));
        }
    }

    /// What the set is to hold for the address, where these ports of it have changed.
    fn set_entry(
        &self,
        set: SetName,
        address: Address,
        changed: BTreeSet<ServicePort>,
        now: BootTime,
    ) -> SetEntry {
        let needed = self.openings.needed_in(&set, address);
        let left = |(port, need): (ServicePort, Need)| Some((port, need.left(now)?));
        let open: BTreeMap<_, _> = needed.into_iter().filter_map(left).collect();
        let shut = changed.into_iter().filter(|port| !open.contains_key(port)).collect();
        SetEntry { set, address, open: open.into_iter().collect(), shut }
    }

    /// Ends the flows to elements that are shut, unless somebody else has them open.
    pub(super) fn cut(&mut self, elements: impl IntoIterator<Item = Element>) {
        let elements = elements.into_iter().filter(|element| self.openings.need(*element) == Need::None);
        let elements: Vec<_> = elements.collect();
        if !elements.is_empty() {
            self.effects.push_back(Effect::Cut(elements));
        }
    }

    /// What becomes of connections when this opening ends: as its door has it then, and where that is gone, as it was.
    pub(super) fn flows_of(&self, opening: &Opening) -> Flows {
        self.rules.door(opening.door).map_or(opening.flows, |door| door.flows)
    }

    /// What the guard's sets must hold now, with the span that is left to each.
    #[must_use]
    pub fn elements(&self, now: BootTime) -> Vec<(Element, Option<Duration>)> {
        let elements: BTreeSet<Element> = self.openings.iter().flat_map(Opening::guarded).collect();
        let left = |element: Element| Some((element, self.openings.need(element).left(now)?));
        elements.into_iter().filter_map(left).collect()
    }

    /// What the administrator's sets must hold now, with the span that is left to each.
    #[must_use]
    pub fn set_entries(&self, now: BootTime) -> Vec<SetEntry> {
        let places: Vec<_> = self.openings.places().cloned().collect();
        places
            .into_iter()
            .map(|(set, address)| self.set_entry(set, address, BTreeSet::new(), now))
            .filter(|entry| !entry.open.is_empty())
            .collect()
    }
}
