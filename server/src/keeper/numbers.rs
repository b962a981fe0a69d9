//! The numbers by which listener and keeper speak of doors with a classic knock.
//!
//! A door keeps its number over reloads for as long as its name and its knock stay as they are, so that attempts go on;
//! a number is never given again, so that what was meant for one door is never taken for another.

use std::collections::{BTreeMap, HashMap};

use knock_spa_engine::rules::Knockable;
use knock_spa_engine::watch::ClassicDoor;
use knock_spa_proto::knock::{ClassicKnock, DoorNumber};

use crate::config::settings::Settings;

/// What makes a door the same door: its name, which of several doors of that name it is, and its knock.
type Identity = (Named, ClassicKnock);

#[derive(Clone, Debug, PartialEq, Eq, Hash)]
enum Named {
    Door(String),
    Knockd(String, usize),
}

#[derive(Debug, Default)]
pub(super) struct Numbers {
    next: u32,
    by_identity: HashMap<Identity, DoorNumber>,
    by_number: BTreeMap<DoorNumber, Knockable>,
    doors: Vec<ClassicDoor>,
}

impl Numbers {
    /// Numbers the doors of these settings.
    pub(super) fn assign(&mut self, settings: &Settings) {
        let old = std::mem::take(&mut self.by_identity);
        self.by_number.clear();
        self.doors.clear();
        for (knocked, identity) in identities(settings) {
            let number = old.get(&identity).copied().unwrap_or_else(|| {
                self.next = self.next.wrapping_add(1);
                DoorNumber(self.next)
            });
            self.by_number.insert(number, knocked);
            self.doors.push(ClassicDoor { number, knock: identity.1.clone() });
            self.by_identity.insert(identity, number);
        }
    }

    /// Has this door get another number with the next assignment, though nothing about it has changed.
    pub(super) fn retire(&mut self, knocked: Knockable) {
        let by_number = &self.by_number;
        self.by_identity.retain(|_, number| by_number.get(number) != Some(&knocked));
    }

    /// The door of this number.
    pub(super) fn door(&self, number: DoorNumber) -> Option<Knockable> {
        self.by_number.get(&number).copied()
    }

    /// The doors for the listener, in the order in which they are told.
    pub(super) fn doors(&self) -> &[ClassicDoor] {
        &self.doors
    }
}

fn identities(settings: &Settings) -> Vec<(Knockable, Identity)> {
    let mut seen: HashMap<&str, usize> = HashMap::new();
    let native = settings.doors.iter().filter_map(|door| {
        let named = Named::Door(door.name.to_string());
        Some((Knockable::Door(door.name), (named, door.classic.clone()?)))
    });
    let knockd = settings.knockd_doors.iter().enumerate().filter_map(|(place, door)| {
        let nth = seen.entry(&door.name).or_default();
        let named = Named::Knockd(door.name.clone(), *nth);
        *nth = nth.saturating_add(1);
        Some((Knockable::Knockd(place), (named, door.knock.clone()?)))
    });
    native.chain(knockd).collect()
}
