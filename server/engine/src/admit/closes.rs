//! Stop commands that have not done their work yet, as `status` shows them.

use alloc::string::String;

use knock_spa_proto::address::Address;
use knock_spa_proto::port::ServicePort;
use knock_spa_proto::time::BootTime;

use super::Admit;
use super::effect::Ended;

/// What is over and not closed yet.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CloseStatus {
    /// The door's name.
    pub door: String,
    /// For whom it was open.
    pub address: Address,
    /// The port, where its commands are for one.
    pub port: Option<ServicePort>,
    /// How far it is.
    pub state: CloseState,
    /// How the stop command ended last, where it failed.
    pub failed: Option<Ended>,
}

/// How far a close is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CloseState {
    /// The stop command runs, or is about to.
    Running,
    /// It failed, and runs again then.
    RetryAt(BootTime),
    /// It failed too often: somebody must look.
    NeedsAttention,
}

impl Admit {
    /// What is over and not closed yet: doors of our own first.
    pub fn closes(&self) -> impl Iterator<Item = CloseStatus> {
        self.holds.closes().chain(self.runs.closes())
    }
}
