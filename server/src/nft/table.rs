//! The table `inet knock_spa`. As the `nft` program would write it:
//!
//! ``text
//! set doors     { typeof meta l4proto . th dport; flags timeout; }
//! set open4     { typeof ip saddr . meta l4proto . th dport; flags timeout; }         # open6 likewise
//! set cut4      { typeof ip saddr . meta l4proto . th dport; flags timeout; }         # cut6 likewise
//! set kept4     { typeof ip saddr . tcp sport . tcp dport; flags timeout; }           # kept6 likewise
//! set elsewhere { typeof fib daddr type; flags constant; elements = { unicast, unreachable } }
//! chain gate {
//!     type filter hook prerouting priority -199; policy accept;
//!     meta l4proto . th dport @doors goto door
//! }
//! chain door {
//!     ip saddr . meta l4proto . th dport @cut4 goto shut                              # cut6 likewise
//!     ct state established accept
//!     tcp flags & syn == 0 ip saddr . tcp sport . tcp dport @kept4 accept             # kept6 likewise
//!     goto shut
//! }
//! chain shut {
//!     iif lo accept
//!     ip saddr 192.0.2.0/24 accept                                                    # each trusted
//!     fib daddr type @elsewhere fib daddr . iif type @elsewhere accept
//!     ip saddr . meta l4proto . th dport @open4 accept                                # open6 likewise
//!     counter drop
//! }
//! ``
//!
//! - The hook lies after connection tracking (-200) and before anything that rewrites ports, for which -180
//!   has been seen: the port that counts is the one on the wire, also where containers publish theirs.
//! - Ports are matched positively: the inverse would drop packets of other protocols that are too short to
//!   have ports.
//! - What is forwarded or bridged to other machines is not ours to shut. Such a destination is unicast
//!   wherever one looks from, or, for a bridge without addresses of its own, unreachable over IPv6; the
//!   second look is for interfaces that belong to a VRF, whose addresses are local only from there.
//! - For whom flows were cut, what is established counts for nothing: the server's end still speaks, and
//!   connection tracking takes that for the beginning of a flow, and the answers to it for established.
//! - A session older than the guard may be unknown to connection tracking, which then takes a segment that
//!   its client sends for the first of a new one.

use std::iter;
use std::net::IpAddr;
use std::time::Duration;

use knock_spa_proto::cidr::Cidr;
use knock_spa_proto::port::Transport;

use super::TABLE;
use super::batch::{Batch, ENTRIES_MAX};
use super::kernel::*;
use super::rule::{Field, Register, Rule};
use super::ruleset::Ruleset;
use super::set::{Entry, Set};
use super::trusted::Trusted;
use crate::netlink::{Attributes, NLM_F_CREATE};

/// The chain that the kernel calls for every packet.
const GATE: &str = "gate";
/// The chain for packets to guarded ports.
const DOOR: &str = "door";
/// The chain for those of them that belong to nothing established.
pub(super) const SHUT: &str = "shut";
/// After connection tracking (-200), before destination NAT (-100, -150 and -180 have been seen).
const GATE_PRIORITY: i32 = -199;
/// For how long a session older than the guard may be idle: what connection tracking grants an established
/// one by default (`net.netfilter.nf_conntrack_tcp_timeout_established`), five days.
const KEPT_FOR: Duration = Duration::from_secs(432_000);

const R0: Register = Register(0);
const R1: Register = Register(1);
const R2: Register = Register(2);
const R4: Register = Register(4);
const R5: Register = Register(5);

