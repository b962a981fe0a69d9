//! What the administrator opens and closes by hand, on the machine itself.

use alloc::string::String;
use core::time::Duration;

use knock_spa_proto::address::Address;
use knock_spa_proto::refusal::Refusal;
use knock_spa_proto::service::ServiceName;
use knock_spa_proto::time::Now;

use super::Admit;
use super::opening::{Opening, Origin};
use crate::rules::Lease;

/// What the administrator wants open.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LocalOpen {
    /// The door, with all of its ports.
    pub door: ServiceName,
    /// For whom.
    pub address: Address,
    /// For how long; for as long as the door opens by itself where absent.
    pub lease: Option<Lease>,
    /// Whether that may be longer than the door's longest.
    pub beyond: bool,
}

/// Why the administrator gets nothing open.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum NotOpened {
    /// There is no such door.
    #[error("no door is named {0}")]
    NoDoor(ServiceName),
    /// Nobody else can have this address.
    #[error("{0} is this machine's own, or no address that another machine can have")]
    NoStranger(Address),
    /// The door does not open for so long.
    #[error("the door opens for {} s at most", .0.as_secs())]
    TooLong(Duration),
    /// There are as many openings as there can be, or the door can't open for this address.
    #[error("refused: {0}")]
    Refused(Refusal),
}

/// Which openings the administrator means: those that are all of this; where nothing is named, all there are, and what
/// doors in knockd's manner have open besides.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Which {
    /// Of this door.
    pub door: Option<ServiceName>,
    /// For this address.
    pub address: Option<Address>,
    /// Of the client of this name, who need not be enrolled any more.
    pub client: Option<String>,
}

impl Which {
    pub(super) fn is_everything(&self) -> bool {
        *self == Self::default()
    }

    pub(super) fn is(&self, opening: &Opening) -> bool {
        let of_client = |client: &String| matches!(&opening.origin, Origin::Client(_, name) if name.as_str() == client.as_str());
        self.door.is_none_or(|door| door == opening.door)
            && self.address.is_none_or(|address| address == opening.address)
            && self.client.as_ref().is_none_or(of_client)
    }
}

impl Admit {
    /// Records that a door is to open, by nobody's policy but the door's own; what is open already is extended. It opens
    /// once the record is durable.
    ///
    /// # Errors
    /// [`NotOpened`]; then nothing has changed.
    pub fn handle_local_open(&mut self, open: &LocalOpen, now: Now) -> Result<(), NotOpened> {
        let door = self.rules.door(open.door).ok_or(NotOpened::NoDoor(open.door))?;
        if !self.circumstances(open.address).is_stranger(open.address) {
            return Err(NotOpened::NoStranger(open.address));
        }
        let lease = open.lease.unwrap_or(door.open_for);
        if let (Lease::For(longest), false) = (door.max_open, open.beyond)
            && lease > door.max_open
        {
            return Err(NotOpened::TooLong(longest));
        }
        let wanted = Opening::asked(door, &door.ports, open.address, &Origin::Local, lease, now);
        let wanted = wanted.ok_or(NotOpened::Refused(Refusal::Unauthorised))?;
        self.begin(None, [wanted].into()).map_err(NotOpened::Refused)
    }

    /// For how long a door stays open for an address on the administrator's account: the inner `None` is until it is
    /// closed, the outer one not at all.
    #[must_use]
    pub fn local_left(&self, door: ServiceName, address: Address, now: Now) -> Option<Option<Duration>> {
        self.openings.of_local(door, address)?.left(now.boot)
    }
}
