//! Asking ports what they are.

use std::io::{self, ErrorKind};
use std::net::{IpAddr, SocketAddr, TcpStream, UdpSocket};
use std::time::Duration;

use socket2::{Domain, Protocol, Socket, Type};

use super::namespace::Namespace;
use super::recorder::{Packet, Recorder};

/// What a port says to somebody who asks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Answer {
    /// Something listens and may be talked to.
    Open,
    /// The machine says that nothing listens.
    Refused,
    /// Nothing at all.
    Silent,
}

/// A TCP segment in an IP packet of its own making; without data, except where it must be cut.
#[derive(Clone, Copy, Debug)]
pub struct Segment {
    /// The sender: true or not.
    pub from: SocketAddr,
    /// The receiver, of the same family.
    pub to: SocketAddr,
    /// The control bits (RFC 9293 section 3.1, octet 13 of the header).
    pub flags: u8,
    /// Whether it goes in two fragments: the first of IPv4 ends before the flags; in IPv6 it must hold the
    /// whole header (RFC 8200 section 4.5), so that it ends after that.
    pub fragmented: bool,
}

impl Segment {
    /// Finish.
    pub const FIN: u8 = 0x01;
    /// Synchronise.
    pub const SYN: u8 = 0x02;
    /// Reset.
    pub const RST: u8 = 0x04;
    /// Acknowledge.
    pub const ACK: u8 = 0x10;
}

impl Namespace {
    /// Tries to connect to a TCP port: `Silent` where nothing came back within `limit`.
    ///
    /// # Panics
    /// Where it fails in a way that no port answers, such as a missing route.
    #[must_use]
    pub fn connect(&self, to: SocketAddr, limit: Duration) -> Answer {
        answer(to, self.enter(|| TcpStream::connect_timeout(&to, limit).map(drop)))
    }

    /// The same from one of several addresses of this machine.
    ///
    /// # Panics
    /// Where the address is not this machine's, and as [`Self::connect`].
    #[must_use]
    pub fn connect_from(&self, from: IpAddr, to: SocketAddr, limit: Duration) -> Answer {
        let domain = if to.is_ipv4() { Domain::IPV4 } else { Domain::IPV6 };
        let socket = self.enter(|| Socket::new(domain, Type::STREAM, None)).expect("a socket");
        socket.bind(&SocketAddr::new(from, 0).into()).expect("an address of this machine");
        answer(to, socket.connect_timeout(&to.into(), limit))
    }

    /// Sends a datagram from an address and port of this machine; port 0 is any.
    ///
    /// # Panics
    /// Where the address is not this machine's, or there is no way.
    pub fn send_udp(&self, from: SocketAddr, to: SocketAddr, payload: &[u8]) {
        let domain = if from.is_ipv4() { Domain::IPV4 } else { Domain::IPV6 };
        let socket = self.enter(|| Socket::new(domain, Type::DGRAM, None)).expect("a socket");
        // A process that another test is about to start may have the last one of this port for a moment.
        socket.set_reuse_address(true).expect("a port that was used before");
        socket.bind(&from.into()).expect("an address of this machine");
        let sent = socket.send_to(payload, &to.into()).expect("sending a datagram");
        assert_eq!(sent, payload.len());
    }

    /// Sends a datagram to a UDP port that echoes if it is open: `Silent` where nothing came back within
    /// `limit`.
    ///
    /// # Panics
    /// Where it fails in a way that no port answers, such as a missing route.
    #[must_use]
    pub fn ask_udp(&self, to: SocketAddr, limit: Duration) -> Answer {
        let any: SocketAddr = if to.is_ipv4() { "0.0.0.0:0" } else { "[::]:0" }.parse().expect("an address");
        let socket = self.enter(|| UdpSocket::bind(any)).expect("binding to any port");
        socket.connect(to).and_then(|()| socket.send(b"?")).expect("sending");
        socket.set_read_timeout(Some(limit)).expect("a positive timeout");
        loop {
            match socket.recv(&mut [0; 16]) {
                Ok(_) => return Answer::Open,
                Err(error) if error.kind() == ErrorKind::ConnectionRefused => return Answer::Refused,
                Err(error) if error.kind() == ErrorKind::WouldBlock => return Answer::Silent,
                // A timeout keeps the kernel from going on by itself.
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                Err(error) => panic!("asking {to}: {error}"),
            }
        }
    }

    /// Sends a segment as it is.
    ///
    /// # Panics
    /// Where raw sockets cannot be made or there is no route.
    pub fn send(&self, segment: &Segment) {
        let domain = if segment.to.is_ipv4() { Domain::IPV4 } else { Domain::IPV6 };
        // A socket of this protocol sends headers as they are given, in both families (raw(7), ipv6(7)).
        let raw = Protocol::from(255);
        let socket = self.enter(|| Socket::new(domain, Type::RAW, Some(raw))).expect("a raw socket");
        // For a raw socket of IPv6 the port means the protocol, and must be 0 or that.
        let to = SocketAddr::new(segment.to.ip(), 0);
        for packet in segment.bytes() {
            let sent = socket.send_to(&packet, &to.into()).expect("sending a packet");
            assert_eq!(sent, packet.len());
        }
    }

