//! The scene of every attack, and the look at the server that every attack ends with.

use std::collections::BTreeSet;
use std::net::{IpAddr, SocketAddr};
use std::sync::{Mutex, MutexGuard};
use std::time::{Duration, Instant};

use knock_spa_keys::server::{ServerKey, ServerSecret, ServerSecretLine};
use knock_spa_proto::address::Address;
use knock_spa_proto::control::Counters;
use knock_spa_proto::element::Element;
use knock_spa_proto::spa::PACKET_LEN;
use knock_spa_proto::spa::request::{Addresses, Request};
use knock_spa_proto::time::UnixTime;
use knock_spa_tests::attacker::{Content, Spoofer};
use knock_spa_tests::lab::{Answer, Echo, Host, PATIENCE, Packet, Recorder, Segment, World, until};
use knock_spa_tests::laptop::{Laptop, now, open};
use knock_spa_tests::server::{DEFAULT, Server};
use rustix::process::Signal;

/// Longer than any answer takes in the lab, and short enough to wait for in vain.
const SILENCE: Duration = Duration::from_millis(250);

/// Nothing listens and nothing is guarded at this TCP port of the server.
const CONTROL: u16 = 1;

/// Where the server hears packets.
const SPA_PORT: u16 = 62201;

/// The window where the configuration does not say so.
pub const WINDOW: Duration = Duration::from_secs(60);

/// [`DEFAULT`] with the shortest window.
pub const SHORT: &str = "[door.ssh]\nports = ['tcp/22']\n[spa]\nwindow = '10s'\n";

/// The window of [`SHORT`].
pub const SHORT_WINDOW: Duration = Duration::from_secs(10);

/// A server that runs, with a service behind its door, its client alice, and everybody else.
pub struct Scene<'w> {
    pub world: &'w World,
    pub server: Server<'w>,
    pub alice: Laptop<'w>,
    /// Sends from whatever address, somewhere in the network.
    pub spoofer: Spoofer,
    _service: Echo,
    key: ServerKey,
    window: Duration,
    ledger: Ledger,
}

/// What can be seen of the server, and what it may have done.
struct Ledger {
    /// What leaves the server's machine, and the laptop's.
    server: Recorder,
    laptop: Recorder,
    account: Mutex<Account>,
}

/// What the test has sent, and what that may have cost.
struct Account {
    /// Packets that this listener has got, by their tags; and all that the test has sent itself.
    known: BTreeSet<[u8; 16]>,
    sent: BTreeSet<[u8; 16]>,
    /// Packets that the daemon must have got since it was started.
    delivered: u64,
    started: Instant,
    /// Key agreements that packets may have cost so far, and how many daemons had computed that have ended.
    allowed: u64,
    before: u64,
}

