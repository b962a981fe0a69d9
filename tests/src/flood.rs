//! Floods: segments that ask for connections, in great numbers and from any address.

use std::io::IoSlice;
use std::net::{Ipv4Addr, SocketAddr};
use std::thread;
use std::time::{Duration, Instant};

use rustix::net::{MMsgHdr, SendAncillaryBuffer, SendFlags, sendmmsg};
use socket2::{Domain, Protocol, Socket, Type};

use crate::lab::Namespace;

/// Packets that are given to the kernel at a time, at most: more makes it no faster.
const AT_A_TIME: u32 = 128;

/// An IP header (RFC 791) and one of TCP (RFC 9293), without options.
const LEN: usize = 40;

/// A packet to a TCP port, from any address.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Hit {
    /// Who seems to have sent it.
    pub from: Ipv4Addr,
    /// The port.
    pub port: u16,
}

/// One of sixteen million addresses, each of which may be somebody's.
#[must_use]
pub fn stranger(number: u32) -> Ipv4Addr {
    Ipv4Addr::from_bits(11 << 24 | (number & 0x00ff_ffff))
}

/// How fast packets go out.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Pace {
    /// So many a second.
    PerSecond(u32),
    /// As many as one core can.
    Unbounded,
}

impl Pace {
    /// How many packets go out together: those of a millisecond.
    fn at_a_time(self) -> usize {
        let count = match self {
            Self::PerSecond(rate) => (rate / 1000).clamp(1, AT_A_TIME),
            Self::Unbounded => AT_A_TIME,
        };
        usize::try_from(count).expect("a small number")
    }
}

/// A way to a machine for packets of one's own making.
#[derive(Debug)]
pub struct Flood {
    socket: Socket,
    to: Ipv4Addr,
}

impl Flood {
    /// A way from a namespace to this address.
    ///
    /// # Panics
    /// Where raw sockets cannot be made or there is no route.
    #[must_use]
    pub fn new(from: &Namespace, to: Ipv4Addr) -> Self {
        // A socket of this protocol sends headers as they are given, and receives nothing (raw(7)).
        let raw = Protocol::from(255);
        let socket = from.enter(|| Socket::new(Domain::IPV4, Type::RAW, Some(raw))).expect("a raw socket");
        socket.connect(&SocketAddr::new(to.into(), 0).into()).expect("a route");
        Self { socket, to }
    }

    /// Sends one packet.
    ///
    /// # Panics
    /// Where it cannot be sent.
    pub fn hit(&self, hit: Hit) {
        let sent = self.socket.send(&packet(hit, self.to)).expect("sending a packet");
        assert_eq!(sent, LEN);
    }

    /// Sends all of these; how long that took.
    ///
    /// # Panics
    /// Where one cannot be sent.
    pub fn send(&self, hits: impl IntoIterator<Item = Hit>, pace: Pace) -> Duration {
        let began = Instant::now();
        let mut hits = hits.into_iter();
        let mut sent = 0_u32;
        loop {
            let hits = hits.by_ref().take(pace.at_a_time());
            let packets: Vec<_> = hits.map(|hit| packet(hit, self.to)).collect();
            if packets.is_empty() {
                return began.elapsed();
            }
            if let Pace::PerSecond(rate) = pace {
                let due = Duration::from_secs(1) * sent / rate;
                thread::sleep(due.saturating_sub(began.elapsed()));
            }
            self.send_together(&packets);
            sent += u32::try_from(packets.len()).expect("a small batch");
        }
    }

    fn send_together(&self, packets: &[[u8; LEN]]) {
        let slices: Vec<_> = packets.iter().map(|packet| [IoSlice::new(packet)]).collect();
        let mut nothing: Vec<_> = slices.iter().map(|_| SendAncillaryBuffer::default()).collect();
        let messages = slices.iter().zip(&mut nothing);
        let mut messages: Vec<_> = messages.map(|(slice, nothing)| MMsgHdr::new(slice, nothing)).collect();
        let mut rest = &mut messages[..];
        while !rest.is_empty() {
            let sent = sendmmsg(&self.socket, rest, SendFlags::empty()).expect("sending packets");
            rest = &mut rest[sent..];
        }
    }
}

/// The packet of a hit: SYN, with its checksum. The kernel fills in that of the IP header.
fn packet(hit: Hit, to: Ipv4Addr) -> [u8; LEN] {
    let mut packet = [0; LEN];
    packet[..12].copy_from_slice(&[0x45, 0, 0, 40, 0x77, 0x77, 0, 0, 64, 6, 0, 0]);
    packet[12..16].copy_from_slice(&hit.from.octets());
    packet[16..20].copy_from_slice(&to.octets());
    packet[20..24].copy_from_slice(&[0x9c, 0x40, 0, 0]);
    packet[22..24].copy_from_slice(&hit.port.to_be_bytes());
    packet[24..36].copy_from_slice(&[0, 0, 0x12, 0x34, 0, 0, 0, 0, 0x50, 0x02, 0x10, 0]);
    let words = packet[12..].chunks_exact(2).map(|word| u32::from(u16::from_be_bytes([word[0], word[1]])));
    // The pseudo header has the addresses, the protocol, and the length of the segment.
    let sum = words.sum::<u32>() + 6 + 20;
    let folded = (sum & 0xffff) + (sum >> 16);
    let folded = (folded & 0xffff) + (folded >> 16);
    let checksum = !u16::try_from(folded).expect("it is folded");
    packet[36..38].copy_from_slice(&checksum.to_be_bytes());
    packet
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn packets_add_up() {
        let packet = packet(Hit { from: stranger(0x0001_ffee), port: 7000 }, Ipv4Addr::new(192, 0, 2, 1));
        assert_eq!(packet[12..16], [11, 1, 0xff, 0xee]);
        let words =
            packet[12..].chunks_exact(2).map(|word| u32::from(u16::from_be_bytes([word[0], word[1]])));
        assert_eq!((words.sum::<u32>() + 6 + 20) % 0xffff, 0);
    }
}
