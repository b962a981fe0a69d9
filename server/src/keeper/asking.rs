//! What the administrator asks of the keeper while it runs.

use std::io;
use std::time::Duration;

use knock_spa_engine::admit::effect::Flows;
use knock_spa_engine::admit::local::{LocalOpen, Which};
use knock_spa_engine::rules::{Action, Lease};
use knock_spa_proto::address::Address;
use knock_spa_proto::control::{Command, GuardStatus, Reply};
use knock_spa_proto::service::ServiceName;

use super::clients;
use super::one_time::OneTimeSequences;
use super::wall::Wall;
use super::{Keeper, LoadError, Plan, Source};
use crate::control;
use crate::io::process::Started;
use crate::io::{clock, notify};
use crate::knockd_log::Line;

/// Why a command about the guard is refused in knockd's manner.
const NO_GUARD: &str = "there is no guard here";

impl<L: FnMut() -> io::Result<Started>> Keeper<L> {
    /// Does what the administrator asks for.
    pub(super) async fn answer(&mut self, command: &Command) -> Reply {
        let answer = match command {
            Command::LastUses => return Reply::LastUses { uses: self.last_uses() },
            Command::Status => return Reply::Status(Box::new(self.status())),
            Command::Open { door, address, seconds, forever, beyond } => {
                let seconds = seconds.map(|seconds| Lease::For(Duration::from_secs(seconds)));
                let lease = if *forever { Some(Lease::Forever) } else { seconds };
                self.open_by_hand(door, address, lease, *beyond)
            }
            Command::Close { door, address, client, cut } => self
                .which(door.as_deref(), address.as_deref(), client.as_deref())
                .and_then(|which| self.close(&which, *cut)),
            Command::Reload => self.reload().await.map_err(|error| error.to_string()),
            Command::GuardTry { seconds } => self.try_guard(Duration::from_secs(*seconds)),
            Command::KeyRotate { grace, end_previous } => self.rotate_key(*grace, *end_previous).await,
            Command::KeyRemove => self.remove_previous_key().await,
            Command::ReloadClients { cut } => match self.reload_clients_and_cut(cut.as_deref()) {
                Ok(reloaded) => return Reply::ClientsReloaded(reloaded),
                Err(why) => Err(why),
            },
            Command::GuardConfirm => self.confirm_guard(),
            Command::GuardRemove => self.wall.as_mut().map_or_else(|| Err(NO_GUARD.into()), Wall::remove),
        };
        match answer {
            Ok(what) => Reply::Done { what },
            Err(why) => Reply::Failed { why },
        }
    }

    fn try_guard(&mut self, span: Duration) -> Result<String, String> {
        let Some(wall) = &mut self.wall else { return Err(NO_GUARD.into()) };
        wall.try_for(span, &self.plan.settings, self.admit.elements(clock::now().boot))
    }

    fn confirm_guard(&mut self) -> Result<String, String> {
        let Some(wall) = &mut self.wall else { return Err(NO_GUARD.into()) };
        wall.confirm(&self.plan.settings, self.admit.elements(clock::now().boot))
    }

    /// Opens a door; what is told is what came of it, not what was decided.
    fn open_by_hand(
        &mut self,
        door: &str,
        address: &str,
        lease: Option<Lease>,
        beyond: bool,
    ) -> Result<String, String> {
        let (door, address) = (self.door_named(door)?, parse_address(address)?);
        let now = clock::now();
        let open = LocalOpen { door, address, lease, beyond };
        self.admit.handle_local_open(&open, now).map_err(|error| error.to_string())?;
        self.settle();
        let Some(left) = self.admit.local_left(door, address, now) else {
            return Err(format!(
                "{door} is not opened: it can't be recorded, and a command could not be undone"
            ));
        };
        let left =
            left.map_or_else(|| "until it is closed".into(), |left| format!("for {} s", left.as_secs()));
        let opened = format!("{door} is open for {address} {left}");
        match self.admit.rules().door(door).map(|door| &door.action) {
            Some(Action::Command(_)) => Ok(format!("{opened}, once its start command has run")),
            Some(Action::Set(_)) => Ok(opened),
            Some(Action::Guard) | None => match self.wall.as_ref().map(Wall::status) {
                Some(GuardStatus::Failed { why }) => {
                    Err(format!("{opened}, but the guard can't be built: {why}"))
                }
                Some(GuardStatus::Down { .. }) => {
                    Ok(format!("{opened}; the guard is down: for all others too"))
                }
                Some(GuardStatus::Up { .. } | GuardStatus::NotNeeded) | None => Ok(opened),
            },
        }
    }

