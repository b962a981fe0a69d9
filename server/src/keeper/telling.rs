//! What the keeper tells: the administrator, and whoever reads knockd's log.

use std::io;
use std::path::PathBuf;

use knock_spa_engine::admit::effect::Event;
use knock_spa_engine::knockd::Said;
use knock_spa_engine::rules::Knockable;
use knock_spa_proto::knock::DoorNumber;

use super::{Keeper, LoadError, Source};
use crate::io::clock;
use crate::io::process::Started;
use crate::knockd_log::{Line, notice};

impl<L: FnMut() -> io::Result<Started>> Keeper<L> {
    /// Tells the administrator, and whoever reads knockd's log: as knockd, that is where the administrator looks.
    pub(super) fn say(&mut self, event: &Event) {
        if let (Source::Knockd(_), Some(text)) = (&self.source, notice(event)) {
            self.log.say(&Line::Notice(&text));
        }
        if let Event::Knockd(said) = event {
            self.log.say(&Line::Said(said));
            if matches!(self.source, Source::Knockd(_)) {
                return;
            }
        }
        self.audit.say(event, clock::now().boot);
    }

    /// Tells that everything is there, and that a pid file is not.
    pub(super) fn tell_begun(&mut self, no_pid_file: Option<&(PathBuf, io::Error)>) {
        let Source::Knockd(as_knockd) = &self.source else { return };
        if let Some((file, error)) = no_pid_file {
            self.log.say(&Line::PidFileFailed { file, error });
        }
        self.log.say(&Line::StartingUp { interface: &as_knockd.interface });
    }

    /// Tells that a configuration is wrong, in a log that is there also for a daemon in the background.
    pub(super) fn tell_not_reloaded(&mut self, error: &LoadError) {
        if matches!(self.source, Source::Knockd(_)) {
            let text = error.to_string();
            let first = text.lines().next().unwrap_or_default();
            self.log.say(&Line::Notice(&format!("the old configuration stays in force: {first}")));
        }
    }

    /// Tells of a step of a sequence, where the door has a name that its log's readers know.
    pub(super) fn tell(&mut self, door: DoorNumber, said: impl FnOnce(String) -> Said) {
        let Some(name) = self.numbers.door(door).and_then(|knocked| self.name_of(knocked)) else { return };
        if !self.pace.allows(clock::now().boot) {
            return;
        }
        // In the order of what it comes between.
        self.admit.say_in_knockds_words(said(name));
    }

    pub(super) fn name_of(&self, knocked: Knockable) -> Option<String> {
        match knocked {
            Knockable::Door(name) => Some(name.to_string()),
            Knockable::Knockd(place) => Some(self.plan.settings.knockd_doors.get(place)?.name.clone()),
        }
    }
}
