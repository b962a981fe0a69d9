//! The listener, seen from the keeper: started, given orders, heard, and started again when it is gone.

use std::io;
use std::time::Duration;

use knock_spa_engine::watch::Orders;
use knock_spa_proto::control::ListenerStatus;
use knock_spa_proto::interface::InterfaceName;
use knock_spa_proto::report::{Counters, REPORT_LEN, Report};
use knock_spa_proto::time::BootTime;
use tokio::process::Child;

use super::backoff::Backoff;
use crate::capture::Capture;
use crate::io::channel::{Channel, Sockets};
use crate::io::notify;
use crate::io::process::Started;

/// A listener that has not said after so long that its orders are in force is replaced.
const ORDERS_PATIENCE: Duration = Duration::from_secs(5);

/// How long it takes until it is said that steps of sequences were not told: all of them at once.
const UNTOLD_EVERY: Duration = Duration::from_secs(10);

/// The one after a listener that lived for so long is started without a growing wait.
const STEADY: Duration = Duration::from_secs(10);

/// What comes from the listener.
pub(super) enum Heard {
    Report(Box<Report>),
    /// It is gone, or talks nonsense.
    Lost(String),
}

pub(super) struct Listening<L> {
    start: L,
    channel: Option<Channel>,
    process: Option<Child>,
    generation: u32,
    ready: bool,
    /// When the orders that were handed over must be in force.
    ready_by: Option<BootTime>,
    started_at: BootTime,
    /// What the listener's sockets see.
    capture: Option<Capture>,
    /// Sockets that no listener has yet: they see everything from now on.
    prepared: Option<(Capture, Sockets)>,
    missing: Vec<InterfaceName>,
    restarts: u64,
    backoff: Backoff,
    counters: Counters,
    /// What the listeners before this one counted.
    before: Counters,
    /// Steps that were not told, as far as that was said, and when it was.
    untold_told: u64,
    untold_at: Option<BootTime>,
}

impl<L: FnMut() -> io::Result<Started>> Listening<L> {
    pub(super) fn new(start: L) -> Self {
        Self {
            start,
            channel: None,
            process: None,
            generation: 0,
            ready: false,
            ready_by: None,
            started_at: BootTime::ZERO,
            capture: None,
            prepared: None,
            missing: Vec::new(),
            restarts: 0,
            backoff: Backoff::default(),
            counters: Counters::default(),
            before: Counters::default(),
            untold_told: 0,
            untold_at: None,
        }
    }

    /// Opens sockets before there is a listener, so that nothing that comes meanwhile is missed.
    pub(super) fn prepare(&mut self, capture: Capture) -> io::Result<()> {
        let sockets = capture.open()?;
        self.prepared = Some((capture, sockets));
        Ok(())
    }

    /// The sockets that `capture` needs.
    fn sockets(&mut self, capture: &Capture) -> io::Result<Sockets> {
        match self.prepared.take() {
            Some((prepared, sockets)) if prepared == *capture => Ok(sockets),
            Some(_) | None => capture.open(),
        }
    }

    /// Starts a listener; whether there is one to give orders to.
    pub(super) fn start(&mut self, now: BootTime) -> bool {
        self.backoff.begin();
        let started = (self.start)().and_then(|started| Ok((Channel::new(started.end)?, started.process)));
        match started {
            Ok((channel, process)) => {
                (self.channel, self.process) = (Some(channel), process);
                self.started_at = now;
                true
            }
            Err(error) => {
                tracing::error!(event = "listener-failed", %error);
                self.try_later(now);
                false
            }
        }
    }

    fn try_later(&mut self, now: BootTime) {
        self.backoff.fail(now);
        self.restarts = self.restarts.saturating_add(1);
    }

    pub(super) fn next_generation(&mut self) -> u32 {
        self.generation = self.generation.wrapping_add(1);
        self.generation
    }

    /// Hands over orders, and the sockets that `capture` needs where those in use do not serve. Where sockets cannot be
    /// opened, the listener goes on with those that it has.
    pub(super) async fn hand_over(
        &mut self,
        orders: &Orders,
        capture: Capture,
        now: BootTime,
    ) -> io::Result<()> {
        if self.channel.is_none() {
            return Ok(());
        }
        let is_in_use = self.capture.as_ref() == Some(&capture);
        let sockets = if is_in_use { None } else { Some(self.sockets(&capture)?) };
        let Some(channel) = &self.channel else { return Ok(()) };
        self.ready = false;
        self.ready_by = Some(now.saturating_add(ORDERS_PATIENCE));
        let handing = channel.hand_over(orders, sockets.as_ref());
        let lost = match tokio::time::timeout(ORDERS_PATIENCE, handing).await {
            Ok(Ok(())) => None,
            Ok(Err(error)) => Some(error.to_string()),
            Err(_elapsed) => Some("it takes no orders".into()),
        };
        self.note_missing(&capture.missing);
        self.capture = Some(capture);
        if let Some(why) = lost {
            self.lose(&why, now).await;
        }
        Ok(())
    }

