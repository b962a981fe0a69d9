//! Whose flows were cut: what is established counts for nothing there, until it is opened again.

use std::time::Duration;

use knock_spa_proto::element::Element;

use super::{Opened, Wall};
use crate::io::clock;
use crate::nft::{self, Guard, NftError};

/// For how long nothing established counts after a cut: as long as connection tracking remembers an idle flow by
/// default, and longer than either end holds on to one that is dead.
const CUT_FOR: Duration = Duration::from_secs(432_000);

impl Wall {
    /// What a daemon before this one has cut stays so: the kernel has kept it.
    pub(super) fn remember_cut(&mut self, guard: &mut Guard, open: &[Opened]) {
        let now = clock::now().boot;
        match guard.cut_off() {
            Ok(cut) => {
                let until = |left| now.saturating_add(left);
                self.cut.extend(cut.into_iter().map(|(element, left)| (element, until(left))));
            }
            Err(error) => {
                tracing::error!(event = "cuts-unknown", %error, "what was cut before may live again");
            }
        }
        open.iter().for_each(|(element, _)| {
            self.cut.remove(element);
        });
    }

    /// Has nothing established count for these elements, until they are opened again.
    pub(in crate::keeper) fn cut(&mut self, elements: &[Element]) -> Result<(), NftError> {
        let now = clock::now().boot;
        self.cut.retain(|_, until| *until > now);
        self.cut.extend(elements.iter().map(|element| (*element, now.saturating_add(CUT_FOR))));
        self.forget_oldest_cuts();
        let Some(standing) = &mut self.standing else { return Ok(()) };
        let cut: Vec<_> = elements.iter().map(|element| (*element, CUT_FOR)).collect();
        standing.guard.cut(&cut)
    }

    /// No more than the guard's sets hold is remembered.
    fn forget_oldest_cuts(&mut self) {
        let excess = self.cut.len().saturating_sub(usize::try_from(nft::ELEMENTS_MAX).unwrap_or(usize::MAX));
        let mut by_end: Vec<_> = self.cut.iter().map(|(element, until)| (*until, *element)).collect();
        by_end.sort_unstable();
        for (_, element) in by_end.into_iter().take(excess) {
            self.cut.remove(&element);
        }
    }

    /// What is established counts again for what is opened.
    pub(super) fn uncut(&mut self, elements: &[Opened]) {
        let again = elements.iter().map(|(element, _)| *element);
        let again: Vec<_> = again.filter(|element| self.cut.remove(element).is_some()).collect();
        if again.is_empty() {
            return;
        }
        let done = self.standing.as_mut().map_or(Ok(()), |standing| standing.guard.uncut(&again));
        if let Err(error) = done {
            tracing::error!(event = "guard-failed", %error, "sessions may end with their openings");
        }
    }

    /// What is cut now, and for how much longer.
    pub(super) fn cut_now(&self) -> Vec<(Element, Duration)> {
        let now = clock::now().boot;
        let left = self.cut.iter().map(|(element, until)| (*element, until.saturating_since(now)));
        left.filter(|(_, left)| !left.is_zero()).collect()
    }
}
