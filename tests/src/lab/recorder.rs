//! What really was on the wire.

use std::io::{ErrorKind, Read};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::time::{Duration, Instant};

use socket2::{Domain, Protocol, SockFilter, Socket, Type};

use super::namespace::Namespace;
use super::wait::PATIENCE;

/// `ETH_P_ALL` of `linux/if_ether.h`: every packet, sent and received.
const ETH_P_ALL: u16 = 3;
/// Where a filter finds what the kernel knows of a packet (`linux/filter.h`), and which kind one is that leaves
/// (`linux/if_packet.h`).
const SKF_AD_OFF: i32 = -0x1000;
const SKF_AD_PKTTYPE: i32 = 4;
const PACKET_OUTGOING: u32 = 4;
/// `IPPROTO_TCP` and `IPPROTO_UDP` as in the headers of IP.
const TCP: u8 = 6;
const UDP: u8 = 17;

/// One IP packet as it passed an interface.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Packet {
    /// Who sent it.
    pub from: IpAddr,
    /// Whom it is for.
    pub to: IpAddr,
    /// The protocol in it: IPv6 extension headers count as one.
    pub protocol: u8,
    /// What follows the IP header.
    pub payload: Vec<u8>,
}

impl Packet {
    fn parse(bytes: &[u8]) -> Option<Self> {
        match bytes.first()? >> 4 {
            4 => {
                let header = usize::from(bytes[0] & 0x0f) * 4;
                let end = usize::from(u16::from_be_bytes([bytes[2], bytes[3]]));
                Some(Self {
                    from: Ipv4Addr::from_octets(bytes.get(12..16)?.try_into().ok()?).into(),
                    to: Ipv4Addr::from_octets(bytes.get(16..20)?.try_into().ok()?).into(),
                    protocol: bytes[9],
                    payload: bytes.get(header..end.min(bytes.len()))?.to_vec(),
                })
            }
            6 => Some(Self {
                from: Ipv6Addr::from_octets(bytes.get(8..24)?.try_into().ok()?).into(),
                to: Ipv6Addr::from_octets(bytes.get(24..40)?.try_into().ok()?).into(),
                protocol: bytes[6],
                payload: bytes[40..].to_vec(),
            }),
            _ => None,
        }
    }

    /// Source and destination port, where it is TCP or UDP.
    #[must_use]
    pub fn ports(&self) -> Option<(u16, u16)> {
        let [a, b, c, d] = *self.payload.first_chunk()?;
        matches!(self.protocol, TCP | UDP).then_some((u16::from_be_bytes([a, b]), u16::from_be_bytes([c, d])))
    }

    /// The control bits, where it is TCP.
    #[must_use]
    pub fn tcp_flags(&self) -> Option<u8> {
        (self.protocol == TCP).then(|| self.payload.get(13).copied()).flatten()
    }
}

/// Records every packet that any interface of a namespace sends or receives, from its making on.
///
/// One that is forwarded is recorded at each interface that it passes.
#[derive(Debug)]
pub struct Recorder(Socket);

impl Recorder {
    /// Starts recording.
    ///
    /// # Panics
    /// Where packet sockets cannot be made.
    #[must_use]
    pub fn start(namespace: &Namespace) -> Self {
        Self::open(namespace, |_| ())
    }

    /// Starts recording what the namespace sends or forwards, and nothing of what comes in: a flood of that would leave
    /// no room for it.
    ///
    /// # Panics
    /// Where packet sockets cannot be made.
    #[must_use]
    pub fn of_what_leaves(namespace: &Namespace) -> Self {
        // Load the kind of packet; where it is `PACKET_OUTGOING`, all of it; else nothing.
        let kind = SKF_AD_OFF.wrapping_add(SKF_AD_PKTTYPE).cast_unsigned();
        let program = [
            SockFilter::new(0x20, 0, 0, kind),
            SockFilter::new(0x15, 0, 1, PACKET_OUTGOING),
            SockFilter::new(0x06, 0, 0, 65_535),
            SockFilter::new(0x06, 0, 0, 0),
        ];
        Self::open(namespace, |socket| socket.attach_filter(&program).expect("a filter"))
    }

    fn open(namespace: &Namespace, prepare: impl FnOnce(&Socket)) -> Self {
        let protocol = Protocol::from(i32::from(ETH_P_ALL.to_be()));
        let socket = namespace
            .enter(|| Socket::new(Domain::PACKET, Type::DGRAM, Some(protocol)))
            .expect("a packet socket in a namespace of ours");
        prepare(&socket);
        // Enough for a burst: the default would drop silently.
        socket.set_recv_buffer_size(4 << 20).expect("a larger buffer");
        Self(socket)
    }

    /// The packets since the last question, up to one for which `is_last` holds.
    ///
    /// # Panics
    /// Where none such comes soon: the message holds what came.
    #[must_use]
    pub fn until(&self, is_last: impl Fn(&Packet) -> bool) -> Vec<Packet> {
        let deadline = Instant::now() + PATIENCE;
        let mut packets = Vec::new();
        loop {
            let left = deadline.saturating_duration_since(Instant::now()).max(Duration::from_millis(1));
            let Some(packet) = self.next(left) else {
                panic!("the awaited packet did not come; these did: {packets:#?}")
            };
            let last = is_last(&packet);
            packets.push(packet);
            if last {
                return packets;
            }
        }
    }

    /// The next packet of IP within `limit`.
    #[must_use]
    pub fn next(&self, limit: Duration) -> Option<Packet> {
        let deadline = Instant::now() + limit;
        let mut bytes = vec![0; 65536];
        loop {
            let left = deadline.checked_duration_since(Instant::now()).filter(|left| !left.is_zero())?;
            self.0.set_read_timeout(Some(left)).expect("a positive timeout");
            match (&self.0).read(&mut bytes) {
                Ok(len) => {
                    if let Some(packet) = Packet::parse(&bytes[..len]) {
                        return Some(packet);
                    }
                }
                Err(error) if matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::Interrupted) => {}
                Err(error) if error.raw_os_error() == Some(100) => {} // ENETDOWN: an interface went down.
                Err(error) => panic!("recording: {error}"),
            }
        }
    }
}
