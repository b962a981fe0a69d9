//! What really happened to the daemons of a rig, and when.

use std::fmt;

use super::packet::Packet;

/// Something that happened.
#[derive(Clone, Debug)]
pub struct Happening {
    /// When, in milliseconds of the wall clock.
    pub at: i64,
    /// What.
    pub what: What,
}

/// What can happen to a daemon. `DIR` in a text stands for the daemon's own directory.
#[derive(Clone, Debug)]
pub enum What {
    /// It was started.
    Started,
    /// A packet came.
    Hit(Packet),
    /// Nothing more than time passing.
    Tick,
    /// It was told to read its configuration again.
    Reload,
    /// A file in its directory was written.
    Written {
        /// The name.
        name: String,
        /// The text.
        text: String,
    },
    /// A file in its directory got another name.
    Renamed {
        /// The name before.
        from: String,
        /// The name now.
        to: String,
    },
    /// It got SIGTERM.
    Terminated,
    /// It got SIGINT.
    Interrupted,
    /// Its interface vanished.
    Unplugged,
}

impl fmt::Display for What {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Hit(packet) => packet.fmt(f),
            Self::Written { name, .. } => write!(f, "{name} is written"),
            other => write!(f, "{other:?}"),
        }
    }
}

/// What happened, in order.
pub type History = Vec<Happening>;
