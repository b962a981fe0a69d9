//! A packet of which only some is known, and what rules can tell of it.

use knock_spa_proto::port::{ServicePort, Transport};

use super::Family;
use crate::nft::kernel::*;

/// A byte of a packet, or of what the kernel knows about it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Byte {
    /// This one.
    Known(u8),
    /// Of an address that no rule names.
    Unnamed,
    /// Of the name or number of an interface that is not loopback.
    Outside,
    /// Whatever it is.
    Any,
}

impl Byte {
    pub(super) const fn known(self) -> Option<u8> {
        match self {
            Self::Known(byte) => Some(byte),
            Self::Unnamed | Self::Outside | Self::Any => None,
        }
    }

    /// Whether it may be this one.
    pub(super) const fn may_be(self, byte: u8) -> bool {
        match self {
            Self::Known(known) => known == byte,
            Self::Unnamed => false,
            Self::Outside | Self::Any => true,
        }
    }
}

/// Whether something holds of a packet.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Answer {
    Yes,
    No,
    /// Of some packets.
    Maybe,
}

impl Answer {
    pub(super) const fn of(holds: bool) -> Self {
        if holds { Self::Yes } else { Self::No }
    }

    pub(super) const fn inverted_if(self, inverted: bool) -> Self {
        match (self, inverted) {
            (Self::Yes, true) => Self::No,
            (Self::No, true) => Self::Yes,
            (answer, _) => answer,
        }
    }
}

/// What is known of a packet.
#[derive(Clone, Debug)]
pub(super) struct Packet {
    pub(super) family: Family,
    transport: Transport,
    network_header: Vec<Byte>,
    transport_header: Vec<Byte>,
    /// Bits of `CT_STATE_*`, where they are known.
    pub(super) connection_state: Option<u32>,
}

/// `SYN` in the fourteenth byte of TCP's header, alone.
const SYN: u8 = 0x02;

impl Packet {
    /// The first packet of a connection to this port of this machine, from an address that no rule names.
    pub(super) fn opening(family: Family, port: ServicePort) -> Self {
        let mut packet = Self::of(family, port.transport, Byte::Unnamed);
        put(&mut packet.transport_header, 2, &port.port.get().to_be_bytes());
        if port.transport == Transport::Tcp {
            put(&mut packet.transport_header, 13, &[SYN]);
        }
        Self { connection_state: Some(CT_STATE_NEW), ..packet }
    }

    /// Any packet to this port of this machine.
    pub(super) fn incoming(family: Family, port: ServicePort) -> Self {
        let mut packet = Self::of(family, port.transport, Byte::Any);
        put(&mut packet.transport_header, 2, &port.port.get().to_be_bytes());
        packet
    }

    /// Any packet from this port of this machine.
    pub(super) fn outgoing(family: Family, port: ServicePort) -> Self {
        let mut packet = Self::of(family, port.transport, Byte::Any);
        put(&mut packet.transport_header, 0, &port.port.get().to_be_bytes());
        packet
    }

    fn of(family: Family, transport: Transport, source: Byte) -> Self {
        let mut network_header = vec![Byte::Any; 40];
        let (protocol_at, source_at, address_len) = match family {
            // RFC 791 section 3.1.
            Family::Ipv4 => (9, 12, 4),
            // RFC 8200 section 3; without extension headers.
            Family::Ipv6 => (6, 8, 16),
        };
        put(&mut network_header, protocol_at, &[transport.number()]);
        network_header.iter_mut().skip(source_at).take(address_len).for_each(|byte| *byte = source);
        let transport_header = vec![Byte::Any; 20];
        Self { family, transport, network_header, transport_header, connection_state: None }
    }

