//! The directory of one daemon, and what can be read there.

use std::fs;
use std::path::{Path, PathBuf};

use super::forecast::CONFIG;
use super::outcome::{End, Outcome, is_aside};
use super::sentinel;
use super::trace::Trace;

/// The files of one daemon.
#[derive(Clone, Debug)]
pub struct Directory(PathBuf);

/// Where its commands write.
pub const RAN: &str = "ran";
/// Where its standard output goes.
pub const OUT: &str = "out";
/// Where its standard error goes.
pub const ERR: &str = "err";

impl Directory {
    /// Makes it.
    ///
    /// # Panics
    /// Where it cannot be made.
    #[must_use]
    pub fn new(path: &Path) -> Self {
        fs::create_dir(path).expect("a new directory");
        Self(path.to_owned())
    }

    /// The path of a file in it.
    #[must_use]
    pub fn path(&self, name: &str) -> PathBuf {
        self.0.join(name)
    }

    /// Its own path.
    ///
    /// # Panics
    /// Never, since the path is of ASCII.
    #[must_use]
    pub fn text(&self) -> &str {
        self.0.to_str().expect("a path of text")
    }

    /// Writes a file, with its own path for `DIR`.
    ///
    /// # Panics
    /// Where it cannot be written.
    pub fn write(&self, name: &str, text: &str) {
        fs::write(self.path(name), text.replace("DIR", self.text())).expect("writing a file");
    }

    /// The text of a file; that of none is empty.
    #[must_use]
    pub fn read(&self, name: &str) -> String {
        fs::read(self.path(name))
            .map(|bytes| String::from_utf8_lossy(&bytes).into_owned())
            .unwrap_or_default()
    }

    /// The text with `DIR` for the path.
    fn plain(&self, text: &str) -> String {
        text.replace(self.text(), "DIR")
    }

    /// What the logs say.
    #[must_use]
    pub fn messages(&self, trace: &Trace) -> Vec<String> {
        trace.logs.iter().flat_map(|name| messages(&self.plain(&self.read(name)))).collect()
    }

    /// How often a daemon says it in its log or, where that is kept from it, on its standard output.
    #[must_use]
    pub fn count(&self, trace: &Trace, message: &str) -> usize {
        let logged: usize = trace.logs.iter().map(|name| self.read(name).matches(message).count()).sum();
        logged.max(self.read(OUT).matches(message).count())
    }

    /// What the daemon did, and how it ended.
    #[must_use]
    pub fn outcome(&self, trace: &Trace, end: End) -> Outcome {
        let lines = |name: &str| self.plain(&self.read(name)).lines().map(str::to_owned).collect::<Vec<_>>();
        let messages = self.messages(trace).into_iter().filter(|message| !sentinel::is_meant(message));
        let (aside, log) = messages.partition(|message| is_aside(message));
        let mut out = lines(OUT);
        out.retain(|line| !sentinel::is_meant(line) && !line.is_empty());
        if out.first().is_some_and(|line| line.starts_with("usage: ")) {
            out = vec!["USAGE".to_owned()];
        }
        let mut outcome = Outcome {
            log,
            aside,
            ran: lines(RAN).into_iter().map(|line| (None, line)).collect(),
            files: self.others(trace),
            end,
            err: lines(ERR),
            out,
        };
        outcome.level(trace);
        outcome
    }

    /// The paths and texts of all files.
    ///
    /// # Panics
    /// Where the directory has gone.
    #[must_use]
    pub fn all(&self) -> Vec<(String, String)> {
        let names = self.names();
        names.into_iter().map(|name| (format!("{}/{name}", self.text()), self.read(&name))).collect()
    }

    fn names(&self) -> Vec<String> {
        let entries = fs::read_dir(&self.0).expect("it is there").filter_map(Result::ok);
        entries.filter_map(|entry| entry.file_name().into_string().ok()).collect()
    }

    /// The files that are nothing of the rig's, with the numbers of processes made equal.
    fn others(&self, trace: &Trace) -> Vec<(String, String)> {
        let names = self.names().into_iter();
        let known =
            |name: &String| [CONFIG, RAN, OUT, ERR].contains(&name.as_str()) || trace.logs.contains(name);
        names
            .filter(|name| !known(name))
            .map(|name| (format!("DIR/{name}"), self.plain(&self.read(&name))))
            .collect()
    }
}

/// The messages of a log. What is no line of one is shown as it is.
fn messages(text: &str) -> Vec<String> {
    let mut messages: Vec<String> = Vec::new();
    for line in text.split_terminator('\n') {
        match (content(line), messages.last_mut()) {
            (Some(message), _) => messages.push(message.to_owned()),
            (None, Some(last)) if line.is_empty() && !last.ends_with('\n') => last.push('\n'),
            (None, _) => messages.push(format!("no line of a log: {line:?}")),
        }
    }
    messages
}

/// What follows `[YYYY-MM-DD HH:MM] `.
fn content(line: &str) -> Option<&str> {
    let (stamp, message) = line.split_at_checked(19)?;
    let fits = |(have, want): (char, char)| if want == '0' { have.is_ascii_digit() } else { have == want };
    stamp.chars().zip("[0000-00-00 00:00] ".chars()).all(fits).then_some(message)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn logs_are_read_with_their_empty_lines() {
        let text = "[2026-01-02 03:04] a\n[2026-01-02 03:04] b\n\n[2026-1-02 03:04] c\n";
        assert_eq!(messages(text), ["a", "b\n", "no line of a log: \"[2026-1-02 03:04] c\""]);
    }
}
