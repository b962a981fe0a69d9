//! What the doctor tells: findings, as words and as JSON.

use std::fmt;

use serde::Serialize;

/// All findings about a host.
#[derive(Debug, Serialize)]
pub(super) struct Diagnosis {
    host: String,
    /// Whether nothing is wrong.
    well: bool,
    /// One for each thing that was looked at, in the order of a packet's life.
    pub(super) findings: Vec<Finding>,
}

/// What one check came to.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub(super) struct Finding {
    /// What was looked at.
    pub(super) check: Check,
    /// How it is.
    pub(super) state: State,
    /// What was seen.
    pub(super) what: String,
    /// What to do about it.
    pub(super) mend: Option<String>,
}

/// What is looked at.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub(super) enum Check {
    /// This machine's clock.
    Clock,
    /// This device's key.
    Key,
    /// The directory in which it is.
    Directory,
    /// An endpoint's name.
    Name,
    /// The way to one address of the server.
    Route,
    /// Whom a packet asks for.
    Address,
    /// Address translation on the way.
    Nat,
    /// The ports, before a packet was sent.
    Before,
    /// The ports, after that.
    After,
}

/// How something is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub(super) enum State {
    /// As it should be.
    Good,
    /// Nothing wrong, and worth knowing.
    Note,
    /// Not to be told from here.
    Unknown,
    /// Wrong.
    Bad,
}

impl Finding {
    pub(super) fn new(check: Check, state: State, what: impl Into<String>) -> Self {
        Self { check, state, what: what.into(), mend: None }
    }

    pub(super) fn mend(self, mend: impl Into<String>) -> Self {
        Self { mend: Some(mend.into()), ..self }
    }
}

impl Diagnosis {
    pub(super) fn new(host: &str, findings: Vec<Finding>) -> Self {
        let well = findings.iter().all(|finding| finding.state != State::Bad);
        Self { host: host.to_owned(), well, findings }
    }

    /// How many things are wrong.
    pub(super) fn wrong(&self) -> usize {
        self.findings.iter().filter(|finding| finding.state == State::Bad).count()
    }
}

impl fmt::Display for Diagnosis {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (i, finding) in self.findings.iter().enumerate() {
            let end = if i == 0 { "" } else { "\n" };
            write!(f, "{end}{finding}")?;
        }
        Ok(())
    }
}

impl fmt::Display for Finding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:<5} {:<9}  {}", self.state.word(), self.check.word(), self.what)?;
        for line in self.mend.iter().flat_map(|mend| mend.lines()) {
            write!(f, "\n{:<17}{}", "", line.trim_start())?;
        }
        Ok(())
    }
}

impl State {
    const fn word(self) -> &'static str {
        match self {
            Self::Good => "ok",
            Self::Note => "note",
            Self::Unknown => "?",
            Self::Bad => "BAD",
        }
    }
}

impl Check {
    const fn word(self) -> &'static str {
        match self {
            Self::Clock => "clock",
            Self::Key => "key",
            Self::Directory => "directory",
            Self::Name => "name",
            Self::Route => "route",
            Self::Address => "address",
            Self::Nat => "nat",
            Self::Before => "before",
            Self::After => "after",
        }
    }
}
