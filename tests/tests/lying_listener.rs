//! A listener in the hands of an attacker. The keeper is the real one, and what listens for it is this test: it has
//! the server's key, the sockets, and every packet that the client sends, and it says what it likes.
//!
//! It opens nothing but what a client has signed just now. What it can do is written in `docs/protocol.md` section 4:
//! choose the address of a packet that leaves it to its sender, and claim classic knocks.

use std::net::IpAddr;
use std::os::fd::OwnedFd;
use std::sync::mpsc;
use std::time::{Duration, Instant};
use std::{io, thread};

use knock_spa_keys::client::ClientSecret;
use knock_spa_keys::server::{ServerKey, ServerSecret};
use knock_spa_proto::address::Address;
use knock_spa_proto::control::Counters;
use knock_spa_proto::knock::DoorNumber;
use knock_spa_proto::refusal::{Refusal, Tally};
use knock_spa_proto::report::{self, REPORT_LEN, Report};
use knock_spa_proto::service::Services;
use knock_spa_proto::spa::request::{Addresses, Close, Request};
use knock_spa_proto::spa::{Enrol, EnvelopeKey, Statement, seal};
use knock_spa_proto::time::UnixTime;
use knock_spa_tests::invited;
use knock_spa_tests::lab::{PATIENCE, World, until};
use knock_spa_tests::laptop::{Laptop, ago, now, open, random};
use knock_spa_tests::server::Server;
use knock_spad::io::channel::{self, Channel};
use knock_spad::io::process::Started;
use knock_spad::keeper::{self, Source};
use tokio::runtime::{Builder, Runtime};
use tokio::sync::oneshot;

/// A door for clients, one for both, and one that alice may not open.
const DOORS: &str = "[spa]\nexplain = true\n[door.ssh]\nports = ['tcp/22']\n\
    [door.imap]\nports = ['tcp/143']\nsequence = ['7000', '8000', '9000']\n\
    [door.web]\nports = ['tcp/8080']\n";

/// The keeper, in the same process, and its listener.
struct Scene<'w> {
    world: &'w World,
    /// Its files and commands; its daemon is not started.
    server: Server<'w>,
    alice: Laptop<'w>,
    listener: Listener,
}

/// The listener's end of the channel, and of those to come.
struct Listener {
    runtime: Runtime,
    ends: mpsc::Receiver<OwnedFd>,
    channel: Channel,
}

