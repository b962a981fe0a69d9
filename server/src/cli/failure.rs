//! Why a command failed: what, a hint, and an exit status that scripts can tell apart.

use std::fmt::Display;

use clap::error::ErrorKind;

use crate::clients::NotEnrolled;
use crate::clients::invitations::NotInvited;
use crate::config::ConfigError;
use crate::config::dialect::Dialect;
use crate::config::remark::Faults;
use crate::files::{Doing, FileError};
use crate::journal::JournalError;
use crate::server_key::KeyError;
use crate::server_key::rotation::RotationError;

/// What to do about a previous key that is in the way.
const END_PREVIOUS: &str =
    "`knock-spad key show` says who uses it still; `key remove`, or `key rotate --end-previous`, ends it now";

/// A command that failed.
#[derive(Debug)]
pub(super) struct Failure {
    /// Its exit status.
    pub(super) exit: Exit,
    /// What to say, one fault or several.
    pub(super) message: String,
    /// What to do about it.
    pub(super) hint: Option<String>,
}

/// Exit statuses: those of sysexits(3), and `check`'s own.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub(super) enum Exit {
    /// `check` found something wrong.
    Wrong = 1,
    /// The command line is wrong.
    Usage = 64,
    /// What a file or an argument says is wrong.
    Data = 65,
    /// There is no such file or client.
    NoInput = 66,
    /// No daemon runs.
    Unavailable = 69,
    /// The system refused something that it should give: randomness, a socket.
    System = 71,
    /// A file can't be made.
    CantCreate = 73,
    /// Reading or writing failed.
    Io = 74,
    /// The permissions are not right.
    Permission = 77,
    /// The configuration is wrong.
    Config = 78,
}

impl Failure {
    pub(super) fn new(exit: Exit, message: impl Display) -> Self {
        Self { exit, message: message.to_string(), hint: None }
    }

    /// The same with another hint.
    pub(super) fn hint(self, hint: impl Into<String>) -> Self {
        Self { hint: Some(hint.into()), ..self }
    }

    /// What clap makes of a wrong command line.
    pub(super) fn usage(error: &clap::Error) -> Self {
        let message = error.render().to_string();
        if error.kind() == ErrorKind::DisplayHelpOnMissingArgumentOrSubcommand {
            return Self::new(Exit::Usage, format_args!("something is missing\n\n{}", message.trim_end()));
        }
        Self::new(Exit::Usage, message.trim_start_matches("error: ").trim_end())
    }

    /// A configuration that can't be used.
    pub(super) fn of_config(error: ConfigError) -> Self {
        match error {
            ConfigError::File(error) if error.is_absent() => {
                let makes = match Dialect::of(error.path()) {
                    Dialect::Native => "`knock-spad init` makes one; ",
                    Dialect::Knockd => "",
                };
                Self::from(error).hint(format!("{makes}`--config FILE` names another"))
            }
            ConfigError::File(error) => error.into(),
            ConfigError::Faults(faults) => Self::new(Exit::Config, faults),
        }
    }

    /// Clients' files that can't be used.
    pub(super) fn of_clients(error: ConfigError) -> Self {
        match error {
            ConfigError::File(error) if error.is_absent() => {
                Self::from(error).hint("`knock-spad init` makes it")
            }
            ConfigError::File(error) => error.into(),
            ConfigError::Faults(faults) => faults.into(),
        }
    }
}

impl From<Faults> for Failure {
    fn from(faults: Faults) -> Self {
        Self::new(Exit::Data, faults)
    }
}

impl From<FileError> for Failure {
    fn from(error: FileError) -> Self {
        let exit = match &error {
            FileError::System { .. } if error.is_denied() => Exit::Permission,
            FileError::System { doing: Doing::Read | Doing::Lock | Doing::Remove, .. }
                if error.is_absent() =>
            {
                Exit::NoInput
            }
            FileError::System { doing: Doing::Create | Doing::MakeDirectory, .. } => Exit::CantCreate,
            FileError::System { .. } => Exit::Io,
            FileError::NotAFile(_) => Exit::NoInput,
            FileError::TooLong { .. } | FileError::NotText(_) => Exit::Data,
            FileError::Exposed { .. } => Exit::Permission,
            FileError::Exists(_) | FileError::NotADirectory(_) => Exit::CantCreate,
        };
        Self { hint: error.hint(), ..Self::new(exit, error) }
    }
}

