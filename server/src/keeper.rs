//! The keeper: the process that holds power, and reads no packets.
//!
//! One loop: something happens, the engine decides, and what it decides is carried out strictly in order. Records
//! of everything that came in together are made durable together, and only then does anything move.

mod asking;
mod attention;
mod backoff;
mod clients;
mod cutting;
mod desk;
mod doing;
mod enrolling;
mod guests;
mod jobs;
mod keys;
mod listening;
mod numbers;
mod one_time;
mod plan;
mod rehearsing;
mod sets;
mod status;
mod store;
mod telling;
mod wall;

use std::collections::BTreeSet;
use std::io;
use std::os::fd::AsFd;
use std::path::PathBuf;

use knock_spa_engine::admit::effect::{Ended, JobId, Outcome};
use knock_spa_engine::admit::{Admit, Claim, History, Restored};
use knock_spa_engine::knockd::Said;
use knock_spa_engine::pace::Pace;
use knock_spa_proto::address::Address;
use knock_spa_proto::control::Cut;
use knock_spa_proto::report::Report;
use tokio::signal::unix::{Signal, SignalKind, signal};

use crate::addresses::{AddressWatch, Addresses};
use crate::audit::Audit;
use crate::capture::Capture;
use crate::config::settings::{Interfaces, LogSettings};
use crate::io::process::Started;
use crate::io::readiness::Watched;
use crate::io::timer::Timer;
use crate::io::{clock, notify};
use crate::knockd_log::KnockdLog;

use self::backoff::Backoff;
use self::desk::{Asked, Desk};
use self::jobs::Jobs;
use self::listening::{Heard, Listening};
use self::numbers::Numbers;
use self::one_time::OneTimeSequences;
use self::sets::{Sets, Touched};
use self::store::Store;
use self::wall::Wall;

pub use self::plan::{LoadError, Plan, Source};

/// Reports that are taken in a row before their records are made durable together.
const BATCH: usize = 64;

