//! What is said of a file: faults in knockd's words and in ours, and weaknesses.

use std::fmt;
use std::io;
use std::path::{Path, PathBuf};

use crate::config::knockd::sequence::NotASequence;
use crate::config::remark::{Faults, Remark};

/// As many bytes of a door's name are shown in knockd's messages.
const MAX_SHOWN_NAME: usize = 127;

/// The most faults of a file that are told, and the most weaknesses: nobody reads more, and each takes more room
/// than the line it is on.
pub(super) const MAX_REMARKS: usize = 1000;

/// What knockd says of a file that it can't use, without what it puts before the words.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Wording {
    /// A line that is none.
    Syntax,
    /// A directive before the first section.
    NoSection,
    /// `[]`.
    BadName,
    /// In `TCPFlags`.
    Flag(String),
    /// In the sequence of this door.
    Sequence(String, NotASequence),
    /// This door has no sequence.
    Empty(String),
    /// A file that can't be opened.
    File(PathBuf, String),
    /// A target that is none.
    Filter(String),
}

impl Wording {
    /// What the C library says of a file that could not be opened.
    pub(super) fn file(path: &Path, error: &io::Error) -> Self {
        let text = error.to_string();
        let words = text.split(" (os error ").next().unwrap_or_default();
        Self::File(path.to_owned(), words.to_owned())
    }

    /// The whole message on standard error, without its newline.
    pub(super) fn printed(&self, line: usize) -> String {
        match self {
            Self::Syntax | Self::NoSection | Self::BadName | Self::Flag(_) => {
                format!("config: line {line}: {self}")
            }
            Self::Sequence(door, wrong) => format!("config: section {}: {wrong}", cut(door, MAX_SHOWN_NAME)),
            Self::Empty(_) => format!("error: {self}"),
            Self::File(..) => self.to_string(),
            Self::Filter(words) => format!("pcap_compile: {words}"),
        }
    }
}

impl fmt::Display for Wording {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Syntax => f.write_str("syntax error"),
            Self::NoSection => f.write_str("all directives must belong to a section"),
            Self::BadName => f.write_str("bad section name"),
            Self::Flag(flag) => write!(f, "unrecognized flag \"{flag}\""),
            Self::Sequence(_, wrong) => wrong.fmt(f),
            Self::Empty(door) => {
                write!(f, "section '{}' has an empty knock sequence", cut(door, MAX_SHOWN_NAME))
            }
            // As perror(3): an empty name is left out.
            Self::File(path, words) if path.as_os_str().is_empty() => f.write_str(words),
            Self::File(path, words) => write!(f, "{}: {words}", path.display()),
            Self::Filter(words) => f.write_str(words),
        }
    }
}

/// As much of the text as `limit` bytes hold.
pub(super) fn cut(text: &str, limit: usize) -> &str {
    text.get(..text.floor_char_boundary(limit)).unwrap_or(text)
}

/// Why a file in knockd's dialect can't be used.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{faults}")]
pub struct KnockdFaults {
    /// All of them.
    pub faults: Faults,
    /// What knockd prints on standard error where it meets the first of them, without the newline.
    pub knockd_says: String,
}

/// What was found so far.
#[derive(Debug)]
pub(super) struct Complaints {
    file: PathBuf,
    faults: Remarks,
    warnings: Remarks,
    knockd_says: Option<String>,
}

impl Complaints {
    /// Nothing, of this file.
    pub(super) fn new(file: &Path) -> Self {
        let (faults, warnings) = (Remarks::default(), Remarks::default());
        Self { file: file.to_owned(), faults, warnings, knockd_says: None }
    }

    /// Notes a fault, in the order in which knockd would meet it.
    pub(super) fn fault(&mut self, line: usize, wording: &Wording, what: impl Into<String>, hint: &str) {
        self.knockd_says.get_or_insert_with(|| wording.printed(line));
        let remark = self.remark(line, what, Some(hint));
        self.faults.add(line, remark);
    }

    /// Notes a weakness.
    pub(super) fn warn(&mut self, line: usize, what: impl Into<String>, hint: Option<&str>) {
        let remark = self.remark(line, what, hint);
        self.warnings.add(line, remark);
    }