/// The batches that replace the table by one that holds `ruleset`. The first has the doors, and as many
/// elements as it can carry; the others have the rest.
pub(super) fn replace(ruleset: &Ruleset) -> Vec<Batch> {
    let entries = entries(ruleset);
    let (first, rest) = entries.split_at_checked(ENTRIES_MAX).unwrap_or((&entries, &[]));
    let mut batch = Batch::new();
    remove_into(&mut batch);
    batch.push(NFT_MSG_NEWTABLE, NLM_F_CREATE, table());
    batch.push(NFT_MSG_NEWCHAIN, NLM_F_CREATE, gate());
    batch.push(NFT_MSG_NEWCHAIN, NLM_F_CREATE, chain(DOOR));
    batch.push(NFT_MSG_NEWCHAIN, NLM_F_CREATE, chain(SHUT));
    for (set, id) in Set::ALL.into_iter().zip(1..) {
        batch.push(NFT_MSG_NEWSET, NLM_F_CREATE, set.attributes(id));
    }
    // Before the rules: a constant set that a rule refers to is closed.
    batch.add(first);
    for rule in rules(&ruleset.trusted) {
        batch.push(NFT_MSG_NEWRULE, NLM_F_CREATE | NLM_F_APPEND, rule.attributes());
    }
    let rest = rest.chunks(ENTRIES_MAX).map(|entries| {
        let mut batch = Batch::new();
        batch.add(entries);
        batch
    });
    iter::once(batch).chain(rest).collect()
}

/// The batch that removes the table.
pub(super) fn remove() -> Batch {
    let mut batch = Batch::new();
    remove_into(&mut batch);
    batch
}

/// Removes the table whether it is there or not: what is made first can be removed.
fn remove_into(batch: &mut Batch) {
    batch.push(NFT_MSG_NEWTABLE, NLM_F_CREATE, table());
    batch.push(NFT_MSG_DELTABLE, 0, table());
}

fn table() -> Attributes {
    Attributes::new().text(NFTA_TABLE, TABLE)
}

fn chain(name: &str) -> Attributes {
    table().text(NFTA_CHAIN_NAME, name)
}

fn gate() -> Attributes {
    let hook = Attributes::new()
        .be32(NFTA_HOOK_HOOKNUM, NF_INET_PRE_ROUTING)
        .bytes(NFTA_HOOK_PRIORITY, &GATE_PRIORITY.to_be_bytes());
    chain(GATE)
        .nest(NFTA_CHAIN_HOOK, &hook)
        .text(NFTA_CHAIN_TYPE, "filter")
        .be32(NFTA_CHAIN_POLICY, NF_ACCEPT)
}

fn entries(ruleset: &Ruleset) -> Vec<Entry> {
    let elsewhere = [RTN_UNICAST, RTN_UNREACHABLE].map(Entry::elsewhere);
    let doors = ruleset.doors.iter().map(|port| Entry::door(*port, ruleset.doors_until));
    let open = ruleset.open.iter().map(|(element, timeout)| Entry::open(*element, *timeout));
    let kept = ruleset.kept.iter().map(|kept| Entry::kept(*kept, KEPT_FOR));
    let cut = ruleset.cut.iter().map(|(element, left)| Entry::cut(*element, *left));
    elsewhere.into_iter().chain(doors).chain(open).chain(cut).chain(kept).collect()
}

/// The rules of both chains, in order.
fn rules(trusted: &[Trusted]) -> Vec<Rule> {
    let mut rules = vec![
        Rule::of(GATE).load_port(R0).if_in(Set::Doors, R0).goto(DOOR),
        Rule::of(DOOR).load_ipv4_source().load_port(R1).if_in(Set::Cut4, R0).goto(SHUT),
        Rule::of(DOOR).load_ipv6_source().load_port(R4).if_in(Set::Cut6, R0).goto(SHUT),
        established(),
        not_syn().load_ipv4_source().load_both_ports(R1, R2).if_in(Set::Kept4, R0).accept(),
        not_syn().load_ipv6_source().load_both_ports(R4, R5).if_in(Set::Kept6, R0).accept(),
        Rule::of(DOOR).goto(SHUT),
        Rule::of(SHUT).load_meta(NFT_META_IIF, R0).if_equal(R0, &LOOPBACK_IFINDEX.to_ne_bytes()).accept(),
    ];
    rules.extend(trusted.iter().map(|trusted| trust(*trusted)));
    rules.extend([
        to_others(),
        Rule::of(SHUT).load_ipv4_source().load_port(R1).if_in(Set::Open4, R0).accept(),
        Rule::of(SHUT).load_ipv6_source().load_port(R4).if_in(Set::Open6, R0).accept(),
        Rule::of(SHUT).count().drop(),
    ]);
    rules
}

