//! What other tables than ours make of the packets that the guard lets in.
//!
//! An `accept` of ours does not beat a `drop` of somebody else's. So their rules are followed for a packet of which only
//! some is known: its port, and that it comes from an address that no rule names. Where a rule may or may not match, both
//! ways are followed. What is said of a chain is therefore true of every such packet, or is not said. Rules of
//! iptables-legacy, of the families `netdev`, `bridge` and `arp`, and of programs in BPF are not seen.

mod elements;
mod packet;
mod walk;

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

use knock_spa_proto::address::Address;
use knock_spa_proto::port::ServicePort;
use netlink_sys::protocols::NETLINK_NETFILTER;

use self::elements::Elements;
use self::packet::Packet;
use self::walk::Walk;
use super::error::NftError;
use super::expression::{Expression, expressions, number, text};
use super::kernel::*;
use super::{TABLE, list};
use crate::netlink::{Attributes, NLM_F_DUMP, Request, Socket, attribute};

/// The name of a chain, or of a set, in its table.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Chain {
    /// `NFPROTO_INET`, `NFPROTO_IPV4` or `NFPROTO_IPV6`.
    family: u8,
    table: String,
    name: String,
}

impl fmt::Display for Chain {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let family = match self.family {
            NFPROTO_IPV4 => "ip",
            NFPROTO_IPV6 => "ip6",
            _ => "inet",
        };
        write!(f, "{family} {} {}", self.table, self.name)
    }
}

/// A family of addresses.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Family {
    /// IPv4.
    Ipv4,
    /// IPv6.
    Ipv6,
}

impl Family {
    const ALL: [Self; 2] = [Self::Ipv4, Self::Ipv6];

    /// That of this address.
    pub(super) const fn of(address: Address) -> Self {
        if address.ip().is_ipv4() { Self::Ipv4 } else { Self::Ipv6 }
    }

    /// Whether tables of this `NFPROTO_*` see its packets.
    const fn is_seen_by(self, family: u8) -> bool {
        match self {
            Self::Ipv4 => matches!(family, NFPROTO_INET | NFPROTO_IPV4),
            Self::Ipv6 => matches!(family, NFPROTO_INET | NFPROTO_IPV6),
        }
    }
}

impl fmt::Display for Family {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Ipv4 => "IPv4",
            Self::Ipv6 => "IPv6",
        })
    }
}

/// A chain that the kernel calls by itself.
#[derive(Clone, Debug, PartialEq, Eq)]
struct BaseChain {
    chain: Chain,
    /// One of `NF_INET_*`.
    hook: u32,
    drops_by_policy: bool,
}

/// The ruleset of a network namespace, but for our own table.
#[derive(Clone, Debug, Default)]
pub struct Survey {
    base: Vec<BaseChain>,
    rules: BTreeMap<Chain, Vec<Vec<Expression>>>,
    sets: BTreeMap<Chain, Elements>,
}

/// What the chains of others make of packets to one port.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Verdicts {
    /// Those that accept no new connection from an address which none of their rules names, by family.
    pub shut: BTreeSet<(Chain, Family)>,
    /// Those by which some packets of such a connection are not tracked.
    pub untracked: BTreeSet<Chain>,
}

