//! Doors in knockd's manner: those of its own file, and those of `[[knockd.door]]`.

use std::path::{Path, PathBuf};
use std::time::Duration;

use knock_spa_engine::knockd::{KnockdCommands, KnockdDoor};
use knock_spa_proto::knock::{FlagRule, TimeLimit};

use crate::config::as_knockd::{self, KnockdError};
use crate::config::draft::{KnockdCommandsDraft, KnockdDoorDraft};
use crate::config::knockd::{FileDoor, KnockdFile, KnockdOptions, SpaLine};
use crate::config::lower::classic::{self, Frame};
use crate::config::named_files::NamedFiles;
use crate::config::table::{At, Given, Reader};

/// knockd's own default.
const DEFAULT_SECONDS: u32 = 25;
/// knockd's own default.
const DEFAULT_STOP_AFTER: Duration = Duration::from_secs(10);

const HEADER: &str = "[[knockd.door]]";

/// A file that was included.
#[derive(Debug)]
pub(super) struct Included {
    /// Its path.
    pub path: PathBuf,
    /// What it says.
    pub file: KnockdFile,
}

/// The file that `include` names. Its faults and weaknesses are noted.
pub(super) fn include(
    given: &Given<PathBuf>,
    files: &mut dyn NamedFiles,
    reader: &mut Reader,
) -> Option<Included> {
    let At { line, value: path } = given.as_value()?;
    match as_knockd::read_with(files, path) {
        Ok(mut file) => {
            ignored(*line, path, &file.options, reader);
            reader.other_warnings(std::mem::take(&mut file.warnings));
            Some(Included { path: path.clone(), file })
        }
        Err(KnockdError::Faults(faults)) => {
            reader.other_faults(faults.faults);
            None
        }
        Err(error @ KnockdError::Unreadable { .. }) => {
            reader.fault(*line, format!("[knockd] include: {error}"), None);
            None
        }
    }
}

/// What only knockd's own manner of starting knows.
fn ignored(line: usize, path: &Path, options: &KnockdOptions, reader: &mut Reader) {
    let of = |key: &str| format!("[knockd] include: {key} of {} does not count here", path.display());
    if options.interface.is_some() {
        reader.warn(line, of("Interface"), Some("[listen] interfaces says where to listen"));
    }
    if options.pid_file.is_some() {
        reader.warn(line, of("PidFile"), Some("the daemon runs in the foreground, and its manager knows it"));
    }
}

/// The door that the draft amounts to.
pub(super) fn door(
    at: At<KnockdDoorDraft>,
    files: &mut dyn NamedFiles,
    reader: &mut Reader,
) -> Option<FileDoor> {
    let At { line, value: draft } = at;
    if draft.name.is_absent() {
        reader.fault(line, format!("{HEADER}: no name"), Some("any text: it is shown in the log"));
    }
    if !draft.knock.exists() {
        let hint = "add for example sequence = [\"7000\", \"8000/udp\", \"9000\"]";
        reader.fault(line, format!("{HEADER}: neither sequence nor one-time-sequences"), Some(hint));
    }
    if let Given::Value(spa) = &draft.spa
        && !draft.commands.are_for_clients()
    {
        let what = format!("{HEADER} spa: there is no start command that a client could have run");
        reader.fault(spa.line, what, None);
    }
    let seconds = draft.sequence_seconds.into_value().unwrap_or(DEFAULT_SECONDS);
    let frame =
        Frame { name: HEADER.into(), within: TimeLimit::WholeSeconds(seconds), flags: FlagRule::default() };
    let knock = classic::lower(&frame, draft.knock, files, reader);
    let spa = draft.spa.into_value().map(|spa| SpaLine {
        name: spa.name.value,
        ports: spa.ports.into_iter().map(|port| port.value).collect(),
    });
    let name = draft.name.into_value()?;
    let door = KnockdDoor { name, knock: knock.classic, commands: commands(draft.commands) };
    Some(FileDoor { line, door, one_time: knock.one_time, spa })
}

fn commands(draft: KnockdCommandsDraft) -> KnockdCommands {
    KnockdCommands {
        start: draft.start.into_value(),
        stop: draft.stop.into_value(),
        start6: draft.start6.into_value(),
        stop6: draft.stop6.into_value(),
        stop_after: draft.stop_after.into_value().unwrap_or(Some(DEFAULT_STOP_AFTER)),
        again: draft.again.into_value().unwrap_or_default(),
    }
}
