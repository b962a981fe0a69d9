//! The values of a client's file that are words of their own, in their one spelling each.

use std::fmt;
use std::num::NonZeroU32;
use std::str::FromStr;

use knock_spa_engine::client::{AddressMode, Rate, Right};
use knock_spa_proto::port::ServicePort;
use knock_spa_proto::service::ServiceName;

/// What a client is granted, written `ssh`, `tcp/22` or `tcp/8000-8100`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Granted(pub Right);

/// Neither a door's name nor a port nor a range of ports.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("neither a door's name, nor a port like tcp/22, nor ports like tcp/8000-8100")]
pub struct NotGranted;

impl FromStr for Granted {
    type Err = NotGranted;

    fn from_str(text: &str) -> Result<Self, NotGranted> {
        if !text.contains('/') {
            return text.parse().map(|name: ServiceName| Self(Right::Door(name))).map_err(|_| NotGranted);
        }
        let (first, last) = match text.split_once('-') {
            None => (text, None),
            Some((first, last)) => (first, Some(last)),
        };
        let first: ServicePort = first.parse().map_err(|_| NotGranted)?;
        let last: ServicePort = match last {
            None => first,
            Some(port) => format!("{}/{port}", first.transport).parse().map_err(|_| NotGranted)?,
        };
        // A range of one port is written as that port.
        if (first == last) == text.contains('-') || last < first {
            return Err(NotGranted);
        }
        Ok(Self(Right::Ports(first.transport, first.port.get()..=last.port.get())))
    }
}

impl fmt::Display for Granted {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.0 {
            Right::Door(name) => name.fmt(f),
            Right::Ports(transport, ports) if ports.start() == ports.end() => {
                write!(f, "{transport}/{}", ports.start())
            }
            Right::Ports(transport, ports) => write!(f, "{transport}/{}-{}", ports.start(), ports.end()),
        }
    }
}

/// For which addresses a client may ask, written `sender`, `claimed` or `match`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Mode(pub AddressMode);

/// None of the three.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("not an address mode: sender, claimed or match")]
pub struct NotAMode;

impl Mode {
    /// All of them, by name.
    pub const ALL: [(&str, AddressMode); 3] =
        [("sender", AddressMode::Sender), ("claimed", AddressMode::Claimed), ("match", AddressMode::Match)];
}

impl FromStr for Mode {
    type Err = NotAMode;

    fn from_str(text: &str) -> Result<Self, NotAMode> {
        let found = Self::ALL.iter().find(|(name, _)| *name == text);
        found.map(|(_, mode)| Self(*mode)).ok_or(NotAMode)
    }
}

impl fmt::Display for Mode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self.0 {
            AddressMode::Sender => "sender",
            AddressMode::Claimed => "claimed",
            AddressMode::Match => "match",
        })
    }
}

/// How often a client may ask, written `60/min`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PerMinute(pub Rate);

impl PerMinute {
    /// The most that can be granted: a hundred a second, above which it is no rate for a person's programs.
    pub const MAX: u32 = 6000;
}

/// Not `N/min` with N from 1 to [`PerMinute::MAX`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("not a rate like 60/min, from 1/min to 6000/min")]
pub struct NotARate;

impl FromStr for PerMinute {
    type Err = NotARate;

    fn from_str(text: &str) -> Result<Self, NotARate> {
        let number = text.strip_suffix("/min").ok_or(NotARate)?;
        let canonical = number.bytes().all(|byte| byte.is_ascii_digit()) && !number.starts_with('0');
        let per_minute: NonZeroU32 = number.parse().ok().filter(|_| canonical).ok_or(NotARate)?;
        if per_minute.get() > Self::MAX {
            Err(NotARate)
        } else {
            Ok(Self(Rate { per_minute, ..Rate::default() }))
        }
    }
}

impl fmt::Display for PerMinute {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/min", self.0.per_minute)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rights_have_one_spelling() {
        for text in ["ssh", "http-alt", "tcp/22", "udp/53", "tcp/1-65535", "tcp/8000-8100"] {
            assert_eq!(text.parse::<Granted>().unwrap().to_string(), text);
        }
        for text in [
            "",
            "SSH",
            "tcp/0",
            "tcp/22-22",
            "tcp/9-8",
            "tcp/1-",
            "tcp/-1",
            "tcp/1-2-3",
            "tcp/1-65536",
            "tcp/1-tcp/2",
        ] {
            assert_eq!(text.parse::<Granted>(), Err(NotGranted), "{text}");
        }
    }

    #[test]
    fn rates_have_one_spelling() {
        for text in ["1/min", "60/min", "6000/min"] {
            assert_eq!(text.parse::<PerMinute>().unwrap().to_string(), text);
        }
        assert_eq!("60/min".parse::<PerMinute>().unwrap().0, Rate::default());
        for text in ["", "60", "0/min", "060/min", "+6/min", "6001/min", "1/s", "/min", "60 /min", "60/min "]
        {
            assert_eq!(text.parse::<PerMinute>(), Err(NotARate), "{text}");
        }
    }

    #[test]
    fn modes_have_one_name() {
        assert!(Mode::ALL.iter().all(|(name, mode)| Mode(*mode).to_string() == *name));
        assert_eq!("match".parse(), Ok(Mode(AddressMode::Match)));
        assert_eq!("any".parse::<Mode>(), Err(NotAMode));
    }
}