/// Runs an attack on a server with the door `ssh`, which alice may open.
pub fn attack(test: impl FnOnce(&mut Scene<'_>)) {
    attack_on(DEFAULT, &["--door", "ssh", "--rate", "6000/min"], test);
}

/// Runs an attack on a server with this configuration, where alice has these rights; then looks at what came of it.
pub fn attack_on(configuration: &str, rights: &[&str], test: impl FnOnce(&mut Scene<'_>)) {
    let world = World::new();
    // Whatever the kernel itself answers, it answers as often as it is asked.
    world.server.set("ipv4/icmp_ratelimit", "0");
    world.server.set("ipv6/icmp/ratelimit", "0");
    let ledger = Ledger {
        server: Recorder::of_what_leaves(&world.server),
        laptop: Recorder::of_what_leaves(&world.laptop),
        account: Mutex::new(Account {
            known: BTreeSet::new(),
            sent: BTreeSet::new(),
            delivered: 0,
            started: Instant::now(),
            allowed: 0,
            before: 0,
        }),
    };
    let server = Server::running(&world.server, configuration);
    let (alice, key) = (Laptop::new(&world.laptop, &world.server), server.key());
    server.enrol(&alice, "alice", rights);
    let mut scene = Scene {
        world: &world,
        server,
        alice,
        spoofer: Spoofer::new(&world.stranger),
        _service: Echo::tcp(&world.server, 22),
        key,
        window: if configuration.contains("window = '10s'") { SHORT_WINDOW } else { WINDOW },
        ledger,
    };
    test(&mut scene);
    scene.look();
}

/// Asks to open `ssh` for whoever sends it.
pub fn sender() -> Request {
    open("ssh", Addresses::NONE.with_sender(), 0)
}

/// Asks to open `ssh` for this address of IPv4.
pub fn stated(address: impl ToString) -> Request {
    let address = address.to_string().parse().unwrap();
    open("ssh", Addresses::NONE.with_v4(address).unwrap(), 0)
}

impl<'w> Scene<'w> {
    /// The server's public key.
    pub fn key(&self) -> ServerKey {
        self.key
    }

    fn account(&self) -> MutexGuard<'_, Account> {
        self.ledger.account.lock().unwrap()
    }

    /// The server's secret key, for whoever stole it.
    pub fn secret(&self) -> ServerSecret {
        let text = std::fs::read_to_string(self.server.path("state/server.key")).unwrap();
        text.trim().parse::<ServerSecretLine>().unwrap().secret
    }

    /// A packet of alice, made now, that is not sent.
    pub fn packet(&self, request: &Request) -> [u8; PACKET_LEN] {
        self.packet_at(now(), request)
    }

    /// Lets the daemon run for so long, since it takes nothing that was made before it started.
    pub fn grow_older(&self, span: Duration) {
        let began = Instant::now();
        until(PATIENCE, "the time", || began.elapsed() > span);
    }

    /// A packet of alice, made at `stamp` by its clock, that is not sent.
    pub fn packet_at(&self, stamp: UnixTime, request: &Request) -> [u8; PACKET_LEN] {
        self.alice.seal(&self.key(), stamp, request)
    }

    /// Where the server hears packets, in the family of `like`.
    pub fn port(&self, like: IpAddr) -> SocketAddr {
        SocketAddr::new(self.world.server.address_like(like), SPA_PORT)
    }

    /// Sends a packet from a machine under one of its own addresses.
    pub fn send(&self, from: &Host, ip: impl Into<IpAddr>, packet: &[u8]) {
        let ip = ip.into();
        self.expect(packet);
        from.send_udp(SocketAddr::new(ip, 0), self.port(ip), packet);
    }

    /// Sends a packet from the laptop.
    pub fn send_from_laptop(&self, packet: &[u8]) {
        self.send(&self.world.laptop, self.world.laptop.v4, packet);
    }

    /// Sends a packet from the stranger.
    pub fn send_from_stranger(&self, packet: &[u8]) {
        self.send(&self.world.stranger, self.world.stranger.v4, packet);
    }

    /// Sends a packet from the stranger's place under an address that may be anybody's.
    pub fn spoof(&self, from: impl Into<IpAddr>, packet: &[u8]) {
        self.expect(packet);
        self.flood(from, packet);
    }

    /// The same in a flood, in which it may be lost.
    pub fn flood(&self, from: impl Into<IpAddr>, packet: &[u8]) {
        let from = from.into();
        self.note(packet);
        self.spoofer.send(SocketAddr::new(from, 4711), self.port(from), packet);
    }

    /// Expects the daemon to get this packet.
    pub fn expect(&self, packet: &[u8]) {
        self.account().delivered += 1;
        self.note(packet);
    }

    /// Takes note of what the packet may cost: one key agreement, once, where somebody made it who knows the server's
    /// key, and while it is fresh.
    fn note(&self, packet: &[u8]) {
        let Some(content) = Content::of(&self.key(), packet) else { return };
        let tag = tag(packet);
        let is_fresh = content.stamp.abs_diff(now()) <= self.window;
        let mut account = self.account();
        account.sent.insert(tag);
        if is_fresh && account.known.insert(tag) {
            account.allowed += 1;
        }
    }

    /// How many key agreements packets may have cost so far.
    pub fn allowed(&self) -> u64 {
        self.account().allowed
    }

    pub fn counters(&self) -> Counters {
        self.server.status().counters
    }

    /// How often packets were refused for this reason since the daemon started.
    pub fn refused(&self, reason: &str) -> u64 {
        self.server.refused(reason)
    }

    /// Waits until the daemon has dealt with so many packets since it was started.
    pub fn await_packets(&self, count: u64) -> Counters {
        let mut counters = self.counters();
        let dealt = |counters: &Counters| counters.accepted + counters.refused.values().sum::<u64>();
        until(PATIENCE, &format!("{count} packets to be dealt with, not {counters:?}"), || {
            counters = self.counters();
            dealt(&counters) >= count
        });
        assert_eq!(dealt(&counters), count, "{counters:?}");
        counters
    }

    /// Waits until each packet that the daemon has got, and must have got, is counted under something.
    pub fn settle(&self) -> Counters {
        let mut counters = self.counters();
        until(PATIENCE, "every packet to be counted", || {
            counters = self.counters();
            let refused: u64 = counters.refused.values().sum();
            // The listener tells what it has counted a moment later than what it has found good.
            let cheap = ["wrong-length", "junk", "stale", "duplicate", "displaced"]
                .map(|name| counters.refused[name]);
            counters.received >= self.account().delivered
                && counters.received == counters.accepted + refused
                && counters.key_agreements >= counters.accepted + refused - cheap.iter().sum::<u64>()
        });
        counters
    }

    /// Has the packet come from alice's laptop, and waits until the daemon has dealt with it; why it refused, or
    /// nothing where it accepted.
    pub fn judge(&self, packet: &[u8]) -> Option<String> {
        let before = self.settle();
        self.send_from_laptop(packet);
        let counters = self.settle();
        let reason = |(name, count): (&String, &u64)| (*count > before.refused[name]).then(|| name.clone());
        let reason = counters.refused.iter().find_map(reason);
        assert_eq!(reason.is_none(), counters.accepted > before.accepted, "{counters:?}");
        reason
    }

    /// For whom `ssh` is open, in the order of opening.
    pub fn addresses(&self) -> Vec<String> {
        self.server.openings().into_iter().map(|opening| opening.address).collect()
    }

    /// Whether the kernel lets this address in at `tcp/22`.
    pub fn lets_in(&self, address: impl Into<IpAddr>) -> bool {
        let element = Element { address: Address::new(address.into()), port: "tcp/22".parse().unwrap() };
        self.server.guard().unwrap().open.iter().any(|(open, _)| *open == element)
    }

    /// Asserts that nothing is open to anybody.
    #[track_caller]
    pub fn assert_shut(&self) {
        assert_eq!((self.server.openings(), self.server.guard().unwrap().open), (vec![], vec![]));
    }

    #[track_caller]
    pub fn assert_open(&self, client: &Host) {
        let to = SocketAddr::new(self.world.server.v4.into(), 22);
        assert_eq!(client.connect(to, PATIENCE), Answer::Open, "from {}", client.v4);
    }

    #[track_caller]
    pub fn assert_silent(&self, client: &Host) {
        let to = SocketAddr::new(self.world.server.v4.into(), 22);
        assert_eq!(client.connect(to, SILENCE), Answer::Silent, "from {}", client.v4);
    }

    /// Shuts the door, so that what opens it can be seen.
    pub fn shut(&self) {
        self.server.command(&["close", "ssh"]).ended_with(0);
        self.assert_shut();
    }

    /// Ends the daemon in this way and starts it again.
    pub fn restart(&mut self, way: Signal) {
        self.end(way);
        self.start();
    }

    /// Ends the daemon in this way.
    pub fn end(&mut self, way: Signal) {
        self.look();
        let computed = self.counters().key_agreements;
        self.server.end(way);
        let mut account = self.account();
        account.before += computed;
        account.known.clear();
    }

    /// Kills the keeper at once, whatever it is doing.
    pub fn kill_keeper(&mut self) {
        // What was computed meanwhile cannot be asked for any more; less is allowed than was.
        self.server.kill_keeper();
        let mut account = self.account();
        account.allowed = account.before;
        account.known.clear();
    }

    /// Starts it again.
    pub fn start(&mut self) {
        let mut account = self.account();
        (account.started, account.delivered) = (Instant::now(), 0);
        drop(account);
        self.server.start();
    }

    /// Kills the listener, and waits for another: it knows nothing of what the first has seen.
    pub fn replace_listener(&mut self) {
        self.settle();
        let restarts = self.server.status().listener.restarts;
        self.server.kill_listener();
        until(PATIENCE, "another listener", || {
            let listener = self.server.status().listener;
            listener.ready && listener.restarts == restarts + 1
        });
        self.account().known.clear();
    }

    /// What every attack ends with. It can be had in between.
    pub fn look(&self) {
        let counters = self.settle();
        self.note_what_the_laptop_sent();
        let computed = self.account().before + counters.key_agreements;
        let allowed = self.allowed();
        assert!(computed <= allowed, "{computed} key agreements, {allowed} allowed: {counters:?}");
        let answers: Vec<_> = self.answers().iter().map(words).collect();
        assert!(answers.is_empty(), "something was answered: {answers:?}");
        self.look_at_the_log();
    }

    /// Packets that the real client has made on the laptop: each may cost one.
    fn note_what_the_laptop_sent(&self) {
        let (from, to) = (SocketAddr::new(self.world.laptop.v6.into(), 50_001), self.control());
        let sent = self.until_control(&self.world.laptop, &self.ledger.laptop, from, to, |packet| {
            packet.from == from.ip() && packet.ports() == Some((from.port(), to.port()))
        });
        for packet in sent.iter().filter_map(datagram) {
            let mut account = self.account();
            if Content::of(&self.key, packet).is_some() && account.sent.insert(tag(packet)) {
                account.allowed += 1;
            }
        }
    }

    /// What the server's machine has sent, but for neighbour discovery, group membership and the service's own traffic.
    fn answers(&self) -> Vec<Packet> {
        let (from, to) = (SocketAddr::new(self.world.stranger.v6.into(), 50_000), self.control());
        let is_control =
            |packet: &Packet| packet.from == to.ip() && packet.ports() == Some((to.port(), from.port()));
        let mut sent = self.until_control(&self.world.stranger, &self.ledger.server, from, to, is_control);
        sent.retain(|packet| {
            let is_service = packet.protocol == 6 && packet.ports().is_some_and(|(from, _)| from == 22);
            let answers_control =
                packet.protocol == 6 && packet.ports().is_some_and(|(from, _)| from == CONTROL);
            let discovers = packet.protocol == 58 && (130..=143).contains(&packet.payload[0]);
            // What stays inside the machine is no answer to anybody.
            let leaves = is_own(packet.from) && !is_own(packet.to) && !packet.to.is_loopback();
            leaves && !(is_service || answers_control || discovers || packet.to.is_multicast())
        });
        sent
    }

    fn control(&self) -> SocketAddr {
        SocketAddr::new(self.world.server.v6.into(), CONTROL)
    }

    /// What was recorded up to a control: an acknowledgement out of the blue, which the kernel answers.
    fn until_control(
        &self,
        host: &Host,
        recorder: &Recorder,
        from: SocketAddr,
        to: SocketAddr,
        is_control: impl Fn(&Packet) -> bool,
    ) -> Vec<Packet> {
        host.send(&Segment { from, to, flags: Segment::ACK, fragmented: false });
        recorder.until(is_control)
    }

    fn look_at_the_log(&self) {
        let spans = self.account().started.elapsed().as_secs() / 10;
        let limit = usize::try_from(spans + 1).unwrap();
        let log = self.server.log();
        for reason in self.counters().refused.keys() {
            let lines =
                log.lines().filter(|line| line.contains(&format!("event=\"refused\" reason={reason} ")));
            assert!(lines.count() <= limit, "more than {limit} lines of {reason}:\n{log}");
        }
    }
}

/// The addresses of the server's machine, and of nobody else's.
fn is_own(ip: IpAddr) -> bool {
    match ip {
        IpAddr::V4(v4) => v4.octets()[3] == 1,
        IpAddr::V6(v6) => v6.octets()[15] == 1 || v6.is_unicast_link_local(),
    }
}

/// A packet in a few words.
fn words(packet: &Packet) -> String {
    let Packet { from, to, protocol, payload } = packet;
    format!(
        "{from} -> {to}, protocol {protocol}, {} bytes: {:?}",
        payload.len(),
        &payload[..payload.len().min(8)]
    )
}

/// The datagram in a packet to the SPA port.
pub fn datagram(packet: &Packet) -> Option<&[u8]> {
    let is_spa = packet.protocol == 17 && packet.ports().is_some_and(|(_, to)| to == SPA_PORT);
    is_spa.then(|| &packet.payload[8..])
}

/// What names the very bytes of a packet.
fn tag(packet: &[u8]) -> [u8; 16] {
    *packet.last_chunk().unwrap()
}