/// Why the keeper cannot run, or had to stop.
#[derive(Debug, thiserror::Error)]
pub enum RunError {
    /// The configuration, the clients or the key cannot be used.
    #[error(transparent)]
    Load(#[from] LoadError),
    /// The journal cannot be used.
    #[error(transparent)]
    Journal(#[from] crate::journal::JournalError),
    /// The system refused something without which nothing works.
    #[error("can't {doing}: {error}")]
    System {
        /// What was tried.
        doing: &'static str,
        /// What the system said.
        error: io::Error,
    },
}

impl RunError {
    fn doing(doing: &'static str) -> impl FnOnce(io::Error) -> Self {
        move |error| Self::System { doing, error }
    }
}

/// What made the daemon stop.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Stopped {
    /// SIGTERM.
    Terminated,
    /// SIGINT.
    Interrupted,
}

/// Runs the daemon until it is told to stop. `start` starts a listener: the product's own is
/// [`start_listener`](crate::io::process::start_listener). `begun` is called once everything is there that could be
/// missing; what it gives is a pid file that could not be made, and why.
///
/// # Errors
/// [`RunError`].
pub async fn run<L, B>(source: Source, start: L, begun: B) -> Result<Stopped, RunError>
where
    L: FnMut() -> io::Result<Started>,
    B: FnOnce() -> Option<(PathBuf, io::Error)>,
{
    let mut keeper = Keeper::new(source, start)?;
    let no_pid_file = begun();
    keeper.tell_begun(no_pid_file.as_ref());
    keeper.tell_rehearsal();
    keeper.settle();
    keeper.look_after_keys();
    keeper.build_wall();
    keeper.build_sets();
    keeper.start_listener().await;
    keeper.run().await
}

struct Keeper<L> {
    source: Source,
    plan: Plan,
    numbers: Numbers,
    admit: Admit,
    /// Before the store: the control socket goes before the lock does. Absent where knocks alone open anything.
    desk: Option<Desk>,
    store: Store,
    /// Absent in knockd's manner, where no door has it: another instance may.
    wall: Option<Wall>,
    /// The administrator's own sets.
    sets: Sets,
    one_time: OneTimeSequences,
    /// Whether a door has another sequence than the listener knows of.
    sequences_changed: bool,
    /// The addresses at which knocks count.
    listened: BTreeSet<Address>,
    listening: Listening<L>,
    address_watch: AddressWatch,
    addresses_changed: Watched,
    /// When addresses and sockets are asked for again, after that failed.
    ask_again: Backoff,
    jobs: Jobs,
    /// What became of flows that were to end, since somebody asked last.
    cut: Cut,
    audit: Audit,
    log: KnockdLog,
    /// A listener that lies fills no disk with steps of sequences.
    pace: Pace,
    timer: Timer,
    reload: Signal,
    stop: [Signal; 2],
    heartbeat: Option<tokio::time::Interval>,
}

/// What happened.
enum Happened {
    Heard(Heard),
    Asked(Asked),
    Ran(JobId, Ended),
    AddressesChanged(io::Result<()>),
    WallTouched,
    SetsTouched(Touched),
    TimeCame(io::Result<()>),
    ReloadWanted,
    StopWanted(Stopped),
    HeartbeatDue,
    LogCaughtUp,
}

impl<L: FnMut() -> io::Result<Started>> Keeper<L> {
    fn new(source: Source, start: L) -> Result<Self, RunError> {
        let mut plan = Plan::load_to_start(&source)?;
        let is_native = matches!(source, Source::Native(_));
        // The watch comes first, so that no address comes unnoticed.
        let address_watch = AddressWatch::new().map_err(RunError::doing("watch this machine's addresses"))?;
        let watched = address_watch.as_fd().try_clone_to_owned().and_then(Watched::new);
        let addresses = Addresses::read().map_err(RunError::doing("read this machine's addresses"))?;
        let mut audit = Audit::default();
        if source.acts() {
            audit.set_file(plan.settings.audit_file.as_deref());
        } else {
            // knockd's log tells what was done.
            plan.settings.log = LogSettings::default();
        }
        let (mut store, history) = open_store(&source, &mut plan)?;
        let paths = &plan.settings.paths;
        let restored = Restored::new(history, plan.rules()?, addresses.all(), store.boot(), clock::now());
        if restored.state_lost {
            tracing::warn!(
                event = "state-lost",
                "the journal does not know the server's key: every packet is refused for up to twice the window"
            );
        }
        store.begin(&restored.admit);
        let answers = source.acts() && (is_native || plan.takes_packets());
        let desk = answers.then(|| Desk::open(&paths.runtime)).transpose();
        let on = |kind| signal(kind).map_err(RunError::doing("hear signals"));
        let mut numbers = Numbers::default();
        numbers.assign(&plan.settings);
        let mut listening = Listening::new(start);
        let capture = Capture::new(plan.interest(), &plan.settings.listen);
        let prepared = capture.and_then(|capture| listening.prepare(capture));
        prepared.map_err(RunError::doing("listen to packets"))?;
        let wall = is_native.then(|| Wall::new(&paths.state, store.boot()));
        Ok(Self {
            source,
            numbers,
            admit: restored.admit,
            desk: desk.map_err(RunError::doing("open the control socket"))?,
            store,
            wall,
            sets: Sets::default(),
            one_time: OneTimeSequences::new(&plan.settings),
            sequences_changed: false,
            listened: addresses.of(&plan.settings.listen.interfaces),
            listening,
            address_watch,
            addresses_changed: watched.map_err(RunError::doing("watch this machine's addresses"))?,
            ask_again: Backoff::default(),
            jobs: Jobs::default(),
            cut: Cut::default(),
            audit,
            log: KnockdLog::open(&plan.settings.log),
            pace: Pace::of_steps(),
            timer: Timer::new().map_err(RunError::doing("make a timer"))?,
            reload: on(SignalKind::hangup())?,
            stop: [on(SignalKind::terminate())?, on(SignalKind::interrupt())?],
            heartbeat: notify::heartbeat(),
            plan,
        })
    }

    async fn run(&mut self) -> Result<Stopped, RunError> {
        loop {
            self.settle();
            self.renew_sequences().await;
            self.audit.tell_fault();
            let next = [
                self.admit.poll_timeout(),
                self.listening.backoff().retry_at(),
                self.listening.next_check(),
                self.wall.as_ref().and_then(Wall::wakes_at),
                self.sets.wakes_at(),
                self.previous_key_ends_at(),
                self.ask_again.retry_at(),
                self.audit.next_due(),
            ];
            let next = next.into_iter().flatten().min();
            self.timer.set(next).map_err(RunError::doing("set a timer"))?;
            let happened = self.happens().await;
            if let Happened::StopWanted(stopped) = happened {
                self.wind_up().await;
                return Ok(stopped);
            }
            self.handle(happened).await?;
        }
    }