/// Runs `test` beside a keeper whose listener it is.
fn with_keeper(test: impl FnOnce(&mut Scene<'_>)) {
    let world = World::new();
    let server = Server::new(&world.server, DOORS);
    let alice = Laptop::new(&world.laptop, &world.server);
    server.enrol(&alice, "alice", &["--door", "ssh", "--door", "imap", "--rate", "6000/min"]);
    let config = server.path("knock-spad.toml");
    let (sender, ends) = mpsc::channel();
    let start = move || {
        let (ours, theirs) = channel::pair()?;
        sender.send(theirs).map_err(io::Error::other)?;
        Ok(Started { end: ours, process: None })
    };
    let keep = async move |mut stopped: oneshot::Receiver<()>| {
        tokio::select! {
            ended = keeper::run(Source::Native(config), start, || None) => panic!("the keeper has ended: {ended:?}"),
            _ = &mut stopped => {}
        }
    };
    thread::scope(|scope| {
        // Dropped at the end of the test, or when it fails: then the keeper ends as well.
        let (_stop, stopped) = oneshot::channel();
        let host = &world.server;
        scope.spawn(move || host.enter(|| event_loop().block_on(keep(stopped))));
        let runtime = event_loop();
        let end = ends.recv_timeout(PATIENCE).unwrap();
        let channel = runtime.block_on(async { Channel::new(end) }).unwrap();
        let mut scene = Scene { world: &world, server, alice, listener: Listener { runtime, ends, channel } };
        scene.listener.take_orders();
        until(PATIENCE, "the listener to be ready", || scene.server.status().listener.ready);
        test(&mut scene);
    });
}

fn event_loop() -> Runtime {
    Builder::new_current_thread().enable_all().build().unwrap()
}

impl Listener {
    /// Receives orders, and says that they are in force; the secret key in them.
    fn take_orders(&self) -> ServerSecret {
        let received = async {
            tokio::time::timeout(PATIENCE, self.channel.receive_hand_over()).await.expect("orders come soon")
        };
        let mut orders = self.runtime.block_on(received).unwrap().expect("the keeper is there").orders;
        self.report(&Report::Ready { generation: orders.generation });
        orders.secrets.remove(0)
    }

    fn report(&self, report: &Report) {
        self.send(&report.encode());
    }

    fn send(&self, record: &[u8]) {
        self.runtime.block_on(self.channel.send(record)).unwrap();
    }

    fn claim(&self, server: ServerKey, statement: Statement, from: impl Into<IpAddr>) {
        let from = Address::new(from.into());
        self.report(&Report::Statement { server, statement, from, from_port: 4711 });
    }

    /// Waits until the keeper has let go of this listener, and becomes the next one.
    fn come_back(&mut self) {
        let end = self.ends.recv_timeout(PATIENCE).expect("the keeper starts another listener");
        self.channel = self.runtime.block_on(async { Channel::new(end) }).unwrap();
        self.take_orders();
    }
}

impl Scene<'_> {
    /// What a client has signed, as the listener gets it out of its packet.
    fn signed_by(&self, client: &ClientSecret, stamp: UnixTime, request: &Request) -> Statement {
        self.sealed_to(self.server.key(), &self.secret(), client, stamp, request)
    }

    fn sealed_to(
        &self,
        server: ServerKey,
        secret: &ServerSecret,
        client: &ClientSecret,
        stamp: UnixTime,
        request: &Request,
    ) -> Statement {
        let packet = seal(&server, client, stamp, request, random());
        EnvelopeKey::of(&server).open(&packet).unwrap().unseal(secret).unwrap()
    }

    /// What alice has signed now.
    fn signed(&self, request: &Request) -> Statement {
        self.signed_by(&self.alice.secret(), now(), request)
    }

    /// The server's secret, which the listener has.
    fn secret(&self) -> ServerSecret {
        let text = std::fs::read_to_string(self.server.path("state/server.key")).unwrap();
        text.trim().parse::<knock_spa_keys::server::ServerSecretLine>().unwrap().secret
    }

    fn counters(&self) -> Counters {
        self.server.status().counters
    }

    /// Waits until the keeper has refused so many reports, all told.
    fn await_refusals(&self, count: u64) -> Counters {
        let start = Instant::now();
        loop {
            let counters = self.counters();
            if counters.refused.values().sum::<u64>() >= count {
                return counters;
            }
            assert!(start.elapsed() < PATIENCE, "not {count} refusals: {counters:#?}");
        }
    }

    fn addresses(&self) -> Vec<String> {
        self.server.openings().into_iter().map(|opening| opening.address).collect()
    }

    fn assert_shut(&self) {
        assert_eq!(self.server.openings(), []);
        assert_eq!(self.server.guard().unwrap().open, []);
    }
}

fn sender() -> Request {
    open("ssh", Addresses::NONE.with_sender(), 0)
}

fn stated(address: &str) -> Request {
    open("ssh", Addresses::NONE.with_v4(address.parse().unwrap()).unwrap(), 0)
}

#[test]
fn what_a_client_signed_just_now_opens_what_it_says() {
    with_keeper(|scene| {
        let key = scene.server.key();
        // Wherever the listener says that it came from.
        for from in ["192.0.2.2", "198.51.100.2", "2001:db8:2::2"] {
            let from: IpAddr = from.parse().unwrap();
            scene.listener.claim(key, scene.signed(&stated("192.0.2.2")), from);
        }
        until(PATIENCE, "them to be accepted", || scene.counters().accepted == 3);
        assert_eq!(scene.addresses(), ["192.0.2.2"]);
    });
}

