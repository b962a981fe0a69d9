//! What is to be removed from sets, and could not be yet.

use std::collections::{BTreeMap, BTreeSet};

use knock_spa_engine::admit::effect::SetEntry;
use knock_spa_engine::set::SetName;
use knock_spa_proto::address::Address;
use knock_spa_proto::port::ServicePort;

/// Ports of addresses, by the set that may still have them.
#[derive(Debug, Default)]
pub(super) struct Owed(BTreeMap<(SetName, Address), BTreeSet<ServicePort>>);

impl Owed {
    /// At most so many addresses: as many as all openings can have. Beyond that the kernel's timeouts must do.
    const MAX: usize = 1 << 16;

    /// Takes note of what became of these entries: what was to be shut is done, or owed; what is open is not to be shut.
    pub(super) fn settle(&mut self, entries: &[SetEntry], done: bool) {
        for SetEntry { set, address, open, shut } in entries {
            let place = (set.clone(), *address);
            let mut ports = self.0.remove(&place).unwrap_or_default();
            if done {
                ports.retain(|port| !shut.contains(port));
            } else {
                ports.extend(shut.iter().copied());
            }
            ports.retain(|port| open.iter().all(|(open, _)| open != port));
            if !ports.is_empty() && self.0.len() < Self::MAX {
                self.0.insert(place, ports);
            }
        }
    }

    /// What is owed to a set.
    pub(super) fn of(&self, set: &SetName) -> Vec<SetEntry> {
        let those = self.0.iter().filter(|((of, _), _)| of == set);
        let entry = |((set, address), ports): (&(SetName, Address), &BTreeSet<ServicePort>)| SetEntry {
            set: set.clone(),
            address: *address,
            open: Vec::new(),
            shut: ports.iter().copied().collect(),
        };
        those.map(entry).collect()
    }

    /// The sets that something is owed to.
    pub(super) fn sets(&self) -> impl Iterator<Item = &SetName> {
        self.0.keys().map(|(set, _)| set)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_could_not_be_shut_is_owed_until_it_is_or_is_open_again() {
        let set: SetName = "inet f s".parse().unwrap();
        let port = |text: &str| text.parse::<ServicePort>().unwrap();
        let entry = |open: &[&str], shut: &[&str]| SetEntry {
            set: set.clone(),
            address: Address::new("192.0.2.7".parse().unwrap()),
            open: open.iter().map(|text| (port(text), None)).collect(),
            shut: shut.iter().map(|text| port(text)).collect(),
        };
        let mut owed = Owed::default();
        owed.settle(&[entry(&[], &["tcp/1", "tcp/2", "tcp/3"])], false);
        owed.settle(&[entry(&["tcp/4"], &["tcp/1"])], true);
        owed.settle(&[entry(&["tcp/2"], &[])], false);
        assert_eq!(owed.of(&set), [entry(&[], &["tcp/3"])]);
        assert_eq!(owed.sets().collect::<Vec<_>>(), [&set]);
        owed.settle(&owed.of(&set), true);
        assert_eq!(owed.sets().count(), 0);
    }
}
