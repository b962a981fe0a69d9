//! `HOST[:PORT]` on the command line.

use std::net::{IpAddr, Ipv6Addr};
use std::num::NonZeroU16;
use std::str::FromStr;

use knock_spa_keys::endpoint::{BadEndpoint, Endpoint, Host};

/// A host and perhaps a port, as people write them: letters of either case, an IPv6 address with or without
/// brackets.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct GivenEndpoint {
    host: Host,
    port: Option<NonZeroU16>,
}

impl GivenEndpoint {
    /// The endpoint, at `port` where none was given.
    pub(super) fn at(self, port: NonZeroU16) -> Endpoint {
        Endpoint { host: self.host, port: self.port.unwrap_or(port) }
    }
}

impl FromStr for GivenEndpoint {
    type Err = BadEndpoint;

    fn from_str(text: &str) -> Result<Self, BadEndpoint> {
        let text = text.to_ascii_lowercase();
        if let Ok(address) = text.parse::<Ipv6Addr>() {
            return Ok(Self { host: Host::Address(IpAddr::V6(address).to_canonical()), port: None });
        }
        match text.rsplit_once(':') {
            Some(_) if !text.ends_with(']') => {
                let endpoint: Endpoint = text.parse()?;
                Ok(Self { host: endpoint.host, port: Some(endpoint.port) })
            }
            _ => Ok(Self { host: text.parse()?, port: None }),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hosts_are_taken_as_people_write_them() {
        for (text, endpoint) in [
            ("gw.example.net", "gw.example.net:62201"),
            ("GW.Example.net:99", "gw.example.net:99"),
            ("192.0.2.1", "192.0.2.1:62201"),
            ("192.0.2.1:99", "192.0.2.1:99"),
            ("2001:DB8::1", "[2001:db8::1]:62201"),
            ("::ffff:192.0.2.1", "192.0.2.1:62201"),
            ("[2001:db8::1]", "[2001:db8::1]:62201"),
            ("[2001:db8::1]:99", "[2001:db8::1]:99"),
        ] {
            let given: GivenEndpoint = text.parse().unwrap();
            assert_eq!(given.at(62_201.try_into().unwrap()).to_string(), endpoint, "{text}");
        }
        for text in
            ["", ":99", "gw:", "gw:0", "gw:65536", "gw:x", "-gw", "g w", "2001:db8::g", "[gw]:1", "1.2.3"]
        {
            assert!(text.parse::<GivenEndpoint>().is_err(), "{text}");
        }
    }
}
