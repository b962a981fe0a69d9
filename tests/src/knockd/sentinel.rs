//! The last door of every configuration, by which rigs learn that a daemon has dealt with everything before.

use std::net::IpAddr;

use super::packet::{Packet, Shape};
use super::sequence::Protocol;
use super::trace::SERVER;

/// Who knocks at it.
const FROM: &str = "198.51.100.99";

/// The configuration with the last door of this number.
///
/// # Panics
/// Never for a number that a trace reaches.
#[must_use]
pub fn with_last_door(config: &str, own: &[IpAddr], number: u16) -> String {
    let Packet { to, port, .. } = knock(number);
    let target = if own.contains(&to) { String::new() } else { format!("target = {to}\n") };
    format!("{config}\n[sentinel-{number}]\nsequence = {port}:udp\n{target}")
}

/// The packet that opens it.
///
/// # Panics
/// Never for a number that a trace reaches.
#[must_use]
pub fn knock(number: u16) -> Packet {
    Packet {
        from: FROM.parse().expect("an address"),
        to: SERVER[0].parse().expect("an address"),
        protocol: Protocol::Udp,
        port: 62_000 + number,
        flags: 0,
        shape: Shape::Plain,
    }
}

/// What a daemon says then.
#[must_use]
pub fn message(number: u16) -> String {
    format!("{FROM}: sentinel-{number}: OPEN SESAME")
}

/// Whether a message is about such a door.
#[must_use]
pub fn is_meant(message: &str) -> bool {
    message.starts_with(&format!("{FROM}: sentinel-"))
}
