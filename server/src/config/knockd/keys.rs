//! The directives: their names, in any case, and where they may stand.

/// A directive of `[options]`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum OptionKey {
    LogFile,
    PidFile,
    Interface,
}

/// A directive of a door.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum DoorKey {
    Sequence,
    OneTimeSequences,
    SeqTimeout,
    TcpFlags,
    Target,
    StartCommand,
    StopCommand,
    CmdTimeout,
    StartCommand6,
    StopCommand6,
    Refresh,
    TolerateRepeats,
    SeqCooldown,
    Spa,
}

/// A directive.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Key {
    /// The one without a value, at home everywhere.
    UseSyslog,
    Option(OptionKey),
    Door(DoorKey),
}

/// The names of the directives of `[options]`.
const OPTION_KEYS: [(&str, OptionKey); 3] =
    [("LogFile", OptionKey::LogFile), ("PidFile", OptionKey::PidFile), ("Interface", OptionKey::Interface)];

/// The names of a door's directives, those that come first are shown.
const DOOR_KEYS: [(&str, DoorKey); 17] = [
    ("Sequence", DoorKey::Sequence),
    ("One_Time_Sequences", DoorKey::OneTimeSequences),
    ("Seq_Timeout", DoorKey::SeqTimeout),
    ("TCPFlags", DoorKey::TcpFlags),
    ("Target", DoorKey::Target),
    ("Start_Command", DoorKey::StartCommand),
    ("Stop_Command", DoorKey::StopCommand),
    ("Cmd_Timeout", DoorKey::CmdTimeout),
    ("Start_Command_6", DoorKey::StartCommand6),
    ("Stop_Command_6", DoorKey::StopCommand6),
    ("Refresh", DoorKey::Refresh),
    ("Tolerate_Repeats", DoorKey::TolerateRepeats),
    ("Seq_Cooldown", DoorKey::SeqCooldown),
    ("SPA", DoorKey::Spa),
    ("Timeout", DoorKey::SeqTimeout),
    ("Command", DoorKey::StartCommand),
    ("Command_6", DoorKey::StartCommand6),
];

impl Key {
    /// The directive of this name.
    pub(super) fn read(name: &[u8]) -> Option<Self> {
        let is_meant = |known: &str| known.as_bytes().eq_ignore_ascii_case(name);
        let option = OPTION_KEYS.iter().find(|(known, _)| is_meant(known));
        let door = DOOR_KEYS.iter().find(|(known, _)| is_meant(known));
        is_meant("UseSyslog")
            .then_some(Self::UseSyslog)
            .or_else(|| option.map(|(_, key)| Self::Option(*key)))
            .or_else(|| door.map(|(_, key)| Self::Door(*key)))
    }
}

impl OptionKey {
    /// Its name, as knockd's manual spells it.
    pub(super) fn name(self) -> &'static str {
        OPTION_KEYS.iter().find(|(_, key)| *key == self).map_or("", |(name, _)| name)
    }
}

impl DoorKey {
    /// Its name, as knockd's manual spells it.
    pub(super) fn name(self) -> &'static str {
        DOOR_KEYS.iter().find(|(_, key)| *key == self).map_or("", |(name, _)| name)
    }
}

/// What is known in `[options]`, as a hint.
pub(super) fn known_options() -> String {
    known(OPTION_KEYS.iter().map(|(name, _)| *name))
}

/// What is known in a door, as a hint.
pub(super) fn known_in_doors() -> String {
    known(DOOR_KEYS.iter().map(|(name, _)| *name))
}

fn known(names: impl Iterator<Item = &'static str>) -> String {
    let names: Vec<_> = names.chain(["UseSyslog"]).collect();
    format!("known here: {}", names.join(", "))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_known_in_any_case() {
        assert_eq!(Key::read(b"USESYSLOG"), Some(Key::UseSyslog));
        assert_eq!(Key::read(b"logfile"), Some(Key::Option(OptionKey::LogFile)));
        assert_eq!(Key::read(b"command_6"), Some(Key::Door(DoorKey::StartCommand6)));
        assert_eq!(Key::read(b"timeout"), Some(Key::Door(DoorKey::SeqTimeout)));
        for name in ["", "seq timeout", "seqtimeout", "é"] {
            assert_eq!(Key::read(name.as_bytes()), None, "{name}");
        }
        for (name, key) in DOOR_KEYS {
            assert_eq!(Key::read(name.to_ascii_uppercase().as_bytes()), Some(Key::Door(key)));
            assert_eq!(Key::read(key.name().as_bytes()), Some(Key::Door(key)));
        }
        for (name, key) in OPTION_KEYS {
            assert_eq!((Key::read(name.as_bytes()), key.name()), (Some(Key::Option(key)), name));
        }
    }
}
