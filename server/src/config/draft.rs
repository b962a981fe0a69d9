//! What a configuration file says, value by value, before it is judged as a whole.

use std::num::{NonZeroU16, NonZeroU32};
use std::path::PathBuf;
use std::time::Duration;

use knock_spa_engine::command::CommandAction;
use knock_spa_engine::knockd::Again;
use knock_spa_engine::rules::{Lease, OnStop};
use knock_spa_engine::set::SetAction;
use knock_spa_proto::address::Address;
use knock_spa_proto::interface::InterfaceName;
use knock_spa_proto::knock::{FlagRule, Repeats, Step};
use knock_spa_proto::port::ServicePort;
use knock_spa_proto::service::ServiceName;

use crate::config::settings::{CaptureMode, GuardStart};
use crate::config::table::{At, Given};
use crate::nft::Trusted;

/// A whole file.
#[derive(Debug)]
pub(super) struct Draft {
    /// `[listen]`.
    pub listen: ListenDraft,
    /// `[paths]`.
    pub paths: PathsDraft,
    /// `[spa]`.
    pub spa: SpaSectionDraft,
    /// `[guard]`.
    pub guard: GuardDraft,
    /// `[door.NAME]`, each at its first line.
    pub doors: Vec<At<DoorDraft>>,
    /// `[knockd]`.
    pub knockd: KnockdDraft,
    /// `[log]`.
    pub log: LogDraft,
    /// `[audit] file`: an absolute path.
    pub audit: Given<PathBuf>,
}

/// `[listen]`.
#[derive(Debug)]
pub(super) struct ListenDraft {
    /// By name; never empty where given.
    pub interfaces: Given<Vec<At<InterfaceName>>>,
    /// 1 to 65535.
    pub spa_port: Given<NonZeroU16>,
    /// How packets are heard.
    pub capture: Given<CaptureMode>,
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

/// `[spa]`.
#[derive(Debug)]
pub(super) struct SpaSectionDraft {
    /// How far a packet's time may be from now.
    pub window: Given<Duration>,
    /// Whether it is said whose clock is wrong.
    pub explain: Given<bool>,
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
    /// The good ones of its other names.
    pub aliases: Given<Vec<At<ServiceName>>>,
    /// The good ones of its ports; absent also where the list is empty.
    pub ports: Given<Vec<At<ServicePort>>>,
    /// The default lease.
    pub open_for: Given<Lease>,
    /// The longest lease.
    pub max_open: Given<Lease>,
    /// How many openings it may have at a time.
    pub max_openings: Given<NonZeroU32>,
    /// Whether connections end with the opening.
    pub cut: Given<bool>,
    /// What opening does.
    pub action: Given<ActionDraft>,
    /// What becomes of openings when the daemon stops.
    pub on_stop: Given<OnStop>,
    /// The classic knock.
    pub knock: KnockDraft,
    /// For the whole sequence.
    pub sequence_timeout: Given<Duration>,
}

/// What doors of both kinds say of their classic knock.
#[derive(Debug)]
pub(super) struct KnockDraft {
    /// The good ones of its steps.
    pub sequence: Given<Vec<At<Step>>>,
    /// Which TCP segments count.
    pub tcp_flags: Given<FlagRule>,
    /// The address to knock at.
    pub target: Given<Address>,
    /// The file of sequences that are good once only.
    pub one_time: Given<PathBuf>,
    /// What repeated hits do.
    pub repeats: Given<Repeats>,
    /// For how long it does not open again.
    pub cooldown: Given<Duration>,
}

/// `action`.
#[derive(Debug)]
pub(super) enum ActionDraft {
    /// `"guard"`.
    Guard,
    /// `{ set4 = …, set6 = … }`; nothing where a part of it was complained of.
    Set(Option<SetAction>),
    /// `{ start = …, … }`; nothing where a part of it was complained of.
    Command(Option<CommandAction>),
}

/// `[knockd]`.
#[derive(Debug)]
pub(super) struct KnockdDraft {
    /// A file in knockd's dialect.
    pub include: Given<PathBuf>,
    /// `[[knockd.door]]`, each at its first line.
    pub doors: Vec<At<KnockdDoorDraft>>,
}

/// One `[[knockd.door]]`.
#[derive(Debug)]
pub(super) struct KnockdDoorDraft {
    /// Any text.
    pub name: Given<String>,
    /// What opens it.
    pub knock: KnockDraft,
    /// For the whole sequence, as knockd counts.
    pub sequence_seconds: Given<u32>,
    /// What it runs.
    pub commands: KnockdCommandsDraft,
    /// By what name and for which ports enrolled clients run the same.
    pub spa: Given<SpaDraft>,
}

/// What a `[[knockd.door]]` runs.
#[derive(Debug)]
pub(super) struct KnockdCommandsDraft {
    /// Opens.
    pub start: Given<String>,
    /// Closes again.
    pub stop: Given<String>,
    /// Opens for an IPv6 address.
    pub start6: Given<String>,
    /// Closes for an IPv6 address.
    pub stop6: Given<String>,
    /// When it closes again; never where there is nothing within.
    pub stop_after: Given<Option<Duration>>,
    /// What another knock does meanwhile.
    pub again: Given<Again>,
}

impl KnockdCommandsDraft {
    /// Whether any knock has something run, or was meant to.
    pub(super) fn run_something(&self) -> bool {
        [&self.start, &self.start6].into_iter().any(is_something)
    }

    /// Whether there is a command that clients could have run, or was meant to be one.
    pub(super) fn are_for_clients(&self) -> bool {
        is_something(&self.start)
    }
}

fn is_something(command: &Given<String>) -> bool {
    match command {
        Given::Absent => false,
        Given::Faulty => true,
        Given::Value(at) => !at.value.is_empty(),
    }
}

/// `spa`.
#[derive(Debug)]
pub(super) struct SpaDraft {
    /// The name that clients use.
    pub name: At<ServiceName>,
    /// At least one, unless a wrong one was complained of.
    pub ports: Vec<At<ServicePort>>,
}

/// `[log]`.
#[derive(Debug)]
pub(super) struct LogDraft {
    /// The file that it is appended to.
    pub file: Given<PathBuf>,
    /// Whether it goes to syslog.
    pub syslog: Given<bool>,
}
