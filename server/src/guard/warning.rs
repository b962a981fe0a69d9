//! What an administrator should know before the guard goes up.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::net::IpAddr;
use std::str::FromStr;

use knock_spa_engine::rules::Action;
use knock_spa_proto::address::Address;
use knock_spa_proto::element::Element;
use knock_spa_proto::port::{ServicePort, Transport};

use crate::config::settings::Settings;
use crate::nft::{Chain, Family, Survey, Trusted};

/// The remote session that a command is typed over, as sshd tells it: `SSH_CONNECTION`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RemoteSession {
    /// The other end.
    pub from: Address,
    /// This end's address.
    pub own: Address,
    /// This end's port.
    pub port: ServicePort,
}

/// Not four words: address and port of the client, and of this machine.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("not what sshd says of a connection")]
pub struct NotARemoteSession;

impl FromStr for RemoteSession {
    type Err = NotARemoteSession;

    fn from_str(text: &str) -> Result<Self, NotARemoteSession> {
        let [from, _, own, port] = text.split(' ').collect::<Vec<_>>()[..] else {
            return Err(NotARemoteSession);
        };
        let address = |text: &str| {
            // A link-local address names its interface.
            let ip: IpAddr =
                text.split('%').next().unwrap_or_default().parse().map_err(|_| NotARemoteSession)?;
            Ok(Address::new(ip))
        };
        let port = port.parse().ok().and_then(|port| ServicePort::new(Transport::Tcp, port));
        Ok(Self { from: address(from)?, own: address(own)?, port: port.ok_or(NotARemoteSession)? })
    }
}

/// What the guard is to shut, and who gets in all the same.
#[derive(Clone, Copy, Debug)]
pub struct Plans<'a> {
    /// The ports of the guard's doors, without the SPA port.
    pub doors: &'a BTreeSet<ServicePort>,
    /// Whom it never drops.
    pub trusted: &'a [Trusted],
    /// This machine's addresses at trusted interfaces.
    pub own_at_trusted: &'a BTreeSet<Address>,
    /// What is open.
    pub open: &'a BTreeSet<Element>,
}

/// The ports of the guard's doors in a configuration.
#[must_use]
pub fn doors(settings: &Settings) -> BTreeSet<ServicePort> {
    let doors = settings.doors.iter().filter(|door| door.action == Action::Guard);
    doors.flat_map(|door| door.ports.iter().copied()).collect()
}

/// What an administrator should know.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Warning {
    /// The guard shuts the port of the very session that this is typed over, and nothing lets another one in.
    OwnSession(RemoteSession),
    /// With the daemon dead nobody gets in.
    NobodyTrusted,
    /// A chain of somebody else's accepts nothing at ports that the guard opens.
    MayDrop(Chain, BTreeSet<(ServicePort, Family)>),
    /// A chain of somebody else's keeps packets at these ports from connection tracking.
    Untracked(Chain, BTreeSet<ServicePort>),
}

impl fmt::Display for Warning {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::OwnSession(RemoteSession { from, port, .. }) => write!(
                f,
                "the guard shuts {port}, over which {from} types this: this session lives on, but another needs \
                 `knock-spa open`, or that address in [guard] trusted"
            ),
            Self::NobodyTrusted => {
                f.write_str("[guard] trusted names nobody: with the daemon dead nobody gets in")
            }
            Self::MayDrop(chain, ports) => {
                let ports = listed(ports.iter().map(|(port, family)| format!("{port} over {family}")));
                write!(
                    f,
                    "the chain {chain} of nftables may drop what the guard opens, at {ports}: no rule there accepts \
                     it from everywhere"
                )
            }
            Self::Untracked(chain, ports) => {
                let ports = listed(ports.iter().map(ToString::to_string));
                write!(
                    f,
                    "the chain {chain} of nftables may keep packets at {ports} from connection tracking: sessions \
                     there end with their lease"
                )
            }
        }
    }
}

fn listed(words: impl Iterator<Item = String>) -> String {
    words.collect::<Vec<_>>().join(", ")
}

/// Everything that an administrator should know of these plans.
#[must_use]
pub fn warnings(plans: Plans<'_>, session: Option<RemoteSession>, survey: &Survey) -> Vec<Warning> {
    if plans.doors.is_empty() {
        return Vec::new();
    }
    let own = session.filter(|session| shuts_out(plans, *session)).map(Warning::OwnSession);
    let nobody = plans.trusted.is_empty().then_some(Warning::NobodyTrusted);
    own.into_iter().chain(nobody).chain(of_others(plans.doors, survey)).collect()
}

