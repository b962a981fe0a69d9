//! What to ask for and where to look for the answer, decided without asking anybody.

use std::collections::BTreeMap;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::num::NonZeroU16;

use knock_spa_proto::port::Transport;
use knock_spa_proto::service::{Service, ServiceName, Services};
use knock_spa_proto::spa::request::{Addresses, Open, OpensNothing};
use knock_spa_proto::span::Span;

use crate::family::Family;
use crate::services::Database;
use crate::source::Source;

/// How this machine reaches a server over one family.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Route<A> {
    /// The server's address.
    pub(crate) server: A,
    /// The address that this machine has on the way there.
    pub(crate) own: A,
}

/// How this machine reaches a server: over one family, or over both.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Routes {
    v4: Option<Route<Ipv4Addr>>,
    v6: Option<Route<Ipv6Addr>>,
    /// The family of the packet: IPv4 wherever there is a route.
    family: Family,
    /// The server's address of that family.
    server: IpAddr,
    /// This machine's.
    own: IpAddr,
}

impl Routes {
    /// The routes, unless there is none.
    pub(crate) fn new(v4: Option<Route<Ipv4Addr>>, v6: Option<Route<Ipv6Addr>>) -> Option<Self> {
        let over4 = v4.map(|route| (IpAddr::V4(route.server), IpAddr::V4(route.own)));
        let over6 = v6.map(|route| (IpAddr::V6(route.server), IpAddr::V6(route.own)));
        over4.or(over6).map(|(server, own)| Self { v4, v6, family: Family::of(server), server, own })
    }

    /// Where the packet goes.
    pub(crate) const fn server(&self) -> IpAddr {
        self.server
    }

    /// From where the packet goes, as far as this machine knows.
    pub(crate) const fn own(&self) -> IpAddr {
        self.own
    }

    /// Whom to open for (`docs/protocol.md` section 3): own addresses are stated where they are global, for
    /// then nobody can redirect the opening; the packet's own source counts only where that family's is not.
    pub(crate) fn addresses(&self, source: Source) -> Addresses {
        match source {
            Source::Stated(addresses) => addresses,
            Source::Sender => Addresses::NONE.with_sender(),
            Source::Auto => {
                let stated = self.stated();
                if has(stated, self.family) { stated } else { stated.with_sender() }
            }
        }
    }

    /// The global ones of this machine's addresses.
    fn stated(&self) -> Addresses {
        let none = Addresses::NONE;
        let v4 = self.v4.map(|route| route.own).filter(is_global_v4);
        let with_v4 = v4.and_then(|v4| none.with_v4(v4).ok()).unwrap_or(none);
        let v6 = self.v6.map(|route| route.own).filter(is_global_v6);
        v6.and_then(|v6| with_v4.with_v6(v6).ok()).unwrap_or(with_v4)
    }

    /// The server's addresses that will be open to this machine once it opens for `addresses`.
    fn opened(&self, addresses: Addresses) -> Vec<IpAddr> {
        let sender = |family| addresses.sender() && self.family == family;
        self.servers(
            |own| addresses.v4() == Some(own) || sender(Family::V4),
            |own| addresses.v6() == Some(own) || sender(Family::V6),
        )
    }

    /// The server's addresses of the families that `addresses` states, whoever they belong to.
    fn of_stated_families(&self, addresses: Addresses) -> Vec<IpAddr> {
        self.servers(|_| has(addresses, Family::V4), |_| has(addresses, Family::V6))
    }

    /// The server's address of each family in which this machine's own address passes.
    fn servers(&self, v4: impl FnOnce(Ipv4Addr) -> bool, v6: impl FnOnce(Ipv6Addr) -> bool) -> Vec<IpAddr> {
        let v4 = self.v4.filter(|route| v4(route.own)).map(|route| IpAddr::V4(route.server));
        let v6 = self.v6.filter(|route| v6(route.own)).map(|route| IpAddr::V6(route.server));
        v4.into_iter().chain(v6).collect()
    }
}

/// Whether an address of this family is stated.
const fn has(addresses: Addresses, family: Family) -> bool {
    match family {
        Family::V4 => addresses.v4().is_some(),
        Family::V6 => addresses.v6().is_some(),
    }
}

