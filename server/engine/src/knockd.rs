//! Doors in knockd's manner: what a knock runs, and what runs again some time later.
//!
//! Nothing is extended or shared here: each knock runs the start command, and each start its own stop.

use alloc::string::String;
use core::time::Duration;

use knock_spa_proto::address::Address;
use knock_spa_proto::knock::ClassicKnock;

use crate::command::{Rendered, fill_address};

/// A command that has as many bytes as this, once the address is filled in, is not run: knockd's limit.
pub const MAX_COMMAND_LEN: usize = 4096;

/// A door in knockd's manner.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct KnockdDoor {
    /// Its name: any text, and not always one of its own.
    pub name: String,
    /// What opens it; nothing does where its one-time sequences are used up.
    pub knock: Option<ClassicKnock>,
    /// What it runs.
    pub commands: KnockdCommands,
}

/// What a door in knockd's manner runs: lines for `/bin/sh -c`, with `%IP%` for the address that knocked.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub struct KnockdCommands {
    /// What opens. Where it is missing or empty nothing runs at all, the stop command neither.
    pub start: Option<String>,
    /// What closes again; runs even where it is empty.
    pub stop: Option<String>,
    /// In place of `start`, for IPv6 addresses.
    pub start6: Option<String>,
    /// In place of `stop`, for IPv6 addresses.
    pub stop6: Option<String>,
    /// How long after the end of the start command the stop command runs; never where absent.
    pub stop_after: Option<Duration>,
    /// What another knock does while the door is open for its address.
    pub again: Again,
}

/// What another knock does while the door is open for its address.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum Again {
    /// It runs the start command once more, and the stop command once more after that: knockd's way.
    #[default]
    Start,
    /// It puts the stop off (`Refresh = yes`).
    Extend,
}

/// The commands of one knock.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Pair {
    /// What opens.
    pub start: Rendered,
    /// What closes again, and how long after the end of `start`.
    pub stop: Option<(Rendered, Duration)>,
}

/// Why a knock runs nothing.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Nothing {
    /// There is no start command.
    NoStart,
    /// The start command is too long with the address in it.
    StartTooLong,
    /// The stop command is too long with the address in it.
    StopTooLong,
}

impl KnockdCommands {
    /// What a knock from this address runs.
    ///
    /// # Errors
    /// [`Nothing`] where it runs nothing.
    pub fn for_address(&self, address: Address) -> Result<Pair, Nothing> {
        let is_v6 = address.ip().is_ipv6();
        let either = |plain: &Option<String>, six: &Option<String>| match six {
            Some(six) if is_v6 => Some(fill_address(six, address)),
            _ => plain.as_ref().map(|line| fill_address(line, address)),
        };
        let start = either(&self.start, &self.start6).filter(|line| !line.is_empty());
        let start = start.ok_or(Nothing::NoStart)?;
        if start.len() >= MAX_COMMAND_LEN {
            return Err(Nothing::StartTooLong);
        }
        let stop = either(&self.stop, &self.stop6);
        if stop.as_ref().is_some_and(|line| line.len() >= MAX_COMMAND_LEN) {
            return Err(Nothing::StopTooLong);
        }
        let stop = stop.and_then(|line| Some((Rendered::shell(line), self.stop_after?)));
        Ok(Pair { start: Rendered::shell(start), stop })
    }
}

/// What a door in knockd's manner has to tell, in the words that knockd's users know: scripts read them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Said {
    /// A source is so many steps into the sequence of a door.
    Stage {
        /// The door.
        door: String,
        /// Who knocks.
        from: Address,
        /// Steps done, from 1.
        stage: u8,
    },
    /// A source has completed the sequence of a door.
    OpenSesame {
        /// The door.
        door: String,
        /// Who has knocked.
        from: Address,
    },
    /// An attempt took too long.
    SequenceTimeout {
        /// The door.
        door: String,
        /// Who knocked.
        from: Address,
        /// Steps done, from 1.
        stage: u8,
    },
    /// A command is about to run.
    Running {
        /// The door.
        door: String,
        /// The line.
        command: String,
    },
    /// A door is about to be closed again.
    CommandTimeout {
        /// The door.
        door: String,
        /// For whom it was open.
        from: Address,
    },
    /// A command ended with another status than 0; by a signal, with 0.
    NonZero {
        /// The door.
        door: String,
        /// The status.
        status: i32,
    },
    /// The start command is too long with the address in it.
    StartTooLong,
    /// The stop command is too long with the address in it.
    StopTooLong,
    /// A command could not be started.
    NotStarted,
    /// The last of a door's one-time sequences is used up.
    NoMoreSequences {
        /// The door.
        door: String,
    },
}
