//! Packets that may have any source.

use std::fmt;
use std::net::{IpAddr, SocketAddr, SocketAddrV6};

use socket2::{Domain, Protocol as Number, Socket, Type};

use super::sequence::Protocol;
use crate::lab::Namespace;

/// A packet as a knock daemon looks at it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Packet {
    /// The sender: true or not.
    pub from: IpAddr,
    /// The receiver, of the same family.
    pub to: IpAddr,
    /// What it carries.
    pub protocol: Protocol,
    /// The destination port.
    pub port: u16,
    /// The control bits of TCP.
    pub flags: u8,
    /// How it is built.
    pub shape: Shape,
}

/// What is unusual about a packet.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Shape {
    /// Nothing.
    Plain,
    /// It has options of IPv4.
    Options,
    /// It is what follows the first fragment of IPv4, with the same bytes as a whole one would have.
    LaterFragment,
    /// The same bytes are said to be ICMP.
    Icmp,
    /// The header is behind an extension of IPv6.
    Extension,
}

impl fmt::Display for Packet {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { from, to, port, flags, .. } = self;
        match self.protocol {
            Protocol::Tcp => write!(f, "{from} > {to} tcp {port} flags {flags:#04x}")?,
            Protocol::Udp => write!(f, "{from} > {to} udp {port}")?,
        }
        if self.shape == Shape::Plain { Ok(()) } else { write!(f, " {:?}", self.shape) }
    }
}

impl Packet {
    /// TCP and UDP as in the headers of IP.
    fn number(&self) -> u8 {
        match (self.shape, self.protocol) {
            (Shape::Icmp, _) => 1,
            (_, Protocol::Tcp) => 6,
            (_, Protocol::Udp) => 17,
        }
    }

    /// The bytes, from the header of IP on.
    ///
    /// # Panics
    /// Where sender and receiver are of two families.
    #[must_use]
    pub fn bytes(&self) -> Vec<u8> {
        match (self.from, self.to) {
            (IpAddr::V4(from), IpAddr::V4(to)) => self.v4(from.octets(), to.octets()),
            (IpAddr::V6(from), IpAddr::V6(to)) => self.v6(from.octets(), to.octets()),
            _ => panic!("{self}: two families"),
        }
    }

    /// RFC 791 section 3.1. The kernel fills in the header's checksum.
    fn v4(&self, from: [u8; 4], to: [u8; 4]) -> Vec<u8> {
        let options: &[u8] = if self.shape == Shape::Options { &[1, 1, 1, 0] } else { &[] };
        let payload = self.payload();
        let len = u16::try_from(20 + options.len() + payload.len()).expect("a small packet");
        let place = if self.shape == Shape::LaterFragment { [0, 1] } else { [0x40, 0] };
        let version = if options.is_empty() { 0x45 } else { 0x46 };
        let start = [&[version, 0][..], &len.to_be_bytes(), &[0, 1], &place, &[64, self.number(), 0, 0]];
        [&start.concat()[..], &from, &to, options, &payload].concat()
    }

    /// RFC 8200 sections 3 and 4.6.
    fn v6(&self, from: [u8; 16], to: [u8; 16]) -> Vec<u8> {
        let number = self.number();
        let destination_options = [number, 0, 1, 4, 0, 0, 0, 0];
        let (next, extension) = match self.shape {
            Shape::Extension => (60, &destination_options[..]),
            _ => (number, &[][..]),
        };
        let payload = self.payload();
        let len = u16::try_from(extension.len() + payload.len()).expect("a small packet").to_be_bytes();
        [&[0x60, 0, 0, 0][..], &len, &[next, 64], &from, &to, extension, &payload].concat()
    }

    /// The header of TCP (RFC 9293 section 3.1) or a datagram of UDP (RFC 768); nobody checks their checksum.
    fn payload(&self) -> Vec<u8> {
        let ports = [40_000_u16.to_be_bytes(), self.port.to_be_bytes()].concat();
        let rest: &[u8] = match self.protocol {
            Protocol::Tcp => &[0, 0, 0x12, 0x34, 0, 0, 0, 0, 0x50, self.flags, 0x10, 0, 0, 0, 0, 0],
            Protocol::Udp => &[0, 9, 0, 0, 0],
        };
        [&ports, rest].concat()
    }
}

/// Sends packets from one namespace.
#[derive(Debug)]
pub struct Injector {
    v4: Socket,
    v6: Socket,
}

impl Injector {
    /// Makes the sockets.
    ///
    /// # Panics
    /// Where raw sockets cannot be made.
    #[must_use]
    pub fn new(namespace: &Namespace) -> Self {
        // A socket of this protocol sends headers as they are given, in both families (raw(7), ipv6(7)).
        let raw = |domain| Socket::new(domain, Type::RAW, Some(Number::from(255))).expect("a raw socket");
        let (v4, v6) = namespace.enter(|| (raw(Domain::IPV4), raw(Domain::IPV6)));
        v4.set_broadcast(true).expect("a socket that may broadcast");
        Self { v4, v6 }
    }

    /// Sends a packet, by way of the interface of index 2 where its address is none of a wider scope.
    ///
    /// # Panics
    /// Where there is no way.
    pub fn send(&self, packet: &Packet) {
        let (socket, to) = match packet.to {
            IpAddr::V4(_) => (&self.v4, SocketAddr::new(packet.to, 0)),
            IpAddr::V6(to) => {
                let scope = if to.is_unicast_link_local() { 2 } else { 0 };
                (&self.v6, SocketAddrV6::new(to, 0, 0, scope).into())
            }
        };
        let bytes = packet.bytes();
        let sent = socket.send_to(&bytes, &to.into());
        assert_eq!(sent.unwrap_or_else(|error| panic!("{packet}: {error}")), bytes.len());
    }
}