    /// A piece of it.
    pub(super) fn piece(&self, base: u32, offset: usize, len: usize) -> Vec<Byte> {
        let header = match base {
            NFT_PAYLOAD_NETWORK_HEADER => self.network_header.as_slice(),
            NFT_PAYLOAD_TRANSPORT_HEADER => self.transport_header.as_slice(),
            _ => &[],
        };
        let there = header.iter().skip(offset).copied();
        there.chain(std::iter::repeat(Byte::Any)).take(len.min(REGISTERS)).collect()
    }

    /// What the kernel knows of it: one of `NFT_META_*`.
    pub(super) fn meta(&self, key: u32) -> Vec<Byte> {
        let (family, ethertype): (u8, u16) = match self.family {
            Family::Ipv4 => (NFPROTO_IPV4, 0x0800),
            Family::Ipv6 => (NFPROTO_IPV6, 0x86dd),
        };
        match key {
            NFT_META_NFPROTO => vec![Byte::Known(family)],
            NFT_META_L4PROTO => vec![Byte::Known(self.transport.number())],
            NFT_META_PROTOCOL => ethertype.to_be_bytes().map(Byte::Known).into(),
            NFT_META_IIF | NFT_META_OIF => vec![Byte::Outside; 4],
            NFT_META_IIFNAME | NFT_META_OIFNAME => vec![Byte::Outside; 16],
            _ => vec![Byte::Any; 16],
        }
    }

    /// Whether one of iptables' extensions matches, where that can be told.
    pub(super) fn extension(&self, name: &str, info: &[u8]) -> Answer {
        match name {
            "conntrack" => self.conntrack(info),
            "state" => self.has_state(info, 0, false),
            "tcp" | "udp" => self.ports(name, info),
            _ => Answer::Maybe,
        }
    }

    /// `struct xt_conntrack_mtinfo3`: eight addresses, two spans and five ports, then which of them count, which of those
    /// are inverted, and the states.
    fn conntrack(&self, info: &[u8]) -> Answer {
        const STATE: u16 = 1;
        match (halfword(info, 146), halfword(info, 148)) {
            (Some(STATE), Some(inverted)) => self.has_state(info, 150, inverted & STATE != 0),
            _ => Answer::Maybe,
        }
    }

    /// Whether the connection's state is among those whose bits are in `info`.
    fn has_state(&self, info: &[u8], at: usize, inverted: bool) -> Answer {
        match (halfword(info, at), self.connection_state) {
            (Some(states), Some(state)) => Answer::of(u32::from(states) & state != 0).inverted_if(inverted),
            _ => Answer::Maybe,
        }
    }

    /// `struct xt_tcp` and `struct xt_udp` begin with two ranges of ports, sources and destinations; what is inverted is
    /// told at different places.
    fn ports(&self, name: &str, info: &[u8]) -> Answer {
        let inverted = info.get(if name == "tcp" { 11 } else { 8 }).copied().unwrap_or(0);
        let range = |at: usize| Some(halfword(info, at)?..=halfword(info, at.saturating_add(2))?);
        let side = |at: usize, range_at, inverts: u8| {
            let port: Option<Vec<u8>> =
                self.piece(NFT_PAYLOAD_TRANSPORT_HEADER, at, 2).iter().map(|byte| byte.known()).collect();
            let port = port.and_then(|bytes| bytes.first_chunk().map(|bytes| u16::from_be_bytes(*bytes)));
            match (port, range(range_at)) {
                (Some(port), Some(range)) => {
                    Answer::of(range.contains(&port)).inverted_if(inverted & inverts != 0)
                }
                (None, Some(range)) if range == (0..=u16::MAX) && inverted & inverts == 0 => Answer::Yes,
                _ => Answer::Maybe,
            }
        };
        let flags = if name == "tcp" { self.flags(info, inverted & 4 != 0) } else { Answer::Yes };
        match (side(0, 0, 1), side(2, 4, 2), flags) {
            (Answer::No, _, _) | (_, Answer::No, _) | (_, _, Answer::No) => Answer::No,
            (Answer::Yes, Answer::Yes, Answer::Yes) => Answer::Yes,
            _ => Answer::Maybe,
        }
    }