/// This is known: with these packets, whoever sends them is trusted to come from where the client is.
#[test]
fn of_a_packet_that_leaves_it_to_its_sender_it_chooses_the_address() {
    with_keeper(|scene| {
        scene.listener.claim(scene.server.key(), scene.signed(&sender()), scene.world.stranger.v4);
        until(PATIENCE, "it to be accepted", || scene.counters().accepted == 1);
        assert_eq!(scene.addresses(), ["198.51.100.2"]);
    });
}

#[test]
fn the_chosen_address_is_never_one_that_no_stranger_has() {
    with_keeper(|scene| {
        let never = [
            "192.0.2.1",
            "10.0.0.1",
            "2001:db8:1::1",
            "127.0.0.1",
            "127.9.9.9",
            "::1",
            "0.0.0.0",
            "::",
            "224.0.0.1",
            "255.255.255.255",
            "ff02::1",
            "::ffff:127.0.0.1",
            "::ffff:192.0.2.1",
        ];
        for from in never {
            let from: IpAddr = from.parse().unwrap();
            scene.listener.claim(scene.server.key(), scene.signed(&sender()), from);
            let (door, from) = (DoorNumber(1), Address::new(from));
            scene.listener.report(&Report::Knock { door, from });
        }
        let count = 2 * u64::try_from(never.len()).unwrap();
        assert_eq!(scene.await_refusals(count).refused["unauthorised"], count);
        scene.assert_shut();
    });
}

#[test]
fn no_byte_of_a_statement_can_be_changed() {
    with_keeper(|scene| {
        let key = scene.server.key();
        let honest = scene.signed(&stated("192.0.2.2")).to_bytes();
        for at in 0..honest.len() {
            let mut bytes = honest;
            bytes[at] ^= 1 << (at % 8);
            scene.listener.claim(key, Statement::from_bytes(bytes), scene.world.laptop.v4);
        }
        let count = u64::try_from(honest.len()).unwrap();
        let counters = scene.await_refusals(count);
        assert_eq!(counters.accepted, 0);
        // The key, the time's higher bytes, and the rest.
        assert_eq!(counters.refused["unknown-client"], 32, "{counters:?}");
        assert!(counters.refused["stale"] >= 3 && counters.refused["forged"] >= 192, "{counters:?}");
        scene.assert_shut();
        // None of them has spoiled the honest one.
        scene.listener.claim(key, Statement::from_bytes(honest), scene.world.laptop.v4);
        until(PATIENCE, "the honest one to be accepted", || scene.counters().accepted == 1);
    });
}

#[test]
fn nobody_s_word_counts_for_another() {
    with_keeper(|scene| {
        let key = scene.server.key();
        let bob = Laptop::new(&scene.world.stranger, &scene.world.server);
        scene.server.enrol(&bob, "bob", &["--door", "web"]);
        let from = scene.world.stranger.v4;
        let mut claims = Vec::new();
        // What alice has signed, under bob's name.
        let mut bytes = scene.signed(&stated("198.51.100.2")).to_bytes();
        bytes[..32].copy_from_slice(bob.secret().public().as_bytes());
        claims.push((key, Statement::from_bytes(bytes), "forged"));
        // What bob has signed, under alice's.
        let request = stated("198.51.100.2");
        let mut bytes = scene.signed_by(&bob.secret(), now(), &request).to_bytes();
        bytes[..32].copy_from_slice(scene.alice.secret().public().as_bytes());
        claims.push((key, Statement::from_bytes(bytes), "forged"));
        // What bob has signed, but may not.
        claims.push((key, scene.signed_by(&bob.secret(), now(), &request), "unauthorised"));
        // What somebody unknown has signed.
        let mallory = ClientSecret::from_seed([9; 32]);
        claims.push((key, scene.signed_by(&mallory, now(), &request), "unknown-client"));
        // What alice has signed for another server, whose operator hands it on.
        let other = ServerSecret::from_bytes([7; 32]);
        let elsewhere = || scene.sealed_to(other.public(), &other, &scene.alice.secret(), now(), &request);
        claims.push((key, elsewhere(), "forged"));
        claims.push((other.public(), elsewhere(), "forged"));
        // What alice has signed for this one, said to be for another.
        claims.push((other.public(), scene.signed(&request), "forged"));
        for (count, (server, statement, reason)) in (1..).zip(claims) {
            let before = scene.counters().refused[reason];
            scene.listener.claim(server, statement, from);
            let counters = scene.await_refusals(count);
            assert_eq!((counters.accepted, counters.refused[reason]), (0, before + 1), "{count}: {reason}");
        }
        scene.assert_shut();
    });
}

