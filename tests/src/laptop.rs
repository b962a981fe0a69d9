//! A laptop of the lab: the real client in a namespace, with a home of its own.

use std::fs;
use std::net::SocketAddr;
use std::num::NonZeroU32;
use std::path::PathBuf;
use std::process::Command;
use std::time::{Duration, SystemTime};

use knock_spa_keys::client::{ClientSecret, ClientSecretLine};
use knock_spa_keys::server::ServerKey;
use knock_spa_proto::spa::request::{Addresses, Open, Request};
use knock_spa_proto::spa::{PACKET_LEN, SealRandom, seal};
use knock_spa_proto::time::UnixTime;
use ring::rand::{SecureRandom, SystemRandom};
use tempfile::TempDir;

use crate::lab::{Host, Running};
use crate::programs::{Run, knock_spa};
use crate::server::NAME;

/// A device with the client on it. Dropping it removes its files.
#[derive(Debug)]
pub struct Laptop<'w> {
    host: &'w Host,
    directory: TempDir,
}

impl<'w> Laptop<'w> {
    /// A device that has no key yet. `server` is the machine that it finds under the name of [`NAME`].
    ///
    /// # Panics
    /// Where files cannot be written.
    #[must_use]
    pub fn new(host: &'w Host, server: &Host) -> Self {
        let laptop = Self { host, directory: TempDir::new().expect("a directory") };
        let hosts = server.addresses().map(|ip| format!("{ip} {NAME}\n")).concat();
        fs::write(laptop.path("hosts"), hosts).expect("writing a file");
        laptop
    }

    /// A path beside the client's home.
    #[must_use]
    pub fn path(&self, name: &str) -> PathBuf {
        self.directory.path().join(name)
    }

    /// `knock-spa` with the words of this line, to its end.
    #[must_use]
    pub fn run(&self, line: &str) -> Run {
        self.run_words(&line.split_whitespace().collect::<Vec<_>>())
    }

    /// `knock-spa` with these words, to its end.
    #[must_use]
    pub fn run_words(&self, words: &[&str]) -> Run {
        Run::of(self.host, &mut self.program(words), "")
    }

    /// `knock-spa` with the words of this line, and `input` as its standard input, to its end.
    #[must_use]
    pub fn run_with_input(&self, line: &str, input: &str) -> Run {
        Run::of(self.host, &mut self.program(&line.split_whitespace().collect::<Vec<_>>()), input)
    }

    /// Starts `knock-spa` with the words of this line.
    #[must_use]
    pub fn spawn(&self, line: &str) -> Running {
        self.host.spawn(&mut self.program(&line.split_whitespace().collect::<Vec<_>>()))
    }

    /// Another program with these words, to its end.
    #[must_use]
    pub fn run_program(&self, words: &[String]) -> Run {
        Run::of(self.host, self.with_hosts().args(words), "")
    }

    fn program(&self, words: &[&str]) -> Command {
        let mut command = self.with_hosts();
        command.arg(knock_spa()).arg("--home").arg(self.path("home")).args(words);
        command
    }

    /// Runs what follows with this laptop's own `/etc/hosts`.
    #[must_use]
    pub fn with_hosts(&self) -> Command {
        let mut command = Command::new("unshare");
        command.args(["--mount", "--propagation", "private", "sh", "-e", "-c"]);
        command.arg("mount --bind \"$0\" /etc/hosts; exec \"$@\"").arg(self.path("hosts"));
        command
    }

    /// The device's public line; makes its key where there is none.
    ///
    /// # Panics
    /// Where `knock-spa enroll` fails.
    #[must_use]
    pub fn line(&self) -> String {
        self.run("enroll").ended_with(0).out.trim().to_owned()
    }

    /// The device's secret key, for packets that the client would not make.
    ///
    /// # Panics
    /// Where it has none.
    #[must_use]
    pub fn secret(&self) -> ClientSecret {
        let text = fs::read_to_string(self.path("home/client.key")).expect("it has a key");
        text.trim().parse::<ClientSecretLine>().expect("a key's line").secret
    }

    /// A packet of this device that is not sent, made at `stamp` by its clock.
    #[must_use]
    pub fn seal(&self, server: &ServerKey, stamp: UnixTime, request: &Request) -> [u8; PACKET_LEN] {
        seal(server, &self.secret(), stamp, request, random())
    }

    /// Sends a packet as it is, from any port of `from`.
    ///
    /// # Panics
    /// Where it cannot be sent.
    pub fn send(&self, packet: &[u8], from: std::net::IpAddr, to: SocketAddr) {
        self.host.send_udp(SocketAddr::new(from, 0), to, packet);
    }
}

/// What a wall clock says.
///
/// # Panics
/// Before 1970.
#[must_use]
pub fn now() -> UnixTime {
    let now = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).expect("after 1970");
    UnixTime::EPOCH.saturating_add(now)
}

/// The time `span` ago.
#[must_use]
pub fn ago(span: Duration) -> UnixTime {
    UnixTime::from_nanos(now().as_nanos() - u64::try_from(span.as_nanos()).expect("a few years"))
}

/// Asks to open a service, for so many seconds or the server's default.
///
/// # Panics
/// Where it would open nothing.
pub fn open(services: &str, to: Addresses, seconds: u32) -> Request {
    let services = services.parse().expect("services");
    Request::Open(Open::new(services, to, NonZeroU32::new(seconds)).expect("something to open"))
}

/// Random bytes for a packet.
///
/// # Panics
/// Where the system has none.
#[must_use]
pub fn random() -> SealRandom {
    let system = SystemRandom::new();
    let mut random = SealRandom { ephemeral: [0; 32], nonce: [0; 24] };
    system.fill(&mut random.ephemeral).expect("random bytes");
    system.fill(&mut random.nonce).expect("random bytes");
    random
}