    /// The door of this name, or of this other name.
    fn door_named(&self, text: &str) -> Result<ServiceName, String> {
        let name = text.parse().map_err(|error| format!("{text}: {error}"))?;
        let door = self.admit.rules().door_called(name);
        door.map(|door| door.name).ok_or_else(|| format!("no door is named {name}"))
    }

    /// Which openings a request means.
    fn which(
        &self,
        door: Option<&str>,
        address: Option<&str>,
        client: Option<&str>,
    ) -> Result<Which, String> {
        Ok(Which {
            door: door.map(|door| self.door_named(door)).transpose()?,
            address: address.map(parse_address).transpose()?,
            client: client.map(Into::into),
        })
    }

    fn close(&mut self, which: &Which, cut: bool) -> Result<String, String> {
        let flows = if cut { Flows::Cut } else { Flows::LiveOn };
        drop(self.take_cut());
        let count = self.admit.handle_close(which, flows, clock::now());
        self.settle();
        let whose = match (&which.door, &which.client) {
            (Some(door), _) => door.to_string(),
            (None, Some(client)) => client.clone(),
            (None, None) => "all".into(),
        };
        let closed = format!("{whose}: {count} {} closed", if count == 1 { "opening" } else { "openings" });
        if !cut {
            return Ok(closed);
        }
        let cut = self.take_cut();
        let told = format!("{closed}; {}", control::words_for_cut(&cut));
        if cut.faults.is_empty() { Ok(told) } else { Err(told) }
    }

    /// Reads everything again; where anything is wrong, the old configuration stays, but clients' files count each by
    /// itself all the same.
    pub(super) async fn reload(&mut self) -> Result<String, LoadError> {
        notify::reloading();
        if let Source::Knockd(as_knockd) = &self.source {
            self.log.say(&Line::Rereading { config: &as_knockd.config });
        }
        let loaded = Plan::load(&self.source).and_then(|mut plan| {
            if self.desk.is_none() && self.source.acts() && plan.takes_packets() {
                tracing::warn!(event = "restart-needed", "packets are accepted after the next start");
                plan.refuse_packets();
            }
            Ok((plan.rules()?, plan))
        });
        let outcome = match loaded {
            Ok((rules, plan)) => {
                plan.warn_of_fixed(&self.plan);
                clients::tell_changes(self.plan.clients(), plan.clients());
                self.plan = plan;
                self.reopen_logs();
                self.one_time = OneTimeSequences::new(&self.plan.settings);
                self.numbers.assign(&self.plan.settings);
                self.admit.handle_rules(rules, clock::now());
                self.settle();
                self.look_after_keys();
                self.build_wall();
                self.build_sets();
                self.hand_over().await;
                tracing::info!(event = "reloaded", doors = self.plan.settings.doors.len());
                Ok(self.reloaded())
            }
            Err(error) => {
                self.reopen_logs();
                self.tell_not_reloaded(&error);
                if let Err(error) = self.reload_clients() {
                    tracing::error!(event = "clients-not-reloaded", "who was enrolled still is:\n{error}");
                }
                Err(error)
            }
        };
        if self.listening.is_ready() {
            notify::ready();
        }
        outcome
    }

    /// Logs that were rotated are begun anew.
    fn reopen_logs(&mut self) {
        if !self.source.acts() {
            return;
        }
        self.log.reopen(&self.plan.settings.log);
        self.audit.set_file(self.plan.settings.audit_file.as_deref());
    }

    fn reloaded(&self) -> String {
        let done = "the configuration and the clients are read again";
        match self.wall.as_ref().map_or(GuardStatus::NotNeeded, Wall::status) {
            GuardStatus::Failed { why } => format!("{done}; but the guard can't be built: {why}"),
            GuardStatus::NotNeeded | GuardStatus::Down { .. } | GuardStatus::Up { .. } => done.into(),
        }
    }
}

fn parse_address(text: &str) -> Result<Address, String> {
    text.parse().map(Address::new).map_err(|_| format!("{text} is no address"))
}
