//! The histories of `tests/vectors.json`: what the two halves of the engine, one behind the other, make of packets that
//! another implementation has sealed. The configuration and the client's file are read as the daemon reads them.

use std::collections::BTreeSet;
use std::fs;
use std::net::IpAddr;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::time::Duration;

use knock_spa_engine::admit::effect::{Effect, Outcome};
use knock_spa_engine::admit::record::Record;

use knock_spa_engine::admit::{Admit, Claim, History, Restored};
use knock_spa_engine::client::{Client, Rate};
use knock_spa_engine::invitation::Invitation;
use knock_spa_engine::rules::Rules;

use knock_spa_engine::watch::{Orders, Watch};
use knock_spa_keys::client::{ClientLine, ClientSecret};
use knock_spa_keys::comment::Comment;
use knock_spa_keys::server::ServerSecret;
use knock_spa_proto::address::Address;
use knock_spa_proto::refusal::Refusal;
use knock_spa_proto::report::Report;
use knock_spa_proto::time::{BootTime, Now, UnixTime};
use knock_spad::clients::Roster;
use knock_spad::config::Config;
use serde_json::Value;

const DOORS: &str = "[door.ssh]\nports = ['tcp/22']\n[door.web]\nports = ['tcp/8080']\n";
const OWN: [&str; 2] = ["192.0.2.1", "2001:db8::1"];
const SPA_PORT: u16 = 62201;
const HOUR: Duration = Duration::from_secs(3600);
/// For how long the server has run before the first packet comes, in nanoseconds.
const BEFORE: u64 = 3_600_000_000_000;

/// What a packet came to, by its name in the vectors.
const ACCEPTED: &str = "accepted";

/// The listener's engine and the keeper's.
struct Scene {
    watch: Watch,
    admit: Admit,
    begin: UnixTime,
    boot: BootTime,
}

impl Scene {
    fn new(vectors: &Value, told: &Value, begin: UnixTime) -> Self {
        let secret =
            || ServerSecret::from_bytes(bytes(&vectors["packet"]["server_secret"]).try_into().unwrap());
        let settings = Config::parse(Path::new("f"), DOORS, 0o600).unwrap().settings;
        let server = secret().public();
        let client = |name, seed| client(name, seed, &told["client"]);
        let invitations = told["invitation"].as_str().map(|name| Invitation {
            client: client(name, &vectors["enrolment"]["invitation_seed"]),
            expires: stamp(&told["packets"][0]["at"]).saturating_add(HOUR),
            used_by: None,
        });
        let clients = vec![client("alice", &vectors["packet"]["client_seed"])];
        let rules = Rules::new(settings.doors, clients, vec![server], settings.window).unwrap();
        let rules = rules.with_invitations(invitations.into_iter().collect());
        let own: BTreeSet<_> = OWN.iter().map(|ip| address(ip)).collect();
        let mut history = History::default();
        history.push(Record::Key(server));
        let orders = Orders {
            generation: 1,
            spa_port: Some(SPA_PORT),
            window: settings.window,
            secrets: vec![secret()],
            own: own.iter().copied().collect(),
            doors: Vec::new(),
            tells_stages: false,
            explains: false,
        };
        let now = Now { boot: BootTime::from_nanos(0), unix: begin };
        // It started long before the first packet was made.
        let started = Now { unix: UnixTime::from_nanos(begin.as_nanos() - BEFORE), ..now };
        let admit = Restored::new(history, rules, own, [1; 16], started).admit;
        Self { watch: Watch::new(orders, now), admit, begin, boot: now.boot }
    }

    /// What becomes of a packet that comes at this time of the server's wall clock.
    fn take(&mut self, packet: &Value) -> String {
        let unix = stamp(&packet["at"]);
        // The clock that counts since boot never steps back.
        let since = Duration::from_nanos(unix.as_nanos().saturating_sub(self.begin.as_nanos()));
        self.boot = self.boot.max(BootTime::from_nanos(0).saturating_add(since));
        let now = Now { boot: self.boot, unix };
        let (before, accepted) = (self.refused(), self.admit.accepted());
        self.watch.handle_packet(&udp(text(&packet["from"]), &bytes(&packet["packet"])), now);
        while self.watch.has_work() {
            self.watch.work(now);
        }
        while let Some(report) = self.watch.poll_report() {
            if let Report::Statement { server, statement, from, .. } = report {
                self.admit.handle_claim(&Claim { server, statement, from }, now);
            }
        }
        while let Some(effect) = self.admit.poll_effect() {
            match effect {
                Effect::Record(ticket, _) => {
                    self.admit.handle_outcome(Outcome::Recorded(ticket, Ok(())), now);
                }
                Effect::Enrol(ticket, _) => {
                    self.admit.handle_outcome(Outcome::Enrolled(ticket, Ok(())), now);
                }
                _ => {}
            }
        }
        let mut came_to: Vec<_> = self.refused();
        for refusal in before {
            let at = came_to.iter().position(|name| *name == refusal).unwrap();
            came_to.remove(at);
        }
        came_to.extend((accepted..self.admit.accepted()).map(|_| ACCEPTED));
        came_to.join(", ")
    }

