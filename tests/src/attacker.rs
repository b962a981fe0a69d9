//! What attackers make: packets taken apart and put together again layer by layer, and datagrams from other people's
//! addresses. Made from `docs/protocol.md` and other people's implementations, without a line of our own cryptography.

use std::net::{IpAddr, SocketAddr};

use chacha20poly1305::aead::Aead as _;
use chacha20poly1305::{KeyInit as _, XChaCha20Poly1305};
use hpke::aead::ChaCha20Poly1305;
use hpke::kdf::HkdfSha256;
use hpke::kem::X25519HkdfSha256;
use hpke::{Deserializable as _, Kem, OpModeR, OpModeS, Serializable as _};
use knock_spa_keys::client::ClientSecret;
use knock_spa_keys::server::{ServerKey, ServerSecret};
use knock_spa_proto::spa::PACKET_LEN;
use knock_spa_proto::time::UnixTime;
use ring::hmac;
use ring::rand::{SecureRandom, SystemRandom};
use socket2::{Domain, Protocol, Socket, Type};

use crate::lab::{Namespace, checksum};

/// The labels of one version of the protocol: `docs/protocol.md` section 6.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Labels {
    /// Begins what is signed.
    pub sign: &'static [u8; 16],
    /// Begins the `info` of the seal.
    pub seal: &'static [u8; 16],
    /// The envelope's.
    pub envelope: &'static [u8; 20],
}

/// Those of knock-spa/1.
pub const LABELS: Labels =
    Labels { sign: b"knock-spa/1 sign", seal: b"knock-spa/1 seal", envelope: b"knock-spa/1 envelope" };

/// What the envelope holds: anybody can change it who knows the server's public key.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Content {
    /// When the packet was made.
    pub stamp: UnixTime,
    /// The ephemeral key.
    pub enc: [u8; 32],
    /// The sealed statement with its tag: 240 bytes.
    pub sealed: Vec<u8>,
}

/// What the seal holds: anybody can make it, and read it who has the server's secret key.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Plain {
    /// The client.
    pub client: [u8; 32],
    /// Its signature.
    pub signature: [u8; 64],
    /// What it asks for.
    pub request: [u8; 128],
}

impl Plain {
    /// What a client signs.
    #[must_use]
    pub fn signed(client: &ClientSecret, server: &ServerKey, stamp: UnixTime, request: [u8; 128]) -> Self {
        Self::signed_as(LABELS, client, server, stamp, request)
    }

    /// The same in another version.
    #[must_use]
    pub fn signed_as(
        labels: Labels,
        client: &ClientSecret,
        server: &ServerKey,
        stamp: UnixTime,
        request: [u8; 128],
    ) -> Self {
        let stamp = stamp.as_nanos().to_be_bytes();
        let message = [labels.sign, &server.as_bytes()[..], &stamp, &request].concat();
        Self { client: *client.public().as_bytes(), signature: client.sign(&message), request }
    }

    /// Seals it to `server`, whatever it says.
    #[must_use]
    pub fn seal(&self, server: &ServerKey, stamp: UnixTime) -> Content {
        self.seal_as(LABELS, server, stamp)
    }

    /// The same in another version.
    ///
    /// # Panics
    /// Never for a key of a server.
    #[must_use]
    pub fn seal_as(&self, labels: Labels, server: &ServerKey, stamp: UnixTime) -> Content {
        let mut text = [&self.client[..], &self.signature, &self.request].concat();
        let to = <X25519HkdfSha256 as Kem>::PublicKey::from_bytes(server.as_bytes()).expect("a key");
        let (enc, tag) = hpke::single_shot_seal_inout_detached::<
            ChaCha20Poly1305,
            HkdfSha256,
            X25519HkdfSha256,
        >(&OpModeS::Base, &to, &info(labels, stamp), text.as_mut_slice().into(), b"")
        .expect("sealing");
        let enc = enc.to_bytes().into();
        Content { stamp, enc, sealed: [&text[..], &tag.to_bytes()].concat() }
    }
}

