//! What the administrator asks of the keeper while it runs.

use std::io;
use std::time::Duration;

use knock_spa_engine::admit::effect::Flows;
use knock_spa_proto::address::Address;
use knock_spa_proto::control::{Command, GuardStatus, Reply};

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
            Command::Close { door, address, cut } => self.close(door, address.as_deref(), *cut),
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

    fn close(&mut self, door: &str, address: Option<&str>, cut: bool) -> Result<String, String> {
        let name = door.parse().map_err(|error| format!("{door}: {error}"))?;
        let Some(name) = self.admit.rules().door_called(name).map(|door| door.name) else {
            return Err(format!("no door is named {name}"));
        };
        let address = match address {
            Some(text) => Some(Address::new(text.parse().map_err(|_| format!("{text} is no address"))?)),
            None => None,
        };
        let flows = if cut { Flows::Cut } else { Flows::LiveOn };
        drop(self.take_cut());
        let count = self.admit.handle_close(name, address, flows, clock::now());
        self.settle();
        let closed = format!("{name}: {count} {} closed", if count == 1 { "opening" } else { "openings" });
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
            if self.desk.is_none() && plan.takes_packets() {
                tracing::warn!(event = "restart-needed", "packets are accepted after the next start");
                plan.refuse_packets();
            }
            Ok((plan.rules()?, plan))
        });
        let outcome = match loaded {
            Ok((rules, plan)) => {
                plan.warn_of_fixed(&self.plan);
                self.plan = plan;
                self.log.reopen(&self.plan.settings.log);
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
                self.log.reopen(&self.plan.settings.log);
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

    fn reloaded(&self) -> String {
        let done = "the configuration and the clients are read again";
        match self.wall.as_ref().map_or(GuardStatus::NotNeeded, Wall::status) {
            GuardStatus::Failed { why } => format!("{done}; but the guard can't be built: {why}"),
            GuardStatus::NotNeeded | GuardStatus::Down { .. } | GuardStatus::Up { .. } => done.into(),
        }
    }
}
