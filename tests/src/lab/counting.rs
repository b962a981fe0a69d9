//! Sessions over which both ends send a counted stream at once, so that a lost byte or a stall shows.

use std::collections::BTreeMap;
use std::io::{Read, Write};
use std::net::{Ipv6Addr, Shutdown, SocketAddr, TcpListener, TcpStream};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::Duration;

use super::namespace::Namespace;
use super::wait::{PATIENCE, until};

/// Bytes that are sent at once, and how often: a session that somebody works in.
const CHUNK: usize = 64;
const PACE: Duration = Duration::from_millis(1);

/// A session stalls where so much does not get through soon.
const PROGRESS: u64 = 2048;

/// What one end has of a session.
#[derive(Debug, Default)]
struct Tally {
    sent: AtomicU64,
    received: AtomicU64,
    /// Something else came than was sent.
    wrong: AtomicBool,
    /// This end is to send no more.
    enough: AtomicBool,
    /// The other end has sent all.
    ended: AtomicBool,
}

/// The byte at this place of every stream: no two within a segment's reach follow each other alike.
fn byte_at(place: u64) -> u8 {
    u8::try_from(place % 251).expect("less than 251")
}

impl Tally {
    /// Sends and receives until both ends have had enough.
    fn count(self: Arc<Self>, stream: TcpStream) {
        stream.set_nodelay(true).expect("a socket option");
        let (sending, tally) = (stream.try_clone().expect("another descriptor"), Arc::clone(&self));
        thread::spawn(move || tally.send(sending));
        thread::spawn(move || self.receive(stream));
    }

    fn send(&self, mut stream: TcpStream) {
        while !self.enough.load(Ordering::Acquire) {
            let sent = self.sent.load(Ordering::Acquire);
            let chunk: Vec<u8> = (sent..).take(CHUNK).map(byte_at).collect();
            if stream.write_all(&chunk).is_err() {
                return;
            }
            self.sent.fetch_add(CHUNK as u64, Ordering::AcqRel);
            thread::sleep(PACE);
        }
        // Where the other end is gone there is nobody to tell.
        let _ = stream.shutdown(Shutdown::Write);
    }

    fn receive(&self, mut stream: TcpStream) {
        let mut bytes = [0; 4096];
        while let Ok(len @ 1..) = stream.read(&mut bytes) {
            let received = self.received.load(Ordering::Acquire);
            if (received..).map(byte_at).zip(&bytes[..len]).any(|(expected, found)| expected != *found) {
                self.wrong.store(true, Ordering::Release);
            }
            self.received.fetch_add(len as u64, Ordering::AcqRel);
        }
        self.enough.store(true, Ordering::Release);
        self.ended.store(true, Ordering::Release);
    }
}

/// A service that counts with whoever connects, over IPv4 and IPv6; dropping it ends it.
#[derive(Debug)]
pub struct CountingService {
    listener: TcpListener,
    tallies: Arc<Mutex<BTreeMap<SocketAddr, Arc<Tally>>>>,
}

impl CountingService {
    /// Listens at a TCP port of the namespace, on every address.
    ///
    /// # Panics
    /// Where the port is taken.
    #[must_use]
    pub fn new(namespace: &Namespace, port: u16) -> Self {
        let listener = namespace.enter(|| TcpListener::bind((Ipv6Addr::UNSPECIFIED, port)));
        let listener = listener.expect("a free port");
        let accepting = listener.try_clone().expect("another descriptor");
        let tallies: Arc<Mutex<BTreeMap<SocketAddr, Arc<Tally>>>> = Arc::default();
        let shared = Arc::clone(&tallies);
        thread::spawn(move || {
            while let Ok((stream, from)) = accepting.accept() {
                let from = SocketAddr::new(from.ip().to_canonical(), from.port());
                let tally = Arc::<Tally>::default();
                shared.lock().expect("nobody panics with it").insert(from, Arc::clone(&tally));
                tally.count(stream);
            }
        });
        Self { listener, tallies }
    }
}

impl Drop for CountingService {
    fn drop(&mut self) {
        // This wakes the thread.
        let _ = socket2::SockRef::from(&self.listener).shutdown(Shutdown::Both);
    }
}

/// A client's session with a [`CountingService`].
#[derive(Debug)]
pub struct CountingSession {
    own: Arc<Tally>,
    other: Arc<Tally>,
}

impl CountingSession {
    /// Connects, and counts.
    ///
    /// # Panics
    /// Where the service does not answer soon.
    #[must_use]
    pub fn open(namespace: &Namespace, service: &CountingService, to: SocketAddr) -> Self {
        let stream = namespace.enter(|| TcpStream::connect_timeout(&to, PATIENCE));
        let stream = stream.unwrap_or_else(|error| panic!("connecting to {to}: {error}"));
        let local = stream.local_addr().expect("it is connected");
        let own = Arc::<Tally>::default();
        Arc::clone(&own).count(stream);
        let mut other = None;
        until(PATIENCE, "the service to accept", || {
            other = service.tallies.lock().expect("nobody panics with it").get(&local).cloned();
            other.is_some()
        });
        Self { own, other: other.expect("the condition held") }
    }

    /// Waits until both ends have received some more.
    ///
    /// # Panics
    /// Where they do not soon, or something else came than was sent.
    pub fn goes_on(&self) {
        for (tally, end) in [(&self.own, "client"), (&self.other, "service")] {
            let wanted = tally.received.load(Ordering::Acquire) + PROGRESS;
            let what = format!("the {end} to receive more");
            until(PATIENCE, &what, || tally.received.load(Ordering::Acquire) >= wanted);
            assert!(!tally.wrong.load(Ordering::Acquire), "the {end} received what was not sent");
        }
    }

    /// Ends it, and sees that each end received everything that the other one sent.
    ///
    /// # Panics
    /// Where that is not so.
    pub fn ends_whole(self) {
        self.own.enough.store(true, Ordering::Release);
        let ended = |tally: &Tally| tally.ended.load(Ordering::Acquire);
        until(PATIENCE, "both ends to have everything", || ended(&self.own) && ended(&self.other));
        for (from, to) in [(&self.own, &self.other), (&self.other, &self.own)] {
            assert_eq!(from.sent.load(Ordering::Acquire), to.received.load(Ordering::Acquire));
            assert!(!to.wrong.load(Ordering::Acquire));
        }
    }
}