    /// What the receiver of `segment` sent back, TCP or ICMP. That nothing came is known without waiting
    /// for it: an acknowledgement out of the blue to its port `control`, where nothing listens and nothing
    /// is guarded, is answered afterwards.
    ///
    /// # Panics
    /// Where the control is not answered.
    #[must_use]
    pub fn answers(&self, segment: &Segment, control: u16) -> Vec<Packet> {
        let recorder = Recorder::start(self);
        self.send(segment);
        let to = SocketAddr::new(segment.to.ip(), control);
        self.send(&Segment { to, flags: Segment::ACK, fragmented: false, ..*segment });
        let is_control = |packet: &Packet| {
            packet.from == to.ip() && packet.ports().is_some_and(|(source, _)| source == control)
        };
        let mut packets = recorder.until(is_control);
        packets.retain(|packet| {
            packet.from == to.ip() && !is_control(packet) && !is_neighbour_discovery(packet)
        });
        packets
    }
}

/// What the attempt to connect shows.
fn answer(to: SocketAddr, attempt: io::Result<()>) -> Answer {
    match attempt {
        Ok(()) => Answer::Open,
        Err(error) if error.kind() == ErrorKind::ConnectionRefused => Answer::Refused,
        Err(error) if error.kind() == ErrorKind::TimedOut => Answer::Silent,
        Err(error) => panic!("connecting to {to}: {error}"),
    }
}

/// Whether this is ICMPv6 of types 133 to 137 (RFC 4861).
fn is_neighbour_discovery(packet: &Packet) -> bool {
    packet.protocol == 58 && packet.payload.first().is_some_and(|kind| (133..=137).contains(kind))
}

impl Segment {
    /// The packets that carry the segment: one, or two where it is fragmented. The kernel fills in the checksum of an
    /// IPv4 header that is sent by [`Namespace::send`].
    #[must_use]
    pub fn bytes(&self) -> Vec<Vec<u8>> {
        if !self.fragmented {
            return vec![self.packet(&self.tcp(b""), None)];
        }
        // Fragments are cut at multiples of eight bytes.
        let units = if self.from.is_ipv4() { 1 } else { 3 };
        let tcp = self.tcp(b"twelve bytes");
        let (first, second) = tcp.split_at(usize::from(units) * 8);
        vec![self.packet(first, Some((0, true))), self.packet(second, Some((units, false)))]
    }

    /// The TCP header (RFC 9293 section 3.1) with its checksum, and the data.
    fn tcp(&self, data: &[u8]) -> Vec<u8> {
        let mut tcp = Vec::new();
        tcp.extend(self.from.port().to_be_bytes());
        tcp.extend(self.to.port().to_be_bytes());
        tcp.extend([0, 0, 0x12, 0x34, 0, 0, 0, 0, 0x50, self.flags, 0x10, 0, 0, 0, 0, 0]);
        tcp.extend(data);
        let len = u16::try_from(tcp.len()).expect("a small segment").to_be_bytes();
        let checksum = checksum(&[&octets(self.from.ip()), &octets(self.to.ip()), &[0, 6], &len, &tcp]);
        tcp[16..18].copy_from_slice(&checksum.to_be_bytes());
        tcp
    }

    /// An IP packet with this payload: a fragment at `offset` times eight bytes, where one is given, with
    /// more to come or not.
    fn packet(&self, payload: &[u8], fragment: Option<(u16, bool)>) -> Vec<u8> {
        let (offset, more) = fragment.unwrap_or_default();
        let len = u16::try_from(payload.len()).expect("a header");
        let (from, to) = (octets(self.from.ip()), octets(self.to.ip()));
        let header = match self.from.ip() {
            IpAddr::V4(_) => {
                let [total, place] = [20 + len, offset | if more { 0x2000 } else { 0 }].map(u16::to_be_bytes);
                // The kernel fills in the header's checksum.
                [&[0x45, 0][..], &total, &[0x77, 0x77], &place, &[64, 6, 0, 0], &from, &to].concat()
            }
            IpAddr::V6(_) if fragment.is_some() => {
                let [len, place] = [8 + len, (offset << 3) | u16::from(more)].map(u16::to_be_bytes);
                let extension = [&[6, 0][..], &place, &[0, 0, 0x77, 0x77]].concat();
                [&[0x60, 0, 0, 0][..], &len, &[44, 64], &from, &to, &extension].concat()
            }
            IpAddr::V6(_) => [&[0x60, 0, 0, 0][..], &len.to_be_bytes(), &[6, 64], &from, &to].concat(),
        };
        [&header, payload].concat()
    }
}

fn octets(ip: IpAddr) -> Vec<u8> {
    match ip {
        IpAddr::V4(v4) => v4.octets().to_vec(),
        IpAddr::V6(v6) => v6.octets().to_vec(),
    }
}

/// The Internet checksum (RFC 1071) of parts of even length.
pub(crate) fn checksum(parts: &[&[u8]]) -> u16 {
    let words = parts.iter().flat_map(|part| part.chunks_exact(2));
    let mut sum: u32 = words.map(|word| u32::from(u16::from_be_bytes([word[0], word[1]]))).sum();
    while sum > 0xffff {
        sum = (sum & 0xffff) + (sum >> 16);
    }
    !u16::try_from(sum).expect("it was folded")
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The example of RFC 1071 section 3.
    #[test]
    fn checksums_are_those_of_the_internet() {
        assert_eq!(checksum(&[&[0x00, 0x01, 0xf2, 0x03], &[0xf4, 0xf5, 0xf6, 0xf7]]), !0xddf2);
        assert_eq!(octets("127.0.0.1".parse().unwrap()), [127, 0, 0, 1]);
    }
}