/// Whether nothing lets in another session like this one.
fn shuts_out(plans: Plans<'_>, session: RemoteSession) -> bool {
    let RemoteSession { from, own, port } = session;
    let is_trusted = plans.trusted.iter().any(|trusted| match trusted {
        Trusted::Network(network) => network.contains(from),
        Trusted::Interface(_) => false,
    });
    plans.doors.contains(&port)
        && !is_trusted
        && !from.ip().is_loopback()
        && from != own
        // By which interface it came nobody says; at whose address it arrived is the best guess.
        && !plans.own_at_trusted.contains(&own)
        && !plans.open.contains(&Element { address: from, port })
}

/// What other tables do to the ports of doors.
fn of_others(doors: &BTreeSet<ServicePort>, survey: &Survey) -> Vec<Warning> {
    let mut shut: BTreeMap<Chain, BTreeSet<(ServicePort, Family)>> = BTreeMap::new();
    let mut untracked: BTreeMap<Chain, BTreeSet<ServicePort>> = BTreeMap::new();
    for port in doors {
        let verdicts = survey.verdicts(*port);
        for (chain, family) in verdicts.shut {
            shut.entry(chain).or_default().insert((*port, family));
        }
        for chain in verdicts.untracked {
            untracked.entry(chain).or_default().insert(*port);
        }
    }
    let shut = shut.into_iter().map(|(chain, ports)| Warning::MayDrop(chain, ports));
    shut.chain(untracked.into_iter().map(|(chain, ports)| Warning::Untracked(chain, ports))).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    const SESSION: &str = "198.51.100.7 50000 192.0.2.1 22";

    fn warned(trusted: &[&str], own_at_trusted: &[&str], open: &[&str], session: &str) -> bool {
        let address = |text: &&str| Address::new(text.parse().unwrap());
        let doors = ["tcp/22", "tcp/80"].map(|port| port.parse().unwrap()).into();
        let trusted: Vec<_> = trusted.iter().map(|trusted| trusted.parse().unwrap()).collect();
        let open = open.iter().map(|text| {
            let (port, from) = text.split_once(' ').unwrap();
            Element { address: address(&from), port: port.parse().unwrap() }
        });
        let own_at_trusted = own_at_trusted.iter().map(address).collect();
        let plans = Plans {
            doors: &doors,
            trusted: &trusted,
            own_at_trusted: &own_at_trusted,
            open: &open.collect(),
        };
        let found = warnings(plans, session.parse().ok(), &Survey::default());
        assert_eq!(found.contains(&Warning::NobodyTrusted), trusted.is_empty());
        found.iter().any(|warning| matches!(warning, Warning::OwnSession(_)))
    }

    #[test]
    fn whoever_would_be_shut_out_is_warned() {
        assert!(warned(&[], &[], &[], SESSION));
        assert!(warned(&["198.51.100.8"], &[], &[], SESSION));
        assert!(!warned(&["198.51.100.0/24"], &[], &[], SESSION));
        assert!(warned(&["iif wg0"], &["10.0.0.1"], &[], SESSION));
        assert!(!warned(&["iif wg0"], &["192.0.2.1"], &[], SESSION));
        assert!(warned(&[], &[], &["tcp/80 198.51.100.7", "tcp/22 198.51.100.8"], SESSION));
        assert!(!warned(&[], &[], &["tcp/22 198.51.100.7"], SESSION));
        assert!(!warned(&[], &[], &[], "198.51.100.7 50000 192.0.2.1 2222"));
        assert!(!warned(&[], &[], &[], "127.0.0.1 50000 127.0.0.1 22"));
        assert!(warned(&[], &[], &[], "2001:db8::7 50000 2001:db8::1 22"));
        assert!(warned(&[], &[], &[], "fe80::7%eth0 50000 fe80::1%eth0 22"));
    }

    #[test]
    fn only_what_sshd_says_is_a_session() {
        for text in ["", "198.51.100.7 50000 192.0.2.1", "x 50000 192.0.2.1 22", "198.51.100.7 1 192.0.2.1 0"]
        {
            assert_eq!(text.parse::<RemoteSession>(), Err(NotARemoteSession), "{text:?}");
        }
    }
}
