//! From the bytes of an IP packet to what the watch decides by: who sent it, to which port, and whether it
//! is a TCP hit or a UDP datagram. All trust in headers is spent here.
//!
//! Checksums are never looked at: packets made on this machine do not have them filled in yet when they are
//! captured, and the kernel has its own opinion of the others.

use pnet_packet::ipv4::Ipv4Packet;
use pnet_packet::ipv6::Ipv6Packet;
use pnet_packet::tcp::TcpPacket;
use pnet_packet::udp::UdpPacket;

use crate::address::Address;
use crate::knock::TcpFlags;
use crate::port::Transport;

/// What one IP packet says to one port.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Segment<'a> {
    /// The source address, as the packet claims it.
    pub from: Address,
    /// The source port.
    pub from_port: u16,
    /// The destination address.
    pub to: Address,
    /// The destination port.
    pub port: u16,
    /// The rest.
    pub body: Body<'a>,
}

/// What differs between the transports.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Body<'a> {
    /// A TCP segment's control bits.
    Tcp(TcpFlags),
    /// A UDP datagram's payload.
    Udp(&'a [u8]),
}

impl Body<'_> {
    /// The transport.
    #[must_use]
    pub const fn transport(&self) -> Transport {
        match self {
            Self::Tcp(_) => Transport::Tcp,
            Self::Udp(_) => Transport::Udp,
        }
    }
}

/// Why a packet is nothing to us.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum NotASegment {
    /// Neither IPv4 nor IPv6.
    #[error("neither IPv4 nor IPv6")]
    NotIp,
    /// It ends before its headers do, or contradicts its own lengths.
    #[error("shorter than its headers say")]
    Truncated,
    /// A fragment other than the first, which has no port.
    #[error("a later fragment")]
    Fragment,
    /// Neither TCP nor UDP.
    #[error("neither TCP nor UDP")]
    OtherProtocol,
    /// More IPv6 extension headers than [`MAX_EXTENSION_HEADERS`].
    #[error("too many extension headers")]
    TooManyExtensions,
}

/// RFC 8200 section 4.1 lists seven extension headers that may occur, one of them twice; more is a trick.
pub const MAX_EXTENSION_HEADERS: usize = 8;

/// Hop-by-hop options (RFC 8200 section 4.3).
const HOP_BY_HOP: u8 = 0;
/// Routing (RFC 8200 section 4.4).
const ROUTING: u8 = 43;
/// Fragment (RFC 8200 section 4.5).
const FRAGMENT: u8 = 44;
/// Authentication (RFC 4302 section 2).
const AUTHENTICATION: u8 = 51;
/// Destination options (RFC 8200 section 4.6).
const DESTINATION_OPTIONS: u8 = 60;
/// Mobility (RFC 6275 section 6.1).
const MOBILITY: u8 = 135;

impl<'a> Segment<'a> {
    /// Reads the IP packet that `packet` begins with; link-layer padding behind it is passed over.
    ///
    /// # Errors
    /// [`NotASegment`], for everything that is not the first or only fragment of a TCP or UDP packet.
    pub fn parse(packet: &'a [u8]) -> Result<Self, NotASegment> {
        match packet.first().map(|byte| byte >> 4) {
            Some(4) => Self::parse_ipv4(packet),
            Some(6) => Self::parse_ipv6(packet),
            Some(_) => Err(NotASegment::NotIp),
            None => Err(NotASegment::Truncated),
        }
    }

    /// RFC 791 section 3.1.
    fn parse_ipv4(packet: &'a [u8]) -> Result<Self, NotASegment> {
        let header = Ipv4Packet::new(packet).ok_or(NotASegment::Truncated)?;
        if header.get_fragment_offset() != 0 {
            return Err(NotASegment::Fragment);
        }
        let header_len = usize::from(header.get_header_length()).saturating_mul(4);
        if header_len < Ipv4Packet::minimum_packet_size() {
            return Err(NotASegment::Truncated);
        }
        let payload =
            packet.get(header_len..usize::from(header.get_total_length())).ok_or(NotASegment::Truncated)?;
        let (from, to) = (header.get_source().octets(), header.get_destination().octets());
        Self::parse_transport(
            Address::new(from.into()),
            Address::new(to.into()),
            header.get_next_level_protocol().0,
            payload,
        )
    }