impl Rule {
    /// Loads transport and destination port into this register and the next.
    fn load_port(self, to: Register) -> Self {
        let next = Register(to.0.saturating_add(1));
        self.load_meta(NFT_META_L4PROTO, to).load(Field::DESTINATION_PORT, next)
    }

    fn load_both_ports(self, source: Register, destination: Register) -> Self {
        self.load(Field::SOURCE_PORT, source).load(Field::DESTINATION_PORT, destination)
    }

    /// Matches IPv4, and loads the sender into the first register.
    fn load_ipv4_source(self) -> Self {
        self.if_family(NFPROTO_IPV4).load(Field::IPV4_SOURCE, R0)
    }

    /// Matches IPv6, and loads the sender into the first four registers.
    fn load_ipv6_source(self) -> Self {
        self.if_family(NFPROTO_IPV6).load(Field::IPV6_SOURCE, R0)
    }

    fn if_family(self, family: u8) -> Self {
        self.load_meta(NFT_META_NFPROTO, R0).if_equal(R0, &[family])
    }
}

fn established() -> Rule {
    let rule = Rule::of(DOOR).load_connection_state(R0);
    rule.keep_bits(R0, &CT_STATE_ESTABLISHED.to_ne_bytes()).if_not_equal(R0, &[0; 4]).accept()
}

fn trust(trusted: Trusted) -> Rule {
    match trusted {
        Trusted::Interface(name) => {
            Rule::of(SHUT).load_meta(NFT_META_IIFNAME, R0).if_equal(R0, &name.to_field()).accept()
        }
        Trusted::Network(network) => trust_network(network),
    }
}

fn trust_network(network: Cidr) -> Rule {
    let rule = Rule::of(SHUT);
    let (rule, first) = match network.first().ip() {
        IpAddr::V4(v4) => (rule.load_ipv4_source(), v4.octets().to_vec()),
        IpAddr::V6(v6) => (rule.load_ipv6_source(), v6.octets().to_vec()),
    };
    rule.keep_bits(R0, &mask(network.prefix_len(), first.len())).if_equal(R0, &first).accept()
}

/// As many bytes, of which the first bits are set.
fn mask(bits: u8, bytes: usize) -> Vec<u8> {
    let starts = (0..=u8::MAX).step_by(8).take(bytes);
    starts.map(|start| !u8::MAX.checked_shr(u32::from(bits.saturating_sub(start))).unwrap_or(0)).collect()
}

/// Accepts what is for other machines.
fn to_others() -> Rule {
    Rule::of(SHUT)
        .load_destination_type(NFTA_FIB_F_DADDR, R0)
        .if_in(Set::Elsewhere, R0)
        .load_destination_type(NFTA_FIB_F_DADDR | NFTA_FIB_F_IIF, R0)
        .if_in(Set::Elsewhere, R0)
        .accept()
}

/// Matches TCP segments that do not ask for a connection.
fn not_syn() -> Rule {
    const SYN: u8 = 0x02;
    Rule::of(DOOR)
        .load_meta(NFT_META_L4PROTO, R0)
        .if_equal(R0, &[Transport::Tcp.number()])
        .load(Field::TCP_FLAGS, R0)
        .keep_bits(R0, &[SYN])
        .if_equal(R0, &[0])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn masks_have_as_many_bits_as_the_prefix() {
        assert_eq!(mask(0, 4), [0, 0, 0, 0]);
        assert_eq!(mask(20, 4), [255, 255, 0xf0, 0]);
        assert_eq!(mask(32, 4), [255; 4]);
        assert_eq!(mask(33, 16)[..6], [255, 255, 255, 255, 0x80, 0]);
        assert_eq!(mask(128, 16), [255; 16]);
    }
}
