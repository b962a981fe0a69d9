//! What a configuration may say, but should not.

use std::iter;

use knock_spa_engine::rules::Lease;
use knock_spa_proto::knock::Step;

use crate::config::draft::{ActionDraft, DoorDraft, Draft};
use crate::config::remark::Remark;
use crate::config::table::{At, Given, Reader};

/// With fewer steps, somebody who tries ports at random soon hits them all.
const FEW_STEPS: usize = 3;

/// Each weakness of this file, whose permission bits are `mode`, in the order of its lines.
pub(super) fn weaknesses(draft: &Draft, mode: u32, reader: &Reader) -> Vec<Remark> {
    let doors = draft.doors.iter();
    let mut found: Vec<_> = doors
        .flat_map(|door| {
            iter::empty()
                .chain(forever(door, reader))
                .chain(no_stop(door, reader))
                .chain(guessable(door, reader))
        })
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

fn guessable(At { value: door, .. }: &At<DoorDraft>, reader: &Reader) -> Option<Remark> {
    let at = door.sequence.as_value()?;
    let steps: Vec<_> = at.value.iter().map(|step| step.value).collect();
    let why = why_guessable(&steps)?;
    let what = format!("[door.{}] sequence: guessable: {why}", door.name);
    Some(reader.remark(at.line, what, Some("take four or more ports in no order, none of them twice")))
}

fn why_guessable(steps: &[Step]) -> Option<&'static str> {
    let ports: Vec<_> = steps.iter().map(|step| step.port).collect();
    let repeated = |(i, step)| steps.iter().take(i).any(|earlier| earlier == step);
    if steps.len() < FEW_STEPS {
        Some("it has fewer than 3 steps")
    } else if steps.iter().enumerate().any(repeated) {
        Some("a port stands in it twice")
    } else if ports.is_sorted() {
        Some("its ports ascend, as in a scan")
    } else {
        None
    }
}

/// Who sees the knock for one door knows the beginning of the other's.
fn shared_beginnings<'draft>(draft: &'draft Draft, reader: &'draft Reader) -> impl Iterator<Item = Remark> {
    let sequences: Vec<_> = draft
        .doors
        .iter()
        .filter_map(|door| Some((door.value.name, door.value.sequence.as_value()?)))
        .collect();
    let pairs = sequences.clone().into_iter().enumerate().flat_map(move |(i, later)| {
        let earlier: Vec<_> = sequences.iter().copied().take(i).collect();
        earlier.into_iter().map(move |earlier| (earlier, later))
    });
    pairs.filter_map(|((door, one), (name, other))| {
        let shared =
            one.value.iter().zip(&other.value).take_while(|(one, other)| one.value == other.value).count();
        (shared > 0).then(|| {
            let what =
                format!("[door.{name}] sequence: begins with the same {shared} steps as door {door}'s");
            reader.remark(other.line, what, Some("let sequences differ from the first step on"))
        })
    })
}

fn nobody_trusted(draft: &Draft, reader: &Reader) -> Option<Remark> {
    if draft.guard.trusted.as_value().is_some_and(|trusted| !trusted.value.is_empty()) {
        return None;
    }
    let is_guarded = |door: &&At<DoorDraft>| {
        !matches!(door.value.action, Given::Value(At { value: ActionDraft::Command(_), .. }))
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
    draft
        .doors
        .is_empty()
        .then(|| reader.remark(1, "no doors: nothing is guarded and nothing opens", Some(hint)))
}

fn readable(draft: &Draft, mode: u32, reader: &Reader) -> Option<Remark> {
    let at = draft.doors.iter().find_map(|door| door.value.sequence.as_value())?;
    let what = "everybody on this host can read this file, and it holds a sequence";
    (mode & 0o004 != 0).then(|| reader.remark(at.line, what, Some("chmod 640 or 600")))
}

fn writable(mode: u32, reader: &Reader) -> Option<Remark> {
    let what = "others than its owner can write this file, and so run commands as the daemon";
    (mode & 0o022 != 0).then(|| reader.remark(1, what, Some("chmod 644 or less")))
}