    /// Waits for the next thing. What the network can cause comes last, so that it holds up nothing else.
    async fn happens(&mut self) -> Happened {
        let [terminate, interrupt] = &mut self.stop;
        let address_watch = &mut self.address_watch;
        tokio::select! {
            biased;
            _ = terminate.recv() => Happened::StopWanted(Stopped::Terminated),
            _ = interrupt.recv() => Happened::StopWanted(Stopped::Interrupted),
            () = notify::due(&mut self.heartbeat) => Happened::HeartbeatDue,
            result = self.timer.expired() => Happened::TimeCame(result),
            () = self.log.ready() => Happened::LogCaughtUp,
            () = wall_touched(&mut self.wall) => Happened::WallTouched,
            sets = self.sets.touched() => Happened::SetsTouched(sets),
            (job, ended) = self.jobs.ended() => Happened::Ran(job, ended),
            _ = self.reload.recv() => Happened::ReloadWanted,
            asked = next_asked(&mut self.desk) => Happened::Asked(asked),
            result = self.addresses_changed.read(|_| match address_watch.changed()? {
                true => Ok(()),
                false => Err(io::ErrorKind::WouldBlock.into()),
            }) => Happened::AddressesChanged(result),
            heard = self.listening.hear() => Happened::Heard(heard),
        }
    }

    async fn handle(&mut self, happened: Happened) -> Result<(), RunError> {
        // Before what came in is judged: the time of a key may be over.
        self.end_previous_key_in_time().await;
        match happened {
            Happened::Heard(heard) => self.handle_heard(heard).await,
            Happened::Asked(asked) => {
                let reply = self.answer(&asked.command).await;
                asked.answer(reply);
            }
            Happened::Ran(job, ended) => {
                self.admit.handle_outcome(Outcome::Ran(job, ended), clock::now());
            }
            Happened::AddressesChanged(result) => {
                result.map_err(RunError::doing("watch this machine's addresses"))?;
                self.handle_addresses().await;
            }
            Happened::WallTouched => {
                let now = clock::now().boot;
                if let Some(wall) = &mut self.wall {
                    wall.handle_touched(&self.plan.settings, self.admit.elements(now), now);
                }
            }
            Happened::SetsTouched(touched) => {
                let now = clock::now().boot;
                self.sets.handle_touched(touched, || self.admit.set_entries(now), now);
            }
            Happened::TimeCame(result) => {
                result.map_err(RunError::doing("wait for a timer"))?;
                self.handle_time().await;
            }
            Happened::ReloadWanted => {
                if let Err(error) = self.reload().await {
                    tracing::error!(
                        event = "reload-failed",
                        "the old configuration stays in force:\n{error}"
                    );
                }
            }
            Happened::HeartbeatDue => notify::beat(),
            Happened::StopWanted(_) | Happened::LogCaughtUp => {}
        }
        Ok(())
    }

    /// Links come and go more often than addresses do; only sockets on named interfaces care about links.
    async fn handle_addresses(&mut self) {
        self.ask_again.begin();
        let interfaces = &self.plan.settings.listen.interfaces;
        match Addresses::read() {
            Ok(addresses) => {
                let (all, listened) = (addresses.all(), addresses.of(interfaces));
                let is_old = all == *self.admit.own() && listened == self.listened;
                if is_old && matches!(interfaces, Interfaces::All | Interfaces::AllButLoopback) {
                    return;
                }
                self.admit.handle_own(all);
                self.listened = listened;
                self.hand_over().await;
            }
            Err(error) => {
                tracing::error!(event = "addresses-failed", %error);
                self.ask_again.fail(clock::now().boot);
            }
        }
    }

    async fn handle_time(&mut self) {
        let now = clock::now();
        self.admit.handle_timeout(now);
        self.audit.tell_left_out(now.boot);
        self.listening.check(now.boot).await;
        if self.listening.backoff().is_due(now.boot) {
            self.start_listener().await;
        }
        self.sets.handle_time(|| self.admit.set_entries(now.boot), now.boot);
        if self.ask_again.is_due(now.boot) {
            self.handle_addresses().await;
            self.hand_over().await;
        }
        if let Some(wall) = &mut self.wall {
            wall.handle_time(&self.plan.settings, || self.admit.elements(now.boot), now.boot);
        }
    }

