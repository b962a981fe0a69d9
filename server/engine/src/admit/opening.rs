//! One opening: who opened what for which address, until when, and how it is closed again.

use alloc::string::String;
use alloc::vec::Vec;
use core::fmt;
use core::time::Duration;

use knock_spa_keys::client::ClientKey;
use knock_spa_proto::address::Address;
use knock_spa_proto::element::Element;
use knock_spa_proto::port::ServicePort;
use knock_spa_proto::service::ServiceName;
use knock_spa_proto::time::{BootTime, Now, UnixTime};

use super::effect::Flows;
use crate::client::ClientName;
use crate::command::{CommandAction, Rendered, Values};
use crate::rules::{Action, Door, Lease};
use crate::set::SetName;

/// Names an opening for as long as the journal remembers it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct OpeningId(pub u64);

/// Who opened.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Origin {
    /// An enrolled client, by an authenticated packet.
    Client(ClientKey, ClientName),
    /// Whoever sent the door's classic knock.
    Classic,
    /// The administrator, on the machine itself.
    Local,
}

impl Origin {
    /// The client's name, if a client it is.
    #[must_use]
    pub fn client(&self) -> Option<String> {
        match self {
            Self::Client(_, name) => Some(name.as_str().into()),
            Self::Classic | Self::Local => None,
        }
    }

    /// The client's name; empty where it is none.
    #[must_use]
    pub fn client_name(&self) -> &str {
        match self {
            Self::Client(_, name) => name.as_str(),
            Self::Classic | Self::Local => "",
        }
    }

    /// What a person calls the asker.
    #[must_use]
    pub fn asker(&self) -> &str {
        match self {
            Self::Client(_, name) => name.as_str(),
            Self::Classic => "classic knock",
            Self::Local => "administrator",
        }
    }

    /// What it is called where programs read it.
    #[must_use]
    pub const fn name(&self) -> &'static str {
        match self {
            Self::Client(..) => "spa",
            Self::Classic => "classic",
            Self::Local => "local",
        }
    }
}

impl fmt::Display for Origin {
    /// Writes what a person calls the asker.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.asker())
    }
}

/// When an opening ends: by the clock that never steps within this boot, by the wall clock in another.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Deadline {
    /// In this boot.
    pub boot: BootTime,
    /// In any other.
    pub unix: UnixTime,
}

impl Deadline {
    /// The deadline `span` from now.
    #[must_use]
    pub fn after(span: Duration, now: Now) -> Self {
        let then = now.saturating_add(span);
        Self { boot: then.boot, unix: then.unix }
    }
}

/// How long an opening lasts.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Term {
    /// For how long it was last granted.
    pub lease: Lease,
    /// When that is over; `None` where only somebody's closing ends it.
    pub until: Option<Deadline>,
}

impl Term {
    /// The term of a lease that is granted now.
    #[must_use]
    pub fn of(lease: Lease, now: Now) -> Self {
        let until = match lease {
            Lease::For(span) => Some(Deadline::after(span, now)),
            Lease::Forever => None,
        };
        Self { lease, until }
    }

    /// The same term, but over at the end of `limit` from now where it lasts longer.
    #[must_use]
    pub(super) fn within(self, limit: Duration, now: Now) -> Self {
        let end = Deadline::after(limit, now);
        match self.until {
            Some(until) if until.boot <= end.boot => self,
            Some(_) | None => Self { lease: self.lease.min(Lease::For(limit)), until: Some(end) },
        }
    }
}

/// What an opening moves.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Means {
    /// Elements of the guard's sets: the kernel closes them by itself.
    Guard,
    /// Elements of this set of the administrator's ruleset: the kernel closes them by itself.
    Set(SetName),
    /// The administrator's commands, each with what closes it again.
    Commands {
        /// One for each port, or one for the door as a whole.
        commands: Vec<Command>,
        /// A command that takes longer is killed.
        timeout: Duration,
    },
}

impl Means {
    /// How the door opens; by nothing where it does not open for addresses of this family.
    fn of(door: &Door, ports: &[ServicePort], values: &Values) -> Option<Self> {
        Some(match &door.action {
            Action::Guard => Self::Guard,
            Action::Set(sets) => Self::Set(sets.set_for(values.address)?.clone()),
            Action::Command(action) => {
                Self::Commands { commands: commands(action, ports, values), timeout: action.timeout }
            }
        })
    }

    /// Whether the kernel closes it by itself.
    #[must_use]
    pub const fn is_timed(&self) -> bool {
        match self {
            Self::Guard | Self::Set(_) => true,
            Self::Commands { .. } => false,
        }
    }