impl From<KeyError> for Failure {
    fn from(error: KeyError) -> Self {
        match error {
            KeyError::File(error) if error.is_absent() => {
                Self::from(error).hint("`knock-spad init` makes it")
            }
            KeyError::File(error) => error.into(),
            KeyError::BadLine { .. } | KeyError::BadPrevious { .. } => Self::new(Exit::Data, error),
            KeyError::OtherKey(_) => {
                Self::new(Exit::Data, error).hint("`knock-spad init --endpoint HOST` writes it anew")
            }
            KeyError::NoEntropy(_) => Self::new(Exit::System, error),
        }
    }
}

impl From<RotationError> for Failure {
    fn from(error: RotationError) -> Self {
        match error {
            RotationError::Key(error) => error.into(),
            RotationError::PreviousLives(_) | RotationError::PreviousUnusable(_) => {
                Self::new(Exit::Data, error).hint(END_PREVIOUS)
            }
            RotationError::TooLong(_) => Self::new(Exit::Usage, error),
        }
    }
}

impl From<JournalError> for Failure {
    fn from(error: JournalError) -> Self {
        let exit = match &error {
            JournalError::InUse(_) => Exit::Unavailable,
            JournalError::System { error, .. } if error.kind() == std::io::ErrorKind::PermissionDenied => {
                Exit::Permission
            }
            JournalError::NotAJournal(_) | JournalError::TooLong(_) | JournalError::NotAFile(_) => Exit::Data,
            JournalError::Exposed(_) => Exit::Permission,
            JournalError::System { .. } => Exit::Io,
        };
        let hint = if let JournalError::Exposed(directory) = &error {
            Some(format!("chown root {0} && chmod go-w {0}", directory.display()))
        } else {
            None
        };
        let failure = Self::new(exit, error);
        if let Some(hint) = hint { failure.hint(hint) } else { failure }
    }
}

impl From<NotEnrolled> for Failure {
    fn from(error: NotEnrolled) -> Self {
        match error {
            NotEnrolled::NameTaken(_) => Self::new(Exit::CantCreate, error)
                .hint("choose another name, or `knock-spad client remove` it first"),
            NotEnrolled::Reserved(ref name) => {
                let hint = format!("choose another name, or `knock-spad invite revoke {name}` first");
                Self::new(Exit::CantCreate, error).hint(hint)
            }
            NotEnrolled::KeyOfInvitation(_) => Self::new(Exit::Data, error)
                .hint("each device makes its own key: `knock-spa enroll` prints its line"),
            NotEnrolled::KeyTaken(_) => {
                Self::new(Exit::Data, error).hint("each device has its own key, and each key one client")
            }
            NotEnrolled::Faults(faults) => faults.into(),
            NotEnrolled::Unreadable(error) => Self::of_clients(error),
            NotEnrolled::File(error) => Self::of_clients(error.into()),
        }
    }
}

impl From<NotInvited> for Failure {
    fn from(error: NotInvited) -> Self {
        match error {
            NotInvited::NameTaken(_) => Self::new(Exit::CantCreate, error)
                .hint("choose another name, or `knock-spad client remove` it first"),
            NotInvited::Pending(ref name) => {
                let hint = format!("choose another name, or `knock-spad invite revoke {name}` first");
                Self::new(Exit::CantCreate, error).hint(hint)
            }
            NotInvited::TooMany => Self::new(Exit::CantCreate, error)
                .hint("`knock-spad invite list` shows them, `knock-spad invite revoke NAME` removes one"),
            NotInvited::Faults(faults) => faults.into(),
            NotInvited::Unreadable(error) => Self::of_clients(error),
            NotInvited::File(error) => Self::of_clients(error.into()),
        }
    }
}
