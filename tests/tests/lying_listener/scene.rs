//! The keeper, and its listener, which is the test.

use std::net::IpAddr;
use std::os::fd::OwnedFd;
use std::sync::mpsc;
use std::time::Instant;
use std::{io, thread};

use knock_spa_keys::client::ClientSecret;
use knock_spa_keys::server::{ServerKey, ServerSecret};
use knock_spa_proto::address::Address;
use knock_spa_proto::control::Counters;
use knock_spa_proto::report::Report;
use knock_spa_proto::spa::request::{Addresses, Request};
use knock_spa_proto::spa::{EnvelopeKey, Statement, seal};
use knock_spa_proto::time::UnixTime;
use knock_spa_tests::lab::{PATIENCE, World, until};
use knock_spa_tests::laptop::{Laptop, now, open, random};
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
pub(crate) struct Scene<'w> {
    pub(crate) world: &'w World,
    /// Its files and commands; its daemon is not started.
    pub(crate) server: Server<'w>,
    pub(crate) alice: Laptop<'w>,
    pub(crate) listener: Listener,
}

/// The listener's end of the channel, and of those to come.
pub(crate) struct Listener {
    runtime: Runtime,
    ends: mpsc::Receiver<OwnedFd>,
    channel: Channel,
}

/// Runs `test` beside a keeper whose listener it is.
pub(crate) fn with_keeper(test: impl FnOnce(&mut Scene<'_>)) {
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
    pub(crate) fn take_orders(&self) -> ServerSecret {
        let received = async {
            tokio::time::timeout(PATIENCE, self.channel.receive_hand_over()).await.expect("orders come soon")
        };
        let mut orders = self.runtime.block_on(received).unwrap().expect("the keeper is there").orders;
        self.report(&Report::Ready { generation: orders.generation });
        orders.secrets.remove(0)
    }

    pub(crate) fn report(&self, report: &Report) {
        self.send(&report.encode());
    }

    pub(crate) fn send(&self, record: &[u8]) {
        self.runtime.block_on(self.channel.send(record)).unwrap();
    }

    pub(crate) fn claim(&self, server: ServerKey, statement: Statement, from: impl Into<IpAddr>) {
        let from = Address::new(from.into());
        self.report(&Report::Statement { server, statement, from, from_port: 4711 });
    }

    /// Waits until the keeper has let go of this listener, and becomes the next one.
    pub(crate) fn come_back(&mut self) {
        let end = self.ends.recv_timeout(PATIENCE).expect("the keeper starts another listener");
        self.channel = self.runtime.block_on(async { Channel::new(end) }).unwrap();
        self.take_orders();
    }
}

impl Scene<'_> {
    /// What a client has signed, as the listener gets it out of its packet.
    pub(crate) fn signed_by(&self, client: &ClientSecret, stamp: UnixTime, request: &Request) -> Statement {
        self.sealed_to(self.server.key(), &self.secret(), client, stamp, request)
    }

    pub(crate) fn sealed_to(
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
    pub(crate) fn signed(&self, request: &Request) -> Statement {
        self.signed_by(&self.alice.secret(), now(), request)
    }

    /// The server's secret, which the listener has.
    pub(crate) fn secret(&self) -> ServerSecret {
        let text = std::fs::read_to_string(self.server.path("state/server.key")).unwrap();
        text.trim().parse::<knock_spa_keys::server::ServerSecretLine>().unwrap().secret
    }

    pub(crate) fn counters(&self) -> Counters {
        self.server.status().counters
    }

    /// Waits until the keeper has refused so many reports, all told.
    pub(crate) fn await_refusals(&self, count: u64) -> Counters {
        let start = Instant::now();
        loop {
            let counters = self.counters();
            if counters.refused.values().sum::<u64>() >= count {
                return counters;
            }
            assert!(start.elapsed() < PATIENCE, "not {count} refusals: {counters:#?}");
        }
    }

    pub(crate) fn addresses(&self) -> Vec<String> {
        self.server.openings().into_iter().map(|opening| opening.address).collect()
    }

    pub(crate) fn assert_shut(&self) {
        assert_eq!(self.server.openings(), []);
        assert_eq!(self.server.guard().unwrap().open, []);
    }
}

pub(crate) fn sender() -> Request {
    open("ssh", Addresses::NONE.with_sender(), 0)
}

pub(crate) fn stated(address: &str) -> Request {
    open("ssh", Addresses::NONE.with_v4(address.parse().unwrap()).unwrap(), 0)
}
