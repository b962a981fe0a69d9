//! Daemons side by side, which see the same packets.
//!
//! ```text
//!   client   eth0 ──────────────── eth0   server
//!   no name, any address            192.0.2.1, 192.0.2.9, 2001:db8:1::1, fe80::ff:fe00:1
//! ```
//!
//! The server has no route to anybody, so that it stays silent. A door that is last in every configuration, and
//! at which nobody else knocks, tells when the daemons have dealt with everything before.

use std::fs;
use std::path::Path;
use std::time::Duration;

use tempfile::TempDir;

use super::daemon::Daemon;
use super::history::History;
use super::outcome::Outcome;
use super::packet::{Injector, Packet};
use super::play::Play;
use super::trace::{SERVER, SERVER_6, Trace};
use crate::lab::Namespace;

/// Two namespaces and a cable.
#[derive(Debug)]
pub struct Rig {
    server: Namespace,
    _client: Namespace,
    injector: Injector,
    scratch: TempDir,
    lives: u32,
    /// How long what the forecast tells is awaited.
    pub patience: Duration,
}

/// What came of a trace.
#[derive(Debug)]
pub struct Run {
    /// What was done, and when.
    pub history: History,
    /// What each daemon did, and what it should have done.
    pub verdicts: Vec<Verdict>,
    /// Why the run says nothing, where it does not: mostly that a second began while a packet was sent.
    pub flaw: Option<String>,
}

/// What one daemon did.
#[derive(Debug)]
pub struct Verdict {
    /// Which one.
    pub daemon: Daemon,
    /// What its model does.
    pub expected: Outcome,
    /// What it did.
    pub found: Outcome,
}

impl Rig {
    /// Builds it.
    ///
    /// # Panics
    /// Where namespaces cannot be made.
    #[must_use]
    pub fn new() -> Self {
        let (server, client) = (Namespace::new(), Namespace::new());
        // Both ends have the same address, so that nobody has to ask for one.
        server.batch(&format!(
            "link add eth0 address 02:00:00:00:00:01 type veth peer name eth0 address 02:00:00:00:00:01 netns {}
             link set eth0 addrgenmode none
             link set eth0 arp off up",
            client.path()
        ));
        for address in SERVER {
            server.batch(&format!("addr add {address}/32 dev eth0"));
        }
        for (address, len) in SERVER_6.iter().zip([128, 64]) {
            server.batch(&format!("addr add {address}/{len} dev eth0 nodad"));
        }
        client.batch(
            "link set eth0 addrgenmode none
             link set eth0 arp off up
             addr add 192.0.2.254/32 dev eth0
             addr add 2001:db8:1::fe/128 dev eth0 nodad
             route add default dev eth0
             route add ::/0 dev eth0
             route add fe80::/64 dev eth0",
        );
        server.await_carrier("eth0");
        let injector = Injector::new(&client);
        let scratch = TempDir::new().expect("a directory");
        Self { server, _client: client, injector, scratch, lives: 0, patience: Duration::from_secs(3) }
    }

    /// Lets daemons live through a trace.
    ///
    /// # Panics
    /// Where something fails that is not theirs.
    pub fn run(&mut self, trace: &Trace, daemons: &[Daemon]) -> Run {
        for line in &trace.setup {
            self.server.run(&format!("ip {line}"));
        }
        self.lives += 1;
        let home = self.scratch.path().join(self.lives.to_string());
        fs::create_dir(&home).expect("a new directory");
        let mut play = Play::new(self, trace, &home);
        play.start(daemons);
        for step in &trace.steps {
            play.step(step);
        }
        let run = play.finish();
        fs::remove_dir_all(&home).expect("removing files of ours");
        run
    }

    /// Sends a packet from the client.
    pub(super) fn send(&self, packet: &Packet) {
        self.injector.send(packet);
    }

    /// Where the daemons live.
    #[must_use]
    pub fn server(&self) -> &Namespace {
        &self.server
    }

    /// A directory for whatever is not one trace's.
    #[must_use]
    pub fn scratch(&self) -> &Path {
        self.scratch.path()
    }
}

impl Default for Rig {
    fn default() -> Self {
        Self::new()
    }
}