    /// RFC 8200 section 3.
    fn parse_ipv6(packet: &'a [u8]) -> Result<Self, NotASegment> {
        let header = Ipv6Packet::new(packet).ok_or(NotASegment::Truncated)?;
        let (_, behind) =
            packet.split_at_checked(Ipv6Packet::minimum_packet_size()).ok_or(NotASegment::Truncated)?;
        let payload = behind.get(..usize::from(header.get_payload_length())).ok_or(NotASegment::Truncated)?;
        let (protocol, payload) = skip_extension_headers(header.get_next_header().0, payload)?;
        let (from, to) = (header.get_source().octets(), header.get_destination().octets());
        Self::parse_transport(Address::new(from.into()), Address::new(to.into()), protocol, payload)
    }

    fn parse_transport(
        from: Address,
        to: Address,
        protocol: u8,
        payload: &'a [u8],
    ) -> Result<Self, NotASegment> {
        match Transport::from_number(protocol) {
            Some(Transport::Tcp) => {
                let header = TcpPacket::new(payload).ok_or(NotASegment::Truncated)?;
                let body = Body::Tcp(TcpFlags(header.get_flags()));
                let (from_port, port) = (header.get_source(), header.get_destination());
                Ok(Self { from, from_port, to, port, body })
            }
            Some(Transport::Udp) => {
                let header = UdpPacket::new(payload).ok_or(NotASegment::Truncated)?;
                // A first fragment has less than the length says; what is there is there.
                let end = usize::from(header.get_length()).min(payload.len());
                let data =
                    payload.get(UdpPacket::minimum_packet_size()..end).ok_or(NotASegment::Truncated)?;
                let (from_port, port) = (header.get_source(), header.get_destination());
                Ok(Self { from, from_port, to, port, body: Body::Udp(data) })
            }
            None => Err(NotASegment::OtherProtocol),
        }
    }
}

/// The upper-layer protocol, and what belongs to it.
fn skip_extension_headers(mut next: u8, mut payload: &[u8]) -> Result<(u8, &[u8]), NotASegment> {
    for _ in 0..=MAX_EXTENSION_HEADERS {
        let len = match (next, payload) {
            (HOP_BY_HOP | ROUTING | DESTINATION_OPTIONS | MOBILITY, [_, eights, ..]) => {
                usize::from(*eights).saturating_add(1).saturating_mul(8)
            }
            (AUTHENTICATION, [_, fours, ..]) => usize::from(*fours).saturating_add(2).saturating_mul(4),
            (FRAGMENT, [_, _, high, low, ..]) => {
                if u16::from_be_bytes([*high, *low]) >> 3 != 0 {
                    return Err(NotASegment::Fragment);
                }
                8
            }
            (HOP_BY_HOP | ROUTING | DESTINATION_OPTIONS | MOBILITY | AUTHENTICATION | FRAGMENT, _) => {
                return Err(NotASegment::Truncated);
            }
            _ => return Ok((next, payload)),
        };
        next = payload.first().copied().ok_or(NotASegment::Truncated)?;
        payload = payload.get(len..).ok_or(NotASegment::Truncated)?;
    }
    Err(NotASegment::TooManyExtensions)
}

#[cfg(test)]
#[expect(clippy::arithmetic_side_effects, reason = "a sum that overflows fails its test, as it should")]
mod tests {
    use alloc::vec::Vec;

    use proptest::prelude::*;

    use super::*;

    fn ipv4(options: usize, fragment: u16, protocol: u8, payload: &[u8]) -> Vec<u8> {
        let header_len = 20 + options;
        let total = u16::try_from(header_len + payload.len()).unwrap();
        let mut packet = Vec::from([0x40 | u8::try_from(header_len / 4).unwrap(), 0]);
        packet.extend(total.to_be_bytes());
        packet.extend([0, 0]);
        packet.extend(fragment.to_be_bytes());
        packet.extend([64, protocol, 0, 0, 192, 0, 2, 1, 192, 0, 2, 2]);
        packet.resize(header_len, 1);
        packet.extend(payload);
        packet
    }

