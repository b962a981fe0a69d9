//! What the engine has decided, carried out strictly in order; and how it all ends.

use std::io;
use std::time::Duration;

use knock_spa_engine::admit::effect::{Effect, Outcome, Ticket};
use knock_spa_engine::knockd::Said;
use knock_spa_proto::control::Reply;

use super::{BATCH, Keeper, next_asked};
use crate::io::process::Started;
use crate::io::{clock, notify};
use crate::knockd_log::Line;

/// How long a stop waits for commands: below the 90 s after which systemd kills.
const STOP_PATIENCE: Duration = Duration::from_secs(60);

impl<L: FnMut() -> io::Result<Started>> Keeper<L> {
    /// Carries out what the engine has decided.
    pub(super) fn settle(&mut self) {
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
        if !self.source.acts() {
            return self.rehearse(effect, tickets);
        }
        match effect {
            Effect::Record(ticket, record) => {
                self.store.append(&record);
                tickets.push(ticket);
            }
            Effect::Note(record) => self.store.append(&record),
            Effect::Open(elements) => {
                if self.wall.as_mut().is_some_and(|wall| !wall.open(&elements, &self.plan.settings)) {
                    self.build_wall();
                }
            }
            Effect::Close(elements) => {
                if self.wall.as_mut().is_some_and(|wall| !wall.close(&elements)) {
                    self.build_wall();
                }
            }
            Effect::Fill(entries) => self.sets.fill(&entries),
            Effect::Cut(elements) => self.cut(&elements),
            Effect::Run(job) => self.jobs.push(job),
            Effect::StrikeOut(ticket, knocked) => {
                let struck = self.one_time.strike_out(knocked, &mut self.plan.settings);
                self.numbers.retire(knocked);
                self.sequences_changed = true;
                self.admit.handle_outcome(Outcome::StruckOut(ticket, struck), clock::now());
                if struck.is_ok() && self.plan.settings.knock_mut(knocked).is_none_or(|knock| knock.is_none())
                {
                    let door = self.name_of(knocked).unwrap_or_default();
                    self.admit.say_in_knockds_words(Said::NoMoreSequences { door });
                }
            }
            Effect::Enrol(ticket, enrolment) => self.enrol(ticket, &enrolment),
            Effect::Say(event) => self.say(&event),
        }
    }

    /// Has the listener watch for the sequences that are good now.
    pub(super) async fn renew_sequences(&mut self) {
        if !std::mem::take(&mut self.sequences_changed) {
            return;
        }
        match self.plan.rules() {
            Ok(rules) => self.admit.handle_sequences(rules),
            // Nothing but sequences has changed.
            Err(error) => tracing::error!(event = "sequences-failed", %error),
        }
        self.numbers.assign(&self.plan.settings);
        self.hand_over().await;
        self.settle();
    }

    /// Stops: openings by command are closed, since nobody would close them later; the guard stays, and the kernel
    /// closes what it opened.
    pub(super) async fn wind_up(&mut self) {
        notify::stopping();
        // What was knocked before is opened, told, and closed with the rest.
        for _ in 0..BATCH {
            let Some(heard) = self.listening.hear_waiting() else { break };
            self.handle_one(heard).await;
        }
        self.listening.dismiss().await;
        self.settle();
        self.admit.handle_stop(clock::now());
        self.settle();
        self.log.say(&Line::WaitingForCommands);
        let patience = tokio::time::sleep(STOP_PATIENCE);
        tokio::pin!(patience);
        while !self.jobs.is_empty() || self.admit.failing_closes().0 > 0 {
            if let Err(error) = self.timer.set(self.admit.poll_timeout()) {
                tracing::error!(event = "timer-failed", %error);
            }
            tokio::select! {
                _ = self.timer.expired() => {
                    self.admit.handle_timeout(clock::now());
                    self.settle();
                }
                (job, ended) = self.jobs.ended() => {
                    self.admit.handle_outcome(Outcome::Ran(job, ended), clock::now());
                    self.settle();
                }
                asked = next_asked(&mut self.desk) => {
                    asked.answer(Reply::Failed { why: "the daemon is stopping".into() });
                }
                () = &mut patience => break,
            }
        }
        self.store.end(&self.admit);
        self.log.say(&Line::ShuttingDown);
    }
}
