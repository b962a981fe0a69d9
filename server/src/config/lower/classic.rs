//! Classic knocks, and the files of sequences that are good once only.

use std::path::PathBuf;

use knock_spa_proto::knock::{ClassicKnock, FlagRule, Sequence, TimeLimit, Uses};

use crate::config::draft::KnockDraft;
use crate::config::knockd::{FileOneTime, usable_lines};
use crate::config::named_files::NamedFiles;
use crate::config::table::{At, Given, Reader};

/// Complaint about what applies to nothing.
pub(super) const NO_SEQUENCE: &str = "there is no sequence that it could apply to";

/// What holds for a door's knock, whatever its sequence.
#[derive(Debug)]
pub(super) struct Frame {
    /// The door, as people would call it: `[door.ssh]`.
    pub name: String,
    /// For the whole sequence.
    pub within: TimeLimit,
    /// Which TCP segments count where the door does not say.
    pub flags: FlagRule,
}

/// A door's knock.
#[derive(Debug)]
pub(super) struct Knock {
    /// What opens it now, if anything does.
    pub classic: Option<ClassicKnock>,
    /// Where the next sequences are.
    pub one_time: Option<FileOneTime>,
}

impl KnockDraft {
    /// Whether there is a sequence, or was meant to be one.
    pub(super) const fn exists(&self) -> bool {
        !self.sequence.is_absent() || !self.one_time.is_absent()
    }
}

/// The knock that the draft amounts to.
pub(super) fn lower(
    frame: &Frame,
    draft: KnockDraft,
    files: &mut dyn NamedFiles,
    reader: &mut Reader,
) -> Knock {
    applies(frame, &draft, reader);
    let begins_elsewhere = !draft.sequence.is_absent();
    let from_file = match &draft.one_time {
        Given::Value(at) => first_of(frame, at, begins_elsewhere, files, reader),
        Given::Absent | Given::Faulty => None,
    };
    let written = draft.sequence.into_value().map(|steps| steps.into_iter().map(|step| step.value).collect());
    // Steps are missing only where they were complained of.
    let written = written.and_then(|steps| Sequence::new(steps).ok());
    let uses = if draft.one_time.is_absent() { Uses::Any } else { Uses::Once };
    let flags = draft.tcp_flags.into_value().unwrap_or(frame.flags);
    let classic = written.or(from_file).map(|sequence| ClassicKnock {
        target: draft.target.into_value(),
        repeats: draft.repeats.into_value().unwrap_or_default(),
        cooldown: draft.cooldown.into_value().unwrap_or_default(),
        uses,
        ..ClassicKnock::new(sequence, frame.within, flags)
    });
    let one_time = draft.one_time.into_value().map(|file| FileOneTime { file, begins_elsewhere });
    Knock { classic, one_time }
}

/// The first sequence of the file.
fn first_of(
    frame: &Frame,
    At { line, value: path }: &At<PathBuf>,
    begins_elsewhere: bool,
    files: &mut dyn NamedFiles,
    reader: &mut Reader,
) -> Option<Sequence> {
    let key = format!("{} one-time-sequences", frame.name);
    let bytes = files.one_time(path).map_err(|error| {
        let what = format!("{key}: can't open {} for reading and writing: {error}", path.display());
        reader.fault(*line, what, Some("a file with one sequence in each line, for the daemon alone"));
    });
    let first = usable_lines(&bytes.ok()?).next().map(|(_, sequence)| sequence);
    if first.is_none() && !begins_elsewhere {
        let what = format!("{key}: no sequence is left in {}: nothing can be knocked", path.display());
        reader.warn(*line, what, Some("add lines of sequences, and reload"));
    }
    first
}

/// What there is to say of a sequence, without one.
fn applies(frame: &Frame, draft: &KnockDraft, reader: &mut Reader) {
    if draft.exists() {
        return;
    }
    let lines = [
        ("tcp-flags", draft.tcp_flags.as_value().map(|at| at.line)),
        ("target", draft.target.as_value().map(|at| at.line)),
        ("repeats", draft.repeats.as_value().map(|at| at.line)),
        ("cooldown", draft.cooldown.as_value().map(|at| at.line)),
    ];
    for (key, line) in lines.into_iter().filter_map(|(key, line)| Some((key, line?))) {
        reader.fault(line, format!("{} {key}: {NO_SEQUENCE}", frame.name), None);
    }
}
