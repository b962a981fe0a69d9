//! Other programs.

use std::ffi::{OsStr, OsString};
use std::io::{self, Read as _, Write as _};
use std::os::unix::process::CommandExt as _;
use std::process::{Child, Command, Stdio};
use std::sync::mpsc;
use std::thread;
use std::time::Duration;

use crate::failure::{Failure, Status};

/// Becomes `program` with these arguments; returns only where that fails.
#[expect(clippy::disallowed_methods, reason = "this module exists to run other programs")]
pub(crate) fn become_command(program: &OsString, arguments: &[OsString]) -> Failure {
    let error = Command::new(program).args(arguments).exec();
    cannot_run(program, &error)
}

fn cannot_run(program: &OsStr, error: &io::Error) -> Failure {
    let status = if error.kind() == io::ErrorKind::NotFound { Status::NoCommand } else { Status::CannotRun };
    Failure::new(status, format!("cannot run {}", program.display())).because(error)
}

/// What a program came to.
#[derive(Debug)]
pub(crate) struct Ended {
    /// Its exit status; none where a signal ended it.
    pub(crate) status: Option<i32>,
    /// The beginning of what it printed.
    pub(crate) output: String,
}

/// Runs a program that talks with the user, to its end. What it prints is shown on standard error as it comes, and at
/// most `max` bytes of it are kept.
#[expect(clippy::disallowed_methods, reason = "this module exists to run other programs")]
pub(crate) fn run_shown(program: &str, words: &[&str], max: usize) -> Result<Ended, Failure> {
    let failure = |error: io::Error| cannot_run(OsStr::new(program), &error);
    let mut child = Command::new(program).args(words).stdout(Stdio::piped()).spawn().map_err(failure)?;
    let mut kept = Vec::new();
    if let Some(mut output) = child.stdout.take() {
        let mut buffer = [0; 4096];
        loop {
            let piece = match output.read(&mut buffer) {
                Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
                read => buffer.get(..read.map_err(failure)?).unwrap_or_default(),
            };
            if piece.is_empty() {
                break;
            }
            io::stderr().write_all(piece).unwrap_or_default();
            kept.extend(piece.iter().take(max.saturating_sub(kept.len())));
        }
    }
    let status = child.wait().map_err(failure)?;
    Ok(Ended { status: status.code(), output: String::from_utf8_lossy(&kept).into_owned() })
}

/// The longest answer of a program, in bytes.
const MAX_ANSWER: u64 = 4096;

/// What `program` prints within `wait`; `None` where it is not there, or takes longer to print all.
#[expect(clippy::disallowed_methods, reason = "this module exists to run other programs")]
pub(crate) fn answer_of(program: &str, arguments: &[&str], wait: Duration) -> Option<String> {
    let mut command = Command::new(program);
    command.args(arguments).stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::null());
    let mut child = command.spawn().ok()?;
    let answer = printed(&mut child, wait);
    // It has said all, or has had its time.
    child.kill().and_then(|()| child.wait()).map(drop).unwrap_or_default();
    answer
}

fn printed(child: &mut Child, wait: Duration) -> Option<String> {
    let out = child.stdout.take()?;
    let (told, answer) = mpsc::channel();
    let read = move || {
        let mut text = String::new();
        // Nobody listens any more once the time is over.
        let read = out.take(MAX_ANSWER).read_to_string(&mut text);
        told.send(read.ok().map(|_| text)).unwrap_or_default();
    };
    thread::Builder::new().spawn(read).ok()?;
    answer.recv_timeout(wait).ok().flatten()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_answer_comes_in_time_or_not_at_all() {
        let soon = Duration::from_secs(10);
        assert_eq!(answer_of("echo", &["yes"], soon).unwrap(), "yes\n");
        assert_eq!(answer_of("false", &[], soon).unwrap(), "");
        assert_eq!(answer_of("no-such-program", &[], soon), None);
        assert_eq!(answer_of("sleep", &["60"], Duration::from_millis(50)), None);
    }
}
