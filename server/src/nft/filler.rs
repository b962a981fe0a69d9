//! Timed elements in sets of the administrator's own ruleset.
//!
//! The sets are others': they come, go and change at any time. What a key of one is made of is read from the kernel
//! before each change. Each change of a set is one batch.

mod watch;

use std::time::Duration;
use std::{io, slice};

use knock_spa_engine::admit::effect::SetEntry;
use knock_spa_engine::set::{SetName, TableFamily};
use netlink_sys::protocols::NETLINK_NETFILTER;

pub use self::watch::{Heard, SetWatch};

use super::batch::{Batch, ENTRIES_MAX};
use super::error::NftError;
use super::kernel::*;
use super::key::{KeyLayout, Unsuitable};
use super::set::{ELEMENTS_PER_MESSAGE, element, entries};
use super::{Family, list};
use crate::netlink::{Attributes, NLM_F_ACK, NLM_F_CREATE, NLM_F_DUMP, Request, Socket};

/// Fills sets.
#[derive(Debug)]
pub struct Filler {
    socket: Socket,
}

/// Why a set does not hold what it should.
#[derive(Debug, thiserror::Error)]
pub enum FillError {
    /// The table or the set is not there.
    #[error("there is no such set")]
    Absent,
    /// The set is not one for elements of ours.
    #[error(transparent)]
    Unsuitable(#[from] Unsuitable),
    /// It has no room for another element.
    #[error("it is full")]
    Full,
    /// Anything else.
    #[error(transparent)]
    Nft(NftError),
}

impl From<NftError> for FillError {
    fn from(error: NftError) -> Self {
        match error {
            NftError::Missing(_) => Self::Absent,
            NftError::Full(_) => Self::Full,
            other @ (NftError::NotPermitted(_)
            | NftError::TooMuch
            | NftError::Refused(_)
            | NftError::Io(_)
            | NftError::NoAnswer) => Self::Nft(other),
        }
    }
}

/// What becomes of the element with a key: it is there for so long, or gone.
type Change<'k> = (&'k Vec<u8>, Option<Duration>);

impl Filler {
    /// A filler that changes nothing yet.
    ///
    /// # Errors
    /// Where the kernel has no netlink socket for us.
    pub fn connect() -> io::Result<Self> {
        Ok(Self { socket: Socket::connect(NETLINK_NETFILTER, &[])? })
    }

    /// The netlink port that the kernel names as the cause of what this filler changes.
    const fn port(&self) -> u32 {
        self.socket.port()
    }

    /// Looks whether elements for addresses of this family can be in the set.
    ///
    /// # Errors
    /// [`FillError`].
    pub fn look(&mut self, set: &SetName, family: Family) -> Result<(), FillError> {
        self.layout(set, family).map(drop)
    }

    /// Has the set hold what these entries say; what is not there and should not be is no error. One batch does it, unless
    /// there are hundreds.
    ///
    /// # Errors
    /// [`FillError`]: what can be held is held, and what can be removed is removed all the same where the set is full.
    pub fn fill(&mut self, set: &SetName, entries: &[SetEntry]) -> Result<(), FillError> {
        let of = |family| {
            let those = entries.iter().filter(move |entry| Family::of(entry.address) == family);
            those.cloned().collect::<Vec<_>>()
        };
        let v4 = self.fill_for(Family::Ipv4, set, &of(Family::Ipv4));
        let v6 = self.fill_for(Family::Ipv6, set, &of(Family::Ipv6));
        v4.and(v6)
    }

    fn fill_for(&mut self, family: Family, set: &SetName, entries: &[SetEntry]) -> Result<(), FillError> {
        if entries.is_empty() {
            return Ok(());
        }
        let wanted = match self.layout(set, family) {
            Ok(layout) => layout.wanted(entries),
            // Nothing of ours is in there, so nothing needs to go.
            Err(FillError::Absent | FillError::Unsuitable(_))
                if entries.iter().all(|one| one.open.is_empty()) =>
            {
                return Ok(());
            }
            Err(error) => return Err(error),
        };
        let gone = wanted.gone.iter().map(|key| (key, None));
        let held = wanted.held.iter().map(|(key, left)| (key, Some(*left)));
        // What goes makes room.
        let changes: Vec<Change<'_>> = gone.chain(held).collect();
        let outcomes: Vec<_> = changes.chunks(ENTRIES_MAX / 3).map(|some| self.change(set, some)).collect();
        outcomes.into_iter().collect()
    }

