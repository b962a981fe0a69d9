//! The keeper's decisions in virtual time: a small world around the engine, and stories in it.

mod asking;
mod world;

mod bounds;
mod changing;
mod chaos;
mod clocks;
mod closing;
mod commands;
mod crashes;
mod cutting;
mod enrolling;
mod explaining;
mod journal;
mod lies;
mod local;
mod opening;
mod policy;
mod random;
mod refusing;
mod restarting;
mod rotating;
mod running;
mod services;
mod sets;

use core::num::NonZeroU32;

use knock_spa_keys::client::ClientSecret;
use knock_spa_keys::server::ServerSecret;
use knock_spa_proto::element::Element;
use knock_spa_proto::knock::{ClassicKnock, FlagRule, Sequence, Step as KnockStep, TimeLimit};
use knock_spa_proto::port::{ServicePort, Transport};

use self::asking::{Asked, close, open};
use self::world::World;
use knock_spa_proto::service::ServiceName;
use knock_spa_proto::spa::request::Close;

use super::local::Which;
use super::*;
use crate::cases::cases;
use crate::client::{AddressMode, Rate, Right};
use crate::command::{CommandAction, Template};
use crate::rules::{Action, Door, Lease, OnStop};
use crate::set::SetAction;

const WINDOW: Duration = Duration::from_secs(60);
const ALICE4: &str = "198.51.100.7";
const ALICE6: &str = "2001:db8:7::7";
const BOB4: &str = "203.0.113.9";
const OWN4: &str = "192.0.2.1";
const OWN6: &str = "2001:db8::1";

fn secs(seconds: u64) -> Duration {
    Duration::from_secs(seconds)
}

fn address(text: &str) -> Address {
    Address::new(text.parse().unwrap())
}

fn name(text: &str) -> ServiceName {
    text.parse().unwrap()
}

/// The openings of a door: for one address, or all of them.
fn of(door: &str, at: Option<&str>) -> Which {
    Which { door: Some(name(door)), address: at.map(address), client: None }
}

fn element(address_text: &str, port: &str) -> Element {
    Element { address: address(address_text), port: port.parse().unwrap() }
}

fn server() -> ServerSecret {
    ServerSecret::from_bytes([7; 32])
}

fn alice() -> ClientSecret {
    ClientSecret::from_seed([9; 32])
}

fn bob() -> ClientSecret {
    ClientSecret::from_seed([10; 32])
}

/// A door of the guard, which opens for a minute and an hour at most.
fn door(name_text: &str, ports: &[&str]) -> Door {
    Door {
        name: name(name_text),
        aliases: Vec::new(),
        ports: ports.iter().map(|port| port.parse().unwrap()).collect(),
        open_for: Lease::For(secs(60)),
        max_open: Lease::For(secs(3600)),
        max_openings: None,
        flows: Flows::LiveOn,
        action: Action::Guard,
        on_stop: OnStop::Keep,
        classic: None,
    }
}

/// A door that opens by elements of these sets: with addresses alone where the name ends with `any`.
fn set_door(name_text: &str, ports: &[&str], set: &str) -> Door {
    let sets = SetAction { set4: set.parse().ok(), set6: set.parse().ok() };
    Door { action: Action::Set(sets), ..door(name_text, ports) }
}

/// A door of commands, which the world understands: verb, door, address and, where `per_port`, port.
fn command_door(name_text: &str, ports: &[&str], per_port: bool) -> Door {
    let words = |verb: &str| {
        let port = per_port.then_some("%PROTO%/%PORT%");
        Template::Argv([verb, "%DOOR%", "%IP%"].into_iter().chain(port).map(Into::into).collect())
    };
    let action = CommandAction {
        start: words("start"),
        stop: Some(words("stop")),
        start6: None,
        stop6: None,
        timeout: secs(30),
    };
    Door { action: Action::Command(action), on_stop: OnStop::Close, ..door(name_text, ports) }
}

/// The same door, which a classic knock opens as well.
fn knocked(door: Door) -> Door {
    let step = KnockStep { transport: Transport::Tcp, port: 7000 };
    let sequence = Sequence::new([step].into()).unwrap();
    let classic = ClassicKnock::new(sequence, TimeLimit::Span(secs(5)), FlagRule::default());
    Door { classic: Some(classic), ..door }
}

fn client(name: &str, secret: &ClientSecret, doors: &[&str]) -> Client {
    Client {
        name: name.parse().unwrap(),
        key: secret.public(),
        rights: doors.iter().map(|door| Right::Door(door.parse().unwrap())).collect(),
        mode: AddressMode::Sender,
        from: None,
        max_open: None,
        not_before: None,
        not_after: None,
        rate: Rate { per_minute: NonZeroU32::new(6000).unwrap(), burst: NonZeroU32::new(1000).unwrap() },
    }
}

fn doors() -> Vec<Door> {
    [
        knocked(door("ssh", &["tcp/22"])),
        door("web", &["tcp/443", "udp/443"]),
        knocked(command_door("db", &["tcp/5432", "tcp/5433"], true)),
        command_door("vpn", &["udp/1194", "tcp/1194"], false),
    ]
    .into()
}

fn clients() -> Vec<Client> {
    let all = ["ssh", "web", "db", "vpn"];
    [client("alice", &alice(), &all), client("bob", &bob(), &all)].into()
}

fn rules(doors: Vec<Door>, clients: Vec<Client>) -> Rules {
    Rules::new(doors, clients, [server().public()].into(), WINDOW).unwrap()
}

fn everything() -> Rules {
    rules(doors(), clients())
}

/// The rules of one client.
fn only(client: Client) -> Rules {
    rules(doors(), [client].into())
}
