//! Endpoints: where a server hears packets.

use alloc::borrow::ToOwned;
use alloc::string::{String, ToString};
use alloc::vec::Vec;
use core::fmt;
use core::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use core::num::NonZeroU16;
use core::str::FromStr;

/// The endpoints of one server: 1 to [`Endpoints::MAX_COUNT`], no two alike, in order of preference.
/// Text: `gw1.example.net:62201,[2001:db8::1]:62201`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Endpoints(Vec<Endpoint>);

/// A host and the UDP port at which it hears packets. Text: `host:port`.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Endpoint {
    /// The host.
    pub host: Host,
    /// The UDP port, 1 to 65535.
    pub port: NonZeroU16,
}

/// A host by name or by address. Text: `gw1.example.net`, `192.0.2.1` or `[2001:db8::1]`.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Host {
    /// A name, to be looked up.
    Name(HostName),
    /// An address; never an IPv4-mapped one.
    Address(IpAddr),
}

/// The name of a host after RFC 1123 section 2.1: 1 to 253 bytes, of labels `[a-z0-9-]{1,63}` that neither
/// begin nor end with a hyphen; the last one is not a number, so that no name looks like an address.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct HostName(String);

/// Why a text is not a list of endpoints.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum BadEndpoint {
    /// There is no colon and port.
    #[error("an endpoint without a port: write HOST:PORT")]
    NoPort,
    /// The port is not 1 to 65535, or has leading zeros.
    #[error("an endpoint's port is a number from 1 to 65535")]
    Port,
    /// The host is neither a name nor an address in its one spelling.
    #[error(transparent)]
    Host(#[from] BadHost),
    /// One endpoint stands twice.
    #[error("an endpoint stands twice")]
    Duplicate,
    /// There is none, or there are more than [`Endpoints::MAX_COUNT`].
    #[error("a server has 1 to 8 endpoints")]
    Count,
}

/// Why a text is not a host.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum BadHost {
    /// Neither a name nor an IPv4 address.
    #[error("neither an IPv4 address nor a host name in lower-case letters, digits, hyphens and dots")]
    Name,
    /// Not an IPv6 address in brackets.
    #[error("an IPv6 address stands in brackets: [2001:db8::1]")]
    Ipv6,
    /// An address, but not in the one spelling of RFC 5952, or an IPv4-mapped one.
    #[error("the address has a shorter or plainer spelling")]
    NotCanonical,
}

impl Endpoints {
    /// The most endpoints of one server: two address families at four sites.
    pub const MAX_COUNT: usize = 8;

    /// The list of these endpoints.
    ///
    /// # Errors
    /// [`BadEndpoint::Count`] and [`BadEndpoint::Duplicate`].
    pub fn new(endpoints: Vec<Endpoint>) -> Result<Self, BadEndpoint> {
        if endpoints.is_empty() || endpoints.len() > Self::MAX_COUNT {
            return Err(BadEndpoint::Count);
        }
        let repeated = |(i, endpoint)| endpoints.iter().take(i).any(|earlier| earlier == endpoint);
        if endpoints.iter().enumerate().any(repeated) {
            return Err(BadEndpoint::Duplicate);
        }
        Ok(Self(endpoints))
    }

    /// The endpoints, the preferred one first; at least one.
    pub fn iter(&self) -> core::slice::Iter<'_, Endpoint> {
        self.0.iter()
    }
}

impl<'a> IntoIterator for &'a Endpoints {
    type Item = &'a Endpoint;
    type IntoIter = core::slice::Iter<'a, Endpoint>;

    fn into_iter(self) -> Self::IntoIter {
        self.iter()
    }
}

impl FromStr for Endpoints {
    type Err = BadEndpoint;

    fn from_str(text: &str) -> Result<Self, BadEndpoint> {
        // One more than allowed is enough to know that there are too many.
        let limit = Self::MAX_COUNT.saturating_add(1);
        Self::new(text.split(',').take(limit).map(str::parse).collect::<Result<_, _>>()?)
    }
}

impl fmt::Display for Endpoints {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (i, endpoint) in self.0.iter().enumerate() {
            if i > 0 {
                f.write_str(",")?;
            }
            endpoint.fmt(f)?;
        }
        Ok(())
    }
}

impl FromStr for Endpoint {
    type Err = BadEndpoint;

    fn from_str(text: &str) -> Result<Self, BadEndpoint> {
        let (host, port) = text.rsplit_once(':').ok_or(BadEndpoint::NoPort)?;
        let host = host.parse()?;
        let canonical = port.bytes().all(|byte| byte.is_ascii_digit()) && !port.starts_with('0');
        let port = port.parse().ok().filter(|_| canonical).ok_or(BadEndpoint::Port)?;
        Ok(Self { host, port })
    }
}

impl fmt::Display for Endpoint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}", self.host, self.port)
    }
}

impl FromStr for Host {
    type Err = BadHost;

