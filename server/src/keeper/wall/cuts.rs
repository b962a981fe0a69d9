//! What is established counts for nothing where flows were cut, until it is opened again.

use knock_spa_proto::element::Element;

use super::cut_off::CUT_FOR;
use super::{Opened, Wall};
use crate::io::clock;
use crate::nft::Guard;

impl Wall {
    /// What a daemon before this one has cut stays so: the kernel has kept it.
    pub(super) fn remember_cut(&mut self, guard: &mut Guard, open: &[Opened]) {
        match guard.cut_off() {
            Ok(cut) => self.cut_off.remember(cut, clock::now().boot),
            Err(error) => {
                tracing::error!(event = "cuts-unknown", %error, "what was cut before may live again");
            }
        }
        self.cut_off.forget(open.iter().map(|(element, _)| *element));
    }

    /// Has nothing established count for these elements, until they are opened again; false where only building the
    /// guard anew can help.
    pub(in crate::keeper) fn cut(&mut self, elements: &[Element]) -> bool {
        let cut: Vec<_> = elements.iter().map(|element| (*element, CUT_FOR)).collect();
        self.cut_off.remember(cut.iter().copied(), clock::now().boot);
        self.change(|guard| guard.cut(&cut))
    }

    /// What is established counts again for what is opened.
    pub(super) fn uncut(&mut self, elements: &[Opened]) {
        let again = self.cut_off.forget(elements.iter().map(|(element, _)| *element));
        if again.is_empty() {
            return;
        }
        let done = self.standing.as_mut().map_or(Ok(()), |standing| standing.guard.uncut(&again));
        if let Err(error) = done {
            tracing::error!(event = "guard-failed", %error, "sessions may end with their openings");
        }
    }
}
