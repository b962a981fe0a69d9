//! Other programs.

use std::ffi::OsString;
use std::io;
use std::os::unix::process::CommandExt as _;
use std::process::Command;

use crate::failure::{Failure, Status};

/// Becomes `program` with these arguments; returns only where that fails.
#[expect(clippy::disallowed_methods, reason = "this module exists to run the user's command")]
pub(crate) fn become_command(program: &OsString, arguments: &[OsString]) -> Failure {
    let error = Command::new(program).args(arguments).exec();
    let status = if error.kind() == io::ErrorKind::NotFound { Status::NoCommand } else { Status::CannotRun };
    Failure::new(status, format!("cannot run {}", program.display())).because(error)
}