    fn note_missing(&mut self, missing: &[InterfaceName]) {
        if self.missing != missing {
            self.missing = missing.to_vec();
            for name in missing {
                tracing::warn!(
                    event = "interface-missing",
                    name = name.as_str(),
                    "it is listened on once it is there"
                );
            }
        }
    }

    /// Whether an interface that is to be listened on is not there.
    pub(super) const fn misses_interfaces(&self) -> bool {
        !self.missing.is_empty()
    }

    pub(super) const fn has_listener(&self) -> bool {
        self.channel.is_some()
    }

    /// Replaces a listener whose orders should be in force by now; tells of steps that were not told.
    pub(super) async fn check(&mut self, now: BootTime) {
        if self.untold_at.is_some_and(|at| at <= now) {
            self.tell_untold();
        }
        if self.ready_by.is_some_and(|by| by <= now) {
            self.lose("it does not say that its orders are in force", now).await;
        }
    }

    /// When [`Self::check`] has something to do.
    pub(super) fn next_check(&self) -> Option<BootTime> {
        [self.ready_by, self.untold_at].into_iter().flatten().min()
    }

    /// Waits for a report, for ever where there is no listener.
    pub(super) async fn hear(&self) -> Heard {
        let Some(channel) = &self.channel else { return std::future::pending().await };
        let mut record = [0; REPORT_LEN + 1];
        heard(channel.receive(&mut record).await, &record)
    }

    /// A report that is there already.
    pub(super) fn hear_waiting(&self) -> Option<Heard> {
        let channel = self.channel.as_ref()?;
        let mut record = [0; REPORT_LEN + 1];
        match channel.try_receive(&mut record) {
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => None,
            received => Some(heard(received, &record)),
        }
    }

    pub(super) fn handle_ready(&mut self, generation: u32) {
        if generation == self.generation && !self.ready {
            self.ready = true;
            self.ready_by = None;
            notify::ready();
            tracing::info!(event = "listening", generation);
        }
    }

    /// Takes note of what the listener counted.
    pub(super) fn handle_counters(&mut self, counters: Counters, now: BootTime) {
        self.counters = counters;
        if self.untold_at.is_none() && self.counted().untold > self.untold_told {
            self.untold_at = Some(now.saturating_add(UNTOLD_EVERY));
        }
    }

    /// Tells how many steps were not told since the last time.
    fn tell_untold(&mut self) {
        let untold = self.counted().untold;
        let count = untold.saturating_sub(self.untold_told);
        (self.untold_told, self.untold_at) = (untold, None);
        tracing::warn!(event = "suppressed", count, "steps of sequences were not logged: too many");
    }

    /// Lets go of a listener that is lost, and sees to another.
    pub(super) async fn lose(&mut self, why: &str, now: BootTime) {
        tracing::error!(event = "listener-lost", why);
        if now.saturating_since(self.started_at) >= STEADY {
            self.backoff.succeed();
        }
        self.dismiss().await;
        self.try_later(now);
    }

    /// Ends the listener.
    pub(super) async fn dismiss(&mut self) {
        (self.channel, self.capture, self.ready_by) = (None, None, None);
        self.ready = false;
        self.before = self.counted();
        self.counters = Counters::default();
        if let Some(mut process) = self.process.take()
            && let Err(error) = process.kill().await
        {
            tracing::error!(event = "listener-lost", %error);
        }
    }

    /// When another is started, where there is none.
    pub(super) const fn backoff(&self) -> &Backoff {
        &self.backoff
    }

    /// What all listeners have counted.
    pub(super) fn counted(&self) -> Counters {
        Counters {
            received: self.before.received.saturating_add(self.counters.received),
            dh: self.before.dh.saturating_add(self.counters.dh),
            explained: self.before.explained.saturating_add(self.counters.explained),
            refused: self.before.refused.plus(&self.counters.refused),
            untold: self.before.untold.saturating_add(self.counters.untold),
        }
    }

    pub(super) const fn is_ready(&self) -> bool {
        self.ready
    }

    pub(super) fn status(&self) -> ListenerStatus {
        ListenerStatus {
            ready: self.ready,
            restarts: self.restarts,
            missing_interfaces: self.missing.iter().map(ToString::to_string).collect(),
        }
    }
}

fn heard(received: io::Result<Option<usize>>, record: &[u8]) -> Heard {
    match received {
        Ok(Some(len)) => match Report::decode(record.get(..len).unwrap_or_default()) {
            Ok(report) => Heard::Report(Box::new(report)),
            Err(error) => Heard::Lost(error.to_string()),
        },
        Ok(None) => Heard::Lost("it has ended".into()),
        Err(error) => Heard::Lost(error.to_string()),
    }
}
