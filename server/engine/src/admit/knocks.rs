//! What a classic knock does: open a door as anybody's request does, or run commands in knockd's manner.

use alloc::string::String;

use knock_spa_proto::address::Address;
use knock_spa_proto::knock::{ClassicKnock, Uses};
use knock_spa_proto::refusal::Refusal;
use knock_spa_proto::service::ServiceName;
use knock_spa_proto::time::{BootTime, Now};

use super::effect::{Effect, Ended, Event, Next, Ticket, Unwritten};
use super::opening::{Opening, Origin};
use super::record::Record;
use super::runs::{RunId, Step};
use super::{Admit, Awaited};
use crate::knockd::{KnockdDoor, Nothing, Said};
use crate::rules::Knockable;

impl Admit {
    /// Opens what was knocked for. A sequence that is good once only is struck out first.
    pub fn handle_knock(&mut self, knocked: Knockable, from: Address, now: Now) {
        let Some(uses) = self.knock_of(knocked).map(|knock| knock.uses) else { return };
        if !self.may_knock(knocked, from) {
            return self.refuse(Refusal::Unauthorised, from, None, now);
        }
        match uses {
            Uses::Any => self.open_knocked(knocked, from, now),
            Uses::Once if self.spent.insert(knocked) => {
                let ticket = self.await_for(Awaited::StrikeOut(knocked, from));
                self.effects.push_back(Effect::StrikeOut(ticket, knocked));
            }
            Uses::Once => {}
        }
    }

    fn knock_of(&self, knocked: Knockable) -> Option<&ClassicKnock> {
        match knocked {
            Knockable::Door(name) => self.rules.door(name)?.classic.as_ref(),
            Knockable::Knockd(place) => self.rules.knockd_doors().get(place)?.knock.as_ref(),
        }
    }

    /// knockd takes this machine's own addresses for a source like any other, and who tries a door from the machine
    /// itself counts on it; but an address that nobody has may mean "everybody" to the command that gets it.
    fn may_knock(&self, knocked: Knockable, from: Address) -> bool {
        match knocked {
            Knockable::Door(name) => {
                let opens = self.rules.door(name).is_some_and(|door| door.action.opens_for(from));
                opens && self.circumstances(from).is_stranger(from)
            }
            Knockable::Knockd(_) => from.is_remote_host() || from.ip().is_loopback(),
        }
    }

    pub(super) fn handle_struck_out(&mut self, ticket: Ticket, result: Result<(), Unwritten>, now: Now) {
        let Some(Awaited::StrikeOut(knocked, from)) = self.awaited.remove(&ticket) else { return };
        if result.is_ok() {
            return self.open_knocked(knocked, from, now);
        }
        self.spent.remove(&knocked);
        let door = match knocked {
            Knockable::Door(name) => name.as_str().into(),
            Knockable::Knockd(place) => {
                self.knockd_door(place).map(|door| door.name.clone()).unwrap_or_default()
            }
        };
        self.effects.push_back(Effect::Say(Event::NotStruckOut { door }));
    }

    fn open_knocked(&mut self, knocked: Knockable, from: Address, now: Now) {
        let refused = match knocked {
            Knockable::Door(name) => self.open_door(name, from, now),
            Knockable::Knockd(place) => self.run_door(place, from, now),
        };
        if let Err(refusal) = refused {
            self.refuse(refusal, from, None, now);
        }
    }

    fn open_door(&mut self, name: ServiceName, from: Address, now: Now) -> Result<(), Refusal> {
        let Some(door) = self.rules.door(name) else { return Ok(()) };
        let wanted = Opening::asked(door, &door.ports, from, &Origin::Classic, door.open_for, now);
        self.begin(None, [wanted.ok_or(Refusal::Unauthorised)?].into())
    }

    fn knockd_door(&self, place: usize) -> Option<&KnockdDoor> {
        self.rules.knockd_doors().get(place)
    }

    fn run_door(&mut self, place: usize, from: Address, now: Now) -> Result<(), Refusal> {
        let Some(door) = self.knockd_door(place) else { return Ok(()) };
        let (name, again) = (door.name.clone(), door.commands.again);
        let pair = door.commands.for_address(from);
        let open_sesame = Said::OpenSesame { door: name.clone(), from };
        let pair = match pair {
            Ok(pair) => pair,
            Err(nothing) => {
                self.say_in_knockds_words(open_sesame);
                self.say_why_nothing(nothing);
                return Ok(());
            }
        };
        let step = self.runs.begin(&name, from, pair, again, now).map_err(|_| Refusal::NoRoom)?;
        self.say_in_knockds_words(open_sesame);
        step.into_iter().for_each(|step| self.push_run_step(step));
        Ok(())
    }

    fn say_why_nothing(&mut self, nothing: Nothing) {
        match nothing {
            Nothing::NoStart => {}
            Nothing::StartTooLong => self.say_in_knockds_words(Said::StartTooLong),
            Nothing::StopTooLong => self.say_in_knockds_words(Said::StopTooLong),
        }
    }

    /// Tells of something in knockd's words, after everything that was decided before.
    pub fn say_in_knockds_words(&mut self, said: Said) {
        self.effects.push_back(Effect::Say(Event::Knockd(said)));
    }

    fn push_run_step(&mut self, step: Step) {
        match step {
            Step::Run(job) => {
                let command = job.command.argv.last().cloned().unwrap_or_else(String::new);
                self.say_in_knockds_words(Said::Running { door: job.door.clone(), command });
                self.effects.push_back(Effect::Run(job));
            }
            Step::Say(said) => self.say_in_knockds_words(said),
            Step::RecordBegun(run) => {
                let id = run.id;
                self.record(Record::RunBegun(run), Awaited::Run(id));
            }
            Step::NoteOpen(id, until, is_sure) => {
                self.effects.push_back(Effect::Note(Record::RunOpen(id, until, is_sure)));
            }
            Step::RecordClosing(id) => self.record(Record::RunClosing(id), Awaited::Run(id)),
            Step::RecordClosed(id) => self.record(Record::RunClosed(id), Awaited::Nothing),
            Step::StopFailed(door, ended, wait) => {
                let next = Next::RetryIn(wait);
                self.effects.push_back(Effect::Say(Event::StopFailed { door, ended, next }));
            }
        }
    }

    pub(super) fn go_on_with_run(&mut self, id: RunId) {
        if let Some(step) = self.runs.handle_recorded(id) {
            self.push_run_step(step);
        }
    }

    pub(super) fn handle_run_ended(&mut self, job: u64, ended: Ended, now: Now) {
        let steps = self.runs.handle_ended(job, ended, now);
        steps.into_iter().flatten().for_each(|step| self.push_run_step(step));
    }

    pub(super) fn time_runs(&mut self, now: BootTime) {
        while let Some(steps) = self.runs.handle_timeout(now) {
            steps.into_iter().flatten().for_each(|step| self.push_run_step(step));
        }
    }

    pub(super) fn stop_runs(&mut self) {
        let steps = self.runs.handle_stop();
        steps.into_iter().for_each(|step| self.push_run_step(step));
    }
}
