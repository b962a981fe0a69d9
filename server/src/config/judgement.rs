//! When a sequence, or a file that holds one, is weak: one opinion for all dialects.

use std::collections::BTreeMap;

use knock_spa_proto::knock::Step;

/// With fewer steps, somebody who tries ports at random soon hits them all.
const FEW_STEPS: usize = 3;

/// What helps against [`why_guessable`].
pub(super) const GUESSABLE_HINT: &str = "take four or more ports in no order, none of them twice";
/// What helps against [`Beginnings`].
pub(super) const BEGINNING_HINT: &str = "let sequences differ from the first step on";

/// Why strangers may find this sequence, if they may.
pub(super) fn why_guessable(steps: &[Step]) -> Option<&'static str> {
    let ports: Vec<_> = steps.iter().map(|step| step.port).collect();
    let repeated = |(i, step)| steps.iter().take(i).any(|earlier| earlier == step);
    if steps.len() < FEW_STEPS {
        Some("it has fewer than 3 steps")
    } else if steps.iter().enumerate().any(repeated) {
        Some("a port stands in it twice")
    } else if ports.is_sorted() {
        Some("its ports ascend, as in a scan")
    } else {
        None
    }
}

/// The beginnings of sequences, each with the first door that has it. Who sees the knock for one door knows the
/// beginning of another's.
#[derive(Debug)]
pub(super) struct Beginnings<N> {
    doors: BTreeMap<Vec<Step>, N>,
}

impl<N: Copy> Beginnings<N> {
    /// None yet.
    pub(super) const fn new() -> Self {
        Self { doors: BTreeMap::new() }
    }

    /// Adds the sequence of a door. The most steps that it begins with as an earlier one does, and that door.
    pub(super) fn add(&mut self, steps: &[Step], door: N) -> Option<(usize, N)> {
        let beginnings = || (1..=steps.len()).rev().filter_map(|len| steps.get(..len));
        let shared = beginnings().find_map(|beginning| Some((beginning.len(), *self.doors.get(beginning)?)));
        for beginning in beginnings() {
            self.doors.entry(beginning.to_vec()).or_insert(door);
        }
        shared
    }
}

/// What is wrong with a file of these permission bits that holds sequences, and what helps.
pub(super) const fn why_readable(mode: u32) -> Option<(&'static str, &'static str)> {
    if mode & 0o004 == 0 {
        return None;
    }
    Some(("everybody on this host can read this file, and it holds a sequence", "chmod 640 or 600"))
}

/// What is wrong with a file of these permission bits that says what is run, and what helps.
pub(super) const fn why_writable(mode: u32) -> Option<(&'static str, &'static str)> {
    if mode & 0o022 == 0 {
        return None;
    }
    Some((
        "others than its owner can write this file, and so run commands as the daemon",
        "chmod 644 or less",
    ))
}
