//! What clients ask for, signed as they sign it.

use knock_spa_proto::spa::request::Addresses;
use knock_spa_proto::spa::{EnvelopeKey, STATEMENT_LEN, SealRandom, seal};

use super::*;

/// A request in the making; as it is made it is for the sender.
#[derive(Clone, Debug)]
pub(super) struct Asked {
    services: &'static str,
    to: Addresses,
    ttl: u32,
    opens: bool,
}

/// Asks to open these services for the sender.
pub(super) fn open(services: &'static str) -> Asked {
    Asked { services, to: Addresses::NONE.with_sender(), ttl: 0, opens: true }
}

/// Asks to close these services wherever they are open.
pub(super) fn close(services: &'static str) -> Asked {
    Asked { services, to: Addresses::NONE, ttl: 0, opens: false }
}

impl Asked {
    /// Not for the sender.
    pub(super) fn explicitly(self) -> Self {
        Self { to: Addresses::NONE, ..self }
    }

    /// For the sender too.
    pub(super) fn here(self) -> Self {
        Self { to: self.to.with_sender(), ..self }
    }

    /// For this address too.
    pub(super) fn at(self, text: &str) -> Self {
        let to = match address(text).ip() {
            core::net::IpAddr::V4(v4) => self.to.with_v4(v4),
            core::net::IpAddr::V6(v6) => self.to.with_v6(v6),
        };
        Self { to: to.unwrap(), ..self }
    }

    /// For so many seconds.
    pub(super) fn ttl(self, ttl: u32) -> Self {
        Self { ttl, ..self }
    }

    pub(super) fn request(&self) -> Request {
        let services = self.services.parse().unwrap();
        if self.opens {
            Request::Open(Open::new(services, self.to, NonZeroU32::new(self.ttl)).unwrap())
        } else {
            Request::Close(Close::new(services, self.to))
        }
    }
}

/// The statement in which `client` asks `server` for these bytes.
pub(super) fn state(
    server: &ServerKey,
    client: &ClientSecret,
    stamp: UnixTime,
    request: &[u8; 128],
) -> Statement {
    let stamp = stamp.as_nanos().to_be_bytes();
    let signed = [&b"knock-spa/1 sign"[..], server.as_bytes(), &stamp, request].concat();
    let signature = client.sign(&signed);
    let bytes = [&client.public().as_bytes()[..], &stamp, &signature, request].concat();
    Statement::from_bytes(<[u8; STATEMENT_LEN]>::try_from(bytes).unwrap())
}

#[test]
fn statements_are_those_of_real_packets() {
    let request = open("ssh").at(ALICE6).ttl(5).request();
    let stamp = UnixTime::from_nanos(1_790_000_000_000_000_000);
    let random = SealRandom { ephemeral: [3; 32], nonce: [1; 24] };
    let packet = seal(&server().public(), &alice(), stamp, &request, random);
    let unsealed = EnvelopeKey::of(&server().public()).open(&packet).unwrap().unseal(&server());
    assert_eq!(unsealed, Some(state(&server().public(), &alice(), stamp, &request.encode())));
}
