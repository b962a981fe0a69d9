//! What a configuration may say, but should not.

mod knockd;

use std::iter;

use knock_spa_engine::rules::Lease;

use crate::config::draft::{ActionDraft, DoorDraft, Draft};
use crate::config::judgement::{
    BEGINNING_HINT, Beginnings, GUESSABLE_HINT, why_guessable, why_readable, why_writable,
};
use crate::config::remark::Remark;
use crate::config::table::{At, Given, Reader};

/// Each weakness of this file, whose permission bits are `mode`, in the order of its lines.
pub(super) fn weaknesses(draft: &Draft, mode: u32, reader: &Reader) -> Vec<Remark> {
    let doors = draft.doors.iter();
    let mut found: Vec<_> = doors
        .flat_map(|door| {
            iter::empty()
                .chain(forever(door, reader))
                .chain(no_stop(door, reader))
                .chain(one_family(door, reader))
                .chain(guessable(door, reader))
        })
        .chain(knockd::weaknesses(&draft.knockd, reader))
        .chain(nobody_trusted(draft, reader))
        .chain(no_doors(draft, reader))
        .chain(readable(draft, mode, reader))
        .chain(writable(mode, reader))
        .chain(shared_beginnings(draft, reader))
        .collect();
    found.sort_by_key(|remark| remark.line);
    found
}

fn forever(At { value: door, .. }: &At<DoorDraft>, reader: &Reader) -> Option<Remark> {
    let at = door.open_for.as_value().filter(|at| at.value == Lease::Forever)?;
    let what = format!("[door.{}] open-for: once open, it stays open until somebody closes it", door.name);
    Some(reader.remark(at.line, what, Some("a short span is enough: established connections stay")))
}

fn no_stop(At { value: door, .. }: &At<DoorDraft>, reader: &Reader) -> Option<Remark> {
    let Given::Value(At { line, value: ActionDraft::Command(Some(commands)) }) = &door.action else {
        return None;
    };
    commands.stop.is_none().then(|| {
        let what = format!("[door.{}] action: no stop command, so that nothing closes it again", door.name);
        reader.remark(*line, what, Some("add stop = the command that undoes start"))
    })
}

fn one_family(At { value: door, .. }: &At<DoorDraft>, reader: &Reader) -> Option<Remark> {
    let Given::Value(At { line, value: ActionDraft::Set(Some(sets)) }) = &door.action else { return None };
    let (key, family) = match (&sets.set4, &sets.set6) {
        (None, _) => ("set4", "IPv4"),
        (_, None) => ("set6", "IPv6"),
        (Some(_), Some(_)) => return None,
    };
    let what =
        format!("[door.{}] action: no {key}, so that requests for {family} addresses are refused", door.name);
    Some(reader.remark(*line, what, None))
}

fn guessable(At { value: door, .. }: &At<DoorDraft>, reader: &Reader) -> Option<Remark> {
    let at = door.knock.sequence.as_value()?;
    let steps: Vec<_> = at.value.iter().map(|step| step.value).collect();
    let why = why_guessable(&steps)?;
    let what = format!("[door.{}] sequence: guessable: {why}", door.name);
    Some(reader.remark(at.line, what, Some(GUESSABLE_HINT)))
}

/// Doors of both kinds share the ports that they are knocked at.
fn shared_beginnings(draft: &Draft, reader: &Reader) -> Vec<Remark> {
    let native = draft.doors.iter().filter_map(|At { value: door, .. }| {
        Some((door.knock.sequence.as_value()?, format!("[door.{}]", door.name), door.name.to_string()))
    });
    let knockd = draft.knockd.doors.iter().filter_map(|At { value: door, .. }| {
        Some((door.knock.sequence.as_value()?, knockd::HEADER.to_owned(), knockd::name(door)))
    });
    let mut doors: Vec<_> = native.chain(knockd).collect();
    doors.sort_by_key(|(at, ..)| at.line);
    let mut beginnings = Beginnings::new();
    let shared = doors.iter().filter_map(|(at, key, name)| {
        let steps: Vec<_> = at.value.iter().map(|step| step.value).collect();
        let (shared, other) = beginnings.add(&steps, name.as_str())?;
        let what = format!("{key} sequence: begins with the same {shared} steps as door {other}'s");
        Some(reader.remark(at.line, what, Some(BEGINNING_HINT)))
    });
    shared.collect()
}

fn nobody_trusted(draft: &Draft, reader: &Reader) -> Option<Remark> {
    if draft.guard.trusted.as_value().is_some_and(|trusted| !trusted.value.is_empty()) {
        return None;
    }
    let is_guarded = |door: &&At<DoorDraft>| {
        let action = door.value.action.as_value().map(|at| &at.value);
        matches!(action, None | Some(ActionDraft::Guard))
    };
    let line = draft.doors.iter().find(is_guarded)?.line;
    let what = "[guard] trusted: nobody, so that with the daemon dead nobody gets in";
    Some(reader.remark(
        line,
        what,
        Some("name a bastion, a VPN or a console network: trusted = [\"192.0.2.0/24\"]"),
    ))
}

fn no_doors(draft: &Draft, reader: &Reader) -> Option<Remark> {
    let hint = "add for example [door.ssh] with ports = [\"tcp/22\"]";
    let has_some =
        !draft.doors.is_empty() || !draft.knockd.doors.is_empty() || !draft.knockd.include.is_absent();
    (!has_some).then(|| reader.remark(1, "no doors: nothing is guarded and nothing opens", Some(hint)))
}

fn readable(draft: &Draft, mode: u32, reader: &Reader) -> Option<Remark> {
    let native = draft.doors.iter().map(|door| &door.value.knock);
    let knockd = draft.knockd.doors.iter().map(|door| &door.value.knock);
    let lines = native.chain(knockd).filter_map(|knock| Some(knock.sequence.as_value()?.line));
    let line = lines.min()?;
    why_readable(mode).map(|(what, hint)| reader.remark(line, what, Some(hint)))
}

fn writable(mode: u32, reader: &Reader) -> Option<Remark> {
    why_writable(mode).map(|(what, hint)| reader.remark(1, what, Some(hint)))
}
