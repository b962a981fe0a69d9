//! A dry run: everything but acting. What is decided is told, and taken to have gone well.

use std::io;
use std::time::Duration;

use knock_spa_engine::admit::effect::{Effect, Ended, Outcome, Ticket};
use knock_spa_engine::command::Rendered;

use super::Keeper;
use crate::io::clock;
use crate::io::process::Started;

impl<L: FnMut() -> io::Result<Started>> Keeper<L> {
    /// Says at the beginning what a dry run is.
    pub(super) fn tell_rehearsal(&self) {
        if !self.source.acts() {
            tracing::warn!(
                event = "dry-run",
                "nothing is opened, run or written; what packets and knocks use up is used up in memory alone: a \
                 daemon beside this one takes them too, and one that starts later may take them again"
            );
        }
    }

    /// Tells what would be done.
    pub(super) fn rehearse(&mut self, effect: Effect, tickets: &mut Vec<Ticket>) {
        match effect {
            Effect::Record(ticket, _) => tickets.push(ticket),
            Effect::Note(_) => {}
            Effect::Open(elements) => {
                for (element, left) in elements {
                    let (address, port) = (element.address, element.port);
                    let span = words_for(left);
                    tracing::info!(event = "would-open", %address, %port, span);
                }
            }
            Effect::Close(elements) => {
                for element in elements {
                    tracing::info!(event = "would-close", address = %element.address, port = %element.port);
                }
            }
            Effect::Fill(entries) => {
                for entry in entries {
                    let (set, address) = (entry.set, entry.address);
                    let spans = entry.open.iter().map(|(port, left)| format!("{port} {}", words_for(*left)));
                    let open = spans.collect::<Vec<_>>().join(", ");
                    tracing::info!(event = "would-fill", %set, %address, open);
                }
            }
            Effect::Cut(elements) => {
                for element in elements {
                    tracing::info!(event = "would-cut", address = %element.address, port = %element.port);
                }
            }
            Effect::Run(job) => {
                let command = words(&job.command);
                tracing::info!(event = "would-run", door = job.door, command);
                self.admit.handle_outcome(Outcome::Ran(job.id, Ended::Status(0)), clock::now());
            }
            Effect::StrikeOut(ticket, knocked) => {
                let door = self.name_of(knocked).unwrap_or_default();
                tracing::info!(event = "would-strike-out", door);
                self.admit.handle_outcome(Outcome::StruckOut(ticket, Ok(())), clock::now());
            }
            Effect::Enrol(ticket, enrolment) => {
                let client = enrolment.client.name.as_str();
                tracing::info!(event = "would-enrol", client, fingerprint = %enrolment.client.key.fingerprint());
                self.plan.take_in(&enrolment);
                self.admit.handle_outcome(Outcome::Enrolled(ticket, Ok(())), clock::now());
            }
            Effect::Say(event) => self.say(&event),
        }
    }
}

/// How long is left: a part of a second counts as a whole.
fn words_for(left: Option<Duration>) -> String {
    left.map_or_else(|| "forever".into(), |left| format!("{}s", left.as_millis().div_ceil(1000)))
}

/// A command, its words as a shell would take them.
fn words(command: &Rendered) -> String {
    let quoted = command.argv.iter().map(|word| {
        let is_plain = |c: char| c.is_ascii_alphanumeric() || "-_./:=,+@%".contains(c);
        if !word.is_empty() && word.chars().all(is_plain) {
            word.clone()
        } else {
            format!("'{}'", word.replace('\'', "'\\''"))
        }
    });
    quoted.collect::<Vec<_>>().join(" ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn commands_are_told_as_they_could_be_typed() {
        let argv = ["/bin/sh", "-c", "echo it's", "", "192.0.2.7"].map(Into::into).into();
        let command = Rendered { argv, environment: Vec::new() };
        assert_eq!(words(&command), "/bin/sh -c 'echo it'\\''s' '' 192.0.2.7");
    }
}
