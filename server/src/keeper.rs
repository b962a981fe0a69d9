//! The keeper: the process that holds power, and reads no packets.
//!
//! One loop: something happens, the engine decides, and what it decides is carried out strictly in order. Records
//! of everything that came in together are made durable together, and only then does anything move.

mod backoff;
mod desk;
mod jobs;
mod listening;
mod plan;
mod status;
mod store;
mod wall;

use std::io;
use std::os::fd::AsFd;
use std::path::{Path, PathBuf};
use std::time::Duration;

use knock_spa_engine::admit::effect::{Effect, Ended, JobId, Outcome, Ticket};
use knock_spa_engine::admit::{Admit, Claim, Restored};
use knock_spa_proto::address::Address;
use knock_spa_proto::control::{Command, GuardStatus, Reply};
use knock_spa_proto::report::Report;
use tokio::signal::unix::{Signal, SignalKind, signal};

use crate::addresses::{self, AddressWatch};
use crate::audit::Audit;
use crate::capture::Capture;
use crate::io::process::Started;
use crate::io::readiness::Watched;
use crate::io::timer::Timer;
use crate::io::{clock, notify};

use self::backoff::Backoff;
use self::desk::{Asked, Desk};
use self::jobs::Jobs;
use self::listening::{Heard, Listening};
use self::store::Store;
use self::wall::Wall;

pub use self::plan::{LoadError, Plan};

/// Reports that are taken in a row before their records are made durable together.
const BATCH: usize = 64;

/// How long a stop waits for commands: below the 90 s after which systemd kills.
const STOP_PATIENCE: Duration = Duration::from_secs(60);

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

/// Runs the daemon until it is told to stop. `start` starts a listener: the product's own is
/// [`start_listener`](crate::io::process::start_listener).
///
/// # Errors
/// [`RunError`].
pub async fn run<L>(config: &Path, start: L) -> Result<(), RunError>
where
    L: FnMut() -> io::Result<Started>,
{
    let mut keeper = Keeper::new(config, start)?;
    keeper.settle();
    keeper.wall.build(&keeper.plan.settings, keeper.admit.elements(clock::now().boot));
    keeper.start_listener().await;
    keeper.run().await
}

struct Keeper<L> {
    config: PathBuf,
    plan: Plan,
    admit: Admit,
    /// Before the store: the control socket goes before the lock does.
    desk: Desk,
    store: Store,
    wall: Wall,
    listening: Listening<L>,
    address_watch: AddressWatch,
    addresses_changed: Watched,
    /// When addresses and sockets are asked for again, after that failed.
    ask_again: Backoff,
    jobs: Jobs,
    audit: Audit,
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
    TimeCame(io::Result<()>),
    ReloadWanted,
    StopWanted,
    HeartbeatDue,
}

impl<L: FnMut() -> io::Result<Started>> Keeper<L> {
    fn new(config: &Path, start: L) -> Result<Self, RunError> {
        let plan = Plan::load(config)?;
        let paths = &plan.settings.paths;
        // The watch comes first, so that no address comes unnoticed.
        let address_watch = AddressWatch::new().map_err(RunError::doing("watch this machine's addresses"))?;
        let watched = address_watch.as_fd().try_clone_to_owned().and_then(Watched::new);
        let own = addresses::own().map_err(RunError::doing("read this machine's addresses"))?;
        let (mut store, history) = Store::open(&paths.state)?;
        let restored = Restored::new(history, plan.rules()?, own, store.boot(), clock::now());
        if restored.state_lost {
            tracing::warn!(
                event = "state-lost",
                "the journal does not know the server's key: every packet is refused for up to twice the window"
            );
        }
        store.begin(&restored.admit);
        let on = |kind| signal(kind).map_err(RunError::doing("hear signals"));
        Ok(Self {
            config: config.to_owned(),
            admit: restored.admit,
            desk: Desk::open(&paths.runtime).map_err(RunError::doing("open the control socket"))?,
            store,
            wall: Wall::new(&paths.state),
            listening: Listening::new(start),
            address_watch,
            addresses_changed: watched.map_err(RunError::doing("watch this machine's addresses"))?,
            ask_again: Backoff::default(),
            jobs: Jobs::default(),
            audit: Audit::default(),
            timer: Timer::new().map_err(RunError::doing("make a timer"))?,
            reload: on(SignalKind::hangup())?,
            stop: [on(SignalKind::terminate())?, on(SignalKind::interrupt())?],
            heartbeat: notify::heartbeat(),
            plan,
        })
    }

