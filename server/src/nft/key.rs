//! Keys of sets that others have made: what the fields of one are, and which key stands for an address and a port.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use knock_spa_engine::admit::effect::SetEntry;
use knock_spa_proto::address::Address;
use knock_spa_proto::port::ServicePort;

use super::Family;
use super::kernel::*;
use super::set::{KeyField, TIMEOUT_MAX, address_key, padded};
use crate::netlink::attribute;

/// Why elements of ours can't be in a set.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Unsuitable {
    /// It has no `flags timeout`, so that the kernel would close nothing by itself.
    #[error("it lacks `flags timeout`")]
    NoTimeout,
    /// It has `flags interval`, or `flags constant`, or is a map.
    #[error("it {0}, and timed elements of ours can't be in it")]
    Kind(&'static str),
    /// Its key says something else than who comes to which port.
    #[error(
        "its key is `{found}`; what opens is `{address}`, or that with `inet_service`, or with `inet_proto` and \
         `inet_service`"
    )]
    Key {
        /// The key's type.
        found: String,
        /// The type of an address of the family that the set is for.
        address: &'static str,
    },
}

/// The fields of a set's key, in order.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct KeyLayout(Vec<KeyField>);

/// Which keys are to be in a set, and for how long; and which are not.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Wanted {
    pub(super) held: BTreeMap<Vec<u8>, Duration>,
    pub(super) gone: BTreeSet<Vec<u8>>,
}

impl KeyLayout {
    /// That of the set in this message, for addresses of this family.
    pub(super) fn of(set: &[u8], family: Family) -> Result<Self, Unsuitable> {
        let number = |kind| attribute(set, kind).and_then(|value| value.first_chunk());
        let number = |kind| number(kind).map(|bytes| u32::from_be_bytes(*bytes)).unwrap_or_default();
        let flags = number(NFTA_SET_FLAGS);
        let has = |flag| flags & flag != 0;
        if has(NFT_SET_MAP) {
            return Err(Unsuitable::Kind("is a map"));
        }
        if has(NFT_SET_CONSTANT) {
            return Err(Unsuitable::Kind("has `flags constant`"));
        }
        if has(NFT_SET_INTERVAL) {
            return Err(Unsuitable::Kind("has `flags interval`"));
        }
        if !has(NFT_SET_TIMEOUT) {
            return Err(Unsuitable::NoTimeout);
        }
        Self::of_type(number(NFTA_SET_KEY_TYPE), family)
    }

    /// That of this type: numbers of six bits, the last field's lowest.
    fn of_type(key_type: u32, family: Family) -> Result<Self, Unsuitable> {
        let numbers: Vec<u32> = (0..5)
            .rev()
            .map(|place: u32| (key_type >> place.saturating_mul(6)) & 0x3f)
            .skip_while(|number| *number == 0)
            .collect();
        let address = match family {
            Family::Ipv4 => KeyField::Ipv4,
            Family::Ipv6 => KeyField::Ipv6,
        };
        let fields: Option<Vec<_>> = numbers.iter().map(|number| KeyField::of_number(*number)).collect();
        fields.filter(|fields| is_a_key(fields, address)).map(Self).ok_or_else(|| {
            let name = |number: &u32| match KeyField::of_number(*number) {
                Some(field) => field.name().to_owned(),
                None => format!("type {number}"),
            };
            let names: Vec<_> = numbers.iter().map(name).collect();
            Unsuitable::Key { found: names.join(" . "), address: address.name() }
        })
    }

    /// What stands for this port of this machine, opened to this address.
    fn key(&self, address: Address, port: ServicePort) -> Vec<u8> {
        let field = |field: &KeyField| match field {
            KeyField::Protocol => padded(&[port.transport.number()]),
            KeyField::Port => padded(&port.port.get().to_be_bytes()),
            KeyField::Ipv4 | KeyField::Ipv6 | KeyField::AddressType => address_key(address),
        };
        self.0.iter().flat_map(field).collect()
    }

    /// What the set is to hold after these entries: a key that stands for several ports stays until the latest of them
    /// ends.
    pub(super) fn wanted(&self, entries: &[SetEntry]) -> Wanted {
        let mut wanted = Wanted::default();
        for entry in entries {
            for (port, left) in &entry.open {
                let left = left.unwrap_or(TIMEOUT_MAX);
                let longest = wanted.held.entry(self.key(entry.address, *port)).or_insert(left);
                *longest = left.max(*longest);
            }
        }
        for entry in entries {
            let keys = entry.shut.iter().map(|port| self.key(entry.address, *port));
            wanted.gone.extend(keys.filter(|key| !wanted.held.contains_key(key)));
        }
        wanted
    }
}

