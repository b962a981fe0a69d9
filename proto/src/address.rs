//! Addresses of hosts: one spelling each, and which of them a door may open for.

use core::fmt;
use core::net::{AddrParseError, IpAddr, Ipv4Addr, Ipv6Addr};
use core::str::FromStr;

/// The address of a host, with IPv4-mapped IPv6 (`::ffff:192.0.2.1`) folded to IPv4, so that one host
/// is one value.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Address(IpAddr);

impl Address {
    /// The one value for `ip`.
    #[must_use]
    pub const fn new(ip: IpAddr) -> Self {
        Self(ip.to_canonical())
    }

    /// The address itself: never an IPv4-mapped one.
    #[must_use]
    pub const fn ip(self) -> IpAddr {
        self.0
    }

    /// Whether one remote host can have this address: not unspecified, loopback, multicast, broadcast or
    /// in the "this network" block 0.0.0.0/8 (RFC 1122 section 3.2.1.3).
    #[must_use]
    pub const fn is_remote_host(self) -> bool {
        match self.0 {
            IpAddr::V4(v4) => {
                !(v4.octets()[0] == 0 || v4.is_loopback() || v4.is_multicast() || v4.is_broadcast())
            }
            IpAddr::V6(v6) => !(v6.is_unspecified() || v6.is_loopback() || v6.is_multicast()),
        }
    }

    /// Sixteen bytes that name the address: IPv6 as it is, IPv4 in its mapped form.
    #[must_use]
    pub const fn to_bytes(self) -> [u8; 16] {
        match self.0 {
            IpAddr::V4(v4) => v4.to_ipv6_mapped().octets(),
            IpAddr::V6(v6) => v6.octets(),
        }
    }

    /// The address that [`Self::to_bytes`] wrote.
    #[must_use]
    pub const fn from_bytes(bytes: [u8; 16]) -> Self {
        Self::new(IpAddr::V6(Ipv6Addr::from_octets(bytes)))
    }
}

/// An address as the C library's `inet_ntop(3)` writes it, which differs from [`Address`]'s own spelling for IPv6
/// addresses that embed an IPv4 one (`::192.0.2.1`): what knockd puts into commands and log lines.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct NtopText(pub Address);

impl fmt::Display for NtopText {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0.ip() {
            IpAddr::V6(v6) => match v6.segments() {
                [0, 0, 0, 0, 0, 0, high, low] if high != 0 => {
                    let ([a, b], [c, d]) = (high.to_be_bytes(), low.to_be_bytes());
                    write!(f, "::{a}.{b}.{c}.{d}")
                }
                _ => fmt::Display::fmt(&v6, f),
            },
            IpAddr::V4(v4) => fmt::Display::fmt(&v4, f),
        }
    }
}

impl From<IpAddr> for Address {
    fn from(ip: IpAddr) -> Self {
        Self::new(ip)
    }
}

impl From<Ipv4Addr> for Address {
    fn from(v4: Ipv4Addr) -> Self {
        Self(IpAddr::V4(v4))
    }
}

impl From<Ipv6Addr> for Address {
    fn from(v6: Ipv6Addr) -> Self {
        Self::new(IpAddr::V6(v6))
    }
}

impl FromStr for Address {
    type Err = AddrParseError;

    fn from_str(text: &str) -> Result<Self, AddrParseError> {
        text.parse().map(Self::new)
    }
}

impl fmt::Display for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(&self.0, f)
    }
}

impl fmt::Debug for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(&self.0, f)
    }
}

#[cfg(test)]
mod tests {
    use alloc::string::ToString;

    use super::*;

    #[test]
    fn one_host_is_one_value() {
        let mapped: IpAddr = "::ffff:192.0.2.1".parse().unwrap();
        assert_eq!(Address::new(mapped), Address::from(Ipv4Addr::new(192, 0, 2, 1)));
        for text in ["192.0.2.1", "2001:db8::1", "::1", "0.0.0.0"] {
            let address = Address::new(text.parse().unwrap());
            assert_eq!(Address::from_bytes(address.to_bytes()), address);
        }
    }

    #[test]
    fn only_unicast_of_others_is_a_remote_host() {
        for text in
            ["0.0.0.0", "0.1.2.3", "127.0.0.1", "224.0.0.1", "255.255.255.255", "::", "::1", "ff02::1"]
        {
            assert!(!Address::new(text.parse().unwrap()).is_remote_host(), "{text}");
        }
        for text in ["192.0.2.1", "10.0.0.1", "2001:db8::1", "fe80::1", "fd00::1"] {
            assert!(Address::new(text.parse().unwrap()).is_remote_host(), "{text}");
        }
    }

    #[test]
    fn the_c_library_s_spelling() {
        let texts = [
            "::1",
            "::",
            "::192.0.2.1",
            "::1.0.0.0",
            "2001:db8::1:0:0:1",
            "2001:db8:0:1:1:1:1:1",
            "10.0.0.1",
        ];
        for text in texts {
            assert_eq!(NtopText(text.parse().unwrap()).to_string(), text);
        }
    }
}
