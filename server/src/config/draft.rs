//! What a configuration file says, value by value, before it is judged as a whole.

use std::num::NonZeroU16;
use std::path::PathBuf;
use std::time::Duration;

use knock_spa_engine::command::CommandAction;
use knock_spa_engine::rules::Lease;
use knock_spa_proto::interface::InterfaceName;
use knock_spa_proto::knock::{FlagRule, Step};
use knock_spa_proto::port::ServicePort;
use knock_spa_proto::service::ServiceName;

use crate::config::settings::GuardStart;
use crate::config::table::{At, Given};
use crate::nft::Trusted;

/// A whole file.
#[derive(Debug)]
pub(super) struct Draft {
    /// `[listen]`.
    pub listen: ListenDraft,
    /// `[paths]`.
    pub paths: PathsDraft,
    /// `[spa] window`.
    pub window: Given<Duration>,
    /// `[guard]`.
    pub guard: GuardDraft,
    /// `[door.NAME]`, each at its first line.
    pub doors: Vec<At<DoorDraft>>,
}

/// `[listen]`.
#[derive(Debug)]
pub(super) struct ListenDraft {
    /// By name; never empty where given.
    pub interfaces: Given<Vec<At<InterfaceName>>>,
    /// 1 to 65535.
    pub spa_port: Given<NonZeroU16>,
}

/// `[paths]`: absolute ones.
#[derive(Debug)]
pub(super) struct PathsDraft {
    /// The server's key.
    pub key: Given<PathBuf>,
    /// The directory of the clients' files.
    pub clients: Given<PathBuf>,
    /// Where the daemon keeps what must survive a boot.
    pub state: Given<PathBuf>,
    /// Where it keeps what must not.
    pub runtime: Given<PathBuf>,
}

/// `[guard]`.
#[derive(Debug)]
pub(super) struct GuardDraft {
    /// When the guard goes up.
    pub start: Given<GuardStart>,
    /// Whom it never drops.
    pub trusted: Given<Vec<At<Trusted>>>,
}

/// One `[door.NAME]`.
#[derive(Debug)]
pub(super) struct DoorDraft {
    /// NAME.
    pub name: ServiceName,
    /// The good ones of its ports; absent also where the list is empty.
    pub ports: Given<Vec<At<ServicePort>>>,
    /// The default lease.
    pub open_for: Given<Lease>,
    /// The longest lease.
    pub max_open: Given<Lease>,
    /// What opening does.
    pub action: Given<ActionDraft>,
    /// The good ones of its steps.
    pub sequence: Given<Vec<At<Step>>>,
    /// For the whole sequence.
    pub sequence_timeout: Given<Duration>,
    /// Which TCP segments count.
    pub tcp_flags: Given<FlagRule>,
}

/// `action`.
#[derive(Debug)]
pub(super) enum ActionDraft {
    /// `"guard"`.
    Guard,
    /// `{ start = …, … }`; nothing where a part of it was complained of.
    Command(Option<CommandAction>),
}
