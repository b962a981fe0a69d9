//! The sets of our table, and their elements as the kernel holds them.

use std::net::IpAddr;
use std::time::Duration;

use knock_spa_proto::address::Address;
use knock_spa_proto::element::Element;
use knock_spa_proto::port::{ServicePort, Transport};

use super::TABLE;
use super::kept::Kept;
use super::kernel::*;
use crate::netlink::{Attributes, attribute, attributes};

/// The most elements of each set that grows with use: it bounds the kernel's memory.
pub const ELEMENTS_MAX: u32 = 1 << 16;
/// The most guarded ports: they must fit one batch.
pub const DOORS_MAX: u32 = 1024;

/// A shorter timeout could be rounded to none by old kernels, and none means for ever.
const TIMEOUT_MIN: Duration = Duration::from_millis(20);
/// Ten years: a longer timeout could overflow in the kernel.
pub(super) const TIMEOUT_MAX: Duration = Duration::from_secs(10 * 365 * 24 * 60 * 60);
/// Elements in one message: 256 of the longest are 16 KiB, and an attribute holds less than 64 KiB.
pub(super) const ELEMENTS_PER_MESSAGE: usize = 256;

/// A set of our table.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Set {
    /// Guarded ports.
    Doors,
    /// Who may pass, over IPv4.
    Open4,
    /// Who may pass, over IPv6.
    Open6,
    /// Whose flows were cut, over IPv4: what is established counts for nothing.
    Cut4,
    /// Whose flows were cut, over IPv6.
    Cut6,
    /// Sessions older than the guard, over IPv4.
    Kept4,
    /// Sessions older than the guard, over IPv6.
    Kept6,
    /// Types of addresses that are not this machine's.
    Elsewhere,
}

impl Set {
    pub(super) const ALL: [Self; 8] = [
        Self::Doors,
        Self::Open4,
        Self::Open6,
        Self::Cut4,
        Self::Cut6,
        Self::Kept4,
        Self::Kept6,
        Self::Elsewhere,
    ];

    pub(super) const fn name(self) -> &'static str {
        match self {
            Self::Doors => "doors",
            Self::Open4 => "open4",
            Self::Open6 => "open6",
            Self::Cut4 => "cut4",
            Self::Cut6 => "cut6",
            Self::Kept4 => "kept4",
            Self::Kept6 => "kept6",
            Self::Elsewhere => "elsewhere",
        }
    }

    /// The fields of a key, by which the `nft` program knows how to print it.
    const fn fields(self) -> &'static [KeyField] {
        match self {
            Self::Doors => &[KeyField::Protocol, KeyField::Port],
            Self::Open4 | Self::Cut4 => &[KeyField::Ipv4, KeyField::Protocol, KeyField::Port],
            Self::Open6 | Self::Cut6 => &[KeyField::Ipv6, KeyField::Protocol, KeyField::Port],
            Self::Kept4 => &[KeyField::Ipv4, KeyField::Port, KeyField::Port],
            Self::Kept6 => &[KeyField::Ipv6, KeyField::Port, KeyField::Port],
            Self::Elsewhere => &[KeyField::AddressType],
        }
    }

    const fn flags(self) -> u32 {
        match self {
            Self::Elsewhere => NFT_SET_CONSTANT,
            Self::Doors | Self::Open4 | Self::Open6 | Self::Cut4 | Self::Cut6 | Self::Kept4 | Self::Kept6 => {
                NFT_SET_TIMEOUT
            }
        }
    }

    const fn size(self) -> u32 {
        match self {
            Self::Doors => DOORS_MAX,
            Self::Elsewhere => 2,
            Self::Open4 | Self::Open6 | Self::Cut4 | Self::Cut6 | Self::Kept4 | Self::Kept6 => ELEMENTS_MAX,
        }
    }

    /// What a message that makes the set says; `id` is its own within the batch.
    pub(super) fn attributes(self, id: u32) -> Attributes {
        let key_type = self.fields().iter().fold(0, |all, field| (all << 6) | field.type_number());
        let key_len = self.fields().iter().fold(0_u32, |all, field| all.saturating_add(field.len()));
        Attributes::new()
            .text(NFTA_TABLE, TABLE)
            .text(NFTA_SET_NAME, self.name())
            .be32(NFTA_SET_FLAGS, self.flags())
            .be32(NFTA_SET_KEY_TYPE, key_type)
            .be32(NFTA_SET_KEY_LEN, key_len)
            .be32(NFTA_SET_ID, id)
            .nest(NFTA_SET_DESC, &Attributes::new().be32(NFTA_SET_DESC_SIZE, self.size()))
    }

    /// What a message that asks for the set's elements says.
    pub(super) fn reference(self) -> Attributes {
        Attributes::new().text(NFTA_TABLE, TABLE).text(NFTA_SET_ELEM_LIST_SET, self.name())
    }
}