    /// Notes a weakness of another file, which is named in this line.
    pub(super) fn warn_of(&mut self, named_in: usize, other: &Path, line: usize, what: String) {
        let remark = Remark { file: other.to_owned(), line: Some(line), what, hint: None };
        self.warnings.add(named_in, remark);
    }

    fn remark(&self, line: usize, what: impl Into<String>, hint: Option<&str>) -> Remark {
        let hint = hint.map(ToOwned::to_owned);
        Remark { file: self.file.clone(), line: Some(line), what: what.into(), hint }
    }

    /// The weaknesses in the order of lines, unless there are faults.
    pub(super) fn finish(self) -> Result<Vec<Remark>, KnockdFaults> {
        let knockd_says = self.knockd_says.unwrap_or_default();
        Faults::unless_any(self.faults.in_order(), self.warnings.in_order())
            .map_err(|faults| KnockdFaults { faults, knockd_says })
    }
}

/// Remarks and the lines that they are told at, up to the bound.
#[derive(Debug, Default)]
struct Remarks(Vec<(usize, Remark)>);

impl Remarks {
    /// Adds one; the last that fits says that there are more.
    fn add(&mut self, line: usize, remark: Remark) {
        match self.0.len() {
            len if len < MAX_REMARKS => self.0.push((line, remark)),
            MAX_REMARKS => {
                self.0.push((
                    line,
                    Remark { what: "and more, which are not told".into(), hint: None, ..remark },
                ));
            }
            _ => {}
        }
    }

    fn in_order(mut self) -> Vec<Remark> {
        self.0.sort_by_key(|(line, _)| *line);
        self.0.into_iter().map(|(_, remark)| remark).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn messages_are_knockd_s() {
        let long = "n".repeat(200);
        let shown = "n".repeat(127);
        let file = |path: &str, code| Wording::file(Path::new(path), &io::Error::from_raw_os_error(code));
        for (wording, printed) in [
            (Wording::Syntax, "config: line 7: syntax error".into()),
            (Wording::NoSection, "config: line 7: all directives must belong to a section".into()),
            (Wording::BadName, "config: line 7: bad section name".into()),
            (Wording::Flag("ECE".into()), "config: line 7: unrecognized flag \"ECE\"".into()),
            (
                Wording::Sequence("a".into(), NotASequence::Port("65536".into())),
                "config: section a: port 65536 is invalid".into(),
            ),
            (
                Wording::Sequence("a b".into(), NotASequence::Protocol),
                "config: section a b: unknown protocol in knock sequence".into(),
            ),
            (
                Wording::Sequence(long.clone(), NotASequence::TooMany),
                format!("config: section {shown}: too many ports in knock sequence"),
            ),
            (Wording::Empty("a".into()), "error: section 'a' has an empty knock sequence".into()),
            (Wording::Empty(long), format!("error: section '{shown}' has an empty knock sequence")),
            (file("/x", libc::ENOENT), "/x: No such file or directory".into()),
            (file("", libc::ENOENT), "No such file or directory".into()),
            (file("/", libc::EISDIR), "/: Is a directory".into()),
            (
                Wording::Filter("invalid IPv4 address '300.1'".into()),
                "pcap_compile: invalid IPv4 address '300.1'".into(),
            ),
        ] {
            assert_eq!(wording.printed(7), printed);
        }
    }

    #[test]
    fn remarks_are_bounded() {
        let mut complaints = Complaints::new(Path::new("f"));
        for line in (1..=MAX_REMARKS * 2).rev() {
            complaints.warn(line, "weak", None);
            complaints.fault(line, &Wording::Syntax, "wrong", "mend it");
        }
        let faults = complaints.finish().unwrap_err();
        assert_eq!(faults.knockd_says, format!("config: line {}: syntax error", MAX_REMARKS * 2));
        let told = faults.faults.into_vec();
        assert_eq!((told.len(), told[0].what.as_str()), (MAX_REMARKS + 1, "and more, which are not told"));
    }

    #[test]
    fn names_are_cut_between_characters() {
        assert_eq!(cut("aé", 3), "aé");
        assert_eq!(cut("aé", 2), "a");
        assert_eq!(cut("", 2), "");
    }
}