    /// Each refusal so far, by its name, as often as it was.
    fn refused(&self) -> Vec<&'static str> {
        let count = |of: Refusal| self.watch.counters().refused.of(of) + self.admit.refused().of(of);
        Refusal::ALL.into_iter().flat_map(|of| (0..count(of)).map(move |_| of.name())).collect()
    }
}

fn text(value: &Value) -> &str {
    value.as_str().unwrap()
}

fn bytes(hex: &Value) -> Vec<u8> {
    let octet = |two: &[u8]| u8::from_str_radix(str::from_utf8(two).unwrap(), 16).unwrap();
    text(hex).as_bytes().chunks(2).map(octet).collect()
}

fn address(text: &str) -> Address {
    Address::new(text.parse().unwrap())
}

fn stamp(value: &Value) -> UnixTime {
    UnixTime::from_nanos(text(value).parse().unwrap())
}

/// The client of this name, seed and policy, out of a file.
fn client(name: &str, seed: &Value, policy: &Value) -> Client {
    let key = ClientSecret::from_seed(bytes(seed).try_into().unwrap()).public();
    let line = ClientLine { key, comment: Comment::default() };
    let from = if policy["from"].is_null() { String::new() } else { format!("from = {}\n", policy["from"]) };
    let file = format!(
        "key = \"{line}\"\nservices = {}\naddress = {}\n{from}",
        policy["services"], policy["address"]
    );
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join(format!("{name}.toml"));
    fs::write(&path, file).unwrap();
    fs::set_permissions(&path, fs::Permissions::from_mode(0o600)).unwrap();
    let mut client = Roster::load(directory.path()).unwrap().clients.remove(0);
    let number = |name: &str| u32::try_from(policy[name].as_u64().unwrap()).unwrap().try_into().unwrap();
    client.rate = Rate { per_minute: number("per_minute"), burst: number("burst") };
    client
}

/// A UDP packet to the server's SPA port.
fn udp(from: &str, data: &[u8]) -> Vec<u8> {
    let len = u16::try_from(8 + data.len()).unwrap();
    let datagram = [&[40_000, SPA_PORT, len, 0].map(u16::to_be_bytes).concat(), data].concat();
    let header = match (from.parse().unwrap(), OWN.map(|ip| ip.parse().unwrap())) {
        (IpAddr::V4(from), [IpAddr::V4(to), _]) => {
            let [high, low] = (20 + len).to_be_bytes();
            [&[0x45, 0, high, low, 0, 1, 0x40, 0, 64, 17, 0, 0], &from.octets()[..], &to.octets()].concat()
        }
        (IpAddr::V6(from), [_, IpAddr::V6(to)]) => {
            let [high, low] = len.to_be_bytes();
            [&[0x60, 0, 0, 0, high, low, 17, 64], &from.octets()[..], &to.octets()].concat()
        }
        _ => unreachable!("the server has an address of each family"),
    };
    [header, datagram].concat()
}

#[test]
fn every_packet_comes_to_what_the_vectors_say() {
    let vectors: Value = serde_json::from_str(include_str!("../vectors.json")).unwrap();
    let mut seen = BTreeSet::new();
    for history in vectors["histories"].as_array().unwrap() {
        let packets = history["packets"].as_array().unwrap();
        let begin = packets.iter().map(|packet| stamp(&packet["at"])).min().unwrap();
        let mut scene = Scene::new(&vectors, history, begin);
        for (number, packet) in packets.iter().enumerate() {
            assert_eq!(scene.take(packet), text(&packet["outcome"]), "{}: packet {number}", history["why"]);
            seen.insert(text(&packet["outcome"]).to_owned());
        }
    }
    // What the refusals beside the histories do not have, for it needs a clock, a memory or a policy.
    for outcome in
        [ACCEPTED, "stale", "duplicate", "replayed", "too-often", "unauthorised", "taken", "already-enrolled"]
    {
        assert!(seen.contains(outcome), "no packet is {outcome}");
    }
}

/// What has no vector is what the specification says has none.
#[test]
fn every_reason_has_a_vector_but_those_that_tell_of_resources() {
    let vectors: Value = serde_json::from_str(include_str!("../vectors.json")).unwrap();
    let refused = vectors["refused"].as_array().unwrap().iter().map(|of| text(&of["refusal"]));
    let histories = vectors["histories"].as_array().unwrap().iter();
    let packets = histories.flat_map(|of| of["packets"].as_array().unwrap()).map(|of| text(&of["outcome"]));
    let seen: BTreeSet<_> = refused.chain(packets).collect();
    let missing: Vec<_> =
        Refusal::ALL.into_iter().map(Refusal::name).filter(|name| !seen.contains(name)).collect();
    assert_eq!(missing, ["displaced", "no-room", "unrecorded"]);
    let specification =
        include_str!("../../docs/protocol.md").split_whitespace().collect::<Vec<_>>().join(" ");
    assert!(specification.contains("`displaced`, `no-room` and `unrecorded`"));
}
