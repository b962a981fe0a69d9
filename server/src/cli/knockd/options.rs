//! knockd's command line.

use std::ffi::OsString;
use std::path::PathBuf;

/// What a command line asks for.
#[derive(Debug)]
pub(super) enum Answer {
    /// To run.
    Run(Options),
    /// To say something, and end.
    Say {
        /// First this.
        on_stderr: Option<String>,
        /// Then this.
        on_stdout: String,
    },
}

/// How to run.
#[derive(Clone, Debug)]
pub(super) struct Options {
    pub(super) interface: Option<String>,
    pub(super) config: PathBuf,
    pub(super) daemon: bool,
    pub(super) pid_file: PathBuf,
    pub(super) log_file: Option<PathBuf>,
    pub(super) verbose: bool,
    pub(super) lookup: bool,
    pub(super) only_v4: bool,
}

/// Reads a command line, the program's name first.
pub(super) fn read(_arguments: &[OsString]) -> Answer {
    Answer::Say { on_stderr: None, on_stdout: usage() }
}

/// How to call the program.
pub(super) fn usage() -> String {
    "usage: knockd [options]\n".into()
}
