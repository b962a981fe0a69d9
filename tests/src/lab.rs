//! A lab of network namespaces: small networks with real kernels in them, made for one test each.
//!
//! ```text
//!   laptop                                          server
//!   192.0.2.2      eth0 ──────────────── to-laptop  192.0.2.1
//!   2001:db8:1::2                                   2001:db8:1::1
//!                                                                               inner
//!   stranger                              to-inner  10.0.0.1    ────────── eth0 10.0.0.2
//!   198.51.100.2   eth0 ──────────────── to-stranger 198.51.100.1               2001:db8:3::2
//!   2001:db8:2::2                                   2001:db8:2::1, 2001:db8:3::1
//! ```
//!
//! Every link is a veth pair. The server forwards, and everybody's default route leads to it, so that a
//! stranger reaches 192.0.2.1 as well as 10.0.0.2. The variation [`Bridged`] has a switch in the middle.
//!
//! Namespaces are held by a file descriptor and vanish with it; processes are killed when their guard is
//! dropped. It all works as root, and as an ordinary user inside `unshare -Urnm --propagation private`.

mod counting;
mod listener;
mod namespace;
mod probe;
mod process;
mod recorder;
mod wait;

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::ops::Deref;

pub use counting::{CountingService, CountingSession};
pub use listener::{Echo, Session};
pub use namespace::Namespace;
pub(crate) use probe::checksum;
pub use probe::{Answer, Segment};
pub use process::Running;
pub use recorder::{Packet, Recorder};
pub use wait::{PATIENCE, until};

/// A machine of the lab: a namespace and the addresses by which the others know it.
#[derive(Debug)]
pub struct Host {
    /// Where it lives.
    pub namespace: Namespace,
    /// Its address for IPv4.
    pub v4: Ipv4Addr,
    /// Its address for IPv6.
    pub v6: Ipv6Addr,
}

impl Host {
    fn new(v4: &str, v6: &str) -> Self {
        let namespace = Namespace::new();
        namespace.batch("link set lo up");
        Self { namespace, v4: v4.parse().unwrap(), v6: v6.parse().unwrap() }
    }

    /// Both addresses: for tests that treat the families alike.
    #[must_use]
    pub fn addresses(&self) -> [IpAddr; 2] {
        [self.v4.into(), self.v6.into()]
    }

    /// The address that has the family of `peer`.
    #[must_use]
    pub fn address_like(&self, peer: IpAddr) -> IpAddr {
        if peer.is_ipv4() { self.v4.into() } else { self.v6.into() }
    }

    /// Gives `eth0` the host's addresses and its default routes.
    fn configure(&self, gateway4: &str, gateway6: &str) {
        self.namespace.batch(&format!(
            "link set eth0 up
             addr add {}/24 dev eth0
             addr add {}/64 dev eth0 nodad
             route add default via {gateway4}
             route add default via {gateway6}",
            self.v4, self.v6
        ));
    }
}

impl Deref for Host {
    type Target = Namespace;

    fn deref(&self) -> &Namespace {
        &self.namespace
    }
}

/// The standard network, drawn at the top of this file.
#[derive(Debug)]
pub struct World {
    /// Somebody's own machine.
    pub laptop: Host,
    /// A machine of nobody known.
    pub stranger: Host,
    /// The guarded machine, which routes for all others.
    pub server: Host,
    /// A machine behind the server.
    pub inner: Host,
}

impl World {
    /// Builds the network; it is usable when this returns.
    ///
    /// # Panics
    /// Where namespaces cannot be made: the message says how to run the tests.
    #[must_use]
    pub fn new() -> Self {
        let world = Self {
            laptop: Host::new("192.0.2.2", "2001:db8:1::2"),
            stranger: Host::new("198.51.100.2", "2001:db8:2::2"),
            server: Host::new("192.0.2.1", "2001:db8:1::1"),
            inner: Host::new("10.0.0.2", "2001:db8:3::2"),
        };
        world.server.set("ipv4/ip_forward", "1");
        world.server.set("ipv6/conf/all/forwarding", "1");
        world.attach("to-laptop", &world.laptop, "192.0.2.1", "2001:db8:1::1");
        world.attach("to-stranger", &world.stranger, "198.51.100.1", "2001:db8:2::1");
        world.attach("to-inner", &world.inner, "10.0.0.1", "2001:db8:3::1");
        world
    }

    /// Lays a cable from the server's new interface `port` to the host's `eth0`.
    fn attach(&self, port: &str, host: &Host, gateway4: &str, gateway6: &str) {
        self.server.batch(&format!(
            "link add {port} type veth peer name eth0 netns {}
             link set {port} up
             addr add {gateway4}/24 dev {port}
             addr add {gateway6}/64 dev {port} nodad",
            host.path()
        ));
        host.configure(gateway4, gateway6);
        self.server.await_carrier(port);
    }
}

impl Default for World {
    fn default() -> Self {
        Self::new()
    }
}

/// Two hosts on a switch which shows what it passes on to its own firewall (`br_netfilter`), and which has
/// no address of its own:
///
/// ```text
///   left            switch            right
///   192.0.2.2  ──── br0 ────────── 192.0.2.3
///   2001:db8:1::2                  2001:db8:1::3
/// ```
#[derive(Debug)]
pub struct Bridged {
    /// One host.
    pub left: Host,
    /// The other.
    pub right: Host,
    /// The machine between them.
    pub switch: Namespace,
}

impl Bridged {
    /// Builds the network; it is usable when this returns.
    ///
    /// # Panics
    /// Where namespaces cannot be made: the message says how to run the tests.
    #[must_use]
    pub fn new() -> Self {
        let world = Self {
            left: Host::new("192.0.2.2", "2001:db8:1::2"),
            right: Host::new("192.0.2.3", "2001:db8:1::3"),
            switch: Namespace::new(),
        };
        world.switch.batch("link set lo up\n link add br0 type bridge\n link set br0 up");
        world.switch.set("bridge/bridge-nf-call-iptables", "1");
        world.switch.set("bridge/bridge-nf-call-ip6tables", "1");
        for (port, host) in [("port1", &world.left), ("port2", &world.right)] {
            world.switch.batch(&format!(
                "link add {port} type veth peer name eth0 netns {}
                 link set {port} master br0
                 link set {port} up",
                host.path()
            ));
            host.batch(&format!(
                "link set eth0 up\n addr add {}/24 dev eth0\n addr add {}/64 dev eth0 nodad",
                host.v4, host.v6
            ));
        }
        world.switch.await_forwarding(["port1", "port2"]);
        world
    }
}

impl Default for Bridged {
    fn default() -> Self {
        Self::new()
    }
}