    /// Takes what was heard, and whatever else is there already: their records become durable together.
    async fn handle_heard(&mut self, first: Heard) {
        self.handle_one(first).await;
        for _ in 1..BATCH {
            let Some(next) = self.listening.hear_waiting() else { return };
            self.handle_one(next).await;
        }
    }

    async fn handle_one(&mut self, heard: Heard) {
        match heard {
            Heard::Report(report) => self.handle_report(*report),
            Heard::Lost(why) => self.listening.lose(&why, clock::now().boot).await,
        }
    }

    fn handle_report(&mut self, report: Report) {
        let now = clock::now();
        match report {
            Report::Ready { generation } => self.listening.handle_ready(generation),
            Report::Statement { server, statement, from, from_port: _ } => {
                self.admit.handle_claim(&Claim { server, statement, from }, now);
            }
            // One that is fresh does not become good by coming this way.
            Report::Stale { server, statement, from } if self.plan.settings.explain => {
                self.admit.handle_stale(&Claim { server, statement, from }, now);
            }
            Report::Stale { .. } => {}
            // What was knocked for by an old number is not what that number's door is now.
            Report::Knock { door, from } => {
                if let Some(knocked) = self.numbers.door(door) {
                    self.admit.handle_knock(knocked, from, now);
                }
            }
            Report::Stage { door, from, stage } => {
                self.tell(door, |door| Said::Stage { door, from, stage });
            }
            Report::SequenceTimeout { door, from, stage } => {
                self.tell(door, |door| Said::SequenceTimeout { door, from, stage });
            }
            Report::Counters(counters) => {
                self.listening.handle_counters(counters, now.boot);
                self.admit.handle_dropped(&self.listening.counted().refused, now);
            }
        }
    }

    async fn start_listener(&mut self) {
        if self.listening.start(clock::now().boot) {
            self.hand_over().await;
        }
    }

    /// Gives the listener orders after the present plan and addresses, and sockets where it needs others.
    async fn hand_over(&mut self) {
        if !self.listening.has_listener() {
            return;
        }
        let now = clock::now().boot;
        let listen = &self.plan.settings.listen;
        let is_default = matches!(listen.interfaces, Interfaces::Default { .. });
        let own: Vec<Address> = self.listened.iter().copied().collect();
        let doors = self.numbers.doors().to_vec();
        let orders = self.plan.orders(self.listening.next_generation(), own, doors);
        let handed = match Capture::new(self.plan.interest(), listen) {
            Ok(capture) => self.listening.hand_over(&orders, capture, now).await,
            Err(error) => Err(error),
        };
        match handed {
            // Which interface the default is may change without a word: with the first route.
            Ok(()) if is_default && self.listening.misses_interfaces() => self.ask_again.fail(now),
            Ok(()) => self.ask_again.succeed(),
            Err(error) => {
                tracing::error!(event = "capture-failed", %error);
                self.ask_again.fail(now);
            }
        }
    }

    /// Has the administrator's sets hold what they should.
    fn build_sets(&mut self) {
        if !self.source.acts() {
            return;
        }
        self.sets.build(&self.plan.settings, self.admit.set_entries(clock::now().boot));
    }

    /// Makes the guard what it should be.
    fn build_wall(&mut self) {
        if let Some(wall) = &mut self.wall {
            wall.build(&self.plan.settings, self.admit.elements(clock::now().boot));
        }
    }
}

/// The state of the daemon. As knockd it can do without, but not for packets: where another daemon remembers which were
/// accepted, they would be accepted again here.
fn open_store(source: &Source, plan: &mut Plan) -> Result<(Store, History), RunError> {
    let state = &plan.settings.paths.state;
    match source {
        Source::Native(_) => return Store::open(state),
        Source::Rehearsed(_) => return Ok(Store::rehearsed(state, &plan.servers())),
        Source::Knockd(_) => {}
    }
    let opened = Store::open_or_forget(state);
    if plan.takes_packets() && opened.0.forgets() {
        tracing::error!(event = "packets-refused", "nothing can be kept: doors open for knocks alone");
        plan.refuse_packets();
    }
    Ok(opened)
}

async fn wall_touched(wall: &mut Option<Wall>) {
    match wall {
        Some(wall) => wall.touched().await,
        None => std::future::pending().await,
    }
}

async fn next_asked(desk: &mut Option<Desk>) -> Asked {
    if let Some(desk) = desk
        && let Some(asked) = desk.next().await
    {
        return asked;
    }
    std::future::pending().await
}