/// Whether an address is one by which the world knows its host.
pub(crate) fn is_global(address: IpAddr) -> bool {
    match address {
        IpAddr::V4(v4) => is_global_v4(&v4),
        IpAddr::V6(v6) => is_global_v6(&v6),
    }
}

/// Whether an address is one that a provider shares out behind its own NAT (RFC 6598).
pub(crate) fn is_shared_v4(address: &Ipv4Addr) -> bool {
    let [a, b, _, _] = address.octets();
    a == 100 && b & 0xc0 == 64
}

/// Whether an address is one by which the world knows its host. Addresses for documentation (RFC 5737) count:
/// networks that use them as examples use them as global ones.
fn is_global_v4(address: &Ipv4Addr) -> bool {
    let [a, b, c, _] = address.octets();
    let protocol_assignments = a == 192 && b == 0 && c == 0; // RFC 6890, 464XLAT among them
    let benchmarking = a == 198 && b & 0xfe == 18; // RFC 2544
    !(a == 0
        || a >= 224
        || address.is_private()
        || address.is_loopback()
        || address.is_link_local()
        || is_shared_v4(address)
        || protocol_assignments
        || benchmarking)
}

/// Whether an address is of `2000::/3`, the global unicast addresses (RFC 4291 section 2.4).
fn is_global_v6(address: &Ipv6Addr) -> bool {
    address.octets().first().is_some_and(|first| first >> 5 == 1)
}

/// Where to look whether a request was granted.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Look {
    /// At these ports, at least one: each must answer.
    At(Vec<Probe>),
    /// Nowhere: no TCP port is known for what was asked for.
    NoPort,
    /// Nowhere: the opening is for somebody else's address.
    SomebodyElse,
}

/// A TCP port that answers once the request is granted.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Probe {
    /// What it is called.
    pub(crate) name: String,
    /// Where it is: one address of the server for each family, at least one; an answer from one will do.
    pub(crate) at: Vec<SocketAddr>,
}

/// Where the TCP ports of services are.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Ports<'a> {
    /// The port that the user names for this once.
    pub(crate) named: Option<NonZeroU16>,
    /// The host's own.
    pub(crate) of_host: &'a BTreeMap<ServiceName, NonZeroU16>,
    /// The usual ones.
    pub(crate) usual: &'a Database,
}

impl Ports<'_> {
    /// The ports to look at, and what to call them.
    fn worth_a_look(self, services: &Services) -> BTreeMap<NonZeroU16, String> {
        if let Some(port) = self.named {
            return BTreeMap::from([(port, format!("tcp/{port}"))]);
        }
        let mut ports = BTreeMap::new();
        for service in services {
            if let Some(port) = self.of(service) {
                ports.entry(port).or_insert_with(|| service.to_string());
            }
        }
        ports
    }

    fn of(self, service: &Service) -> Option<NonZeroU16> {
        match service {
            Service::Port(port) => Some(port.port).filter(|_| port.transport == Transport::Tcp),
            Service::Named(name) => {
                let of_host = self.of_host.get(name).copied();
                of_host.or_else(|| self.usual.port(name.as_str(), Transport::Tcp))
            }
        }
    }
}

/// What to ask for, and where to look for the answer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Plan {
    /// The request.
    pub(crate) request: Open,
    /// Where to look.
    pub(crate) look: Look,
}

/// Asks to open `services` for `span`, or for as long as the server's default says.
pub(crate) fn open(
    services: Services,
    span: Option<Span>,
    source: Source,
    routes: &Routes,
    ports: Ports<'_>,
) -> Result<Plan, OpensNothing> {
    let addresses = routes.addresses(source);
    let look = look(&services, addresses, routes, ports);
    Ok(Plan { request: Open::new(services, addresses, span.map(Span::secs))?, look })
}