/// A field of a key, four or sixteen bytes long.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum KeyField {
    Ipv4,
    Ipv6,
    Protocol,
    Port,
    AddressType,
}

impl KeyField {
    /// The field with this number of its type, if a key of [`super::filler`] can have it.
    pub(super) const fn of_number(number: u32) -> Option<Self> {
        match number {
            7 => Some(Self::Ipv4),
            8 => Some(Self::Ipv6),
            12 => Some(Self::Protocol),
            13 => Some(Self::Port),
            _ => None,
        }
    }

    /// The type's name in the `nft` program.
    pub(super) const fn name(self) -> &'static str {
        match self {
            Self::Ipv4 => "ipv4_addr",
            Self::Ipv6 => "ipv6_addr",
            Self::Protocol => "inet_proto",
            Self::Port => "inet_service",
            Self::AddressType => "fib_addrtype",
        }
    }

    /// The type's number in the `nft` program (`enum datatypes` of its datatype.h): six bits.
    const fn type_number(self) -> u32 {
        match self {
            Self::Ipv4 => 7,
            Self::Ipv6 => 8,
            Self::Protocol => 12,
            Self::Port => 13,
            Self::AddressType => 38,
        }
    }

    const fn len(self) -> u32 {
        match self {
            Self::Ipv6 => 16,
            Self::Ipv4 | Self::Protocol | Self::Port | Self::AddressType => 4,
        }
    }
}

/// An element as it is sent: its set, its key, and for how long it is to be there (`None`: until removed).
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Entry {
    pub(super) set: Set,
    key: Vec<u8>,
    timeout: Option<Duration>,
}

impl Entry {
    /// A guarded port.
    pub(super) fn door(port: ServicePort, timeout: Option<Duration>) -> Self {
        Self { set: Set::Doors, key: port_key(port), timeout }
    }

    /// An open element.
    pub(super) fn open(element: Element, timeout: Option<Duration>) -> Self {
        let set = if element.address.ip().is_ipv4() { Set::Open4 } else { Set::Open6 };
        Self { set, key: [address_key(element.address), port_key(element.port)].concat(), timeout }
    }

    /// An element whose flows were cut.
    pub(super) fn cut(element: Element, timeout: Duration) -> Self {
        let open = Self::open(element, Some(timeout));
        Self { set: if open.set == Set::Open4 { Set::Cut4 } else { Set::Cut6 }, ..open }
    }

    /// A session older than the guard.
    pub(super) fn kept(kept: Kept, timeout: Duration) -> Self {
        let set = if kept.client.ip().is_ipv4() { Set::Kept4 } else { Set::Kept6 };
        let ports = [kept.client_port, kept.port.get()].map(|port| padded(&port.to_be_bytes()));
        Self { set, key: [address_key(kept.client), ports.concat()].concat(), timeout: Some(timeout) }
    }

    /// A type of addresses: one of `RTN_*`.
    pub(super) fn elsewhere(address_type: u32) -> Self {
        Self { set: Set::Elsewhere, key: address_type.to_ne_bytes().to_vec(), timeout: None }
    }

    fn attributes(&self) -> Attributes {
        element(&self.key, self.timeout)
    }
}

/// What a message says of an element with this key that is there for so long (`None`: until removed).
pub(super) fn element(key: &[u8], timeout: Option<Duration>) -> Attributes {
    let key = Attributes::new().bytes(NFTA_DATA_VALUE, key);
    let element = Attributes::new().nest(NFTA_SET_ELEM_KEY, &key);
    match timeout.map(milliseconds) {
        Some(timeout) => element.be64(NFTA_SET_ELEM_TIMEOUT, timeout),
        None => element,
    }
}

/// What the messages that add or remove these entries say, in any order.
pub(super) fn messages(entries: &[Entry]) -> impl Iterator<Item = Attributes> {
    Set::ALL.into_iter().flat_map(move |set| {
        let those: Vec<_> = entries.iter().filter(|entry| entry.set == set).collect();
        let message = move |some: &[&Entry]| {
            let list = some
                .iter()
                .fold(Attributes::new(), |list, entry| list.nest(NFTA_LIST_ELEM, &entry.attributes()));
            set.reference().nest(NFTA_SET_ELEM_LIST_ELEMENTS, &list)
        };
        those.chunks(ELEMENTS_PER_MESSAGE).map(message).collect::<Vec<_>>()
    })
}

