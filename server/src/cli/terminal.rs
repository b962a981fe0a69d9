//! The only place that writes to standard output and standard error.
//!
//! Results go to standard output, so that they can be piped; what is said about them goes to standard error.

use std::fmt::{self, Display};
use std::io::{self, IsTerminal, Write};
use std::process::ExitCode;

use crate::cli::failure::{Exit, Failure};

/// Writes a result, as a line. Nobody reading any more is no failure.
pub(super) fn say(result: impl Display) -> Result<(), Failure> {
    match writeln!(io::stdout().lock(), "{}", plain(&result).trim_end()) {
        Err(error) if error.kind() != io::ErrorKind::BrokenPipe => {
            Err(Failure::new(Exit::Io, format_args!("can't write to standard output: {error}")))
        }
        Ok(()) | Err(_) => Ok(()),
    }
}

/// Writes a secret that is a result, as a line, without a copy of it in memory.
pub(super) fn say_secret(line: &str) -> Result<(), Failure> {
    let mut out = io::stdout().lock();
    let written =
        out.write_all(line.as_bytes()).and_then(|()| out.write_all(b"\n")).and_then(|()| out.flush());
    drop(out);
    written.map_err(|error| Failure::new(Exit::Io, format_args!("can't write to standard output: {error}")))
}

/// Writes a drawing of light characters beside the results; where that is a terminal, on a dark ground whatever its own is.
pub(super) fn draw(lines: &[String]) {
    let mut out = io::stderr().lock();
    let (dark, plain) = if out.is_terminal() { ("\x1b[97;40m", "\x1b[0m") } else { ("", "") };
    for line in lines {
        // There is nobody to tell that telling failed.
        writeln!(out, "{dark}{line}{plain}").unwrap_or_default();
    }
}

/// Writes what is worth knowing about the results, as a line.
pub(super) fn note(remark: impl Display) {
    // There is nobody to tell that telling failed.
    writeln!(io::stderr().lock(), "{}", plain(&remark)).unwrap_or_default();
}

/// A line in red, or as it is.
#[derive(Clone, Copy, Debug)]
pub(super) struct Painted<'t> {
    pub(super) text: &'t str,
    pub(super) red: bool,
}

impl Display for Painted<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { text, red } = self;
        if *red { write!(f, "\x1b[31m{text}\x1b[0m") } else { f.write_str(text) }
    }
}

/// Writes results, each as a line. Nobody reading any more is no failure.
pub(super) fn say_painted(lines: &[Painted<'_>]) -> Result<(), Failure> {
    let mut all = String::new();
    for Painted { text, red } in lines {
        all.push_str(&format!("{}\n", Painted { text: &plain(text), red: *red }));
    }
    write_all(&all).map(drop)
}

/// Writes a result, as a line; false where nobody reads any more.
pub(super) fn say_while_heard(result: &str) -> Result<bool, Failure> {
    write_all(&format!("{result}\n"))
}

fn write_all(text: &str) -> Result<bool, Failure> {
    let mut out = io::stdout().lock();
    match out.write_all(text.as_bytes()).and_then(|()| out.flush()) {
        Ok(()) => Ok(true),
        Err(error) if error.kind() == io::ErrorKind::BrokenPipe => Ok(false),
        Err(error) => Err(Failure::new(Exit::Io, format_args!("can't write to standard output: {error}"))),
    }
}

/// Whether somebody sees standard output.
pub(super) fn is_terminal() -> bool {
    io::stdout().is_terminal()
}

/// Whether somebody sees colours there, and wants any (`NO_COLOR`).
#[expect(clippy::disallowed_methods, reason = "the command line reads the environment")]
pub(super) fn has_colours() -> bool {
    is_terminal() && std::env::var_os("NO_COLOR").is_none_or(|value| value.is_empty())
}

/// Nothing in a file's name or an argument may move the cursor or rename the window.
pub(super) fn plain(text: &impl Display) -> String {
    let text = text.to_string();
    let harmless = |character: char| character == '\n' || !character.is_control();
    if text.chars().all(harmless) {
        return text;
    }
    let escaped = |character: char| {
        if harmless(character) { character.to_string() } else { character.escape_debug().to_string() }
    };
    text.chars().map(escaped).collect()
}

/// Writes why a command failed; its exit status.
pub(super) fn complain(failure: &Failure) -> ExitCode {
    note(format_args!("error: {}", failure.message));
    if let Some(hint) = &failure.hint {
        note(format_args!("  {hint}"));
    }
    ExitCode::from(failure.exit as u8)
}
