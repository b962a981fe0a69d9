//! What should come of commands.

use std::env;

use super::{WORD, World};
use crate::knockd::address;
use crate::knockd::model::Line;
use crate::knockd::shell;

impl World<'_> {
    /// Runs the commands of a door that opened.
    pub(super) fn run(&mut self, line: &Line, now: i64) {
        let Some(running) = &self.running else { return };
        let (door, name) = (running.doors[line.door].clone(), running.names[line.door].clone());
        let from = address::text(line.from);
        let of_family = |six: &Option<String>, four: &Option<String>| {
            let six = six.clone().filter(|_| line.from.is_ipv6());
            six.or_else(|| four.clone()).map(|command| command.replace("%IP%", &from))
        };
        let start = of_family(&door.start_6, &door.start).filter(|command| !command.is_empty());
        let stop = of_family(&door.stop_6, &door.stop);
        let Some(start) = start else { return };
        let too_long = |command: &String| command.len() >= 4096;
        if too_long(&start) {
            return self.complain("error: parsed start command has been truncated! --> won't execute it");
        }
        if stop.as_ref().is_some_and(too_long) {
            let message = "error: parsed stop command has been truncated! --> won't execute start command";
            return self.complain(message);
        }
        let end = self.command(&name, &start, now);
        let open_for = i64::from(door.open_for);
        if let Some(stop) = stop.filter(|_| open_for < i64::from(i32::MAX)) {
            let message = self.named(format!("{from}: {name}: command timeout"));
            self.out.push(message.clone());
            self.say(message);
            self.command(&name, &stop, end + open_for * 1000);
        }
    }

    /// What commands see of their surroundings.
    fn variables(&self) -> [(&'static str, String); 2] {
        let here = env::current_dir().map(|path| path.display().to_string()).unwrap_or_default();
        let place = if self.trace.is_background() { "/".to_owned() } else { here };
        [("PWD", place), ("WORD", WORD.to_owned())]
    }

    /// Runs a command; when it ends.
    fn command(&mut self, door: &str, command: &str, now: i64) -> i64 {
        let message = format!("{door}: running command: {command}\n");
        self.out.push(message.trim_end().to_owned());
        self.say(message);
        let effect = shell::effect(command, &self.variables());
        let end = now + effect.takes;
        self.ran.extend(effect.ran.into_iter().map(|line| (end, line)));
        // What a daemon says in the background is lost, and so is what its commands say.
        if !self.trace.is_background() {
            self.err.extend(effect.err);
            self.printed.extend(effect.out);
        }
        if let Some(status) = effect.status {
            self.complain(&format!("{door}: command returned non-zero status code ({status})"));
        }
        end
    }

    /// Says something to the log and to standard error.
    fn complain(&mut self, message: &str) {
        self.err.push(message.to_owned());
        self.say(message.to_owned());
    }
}
