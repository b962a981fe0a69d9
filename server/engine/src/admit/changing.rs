//! What new rules leave of what is open: nothing stays open that they would not open now.
//!
//! An opening is one thing that was asked for. Where a part of it is not allowed any more it ends as a whole, as a
//! request that asks for one thing too much opens nothing: whoever still may ask for the rest asks for that. Where the
//! rules allow less time, it lasts for as long as they would grant now. How the address was found (`address`) and how
//! often a client may ask (`rate`) bind requests, and do not reach back.

use alloc::vec::Vec;
use core::time::Duration;

use knock_spa_proto::time::Now;

use super::decide::{longest, may_be_at, may_open};
use super::effect::{Cause, Effect, Event, Flows};
use super::moving::Moved;
use super::opening::{Opening, OpeningId, Origin, Term};
use super::record::{Change, Record};
use super::{Admit, Awaited, Begun};
use crate::client::ClientName;
use crate::rules::{Door, Lease, Rules};

/// What rules leave of an opening.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Left {
    /// It ends.
    Nothing,
    /// So long at most.
    AtMost(Lease),
}

impl Admit {
    /// Puts new rules in force, and ends what they do not allow.
    pub fn handle_rules(&mut self, rules: Rules, now: Now) {
        self.rules = rules;
        self.spent.clear();
        self.apply_rules(None, now);
        for server in self.rules.servers().to_vec() {
            self.effects.push_back(Effect::Note(Record::Key(server)));
        }
    }

    /// Puts rules in force that differ in nothing but clients, and ends what they do not allow; with its flows where
    /// it was opened by the client of the name `cut`.
    pub fn handle_clients(&mut self, rules: Rules, cut: Option<&ClientName>, now: Now) {
        self.rules = rules;
        self.apply_rules(cut, now);
    }

    fn apply_rules(&mut self, cut: Option<&ClientName>, now: Now) {
        let (mut ended, mut cut_off, mut shortened) = (Vec::new(), Vec::new(), Vec::new());
        for opening in self.openings.iter() {
            match left_of(&self.rules, opening, now) {
                Left::Nothing if is_of(opening, cut) => cut_off.push(opening.id),
                Left::Nothing => ended.push(opening.id),
                Left::AtMost(Lease::For(limit)) if opening.term.within(limit, now) != opening.term => {
                    shortened.push((opening.id, limit));
                }
                Left::AtMost(_) => {}
            }
        }
        self.shorten(&shortened, now);
        self.end(None, ended, Cause::ByReload, Flows::LiveOn, now);
        self.end(None, cut_off, Cause::ByReload, Flows::Cut, now);
        self.forget_unused();
    }

    /// Lets these openings last no longer than so long from now. They need not wait for the record: what is open for
    /// longer than the journal says is a fault, and the reverse is none.
    fn shorten(&mut self, shortened: &[(OpeningId, Duration)], now: Now) {
        let mut opened = Vec::new();
        for (id, limit) in shortened {
            let within = |term: Term| term.within(*limit, now);
            self.openings.change_term(*id, within);
            // What waits to be in force is shortened with it.
            for awaited in self.awaited.values_mut() {
                if let Awaited::Opening(begun) = awaited {
                    begun
                        .iter_mut()
                        .filter(|begun| begun.id == *id)
                        .for_each(|begun| begun.term = within(begun.term));
                }
            }
            let early = core::mem::take(&mut self.early).into_iter().map(|(due, begun)| {
                let term = if begun.id == *id { within(begun.term) } else { begun.term };
                (due, Begun { term, ..begun })
            });
            self.early = early.collect();
            opened.extend(self.openings.get(*id).cloned());
        }
        if opened.is_empty() {
            return;
        }
        let mut moved = Moved::default();
        opened.iter().for_each(|opening| moved.add(opening));
        for opening in &opened {
            let (door, address, by) = (opening.door, opening.address, opening.origin.clone());
            let left =
                opening.term.until.map(|until| until.boot.saturating_since(now.boot)).unwrap_or_default();
            self.effects.push_back(Effect::Say(Event::Shortened { door, address, by, left }));
        }
        self.record(Record::Change(Change { mark: None, opened, closed: Vec::new() }), Awaited::Nothing);
        self.move_on(moved, now.boot);
    }
}

fn is_of(opening: &Opening, client: Option<&ClientName>) -> bool {
    matches!((&opening.origin, client), (Origin::Client(_, name), Some(client)) if name == client)
}

/// What these rules leave of an opening.
fn left_of(rules: &Rules, opening: &Opening, now: Now) -> Left {
    let Some(door) = rules.door(opening.door).filter(|door| still_opens(door, opening)) else {
        return Left::Nothing;
    };
    let key = match &opening.origin {
        Origin::Client(key, _) => key,
        Origin::Classic if door.classic.is_some() => return Left::AtMost(Lease::Forever),
        Origin::Classic => return Left::Nothing,
        // What the administrator opened by hand is bound by no policy but that the door is what it was.
        Origin::Local => return Left::AtMost(Lease::Forever),
    };
    let client = rules.client(key.as_bytes()).filter(|client| client.is_valid_at(now.unix));
    match client {
        Some(client) if may_open(client, door, &opening.ports) && may_be_at(client, opening.address) => {
            Left::AtMost(longest(door, client, now.unix))
        }
        Some(_) | None => Left::Nothing,
    }
}

/// Whether the door has these ports, and acts by the same means.
fn still_opens(door: &Door, opening: &Opening) -> bool {
    opening.means.are_of(&door.action, opening.address)
        && opening.ports.iter().all(|port| door.ports.contains(port))
}
