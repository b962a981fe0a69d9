//! What only a whole door, or the whole file, can tell: faults and weaknesses.

use std::collections::BTreeMap;

use knock_spa_proto::knock::Step;
use knock_spa_proto::port::{ServicePort, Transport};
use knock_spa_proto::service::ServiceName;

use crate::config::judgement::{
    BEGINNING_HINT, Beginnings, GUESSABLE_HINT, why_guessable, why_readable, why_writable,
};
use crate::config::knockd::complaints::{Complaints, Wording};
use crate::config::knockd::door::{DoorDraft, SequenceDraft};
use crate::config::knockd::keys::DoorKey;
use crate::config::knockd::sequence::NotASequence;
use crate::config::knockd::target::Target;
use crate::config::settings::Listen;
use crate::config::table::{At, escape};

/// Notes what is wrong or weak in the doors of a file, whose permission bits are `mode`. Faults come in the order in
/// which knockd meets them: those of its packet filter last.
pub(super) fn judge(doors: &[DoorDraft], mode: u32, complaints: &mut Complaints) {
    for door in doors {
        has_sequence(door, complaints);
    }
    for door in doors {
        has_target(door, complaints);
    }
    spa_doors_are_told_apart(doors, complaints);
    spares_spa_port(doors, complaints);
    for door in doors {
        sequence_is_weak(door, complaints);
        time_is_weak(door, complaints);
        commands_are_weak(door, complaints);
    }
    names_are_told_apart(doors, complaints);
    beginnings_are_shared(doors, complaints);
    file_is_weak(doors, mode, complaints);
}

fn has_sequence(door: &DoorDraft, complaints: &mut Complaints) {
    if matches!(door.sequence, SequenceDraft::Unset) {
        let wording = Wording::Empty(door.name.clone());
        let hint = if door.name.eq_ignore_ascii_case("options") {
            "the section for settings is [options], in lower case; this is a door"
        } else {
            "add Sequence = PORT,PORT,PORT or One_Time_Sequences = FILE"
        };
        let what = format!("section '{}' has an empty knock sequence", escape(&door.name));
        complaints.fault(door.line, &wording, what, hint);
    }
}

fn has_target(door: &DoorDraft, complaints: &mut Complaints) {
    let line = door.line_of(DoorKey::Target);
    let place = door.place(DoorKey::Target);
    match &door.target {
        Target::Own | Target::Address(_) => {}
        Target::Name(name) => {
            let what = format!("{place}: \"{}\" is no address, and so this door never opens", escape(name));
            complaints.warn(line, what, Some("write the address: a name is never looked up"));
        }
        Target::Nothing { text, words } => {
            let what = format!("{place}: \"{}\" is neither an address nor a name", escape(text));
            let hint = "an address like 192.0.2.1; leave it out for those of this machine";
            complaints.fault(line, &Wording::Filter(words.clone()), what, hint);
        }
    }
}

fn spa_doors_are_told_apart(doors: &[DoorDraft], complaints: &mut Complaints) {
    let mut names: BTreeMap<ServiceName, usize> = BTreeMap::new();
    let mut ports: BTreeMap<ServicePort, usize> = BTreeMap::new();
    for (door, At { line, value: spa }) in doors.iter().filter_map(|door| Some((door, door.spa.as_ref()?))) {
        let mut fault = |what: &str, earlier: usize, hint| {
            let what = format!("{}: {what} is taken already, in line {earlier}", door.place(DoorKey::Spa));
            complaints.fault(*line, &Wording::Syntax, what, hint);
        };
        if let Some(earlier) = names.insert(spa.name, *line) {
            fault(&format!("the name {}", spa.name), earlier, "a name belongs to one door");
        }
        for port in &spa.ports {
            if let Some(earlier) = ports.insert(*port, *line) {
                fault(&port.to_string(), earlier, "a port belongs to one door");
            }
        }
    }
}

/// Whatever arrives at the SPA port is taken for a packet: nothing else can live there.
fn spares_spa_port(doors: &[DoorDraft], complaints: &mut Complaints) {
    if doors.iter().all(|door| door.spa.is_none()) {
        return;
    }
    let spa_port = Listen::DEFAULT_SPA_PORT.get();
    let is_ours = |transport, port| transport == Transport::Udp && port == spa_port;
    for door in doors {
        let in_sequence = match &door.sequence {
            SequenceDraft::Steps(At { line, value }) => {
                let found = value.steps().iter().any(|step| is_ours(step.transport, step.port));
                found.then_some((*line, door.place(DoorKey::Sequence)))
            }
            SequenceDraft::Unset | SequenceDraft::Faulty | SequenceDraft::Exhausted => None,
        };
        let in_spa = door.spa.as_ref().and_then(|At { line, value }| {
            let found = value.ports.iter().any(|port| is_ours(port.transport, port.port.get()));
            found.then(|| (*line, door.place(DoorKey::Spa)))
        });
        for (line, place) in in_sequence.into_iter().chain(in_spa) {
            let wording = Wording::Sequence(door.name.clone(), NotASequence::Port(spa_port.to_string()));
            let what =
                format!("{place}: udp/{spa_port} is where the packets of clients with keys are received");
            complaints.fault(line, &wording, what, "choose another port");
        }
    }
}

