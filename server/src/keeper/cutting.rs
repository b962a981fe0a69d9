//! Flows that end with what let them in.

use std::io;

use knock_spa_proto::control::{Cut, GuardStatus};
use knock_spa_proto::element::Element;

use super::Keeper;
use super::wall::Wall;
use crate::conntrack;
use crate::io::process::Started;

impl<L: FnMut() -> io::Result<Started>> Keeper<L> {
    /// Ends the flows to these elements: the guard takes nothing for established any more that comes from there, and
    /// connection tracking forgets them.
    pub(super) fn cut(&mut self, elements: &[Element]) {
        // In this order, so that no flow comes back in between.
        if self.wall.as_mut().is_some_and(|wall| !wall.cut(elements)) {
            self.build_wall();
        }
        if let Some(GuardStatus::Failed { why }) = self.wall.as_ref().map(Wall::status) {
            self.tell_not_cut(format!("the guard can't shut what is established: {why}"));
        }
        match conntrack::forget(elements, self.admit.own()) {
            Ok(connections) => {
                tracing::info!(event = "cut", connections, elements = elements.len());
                self.cut.connections = self.cut.connections.saturating_add(connections);
            }
            Err(error) => self.tell_not_cut(format!("connection tracking can't forget connections: {error}")),
        }
    }

    fn tell_not_cut(&mut self, why: String) {
        tracing::error!(event = "cut-failed", why, "connections may live on");
        self.cut.faults.push(why);
    }

    /// What became of the flows that were to end since this was asked last.
    pub(super) fn take_cut(&mut self) -> Cut {
        Cut { later: self.admit.cuts_to_come(), ..std::mem::take(&mut self.cut) }
    }
}
