//! What the administrator decided: doors, clients and the server's keys, checked as a whole.

use alloc::collections::{BTreeMap, BTreeSet};
use alloc::vec::Vec;
use core::num::NonZeroU32;
use core::time::Duration;

use knock_spa_keys::client::ClientKey;
use knock_spa_keys::server::ServerKey;
use knock_spa_proto::address::Address;
use knock_spa_proto::knock::ClassicKnock;
use knock_spa_proto::port::ServicePort;
use knock_spa_proto::service::ServiceName;

use crate::admit::effect::Flows;
use crate::client::{Client, ClientName};
use crate::command::CommandAction;
use crate::invitation::Invitation;
use crate::knockd::KnockdDoor;
use crate::set::SetAction;

/// How long an opening lasts.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Lease {
    /// It ends by itself after this span, at least a second.
    For(Duration),
    /// It ends only when somebody closes it.
    Forever,
}

impl Lease {
    /// How long it lasts by itself; `None` is until somebody ends it.
    #[must_use]
    pub const fn span(self) -> Option<Duration> {
        match self {
            Self::For(span) => Some(span),
            Self::Forever => None,
        }
    }

    /// The shorter of two.
    #[must_use]
    pub fn min(self, other: Self) -> Self {
        Ord::min(self, other)
    }
}

/// What opening a door does.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Action {
    /// The ports are shut by our own nftables table and opened by timed elements of its sets.
    Guard,
    /// The administrator's own ruleset lets in whoever is in its sets, which get timed elements.
    Set(SetAction),
    /// The administrator's commands run.
    Command(CommandAction),
}

impl Action {
    /// Whether a door with this action can open for the address.
    #[must_use]
    pub fn opens_for(&self, address: Address) -> bool {
        match self {
            Self::Set(sets) => sets.set_for(address).is_some(),
            Self::Guard | Self::Command(_) => true,
        }
    }
}

/// What becomes of a door's openings when the daemon is told to stop.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum OnStop {
    /// They end.
    Close,
    /// They go on: what the kernel does not close on time by itself, the next daemon does.
    Keep,
}

impl OnStop {
    /// What is safe where nobody says otherwise: nothing stays open that nobody closes on time.
    #[must_use]
    pub const fn of(action: &Action) -> Self {
        match action {
            Action::Guard | Action::Set(_) => Self::Keep,
            Action::Command(_) => Self::Close,
        }
    }
}

/// A door: ports that open together, and how.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Door {
    /// Its name, by which clients ask for it.
    pub name: ServiceName,
    /// Other names for it.
    pub aliases: Vec<ServiceName>,
    /// The ports, without repeats; may be empty only where a classic knock runs commands.
    pub ports: Vec<ServicePort>,
    /// How long it opens where nobody asks for another span.
    pub open_for: Lease,
    /// The most that anybody may ask for.
    pub max_open: Lease,
    /// How many openings it may have at a time; as many as there is room for where absent.
    pub max_openings: Option<NonZeroU32>,
    /// What becomes of connections when an opening ends.
    pub flows: Flows,
    /// What opening does.
    pub action: Action,
    /// What becomes of its openings when the daemon stops.
    pub on_stop: OnStop,
    /// The classic knock that opens it, if one does.
    pub classic: Option<ClassicKnock>,
}

impl Door {
    /// Whether clients may ask for it by this name.
    #[must_use]
    pub fn is_called(&self, name: ServiceName) -> bool {
        self.name == name || self.aliases.contains(&name)
    }
}

/// What a classic knock can be for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Knockable {
    /// The door of this name.
    Door(ServiceName),
    /// The door in knockd's manner at this place in their list.
    Knockd(usize),
}

/// Why doors and clients do not fit together.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum BadRules {
    /// Two doors bear this name, or have it for an alias.
    #[error("two doors are named {0}")]
    DoorTwice(ServiceName),
    /// Two doors list this port, so that a request for it would be ambiguous.
    #[error("two doors list {0}")]
    PortTwice(ServicePort),
    /// Two clients have this key.
    #[error("two clients have the key {}", .0.fingerprint())]
    ClientTwice(ClientKey),
}

/// All that the keeper decides by.
#[derive(Clone, Debug)]
pub struct Rules {
    doors: BTreeMap<ServiceName, Door>,
    by_port: BTreeMap<ServicePort, ServiceName>,
    /// The doors' own names, by their aliases.
    by_alias: BTreeMap<ServiceName, ServiceName>,
    /// The ports of registered services, by the names that the system has for them.
    registered: BTreeMap<ServiceName, BTreeSet<ServicePort>>,
    knockd_doors: Vec<KnockdDoor>,
    clients: BTreeMap<[u8; 32], Client>,
    invitations: BTreeMap<[u8; 32], Invitation>,
    servers: Vec<ServerKey>,
    window: Duration,
}

impl Rules {
    /// The rules made of these doors and clients, for a server with these keys (the current one first),
    /// which accepts packets made within `window` of now.
    ///
    /// # Errors
    /// [`BadRules`], the first fault found.
    pub fn new(
        doors: Vec<Door>,
        clients: Vec<Client>,
        servers: Vec<ServerKey>,
        window: Duration,
    ) -> Result<Self, BadRules> {
        let mut by_name = BTreeMap::new();
        let mut by_port = BTreeMap::new();
        for door in doors {
            for port in &door.ports {
                if by_port.insert(*port, door.name).is_some() {
                    return Err(BadRules::PortTwice(*port));
                }
            }
            if let Some(earlier) = by_name.insert(door.name, door) {
                return Err(BadRules::DoorTwice(earlier.name));
            }
        }
        let by_alias = by_alias(&by_name)?;
        let clients = by_key(clients)?;
        Ok(Self {
            doors: by_name,
            by_port,
            by_alias,
            registered: BTreeMap::new(),
            knockd_doors: Vec::new(),
            clients,
            invitations: BTreeMap::new(),
            servers,
            window,
        })
    }

