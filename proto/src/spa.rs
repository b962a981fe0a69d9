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
mod enrol;
mod envelope;
mod hmac;
mod hpke;
mod layout;
pub mod request;
mod seal;
mod statement;

pub use enrol::Enrol;
pub use envelope::{EnvelopeKey, Enveloped};
pub use layout::{PACKET_LEN, STATEMENT_LEN};
pub use seal::{SealRandom, seal};
pub use statement::{Forged, Proven, Statement};

#[cfg(test)]
mod tests;
