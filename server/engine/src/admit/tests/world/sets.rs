//! The administrator's own sets: by name, an address alone or with a port, each until some time.

use super::*;
use crate::admit::effect::SetEntry;

/// A key of a set.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Key {
    Address(Address),
    Port(Element),
}

impl Key {
    /// The key of sets of this name: those whose name ends with `any` have addresses alone.
    fn of(set: &str, element: Element) -> Self {
        if set.ends_with("any") { Self::Address(element.address) } else { Self::Port(element) }
    }
}

#[derive(Debug, Default)]
pub(crate) struct Sets(BTreeMap<(String, Key), BootTime>);

impl Sets {
    /// Does to the kernel's elements what the shell does: what is open until its latest end, what is shut only where it
    /// is not open.
    pub(crate) fn fill(&mut self, entry: &SetEntry, now: BootTime) {
        let set = entry.set.to_string();
        let at = |port: ServicePort| (set.clone(), Key::of(&set, Element { address: entry.address, port }));
        for port in &entry.shut {
            self.0.remove(&at(*port));
        }
        let mut ends = BTreeMap::new();
        for (port, left) in &entry.open {
            let end = left.map_or(BootTime::from_nanos(u64::MAX), |left| now.saturating_add(left));
            let latest = ends.entry(at(*port)).or_insert(end);
            *latest = end.max(*latest);
        }
        self.0.extend(ends);
    }

    /// Everything that is there as `SET: KEY`, with the time that is left to it.
    pub(crate) fn all(&self, now: BootTime) -> BTreeMap<String, Duration> {
        let text = |(set, key): &(String, Key)| match key {
            Key::Address(address) => format!("{set}: {address}"),
            Key::Port(Element { address, port }) => format!("{set}: {address} {port}"),
        };
        let all = self.0.iter().map(|(key, end)| (text(key), end.saturating_since(now)));
        all.filter(|(_, left)| *left > Duration::ZERO).collect()
    }
}
