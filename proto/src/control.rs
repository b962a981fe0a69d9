//! What the administrator's commands and the daemon say to each other on the control socket: one line of JSON each
//! way, and each carries its version.

use alloc::boxed::Box;
use alloc::string::String;
use alloc::vec::Vec;
use core::num::NonZeroU32;

use serde::{Deserialize, Serialize};

/// The version of these messages.
pub const VERSION: u32 = 1;

/// The longest line of either side, in bytes: a status with as many openings as there can be fits.
pub const MAX_LINE: usize = 64 << 20;

/// The longest request, in bytes.
pub const MAX_REQUEST: usize = 4096;

/// A message with its version.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Versioned<T> {
    /// [`VERSION`].
    pub version: u32,
    /// The message.
    #[serde(flatten)]
    pub message: T,
}

impl<T> Versioned<T> {
    /// The message in this version.
    pub const fn new(message: T) -> Self {
        Self { version: VERSION, message }
    }
}

/// What the administrator asks for.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "command", rename_all = "kebab-case")]
pub enum Command {
    /// What is open, and how everything is.
    Status,
    /// Open a door for an address, whoever may.
    Open {
        /// The door's name.
        door: String,
        /// The address.
        address: String,
        /// For how many seconds; for as long as the door opens by itself where absent.
        #[serde(default)]
        seconds: Option<u64>,
        /// Until somebody closes it, instead.
        #[serde(default)]
        forever: bool,
        /// Longer than the door's longest, if need be.
        #[serde(default)]
        beyond: bool,
    },
    /// End the openings that are all of this; where nothing is named, all there are.
    Close {
        /// Of the door of this name.
        #[serde(default)]
        door: Option<String>,
        /// For this address.
        #[serde(default)]
        address: Option<String>,
        /// Of the client of this name.
        #[serde(default)]
        client: Option<String>,
        /// Whether the connections end too that came in through them.
        #[serde(default)]
        cut: bool,
    },
    /// Read the configuration and the clients again.
    Reload,
    /// Draw a new key for the server, and keep the old one beside it for a while.
    KeyRotate {
        /// For how long, in seconds.
        grace: NonZeroU32,
        /// Whether a previous key that lives still ends now; there is no rotation otherwise.
        end_previous: bool,
    },
    /// End the server's previous key.
    KeyRemove,
    /// Read the clients again, and nothing else: whatever the configuration's file says meanwhile, a client that was
    /// removed is out.
    ReloadClients {
        /// The name of the client whose connections end too, where what it had open is allowed no more.
        #[serde(default)]
        cut: Option<String>,
    },
    /// When clients last used their keys.
    LastUses,
    /// Install the guard for a while: it ends by itself, unless it is confirmed.
    GuardTry {
        /// For so many seconds.
        seconds: u64,
    },
    /// Install the guard, and keep it from now on.
    GuardConfirm,
    /// Remove the guard, and do not install it again.
    GuardRemove,
}

/// What the daemon answers.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "reply", rename_all = "kebab-case")]
pub enum Reply {
    /// To [`Command::Status`].
    Status(Box<Status>),
    /// To [`Command::ReloadClients`].
    ClientsReloaded(ClientsReloaded),
    /// To [`Command::LastUses`].
    LastUses {
        /// The keys that were ever used.
        uses: Vec<LastUse>,
    },
    /// It is done.
    Done {
        /// What was done, for a person.
        what: String,
    },
    /// It is not done.
    Failed {
        /// Why, for a person; several lines where several things are wrong.
        why: String,
    },
}

/// When a client's key was last used.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct LastUse {
    /// The key, by its fingerprint.
    pub fingerprint: String,
    /// When the newest packet was made that was proved to be the client's: seconds since the Unix epoch by its clock.
    pub at: u64,
}

/// What came of reading the clients again: whoever has no file any more is out, and each file that can be used holds.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct ClientsReloaded {
    /// The names of clients whose files can't be used: what was in force for them still is.
    pub unusable: Vec<String>,
    /// Why, for a person.
    pub faults: Vec<String>,
    /// What became of the connections that were to end.
    #[serde(default)]
    pub cut: Cut,
}

