//! The last door of every configuration, by which rigs learn that a daemon has dealt with everything before.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use super::address;
use super::packet::{Packet, Shape};
use super::sequence::Protocol;
use super::trace::{SERVER, SERVER_6};

/// The configuration with the last door of this number.
///
/// # Panics
/// Never: the server's address is one.
#[must_use]
pub fn with_last_door(config: &str, own: &[IpAddr], number: u16) -> String {
    let to = SERVER[0].parse::<IpAddr>().expect("an address");
    let target = if own.contains(&to) { String::new() } else { format!("target = {to}\n") };
    format!("{config}\n[sentinel-{number}]\nsequence = {}:udp\n{target}", port(number))
}

fn port(number: u16) -> u16 {
    62_000 + number
}

/// Those who open it, one of each family that it can be opened by, and each time others.
#[must_use]
pub fn knockers(own: &[IpAddr], serial: u16) -> Vec<IpAddr> {
    let [high, low] = serial.to_be_bytes();
    let v4 = Ipv4Addr::new(198, 18, high, low).into();
    let v6 = Ipv6Addr::new(0x2001, 0xdb8, 0x99, 0, 0, 0, 1, serial).into();
    let listens = [SERVER[0], SERVER_6[0]].map(|text| own.contains(&text.parse().expect("an address")));
    if listens == [true, true] { vec![v4, v6] } else { vec![v4] }
}

/// The packet by which one of them opens it.
///
/// # Panics
/// Never: the server's addresses are some.
#[must_use]
pub fn knock(from: IpAddr, number: u16) -> Packet {
    let to = if from.is_ipv4() { SERVER[0] } else { SERVER_6[0] };
    let to = to.parse().expect("an address");
    Packet { from, to, protocol: Protocol::Udp, port: port(number), flags: 0, shape: Shape::Plain }
}

/// What a daemon says then.
#[must_use]
pub fn message(from: IpAddr, number: u16) -> String {
    format!("{}: sentinel-{number}: OPEN SESAME", address::text(from))
}

/// Whether a message is about such a door.
#[must_use]
pub fn is_meant(message: &str) -> bool {
    message.split_once(": ").is_some_and(|(_, rest)| rest.starts_with("sentinel-"))
}
