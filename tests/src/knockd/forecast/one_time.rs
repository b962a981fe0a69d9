//! What should become of sequences that are good for one time.

use std::mem;

use super::World;
use crate::knockd::dialect::Report;
use crate::knockd::model::Faults;
use crate::knockd::outcome::End;
use crate::knockd::{one_time, sequence};

impl World<'_> {
    /// Strikes out the sequence that was used, and goes on to the next.
    pub(super) fn rotate(&mut self, door: usize) {
        let Some(running) = &mut self.running else { return };
        let Some(path) = running.doors[door].one_time.clone() else { return };
        let text = self.files.entry(path).or_default();
        let (first, line) =
            one_time::written(text).next().map_or((None, ""), |(start, line)| (Some(start), line));
        let (used, slip) = match self.faults {
            Faults::Kept => (first, sequence::parse(line).err()),
            Faults::Mended => (one_time::first_usable(text).1.map(|(start, _)| start), None),
        };
        let was_replaced = mem::take(&mut running.doors[door].is_replaced);
        if let Some(start) = used.filter(|_| !was_replaced) {
            text.replace_range(start..=start, "#");
        }
        let (flaws, next) = one_time::first_usable(text);
        let flaws: Vec<_> = slip.into_iter().chain(flaws).collect();
        let name = running.names[door].clone();
        match next {
            Some((_, next)) => running.model.replace_sequence(door, next),
            None => running.model.disable(door),
        }
        let is_exhausted = running.model.is_disabled(door);
        self.report(flaws.iter().map(|flaw| Report::of_flaw(flaw, &name)).collect(), true);
        if is_exhausted {
            self.exhaust(&name);
        }
    }

    fn exhaust(&mut self, name: &str) {
        self.report(vec![Report::of_exhaustion(name)], true);
        if self.faults == Faults::Kept {
            self.running = None;
            self.end = End::Signalled(6);
        }
    }
}
