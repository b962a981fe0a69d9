//! Who is never shut out.

use std::fmt;
use std::net::IpAddr;
use std::str::FromStr;

use knock_spa_proto::address::Address;
use knock_spa_proto::cidr::{Cidr, NotACidr};
use knock_spa_proto::interface::{InterfaceName, NotAnInterfaceName};

use super::expression::{Expression, Verdict, expressions};
use super::kernel::NFT_META_IIFNAME;

/// Whose packets the guard never drops, also with the daemon dead.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Trusted {
    /// Senders in this network, written `192.0.2.0/24`.
    Network(Cidr),
    /// Whatever arrives by this interface, present or future, written `iif wg0`.
    Interface(InterfaceName),
}

/// Why a text does not say whom to trust.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum NotTrusted {
    /// What follows `iif` is no interface.
    #[error(transparent)]
    Interface(#[from] NotAnInterfaceName),
    /// Without `iif`, it is no network either.
    #[error("{0} (or an interface, like \"iif wg0\")")]
    Network(#[from] NotACidr),
}

impl Trusted {
    /// The interfaces in a list.
    #[must_use]
    pub fn interfaces(list: &[Self]) -> Vec<InterfaceName> {
        let interface = |trusted: &Self| match trusted {
            Self::Interface(name) => Some(*name),
            Self::Network(_) => None,
        };
        list.iter().filter_map(interface).collect()
    }
}

impl FromStr for Trusted {
    type Err = NotTrusted;

    fn from_str(text: &str) -> Result<Self, NotTrusted> {
        match text.strip_prefix("iif ") {
            Some(name) => Ok(Self::Interface(name.parse()?)),
            None => Ok(Self::Network(text.parse()?)),
        }
    }
}

impl fmt::Display for Trusted {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Network(network) => network.fmt(f),
            Self::Interface(name) => write!(f, "iif {name}"),
        }
    }
}

/// Whom a rule of ours with these expressions trusts, if it is there for that.
pub(super) fn of_rule(list: &[u8]) -> Option<Trusted> {
    match expressions(list).as_slice() {
        [
            Expression::Meta { key: NFT_META_IIFNAME, .. },
            Expression::Compare { value, .. },
            Expression::Verdict(Verdict::Accept),
        ] => {
            let name = value.split(|byte| *byte == 0).next()?;
            Some(Trusted::Interface(str::from_utf8(name).ok()?.parse().ok()?))
        }
        [
            Expression::Meta { .. },
            Expression::Compare { .. },
            Expression::Payload { .. },
            Expression::Bitwise { mask, .. },
            Expression::Compare { value: first, .. },
            Expression::Verdict(Verdict::Accept),
        ] => {
            let ip = match <[u8; 4]>::try_from(first.as_slice()) {
                Ok(v4) => IpAddr::from(v4),
                Err(_) => IpAddr::from(<[u8; 16]>::try_from(first.as_slice()).ok()?),
            };
            let bits: u32 = mask.iter().map(|byte| byte.count_ones()).sum();
            Some(Trusted::Network(Cidr::new(Address::new(ip), u8::try_from(bits).ok()?).ok()?))
        }
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn networks_and_interfaces_are_read_and_written_alike() {
        for text in ["192.0.2.0/24", "2001:db8::/32", "iif wg0"] {
            assert_eq!(text.parse::<Trusted>().unwrap().to_string(), text);
        }
        assert_eq!("wg0".parse::<Trusted>(), Err(NotTrusted::Network(NotACidr::Form)));
        assert_eq!("iif ".parse::<Trusted>(), Err(NotTrusted::Interface(NotAnInterfaceName::Length)));
    }
}