    /// Whether a door with this action would open for the address by the same means; whatever its commands are now.
    pub(super) fn are_of(&self, action: &Action, address: Address) -> bool {
        match (self, action) {
            (Self::Guard, Action::Guard) | (Self::Commands { .. }, Action::Command(_)) => true,
            (Self::Set(set), Action::Set(sets)) => sets.set_for(address) == Some(set),
            (Self::Guard | Self::Set(_) | Self::Commands { .. }, _) => false,
        }
    }
}

/// The rendered commands: one pair for each port where they speak of a port, else one for the door.
fn commands(action: &CommandAction, ports: &[ServicePort], values: &Values) -> Vec<Command> {
    let render = |port: Option<ServicePort>| {
        let values = Values { port, ..values.clone() };
        Command {
            port,
            start: action.start_for(values.address).render(&values),
            stop: action.stop_for(values.address).map(|stop| stop.render(&values)),
        }
    };
    if action.is_per_port() {
        ports.iter().map(|port| render(Some(*port))).collect()
    } else {
        [render(None)].into()
    }
}

/// A pair of commands, rendered when the door opened: changes of the configuration do not reach it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Command {
    /// The port that it is for; `None` where it is for the whole door.
    pub port: Option<ServicePort>,
    /// What opens.
    pub start: Rendered,
    /// What closes, if anything does.
    pub stop: Option<Rendered>,
}

/// What a pair of commands holds open, whichever openings need it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct HoldKey {
    /// The door.
    pub door: ServiceName,
    /// For whom.
    pub address: Address,
    /// The port; `None` where the pair is for the whole door.
    pub port: Option<ServicePort>,
}

impl HoldKey {
    pub(super) const fn of(opening: &Opening, port: Option<ServicePort>) -> Self {
        Self { door: opening.door, address: opening.address, port }
    }
}

/// How far a pair of commands has come.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Held {
    /// So many stops are due: one for each start that has succeeded, or may have.
    pub due: u32,
    /// Whether its start has succeeded, and no stop has begun since.
    pub is_open: bool,
}

impl Held {
    /// An opening needs it, and nobody knows whether its start has run.
    pub(super) const UNKNOWN: Self = Self { due: 1, is_open: false };
}

/// An opening.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Opening {
    /// Its name.
    pub id: OpeningId,
    /// The door.
    pub door: ServiceName,
    /// The ports of the door that it opens.
    pub ports: Vec<ServicePort>,
    /// For whom.
    pub address: Address,
    /// Who asked.
    pub origin: Origin,
    /// When it was opened.
    pub since: UnixTime,
    /// How long it lasts.
    pub term: Term,
    /// How it opens and closes.
    pub means: Means,
    /// What becomes of connections when it ends, where its door is not there any more to tell.
    pub flows: Flows,
}

impl Opening {
    /// The opening that a grant or a knock asks for; its name is not given yet. None where the door does not open for
    /// addresses of this family.
    pub(super) fn asked(
        door: &Door,
        ports: &[ServicePort],
        address: Address,
        origin: &Origin,
        lease: Lease,
        now: Now,
    ) -> Option<Self> {
        let ttl = match lease {
            Lease::For(span) => Some(span.as_secs()),
            Lease::Forever => None,
        };
        let client = origin.client_name().into();
        let means = Means::of(door, ports, &Values { address, port: None, door: door.name, client, ttl })?;
        Some(Self {
            id: OpeningId(u64::MAX),
            door: door.name,
            ports: ports.into(),
            address,
            origin: origin.clone(),
            since: now.unix,
            term: Term::of(lease, now),
            means,
            flows: door.flows,
        })
    }

    /// The pairs of address and port that it opens.
    pub fn elements(&self) -> impl Iterator<Item = Element> {
        self.ports.iter().map(|port| Element { address: self.address, port: *port })
    }

    /// Those of them that are elements of the guard.
    pub(super) fn guarded(&self) -> impl Iterator<Item = Element> {
        self.elements().filter(|_| self.means == Means::Guard)
    }

    /// The set that has its elements, where it is one of the administrator's.
    pub(super) const fn set(&self) -> Option<&SetName> {
        match &self.means {
            Means::Set(set) => Some(set),
            Means::Guard | Means::Commands { .. } => None,
        }
    }

    /// Whether two openings are one that was asked for twice.
    #[must_use]
    pub fn is_same_as(&self, other: &Self) -> bool {
        self.door == other.door
            && self.address == other.address
            && self.ports == other.ports
            && self.origin == other.origin
    }

    /// What a person calls the asker.
    #[must_use]
    pub fn asker(&self) -> String {
        self.origin.asker().into()
    }
}