    /// Whether the set holds all that these entries have open, for however long.
    ///
    /// # Errors
    /// [`FillError`].
    pub fn holds(&mut self, set: &SetName, wanted: &[SetEntry]) -> Result<bool, FillError> {
        let Some(SetEntry { address, .. }) = wanted.first() else { return Ok(true) };
        let mut missing = self.layout(set, Family::of(*address))?.wanted(wanted).held;
        let (head, elements) = (head(set), elements_of(set));
        let request =
            Request { kind: NFT_MSG_GETSETELEM, flags: NLM_F_DUMP, head: &head, attributes: &elements };
        let found = list(&mut self.socket, &request, |_, message| {
            entries(message).map(|(key, _)| key.to_vec()).collect::<Vec<_>>()
        })?;
        for key in found.into_iter().flatten() {
            missing.remove(&key);
        }
        Ok(missing.is_empty())
    }

    fn layout(&mut self, set: &SetName, family: Family) -> Result<KeyLayout, FillError> {
        let (head, reference) = (head(set), reference(set));
        let request = Request { kind: NFT_MSG_GETSET, flags: NLM_F_ACK, head: &head, attributes: &reference };
        let found = list(&mut self.socket, &request, |_, message| KeyLayout::of(message, family))?;
        Ok(found.into_iter().next().ok_or(FillError::Absent)??)
    }

    /// Makes these changes together; where the set is too full for that, each alone, as far as it goes.
    fn change(&mut self, set: &SetName, changes: &[Change<'_>]) -> Result<(), FillError> {
        match self.change_together(set, changes) {
            Err(FillError::Full) => changes.iter().try_for_each(|change| match change {
                (key, None) => self.remove(set, key),
                (_, Some(_)) => self.change_together(set, slice::from_ref(change)),
            }),
            outcome => outcome,
        }
    }

    fn change_together(&mut self, set: &SetName, changes: &[Change<'_>]) -> Result<(), FillError> {
        // Old kernels keep the timeout of an element that is added again. What was just added can always be removed,
        // whether it was there or not, and what was just removed is always new.
        let mut batch = Batch::with(head(set));
        add(&mut batch, set, changes);
        remove(&mut batch, set, changes);
        let held: Vec<Change<'_>> = changes.iter().copied().filter(|(_, left)| left.is_some()).collect();
        add(&mut batch, set, &held);
        match self.carry_out(&batch) {
            // An element that expires between its addition and its removal: there is none the second time.
            Err(NftError::Missing(_)) => Ok(self.carry_out(&batch)?),
            outcome => Ok(outcome?),
        }
    }

    fn remove(&mut self, set: &SetName, key: &Vec<u8>) -> Result<(), FillError> {
        let mut batch = Batch::with(head(set));
        remove(&mut batch, set, &[(key, None)]);
        match self.carry_out(&batch) {
            Err(NftError::Missing(_)) => Ok(()),
            outcome => Ok(outcome?),
        }
    }

    fn carry_out(&mut self, batch: &Batch) -> Result<(), NftError> {
        Ok(self.socket.execute(&batch.requests())?)
    }
}

fn add(batch: &mut Batch, set: &SetName, changes: &[Change<'_>]) {
    messages(set, changes).for_each(|message| batch.push(NFT_MSG_NEWSETELEM, NLM_F_CREATE, message));
}

fn remove(batch: &mut Batch, set: &SetName, changes: &[Change<'_>]) {
    messages(set, changes).for_each(|message| batch.push(NFT_MSG_DELSETELEM, 0, message));
}

fn messages<'a>(set: &'a SetName, elements: &'a [Change<'_>]) -> impl Iterator<Item = Attributes> + 'a {
    elements.chunks(ELEMENTS_PER_MESSAGE).map(|some| {
        let list = some.iter().fold(Attributes::new(), |list, (key, left)| {
            list.nest(NFTA_LIST_ELEM, &element(key, Some(left.unwrap_or_default())))
        });
        elements_of(set).nest(NFTA_SET_ELEM_LIST_ELEMENTS, &list)
    })
}

/// What a message about a set says.
fn reference(set: &SetName) -> Attributes {
    Attributes::new().text(NFTA_TABLE, set.table()).text(NFTA_SET_NAME, set.set())
}

/// What a message about a set's elements says.
fn elements_of(set: &SetName) -> Attributes {
    Attributes::new().text(NFTA_TABLE, set.table()).text(NFTA_SET_ELEM_LIST_SET, set.set())
}

/// `struct nfgenmsg` of a message about the set's table.
const fn head(set: &SetName) -> [u8; 4] {
    [family(set), 0, 0, 0]
}

/// As the kernel numbers it.
const fn family(set: &SetName) -> u8 {
    match set.family() {
        TableFamily::Inet => NFPROTO_INET,
        TableFamily::Ip => NFPROTO_IPV4,
        TableFamily::Ip6 => NFPROTO_IPV6,
        TableFamily::Bridge => NFPROTO_BRIDGE,
        TableFamily::Netdev => NFPROTO_NETDEV,
    }
}
