//! Ports and the transports they belong to.

use core::fmt;
use core::num::NonZeroU16;
use core::str::FromStr;

/// A transport protocol that has ports.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Transport {
    /// RFC 9293.
    Tcp,
    /// RFC 768.
    Udp,
}

impl Transport {
    /// The number of the protocol in an IP header (IANA protocol numbers).
    #[must_use]
    pub const fn number(self) -> u8 {
        match self {
            Self::Tcp => 6,
            Self::Udp => 17,
        }
    }

    /// The transport with this protocol number, if it has ports here.
    #[must_use]
    pub const fn from_number(number: u8) -> Option<Self> {
        match number {
            6 => Some(Self::Tcp),
            17 => Some(Self::Udp),
            _ => None,
        }
    }
}

impl fmt::Display for Transport {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Tcp => "tcp",
            Self::Udp => "udp",
        })
    }
}

/// A port of a transport at which a service listens, written `tcp/22`.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ServicePort {
    /// The transport.
    pub transport: Transport,
    /// The port, 1 to 65535.
    pub port: NonZeroU16,
}

impl ServicePort {
    /// The port `port` of `transport`; `None` for port 0, at which nothing listens.
    #[must_use]
    pub const fn new(transport: Transport, port: u16) -> Option<Self> {
        match NonZeroU16::new(port) {
            Some(port) => Some(Self { transport, port }),
            None => None,
        }
    }
}

impl fmt::Display for ServicePort {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.transport, self.port)
    }
}

impl fmt::Debug for ServicePort {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

/// Not `tcp/PORT` or `udp/PORT` with a port from 1 to 65535 without leading zeros.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("not tcp/PORT or udp/PORT with a port from 1 to 65535")]
pub struct NotAServicePort;

impl FromStr for ServicePort {
    type Err = NotAServicePort;

    fn from_str(text: &str) -> Result<Self, NotAServicePort> {
        let (transport, port) = text.split_once('/').ok_or(NotAServicePort)?;
        let transport = match transport {
            "tcp" => Transport::Tcp,
            "udp" => Transport::Udp,
            _ => return Err(NotAServicePort),
        };
        let canonical = port.bytes().all(|byte| byte.is_ascii_digit()) && !port.starts_with('0');
        let port = port.parse().ok().filter(|_| canonical).ok_or(NotAServicePort)?;
        Self::new(transport, port).ok_or(NotAServicePort)
    }
}

#[cfg(test)]
mod tests {
    use alloc::string::ToString;

    use super::*;

    #[test]
    fn one_spelling_each() {
        for text in ["tcp/1", "udp/62201", "tcp/65535"] {
            assert_eq!(text.parse::<ServicePort>().unwrap().to_string(), text);
        }
        for text in
            ["tcp/0", "tcp/022", "tcp/+22", "tcp/65536", "tcp/", "TCP/22", "sctp/22", "tcp", "22", "tcp/22 "]
        {
            assert_eq!(text.parse::<ServicePort>(), Err(NotAServicePort), "{text}");
        }
    }
}
