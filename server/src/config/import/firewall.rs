//! What a command line does to a firewall, where that is plain: iptables, nft, and the script of Debian's knockd.

use std::collections::BTreeSet;
use std::num::NonZeroU16;

use knock_spa_proto::port::{ServicePort, Transport};

/// What a command line does.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Change {
    /// What it does with a rule, if anything is plain.
    pub verb: Option<Verb>,
    /// The ports that the rule names, each by its number.
    pub ports: Vec<ServicePort>,
    /// What may not be meant so.
    pub oddities: BTreeSet<Oddity>,
}

/// What may not be meant so.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Oddity {
    /// It accepts packets to whatever port.
    AllPorts,
    /// It has a port and no protocol, which iptables refuses.
    NoProtocol,
    /// It calls a script that Debian's configuration names and Debian does not have.
    KnockAdd,
    /// It knows IPv4 only.
    Ipv4,
}

/// What is done with a rule.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Verb {
    /// It is put behind the others.
    Append,
    /// It is put before the others.
    Insert,
    /// It is removed.
    Delete,
}

/// Ports that are also known by name.
const NAMES: [(&str, u16); 4] = [("ssh", 22), ("http", 80), ("https", 443), ("smtp", 25)];

/// Debian's script for knockd, and what its configuration calls it.
const KNOCK_HELPER: &str = "knock_helper_ipt.sh";
const KNOCK_ADD: &str = "knock_add";

/// What the line does, all its commands together.
pub(super) fn change(line: &str) -> Change {
    let mut whole = Change::default();
    for command in line.split([';', '&', '|', '\n']) {
        let words: Vec<_> = command.split_whitespace().map(|word| word.trim_matches(['"', '\''])).collect();
        let program = words.iter().position(|word| is_firewall(word));
        let Some((program, rest)) = program.and_then(|at| words.get(at..)?.split_first()) else { continue };
        let change = match name_of(program) {
            "nft" => nft(rest),
            KNOCK_ADD | KNOCK_HELPER => script(program, rest),
            _ => iptables(program, rest),
        };
        whole.verb = whole.verb.or(change.verb);
        whole.ports.extend(change.ports);
        whole.oddities.extend(change.oddities);
    }
    whole.ports.sort_unstable();
    whole.ports.dedup();
    whole
}

fn name_of(program: &str) -> &str {
    program.rsplit('/').next().unwrap_or_default()
}

fn is_firewall(word: &str) -> bool {
    let name = name_of(word);
    matches!(name, "nft" | KNOCK_ADD | KNOCK_HELPER)
        || name.starts_with("iptables")
        || name.starts_with("ip6tables")
}

fn iptables(program: &str, words: &[&str]) -> Change {
    let mut change = Change::default();
    let (mut transport, mut ports) = (None, None);
    for (word, next) in words.iter().zip(words.iter().skip(1)) {
        match *word {
            "-A" | "--append" => change.verb = Some(Verb::Append),
            "-I" | "--insert" => change.verb = Some(Verb::Insert),
            "-D" | "--delete" => change.verb = Some(Verb::Delete),
            "-p" | "--protocol" | "--proto" => transport = Some(*next),
            "--dport" | "--dports" | "--destination-port" | "--destination-ports" => ports = Some(*next),
            _ => {}
        }
    }
    let oddities = [
        (ports.is_none() && words.contains(&"ACCEPT"), Oddity::AllPorts),
        (ports.is_some() && transport.is_none(), Oddity::NoProtocol),
        (name_of(program).starts_with("iptables"), Oddity::Ipv4),
    ];
    change.oddities =
        oddities.into_iter().filter(|(is_there, _)| *is_there).map(|(_, oddity)| oddity).collect();
    // A port that everybody knows is one of TCP, where nothing is said.
    change.ports = listed(transport.or(Some("tcp")), ports).unwrap_or_default();
    change
}

fn script(program: &str, words: &[&str]) -> Change {
    let mut change = Change { oddities: [Oddity::Ipv4].into(), ..Change::default() };
    if name_of(program) == KNOCK_ADD {
        change.oddities.insert(Oddity::KnockAdd);
    }
    let (mut transport, mut port) = ("tcp", None);
    for (word, next) in words.iter().zip(words.iter().skip(1).chain([&""])) {
        match *word {
            "-a" | "--append" => change.verb = Some(Verb::Append),
            "-i" | "--insert" => change.verb = Some(Verb::Insert),
            "-x" | "--delete" => change.verb = Some(Verb::Delete),
            "-p" | "--proto" => transport = next,
            "-d" | "--dstport" => port = Some(*next),
            _ => {}
        }
    }
    change.ports = listed(Some(transport), port).unwrap_or_default();
    change
}