    /// The option, the mask and the value of TCP's flags in `struct xt_tcp`.
    fn flags(&self, info: &[u8], inverted: bool) -> Answer {
        let byte = |at: usize| info.get(at).copied();
        match (byte(8), byte(9), byte(10)) {
            (Some(0), Some(0), Some(_)) => Answer::Yes,
            (Some(0), Some(mask), Some(value)) => {
                let flags =
                    self.piece(NFT_PAYLOAD_TRANSPORT_HEADER, 13, 1).first().and_then(|byte| byte.known());
                flags.map_or(Answer::Maybe, |flags| Answer::of(flags & mask == value).inverted_if(inverted))
            }
            _ => Answer::Maybe,
        }
    }
}

/// All registers, in bytes.
pub(super) const REGISTERS: usize = 64;

fn put(header: &mut [Byte], at: usize, bytes: &[u8]) {
    for (place, byte) in header.iter_mut().skip(at).zip(bytes) {
        *place = Byte::Known(*byte);
    }
}

/// Two bytes in the order of this machine.
fn halfword(info: &[u8], at: usize) -> Option<u16> {
    info.get(at..)?.first_chunk().map(|bytes| u16::from_ne_bytes(*bytes))
}

/// Whether registers that hold `bytes` compare to `value` by one of `NFT_CMP_*`.
pub(super) fn compare(operation: u32, bytes: &[Byte], value: &[u8]) -> Answer {
    let known: Option<Vec<u8>> = bytes.iter().map(|byte| byte.known()).collect();
    if let Some(known) = known {
        return Answer::of(match operation {
            NFT_CMP_EQ => known == value,
            NFT_CMP_NEQ => known != value,
            NFT_CMP_LT => known.as_slice() < value,
            NFT_CMP_LTE => known.as_slice() <= value,
            NFT_CMP_GT => known.as_slice() > value,
            NFT_CMP_GTE => known.as_slice() >= value,
            _ => return Answer::Maybe,
        });
    }
    let is_other = bytes.iter().zip(value).any(|(byte, at)| !byte.may_be(*at))
        || (bytes.contains(&Byte::Outside) && is_loopback(value));
    let equals = if is_other { Answer::No } else { Answer::Maybe };
    match operation {
        NFT_CMP_EQ => equals,
        NFT_CMP_NEQ => equals.inverted_if(true),
        _ => Answer::Maybe,
    }
}

fn is_loopback(interface: &[u8]) -> bool {
    interface == LOOPBACK_IFINDEX.to_ne_bytes() || interface == b"lo" || interface.starts_with(b"lo\0")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_unknown_is_not_made_up() {
        let half = [Byte::Known(1), Byte::Any];
        assert_eq!(compare(NFT_CMP_EQ, &half, &[1, 2]), Answer::Maybe);
        assert_eq!(compare(NFT_CMP_EQ, &half, &[2, 2]), Answer::No);
        assert_eq!(compare(NFT_CMP_NEQ, &half, &[2, 2]), Answer::Yes);
        assert_eq!(compare(NFT_CMP_LT, &half, &[2, 2]), Answer::Maybe);
        assert_eq!(compare(NFT_CMP_EQ, &[Byte::Unnamed; 4], &[10, 0, 0, 1]), Answer::No);
        assert_eq!(compare(NFT_CMP_NEQ, &[Byte::Unnamed; 4], &[10, 0, 0, 1]), Answer::Yes);
        assert_eq!(compare(NFT_CMP_EQ, &[Byte::Outside; 4], &1_u32.to_ne_bytes()), Answer::No);
        assert_eq!(compare(NFT_CMP_EQ, &[Byte::Outside; 16], b"eth0\0\0\0\0\0\0\0\0\0\0\0\0"), Answer::Maybe);
    }
}