/// Whether these fields tell an address, perhaps with a port, and that perhaps with its protocol; in any order.
fn is_a_key(fields: &[KeyField], address: KeyField) -> bool {
    let count = |wanted: KeyField| fields.iter().filter(|field| **field == wanted).count();
    let (ports, protocols) = (count(KeyField::Port), count(KeyField::Protocol));
    let all = 1_usize.saturating_add(ports).saturating_add(protocols);
    count(address) == 1 && ports <= 1 && protocols <= ports && all == fields.len()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::netlink::Attributes;

    const V4: &str = "192.0.2.7";
    const V6: &str = "2001:db8::7";

    fn address(text: &str) -> Address {
        Address::new(text.parse().unwrap())
    }

    fn layout(key_type: u32, like: &str) -> Result<KeyLayout, Unsuitable> {
        KeyLayout::of_type(key_type, Family::of(address(like)))
    }

    fn concat<const N: usize>(numbers: [u32; N]) -> u32 {
        numbers.into_iter().fold(0, |all, number| (all << 6) | number)
    }

    #[test]
    fn a_key_is_an_address_perhaps_with_a_port_and_its_protocol_in_any_order() {
        let ssh = "tcp/22".parse().unwrap();
        for (key_type, key) in [
            (concat([7]), &[192, 0, 2, 7][..]),
            (concat([7, 13]), &[192, 0, 2, 7, 0, 22, 0, 0]),
            (concat([13, 7]), &[0, 22, 0, 0, 192, 0, 2, 7]),
            (concat([7, 12, 13]), &[192, 0, 2, 7, 6, 0, 0, 0, 0, 22, 0, 0]),
            (concat([7, 13, 12]), &[192, 0, 2, 7, 0, 22, 0, 0, 6, 0, 0, 0]),
            (concat([12, 13, 7]), &[6, 0, 0, 0, 0, 22, 0, 0, 192, 0, 2, 7]),
        ] {
            assert_eq!(layout(key_type, V4).unwrap().key(address(V4), ssh), key);
        }
        let key = layout(concat([8, 12, 13]), V6).unwrap().key(address(V6), ssh);
        assert_eq!((key.len(), &key[16..]), (24, &[6, 0, 0, 0, 0, 22, 0, 0][..]));
    }

    #[test]
    fn any_other_key_is_told() {
        for (key_type, like, found) in [
            (0, V4, ""),
            (concat([8]), V4, "ipv6_addr"),
            (concat([7]), V6, "ipv4_addr"),
            (concat([13]), V4, "inet_service"),
            (concat([7, 12]), V4, "ipv4_addr . inet_proto"),
            (concat([7, 7]), V4, "ipv4_addr . ipv4_addr"),
            (concat([7, 13, 13]), V4, "ipv4_addr . inet_service . inet_service"),
            (concat([7, 41, 13]), V4, "ipv4_addr . type 41 . inet_service"),
        ] {
            let address = if like == V4 { "ipv4_addr" } else { "ipv6_addr" };
            assert_eq!(layout(key_type, like), Err(Unsuitable::Key { found: found.into(), address }));
        }
    }

    #[test]
    fn what_kind_of_set_it_is_counts() {
        let of = |flags| {
            let set = Attributes::new().be32(NFTA_SET_FLAGS, flags).be32(NFTA_SET_KEY_TYPE, 7);
            KeyLayout::of(set.as_bytes(), Family::Ipv4)
        };
        assert!(of(NFT_SET_TIMEOUT).is_ok());
        assert_eq!(of(0), Err(Unsuitable::NoTimeout));
        for flag in [NFT_SET_MAP, NFT_SET_CONSTANT, NFT_SET_INTERVAL] {
            assert!(matches!(of(NFT_SET_TIMEOUT | flag), Err(Unsuitable::Kind(_))), "{flag}");
        }
    }

    #[test]
    fn a_key_for_several_ports_stays_for_the_latest() {
        let secs = Duration::from_secs;
        let port = |text: &str| text.parse::<ServicePort>().unwrap();
        let entry = SetEntry {
            set: "inet f s".parse().unwrap(),
            address: address(V4),
            open: vec![
                (port("tcp/22"), Some(secs(5))),
                (port("udp/22"), Some(secs(9))),
                (port("tcp/80"), None),
            ],
            shut: vec![port("udp/80"), port("tcp/81")],
        };
        let wanted = |key_type| layout(key_type, V4).unwrap().wanted(std::slice::from_ref(&entry));
        let any = wanted(concat([7]));
        assert_eq!((any.held.into_values().collect(), any.gone.len()), (vec![TIMEOUT_MAX], 0));
        let ports = wanted(concat([7, 13]));
        assert_eq!((ports.held.into_values().collect(), ports.gone.len()), (vec![secs(9), TIMEOUT_MAX], 1));
        let both = wanted(concat([7, 12, 13]));
        assert_eq!((both.held.len(), both.gone.len()), (3, 2));
    }
}
