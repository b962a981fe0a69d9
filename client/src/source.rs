//! Whom an opening is for, as the user says it: `auto`, `sender` or addresses.

use std::fmt;
use std::net::IpAddr;
use std::str::FromStr;

use knock_spa_proto::address::Address;
use knock_spa_proto::spa::request::Addresses;

/// Whom an opening is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Source {
    /// This machine, by the best means.
    Auto,
    /// Whomever the packet comes from, as the server sees it.
    Sender,
    /// These addresses, at least one.
    Stated(Addresses),
}

/// Why a text does not say whom to open for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum BadSource {
    /// Neither a word nor an address.
    #[error("write auto, sender, an address, or an IPv4 and an IPv6 address with a comma between")]
    NotASource,
    /// Two addresses of one family.
    #[error("at most one address of each family can be opened for")]
    SameFamily,
    /// Loopback, multicast and the like.
    #[error("no remote host can have that address")]
    NotRemote,
}

impl FromStr for Source {
    type Err = BadSource;

    fn from_str(text: &str) -> Result<Self, BadSource> {
        match text {
            "auto" => return Ok(Self::Auto),
            "sender" => return Ok(Self::Sender),
            _ => {}
        }
        let addresses = text.split(',').try_fold(Addresses::NONE, |addresses, word| {
            let address = word.parse().map_err(|_| BadSource::NotASource)?;
            and(addresses, Address::new(address))
        })?;
        Ok(Self::Stated(addresses))
    }
}

impl fmt::Display for Source {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let addresses = match self {
            Self::Auto => return f.write_str("auto"),
            Self::Sender => return f.write_str("sender"),
            Self::Stated(addresses) => addresses,
        };
        let stated = [addresses.v4().map(IpAddr::from), addresses.v6().map(IpAddr::from)];
        let stated: Vec<String> = stated.into_iter().flatten().map(|ip| ip.to_string()).collect();
        f.write_str(&stated.join(","))
    }
}

fn and(addresses: Addresses, address: Address) -> Result<Addresses, BadSource> {
    if !address.is_remote_host() {
        return Err(BadSource::NotRemote);
    }
    let (taken, both) = match address.ip() {
        IpAddr::V4(v4) => (addresses.v4().is_some(), addresses.with_v4(v4)),
        IpAddr::V6(v6) => (addresses.v6().is_some(), addresses.with_v6(v6)),
    };
    if taken { Err(BadSource::SameFamily) } else { both.map_err(|_| BadSource::NotRemote) }
}

#[cfg(test)]
mod tests {
    use std::net::{Ipv4Addr, Ipv6Addr};

    use super::*;

    #[test]
    fn words_and_addresses() {
        let (v4, v6) = (Ipv4Addr::new(192, 0, 2, 1), Ipv6Addr::new(0x2001, 0xdb8, 0, 0, 0, 0, 0, 1));
        let only4 = Addresses::NONE.with_v4(v4).unwrap();
        let both = only4.with_v6(v6).unwrap();
        for (text, source) in [
            ("auto", Ok(Source::Auto)),
            ("sender", Ok(Source::Sender)),
            ("192.0.2.1", Ok(Source::Stated(only4))),
            ("::ffff:192.0.2.1", Ok(Source::Stated(only4))),
            ("2001:db8::1,192.0.2.1", Ok(Source::Stated(both))),
            ("", Err(BadSource::NotASource)),
            ("Auto", Err(BadSource::NotASource)),
            ("192.0.2.1,", Err(BadSource::NotASource)),
            ("192.0.2.1,sender", Err(BadSource::NotASource)),
            ("192.0.2.0/24", Err(BadSource::NotASource)),
            ("192.0.2.1,192.0.2.2", Err(BadSource::SameFamily)),
            ("127.0.0.1", Err(BadSource::NotRemote)),
            ("ff02::1", Err(BadSource::NotRemote)),
        ] {
            assert_eq!(text.parse(), source, "{text}");
        }
    }
}
