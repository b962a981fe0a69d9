//! An enrolled client: whose key it is, and what it may ask for.

use alloc::vec::Vec;
use core::fmt;
use core::num::NonZeroU32;
use core::ops::RangeInclusive;
use core::str::FromStr;
use core::time::Duration;

use alloc::string::String;

use knock_spa_keys::client::ClientKey;
use knock_spa_proto::cidr::Cidr;
use knock_spa_proto::port::{ServicePort, Transport};
use knock_spa_proto::service::ServiceName;
use knock_spa_proto::time::UnixTime;

use crate::rules::Door;

/// The administrator's name for a client: `[A-Za-z0-9][A-Za-z0-9._@-]{0,63}`, so that it can be a file's
/// name, a word of a log line and a command's argument.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ClientName(String);

/// Not `[A-Za-z0-9][A-Za-z0-9._@-]{0,63}`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("not a client's name: a letter or digit, then at most 63 letters, digits or . _ @ -")]
pub struct NotAClientName;

impl ClientName {
    /// The longest name, in bytes: with a suffix it stays below any file system's limit for names.
    pub const MAX_LEN: usize = 64;

    /// The name as text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl FromStr for ClientName {
    type Err = NotAClientName;

    fn from_str(text: &str) -> Result<Self, NotAClientName> {
        let allowed = |byte: &u8| byte.is_ascii_alphanumeric() || b"._@-".contains(byte);
        match text.as_bytes() {
            [first, rest @ ..]
                if first.is_ascii_alphanumeric()
                    && rest.iter().all(allowed)
                    && text.len() <= Self::MAX_LEN =>
            {
                Ok(Self(text.into()))
            }
            _ => Err(NotAClientName),
        }
    }
}

impl fmt::Display for ClientName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// One thing that a client may ask for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Right {
    /// A door, by its name or an alias: all its ports.
    Door(ServiceName),
    /// Ports of a transport, whichever doors list them.
    Ports(Transport, RangeInclusive<u16>),
}

impl Right {
    /// Whether this right covers `port` of `door`.
    #[must_use]
    pub fn covers(&self, door: &Door, port: ServicePort) -> bool {
        match self {
            Self::Door(name) => door.is_called(*name),
            Self::Ports(transport, range) => *transport == port.transport && range.contains(&port.port.get()),
        }
    }
}

/// For which addresses a client may ask (`docs/protocol.md` section 3).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum AddressMode {
    /// Any: those it names, or the one the server sees. Works behind address translation.
    #[default]
    Sender,
    /// Only those it names: whoever carries the packet cannot redirect it.
    Claimed,
    /// Only those it names, and the packet must come from one of them.
    Match,
}

/// How often a client may ask: a token bucket, filled at `per_minute`, holding at most `burst`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Rate {
    /// Tokens that come back in a minute.
    pub per_minute: NonZeroU32,
    /// Tokens at most.
    pub burst: NonZeroU32,
}

impl Default for Rate {
    /// 60 a minute, 20 at once: a person with retries never meets it, a program gone wild does.
    fn default() -> Self {
        const SIXTY: NonZeroU32 = NonZeroU32::new(60).unwrap();
        const TWENTY: NonZeroU32 = NonZeroU32::new(20).unwrap();
        Self { per_minute: SIXTY, burst: TWENTY }
    }
}

/// An enrolled client.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Client {
    /// The administrator's name for it.
    pub name: ClientName,
    /// Whose statements count as its own.
    pub key: ClientKey,
    /// What it may ask for; nothing where empty.
    pub rights: Vec<Right>,
    /// For which addresses.
    pub mode: AddressMode,
    /// Opened addresses lie in one of these; anywhere where absent.
    pub from: Option<Vec<Cidr>>,
    /// The longest lease it may have; the doors' own limits where absent.
    pub max_open: Option<Duration>,
    /// It is nobody before this time.
    pub not_before: Option<UnixTime>,
    /// It is nobody from this time on.
    pub not_after: Option<UnixTime>,
    /// How often it may ask.
    pub rate: Rate,
}

impl Client {
    /// Whether the client is somebody at this time.
    #[must_use]
    pub fn is_valid_at(&self, now: UnixTime) -> bool {
        self.not_before.is_none_or(|start| start <= now) && self.not_after.is_none_or(|end| now < end)
    }
}
