//! Networks, as `192.0.2.0/24` and `2001:db8::/32` (RFC 4632 section 3.1, RFC 4291 section 2.3).

use core::fmt;
use core::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use core::str::FromStr;

use crate::address::Address;

/// A network: every address that begins with the same bits.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Cidr {
    /// The first address, whose bits after the prefix are zero.
    first: Address,
    /// 0 to 32 for IPv4, 0 to 128 for IPv6.
    prefix_len: u8,
}

/// Why a text is not a network.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum NotACidr {
    /// Neither `ADDRESS/LENGTH` nor a lone address.
    #[error("not a network like 192.0.2.0/24 or 2001:db8::/32")]
    Form,
    /// The prefix is longer than an address of the family.
    #[error("the prefix length is at most 32 for IPv4 and 128 for IPv6")]
    PrefixLen,
    /// The address has bits after the prefix: a mistyped length or address.
    #[error("the address has bits beyond its prefix length: did you mean {0}?")]
    HostBits(Cidr),
    /// IPv4 in IPv6 clothes, which no packet on a wire wears.
    #[error("write an IPv4 network as IPv4, not as an IPv4-mapped one")]
    Mapped,
}

impl Cidr {
    /// The network of `address` and the `prefix_len` bits that count.
    ///
    /// # Errors
    /// [`NotACidr::PrefixLen`] and [`NotACidr::HostBits`].
    pub fn new(address: Address, prefix_len: u8) -> Result<Self, NotACidr> {
        if prefix_len > width(address) {
            return Err(NotACidr::PrefixLen);
        }
        let network = Self { first: keep_bits(address, prefix_len), prefix_len };
        if network.first == address { Ok(network) } else { Err(NotACidr::HostBits(network)) }
    }

    /// The network that holds `address` alone.
    #[must_use]
    pub const fn only(address: Address) -> Self {
        Self { first: address, prefix_len: width(address) }
    }

    /// The first address of the network.
    #[must_use]
    pub const fn first(self) -> Address {
        self.first
    }

    /// The number of bits that its addresses share: 0 to 32 for IPv4, 0 to 128 for IPv6.
    #[must_use]
    pub const fn prefix_len(self) -> u8 {
        self.prefix_len
    }

    /// Whether `address` lies in the network; never across families.
    #[must_use]
    pub fn contains(self, address: Address) -> bool {
        width(address) == width(self.first) && keep_bits(address, self.prefix_len) == self.first
    }
}

/// The bits in an address of this one's family.
const fn width(address: Address) -> u8 {
    match address.ip() {
        IpAddr::V4(_) => 32,
        IpAddr::V6(_) => 128,
    }
}

/// The address with all but the first `count` bits zero; all of them where it has no more.
fn keep_bits(address: Address, count: u8) -> Address {
    let dropped = u32::from(width(address).saturating_sub(count));
    match address.ip() {
        IpAddr::V4(v4) => {
            Ipv4Addr::from_bits(v4.to_bits() & u32::MAX.checked_shl(dropped).unwrap_or(0)).into()
        }
        IpAddr::V6(v6) => {
            Ipv6Addr::from_bits(v6.to_bits() & u128::MAX.checked_shl(dropped).unwrap_or(0)).into()
        }
    }
}

impl FromStr for Cidr {
    type Err = NotACidr;

    /// Parses `ADDRESS/LENGTH`, or an address that stands for itself alone.
    fn from_str(text: &str) -> Result<Self, NotACidr> {
        let (address, len) = text.split_once('/').map_or((text, None), |(address, len)| (address, Some(len)));
        let ip: IpAddr = address.parse().map_err(|_| NotACidr::Form)?;
        if ip != ip.to_canonical() {
            return Err(NotACidr::Mapped);
        }
        len.map_or_else(|| Ok(Self::only(ip.into())), |len| Self::new(ip.into(), parse_len(len)?))
    }
}

fn parse_len(text: &str) -> Result<u8, NotACidr> {
    let canonical = text.bytes().all(|byte| byte.is_ascii_digit()) && (text == "0" || !text.starts_with('0'));
    if !canonical || text.is_empty() {
        return Err(NotACidr::Form);
    }
    text.parse().map_err(|_| NotACidr::PrefixLen)
}

impl fmt::Display for Cidr {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.first, self.prefix_len)
    }
}

impl fmt::Debug for Cidr {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

#[cfg(test)]
mod tests {
    use alloc::string::ToString;

    use super::*;

    fn network(text: &str) -> Cidr {
        text.parse().unwrap()
    }

    fn address(text: &str) -> Address {
        Address::new(text.parse().unwrap())
    }

    #[test]
    fn networks_have_one_spelling() {
        for text in
            ["192.0.2.0/24", "0.0.0.0/0", "192.0.2.1/32", "2001:db8::/32", "::/0", "fe80::/10", "::1/128"]
        {
            assert_eq!(network(text).to_string(), text);
        }
        assert_eq!(network("192.0.2.1"), network("192.0.2.1/32"));
        assert_eq!(network("2001:db8::1"), network("2001:db8::1/128"));
    }

    #[test]
    fn what_is_no_network_is_refused_with_its_fault() {
        for text in [
            "",
            "/24",
            "192.0.2.0/",
            "192.0.2.0/024",
            "192.0.2.0/+4",
            "192.0.2/24",
            "example/8",
            "10.0.0.0/8 ",
        ] {
            assert_eq!(text.parse::<Cidr>(), Err(NotACidr::Form), "{text}");
        }
        for text in ["0.0.0.0/33", "::/129", "::/1000"] {
            assert_eq!(text.parse::<Cidr>(), Err(NotACidr::PrefixLen), "{text}");
        }
        assert_eq!("192.0.2.7/24".parse::<Cidr>(), Err(NotACidr::HostBits(network("192.0.2.0/24"))));
        assert_eq!("2001:db8::7/64".parse::<Cidr>(), Err(NotACidr::HostBits(network("2001:db8::/64"))));
        assert_eq!("::ffff:192.0.2.0/120".parse::<Cidr>(), Err(NotACidr::Mapped));
    }

    #[test]
    fn a_network_holds_its_addresses_and_no_other() {
        assert!(network("192.0.2.0/24").contains(address("192.0.2.255")));
        assert!(!network("192.0.2.0/24").contains(address("192.0.3.0")));
        assert!(network("0.0.0.0/0").contains(address("203.0.113.9")));
        assert!(!network("0.0.0.0/0").contains(address("2001:db8::1")));
        assert!(!network("::/0").contains(address("203.0.113.9")));
        assert!(network("2001:db8::/33").contains(address("2001:db8:7fff::1")));
        assert!(!network("2001:db8::/33").contains(address("2001:db8:8000::1")));
        assert!(network("192.0.2.1").contains(address("192.0.2.1")));
        assert!(!network("192.0.2.1").contains(address("192.0.2.0")));
    }
}