#[test]
fn what_was_signed_before_does_not_count_again() {
    with_keeper(|scene| {
        let (key, from) = (scene.server.key(), scene.world.stranger.v4);
        let honest = scene.signed(&sender());
        let older = scene.signed_by(&scene.alice.secret(), ago(Duration::from_secs(20)), &sender());
        scene.listener.claim(key, honest.clone(), scene.world.laptop.v4);
        until(PATIENCE, "it to be accepted", || scene.counters().accepted == 1);
        for statement in [honest.clone(), honest, older] {
            scene.listener.claim(key, statement, from);
        }
        assert_eq!(scene.await_refusals(3).refused["replayed"], 3);
        let minute = Duration::from_secs(61);
        for stamp in [ago(minute), now().saturating_add(minute), UnixTime::EPOCH] {
            scene.listener.claim(key, scene.signed_by(&scene.alice.secret(), stamp, &sender()), from);
        }
        let counters = scene.await_refusals(6);
        assert_eq!((counters.refused["stale"], counters.accepted), (3, 1));
        assert_eq!(scene.addresses(), ["192.0.2.2"]);
    });
}

/// This is known as well: anybody on the network could have knocked.
#[test]
fn it_claims_knocks_and_only_at_doors_that_have_them() {
    with_keeper(|scene| {
        let knock = |door, from: &str| {
            let (door, from) = (DoorNumber(door), Address::new(from.parse().unwrap()));
            scene.listener.report(&Report::Knock { door, from });
        };
        // One door alone has a knock, and so a number: the first.
        for door in [0, 2, 3, u32::MAX] {
            knock(door, "198.51.100.2");
        }
        knock(1, "2001:db8:2::2");
        until(PATIENCE, "the one knock", || !scene.addresses().is_empty());
        let openings = scene.server.openings();
        let shown: Vec<_> = openings.iter().map(|opening| (&*opening.door, &*opening.by)).collect();
        assert_eq!(shown, [("imap", "classic knock")]);
        assert_eq!(scene.addresses(), ["2001:db8:2::2"]);
    });
}

/// It has the server's key, and sees what the device signs; it has neither the invitation's secret nor the device's.
#[test]
fn whoever_is_invited_is_enrolled_as_what_it_is_and_nobody_in_its_place() {
    with_keeper(|scene| {
        let invitation = scene.server.invite("laptop", &["--door", "ssh"]);
        let (key, ours, mallory) = (scene.server.key(), invited::device(), invited::device());
        let honest = scene.signed_by(&invitation.secret, now(), &invited::request(&invitation, &ours));
        let from = scene.world.stranger.v4;
        // Any byte of it is changed: the invitation's name, the time, the signature, the new key, its proof.
        let bytes = honest.to_bytes();
        for at in 0..bytes.len() {
            let mut changed = bytes;
            changed[at] ^= 1 << (at % 8);
            scene.listener.claim(key, Statement::from_bytes(changed), from);
        }
        // Its own key, with what it can sign itself; and by what the device has agreed to.
        let by_itself = [
            invited::request(&invitation, &mallory),
            Request::Enrol(Enrol::new(&mallory, &key, &mallory.public())),
            invited::request(&invitation, &ours),
        ];
        let count = u64::try_from(bytes.len() + 2 * by_itself.len()).unwrap();
        for request in by_itself {
            let own = scene.signed_by(&mallory, now(), &request);
            let mut renamed = own.to_bytes();
            renamed[..32].copy_from_slice(invitation.secret.public().as_bytes());
            scene.listener.claim(key, own, from);
            scene.listener.claim(key, Statement::from_bytes(renamed), from);
        }
        let counters = scene.await_refusals(count);
        assert_eq!(counters.accepted, 0);
        assert_eq!(scene.server.enrolled().len(), 1, "alice alone");
        // None of that has spoiled the honest one, from wherever it is said to come.
        scene.listener.claim(key, honest.clone(), from);
        until(PATIENCE, "the device to be enrolled", || scene.counters().accepted == 1);
        assert_eq!(scene.server.enrolled()[1], invited::listed("laptop", &ours.public()));
        // And it is good once, before a restart of the listener and after it.
        for _ in 0..2 {
            let refused = scene.counters().refused["replayed"];
            scene.listener.claim(key, honest.clone(), from);
            until(PATIENCE, "the copy to be refused", || scene.counters().refused["replayed"] > refused);
            scene.listener.send(&[]);
            scene.listener.come_back();
        }
        assert_eq!(scene.server.enrolled().len(), 2);
        scene.assert_shut();
    });
}

