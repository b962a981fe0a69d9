//! The guard against a real kernel: what it shuts, what it lets pass, and what it survives.

mod doors;
mod mending;
mod others;
mod passing;
mod silence;

use std::net::{IpAddr, SocketAddr};
use std::time::Duration;

use knock_spa_proto::address::Address;
use knock_spa_proto::element::Element;
use knock_spa_proto::port::ServicePort;
use knock_spa_tests::lab::{Answer, Host, Namespace, PATIENCE};
use knock_spad::nft::{Guard, Ruleset};

/// Longer than any answer takes in the lab, and short enough to wait for in vain.
const SILENCE: Duration = Duration::from_millis(250);
/// Long enough not to end before the test does.
const LONG: Duration = Duration::from_secs(600);

/// The guard of a namespace.
fn guard_of(namespace: &Namespace) -> Guard {
    namespace.enter(Guard::connect).unwrap()
}

/// A guard of the namespace that shuts these ports.
fn guarding(namespace: &Namespace, doors: &[&str]) -> Guard {
    let mut guard = guard_of(namespace);
    guard.install(&shutting(doors)).unwrap();
    guard
}

fn shutting(doors: &[&str]) -> Ruleset {
    Ruleset { doors: doors.iter().map(|door| port(door)).collect(), ..Ruleset::default() }
}

fn port(text: &str) -> ServicePort {
    text.parse().unwrap()
}

fn element(ip: IpAddr, door: &str) -> Element {
    Element { address: Address::new(ip), port: port(door) }
}

/// What the client learns about a TCP port.
fn ask(client: &Host, ip: IpAddr, tcp: u16) -> Answer {
    client.connect(SocketAddr::new(ip, tcp), SILENCE)
}

fn assert_open(client: &Host, ip: IpAddr, tcp: u16) {
    let to = SocketAddr::new(ip, tcp);
    assert_eq!(client.connect(to, PATIENCE), Answer::Open, "{to} from {}", client.v4);
}

fn assert_silent(client: &Host, ip: IpAddr, tcp: u16) {
    assert_eq!(ask(client, ip, tcp), Answer::Silent, "{ip} port {tcp} from {}", client.v4);
}
