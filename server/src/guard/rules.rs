//! What the guard is to hold besides openings, and a copy of it that outlives a broken configuration.

use std::collections::BTreeSet;
use std::fmt;
use std::path::Path;
use std::str::FromStr;

use knock_spa_engine::rules::Action;
use knock_spa_proto::port::{ServicePort, Transport};

use crate::config::settings::{CaptureMode, GuardStart, Settings};
use crate::files::{self, FileError};
use crate::nft::Trusted;

/// What the guard is to hold besides openings.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct GuardRules {
    /// When it goes up.
    pub start: GuardStart,
    /// The ports that it shuts: those of its doors, and the SPA port, so that not even the kernel answers there. None
    /// where no door needs it.
    pub doors: BTreeSet<ServicePort>,
    /// Whom it never drops.
    pub trusted: Vec<Trusted>,
}

impl GuardRules {
    /// Those of a configuration.
    #[must_use]
    pub fn of(settings: &Settings) -> Self {
        let doors = settings.doors.iter().filter(|door| door.action == Action::Guard);
        // What is captured need not pass, so that not even the kernel answers there. A socket that is bound to the port
        // gets nothing that the guard drops, and keeps the kernel from answering by itself.
        let is_captured = settings.listen.capture == CaptureMode::Packet;
        let spa = settings.listen.spa_port.map(|port| ServicePort { transport: Transport::Udp, port });
        let spa = spa.filter(|_| settings.has_guard() && is_captured);
        Self {
            start: settings.guard.start,
            doors: doors.flat_map(|door| door.ports.iter().copied()).chain(spa).collect(),
            trusted: settings.guard.trusted.clone(),
        }
    }

    /// Whether there is anything to shut.
    #[must_use]
    pub fn are_needed(&self) -> bool {
        !self.doors.is_empty()
    }
}

/// The first line of the copy: its kind and version.
const KIND: &str = "knock-spa-guard-rules-v1";

/// Longer than the copy of the largest rules, in bytes.
const MAX_LEN: u64 = 64 << 10;

/// The words for [`GuardStart`], as in the configuration.
const STARTS: [(&str, GuardStart); 2] = [("on", GuardStart::On), ("confirmed", GuardStart::Confirmed)];

impl fmt::Display for GuardRules {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "{KIND}")?;
        for (word, _) in STARTS.iter().filter(|(_, start)| *start == self.start) {
            writeln!(f, "start {word}")?;
        }
        self.doors.iter().try_for_each(|door| writeln!(f, "door {door}"))?;
        self.trusted.iter().try_for_each(|trusted| writeln!(f, "trusted {trusted}"))?;
        writeln!(f, "end")
    }
}

/// Not a copy that this version wrote.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("not a copy of the guard's rules of this version")]
pub struct NotGuardRules;

impl FromStr for GuardRules {
    type Err = NotGuardRules;

    fn from_str(text: &str) -> Result<Self, NotGuardRules> {
        let body = text.strip_prefix(KIND).and_then(|rest| rest.strip_prefix('\n'));
        let body = body.and_then(|rest| rest.strip_suffix("end\n")).ok_or(NotGuardRules)?;
        let mut rules = Self::default();
        for line in body.lines() {
            let (word, value) = line.split_once(' ').ok_or(NotGuardRules)?;
            match word {
                "start" => {
                    let start = STARTS.iter().find(|(name, _)| *name == value).ok_or(NotGuardRules)?;
                    rules.start = start.1;
                }
                "door" => {
                    rules.doors.insert(value.parse().map_err(|_| NotGuardRules)?);
                }
                "trusted" => rules.trusted.push(value.parse().map_err(|_| NotGuardRules)?),
                _ => return Err(NotGuardRules),
            }
        }
        Ok(rules)
    }
}

/// Why there is no copy to go by.
#[derive(Debug, thiserror::Error)]
pub enum CopyError {
    /// The file system refused.
    #[error(transparent)]
    File(#[from] FileError),
    /// The file says something that this version does not understand.
    #[error("{0} is {NotGuardRules}")]
    Unknown(String),
}

/// The rules that a daemon last went by; `None` where there was none.
///
/// # Errors
/// [`CopyError`].
pub fn read_copy(state: &Path) -> Result<Option<GuardRules>, CopyError> {
    let path = state.join("guard.rules");
    match files::read_text(&path, MAX_LEN) {
        Ok((text, _mode)) => {
            let rules = text.parse().map_err(|NotGuardRules| CopyError::Unknown(path.display().to_string()));
            rules.map(Some)
        }
        Err(error) if error.is_absent() => Ok(None),
        Err(error) => Err(error.into()),
    }
}

/// Writes the copy, durably.
///
/// # Errors
/// What the file system said.
pub fn write_copy(state: &Path, rules: &GuardRules) -> Result<(), FileError> {
    files::replace(&state.join("guard.rules"), rules.to_string().as_bytes())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rules() -> GuardRules {
        GuardRules {
            start: GuardStart::Confirmed,
            doors: ["tcp/22", "udp/62201"].map(|port| port.parse().unwrap()).into(),
            trusted: ["192.0.2.0/24", "iif wg0"].map(|text| text.parse().unwrap()).into(),
        }
    }

    #[test]
    fn the_copy_is_what_was_last_written() {
        let state = tempfile::tempdir().unwrap();
        assert_eq!(read_copy(state.path()).unwrap(), None);
        for rules in [rules(), GuardRules::default()] {
            write_copy(state.path(), &rules).unwrap();
            assert_eq!(read_copy(state.path()).unwrap(), Some(rules));
        }
    }

    /// A copy that is half there would leave doors open.
    #[test]
    fn nothing_but_a_whole_copy_of_this_version_is_one() {
        let whole = rules().to_string();
        for (len, _) in whole.char_indices() {
            let part: String = whole.chars().take(len).collect();
            assert_eq!(part.parse::<GuardRules>(), Err(NotGuardRules), "{len} bytes");
        }
        for (from, to) in
            [("-v1", "-v2"), ("tcp/22", "tcp/0"), ("start confirmed", "start maybe"), ("door", "gate")]
        {
            assert_eq!(whole.replacen(from, to, 1).parse::<GuardRules>(), Err(NotGuardRules), "{to}");
        }
    }
}