    fn ipv6(next: u8, payload: &[u8]) -> Vec<u8> {
        let mut packet = Vec::from([0x60, 0, 0, 0]);
        packet.extend(u16::try_from(payload.len()).unwrap().to_be_bytes());
        packet.extend([next, 64]);
        packet.extend("2001:db8::1".parse::<core::net::Ipv6Addr>().unwrap().octets());
        packet.extend("2001:db8::2".parse::<core::net::Ipv6Addr>().unwrap().octets());
        packet.extend(payload);
        packet
    }

    fn udp(port: u16, data: &[u8]) -> Vec<u8> {
        let mut datagram = Vec::from(4000_u16.to_be_bytes());
        datagram.extend(port.to_be_bytes());
        datagram.extend(u16::try_from(8 + data.len()).unwrap().to_be_bytes());
        datagram.extend([0, 0]);
        datagram.extend(data);
        datagram
    }

    fn syn(port: u16) -> Vec<u8> {
        let mut segment = Vec::from(4000_u16.to_be_bytes());
        segment.extend(port.to_be_bytes());
        segment.extend([0; 8]);
        segment.extend([0x50, TcpFlags::SYN, 0, 0, 0, 0, 0, 0]);
        segment
    }

    #[test]
    fn options_padding_and_extension_headers_are_passed_over() {
        let mut packet = ipv4(8, 0x4000, 17, &udp(62201, b"hello"));
        packet.extend([0; 7]);
        let segment = Segment::parse(&packet).unwrap();
        assert_eq!(segment.body, Body::Udp(b"hello"));
        assert_eq!((segment.from_port, segment.port), (4000, 62201));

        let hop_by_hop = [60, 0, 1, 4, 0, 0, 0, 0];
        let destination_options = [6, 0, 1, 4, 0, 0, 0, 0];
        let packet = ipv6(0, &[&hop_by_hop[..], &destination_options, &syn(22)].concat());
        let segment = Segment::parse(&packet).unwrap();
        assert_eq!((segment.port, segment.body), (22, Body::Tcp(TcpFlags(TcpFlags::SYN))));
        assert_eq!(segment.from, Address::new("2001:db8::1".parse().unwrap()));
    }

    #[test]
    fn only_first_fragments_have_a_port() {
        assert!(Segment::parse(&ipv4(0, 0x2000, 6, &syn(22))).is_ok());
        assert_eq!(Segment::parse(&ipv4(0, 0x2001, 6, &syn(22))), Err(NotASegment::Fragment));
        assert!(Segment::parse(&ipv6(44, &[&[6, 0, 0, 1, 0, 0, 0, 9][..], &syn(22)].concat())).is_ok());
        let later = ipv6(44, &[&[6, 0, 0, 8, 0, 0, 0, 9][..], &syn(22)].concat());
        assert_eq!(Segment::parse(&later), Err(NotASegment::Fragment));
    }

    #[test]
    fn lengths_that_lie_are_refused() {
        let packet = ipv4(0, 0, 17, &udp(1, b"x"));
        for len in 0..packet.len() {
            assert_eq!(Segment::parse(&packet[..len]), Err(NotASegment::Truncated), "{len}");
        }
        let mut small_header = packet;
        small_header[0] = 0x44;
        assert_eq!(Segment::parse(&small_header), Err(NotASegment::Truncated));
        let chain: Vec<u8> = core::iter::repeat_n([60, 0, 0, 0, 0, 0, 0, 0], 20).flatten().collect();
        assert_eq!(Segment::parse(&ipv6(60, &chain)), Err(NotASegment::TooManyExtensions));
    }

    proptest! {
        #[test]
        fn parsing_is_total(mut bytes in proptest::collection::vec(any::<u8>(), 0..200), six: bool) {
            if let Some(first) = bytes.first_mut() {
                *first = if six { 0x60 } else { 0x40 | (*first & 15) };
            }
            let _ = Segment::parse(&bytes);
        }
    }
}
