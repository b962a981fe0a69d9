//! The listener: the process that reads hostile bytes, and holds nothing but sockets and the keys to read packets.
//!
//! It gets everything from the keeper over the channel at its standard input, and opens nothing itself. When the
//! keeper is gone, so is it.

mod overlap;

use std::future::poll_fn;
use std::io;
use std::net::SocketAddr;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::task::{Context, Poll};
use std::time::Duration;

use knock_spa_engine::watch::Watch;
use knock_spa_proto::address::Address;
use knock_spa_proto::report::{Counters, Report};
use knock_spa_proto::time::{BootTime, Now};
use rustix::net::{RecvFlags, recv, recvfrom};
use rustix::process::{Signal, set_parent_process_death_signal};

use crate::io::channel::{Channel, Deliver, HandOver, Sockets};
use crate::io::clock;
use crate::io::readiness::Watched;
use crate::io::timer::Timer;
use crate::listener::overlap::Overlap;

/// Packets that are read in a row before the reports go out, so that a flood does not hold up what is honest.
const BATCH: usize = 64;

/// Packets that are read from sockets that are about to be replaced: as many as fit in.
const BACKLOG: usize = 4096;

/// Counters are told at most this often: soon enough for a person, seldom enough for a flood.
const COUNTERS_EVERY: Duration = Duration::from_millis(100);

/// The longest IP packet.
const PACKET: usize = 65_535;

/// Runs the listener on its end of the channel, until the keeper closes its own.
///
/// # Errors
/// What the system said: the keeper starts another listener then.
pub async fn run(end: OwnedFd) -> io::Result<()> {
    let channel = Channel::new(end)?;
    let Some(first) = channel.receive_hand_over().await? else { return Ok(()) };
    let mut listener = Listener {
        watch: Watch::new(first.orders, clock::now()),
        ears: first.sockets.map(Ears::new).transpose()?.unwrap_or_default(),
        reading: Reading { packet: vec![0; PACKET], overlap: Overlap::default() },
        channel,
        told: Counters::default(),
        told_at: BootTime::ZERO,
        timer: Timer::new()?,
        attempts: Timer::new()?,
    };
    listener.run().await
}

/// Takes the standard input as the channel, and sees to it that the process ends with its parent.
///
/// # Errors
/// What the system said.
pub fn inherit() -> io::Result<OwnedFd> {
    set_parent_process_death_signal(Some(Signal::KILL))?;
    let end = io::stdin().as_fd().try_clone_to_owned()?;
    let flags = rustix::fs::fcntl_getfl(&end)?;
    rustix::fs::fcntl_setfl(&end, flags | rustix::fs::OFlags::NONBLOCK)?;
    Ok(end)
}

struct Listener {
    watch: Watch,
    channel: Channel,
    ears: Ears,
    reading: Reading,
    told: Counters,
    told_at: BootTime,
    /// When counters are told.
    timer: Timer,
    /// When an attempt at a sequence has taken too long.
    attempts: Timer,
}

/// The sockets in use.
struct Ears {
    deliver: Deliver,
    sockets: Vec<Watched>,
}

impl Ears {
    fn new(sockets: Sockets) -> io::Result<Self> {
        let Sockets { deliver, sockets } = sockets;
        Ok(Self { deliver, sockets: sockets.into_iter().map(Watched::new).collect::<io::Result<_>>()? })
    }
}

impl Default for Ears {
    fn default() -> Self {
        Self { deliver: Deliver::Packets, sockets: Vec::new() }
    }
}

enum Wake {
    /// The keeper has new orders, or is gone.
    Orders(io::Result<Option<HandOver>>),
    /// It is time to tell the counters.
    Counters(io::Result<()>),
    /// An attempt at a sequence has taken too long.
    Attempts(io::Result<()>),
    /// Packets were read, or a socket failed.
    Packets(io::Result<()>),
    /// There is nothing cheaper to do than a DH.
    Work,
}

impl Listener {
    async fn run(&mut self) -> io::Result<()> {
        loop {
            self.report().await?;
            self.attempts.set(self.watch.poll_timeout())?;
            match self.wake().await {
                Wake::Orders(Ok(Some(hand_over))) => self.obey(hand_over)?,
                Wake::Orders(Ok(None)) => return Ok(()),
                Wake::Orders(Err(error)) => return Err(error),
                Wake::Counters(result) => result?,
                Wake::Attempts(result) => {
                    result?;
                    self.watch.handle_timeout(clock::now());
                }
                // A flood of cheap packets does not starve those that wait for their DH: each batch is followed by one.
                Wake::Packets(result) => {
                    result?;
                    self.watch.work(clock::now());
                }
                Wake::Work => self.watch.work(clock::now()),
            }
        }
    }

    async fn wake(&mut self) -> Wake {
        let has_work = self.watch.has_work();
        let (watch, ears, reading) = (&mut self.watch, &self.ears, &mut self.reading);
        tokio::select! {
            biased;
            orders = self.channel.receive_hand_over() => Wake::Orders(orders),
            result = self.timer.expired() => Wake::Counters(result),
            result = self.attempts.expired() => Wake::Attempts(result),
            result = poll_fn(|context| poll_packets(watch, ears, reading, context)) => Wake::Packets(result),
            () = std::future::ready(()), if has_work => Wake::Work,
        }
    }

