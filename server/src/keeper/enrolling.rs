//! Clients that come by invitation, and the invitations themselves.

use std::io;
use std::path::Path;

use knock_spa_engine::admit::effect::{Enrolment, NotEnrolled, Outcome, Ticket};
use knock_spa_engine::client::Client;

use super::Keeper;
use crate::clients::Invitations;
use crate::clients::invitations::{self, NotEnrolledBy};
use crate::io::clock;
use crate::io::process::Started;

impl<L: FnMut() -> io::Result<Started>> Keeper<L> {
    /// Writes the files of a client that an invitation makes.
    pub(super) fn enrol(&mut self, ticket: Ticket, enrolment: &Enrolment) {
        let enrolled = invitations::enrol(&self.plan.settings.paths.clients, enrolment);
        if enrolled.is_ok() {
            self.plan.take_in(enrolment);
        }
        let enrolled = enrolled.map_err(|error| {
            let client = enrolment.client.name.as_str();
            tracing::error!(event = "not-enrolled", client, %error);
            match error {
                NotEnrolledBy::Gone(_)
                | NotEnrolledBy::Used(_)
                | NotEnrolledBy::NameTaken(_)
                | NotEnrolledBy::KeyTaken(_) => NotEnrolled::Taken,
                NotEnrolledBy::Changed(_) | NotEnrolledBy::File(_) | NotEnrolledBy::Faults(_) => {
                    NotEnrolled::Unwritten
                }
            }
        });
        self.admit.handle_outcome(Outcome::Enrolled(ticket, enrolled), clock::now());
    }
}

/// The invitations to a server that has these clients, in the directory `clients`. What can't be used invites nobody,
/// and keeps nobody from anything else.
pub(super) fn load(clients: &Path, enrolled: &[Client]) -> Invitations {
    let found = Invitations::load(clients, enrolled).unwrap_or_else(|error| {
        tracing::error!(event = "invitations-unusable", %error, "nobody is invited");
        Invitations::default()
    });
    for fault in &found.faults {
        tracing::error!(event = "invitation-unusable", "{fault}");
    }
    found
}

/// Marks invitations whose clients came before the keeper could.
pub(super) fn mark(clients: &Path, found: &Invitations) {
    if let Err(error) = invitations::mark(clients, found) {
        tracing::warn!(event = "invitations-not-marked", %error, "they count as used all the same");
    }
}
