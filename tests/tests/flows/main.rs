//! What users see, end to end: the real programs, real packets, the kernel's own firewall and a real service.

mod audit;
mod booting;
mod by_hand;
mod commands;
mod cutting;
mod doctor;
mod dry_run;
mod enrolling;
mod explaining;
mod knockd_doors;
mod knocking;
mod lease;
mod limits;
mod live;
mod mending;
mod opening;
mod plain_ssh;
mod policy;
mod proxy;
mod refusals;
mod reload;
mod requests;
mod rotation;
mod service;
mod services;
mod sessions;
mod sets;
mod silence;
mod socket;
mod state;
mod status;
mod trial;
mod warning;

use std::net::{IpAddr, SocketAddr};
use std::time::Duration;

use knock_spa_proto::address::Address;
use knock_spa_proto::control::Counters;
use knock_spa_proto::element::Element;
use knock_spa_tests::lab::{Answer, Host, PATIENCE, World, until};
use knock_spa_tests::laptop::Laptop;
use knock_spa_tests::server::Server;

/// Longer than any answer takes in the lab, and short enough to wait for in vain.
const SILENCE: Duration = Duration::from_millis(250);

/// A server that runs, and the laptop of its client alice, who may open the door `ssh`.
fn enrolled<'w>(world: &'w World, configuration: &str) -> (Server<'w>, Laptop<'w>) {
    let server = Server::running(&world.server, configuration);
    let laptop = Laptop::new(&world.laptop, &world.server);
    server.enrol(&laptop, "alice", &["--door", "ssh"]);
    (server, laptop)
}

/// Where the server hears packets, in the family of `like`.
fn spa_port(world: &World, like: IpAddr) -> SocketAddr {
    SocketAddr::new(world.server.address_like(like), 62201)
}

/// Waits until the server has seen so many packets to its SPA port since it was started, and dealt with each.
fn await_packets(server: &Server<'_>, count: u64) -> Counters {
    let mut counters = server.status().counters;
    until(PATIENCE, &format!("{count} packets to be dealt with"), || {
        counters = server.status().counters;
        counters.accepted + counters.refused.values().sum::<u64>() >= count
    });
    counters
}

/// Waits until so many packets were accepted, and until everything is told that came before the last of them: the
/// listener tells what it has counted a moment later than what it has found good.
fn await_packet(server: &Server<'_>, accepted: u64) -> Counters {
    let mut counters = server.status().counters;
    until(PATIENCE, &format!("{accepted} packets to be accepted"), || {
        counters = server.status().counters;
        let refused: u64 = counters.refused.values().sum();
        counters.accepted >= accepted && counters.received == counters.accepted + refused
    });
    assert_eq!(counters.accepted, accepted);
    counters
}

/// For how much longer the kernel lets this address in: the inner `None` is for ever, the outer one not at all.
fn left(server: &Server<'_>, address: impl Into<IpAddr>, port: &str) -> Option<Option<Duration>> {
    let element = Element { address: Address::new(address.into()), port: port.parse().unwrap() };
    let open = server.guard().unwrap().open;
    open.into_iter().find_map(|(found, left)| (found == element).then_some(left))
}

#[track_caller]
fn assert_open(client: &Host, ip: impl Into<IpAddr>, tcp: u16) {
    let to = SocketAddr::new(ip.into(), tcp);
    assert_eq!(client.connect(to, PATIENCE), Answer::Open, "{to} from {}", client.v4);
}

#[track_caller]
fn assert_silent(client: &Host, ip: impl Into<IpAddr>, tcp: u16) {
    let to = SocketAddr::new(ip.into(), tcp);
    assert_eq!(client.connect(to, SILENCE), Answer::Silent, "{to} from {}", client.v4);
}