    fn obey(&mut self, hand_over: HandOver) -> io::Result<()> {
        let Some(sockets) = hand_over.sockets else {
            self.watch.handle_orders(hand_over.orders);
            return Ok(());
        };
        // What waits in the old sockets came under the old orders.
        let now = clock::now();
        self.reading.drain(&self.ears, |heard, overlap| {
            if let Heard::Packet(packet) = heard {
                overlap.note(packet, now.boot);
            }
            heard.tell(&mut self.watch, now);
        });
        self.watch.handle_orders(hand_over.orders);
        let ears = Ears::new(sockets)?;
        self.reading.drain(&ears, |heard, overlap| {
            // A datagram is in one bound socket alone, and what was captured as well is a duplicate to the watch.
            if let Heard::Packet(packet) = heard {
                let is_known = overlap.takes(packet, now.boot);
                // Yet newer sockets may be on their way already.
                overlap.note(packet, now.boot);
                if is_known {
                    return;
                }
            }
            heard.tell(&mut self.watch, now);
        });
        self.ears = ears;
        Ok(())
    }

    /// Sends what is to be told.
    async fn report(&mut self) -> io::Result<()> {
        while let Some(report) = self.watch.poll_report() {
            self.channel.send(&report.encode()).await?;
        }
        let counters = *self.watch.counters();
        if counters == self.told {
            return Ok(());
        }
        let now = clock::now().boot;
        let due = self.told_at.saturating_add(COUNTERS_EVERY);
        if now < due {
            return self.timer.set(Some(due));
        }
        (self.told, self.told_at) = (counters, now);
        self.channel.send(&Report::Counters(counters).encode()).await
    }
}

/// Ready once packets were read from any socket.
fn poll_packets(
    watch: &mut Watch,
    ears: &Ears,
    reading: &mut Reading,
    context: &mut Context<'_>,
) -> Poll<io::Result<()>> {
    let now = clock::now();
    let mut outcome = Poll::Pending;
    for socket in &ears.sockets {
        match socket.poll_read(context, |socket| reading.batch(watch, socket, ears.deliver, now)) {
            // An interface that went down says so once, and goes on when it is up again.
            Poll::Ready(Err(error)) if error.raw_os_error() != Some(libc::ENETDOWN) => {
                return Poll::Ready(Err(error));
            }
            Poll::Ready(_) => outcome = Poll::Ready(Ok(())),
            Poll::Pending => {}
        }
    }
    outcome
}

/// What came out of a socket.
#[derive(Clone, Copy)]
enum Heard<'p> {
    /// A packet, from its IP header on.
    Packet(&'p [u8]),
    /// What somebody sent to the SPA port.
    Datagram(&'p [u8], SocketAddr),
}

impl Heard<'_> {
    fn tell(self, watch: &mut Watch, now: Now) {
        match self {
            Self::Packet(packet) => watch.handle_packet(packet, now),
            Self::Datagram(datagram, from) => {
                watch.handle_datagram(datagram, Address::new(from.ip()), from.port(), now);
            }
        }
    }
}

/// What it takes to read packets.
struct Reading {
    packet: Vec<u8>,
    overlap: Overlap,
}

impl Reading {
    /// Reads packets until there are none or the batch is full; `WouldBlock` where there was none at all.
    fn batch(
        &mut self,
        watch: &mut Watch,
        socket: BorrowedFd<'_>,
        deliver: Deliver,
        now: Now,
    ) -> io::Result<()> {
        for read in 0..BATCH {
            match receive(socket, deliver, &mut self.packet) {
                Ok(heard) => {
                    if let Heard::Packet(packet) = heard {
                        self.overlap.note(packet, now.boot);
                    }
                    heard.tell(watch, now);
                }
                Err(rustix::io::Errno::WOULDBLOCK) if read > 0 => return Ok(()),
                Err(error) => return Err(error.into()),
            }
        }
        Ok(())
    }

    /// Does `each` with everything that waits, a bounded number for each socket; what cannot be read is not there.
    fn drain(&mut self, ears: &Ears, mut each: impl FnMut(Heard<'_>, &mut Overlap)) {
        for socket in &ears.sockets {
            for _ in 0..BACKLOG {
                match receive(socket.as_fd(), ears.deliver, &mut self.packet) {
                    Ok(heard) => each(heard, &mut self.overlap),
                    Err(_nothing) => break,
                }
            }
        }
    }
}

/// Reads one that waits.
fn receive<'p>(
    socket: BorrowedFd<'_>,
    deliver: Deliver,
    into: &'p mut [u8],
) -> Result<Heard<'p>, rustix::io::Errno> {
    match deliver {
        Deliver::Packets => {
            let (len, _) = recv(socket, &mut *into, RecvFlags::DONTWAIT)?;
            Ok(Heard::Packet(into.get(..len).unwrap_or_default()))
        }
        Deliver::Datagrams => {
            let (len, _, from) = recvfrom(socket, &mut *into, RecvFlags::DONTWAIT)?;
            let from = from.map(SocketAddr::try_from).transpose()?.ok_or(rustix::io::Errno::INVAL)?;
            Ok(Heard::Datagram(into.get(..len).unwrap_or_default(), from))
        }
    }
}
