//! Packets as they are on a wire, and what somebody can make who knows the server's public key.

use chacha20poly1305::XChaCha20Poly1305;
use chacha20poly1305::aead::{AeadInOut, KeyInit};
use knock_spa_keys::server::ServerKey;
use ring::hmac;

use super::*;

pub(super) const FROM_PORT: u16 = 40_000;

/// A UDP packet; the family is that of `from`.
pub(super) fn udp(from: &str, to: &str, port: u16, data: &[u8]) -> Vec<u8> {
    let mut datagram =
        [FROM_PORT, port, u16::try_from(8 + data.len()).unwrap(), 0].map(u16::to_be_bytes).concat();
    datagram.extend(data);
    ip(from, to, 17, &datagram)
}

/// A TCP segment without data.
pub(super) fn tcp(from: &str, to: &str, port: u16, flags: u8) -> Vec<u8> {
    let mut segment = [FROM_PORT, port].map(u16::to_be_bytes).concat();
    segment.extend([0, 0, 0, 1, 0, 0, 0, 0, 0x50, flags, 0xff, 0xff, 0, 0, 0, 0]);
    ip(from, to, 6, &segment)
}

fn ip(from: &str, to: &str, protocol: u8, payload: &[u8]) -> Vec<u8> {
    let len = u16::try_from(payload.len()).unwrap();
    let mut packet = match (from.parse().unwrap(), to.parse().unwrap()) {
        (IpAddr::V4(from), IpAddr::V4(to)) => {
            let [high, low] = (20 + len).to_be_bytes();
            let start = [0x45, 0, high, low, 0, 1, 0x40, 0, 64, protocol, 0, 0];
            [&start[..], &from.octets(), &to.octets()].concat()
        }
        (IpAddr::V6(from), IpAddr::V6(to)) => {
            let [high, low] = len.to_be_bytes();
            let start = [0x60, 0, 0, 0, high, low, protocol, 64];
            [&start[..], &from.octets(), &to.octets()].concat()
        }
        _ => panic!("two families in one packet"),
    };
    packet.extend(payload);
    packet
}

fn envelope(server: &ServerKey) -> XChaCha20Poly1305 {
    let label = hmac::Key::new(hmac::HMAC_SHA256, b"knock-spa/1 envelope");
    XChaCha20Poly1305::new_from_slice(hmac::sign(&label, server.as_bytes()).as_ref()).unwrap()
}

/// The packet in another envelope: under a nonce that `number` names, and with its content (the stamp, the
/// encapsulated key, what is sealed and its tag) changed. Anybody with the server's public key can do that.
pub(super) fn rewrapped(packet: &[u8; PACKET_LEN], number: u64, change: impl FnOnce(&mut [u8])) -> Vec<u8> {
    let cipher = envelope(&server(7).public());
    let mut nonce: [u8; 24] = packet[..24].try_into().unwrap();
    let mut content: [u8; PACKET_LEN - 40] = packet[24..304].try_into().unwrap();
    let tag: [u8; 16] = packet[304..].try_into().unwrap();
    cipher.decrypt_inout_detached(&nonce.into(), b"", content.as_mut_slice().into(), &tag.into()).unwrap();
    change(&mut content);
    nonce[..8].copy_from_slice(&number.to_be_bytes());
    nonce[8..].fill(2);
    let tag = cipher.encrypt_inout_detached(&nonce.into(), b"", content.as_mut_slice().into()).unwrap();
    [&nonce[..], &content, &tag].concat()
}