/// The steps of a door and where they were given.
fn steps(door: &DoorDraft) -> Option<(usize, &[Step])> {
    match &door.sequence {
        SequenceDraft::Steps(At { line, value }) => Some((*line, value.steps())),
        SequenceDraft::Unset | SequenceDraft::Faulty | SequenceDraft::Exhausted => None,
    }
}

fn sequence_is_weak(door: &DoorDraft, complaints: &mut Complaints) {
    let Some((line, steps)) = steps(door) else { return };
    if let Some(why) = why_guessable(steps) {
        let what = format!("{}: guessable: {why}", door.place(DoorKey::Sequence));
        complaints.warn(line, what, Some(GUESSABLE_HINT));
    }
}

fn time_is_weak(door: &DoorDraft, complaints: &mut Complaints) {
    if door.seq_timeout <= 0 {
        let what =
            format!("{}: no time at all: only one port can be knocked at", door.place(DoorKey::SeqTimeout));
        complaints.warn(door.line_of(DoorKey::SeqTimeout), what, Some("some seconds, as in Seq_Timeout = 5"));
    }
    let has_stop = door.commands.stop.is_some() || door.commands.stop6.is_some();
    if has_stop && door.cmd_timeout < 0 {
        let what =
            format!("{}: negative, so that the stop command never runs", door.place(DoorKey::CmdTimeout));
        complaints.warn(
            door.line_of(DoorKey::CmdTimeout),
            what,
            Some("some seconds, as in Cmd_Timeout = 10"),
        );
    }
}

fn commands_are_weak(door: &DoorDraft, complaints: &mut Complaints) {
    let commands = &door.commands;
    let starts = [
        (DoorKey::StartCommand, commands.start.as_deref().unwrap_or_default(), &commands.stop),
        (DoorKey::StartCommand6, commands.start6.as_deref().unwrap_or_default(), &commands.stop6),
    ];
    if starts.iter().all(|(_, start, _)| start.is_empty()) {
        let line = door.line_of(DoorKey::StartCommand);
        let what = format!("{}: none, so that nothing runs", door.place(DoorKey::StartCommand));
        complaints.warn(line, what, Some("add the command that opens"));
    }
    for (key, start, stop) in starts.into_iter().filter(|(_, start, _)| !start.is_empty()) {
        let (line, place) = (door.line_of(key), door.place(key));
        if stop.is_none() && commands.stop.is_none() && !undoes(start) {
            let what = format!("{place}: no stop command undoes it");
            complaints.warn(line, what, Some("add Stop_Command, unless another door closes again"));
        }
        if let Some(chain) = appends_to(start) {
            let what =
                format!("{place}: -A {chain} appends a rule, which does nothing behind one that drops");
            complaints.warn(line, what, Some(&format!("-I {chain} puts it first")));
        }
    }
}

/// Whether a command looks like one that closes.
fn undoes(command: &str) -> bool {
    command.split_whitespace().any(|word| matches!(word, "-D" | "--delete" | "delete" | "del" | "remove"))
}

/// The chain of the kernel's own that the command appends a rule to with iptables.
fn appends_to(command: &str) -> Option<&str> {
    command.split([';', '&', '|']).find_map(|part| {
        let mut words = part.split_whitespace();
        words.find(|word| {
            let program = word.rsplit('/').next().unwrap_or_default();
            program.starts_with("iptables") || program.starts_with("ip6tables")
        })?;
        words.find(|word| matches!(*word, "-A" | "--append"))?;
        words.next().filter(|chain| matches!(*chain, "INPUT" | "FORWARD" | "OUTPUT"))
    })
}

fn names_are_told_apart(doors: &[DoorDraft], complaints: &mut Complaints) {
    let mut names = BTreeMap::new();
    for door in doors {
        if let Some(earlier) = names.insert(door.name.as_str(), door.line) {
            let what = format!("[{}]: another door has this name, in line {earlier}", escape(&door.name));
            complaints.warn(door.line, what, Some("they are two doors; logs do not tell them apart"));
        }
        if door.name.trim().eq_ignore_ascii_case("options") {
            let what =
                format!("[{}]: this is a door; the section for settings is [options]", escape(&door.name));
            complaints.warn(door.line, what, None);
        }
    }
}

fn beginnings_are_shared(doors: &[DoorDraft], complaints: &mut Complaints) {
    let mut beginnings = Beginnings::new();
    for door in doors {
        let Some((line, steps)) = steps(door) else { continue };
        let Some((shared, other)) = beginnings.add(steps, &door.name) else { continue };
        let what = format!(
            "{}: begins with the same {shared} steps as door {}'s",
            door.place(DoorKey::Sequence),
            escape(other)
        );
        complaints.warn(line, what, Some(BEGINNING_HINT));
    }
}

fn file_is_weak(doors: &[DoorDraft], mode: u32, complaints: &mut Complaints) {
    if doors.is_empty() {
        complaints.warn(1, "no doors: nothing opens", Some("a door is a section: [NAME] and its directives"));
    }
    if let Some((what, hint)) = why_writable(mode) {
        complaints.warn(1, what, Some(hint));
    }
    let first = doors.iter().find_map(steps);
    if let Some(((line, _), (what, hint))) = first.zip(why_readable(mode)) {
        complaints.warn(line, what, Some(hint));
    }
}