    fn from_str(text: &str) -> Result<Self, BadHost> {
        if let Some(rest) = text.strip_prefix('[') {
            let address: Ipv6Addr =
                rest.strip_suffix(']').and_then(|text| text.parse().ok()).ok_or(BadHost::Ipv6)?;
            return canonical(IpAddr::V6(address), text);
        }
        if text.contains(':') {
            return Err(BadHost::Ipv6);
        }
        match text.parse::<Ipv4Addr>() {
            Ok(address) => canonical(IpAddr::V4(address), text),
            Err(_) => text.parse().map(Self::Name),
        }
    }
}

fn canonical(address: IpAddr, text: &str) -> Result<Host, BadHost> {
    let host = Host::Address(address);
    if address.to_canonical() == address && host.to_string() == text {
        Ok(host)
    } else {
        Err(BadHost::NotCanonical)
    }
}

impl fmt::Display for Host {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Name(name) => name.fmt(f),
            Self::Address(IpAddr::V4(v4)) => v4.fmt(f),
            Self::Address(IpAddr::V6(v6)) => write!(f, "[{v6}]"),
        }
    }
}

impl HostName {
    /// The longest name, in bytes of its text (RFC 1035 section 2.3.4).
    pub const MAX_LEN: usize = 253;
    /// The longest label, in bytes (RFC 1035 section 2.3.4).
    const MAX_LABEL_LEN: usize = 63;

    /// The name as text, without a dot at its end.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl FromStr for HostName {
    type Err = BadHost;

    fn from_str(text: &str) -> Result<Self, BadHost> {
        let is_number = |label: &str| label.bytes().all(|byte| byte.is_ascii_digit());
        let last_is_number = text.rsplit('.').next().is_none_or(is_number);
        if text.len() <= Self::MAX_LEN && text.split('.').all(is_label) && !last_is_number {
            Ok(Self(text.to_owned()))
        } else {
            Err(BadHost::Name)
        }
    }
}

fn is_label(text: &str) -> bool {
    (1..=HostName::MAX_LABEL_LEN).contains(&text.len())
        && text.bytes().all(|byte| matches!(byte, b'a'..=b'z' | b'0'..=b'9' | b'-'))
        && !text.starts_with('-')
        && !text.ends_with('-')
}

impl fmt::Display for HostName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn endpoints_have_one_spelling() {
        let longest = ["a".repeat(63), "b".repeat(63), "c".repeat(63), "d".repeat(61)].join(".") + ":65535";
        for text in [
            "gw1.example.net:62201",
            "localhost:1",
            "192.0.2.1:62201",
            "[2001:db8::1]:62201",
            "gw1:62201,[::1]:62201,127.0.0.1:62202",
            "xn--bcher-kva.example:62201",
            "3com.example:1",
            &longest,
        ] {
            assert_eq!(text.parse::<Endpoints>().unwrap().to_string(), text);
        }
    }

    #[test]
    fn faults_are_named() {
        let bad_hosts = ["GW1:1", "a..b:1", ".a:1", "a.:1", "-a:1", "a-:1", "a_b:1", "a b:1", ":1", "é:1"];
        let bad_numbers = ["192.0.2.01:1", "192.0.2:1", "0x7f.1:1", "3232235777:1", "192.0.2.256:1"];
        for text in bad_hosts.into_iter().chain(bad_numbers) {
            assert_eq!(text.parse::<Endpoints>(), Err(BadEndpoint::Host(BadHost::Name)), "{text}");
        }
        for text in ["2001:db8::1:62201", "[2001:db8::1:62201", "[192.0.2.1]:1", "[fe80::1%eth0]:1"] {
            assert_eq!(text.parse::<Endpoints>(), Err(BadEndpoint::Host(BadHost::Ipv6)), "{text}");
        }
        for text in ["[2001:DB8::1]:1", "[2001:db8:0::1]:1", "[::ffff:192.0.2.1]:1", "[::ffff:c000:201]:1"] {
            assert_eq!(text.parse::<Endpoints>(), Err(BadEndpoint::Host(BadHost::NotCanonical)), "{text}");
        }
        for text in ["a:0", "a:", "a:+1", "a:01", "a:65536", "a:1 "] {
            assert_eq!(text.parse::<Endpoints>(), Err(BadEndpoint::Port), "{text}");
        }
        for text in ["", "gw1", "a:1,"] {
            assert_eq!(text.parse::<Endpoints>(), Err(BadEndpoint::NoPort), "{text}");
        }
        assert_eq!("a:1,a:1".parse::<Endpoints>(), Err(BadEndpoint::Duplicate));
        assert_eq!("a:1,b:1,c:1,d:1,e:1,f:1,g:1,h:1,i:1".parse::<Endpoints>(), Err(BadEndpoint::Count));
        assert_eq!(Endpoints::new(Vec::new()), Err(BadEndpoint::Count));
        let too_long = ["a".repeat(63), "b".repeat(63), "c".repeat(63), "d".repeat(62)].join(".") + ":1";
        assert_eq!(too_long.parse::<Endpoints>(), Err(BadEndpoint::Host(BadHost::Name)));
    }
}
