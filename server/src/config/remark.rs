//! What is wrong with a file, or weak, and where.

use std::fmt;
use std::path::{Path, PathBuf};

use crate::files::FileError;

/// A remark on one place of a file, shown as `FILE:LINE: what` and an indented hint.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Remark {
    /// The file.
    pub file: PathBuf,
    /// The line, from 1; absent where the remark is on the file as such, and `what` names it.
    pub line: Option<usize>,
    /// What is wrong or weak.
    pub what: String,
    /// How to mend it: allowed values, a command.
    pub hint: Option<String>,
}

impl Remark {
    /// The remark that a file can't be used at all.
    #[must_use]
    pub fn on_file(file: &Path, error: &FileError) -> Self {
        Self { file: file.to_owned(), line: None, what: error.to_string(), hint: error.hint() }
    }

    /// The remark with a word before what it says: `FILE:LINE: warning: what`.
    #[must_use]
    pub fn labelled(&self, label: &str) -> Self {
        Self { what: format!("{label}: {}", self.what), ..self.clone() }
    }
}

impl fmt::Display for Remark {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.line.iter().try_for_each(|line| write!(f, "{}:{line}: ", self.file.display()))?;
        f.write_str(&self.what)?;
        self.hint.iter().try_for_each(|hint| write!(f, "\n  {hint}"))
    }
}

/// All that is wrong with one file or several: at least one fault, in the order of the files' lines.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Faults(Vec<Remark>);

impl Faults {
    /// `value`, unless there are faults.
    ///
    /// # Errors
    /// [`Faults`] where `found` is not empty.
    pub fn unless_any<T>(mut found: Vec<Remark>, value: T) -> Result<T, Self> {
        if found.is_empty() {
            return Ok(value);
        }
        found.sort_by(|one, other| (&one.file, one.line).cmp(&(&other.file, other.line)));
        Err(Self(found))
    }

    /// One fault.
    #[must_use]
    pub fn one(fault: Remark) -> Self {
        Self(vec![fault])
    }

    /// The faults, at least one.
    pub fn iter(&self) -> std::slice::Iter<'_, Remark> {
        self.0.iter()
    }

    /// The faults themselves.
    #[must_use]
    pub fn into_vec(self) -> Vec<Remark> {
        self.0
    }
}

impl fmt::Display for Faults {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (i, fault) in self.0.iter().enumerate() {
            let separator = if i == 0 { "" } else { "\n" };
            write!(f, "{separator}{fault}")?;
        }
        Ok(())
    }
}

impl std::error::Error for Faults {}
