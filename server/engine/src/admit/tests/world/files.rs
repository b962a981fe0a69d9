//! The files of clients and invitations under the keeper, as the shell changes them: one by one.

use super::*;
use crate::admit::effect::{Enrolment, NotEnrolled};
use crate::client::ClientName;
use crate::invitation::Invitation;

/// The files, by name.
#[derive(Debug, Default)]
pub(crate) struct Files {
    pub(crate) clients: BTreeMap<ClientName, Client>,
    pub(crate) invitations: BTreeMap<ClientName, Invitation>,
    /// Which of the two writes of an enrolment fails, if one does.
    pub(crate) failing: Option<Write>,
    /// The clients whose files were written on account of an invitation's key, in order.
    pub(crate) made: Vec<(ClientKey, ClientKey)>,
}

/// The writes of an enrolment, in order.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Write {
    Client,
    Mark,
}

impl Files {
    pub(crate) fn of(rules: &Rules) -> Self {
        let named = |client: &Client| (client.name.clone(), client.clone());
        let invitations = rules.invitations().map(|one| (one.name().clone(), one.clone()));
        Self {
            clients: rules.clients().map(named).collect(),
            invitations: invitations.collect(),
            ..Self::default()
        }
    }

    /// The rules with what the files say in place of their clients and invitations.
    pub(crate) fn rules(&mut self, rules: Rules) -> Rules {
        let (clients, failing) = (&self.clients, self.failing);
        let mut invitations: Vec<_> = self.invitations.values().cloned().collect();
        for invitation in &mut invitations {
            let namesake = clients.get(invitation.name()).map(|client| client.key);
            invitation.used_by = invitation.used_by.or(namesake);
        }
        if failing != Some(Write::Mark) {
            self.invitations = invitations.iter().map(|one| (one.name().clone(), one.clone())).collect();
        }
        rules.with_clients(clients.values().cloned().collect()).unwrap().with_invitations(invitations)
    }

    fn invitation(&mut self, enrolment: &Enrolment) -> Result<&mut Invitation, NotEnrolled> {
        let found = self.invitations.get_mut(&enrolment.client.name);
        found.filter(|found| *found.key() == enrolment.invitation).ok_or(NotEnrolled::Taken)
    }

    pub(crate) fn write_client(&mut self, enrolment: &Enrolment) -> Result<(), NotEnrolled> {
        let client = &enrolment.client;
        let is_used = self.invitation(enrolment)?.used_by.is_some();
        if self.clients.values().any(|other| other == client) {
            return Ok(());
        }
        let is_taken = self.clients.contains_key(&client.name)
            || self.clients.values().any(|other| other.key == client.key);
        if is_used || is_taken {
            return Err(NotEnrolled::Taken);
        }
        if self.failing == Some(Write::Client) {
            return Err(NotEnrolled::Unwritten);
        }
        self.clients.insert(client.name.clone(), client.clone());
        self.made.push((enrolment.invitation, client.key));
        Ok(())
    }

    pub(crate) fn write_mark(&mut self, enrolment: &Enrolment) -> Result<(), NotEnrolled> {
        let (failing, key) = (self.failing, enrolment.client.key);
        let invitation = self.invitation(enrolment)?;
        match invitation.used_by {
            Some(by) if by == key => Ok(()),
            Some(_) => Err(NotEnrolled::Taken),
            None if failing == Some(Write::Mark) => Err(NotEnrolled::Unwritten),
            None => {
                invitation.used_by = Some(key);
                Ok(())
            }
        }
    }
}
