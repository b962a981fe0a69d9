//! The way to a server: which of its endpoints, which addresses of it, and this machine's own on the way.

use std::io;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};

use knock_spa_keys::endpoint::{Endpoint, Endpoints};

use crate::failure::{Failure, Status};
use crate::family::Family;
use crate::hosts::host_text;
use crate::io::net;
use crate::plan::{Route, Routes};

/// Which families to use, where not all.
#[derive(Clone, Copy, Debug, Default, clap::Args)]
pub(crate) struct Families {
    /// Uses IPv4 alone
    #[arg(short = '4', long = "ipv4", conflicts_with = "ipv6")]
    ipv4: bool,
    /// Uses IPv6 alone
    #[arg(short = '6', long = "ipv6")]
    ipv6: bool,
}

impl Families {
    pub(crate) const fn have(self, family: Family) -> bool {
        match family {
            Family::V4 => !self.ipv6,
            Family::V6 => !self.ipv4,
        }
    }

    /// The option that says this, where not all are used.
    pub(crate) const fn word(self) -> Option<&'static str> {
        match (self.ipv4, self.ipv6) {
            (true, _) => Some("-4"),
            (_, true) => Some("-6"),
            (false, false) => None,
        }
    }
}

/// Where packets go, and the ways there.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Way {
    /// The ways.
    pub(crate) routes: Routes,
    /// Where packets go.
    pub(crate) to: SocketAddr,
}

/// The way to the first endpoint whose host has an address. Later ones are for names that cannot be resolved,
/// not for servers that do not answer: a server that is silent never says whether it has heard.
pub(crate) fn find(endpoints: &Endpoints, families: Families) -> Result<Way, Failure> {
    let mut unresolved = Vec::new();
    for endpoint in endpoints {
        match addresses(endpoint, families) {
            Ok(addresses) => return way(endpoint, &addresses),
            Err(why) => unresolved.push(format!("{}: {why}", endpoint.host)),
        }
    }
    Err(Failure::new(Status::NoHost, "cannot find the server")
        .because(unresolved.join("; "))
        .hint("is this machine online, and does its resolver work?"))
}

fn addresses(endpoint: &Endpoint, families: Families) -> io::Result<Vec<IpAddr>> {
    let mut addresses = net::resolve(&host_text(endpoint))?;
    addresses.retain(|address| families.have(Family::of(*address)));
    if addresses.is_empty() {
        return Err(io::Error::new(io::ErrorKind::NotFound, "no address of that family"));
    }
    Ok(addresses)
}

/// The way to the first address of each family to which there is a route.
fn way(endpoint: &Endpoint, addresses: &[IpAddr]) -> Result<Way, Failure> {
    let port = endpoint.port.get();
    let v4 = addresses.iter().find_map(|address| route4(*address, port));
    let v6 = addresses.iter().find_map(|address| route6(*address, port));
    match Routes::new(v4, v6) {
        Some(routes) => Ok(Way { routes, to: SocketAddr::new(routes.server(), port) }),
        None => Err(Failure::new(Status::Unavailable, format!("no way to {}", endpoint.host))
            .because("this machine has no route to any of its addresses")
            .hint("is this machine online?")),
    }
}

fn route4(server: IpAddr, port: u16) -> Option<Route<Ipv4Addr>> {
    match (server, net::own_address(SocketAddr::new(server, port)).ok()?) {
        (IpAddr::V4(server), IpAddr::V4(own)) => Some(Route { server, own }),
        (IpAddr::V4(_) | IpAddr::V6(_), _) => None,
    }
}

fn route6(server: IpAddr, port: u16) -> Option<Route<Ipv6Addr>> {
    match (server, net::own_address(SocketAddr::new(server, port)).ok()?) {
        (IpAddr::V6(server), IpAddr::V6(own)) => Some(Route { server, own }),
        (IpAddr::V4(_) | IpAddr::V6(_), _) => None,
    }
}
