//! What the user is told when something cannot be done: what, why, and what to do about it.

use std::fmt;
use std::process::ExitCode;

/// Why the program ends without having done what was asked.
#[derive(Debug)]
pub(crate) struct Failure {
    status: Status,
    what: String,
    why: Option<String>,
    hint: Option<String>,
}

/// Exit statuses after BSD's sysexits(3), and the two with which a shell says that a command did not start.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub(crate) enum Status {
    /// The command line is wrong.
    Usage = 64,
    /// Something given is malformed.
    Data = 65,
    /// Something needed is missing.
    NoInput = 66,
    /// The host is unknown, or its name has no address.
    NoHost = 68,
    /// The port did not answer.
    Unavailable = 69,
    /// The operating system refused something ordinary.
    Os = 71,
    /// A file or directory cannot be created.
    CantCreate = 73,
    /// Reading, writing or sending failed.
    Io = 74,
    /// Permissions forbid it, or are too loose.
    NoPermission = 77,
    /// A file of ours is malformed.
    Config = 78,
    /// The command exists and cannot be run.
    CannotRun = 126,
    /// The command does not exist.
    NoCommand = 127,
    /// The user gave up at a question.
    Interrupted = 130,
}

impl Failure {
    /// The failure to do `what`, a clause such as "cannot read FILE".
    pub(crate) fn new(status: Status, what: impl Into<String>) -> Self {
        Self { status, what: what.into(), why: None, hint: None }
    }

    /// Says why.
    pub(crate) fn because(self, why: impl fmt::Display) -> Self {
        Self { why: Some(why.to_string()), ..self }
    }

    /// Says what to do about it.
    pub(crate) fn hint(self, hint: impl Into<String>) -> Self {
        Self { hint: Some(hint.into()), ..self }
    }

    /// What cannot be done, and why.
    pub(crate) fn reason(&self) -> String {
        match &self.why {
            Some(why) => format!("{}: {why}", self.what),
            None => self.what.clone(),
        }
    }

    /// What to do about it.
    pub(crate) fn remedy(&self) -> Option<&str> {
        self.hint.as_deref()
    }

    /// With which status the program ends.
    pub(crate) const fn exit_code(&self) -> u8 {
        self.status as u8
    }
}

impl From<Status> for ExitCode {
    fn from(status: Status) -> Self {
        Self::from(status as u8)
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "knock-spa: {}", self.reason())?;
        match &self.hint {
            Some(hint) => write!(f, "\n  {hint}"),
            None => Ok(()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_why_and_what_to_do() {
        let bare = Failure::new(Status::NoHost, "no host gw");
        assert_eq!(bare.to_string(), "knock-spa: no host gw");
        let whole = bare.because("none is known").hint("run this");
        assert_eq!(whole.to_string(), "knock-spa: no host gw: none is known\n  run this");
        assert_eq!(whole.exit_code(), 68);
    }
}
