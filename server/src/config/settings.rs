//! The configuration as the daemon uses it.

use std::num::NonZeroU16;
use std::path::PathBuf;
use std::time::Duration;

use knock_spa_engine::knockd::KnockdDoor;
use knock_spa_engine::rules::{Action, Door, Knockable};
use knock_spa_engine::set::SetName;
use knock_spa_proto::interface::InterfaceName;
use knock_spa_proto::knock::ClassicKnock;
use knock_spa_proto::service::ServiceName;

use crate::nft::{Family, Trusted};

/// A whole configuration: each value in its bounds, and all of them fit together.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Settings {
    /// The doors, in the order of their names. No two share a name or a port.
    pub doors: Vec<Door>,
    /// How far a packet's time may be from now, either way: 10 seconds to 10 minutes.
    pub window: Duration,
    /// Whether stale packets are looked into, to say whose clock is wrong.
    pub explain: bool,
    /// What is listened to.
    pub listen: Listen,
    /// Where files are.
    pub paths: Paths,
    /// How the guard behaves.
    pub guard: GuardSettings,
    /// The doors in knockd's manner, in the order of their files.
    pub knockd_doors: Vec<KnockdDoor>,
    /// The doors whose sequences are good once only, and where more of them are.
    pub one_time: Vec<OneTime>,
    /// The log in knockd's words.
    pub log: LogSettings,
    /// The file that events are appended to as lines of JSON.
    pub audit_file: Option<PathBuf>,
}

/// A door whose sequence is good once only: the next one is in a file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OneTime {
    /// The door.
    pub door: Knockable,
    /// The file of its sequences, one in a line.
    pub file: PathBuf,
    /// Whether the first sequence comes from the configuration, and the file's only after it.
    pub begins_elsewhere: bool,
}

/// The log in knockd's words.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct LogSettings {
    /// The file that it is appended to.
    pub file: Option<PathBuf>,
    /// Whether it goes to syslog.
    pub syslog: bool,
    /// Whether it goes to standard output, as `-v` asks for.
    pub verbose: bool,
    /// Whether names of knocking addresses are looked up, as `-l` asks for.
    pub lookup: bool,
}

impl Settings {
    /// The door of this name.
    #[must_use]
    pub fn door(&self, name: ServiceName) -> Option<&Door> {
        self.doors.iter().find(|door| door.name == name)
    }

    /// The door that clients may ask for by this name.
    #[must_use]
    pub fn door_called(&self, name: ServiceName) -> Option<&Door> {
        self.doors.iter().find(|door| door.is_called(name))
    }

    /// The knock of a door that has, or had, one.
    pub fn knock_mut(&mut self, door: Knockable) -> Option<&mut Option<ClassicKnock>> {
        match door {
            Knockable::Door(name) => {
                self.doors.iter_mut().find(|door| door.name == name).map(|door| &mut door.classic)
            }
            Knockable::Knockd(place) => self.knockd_doors.get_mut(place).map(|door| &mut door.knock),
        }
    }

    /// The administrator's sets that doors open by, each with the family of its addresses; one may come several times.
    pub fn sets(&self) -> impl Iterator<Item = (&SetName, Family)> {
        let actions = self.doors.iter().filter_map(|door| match &door.action {
            Action::Set(sets) => Some(sets),
            Action::Guard | Action::Command(_) => None,
        });
        actions.flat_map(|sets| {
            let set4 = sets.set4.iter().map(|set| (set, Family::Ipv4));
            set4.chain(sets.set6.iter().map(|set| (set, Family::Ipv6)))
        })
    }

    /// Whether any door is shut by the guard.
    #[must_use]
    pub fn has_guard(&self) -> bool {
        self.doors.iter().any(|door| door.action == Action::Guard)
    }
}

/// What is listened to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Listen {
    /// Where packets are captured, and which addresses count there.
    pub interfaces: Interfaces,
    /// The UDP port at which SPA packets arrive, where any are expected.
    pub spa_port: Option<NonZeroU16>,
    /// How they are heard.
    pub capture: CaptureMode,
}

/// How packets are heard.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum CaptureMode {
    /// By capture sockets, before any firewall drops them.
    #[default]
    Packet,
    /// By sockets that are bound to the SPA port: that needs no privilege, and hears no classic knocks.
    Socket,
}

/// Where packets are captured, and which addresses count there.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Interfaces {
    /// Every interface but loopback, present or future; any address of this machine.
    AllButLoopback,
    /// Every interface, present or future; any address of this machine.
    All,
    /// These interfaces, at least one; any address of this machine.
    Named(Vec<InterfaceName>),
    /// These links, at least one; no addresses but their own. knockd's way.
    Owning(Vec<Link>),
    /// The same for knockd's default, `eth0`, or where there is none, for the interface of the default route: whichever
    /// that is at the time.
    Default {
        /// Whether its IPv6 addresses count.
        ipv6: bool,
    },
}

/// An interface, or those of its addresses that bear a label, as `venet0:0`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Link {
    /// The interface.
    pub name: InterfaceName,
    /// What its IPv4 addresses are labelled with: the name itself, or the name with a colon and more. IPv6 addresses
    /// have no labels, and belong to the bare name.
    pub label: String,
    /// Whether its IPv6 addresses count.
    pub ipv6: bool,
}

impl Listen {
    /// The default of [`Self::spa_port`]: fwknop's, which firewalls on the way may let through already.
    pub const DEFAULT_SPA_PORT: NonZeroU16 = NonZeroU16::new(62_201).unwrap();
}

/// Where files are; every path is absolute.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Paths {
    /// The server's secret key.
    pub key: PathBuf,
    /// The directory with one file for each client.
    pub clients: PathBuf,
    /// The directory of what must survive a boot.
    pub state: PathBuf,
    /// The directory of what must not, such as the control socket.
    pub runtime: PathBuf,
}

impl Default for Paths {
    fn default() -> Self {
        Self {
            key: "/var/lib/knock-spa/server.key".into(),
            clients: "/var/lib/knock-spa/clients.d".into(),
            state: "/var/lib/knock-spa".into(),
            runtime: "/run/knock-spa".into(),
        }
    }
}

/// How the guard behaves.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct GuardSettings {
    /// When it goes up.
    pub start: GuardStart,
    /// Whom it never drops, also with the daemon dead; without repeats.
    pub trusted: Vec<Trusted>,
}

/// When the guard goes up.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum GuardStart {
    /// With the daemon.
    #[default]
    On,
    /// Not before the administrator confirmed that a trial locked nobody out.
    Confirmed,
}
