//! Which addresses this machine has, and word of every change (rtnetlink(7)).

mod default_link;

use std::collections::BTreeSet;
use std::io;
use std::net::{Ipv4Addr, Ipv6Addr};
use std::os::fd::{AsFd, BorrowedFd};

use knock_spa_proto::address::Address;
use netlink_sys::protocols::NETLINK_ROUTE;

pub use self::default_link::default_interface;
use crate::config::settings::{Interfaces, Link};
use crate::io::packet_socket;
use crate::netlink::{Attributes, Fault, NLM_F_DUMP, Request, Socket, attribute};
use crate::nft::Trusted;

/// Links come, go, and change (`RTNLGRP_LINK`).
const GROUP_LINK: u32 = 1;
/// IPv4 addresses come and go (`RTNLGRP_IPV4_IFADDR`).
const GROUP_IPV4_ADDRESS: u32 = 5;
/// IPv6 addresses come and go (`RTNLGRP_IPV6_IFADDR`).
const GROUP_IPV6_ADDRESS: u32 = 9;

/// Asks for addresses (`RTM_GETADDR`).
const GET_ADDRESS: u16 = 22;
/// The length of `struct ifaddrmsg`.
const ADDRESS_HEAD: usize = 8;
/// The address, or that of the other end of a point-to-point link (`IFA_ADDRESS`).
const IFA_ADDRESS: u16 = 1;
/// The address of this end (`IFA_LOCAL`).
const IFA_LOCAL: u16 = 2;

/// The label of an IPv4 address (`IFA_LABEL`).
const IFA_LABEL: u16 = 3;
/// Where `struct ifaddrmsg` has the interface's index.
const INDEX_AT: usize = 4;

/// How often the list is asked for again that changed while it was told.
const ATTEMPTS: usize = 16;

/// The addresses of this machine, each with the interface that has it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Addresses(Vec<Owned>);

#[derive(Clone, Debug, PartialEq, Eq)]
struct Owned {
    address: Address,
    interface: u32,
    /// For IPv4 only.
    label: Option<String>,
}

impl Addresses {
    /// What the kernel says.
    ///
    /// # Errors
    /// What the kernel said instead.
    pub fn read() -> io::Result<Self> {
        let mut socket = Socket::connect(NETLINK_ROUTE, &[])?;
        let request = Request {
            kind: GET_ADDRESS,
            flags: NLM_F_DUMP,
            head: &[0; ADDRESS_HEAD],
            attributes: &Attributes::new(),
        };
        for _ in 0..ATTEMPTS {
            let mut owned = Vec::new();
            match socket.dump(&request, |body| owned.extend(Owned::read(body))) {
                Ok(()) => return Ok(Self(owned)),
                Err(Fault::Changed) => {}
                Err(Fault::Refused(refused)) => return Err(io::Error::other(refused.to_string())),
                Err(Fault::Io(error)) => return Err(error),
                Err(Fault::NoAnswer) => return Err(io::Error::other("the kernel gave no answer")),
            }
        }
        Err(io::Error::other("addresses change faster than they can be read"))
    }

    /// All of them, loopback's among them.
    #[must_use]
    pub fn all(&self) -> BTreeSet<Address> {
        self.0.iter().map(|owned| owned.address).collect()
    }

    /// Those of this machine at interfaces that the guard trusts; none where that cannot be told.
    #[must_use]
    pub fn at_trusted(trusted: &[Trusted]) -> BTreeSet<Address> {
        let names = Trusted::interfaces(trusted);
        if names.is_empty() {
            return BTreeSet::new();
        }
        let indices: BTreeSet<u32> =
            names.iter().filter_map(|name| packet_socket::interface_index(name.as_str()).ok()).collect();
        let Ok(Self(all)) = Self::read() else { return BTreeSet::new() };
        all.iter().filter(|owned| indices.contains(&owned.interface)).map(|owned| owned.address).collect()
    }

    /// Those at which knocks on these interfaces count.
    #[must_use]
    pub fn of(&self, interfaces: &Interfaces) -> BTreeSet<Address> {
        match interfaces {
            Interfaces::AllButLoopback | Interfaces::All | Interfaces::Named(_) => self.all(),
            Interfaces::Owning(links) => links.iter().flat_map(|link| self.of_link(link)).collect(),
            Interfaces::Default { ipv6 } => {
                default_link(*ipv6).iter().flat_map(|link| self.of_link(link)).collect()
            }
        }
    }

    fn of_link(&self, link: &Link) -> impl Iterator<Item = Address> {
        let index = packet_socket::interface_index(link.name.as_str()).ok();
        let is_bare = link.label == link.name.as_str();
        self.0.iter().filter_map(move |owned| {
            let is_ours = match &owned.label {
                Some(label) => *label == link.label,
                None => link.ipv6 && is_bare,
            };
            (Some(owned.interface) == index && is_ours).then_some(owned.address)
        })
    }
}

/// The link that is listened on where nobody names one, as things are now.
#[must_use]
pub fn default_link(ipv6: bool) -> Option<Link> {
    let label = default_interface();
    Some(Link { name: label.parse().ok()?, label, ipv6 })
}

impl Owned {
    /// Reads the body of a message on an address.
    fn read(body: &[u8]) -> Option<Self> {
        let interface = u32::from_ne_bytes(*body.get(INDEX_AT..ADDRESS_HEAD)?.first_chunk()?);
        let attributes = body.get(ADDRESS_HEAD..)?;
        let bytes = attribute(attributes, IFA_LOCAL).or_else(|| attribute(attributes, IFA_ADDRESS))?;
        if let Ok(v4) = <[u8; 4]>::try_from(bytes) {
            let label = attribute(attributes, IFA_LABEL).unwrap_or_default();
            let label = String::from_utf8_lossy(label.strip_suffix(b"\0").unwrap_or(label)).into_owned();
            return Some(Self { address: Ipv4Addr::from(v4).into(), interface, label: Some(label) });
        }
        let v6 = <[u8; 16]>::try_from(bytes).ok()?;
        Some(Self { address: Ipv6Addr::from(v6).into(), interface, label: None })
    }
}

/// Word of changes of links and addresses: its descriptor is readable when there was one.
#[derive(Debug)]
pub struct AddressWatch(Socket);

impl AddressWatch {
    /// Hears of every change from now on.
    ///
    /// # Errors
    /// What the kernel said.
    pub fn new() -> io::Result<Self> {
        let groups = [GROUP_LINK, GROUP_IPV4_ADDRESS, GROUP_IPV6_ADDRESS];
        Socket::connect(NETLINK_ROUTE, &groups).map(Self)
    }

    /// Takes note of every change there was; whether there was one.
    ///
    /// # Errors
    /// What the system said. Lost messages are a change.
    pub fn changed(&mut self) -> io::Result<bool> {
        let mut changed = false;
        loop {
            match self.0.read(|_| changed = true) {
                Ok(true) => {}
                Ok(false) => return Ok(changed),
                Err(error) if error.raw_os_error() == Some(libc::ENOBUFS) => changed = true,
                Err(error) => return Err(error),
            }
        }
    }
}

impl AsFd for AddressWatch {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.0.as_fd()
    }
}
