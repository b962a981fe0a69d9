//! `-d`: a daemon in the background, whose errors at the start are still told by the exit status.
//!
//! The program starts itself again with one end of a pipe for standard input, and waits until that says that all is
//! well, or ends.

use std::ffi::OsString;
use std::fs::File;
use std::io::{self, Read, Write};
use std::os::fd::AsFd;
use std::process::ExitCode;

use crate::cli::terminal;
use crate::io::process;

/// The process in the background.
#[derive(Debug)]
pub(super) struct Background {
    /// Where whoever started it waits for word.
    waiting: File,
    /// What takes the place of the standard streams.
    null: File,
}

/// Starts the daemon in the background; its exit status where it does not come to run.
pub(super) fn start(arguments: &[OsString]) -> ExitCode {
    match try_start(arguments) {
        Ok(code) => code,
        Err(error) => {
            terminal::note(format_args!("can't run in the background: {error}"));
            ExitCode::FAILURE
        }
    }
}

fn try_start(arguments: &[OsString]) -> io::Result<ExitCode> {
    let (mut all_is_well, theirs) = io::pipe()?;
    let rest = arguments.get(1..).unwrap_or_default();
    let mut child = process::start_in_background(theirs.into(), rest)?;
    if all_is_well.read(&mut [0])? > 0 {
        return Ok(ExitCode::SUCCESS);
    }
    let status = child.wait()?.code().and_then(|code| u8::try_from(code).ok());
    Ok(status.map_or(ExitCode::FAILURE, ExitCode::from))
}

impl Background {
    /// Leaves the terminal's session.
    pub(super) fn begin() -> io::Result<Self> {
        rustix::process::setsid()?;
        let null = File::options().read(true).write(true).open("/dev/null")?;
        Ok(Self { waiting: File::from(io::stdin().as_fd().try_clone_to_owned()?), null })
    }

    /// Says that all is well, and lets go of everything that came from whoever started it.
    pub(super) fn detach(self) {
        if let Err(error) = self.try_detach() {
            tracing::warn!(event = "not-detached", %error);
        }
    }

    fn try_detach(mut self) -> io::Result<()> {
        rustix::process::chdir("/")?;
        rustix::stdio::dup2_stdin(&self.null)?;
        rustix::stdio::dup2_stdout(&self.null)?;
        rustix::stdio::dup2_stderr(&self.null)?;
        self.waiting.write_all(&[1])
    }
}