fn look(services: &Services, addresses: Addresses, routes: &Routes, ports: Ports<'_>) -> Look {
    let worth = ports.worth_a_look(services);
    let mut servers = routes.opened(addresses);
    if servers.is_empty() && ports.named.is_some() {
        // Behind NAT, one's own address is not on any interface; who names a port wants it tried.
        servers = routes.of_stated_families(addresses);
    }
    if servers.is_empty() {
        return Look::SomebodyElse;
    }
    if worth.is_empty() {
        return Look::NoPort;
    }
    let at = |port: NonZeroU16| servers.iter().map(|ip| SocketAddr::new(*ip, port.get())).collect();
    Look::At(worth.into_iter().map(|(port, name)| Probe { name, at: at(port) }).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    const V4: Ipv4Addr = Ipv4Addr::new(203, 0, 113, 5);
    const OWN4: Ipv4Addr = Ipv4Addr::new(198, 51, 100, 7);
    const PRIVATE4: Ipv4Addr = Ipv4Addr::new(192, 168, 1, 7);
    const V6: Ipv6Addr = Ipv6Addr::new(0x2001, 0xdb8, 0, 0, 0, 0, 0, 5);
    const OWN6: Ipv6Addr = Ipv6Addr::new(0x2001, 0xdb8, 1, 0, 0, 0, 0, 7);
    const PRIVATE6: Ipv6Addr = Ipv6Addr::new(0xfd00, 0, 0, 0, 0, 0, 0, 7);

    fn routes(own4: Option<Ipv4Addr>, own6: Option<Ipv6Addr>) -> Routes {
        let v4 = own4.map(|own| Route { server: V4, own });
        Routes::new(v4, own6.map(|own| Route { server: V6, own })).unwrap()
    }

    fn planned(own4: Option<Ipv4Addr>, own6: Option<Ipv6Addr>, source: &str) -> (Addresses, Look) {
        let usual = Database::new("ssh 22/tcp".into());
        let ports = Ports { named: None, of_host: &BTreeMap::new(), usual: &usual };
        let plan = open("ssh".parse().unwrap(), None, source.parse().unwrap(), &routes(own4, own6), ports);
        let plan = plan.unwrap();
        (*plan.request.to(), plan.look)
    }

    fn addresses(sender: bool, v4: Option<Ipv4Addr>, v6: Option<Ipv6Addr>) -> Addresses {
        let none = if sender { Addresses::NONE.with_sender() } else { Addresses::NONE };
        let with_v4 = v4.map_or(none, |v4| none.with_v4(v4).unwrap());
        v6.map_or(with_v4, |v6| with_v4.with_v6(v6).unwrap())
    }

    fn at(servers: &[IpAddr]) -> Look {
        let at = servers.iter().map(|ip| SocketAddr::new(*ip, 22)).collect();
        Look::At(vec![Probe { name: "ssh".into(), at }])
    }

    #[test]
    fn the_packet_goes_over_ipv4_where_it_can() {
        assert_eq!(routes(Some(PRIVATE4), Some(OWN6)).server(), IpAddr::V4(V4));
        assert_eq!(routes(None, Some(OWN6)).server(), IpAddr::V6(V6));
        assert_eq!(Routes::new(None, None), None);
    }

    #[test]
    fn global_addresses_are_stated_and_the_sender_counts_only_behind_nat() {
        let (v4, v6) = (IpAddr::V4(V4), IpAddr::V6(V6));
        for (own4, own6, sender, stated4, stated6, servers) in [
            (Some(OWN4), None, false, Some(OWN4), None, vec![v4]),
            (Some(PRIVATE4), None, true, None, None, vec![v4]),
            (None, Some(OWN6), false, None, Some(OWN6), vec![v6]),
            (None, Some(PRIVATE6), true, None, None, vec![v6]),
            (Some(OWN4), Some(OWN6), false, Some(OWN4), Some(OWN6), vec![v4, v6]),
            (Some(PRIVATE4), Some(OWN6), true, None, Some(OWN6), vec![v4, v6]),
            (Some(PRIVATE4), Some(PRIVATE6), true, None, None, vec![v4]),
            (Some(OWN4), Some(PRIVATE6), false, Some(OWN4), None, vec![v4]),
        ] {
            let (to, look) = planned(own4, own6, "auto");
            assert_eq!(to, addresses(sender, stated4, stated6), "{own4:?} {own6:?}");
            assert_eq!(look, at(&servers), "{own4:?} {own6:?}");
        }
    }

    #[test]
    fn the_user_may_say_whom_to_open_for() {
        let (to, look) = planned(Some(OWN4), Some(OWN6), "sender");
        assert_eq!(to, addresses(true, None, None));
        assert_eq!(look, at(&[IpAddr::V4(V4)]));

        let (to, look) = planned(Some(PRIVATE4), Some(OWN6), &format!("192.0.2.9,{OWN6}"));
        assert_eq!(to, addresses(false, Some([192, 0, 2, 9].into()), Some(OWN6)));
        assert_eq!(look, at(&[IpAddr::V6(V6)]), "the other address is somebody else's");

        assert_eq!(planned(Some(OWN4), Some(OWN6), "192.0.2.9").1, Look::SomebodyElse);
        assert_eq!(planned(Some(OWN4), None, "2001:db8:1::7").1, Look::SomebodyElse, "no route");
    }

    #[test]
    fn ports_are_found_in_order() {
        let usual = Database::new("ssh 22/tcp\nhttps 443/tcp\ndomain 53/udp".into());
        let of_host = BTreeMap::from([("ssh".parse().unwrap(), NonZeroU16::new(2222).unwrap())]);
        let shown = |services: &str, named: Option<u16>| {
            let ports = Ports { named: named.and_then(NonZeroU16::new), of_host: &of_host, usual: &usual };
            let ports = ports.worth_a_look(&services.parse().unwrap());
            ports.into_iter().map(|(port, name)| format!("{name}={port} ")).collect::<String>()
        };
        assert_eq!(shown("ssh,https,tcp/9", None), "tcp/9=9 https=443 ssh=2222 ");
        assert_eq!(shown("https,tcp/443", None), "https=443 ");
        assert_eq!(shown("domain,udp/51820,nothing", None), "");
        assert_eq!(shown("ssh,https", Some(8022)), "tcp/8022=8022 ");
    }

    #[test]
    fn where_nothing_can_be_seen_it_does_not_look() {
        let empty = BTreeMap::new();
        let usual = Database::default();
        let ports = Ports { named: None, of_host: &empty, usual: &usual };
        let routes = routes(Some(PRIVATE4), None);
        let look = |source: &str, ports| {
            open("ssh".parse().unwrap(), None, source.parse().unwrap(), &routes, ports).unwrap().look
        };
        assert_eq!(look("auto", ports), Look::NoPort);

        let named = Ports { named: NonZeroU16::new(22), ..ports };
        assert_eq!(look("192.0.2.9", ports), Look::SomebodyElse);
        let Look::At(probes) = look("192.0.2.9", named) else { panic!() };
        assert_eq!(probes[0].at, [SocketAddr::from((V4, 22))]);
    }

    #[test]
    fn nothing_is_no_request() {
        let ports = Ports { named: None, of_host: &BTreeMap::new(), usual: &Database::default() };
        let plan = open(Services::none(), None, Source::Auto, &routes(Some(OWN4), None), ports);
        assert_eq!(plan, Err(OpensNothing::NoService));
    }

    #[test]
    fn global_is_what_the_world_sees() {
        for text in [
            "0.1.2.3",
            "10.0.0.1",
            "100.64.0.1",
            "100.127.255.255",
            "127.0.0.1",
            "169.254.1.1",
            "172.31.0.1",
            "192.0.0.4",
            "192.168.0.1",
            "198.19.0.1",
            "224.0.0.1",
            "255.255.255.255",
        ] {
            assert!(!is_global_v4(&text.parse().unwrap()), "{text}");
        }
        for text in
            ["1.1.1.1", "100.63.0.1", "100.128.0.1", "172.32.0.1", "192.0.1.1", "192.0.2.1", "198.20.0.1"]
        {
            assert!(is_global_v4(&text.parse().unwrap()), "{text}");
        }
        for text in ["::1", "fe80::1", "fd00::1", "ff02::1", "64:ff9b::1", "::"] {
            assert!(!is_global_v6(&text.parse().unwrap()), "{text}");
        }
        for text in ["2001:db8::1", "2a00::1", "3fff::1"] {
            assert!(is_global_v6(&text.parse().unwrap()), "{text}");
        }
    }
}
