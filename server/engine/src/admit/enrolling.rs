//! How an invitation becomes a client: once, and only with proof by both keys.
//!
//! First the mark of the packet is on record, so that no copy of it counts. Then the shell writes the client's file and
//! the invitation's mark of use, which are what holds in the end: it refuses where they say that somebody was faster.
//! Only then is the client in the rules.

use knock_spa_keys::client::ClientKey;
use knock_spa_proto::address::Address;
use knock_spa_proto::refusal::Refusal;
use knock_spa_proto::spa::Enrol;
use knock_spa_proto::time::Now;

use super::asker::words_for;
use super::effect::{Effect, Enrolment, Event, NotEnrolled, Ticket, Unwritten};
use super::record::{Change, Record};
use super::{Admit, Awaited, Claim};
use crate::invitation::Invitation;

/// An enrolment under way: first its record, then its files.
#[derive(Clone, Copy, Debug)]
pub(super) struct Enrolling {
    invitation: ClientKey,
    key: ClientKey,
    from: Address,
}

impl Admit {
    /// Records that this key is to be enrolled by this invitation.
    pub(super) fn enrol(
        &mut self,
        invitation: &Invitation,
        enrol: &Enrol,
        claim: &Claim,
    ) -> Result<(), Refusal> {
        let key = enrol.verify(&claim.server, invitation.key()).map_err(|_| Refusal::Forged)?;
        self.may_enrol(invitation, &key)?;
        let mark = Some((*invitation.key(), claim.statement.stamp()));
        let enrolling = Enrolling { invitation: *invitation.key(), key, from: claim.from };
        self.record(Record::Change(Change { mark, ..Change::default() }), Awaited::Enrolment(enrolling));
        Ok(())
    }

    /// Whether the invitation, and the name that it keeps, are still to be had for this key, and the key is nobody's.
    fn may_enrol(&self, invitation: &Invitation, key: &ClientKey) -> Result<(), Refusal> {
        match self.spent_by(invitation) {
            Some(by) if by == *key => Err(Refusal::AlreadyEnrolled),
            Some(_) => Err(Refusal::Taken),
            None if self.rules.has_key(key) => Err(Refusal::Taken),
            None => Ok(()),
        }
    }

    /// Who was, or is being, enrolled by the invitation. A client of its name counts as such: the keeper may have died
    /// before it could mark the invitation.
    pub(super) fn spent_by(&self, invitation: &Invitation) -> Option<ClientKey> {
        let named = || self.rules.client_named(invitation.name()).map(|client| client.key);
        let under_way = || {
            self.awaited.values().find_map(|awaited| match awaited {
                Awaited::Enrolment(other) if other.invitation == *invitation.key() => Some(other.key),
                Awaited::Enrolment(_)
                | Awaited::Opening(_)
                | Awaited::Closing(..)
                | Awaited::Run(_)
                | Awaited::StrikeOut(..)
                | Awaited::Nothing => None,
            })
        };
        invitation.used_by.or_else(named).or_else(under_way)
    }

    /// The mark is on record: the files come next. The rules may have changed meanwhile.
    pub(super) fn go_on_with_enrolment(
        &mut self,
        enrolling: Enrolling,
        recorded: Result<(), Unwritten>,
        now: Now,
    ) {
        let Enrolling { invitation, key, from } = enrolling;
        let found = self.rules.invitation(invitation.as_bytes()).cloned();
        let Some(invitation) = found else {
            return self.refuse(Refusal::UnknownClient, from, None, now);
        };
        let decided = recorded.map_err(|Unwritten| Refusal::Unrecorded);
        if let Err(refusal) = decided.and_then(|()| self.may_enrol(&invitation, &key)) {
            return self.refuse(refusal, from, Some(words_for(&invitation)), now);
        }
        let ticket = self.await_for(Awaited::Enrolment(enrolling));
        let enrolment = Enrolment { invitation: *invitation.key(), client: invitation.client_of(key) };
        self.effects.push_back(Effect::Enrol(ticket, enrolment));
    }

    /// The files are written, or not.
    pub(super) fn handle_enrolled(&mut self, ticket: Ticket, result: Result<(), NotEnrolled>, now: Now) {
        let Some(Awaited::Enrolment(Enrolling { invitation, key, from })) = self.awaited.remove(&ticket)
        else {
            return;
        };
        let invitation = self.rules.invitation(invitation.as_bytes()).cloned();
        if let Err(not) = result {
            let refusal = match not {
                NotEnrolled::Taken => Refusal::Taken,
                NotEnrolled::Unwritten => Refusal::Unrecorded,
            };
            return self.refuse(refusal, from, invitation.as_ref().map(words_for), now);
        }
        self.accepted = self.accepted.saturating_add(1);
        // Where it was revoked meanwhile, the files decide, and the rules that were read from them since.
        let Some(invitation) = invitation else { return };
        self.rules.enrol(&invitation, key);
        let name = invitation.name().as_str().into();
        self.effects.push_back(Effect::Say(Event::Enrolled { name, key, from }));
    }
}