impl Content {
    /// Opens somebody's packet; `None` where it is not one to this server.
    #[must_use]
    pub fn of(server: &ServerKey, packet: &[u8]) -> Option<Self> {
        let (nonce, boxed) = packet.split_first_chunk::<24>().filter(|_| packet.len() == PACKET_LEN)?;
        let content = envelope(LABELS, server).decrypt(nonce.into(), boxed).ok()?;
        let (stamp, rest) = content.split_first_chunk()?;
        let (enc, sealed) = rest.split_first_chunk()?;
        let stamp = UnixTime::from_nanos(u64::from_be_bytes(*stamp));
        Some(Self { stamp, enc: *enc, sealed: sealed.to_vec() })
    }

    /// A packet with this content, in a fresh envelope.
    #[must_use]
    pub fn packet(&self, server: &ServerKey) -> [u8; PACKET_LEN] {
        self.packet_as(LABELS, server)
    }

    /// The same in another version.
    ///
    /// # Panics
    /// Where something has another length than it should.
    #[must_use]
    pub fn packet_as(&self, labels: Labels, server: &ServerKey) -> [u8; PACKET_LEN] {
        let nonce: [u8; 24] = noise();
        let content = [&self.stamp.as_nanos().to_be_bytes()[..], &self.enc, &self.sealed].concat();
        let boxed = envelope(labels, server).encrypt((&nonce).into(), &*content).expect("an envelope");
        [&nonce[..], &boxed].concat().try_into().expect("a packet's length")
    }

    /// Reads what is sealed; `None` where it was not sealed to this server, or was changed.
    ///
    /// # Panics
    /// Never for keys of a server.
    #[must_use]
    pub fn unseal(&self, server: &ServerSecret) -> Option<Plain> {
        let text = hpke::single_shot_open::<ChaCha20Poly1305, HkdfSha256, X25519HkdfSha256>(
            &OpModeR::Base,
            &<X25519HkdfSha256 as Kem>::PrivateKey::from_bytes(server.expose()).expect("a key"),
            &<X25519HkdfSha256 as Kem>::EncappedKey::from_bytes(&self.enc).ok()?,
            &info(LABELS, self.stamp),
            &self.sealed,
            b"",
        );
        let text = text.ok()?;
        let (client, rest) = text.split_first_chunk()?;
        let (signature, request) = rest.split_first_chunk()?;
        Some(Plain { client: *client, signature: *signature, request: request.try_into().ok()? })
    }
}

/// Random bytes.
///
/// # Panics
/// Where the system has none.
#[must_use]
pub fn noise<const N: usize>() -> [u8; N] {
    let mut bytes = [0; N];
    SystemRandom::new().fill(&mut bytes).expect("random bytes");
    bytes
}

fn envelope(labels: Labels, server: &ServerKey) -> XChaCha20Poly1305 {
    let key = hmac::Key::new(hmac::HMAC_SHA256, labels.envelope);
    XChaCha20Poly1305::new_from_slice(hmac::sign(&key, server.as_bytes()).as_ref()).expect("32 bytes")
}

fn info(labels: Labels, stamp: UnixTime) -> Vec<u8> {
    [&labels.seal[..], &stamp.as_nanos().to_be_bytes()].concat()
}

/// Sends datagrams from addresses that are not its own.
#[derive(Debug)]
pub struct Spoofer {
    v4: Socket,
    v6: Socket,
}

impl Spoofer {
    /// Somebody in this namespace.
    ///
    /// # Panics
    /// Where raw sockets cannot be made.
    #[must_use]
    pub fn new(namespace: &Namespace) -> Self {
        // A socket of this protocol sends headers as they are given, in both families (raw(7), ipv6(7)).
        let raw = |domain| Socket::new(domain, Type::RAW, Some(Protocol::from(255)));
        let [v4, v6] = namespace.enter(|| [Domain::IPV4, Domain::IPV6].map(raw));
        Self { v4: v4.expect("a raw socket"), v6: v6.expect("a raw socket") }
    }

