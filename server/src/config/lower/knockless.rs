//! Sockets that are bound to the SPA port hear nothing else: no classic knock would ever be noticed.

use crate::config::draft::{DoorDraft, KnockdDraft};
use crate::config::lower::knockd::Included;
use crate::config::remark::{Faults, Remark};
use crate::config::table::{At, Reader, escape};

const WHY: &str = "no sequence is heard with capture = \"socket\"";

const HINT: &str = "leave the sequence out, or set capture = \"packet\" in [listen]";

/// Complains of doors that are to be knocked.
pub(super) fn check(
    doors: &[At<DoorDraft>],
    knockd: &KnockdDraft,
    included: Option<&Included>,
    reader: &mut Reader,
) {
    for At { line, value: door } in doors.iter().filter(|door| door.value.knock.exists()) {
        reader.fault(*line, format!("[door.{}]: {WHY}", door.name), Some(HINT));
    }
    for At { line, .. } in knockd.doors.iter().filter(|door| door.value.knock.exists()) {
        reader.fault(*line, format!("[[knockd.door]]: {WHY}"), Some(HINT));
    }
    let Some(Included { path, file }) = included else { return };
    for door in file.doors.iter().filter(|door| door.door.knock.is_some()) {
        reader.other_faults(Faults::one(Remark {
            file: path.clone(),
            line: Some(door.line),
            what: format!("section '{}': {WHY}", escape(&door.door.name)),
            hint: Some(HINT.into()),
        }));
    }
}
