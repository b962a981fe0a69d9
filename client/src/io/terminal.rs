//! The user: words go to standard error, data goes to standard output, answers come from standard input.

use std::io::{self, IsTerminal as _, Write as _};

use zeroize::Zeroizing;

use crate::failure::{Failure, Status};
use crate::io::disk;

/// The longest answer, in bytes: many times the longest line that makes sense.
const MAX_ANSWER: u64 = 8 * 1024;

/// Says something, on a line of its own.
pub(crate) fn say(words: impl std::fmt::Display) {
    // Where nobody listens, there is nobody to tell.
    writeln!(io::stderr(), "{words}").unwrap_or_default();
}

/// Hands out data, and a newline.
pub(crate) fn print(data: impl std::fmt::Display) -> Result<(), Failure> {
    let mut out = io::stdout().lock();
    match writeln!(out, "{data}").and_then(|()| out.flush()) {
        Ok(()) => Ok(()),
        // The reader has had enough, as with `| head -1`.
        Err(error) if error.kind() == io::ErrorKind::BrokenPipe => Ok(()),
        Err(error) => Err(Failure::new(Status::Io, "cannot write to standard output").because(error)),
    }
}

/// Hands out data as one JSON object on one line.
pub(crate) fn print_json(data: &impl serde::Serialize) -> Result<(), Failure> {
    match serde_json::to_string(data) {
        Ok(text) => print(text),
        Err(error) => Err(Failure::new(Status::Os, "cannot write JSON").because(error)),
    }
}

/// What standard input holds: one line where it is a terminal, which is asked with `question`; else all of it.
pub(crate) fn answer(question: &str) -> Result<Zeroizing<String>, Failure> {
    let input = io::stdin();
    let text = if input.is_terminal() {
        write!(io::stderr(), "{question}").unwrap_or_default();
        read_line(&mut input.lock())
    } else {
        disk::read_text(input.lock(), MAX_ANSWER)
    };
    text.map_err(|error| Failure::new(Status::Data, "cannot read standard input").because(error))
}

/// Whether somebody can be asked on standard input.
pub(crate) fn is_asked() -> bool {
    io::stdin().is_terminal()
}

fn read_line(input: &mut impl io::BufRead) -> io::Result<Zeroizing<String>> {
    let mut line = Zeroizing::new(String::new());
    io::BufRead::read_line(&mut io::Read::take(input, MAX_ANSWER), &mut line)?;
    Ok(line)
}

/// A line on the terminal that is written over as time passes, and gone in the end. On anything that is not a
/// terminal there is none.
#[derive(Debug)]
pub(crate) struct Progress {
    shown: bool,
}

impl Progress {
    /// The line of this program, empty so far; none where it is not `wanted`.
    pub(crate) fn new(wanted: bool) -> Self {
        Self { shown: wanted && io::stderr().is_terminal() }
    }

    /// Shows `words` instead of what was there.
    pub(crate) fn show(&self, words: impl std::fmt::Display) {
        if self.shown {
            let mut terminal = io::stderr();
            write!(terminal, "\r\x1b[K{words}").and_then(|()| terminal.flush()).unwrap_or_default();
        }
    }
}

impl Drop for Progress {
    fn drop(&mut self) {
        self.show("");
    }
}