/// An attacker of the listener who has the invitation as well, because somebody sent it by mail: it is good for one of
/// the two, whoever is first, and the other is refused and told.
#[test]
fn of_two_who_have_an_invitation_one_is_enrolled() {
    with_keeper(|scene| {
        let invitation = scene.server.invite("laptop", &["--door", "ssh"]);
        let (key, from) = (scene.server.key(), scene.world.stranger.v4);
        let [first, second] = [invited::device(), invited::device()];
        let claims = [&first, &second, &first]
            .map(|device| scene.signed_by(&invitation.secret, now(), &invited::request(&invitation, device)));
        for claim in claims {
            scene.listener.claim(key, claim, from);
        }
        let counters = scene.await_refusals(2);
        assert_eq!((counters.refused["taken"], counters.refused["already-enrolled"]), (1, 1));
        assert_eq!(scene.server.enrolled()[1..], [invited::listed("laptop", &first.public())]);
        // The invitation opens nothing by itself, and closes nothing of others.
        for request in [sender(), Request::Close(Close::new(Services::none(), Addresses::NONE))] {
            let claim = scene.signed_by(&invitation.secret, now(), &request);
            scene.listener.claim(key, claim, from);
        }
        let counters = scene.await_refusals(4);
        assert_eq!((counters.refused["unauthorised"], counters.accepted), (2, 1));
        scene.assert_shut();
    });
}

#[test]
fn a_flood_of_lies_opens_nothing_and_stops_nobody() {
    with_keeper(|scene| {
        let (key, alice) = (scene.server.key(), scene.alice.secret());
        let mut bytes = scene.signed(&stated("198.51.100.2")).to_bytes();
        for number in 0..10_000_u32 {
            let place = 40 + usize::try_from(number % 192).unwrap();
            bytes[place] = bytes[place].wrapping_add(1);
            scene.listener.claim(key, Statement::from_bytes(bytes), scene.world.stranger.v4);
        }
        scene.listener.claim(
            key,
            scene.signed_by(&alice, now(), &stated("192.0.2.2")),
            scene.world.laptop.v4,
        );
        let counters = scene.await_refusals(10_000);
        assert_eq!(counters.refused["forged"], 10_000);
        until(PATIENCE, "alice to get in", || scene.counters().accepted == 1);
        assert_eq!(scene.addresses(), ["192.0.2.2"]);
    });
}