/// What became of connections that were to end with an opening.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Cut {
    /// So many did.
    pub connections: usize,
    /// For so many openings that follows later: when the commands have run that close them.
    pub later: usize,
    /// Why others may live on, for a person.
    pub faults: Vec<String>,
}

/// The version of [`Status`] as programs read it: another one where a key goes, or means something else.
pub const STATUS_VERSION: u32 = 1;

/// How everything is (`docs/status.md`). Times are seconds since the Unix epoch, spans are seconds.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Status {
    /// What somebody must look at, for a person; nothing where all is well.
    #[serde(default)]
    pub attention: Vec<String>,
    /// The doors, by name.
    pub doors: Vec<DoorStatus>,
    /// The openings in force, the oldest first.
    pub openings: Vec<OpeningStatus>,
    /// What was counted since the daemon started.
    pub counters: Counters,
    /// The latest refusals, the oldest first.
    pub refusals: Vec<RefusalStatus>,
    /// The listener.
    pub listener: ListenerStatus,
    /// The guard.
    pub guard: GuardStatus,
    /// The administrator's own sets that doors open by, by name.
    #[serde(default)]
    pub sets: Vec<SetStatus>,
    /// Whether the last record is safely on disk.
    pub journal: Health,
    /// Commands that should have closed a door, and failed.
    pub failing_closes: FailingCloses,
    /// What is over and not closed yet.
    #[serde(default)]
    pub closes: Vec<CloseStatus>,
    /// The audit log.
    #[serde(default)]
    pub audit: AuditStatus,
    /// Enrolled clients.
    pub clients: usize,
    /// Invitations by which somebody may still enrol.
    #[serde(default)]
    pub invitations: usize,
    /// The doors in knockd's manner, in the order of their files.
    #[serde(default)]
    pub knockd_doors: Vec<KnockdDoorStatus>,
    /// What they have open, and will close again, the oldest first.
    #[serde(default)]
    pub runs: Vec<RunStatus>,
    /// The server's live keys, the current one first; none where no packets are expected.
    #[serde(default)]
    pub server_keys: Vec<KeyStatus>,
    /// What is wrong with the file of the previous key, where that is there and can't be used.
    #[serde(default)]
    pub unusable_previous_key: Option<String>,
}

/// A live key of the server.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct KeyStatus {
    /// What people compare.
    pub fingerprint: String,
    /// When it ends; absent for the current key.
    pub until: Option<u64>,
    /// What came to it; absent where no daemon runs that could know.
    pub usage: Option<KeyUsage>,
}

/// What came to a key since the daemon started.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct KeyUsage {
    /// Requests that were accepted.
    pub accepted: u64,
    /// When the latest of them was.
    pub last_used: Option<u64>,
    /// The clients whose latest request came to it: the first hundred by name.
    pub clients: Vec<String>,
    /// How many more clients those are.
    pub more_clients: usize,
}

/// A set of the administrator's own nftables ruleset.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct SetStatus {
    /// Its name: `FAMILY TABLE SET`.
    pub set: String,
    /// Why it does not hold what it should; absent where it does.
    pub fault: Option<String>,
    /// How often it was filled again after somebody else had changed it.
    pub refilled: u64,
}

/// A door.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct DoorStatus {
    /// Its name.
    pub name: String,
    /// Its ports, such as `tcp/22`.
    pub ports: Vec<String>,
    /// What opens it: `guard`, `set` or `command`.
    pub action: String,
    /// For how many addresses it is open.
    pub open: usize,
}

/// An opening in force.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct OpeningStatus {
    /// The door.
    pub door: String,
    /// The ports that it opens.
    pub ports: Vec<String>,
    /// For whom.
    pub address: String,
    /// Who asked: a client's name, "classic knock" or "administrator".
    pub by: String,
    /// In which way: `spa`, `classic` or `local`.
    #[serde(default)]
    pub origin: String,
    /// The client's name, where it is a client's.
    #[serde(default)]
    pub client: Option<String>,
    /// Since when.
    pub since: u64,
    /// Until when; absent where only somebody's closing ends it.
    #[serde(default)]
    pub until: Option<u64>,
    /// For how long still; absent where only somebody's closing ends it.
    pub left: Option<u64>,
}