    /// The same rules for these clients in place of the others.
    ///
    /// # Errors
    /// [`BadRules::ClientTwice`].
    pub fn with_clients(self, clients: Vec<Client>) -> Result<Self, BadRules> {
        Ok(Self { clients: by_key(clients)?, ..self })
    }

    /// The same rules with these invitations in place of the others. A key is a client's or one invitation's: what is
    /// neither's alone invites nobody.
    #[must_use]
    pub fn with_invitations(self, invitations: Vec<Invitation>) -> Self {
        let invitations = invitations.into_iter().map(|one| (*one.key().as_bytes(), one)).collect();
        Self { invitations, ..self }
    }

    /// The same rules with these doors in knockd's manner beside the others.
    #[must_use]
    pub fn with_knockd_doors(self, knockd_doors: Vec<KnockdDoor>) -> Self {
        Self { knockd_doors, ..self }
    }

    /// The same rules, where registered services have these names. What no door lists stays out.
    #[must_use]
    pub fn with_registered(self, services: impl IntoIterator<Item = (ServiceName, ServicePort)>) -> Self {
        let mut registered = BTreeMap::<_, BTreeSet<_>>::new();
        for (name, port) in services.into_iter().filter(|(_, port)| self.by_port.contains_key(port)) {
            registered.entry(name).or_default().insert(port);
        }
        Self { registered, ..self }
    }

    /// The doors in knockd's manner, in the order of their files.
    #[must_use]
    pub fn knockd_doors(&self) -> &[KnockdDoor] {
        &self.knockd_doors
    }

    /// The door of this name.
    #[must_use]
    pub fn door(&self, name: ServiceName) -> Option<&Door> {
        self.doors.get(&name)
    }

    /// The door that bears this name, or has it for an alias.
    #[must_use]
    pub fn door_called(&self, name: ServiceName) -> Option<&Door> {
        self.door(name).or_else(|| self.door(*self.by_alias.get(&name)?))
    }

    /// The ports of doors whose registered service has this name.
    pub fn registered(&self, name: ServiceName) -> impl Iterator<Item = ServicePort> {
        self.registered.get(&name).into_iter().flatten().copied()
    }

    /// The doors, by name.
    pub fn doors(&self) -> impl Iterator<Item = &Door> {
        self.doors.values()
    }

    /// The door that lists this port.
    #[must_use]
    pub fn door_of(&self, port: ServicePort) -> Option<&Door> {
        self.by_port.get(&port).and_then(|name| self.door(*name))
    }

    /// The enrolled client whose key has these bytes.
    #[must_use]
    pub fn client(&self, key: &[u8; 32]) -> Option<&Client> {
        self.clients.get(key)
    }

    /// The enrolled clients, by key.
    pub fn clients(&self) -> impl Iterator<Item = &Client> {
        self.clients.values()
    }

    /// The client of this name.
    #[must_use]
    pub fn client_named(&self, name: &ClientName) -> Option<&Client> {
        self.clients().find(|client| client.name == *name)
    }

    /// The invitation whose key has these bytes, used or not.
    #[must_use]
    pub fn invitation(&self, key: &[u8; 32]) -> Option<&Invitation> {
        self.invitations.get(key)
    }

    /// The invitations, by key.
    pub fn invitations(&self) -> impl Iterator<Item = &Invitation> {
        self.invitations.values()
    }

    /// Whether a client or an invitation has this key.
    #[must_use]
    pub fn has_key(&self, key: &ClientKey) -> bool {
        self.clients.contains_key(key.as_bytes()) || self.invitations.contains_key(key.as_bytes())
    }

    /// Takes in the client that this invitation has made of this key.
    pub(crate) fn enrol(&mut self, invitation: &Invitation, key: ClientKey) {
        let client = invitation.client_of(key);
        if self.client_named(&client.name).is_none() {
            self.clients.entry(*key.as_bytes()).or_insert(client);
        }
        if let Some(invitation) = self.invitations.get_mut(invitation.key().as_bytes()) {
            invitation.used_by = Some(key);
        }
    }

    /// Whether packets for this server key are ours.
    #[must_use]
    pub fn is_server(&self, key: &ServerKey) -> bool {
        self.servers.contains(key)
    }

    /// Makes these the server's live keys, the current one first.
    pub fn set_servers(&mut self, servers: Vec<ServerKey>) {
        self.servers = servers;
    }

    /// The server's live keys, the current one first.
    #[must_use]
    pub fn servers(&self) -> &[ServerKey] {
        &self.servers
    }

    /// How far a packet's time may be from now, either way.
    #[must_use]
    pub const fn window(&self) -> Duration {
        self.window
    }
}

/// The names of doors by their aliases: none of those is another door's name or alias.
fn by_alias(doors: &BTreeMap<ServiceName, Door>) -> Result<BTreeMap<ServiceName, ServiceName>, BadRules> {
    let mut by_alias = BTreeMap::new();
    for door in doors.values() {
        for alias in &door.aliases {
            if doors.contains_key(alias) || by_alias.insert(*alias, door.name).is_some() {
                return Err(BadRules::DoorTwice(*alias));
            }
        }
    }
    Ok(by_alias)
}

fn by_key(clients: Vec<Client>) -> Result<BTreeMap<[u8; 32], Client>, BadRules> {
    let mut by_key = BTreeMap::new();
    for client in clients {
        if let Some(earlier) = by_key.insert(*client.key.as_bytes(), client) {
            return Err(BadRules::ClientTwice(earlier.key));
        }
    }
    Ok(by_key)
}
