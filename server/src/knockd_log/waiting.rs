//! Lines that wait for names.

use std::collections::VecDeque;
use std::mem;

use jiff::civil::DateTime;
use knock_spa_engine::knockd::Said;
use knock_spa_proto::address::Address;

use super::names::{HostName, Known};

/// Lines that wait at most; the oldest goes without a name where there are more.
const MAX_WAITING: usize = 256;

/// Lines in the order in which they came. Those of an address stay in that order, and one that is of no address comes
/// after all that were before it; others overtake.
#[derive(Debug, Default)]
pub(super) struct Waiting(VecDeque<(Said, DateTime)>);

/// A line that is to be written.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Due {
    pub(super) said: Said,
    pub(super) at: DateTime,
    pub(super) name: Option<HostName>,
}

impl Waiting {
    pub(super) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    pub(super) fn push(&mut self, said: &Said, at: DateTime) {
        self.0.push_back((said.clone(), at));
    }

    /// Takes the lines that need not wait any more.
    pub(super) fn take(&mut self, mut name_of: impl FnMut(Address) -> Known) -> Vec<Due> {
        let mut excess = self.0.len().saturating_sub(MAX_WAITING);
        let mut due = Vec::new();
        for (said, at) in mem::take(&mut self.0) {
            let known = match source(&said) {
                Some(address) => name_of(address),
                None if self.0.is_empty() => Known::Name(None),
                None => Known::NotYet,
            };
            let name = match known {
                Known::Name(name) => name,
                Known::NotYet if excess > 0 => None,
                Known::NotYet => {
                    self.0.push_back((said, at));
                    continue;
                }
            };
            excess = excess.saturating_sub(1);
            due.push(Due { said, at, name });
        }
        due
    }
}

/// Whose line it is.
const fn source(said: &Said) -> Option<Address> {
    match said {
        Said::Stage { from, .. }
        | Said::OpenSesame { from, .. }
        | Said::SequenceTimeout { from, .. }
        | Said::CommandTimeout { from, .. } => Some(*from),
        Said::Running { .. }
        | Said::NonZero { .. }
        | Said::StartTooLong
        | Said::StopTooLong
        | Said::NotStarted
        | Said::NoMoreSequences { .. } => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn stage(from: Address) -> Said {
        Said::Stage { door: "ssh".into(), from, stage: 1 }
    }

    fn taken(waiting: &mut Waiting, awaited: &[Address]) -> Vec<Said> {
        let known = |address| if awaited.contains(&address) { Known::NotYet } else { Known::Name(None) };
        waiting.take(known).into_iter().map(|line| line.said).collect()
    }

    #[test]
    fn lines_overtake_others_and_not_their_own() {
        let [one, two]: [Address; 2] = ["192.0.2.1", "192.0.2.2"].map(|text| text.parse().unwrap());
        let ran = Said::NonZero { door: "ssh".into(), status: 1 };
        let mut waiting = Waiting::default();
        for said in [stage(one), stage(two), stage(one), ran.clone(), stage(two)] {
            waiting.push(&said, DateTime::MIN);
        }
        assert_eq!(taken(&mut waiting, &[one]), [stage(two), stage(two)]);
        assert_eq!(taken(&mut waiting, &[two]), [stage(one), stage(one), ran]);
        assert!(waiting.is_empty());
    }

    #[test]
    fn of_too_many_the_oldest_go() {
        let one = "192.0.2.1".parse().unwrap();
        let mut waiting = Waiting::default();
        (0..=MAX_WAITING).for_each(|_| waiting.push(&stage(one), DateTime::MIN));
        assert_eq!(taken(&mut waiting, &[one]), [stage(one)]);
        assert_eq!(taken(&mut waiting, &[one]), []);
    }
}