/// A key and the time that is left to it (`None`: no end), for each element in one message of a dump.
pub(super) fn entries(message: &[u8]) -> impl Iterator<Item = (&[u8], Option<Duration>)> {
    let list = attribute(message, NFTA_SET_ELEM_LIST_ELEMENTS).unwrap_or_default();
    attributes(list).filter_map(|(_, element)| {
        let key = attribute(attribute(element, NFTA_SET_ELEM_KEY)?, NFTA_DATA_VALUE)?;
        let left = attribute(element, NFTA_SET_ELEM_EXPIRATION).and_then(|left| left.first_chunk());
        Some((key, left.map(|left| Duration::from_millis(u64::from_be_bytes(*left)))))
    })
}

/// The guarded port with this key.
pub(super) fn door_from_key(key: &[u8]) -> Option<ServicePort> {
    let [protocol, 0, 0, 0, high, low, 0, 0] = *key else { return None };
    ServicePort::new(Transport::from_number(protocol)?, u16::from_be_bytes([high, low]))
}

/// The open element with this key.
pub(super) fn open_from_key(key: &[u8]) -> Option<Element> {
    let (address, port) = key.split_at_checked(key.len().checked_sub(8)?)?;
    let ip = match address.len() {
        4 => IpAddr::from(*address.first_chunk::<4>()?),
        _ => IpAddr::from(*address.first_chunk::<16>()?),
    };
    Some(Element { address: Address::new(ip), port: door_from_key(port)? })
}

fn port_key(port: ServicePort) -> Vec<u8> {
    [padded(&[port.transport.number()]), padded(&port.port.get().to_be_bytes())].concat()
}

pub(super) fn address_key(address: Address) -> Vec<u8> {
    match address.ip() {
        IpAddr::V4(v4) => v4.octets().to_vec(),
        IpAddr::V6(v6) => v6.octets().to_vec(),
    }
}

/// The value in the registers that it takes.
pub(super) fn padded(value: &[u8]) -> Vec<u8> {
    let mut padded = value.to_vec();
    padded.resize(value.len().next_multiple_of(4), 0);
    padded
}

/// The timeout in milliseconds, within what every kernel takes for a timeout; parts of one count as a whole.
fn milliseconds(timeout: Duration) -> u64 {
    let nanos = timeout.clamp(TIMEOUT_MIN, TIMEOUT_MAX).as_nanos();
    u64::try_from(nanos.div_ceil(1_000_000)).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn element(address: &str, port: &str) -> Element {
        Element { address: Address::new(address.parse().unwrap()), port: port.parse().unwrap() }
    }

    #[test]
    fn every_field_of_a_key_fills_its_registers() {
        let entry = Entry::open(element("192.0.2.1", "tcp/22"), None);
        assert_eq!((entry.set, &entry.key[..]), (Set::Open4, &[192, 0, 2, 1, 6, 0, 0, 0, 0, 22, 0, 0][..]));
        let entry = Entry::open(element("2001:db8::1", "udp/62201"), None);
        assert_eq!((entry.set, &entry.key[16..]), (Set::Open6, &[17, 0, 0, 0, 0xf2, 0xf9, 0, 0][..]));
    }

    #[test]
    fn keys_are_read_as_they_were_written() {
        for element in [element("192.0.2.1", "tcp/22"), element("2001:db8::1", "udp/65535")] {
            assert_eq!(open_from_key(&Entry::open(element, None).key), Some(element));
            assert_eq!(door_from_key(&Entry::door(element.port, None).key), Some(element.port));
        }
        for key in [
            &[][..],
            &[6, 0, 0, 0, 0, 22, 0],
            &[6, 0, 0, 1, 0, 22, 0, 0],
            &[1, 0, 0, 0, 0, 22, 0, 0],
            &[0; 25],
        ] {
            assert_eq!((door_from_key(key), open_from_key(key)), (None, None), "{key:?}");
        }
    }

    #[test]
    fn no_timeout_is_ever_rounded_to_for_ever() {
        assert_eq!(milliseconds(Duration::ZERO), 20);
        assert_eq!(milliseconds(Duration::from_nanos(20_000_001)), 21);
        assert_eq!(milliseconds(Duration::from_secs(60)), 60_000);
        assert_eq!(milliseconds(Duration::MAX), 315_360_000_000);
    }

    #[test]
    fn many_elements_go_in_several_messages() {
        let entries: Vec<_> = (1..=600)
            .map(|port| Entry::door(ServicePort::new(Transport::Tcp, port).unwrap(), None))
            .collect();
        assert_eq!(messages(&entries).count(), 3);
        let mut read: Vec<ServicePort> = Vec::new();
        for message in messages(&entries) {
            assert!(message.as_bytes().len() < usize::from(u16::MAX));
            read.extend(super::entries(message.as_bytes()).filter_map(|(key, _)| door_from_key(key)));
        }
        assert_eq!(read.len(), 600);
    }
}
