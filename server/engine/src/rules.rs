//! What the administrator decided: doors, clients and the server's keys, checked as a whole.

use alloc::collections::BTreeMap;
use alloc::vec::Vec;
use core::time::Duration;

use knock_spa_keys::client::ClientKey;
use knock_spa_keys::server::ServerKey;
use knock_spa_proto::knock::ClassicKnock;
use knock_spa_proto::port::ServicePort;
use knock_spa_proto::service::ServiceName;

use crate::client::{Client, ClientName};
use crate::command::CommandAction;
use crate::invitation::Invitation;
use crate::knockd::KnockdDoor;

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
    /// The administrator's commands run.
    Command(CommandAction),
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
            Action::Guard => Self::Keep,
            Action::Command(_) => Self::Close,
        }
    }
}

/// A door: ports that open together, and how.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Door {
    /// Its name, by which clients ask for it.
    pub name: ServiceName,
    /// The ports, without repeats; may be empty only where a classic knock runs commands.
    pub ports: Vec<ServicePort>,
    /// How long it opens where nobody asks for another span.
    pub open_for: Lease,
    /// The most that anybody may ask for.
    pub max_open: Lease,
    /// What opening does.
    pub action: Action,
    /// What becomes of its openings when the daemon stops.
    pub on_stop: OnStop,
    /// The classic knock that opens it, if one does.
    pub classic: Option<ClassicKnock>,
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
    /// Two doors bear this name.
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
        let clients = by_key(clients)?;
        Ok(Self {
            doors: by_name,
            by_port,
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

fn by_key(clients: Vec<Client>) -> Result<BTreeMap<[u8; 32], Client>, BadRules> {
    let mut by_key = BTreeMap::new();
    for client in clients {
        if let Some(earlier) = by_key.insert(*client.key.as_bytes(), client) {
            return Err(BadRules::ClientTwice(earlier.key));
        }
    }
    Ok(by_key)
}