#[test]
fn whoever_talks_nonsense_is_replaced() {
    let ready = Report::Ready { generation: 1 }.encode();
    let (mut other_version, mut other_kind, mut tail) = (ready, ready, ready);
    (other_version[0], other_kind[1], tail[REPORT_LEN - 1]) = (9, 9, 1);
    // An empty record is the end of the channel.
    let nonsense: [&[u8]; 8] = [
        &other_version,
        &other_kind,
        &tail,
        &[0xff; REPORT_LEN],
        &ready[1..],
        &[&ready[..], &[0]].concat(),
        &[1; 9000],
        &[],
    ];
    // Each time the keeper waits twice as long for the next one.
    for nonsense in nonsense.chunks(4) {
        with_keeper(|scene| {
            let key = scene.server.key();
            scene.listener.claim(key, scene.signed(&stated("192.0.2.2")), scene.world.laptop.v4);
            until(PATIENCE, "it to be accepted", || scene.counters().accepted == 1);
            for (restarts, record) in (1..).zip(nonsense) {
                scene.listener.send(record);
                scene.listener.come_back();
                until(PATIENCE, "the next listener", || {
                    let listener = scene.server.status().listener;
                    listener.ready && listener.restarts == restarts
                });
            }
            assert_eq!(scene.addresses(), ["192.0.2.2"], "what was open stays open");
            scene.listener.claim(key, scene.signed(&stated("192.0.2.3")), scene.world.laptop.v4);
            until(PATIENCE, "the last one to be heard", || scene.addresses().len() == 2);
        });
    }
}

#[test]
fn whoever_does_not_obey_is_replaced() {
    with_keeper(|scene| {
        scene.server.command(&["reload"]).ended_with(0);
        assert!(!scene.server.status().listener.ready);
        scene.listener.come_back();
        until(PATIENCE, "the next listener", || {
            let listener = scene.server.status().listener;
            listener.ready && listener.restarts == 1
        });
    });
}

#[test]
fn what_it_says_of_itself_moves_nothing() {
    with_keeper(|scene| {
        let counters = report::Counters {
            received: u64::MAX,
            explained: u64::MAX,
            dh: u64::MAX,
            refused: Tally::from_counts([u64::MAX; Refusal::ALL.len()]),
            untold: u64::MAX,
        };
        for _ in 0..2 {
            scene.listener.report(&Report::Counters(counters));
            let laptop = scene.world.laptop.v4;
            scene.listener.claim(scene.server.key(), scene.signed(&sender()), laptop);
            scene.listener.report(&Report::Ready { generation: 4711 });
            let before = scene.server.status().listener.restarts;
            scene.listener.send(&[0]);
            scene.listener.come_back();
            until(PATIENCE, "the next listener", || {
                let listener = scene.server.status().listener;
                listener.ready && listener.restarts == before + 1
            });
        }
        let told = scene.counters();
        assert_eq!((told.accepted, told.received, told.refused["stale"]), (2, u64::MAX, u64::MAX));
        // Orders of another number are not those that it was given.
        scene.server.command(&["reload"]).ended_with(0);
        scene.listener.report(&Report::Ready { generation: 4711 });
        assert!(!scene.server.status().listener.ready);
        scene.listener.take_orders();
        until(PATIENCE, "the listener", || scene.server.status().listener.ready);
    });
}

#[test]
fn what_it_calls_stale_opens_nothing_and_is_looked_at_once_in_a_second() {
    with_keeper(|scene| {
        let start = Instant::now();
        let server = scene.server.key();
        let from = Address::new(scene.world.laptop.v4.into());
        let fresh = scene.signed(&sender());
        scene.listener.report(&Report::Stale { server, statement: fresh, from });
        for step in 0..200 {
            let stamp = ago(Duration::from_secs(1000 - step));
            let statement = scene.signed_by(&scene.alice.secret(), stamp, &sender());
            scene.listener.report(&Report::Stale { server, statement, from });
        }
        // Behind all that, what its client wants is done.
        scene.listener.claim(server, scene.signed(&sender()), scene.world.laptop.v4);
        until(PATIENCE, "the door to open", || !scene.server.openings().is_empty());
        let status = scene.server.status();
        assert_eq!((status.counters.accepted, status.openings.len()), (1, 1));
        let seconds = usize::try_from(start.elapsed().as_secs()).unwrap();
        assert!((1..=seconds + 1).contains(&status.refusals.len()), "{:?}", status.refusals);
    });
}