    /// Sends one that seems to come from `from`, of the family of `to`.
    ///
    /// # Panics
    /// Where it cannot be sent.
    pub fn send(&self, from: SocketAddr, to: SocketAddr, payload: &[u8]) {
        self.send_packet(to, &datagram(from, to, payload));
    }

    /// The same over IPv6, behind an extension header where a filter of the kernel cannot look.
    ///
    /// # Panics
    /// Where it cannot be sent.
    pub fn send_behind_options(&self, from: SocketAddr, to: SocketAddr, payload: &[u8]) {
        let mut packet = datagram(from, to, payload);
        // Options for every hop (RFC 8200 section 4.3), which are padding; UDP follows.
        packet.splice(40..40, [17, 0, 1, 4, 0, 0, 0, 0]);
        let len = u16::try_from(packet.len() - 40).expect("a short packet");
        packet[4..6].copy_from_slice(&len.to_be_bytes());
        packet[6] = 0;
        self.send_packet(to, &packet);
    }

    fn send_packet(&self, to: SocketAddr, packet: &[u8]) {
        let socket = if to.is_ipv4() { &self.v4 } else { &self.v6 };
        let sent = socket.send_to(packet, &SocketAddr::new(to.ip(), 0).into()).expect("sending a packet");
        assert_eq!(sent, packet.len());
    }
}

/// The datagram (RFC 768) in its IP packet. The kernel fills in the checksum of an IPv4 header.
fn datagram(from: SocketAddr, to: SocketAddr, payload: &[u8]) -> Vec<u8> {
    let len = u16::try_from(8 + payload.len()).expect("a short datagram");
    let mut udp = [from.port(), to.port(), len, 0].map(u16::to_be_bytes).concat();
    udp.extend(payload);
    let even: &[u8] = if udp.len().is_multiple_of(2) { &[] } else { &[0] };
    let (source, destination) = (octets(from.ip()), octets(to.ip()));
    let sum = checksum(&[&source, &destination, &[0, 17], &len.to_be_bytes(), &[&udp, even].concat()]);
    // Zero would mean that there is none.
    udp[6..8].copy_from_slice(&if sum == 0 { 0xffff } else { sum }.to_be_bytes());
    let header = if from.is_ipv4() {
        [&[0x45, 0][..], &(20 + len).to_be_bytes(), &[0x77, 0x77, 0, 0, 64, 17, 0, 0]].concat()
    } else {
        [&[0x60, 0, 0, 0][..], &len.to_be_bytes(), &[17, 64]].concat()
    };
    [header, source, destination, udp].concat()
}

fn octets(ip: IpAddr) -> Vec<u8> {
    match ip {
        IpAddr::V4(v4) => v4.octets().to_vec(),
        IpAddr::V6(v6) => v6.octets().to_vec(),
    }
}

#[cfg(test)]
mod tests {
    use knock_spa_proto::spa::EnvelopeKey;

    use super::*;

    #[test]
    fn what_an_attacker_makes_is_what_we_read() {
        let (server, client) = (ServerSecret::from_bytes([7; 32]), ClientSecret::from_seed([9; 32]));
        let (key, stamp) = (server.public(), UnixTime::from_nanos(1_790_000_000_123_456_789));
        let plain = Plain::signed(&client, &key, stamp, [1; 128]);
        let packet = plain.seal(&key, stamp).packet(&key);
        let statement = EnvelopeKey::of(&key).open(&packet).unwrap().unseal(&server).unwrap();
        assert_eq!((statement.stamp(), statement.client()), (stamp, &plain.client));
        assert!(statement.verify(&client.public(), &key).is_ok());
        let content = Content::of(&key, &packet).unwrap();
        assert_eq!(content.unseal(&server), Some(plain));
        assert_ne!(content.packet(&key), packet);
    }
}
