//! The packet as a whole: against fixed vectors, against other implementations, and against attackers.

mod hostile;
mod oracle;
mod vectors;

use alloc::vec::Vec;
use core::num::NonZeroU32;

use knock_spa_keys::client::{ClientKey, ClientSecret};
use knock_spa_keys::server::ServerSecret;

use super::request::{Addresses, Open, Request};
use super::{EnvelopeKey, SealRandom, seal};
use crate::refusal::Refusal;
use crate::time::UnixTime;

/// A server and its one client.
struct World {
    server: ServerSecret,
    client: ClientSecret,
}

const WORLD: fn() -> World =
    || World { server: ServerSecret::from_bytes([7; 32]), client: ClientSecret::from_seed([9; 32]) };
const STAMP: UnixTime = UnixTime::from_nanos(1_790_000_000_123_456_789);

impl World {
    /// Takes a datagram through every stage that needs no memory of other datagrams.
    fn receive(&self, datagram: &[u8]) -> Result<Request, Refusal> {
        if datagram.len() != super::PACKET_LEN {
            assert!(EnvelopeKey::of(&self.server.public()).open(datagram).is_none());
            return Err(Refusal::WrongLength);
        }
        let enveloped = EnvelopeKey::of(&self.server.public()).open(datagram).ok_or(Refusal::Junk)?;
        let statement = enveloped.unseal(&self.server).ok_or(Refusal::Unsealable)?;
        let client = ClientKey::from_bytes(*statement.client()).map_err(|_| Refusal::UnknownClient)?;
        if client != self.client.public() {
            return Err(Refusal::UnknownClient);
        }
        let proven = statement.verify(&client, &self.server.public()).map_err(|_| Refusal::Forged)?;
        proven.request().map_err(|_| Refusal::Malformed)
    }

    fn packet(&self) -> [u8; super::PACKET_LEN] {
        let random = SealRandom { ephemeral: [3; 32], nonce: [1; 24] };
        seal(&self.server.public(), &self.client, STAMP, &example(), random)
    }
}

/// The request of the vector.
fn example() -> Request {
    let to = Addresses::NONE.with_sender().with_v6("2001:db8::7".parse().unwrap()).unwrap();
    let open = Open::new("ssh,tcp/8443".parse().unwrap(), to, NonZeroU32::new(60)).unwrap();
    Request::Open(open)
}

/// The bytes that `hex` spells.
pub(super) fn bytes<const N: usize>(hex: &str) -> [u8; N] {
    octets(hex).try_into().unwrap()
}

/// As many bytes as `hex` spells.
fn octets(hex: &str) -> Vec<u8> {
    let octet = |two: &[u8]| u8::from_str_radix(str::from_utf8(two).unwrap(), 16).unwrap();
    hex.as_bytes().chunks(2).map(octet).collect()
}