impl Survey {
    /// Reads the ruleset.
    ///
    /// # Errors
    /// Any [`NftError`]: [`NftError::NotPermitted`] without `CAP_NET_ADMIN`.
    pub fn read() -> Result<Self, NftError> {
        let mut socket = Socket::connect(NETLINK_NETFILTER, &[])?;
        let nothing = Attributes::new();
        let every = |kind| Request { kind, flags: NLM_F_DUMP, head: &EVERY_FAMILY, attributes: &nothing };
        let tables = list(&mut socket, &every(NFT_MSG_GETTABLE), table)?;
        let asleep: BTreeSet<_> = tables.into_iter().flatten().collect();
        let counts = |of: &Chain| !asleep.contains(&(of.family, of.table.clone())) && !is_ours(of);
        let base = list(&mut socket, &every(NFT_MSG_GETCHAIN), base_chain)?;
        let rules = list(&mut socket, &every(NFT_MSG_GETRULE), rule)?;
        let mut survey = Self {
            base: base.into_iter().flatten().filter(|base| counts(&base.chain)).collect(),
            ..Self::default()
        };
        for (chain, expressions) in rules.into_iter().flatten().filter(|(chain, _)| counts(chain)) {
            survey.rules.entry(chain).or_default().push(expressions);
        }
        let sets = list(&mut socket, &every(NFT_MSG_GETSET), |family, message| {
            Some((in_table(family, message, NFTA_SET_NAME)?, Elements::of_set(message)?))
        })?;
        for (name, mut elements) in sets.into_iter().flatten().filter(|(name, _)| counts(name)) {
            if elements.is_wanted() {
                elements.read(&mut socket, &name)?;
            }
            survey.sets.insert(name, elements);
        }
        Ok(survey)
    }

    /// What the chains of others make of packets to this port.
    #[must_use]
    pub fn verdicts(&self, port: ServicePort) -> Verdicts {
        let mut verdicts = Verdicts::default();
        for base in &self.base {
            for family in Family::ALL.into_iter().filter(|family| family.is_seen_by(base.chain.family)) {
                self.judge(base, family, port, &mut verdicts);
            }
        }
        verdicts
    }

    fn judge(&self, base: &BaseChain, family: Family, port: ServicePort, verdicts: &mut Verdicts) {
        let is_on_the_way_in = matches!(base.hook, NF_INET_PRE_ROUTING | NF_INET_LOCAL_IN);
        if is_on_the_way_in {
            let outcome = Walk::new(self, Packet::opening(family, port)).through(base);
            if !outcome.may_be_accepted {
                verdicts.shut.insert((base.chain.clone(), family));
            }
        }
        let packet = match base.hook {
            NF_INET_PRE_ROUTING => Packet::incoming(family, port),
            NF_INET_LOCAL_OUT => Packet::outgoing(family, port),
            _ => return,
        };
        if Walk::new(self, packet).through(base).may_be_untracked {
            verdicts.untracked.insert(base.chain.clone());
        }
    }
}

fn is_ours(chain: &Chain) -> bool {
    chain.family == NFPROTO_INET && chain.table == TABLE
}

/// The name that this message says, in the table that it names.
fn in_table(family: u8, message: &[u8], kind: u16) -> Option<Chain> {
    let table = text(attribute(message, NFTA_TABLE)?);
    Some(Chain { family, table, name: text(attribute(message, kind)?) })
}

/// Family and name of a table that is asleep.
fn table(family: u8, message: &[u8]) -> Option<(u8, String)> {
    let is_asleep = number(message, NFTA_TABLE_FLAGS)? & NFT_TABLE_F_DORMANT != 0;
    is_asleep.then_some((family, text(attribute(message, NFTA_TABLE)?)))
}

/// A base chain that filters or marks packets of IP.
fn base_chain(family: u8, message: &[u8]) -> Option<BaseChain> {
    if !matches!(family, NFPROTO_INET | NFPROTO_IPV4 | NFPROTO_IPV6) {
        return None;
    }
    let hook = number(attribute(message, NFTA_CHAIN_HOOK)?, NFTA_HOOK_HOOKNUM)?;
    let kind = text(attribute(message, NFTA_CHAIN_TYPE)?);
    Some(BaseChain {
        chain: in_table(family, message, NFTA_CHAIN_NAME)?,
        hook,
        drops_by_policy: number(message, NFTA_CHAIN_POLICY) == Some(NF_DROP),
    })
    .filter(|_| kind != "nat")
}

fn rule(family: u8, message: &[u8]) -> Option<(Chain, Vec<Expression>)> {
    let chain = in_table(family, message, NFTA_RULE_CHAIN)?;
    Some((chain, expressions(attribute(message, NFTA_RULE_EXPRESSIONS).unwrap_or_default())))
}
