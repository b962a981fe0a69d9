//! The words for each line, and where it goes.

use std::fmt::Display;
use std::io;
use std::os::unix::ffi::OsStrExt;
use std::path::Path;

use knock_spa_engine::knockd::Said;
use knock_spa_proto::address::{Address, NtopText};

use super::Line;
use super::names::HostName;

/// The bytes of a message in the log that count: what follows is cut off.
const MAX_MESSAGE: usize = 1023;

/// The bytes of a door's name that count.
const MAX_NAME: usize = 127;

/// What is told of one event.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Words {
    /// To the file and to syslog. Some end in a newline, and an empty line follows them in the file.
    pub(super) log: Option<Vec<u8>>,
    /// To standard output, where it is asked for.
    pub(super) output: Option<Vec<u8>>,
    /// To standard error.
    pub(super) errors: Option<Vec<u8>>,
}

impl Words {
    pub(super) fn of(line: &Line<'_>, host: Option<&HostName>) -> Self {
        match line {
            Line::Said(said) => Self::of_door(said, host),
            Line::Notice(text) => Self::of_action((*text).into(), Space::None),
            Line::StartingUp { interface } => Self {
                log: Some(message(format!("starting up, listening on {interface}").into())),
                output: Some(format!("listening on {interface}...\n").into()),
                errors: None,
            },
            Line::PidFileFailed { file, error } => {
                let reason = format!(": {}", reason(error));
                let text = [b"could not create pid file ", bytes(file), reason.as_bytes()].concat();
                Self { log: Some(message(text)), ..Self::default() }
            }
            Line::Rereading { config } => {
                Self::of_action([b"re-reading config file: ", bytes(config)].concat(), Space::Follows)
            }
            Line::WaitingForCommands => Self::of_output(b"waiting for child processes...\n".to_vec()),
            Line::ShuttingDown => Self {
                log: Some(b"shutting down".to_vec()),
                output: Some(b"closing...\n".to_vec()),
                errors: None,
            },
        }
    }

    /// Of a file that is about to be opened again.
    pub(super) fn closing_file(file: &Path) -> Self {
        Self::of_output([b"closing log file: ", bytes(file), b"\n"].concat())
    }

    /// Of a file that is opened again: syslog alone can have it, while there is no file.
    pub(super) fn reopening_file(file: &Path) -> Self {
        Self::of_action([b"re-opening log file: ", bytes(file)].concat(), Space::Follows)
    }

    fn of_door(said: &Said, host: Option<&HostName>) -> Self {
        match said {
            Said::Stage { door, from, stage } => {
                Self::of_action(source_text(*from, host, door, format_args!("Stage {stage}")), Space::None)
            }
            Said::OpenSesame { door, from } => {
                Self::of_action(source_text(*from, host, door, "OPEN SESAME"), Space::None)
            }
            Said::SequenceTimeout { door, from, stage } => {
                let what = format_args!("sequence timeout (stage {stage})");
                Self::of_action(source_text(*from, host, door, what), Space::Follows)
            }
            Said::CommandTimeout { door, from } => {
                Self::of_action(source_text(*from, host, door, "command timeout"), Space::None)
            }
            Said::Running { door, command } => {
                let text = [name(door), b": running command: ", command.as_bytes()].concat();
                Self::of_action(text, Space::Follows)
            }
            Said::NonZero { door, status } => {
                let what = format!(": command returned non-zero status code ({status})");
                Self::of_failure([name(door), what.as_bytes()].concat(), Space::None)
            }
            Said::StartTooLong => Self::of_failure(
                b"error: parsed start command has been truncated! --> won't execute it".to_vec(),
                Space::None,
            ),
            Said::StopTooLong => Self::of_failure(
                b"error: parsed stop command has been truncated! --> won't execute start command".to_vec(),
                Space::None,
            ),
            Said::NotStarted => Self::of_failure(b"error: command fork failed!".to_vec(), Space::None),
            Said::NoMoreSequences { door } => {
                let before = b"no more sequences left in the one time sequences file for door ";
                Self::of_failure([before, name(door), b" --> disabling the door"].concat(), Space::Follows)
            }
        }
    }

    fn of_action(text: Vec<u8>, space: Space) -> Self {
        let output = [&*text, b"\n"].concat();
        let log = match space {
            Space::None => text,
            Space::Follows => output.clone(),
        };
        Self { log: Some(message(log)), output: Some(output), errors: None }
    }

    fn of_failure(text: Vec<u8>, space: Space) -> Self {
        let Self { log, output, errors: _ } = Self::of_action(text, space);
        Self { log, output: None, errors: output }
    }

    fn of_output(text: Vec<u8>) -> Self {
        Self { output: Some(text), ..Self::default() }
    }
}

/// Whether an empty line follows a message in the file.
#[derive(Clone, Copy)]
enum Space {
    None,
    Follows,
}

/// The warning that the file can't be opened.
pub(super) fn cannot_open(error: &io::Error) -> Vec<u8> {
    format!("warning: cannot open logfile: {}\n", reason(error)).into()
}

fn source_text(from: Address, host: Option<&HostName>, door: &str, what: impl Display) -> Vec<u8> {
    let source = match host {
        Some(host) => format!("{} ({host}): ", NtopText(from)),
        None => format!("{}: ", NtopText(from)),
    };
    [source.as_bytes(), name(door), format!(": {what}").as_bytes()].concat()
}

fn message(mut text: Vec<u8>) -> Vec<u8> {
    text.truncate(MAX_MESSAGE);
    text
}

fn name(door: &str) -> &[u8] {
    let bytes = door.as_bytes();
    bytes.get(..MAX_NAME).unwrap_or(bytes)
}

fn bytes(path: &Path) -> &[u8] {
    path.as_os_str().as_bytes()
}

/// What the C library says of an error: without the number that Rust adds.
fn reason(error: &io::Error) -> String {
    let text = error.to_string();
    text.split_once(" (os error ").map_or(text.as_str(), |(reason, _)| reason).to_owned()
}
