//! The SPA packet (`docs/protocol.md` sections 1 to 4): one datagram in which a client asks a server for something.
//!
//! Read from the inside: the *statement* says who asks which server for what, and when, and is signed; the *seal*
//! lets that server alone read it; the *envelope* makes the packet noise to everybody who does not know the
//! server's public key, and lets the server throw noise away cheaply. Each layer does one job, and none relies on
//! another for it.
//!
//! A client calls [`seal`]. A server goes [`EnvelopeKey::open`] → [`Enveloped`] → [`Statement`] → [`Proven`] →
//! [`Request`](request::Request); each step takes the step before it by value, and none can be left out.

mod aead;
mod envelope;
mod hmac;
mod hpke;
mod layout;
pub mod request;
mod seal;
mod statement;

pub use envelope::{EnvelopeKey, Enveloped};
pub use layout::{PACKET_LEN, STATEMENT_LEN};
pub use seal::{SealRandom, seal};
pub use statement::{Forged, Proven, Statement};

#[cfg(test)]
mod tests {
    use core::num::NonZeroU32;

    use knock_spa_keys::client::ClientSecret;
    use knock_spa_keys::server::ServerSecret;
    use ring::digest::{SHA256, digest};

    use super::request::{Addresses, Open, Request};
    use super::{EnvelopeKey, SealRandom, seal};
    use crate::time::UnixTime;

    #[test]
    fn the_example_is_a_packet() {
        let (server, client) = (ServerSecret::from_bytes([7; 32]), ClientSecret::from_seed([9; 32]));
        let stamp = UnixTime::from_nanos(1_790_000_000_123_456_789);
        let to = Addresses::NONE.with_sender().with_v6("2001:db8::7".parse().unwrap()).unwrap();
        let open = Open::new("ssh,tcp/8443".parse().unwrap(), to, NonZeroU32::new(60)).unwrap();
        let request = Request::Open(open);
        let random = SealRandom { ephemeral: [3; 32], nonce: [1; 24] };

        let packet = seal(&server.public(), &client, stamp, &request, random);
        assert_eq!(
            digest(&SHA256, &packet).as_ref(),
            b"\xb1\x65\xbe\x6e\xbc\x40\x27\x39\xd5\x06\x38\x8a\x84\x2c\x2a\xe6\
              \x69\x0c\xef\xe0\x96\xd4\x60\xaa\x45\x78\xdb\xbc\x39\xdb\x01\xd4"
        );

        let enveloped = EnvelopeKey::of(&server.public()).open(&packet).unwrap();
        assert_eq!(enveloped.stamp(), stamp);
        assert_eq!(enveloped.tag(), packet[304..]);
        let statement = enveloped.unseal(&server).unwrap();
        assert_eq!(statement.client(), client.public().as_bytes());
        assert_eq!(super::Statement::from_bytes(statement.to_bytes()), statement);
        let proven = statement.verify(&client.public(), &server.public()).unwrap();
        assert_eq!((proven.client(), proven.stamp()), (&client.public(), stamp));
        assert_eq!(proven.request(), Ok(request));
    }
}
