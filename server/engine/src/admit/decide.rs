//! Policy (`docs/protocol.md` section 4, stage 11): what of a request an enrolled client is granted.
//!
//! All or nothing: a request that asks for one thing too much opens nothing.

use alloc::collections::{BTreeMap, BTreeSet};
use alloc::vec::Vec;
use core::time::Duration;

use knock_spa_proto::address::Address;
use knock_spa_proto::port::ServicePort;
use knock_spa_proto::service::{Service, ServiceName, Services};
use knock_spa_proto::spa::request::{Addresses, Open};
use knock_spa_proto::time::UnixTime;

use crate::client::{AddressMode, Client, Right};
use crate::rules::{Door, Lease, Rules};

/// What a client is granted: only policy makes one.
#[derive(Debug)]
#[must_use]
pub(super) struct Grant<'a> {
    /// The doors, each with those of its ports that were asked for.
    pub(super) doors: Vec<(&'a Door, Vec<ServicePort>)>,
    /// For whom.
    pub(super) addresses: Vec<Address>,
}

/// The client may not ask for that.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Unauthorised;

/// What policy knows beside the request.
#[derive(Clone, Copy, Debug)]
pub(super) struct Circumstances<'a> {
    pub(super) rules: &'a Rules,
    /// The addresses of this machine.
    pub(super) own: &'a BTreeSet<Address>,
    /// Where the packet came from.
    pub(super) observed: Address,
}

impl<'a> Circumstances<'a> {
    /// Whether the address can be another machine's.
    pub(super) fn is_stranger(&self, address: Address) -> bool {
        address.is_remote_host() && !self.own.contains(&address)
    }

    /// What of `open` the client is granted.
    pub(super) fn decide(self, client: &Client, open: &Open) -> Result<Grant<'a>, Unauthorised> {
        let doors = self.resolve(open.services())?;
        let may = |(door, ports): &(&Door, Vec<ServicePort>)| may_open(client, door, ports);
        if !doors.iter().all(may) || !self.is_stranger(self.observed) {
            return Err(Unauthorised);
        }
        let addresses = self.addresses(client, open.to())?;
        Ok(Grant { doors, addresses })
    }

    /// The doors and ports that these services mean; a service that means nothing is nobody's to open.
    pub(super) fn resolve(
        self,
        services: &Services,
    ) -> Result<Vec<(&'a Door, Vec<ServicePort>)>, Unauthorised> {
        let mut asked: BTreeMap<ServiceName, (&'a Door, Vec<ServicePort>)> = BTreeMap::new();
        for service in services {
            for (door, ports) in self.meant(*service)? {
                let (_, all) = asked.entry(door.name).or_insert((door, Vec::new()));
                all.extend(ports);
                all.sort_unstable();
                all.dedup();
            }
        }
        Ok(asked.into_values().collect())
    }

    /// What one service means: a name is a door's or an alias of one, and else that of a registered service, whose
    /// ports are meant that doors list.
    fn meant(self, service: Service) -> Result<Vec<(&'a Door, Vec<ServicePort>)>, Unauthorised> {
        let name = match service {
            Service::Port(port) => return Ok([self.listed(port)?].into()),
            Service::Named(name) => name,
        };
        if let Some(door) = self.rules.door_called(name) {
            return Ok([(door, door.ports.clone())].into());
        }
        let ports: Vec<_> = self.rules.registered(name).collect();
        if ports.is_empty() {
            return Err(Unauthorised);
        }
        ports.into_iter().map(|port| self.listed(port)).collect()
    }

    fn listed(self, port: ServicePort) -> Result<(&'a Door, Vec<ServicePort>), Unauthorised> {
        Ok((self.rules.door_of(port).ok_or(Unauthorised)?, [port].into()))
    }

    fn addresses(self, client: &Client, asked: &Addresses) -> Result<Vec<Address>, Unauthorised> {
        let named: Vec<Address> =
            asked.v4().map(Address::from).into_iter().chain(asked.v6().map(Address::from)).collect();
        let mode_allows = match client.mode {
            AddressMode::Sender => true,
            AddressMode::Claimed => !asked.sender(),
            AddressMode::Match => !asked.sender() && named.contains(&self.observed),
        };
        let mut addresses = named;
        if asked.sender() && !addresses.contains(&self.observed) {
            addresses.push(self.observed);
        }
        let allowed = |address: &Address| self.is_stranger(*address) && may_be_at(client, *address);
        if mode_allows && addresses.iter().all(allowed) { Ok(addresses) } else { Err(Unauthorised) }
    }
}

/// Whether the client may open anything for this address.
pub(super) fn may_be_at(client: &Client, address: Address) -> bool {
    client.from.as_deref().is_none_or(|nets| nets.iter().any(|net| net.contains(address)))
}

/// Whether the client's rights cover all these ports of the door; a door without ports only by its name.
pub(super) fn may_open(client: &Client, door: &Door, ports: &[ServicePort]) -> bool {
    let by_name =
        || client.rights.iter().any(|right| matches!(right, Right::Door(name) if door.is_called(*name)));
    let covered = |port: &ServicePort| client.rights.iter().any(|right| right.covers(door, *port));
    if ports.is_empty() { by_name() } else { ports.iter().all(covered) }
}

/// How long `door` opens for `client`, who asked for `wish`: never more than either of them allows, and never
/// past the client's own end.
pub(super) fn lease(door: &Door, client: &Client, wish: Option<Duration>, now: UnixTime) -> Lease {
    wish.map_or(door.open_for, Lease::For).min(longest(door, client, now))
}

/// The most that `client` may have of `door` from now on.
pub(super) fn longest(door: &Door, client: &Client, now: UnixTime) -> Lease {
    let limits =
        [client.max_open.map(Lease::For), client.not_after.map(|end| Lease::For(end.saturating_since(now)))];
    limits.into_iter().flatten().fold(door.max_open, Lease::min)
}
