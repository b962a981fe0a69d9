//! Files of sequences that are each good for one time.

use super::sequence::{self, Element, Flaw, trim};

/// The first sequence of a file that is still to be used, the place where its line begins, and the flaws of
/// lines before it.
#[must_use]
pub fn first_usable(text: &str) -> (Vec<Flaw>, Option<(usize, Vec<Element>)>) {
    let mut flaws = Vec::new();
    for (start, line) in written(text) {
        match sequence::parse(line) {
            Ok(sequence) => return (flaws, Some((start, sequence))),
            Err(flaw) => flaws.push(flaw),
        }
    }
    (flaws, None)
}

/// The lines of a file of sequences that are neither empty nor comments, and where they begin.
pub fn written(text: &str) -> impl Iterator<Item = (usize, &str)> {
    let starts = text.split_inclusive('\n').scan(0, |at, line| {
        *at += line.len();
        Some((*at - line.len(), trim(line)))
    });
    starts.filter(|(_, line)| !line.is_empty() && !line.starts_with('#'))
}