fn nft(words: &[&str]) -> Change {
    let verb = words.iter().find_map(|word| match *word {
        "add" => Some(Verb::Append),
        "insert" => Some(Verb::Insert),
        "delete" => Some(Verb::Delete),
        _ => None,
    });
    let ports = words.windows(3).filter_map(|three| match three {
        [transport, "dport", ports] => listed(Some(transport), Some(ports)),
        _ => None,
    });
    Change { verb, ports: ports.flatten().collect(), ..Change::default() }
}

/// The ports of a list; none where any of them is not plain.
fn listed(transport: Option<&str>, ports: Option<&str>) -> Option<Vec<ServicePort>> {
    let transport = match transport? {
        "tcp" => Transport::Tcp,
        "udp" => Transport::Udp,
        _ => return None,
    };
    ports?.split(',').map(|port| Some(ServicePort { transport, port: number(port)? })).collect()
}

fn number(port: &str) -> Option<NonZeroU16> {
    let known = NAMES.iter().find(|(name, _)| *name == port).and_then(|(_, port)| NonZeroU16::new(*port));
    known.or_else(|| port.parse().ok())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn plain_rules_are_understood() {
        for (line, verb, ports) in [
            ("/sbin/iptables -A INPUT -s %IP% -p tcp --dport 22 -j ACCEPT", Some(Verb::Append), "tcp/22"),
            ("iptables -I INPUT 1 -s %IP% -p udp --dport=53 -j ACCEPT", Some(Verb::Insert), ""),
            (
                "ip6tables -D INPUT -p tcp -m multiport --dports 80,https -j ACCEPT",
                Some(Verb::Delete),
                "tcp/80 tcp/443",
            ),
            (
                "iptables -I A -p tcp --dport 22; iptables -I A -p udp --dport 22",
                Some(Verb::Insert),
                "tcp/22 udp/22",
            ),
            ("iptables -A INPUT -p tcp --dport 6000:6007 -j ACCEPT", Some(Verb::Append), ""),
            ("sudo '/usr/sbin/iptables' -A INPUT -p \"tcp\" --dport '22'", Some(Verb::Append), "tcp/22"),
            ("nft add rule inet f i ip saddr %IP% tcp dport 22 accept", Some(Verb::Append), "tcp/22"),
            ("nft add element inet f allowed { %IP% }", Some(Verb::Append), ""),
            ("ufw allow from %IP%", None, ""),
            ("/usr/local/sbin/knock_add -i -c INPUT -p tcp -d 443 -f %IP%", Some(Verb::Insert), "tcp/443"),
            ("knock_helper_ipt.sh -f %IP% -d 22 -x", Some(Verb::Delete), "tcp/22"),
            ("", None, ""),
            ("iptables", None, ""),
        ] {
            let change = change(line);
            let shown: Vec<_> = change.ports.iter().map(ToString::to_string).collect();
            assert_eq!((change.verb, shown.join(" ").as_str()), (verb, ports), "{line}");
        }
    }

    #[test]
    fn oddities_are_seen() {
        for (line, oddities) in [
            ("iptables -A INPUT -s %IP% --dport 22 -j ACCEPT", &[Oddity::NoProtocol, Oddity::Ipv4][..]),
            ("iptables -A INPUT -s %IP% -p tcp --syn -j ACCEPT", &[Oddity::AllPorts, Oddity::Ipv4]),
            ("ip6tables -A INPUT -s %IP% -j ACCEPT", &[Oddity::AllPorts]),
            ("iptables -A INPUT -s %IP% -p tcp --dport 22 -j ACCEPT", &[Oddity::Ipv4]),
            ("/usr/local/sbin/knock_add -i -d 443", &[Oddity::KnockAdd, Oddity::Ipv4]),
            ("knock_helper_ipt.sh -i -d 443", &[Oddity::Ipv4]),
            ("nft add element inet f allowed { %IP% }", &[]),
        ] {
            assert_eq!(change(line).oddities.into_iter().collect::<Vec<_>>(), oddities, "{line}");
        }
    }
}