    async fn run(&mut self) -> Result<(), RunError> {
        loop {
            self.settle();
            let next = [
                self.admit.poll_timeout(),
                self.listening.backoff().retry_at(),
                self.listening.ready_by(),
                self.wall.backoff().retry_at(),
                self.ask_again.retry_at(),
            ];
            let next = next.into_iter().flatten().min();
            self.timer.set(next).map_err(RunError::doing("set a timer"))?;
            let happened = self.happens().await;
            if matches!(happened, Happened::StopWanted) {
                return self.wind_up().await;
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
            _ = terminate.recv() => Happened::StopWanted,
            _ = interrupt.recv() => Happened::StopWanted,
            () = notify::due(&mut self.heartbeat) => Happened::HeartbeatDue,
            result = self.timer.expired() => Happened::TimeCame(result),
            () = self.wall.touched() => Happened::WallTouched,
            (job, ended) = self.jobs.ended() => Happened::Ran(job, ended),
            _ = self.reload.recv() => Happened::ReloadWanted,
            Some(asked) = self.desk.next() => Happened::Asked(asked),
            result = self.addresses_changed.read(|_| match address_watch.changed()? {
                true => Ok(()),
                false => Err(io::ErrorKind::WouldBlock.into()),
            }) => Happened::AddressesChanged(result),
            heard = self.listening.hear() => Happened::Heard(heard),
        }
    }

    async fn handle(&mut self, happened: Happened) -> Result<(), RunError> {
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
                self.wall.handle_touched(&self.plan.settings, self.admit.elements(now), now);
            }
            Happened::TimeCame(result) => {
                result.map_err(RunError::doing("wait for a timer"))?;
                self.handle_time().await;
            }
            Happened::ReloadWanted => {
                if let Err(error) = self.reload().await {
                    tracing::error!(event = "reload-failed", "nothing has changed:\n{error}");
                }
            }
            Happened::HeartbeatDue => notify::beat(),
            Happened::StopWanted => {}
        }
        Ok(())
    }

    /// Links come and go more often than addresses do; only sockets on named interfaces care about links.
    async fn handle_addresses(&mut self) {
        self.ask_again.begin();
        match addresses::own() {
            Ok(own) if own == *self.admit.own() && self.plan.settings.listen.interfaces.is_none() => {}
            Ok(own) => {
                self.admit.handle_own(own);
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
        self.listening.check(now.boot).await;
        if self.listening.backoff().is_due(now.boot) {
            self.start_listener().await;
        }
        if self.ask_again.is_due(now.boot) {
            self.handle_addresses().await;
            self.hand_over().await;
        }
        if self.wall.backoff().is_due(now.boot) {
            self.wall.build(&self.plan.settings, self.admit.elements(now.boot));
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
            Report::Knock { door, from } => self.admit.handle_knock(door, from, now),
            Report::Counters(counters) => self.listening.handle_counters(counters),
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
        let interfaces = self.plan.settings.listen.interfaces.as_deref();
        let own: Vec<Address> = self.admit.own().iter().copied().collect();
        let orders = self.plan.orders(self.listening.next_generation(), own);
        let handed = match Capture::new(self.plan.interest(), interfaces) {
            Ok(capture) => self.listening.hand_over(&orders, capture, now).await,
            Err(error) => Err(error),
        };
        match handed {
            Ok(()) => self.ask_again.succeed(),
            Err(error) => {
                tracing::error!(event = "capture-failed", %error);
                self.ask_again.fail(now);
            }
        }
    }

    /// Carries out what the engine has decided.
    fn settle(&mut self) {
        loop {
            let mut tickets: Vec<Ticket> = Vec::new();
            while let Some(effect) = self.admit.poll_effect() {
                self.carry_out(effect, &mut tickets);
            }
            let result = self.store.write(tickets.is_empty(), &self.admit);
            if tickets.is_empty() {
                return;
            }
            for ticket in tickets {
                self.admit.handle_outcome(Outcome::Recorded(ticket, result), clock::now());
            }
        }
    }

    fn carry_out(&mut self, effect: Effect, tickets: &mut Vec<Ticket>) {
        match effect {
            Effect::Record(ticket, record) => {
                self.store.append(&record);
                tickets.push(ticket);
            }
            Effect::Note(record) => self.store.append(&record),
            Effect::Open(elements) => {
                if !self.wall.open(&elements) {
                    self.wall.build(&self.plan.settings, self.admit.elements(clock::now().boot));
                }
            }
            Effect::Close(elements) => {
                if !self.wall.close(&elements) {
                    self.wall.build(&self.plan.settings, self.admit.elements(clock::now().boot));
                }
            }
            Effect::Run(job) => self.jobs.push(job),
            Effect::Say(event) => self.audit.say(&event, clock::now().boot),
        }
    }

    async fn answer(&mut self, command: &Command) -> Reply {
        let answer = match command {
            Command::Status => return Reply::Status(self.status()),
            Command::Close { door, address } => self.close(door, address.as_deref()),
            Command::Reload => self.reload().await.map_err(|error| error.to_string()),
            Command::GuardConfirm => {
                self.wall.confirm(&self.plan.settings, self.admit.elements(clock::now().boot))
            }
            Command::GuardRemove => self.wall.remove(),
        };
        match answer {
            Ok(what) => Reply::Done { what },
            Err(why) => Reply::Failed { why },
        }
    }

    fn close(&mut self, door: &str, address: Option<&str>) -> Result<String, String> {
        let name = door.parse().map_err(|error| format!("{door}: {error}"))?;
        if self.admit.rules().door(name).is_none() {
            return Err(format!("no door is named {name}"));
        }
        let address = match address {
            Some(text) => Some(Address::new(text.parse().map_err(|_| format!("{text} is no address"))?)),
            None => None,
        };
        let count = self.admit.handle_close(name, address, clock::now());
        self.settle();
        Ok(format!("{name}: {count} {} closed", if count == 1 { "opening" } else { "openings" }))
    }

    /// Reads everything again; where anything is wrong, nothing changes.
    async fn reload(&mut self) -> Result<String, LoadError> {
        notify::reloading();
        let loaded = Plan::load(&self.config).and_then(|plan| Ok((plan.rules()?, plan)));
        let outcome = match loaded {
            Ok((rules, plan)) => {
                plan.warn_of_fixed(&self.plan);
                self.plan = plan;
                self.admit.handle_rules(rules, clock::now());
                self.settle();
                self.wall.build(&self.plan.settings, self.admit.elements(clock::now().boot));
                self.hand_over().await;
                tracing::info!(event = "reloaded", doors = self.plan.settings.doors.len());
                Ok(self.reloaded())
            }
            Err(error) => Err(error),
        };
        if self.listening.is_ready() {
            notify::ready();
        }
        outcome
    }

    fn reloaded(&self) -> String {
        let done = "the configuration and the clients are read again";
        match self.wall.status() {
            GuardStatus::Failed { why } => format!("{done}; but the guard can't be built: {why}"),
            GuardStatus::NotNeeded | GuardStatus::Down { .. } | GuardStatus::Up { .. } => done.into(),
        }
    }

    /// Stops: openings by command are closed, since nobody would close them later; the guard stays, and the kernel
    /// closes what it opened.
    async fn wind_up(&mut self) -> Result<(), RunError> {
        notify::stopping();
        self.listening.dismiss().await;
        self.admit.handle_stop(clock::now());
        self.settle();
        let patience = tokio::time::sleep(STOP_PATIENCE);
        tokio::pin!(patience);
        while !self.jobs.is_empty() {
            tokio::select! {
                (job, ended) = self.jobs.ended() => {
                    self.admit.handle_outcome(Outcome::Ran(job, ended), clock::now());
                    self.settle();
                }
                Some(asked) = self.desk.next() => {
                    asked.answer(Reply::Failed { why: "the daemon is stopping".into() });
                }
                () = &mut patience => break,
            }
        }
        Ok(())
    }
}
