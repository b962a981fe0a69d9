//! What is weak about a door in knockd's manner, in sentences.

use knock_spa_engine::knockd::{Again, KnockdCommands};
use knock_spa_proto::knock::{ClassicKnock, TimeLimit};
use knock_spa_proto::port::Transport;

use crate::config::import::firewall::{self, Change, Oddity, Verb};
use crate::config::judgement::{Beginnings, why_guessable};
use crate::config::knockd::FileDoor;
use crate::config::table::escape;

/// What was said of the doors so far.
#[derive(Debug)]
pub(super) struct Advice {
    names: Vec<String>,
    beginnings: Beginnings<usize>,
}

impl Advice {
    /// Nothing yet.
    pub(super) const fn new() -> Self {
        Self { names: Vec::new(), beginnings: Beginnings::new() }
    }

    /// Sentences about the next door of the file, the first of which names it.
    pub(super) fn of(&mut self, door: &FileDoor) -> Vec<String> {
        let name = escape(&door.door.name);
        let mut remarks = vec![format!("[{name}], line {}.", door.line)];
        if plain_name(&door.door.name) != door.door.name {
            remarks.push("Its name had control characters, which forge lines of a log.".into());
        }
        match &door.door.knock {
            None => remarks
                .push("Left out: its Target is not an address, with which knockd never opens a door.".into()),
            Some(knock) => {
                if door.one_time.as_ref().is_none_or(|from| from.begins_elsewhere) {
                    remarks.extend(self.of_sequence(knock, door));
                }
                remarks.extend(of_knock(knock));
                remarks.extend(of_commands(&door.door.commands));
            }
        }
        if door.spa.is_some() && !runs(&door.door.commands) {
            remarks.push("Its SPA is left out: there is nothing that a client could have run.".into());
        }
        self.names.push(name);
        remarks
    }

    fn of_sequence(&mut self, knock: &ClassicKnock, door: &FileDoor) -> Vec<String> {
        let mut remarks = Vec::new();
        if let Some(why) = why_guessable(knock.sequence.steps()) {
            remarks.push(format!("Guessable: {why}."));
        }
        if let Some((steps, other)) = self.beginnings.add(knock.sequence.steps(), self.names.len()) {
            let other = self.names.get(other).map(String::as_str).unwrap_or_default();
            let whole = if steps == knock.sequence.steps().len() { ", all it has" } else { "" };
            remarks.push(format!(
                "Begins with {steps} steps of [{other}]{whole}: whoever sees one knock knows of the other."
            ));
        }
        if door.one_time.is_some() {
            remarks
                .push("Its first sequence is not struck out, and so is good again after a restart.".into());
        }
        remarks
    }
}

/// Whether a knock from an IPv4 address, and so a client, has anything run.
pub(super) fn runs(commands: &KnockdCommands) -> bool {
    is_something(&commands.start)
}

fn is_something(line: &Option<String>) -> bool {
    line.as_ref().is_some_and(|line| !line.is_empty())
}

/// The name without control characters.
pub(super) fn plain_name(name: &str) -> String {
    name.chars().map(|character| if character.is_control() { '?' } else { character }).collect()
}

fn of_knock(knock: &ClassicKnock) -> Vec<String> {
    let mut remarks = Vec::new();
    let steps = knock.sequence.steps();
    let has_tcp = steps.iter().any(|step| step.transport == Transport::Tcp);
    if has_tcp && knock.flags.required() == 0 {
        remarks.push(
            "Every TCP segment counts, so that a port where something answers is hit twice: tcp-flags = [\"syn\"]."
                .into(),
        );
    }
    if steps.len() > 1 && knock.within == TimeLimit::WholeSeconds(0) {
        remarks.push("Nothing opens it: its Seq_Timeout leaves no time for a second step.".into());
    }
    remarks
}

fn of_commands(commands: &KnockdCommands) -> Vec<String> {
    let start = [&commands.start, &commands.start6].into_iter().find(|line| is_something(line));
    let Some(start) = start.and_then(Option::as_ref) else {
        return vec!["It runs nothing: there is no Start_Command.".into()];
    };
    let change = firewall::change(start);
    let mut remarks: Vec<_> = of_closing(commands, &change).into_iter().collect();
    remarks.extend(of_change(commands, &change));
    remarks
}

fn of_closing(commands: &KnockdCommands, change: &Change) -> Option<String> {
    let stop = commands.stop.as_ref().or(commands.stop6.as_ref());
    match (change.verb, stop, commands.stop_after) {
        (Some(Verb::Delete), ..) => Some(
            "It closes what another door opens. A door that closes by itself needs no second sequence.".into(),
        ),
        (_, None, _) => Some("It never closes: there is no Stop_Command.".into()),
        (_, Some(_), None) => Some("It never closes: its Cmd_Timeout is negative.".into()),
        (_, Some(_), Some(_)) if commands.again == Again::Start => Some(
            "Knocked again while it is open, it closes when the first knock's time is over: again = \"extend\"."
                .into(),
        ),
        (_, Some(_), Some(_)) => None,
    }
}

fn of_change(commands: &KnockdCommands, change: &Change) -> impl Iterator<Item = String> {
    let has = |oddity| change.oddities.contains(&oddity);
    let found = [
        (
            change.verb == Some(Verb::Append),
            "It puts its rule behind those that are there: where one of them drops or rejects first, it opens \
             nothing; -I puts it before them.",
        ),
        (
            has(Oddity::AllPorts) && change.verb != Some(Verb::Delete),
            "Its rule names no port, and so opens all of them.",
        ),
        (has(Oddity::NoProtocol), "iptables refuses --dport without -p tcp or -p udp: this command fails."),
        (has(Oddity::KnockAdd), "Debian has no knock_add: its knock_helper_ipt.sh takes these options."),
        (
            has(Oddity::Ipv4) && commands.start6.is_none(),
            "For an IPv6 address iptables fails: start6 and stop6 with ip6tables.",
        ),
    ];
    found.into_iter().filter(|(applies, _)| *applies).map(|(_, remark)| remark.to_owned())
}
