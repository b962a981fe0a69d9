//! Who is never shut out.

use std::fmt;
use std::str::FromStr;

use knock_spa_proto::cidr::{Cidr, NotACidr};
use knock_spa_proto::interface::{InterfaceName, NotAnInterfaceName};

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