/// An opening that is over, and whose stop command has not done its work yet.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct CloseStatus {
    /// The door's name.
    pub door: String,
    /// For whom it was open.
    pub address: String,
    /// The port, where its commands are for one.
    pub port: Option<String>,
    /// How far it is.
    pub state: CloseState,
    /// How the stop command ended last, where it failed.
    pub ended: Option<String>,
    /// When it runs again.
    pub next: Option<u64>,
}

/// How far a close is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum CloseState {
    /// The stop command runs, or is about to.
    Running,
    /// It failed, and runs again.
    Retried,
    /// It failed too often: somebody must look.
    NeedsAttention,
}

/// The audit log.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct AuditStatus {
    /// Events that were left out since the daemon started, since there were too many in too short a time.
    pub left_out: u64,
    /// Why its file can't be written, where it should be.
    pub fault: Option<String>,
}

/// A door in knockd's manner.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct KnockdDoorStatus {
    /// Its name, which others may have too.
    pub name: String,
    /// Whether a knock opens it: not where its one-time sequences are used up.
    pub can_be_knocked: bool,
    /// What doors of this name have open and will close again.
    pub open: usize,
}

/// What a knock opened, and what will be closed again.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct RunStatus {
    /// The door's name.
    pub door: String,
    /// Who knocked.
    pub address: String,
    /// When.
    pub since: u64,
    /// For how long still; absent while one of its commands runs, or is to be tried again.
    pub left: Option<u64>,
}

/// What was counted since the daemon started.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Counters {
    /// Packets to the SPA port that the kernel's filter let through.
    pub received: u64,
    /// Key agreements that were computed: at most one for each packet, none for strangers.
    pub key_agreements: u64,
    /// More of them, at most one in a second, only to say whose clock is wrong.
    #[serde(default)]
    pub explanations: u64,
    /// Requests that were accepted.
    pub accepted: u64,
    /// Packets that were refused, by reason.
    pub refused: alloc::collections::BTreeMap<String, u64>,
}

/// A refused packet.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct RefusalStatus {
    /// When.
    pub at: u64,
    /// Why.
    pub reason: String,
    /// Where it came from, by its own word.
    pub from: String,
    /// The client that signed it, where that is proved.
    pub client: Option<String>,
    /// How wrong the client's clock is, where that is why and `explain` is on, such as `312 s slow`.
    #[serde(default)]
    pub clock: Option<String>,
}

/// The listener.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ListenerStatus {
    /// Whether it listens under the present rules.
    pub ready: bool,
    /// How often it had to be started again.
    pub restarts: u64,
    /// Interfaces that it should listen on, and that are not there.
    pub missing_interfaces: Vec<String>,
}

/// The guard.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "state", rename_all = "kebab-case")]
pub enum GuardStatus {
    /// No door needs it.
    NotNeeded,
    /// The administrator removed it, or has not confirmed it yet: its doors stand open.
    Down {
        /// Why, and how to change that.
        why: String,
    },
    /// It shuts its doors.
    Up {
        /// How often somebody else removed it, and it was built again.
        rebuilt: u64,
        /// Connections to its doors that were made while it was gone, by somebody who had no way in.
        #[serde(default)]
        slipped_in: u64,
        /// Its end, where it is on trial.
        #[serde(default)]
        trial: Option<TrialStatus>,
    },
    /// It should shut its doors, and cannot.
    Failed {
        /// Why.
        why: String,
    },
}

/// The end of a trial of the guard: its doors stand open then, unless it is confirmed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct TrialStatus {
    /// For how long it lasts still.
    pub left: u64,
    /// When it ends.
    pub until: u64,
}

/// Whether something works.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Health {
    /// It does.
    Good,
    /// It does not.
    Failed,
}

/// Commands that should have closed a door, and failed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct FailingCloses {
    /// They are tried again.
    pub retried: usize,
    /// They were tried often enough: somebody must look.
    pub need_attention: usize,
}
