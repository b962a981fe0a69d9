//! What is weak about `[[knockd.door]]`.

use crate::config::draft::{KnockdCommandsDraft, KnockdDoorDraft, KnockdDraft};
use crate::config::judgement::{GUESSABLE_HINT, why_guessable};
use crate::config::remark::Remark;
use crate::config::table::{At, Reader, escape};

/// The doors, as people would call them.
pub(super) const HEADER: &str = "[[knockd.door]]";

/// The door's name, for a message.
pub(super) fn name(door: &KnockdDoorDraft) -> String {
    door.name.as_value().map(|at| escape(&at.value)).unwrap_or_default()
}

pub(super) fn weaknesses(draft: &KnockdDraft, reader: &Reader) -> Vec<Remark> {
    let doors = draft.doors.iter();
    let found = doors.flat_map(|At { line, value: door }| {
        let remarks = [guessable(door), no_time(door), nothing_runs(*line, door), stays_open(*line, door)];
        remarks.into_iter().flatten()
    });
    found.map(|(line, what, hint)| reader.remark(line, format!("{HEADER} {what}"), Some(hint))).collect()
}

/// A line, what is weak there, and what helps.
type Weakness = (usize, String, &'static str);

fn guessable(door: &KnockdDoorDraft) -> Option<Weakness> {
    let at = door.knock.sequence.as_value()?;
    let steps: Vec<_> = at.value.iter().map(|step| step.value).collect();
    let why = why_guessable(&steps)?;
    Some((at.line, format!("sequence: guessable: {why}"), GUESSABLE_HINT))
}

fn no_time(door: &KnockdDoorDraft) -> Option<Weakness> {
    let at = door.sequence_seconds.as_value().filter(|at| at.value == 0)?;
    let has_several = door.knock.sequence.as_value().is_none_or(|at| at.value.len() > 1);
    let what = format!("sequence-seconds: no time for a second step: nothing opens door {}", name(door));
    has_several.then_some((at.line, what, "25 is what knockd has where nobody says"))
}

fn nothing_runs(line: usize, door: &KnockdDoorDraft) -> Option<Weakness> {
    (!door.commands.run_something()).then(|| {
        let what = format!("start: none, so that door {} runs nothing, not even stop", name(door));
        (line, what, "add start = the command that opens")
    })
}

fn stays_open(line: usize, door: &KnockdDoorDraft) -> Option<Weakness> {
    if !door.commands.run_something() {
        return None;
    }
    let KnockdCommandsDraft { stop, stop_after, .. } = &door.commands;
    if stop.is_absent() {
        let what = format!("stop: none, so that nothing undoes what door {} does", name(door));
        return Some((line, what, "add stop = the command that undoes start, and stop-after"));
    }
    let at = stop_after.as_value().filter(|at| at.value.is_none())?;
    let what = format!("stop-after: never, so that nothing undoes what door {} does", name(door));
    Some((at.line, what, "a short span is enough: established connections can stay"))
}
