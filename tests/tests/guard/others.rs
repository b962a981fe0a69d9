//! What other tables make of what the guard opens, told from real rulesets, and compared with what the kernel does.

use knock_spa_tests::lab::{Echo, World};
use knock_spad::nft::{Family, Survey, Verdicts};

use super::*;

/// A firewall, and in which families it shuts tcp/22 for an address that it does not name.
struct Case {
    name: &'static str,
    script: &'static str,
    shut: &'static [Family],
}

const BOTH: &[Family] = &[Family::Ipv4, Family::Ipv6];

const CASES: [Case; 22] = [
    Case { name: "nothing at all", script: "true", shut: &[] },
    Case {
        name: "a policy with an exception for the port",
        script: "nft -f - <<E
            table inet f { chain i { type filter hook input priority 0; policy drop;
                ct state established,related accept; iif lo accept; icmpv6 type nd-neighbor-solicit accept
                ip6 nexthdr icmpv6 accept; tcp dport 22 accept; }; }\nE",
        shut: &[],
    },
    Case {
        name: "a policy without",
        script: "nft -f - <<E
            table inet f { chain i { type filter hook input priority 0; policy drop;
                ct state established,related accept; iif lo accept; iifname \"lo\" accept; ct state invalid drop
                ip protocol icmp accept; ip6 nexthdr icmpv6 accept; tcp dport { 80, 443 } accept; udp dport 22 accept; }; }\nE",
        shut: BOTH,
    },
    Case {
        name: "an exception in one family alone",
        script: "nft -f - <<E
            table inet f { chain i { type filter hook input priority 0; policy drop;
                ip6 nexthdr icmpv6 accept; meta nfproto ipv4 tcp dport 22 accept; }; }\nE",
        shut: &[Family::Ipv6],
    },
    Case {
        name: "an exception for some addresses",
        script: "nft -f - <<E
            table inet f { set admins { type ipv4_addr; flags interval; elements = { 203.0.113.0/24, 10.9.9.9 } }
              chain i { type filter hook input priority 0; policy drop; ip6 nexthdr icmpv6 accept
                ip saddr 203.0.113.7 tcp dport 22 accept; ip saddr 203.0.113.0/24 accept
                ip saddr @admins accept; ip6 saddr 2001:db8:77::/48 accept; }; }\nE",
        shut: BOTH,
    },
    Case {
        name: "all but some addresses",
        script: "nft -f - <<E
            table inet f { set bad { type ipv4_addr; elements = { 203.0.113.9 } }
              chain i { type filter hook input priority 0; policy drop; ip6 nexthdr icmpv6 accept
                ip saddr @bad drop; ip saddr != 203.0.113.7 tcp dport 22 accept
                ip6 saddr != 2001:db8:77::1 tcp dport 22 accept; }; }\nE",
        shut: &[],
    },
    Case {
        name: "a rule that drops the port",
        script: "nft -f - <<E
            table ip f { chain i { type filter hook input priority 5; tcp dport 20-25 drop; }; }\nE",
        shut: &[Family::Ipv4],
    },
    Case {
        name: "a rule that rejects it",
        script: "nft -f - <<E
            table ip6 f { chain i { type filter hook input priority 5; tcp dport { 20-25, 80 } reject; }; }\nE",
        shut: &[Family::Ipv6],
    },
    Case {
        name: "verdicts in maps",
        script: "nft -f - <<E
            table inet f { chain in4 { tcp dport 22 accept; }
              chain i { type filter hook input priority 0; policy drop;
                ct state vmap { established : accept, related : accept, invalid : drop }
                meta l4proto ipv6-icmp accept
                tcp dport vmap { 80 : accept, 22 : jump in4 }; }; }\nE",
        shut: &[],
    },
    Case {
        name: "verdicts in maps that drop",
        script: "nft -f - <<E
            table inet f { chain i { type filter hook input priority 0;
                tcp dport vmap { 80 : accept, 20-30 : drop }; }; }\nE",
        shut: BOTH,
    },
    Case {
        name: "jumps that come back",
        script: "nft -f - <<E
            table inet f { chain a { tcp dport 80 accept; tcp dport 22 return; accept; }
              chain b { goto a; }
              chain i { type filter hook input priority 0; policy drop;
                meta l4proto ipv6-icmp accept; jump a; jump b; }; }\nE",
        shut: BOTH,
    },
    Case {
        name: "a jump that does not",
        script: "nft -f - <<E
            table inet f { chain a { tcp dport 22 counter accept; }
              chain i { type filter hook input priority 0; policy drop;
                meta l4proto ipv6-icmp accept; meta l4proto tcp goto a; tcp dport 22 drop; }; }\nE",
        shut: &[],
    },
    Case {
        name: "only some of the packets",
        script: "nft -f - <<E
            table inet f { chain i { type filter hook input priority 0; policy drop;
                meta l4proto ipv6-icmp accept; tcp dport 22 limit rate 1000/second accept; }; }\nE",
        shut: &[],
    },
    Case {
        name: "some interface",
        script: "nft -f - <<E
            table inet f { chain i { type filter hook input priority 0; policy drop;
                iifname \"to-*\" accept; }; }\nE",
        shut: &[],
    },
    Case {
        name: "before it gets as far",
        script: "nft -f - <<E
            table inet f { chain p { type filter hook prerouting priority -150; tcp dport 22 tcp flags syn drop; }; }\nE",
        shut: BOTH,
    },
    Case {
        name: "a table that is asleep",
        script: "nft -f - <<E
            table inet f { flags dormant; chain i { type filter hook input priority 0; policy drop; }; }\nE",
        shut: &[],
    },
    Case {
        name: "what passes by or goes out",
        script: "nft -f - <<E
            table inet f { chain f { type filter hook forward priority 0; policy drop; }
              chain o { type filter hook output priority 0; tcp dport 22 drop; }; }\nE",
        shut: &[],
    },
    Case {
        name: "more of the same key",
        script: "nft -f - <<E
            table inet f { set s { type inet_proto . inet_service; elements = { tcp . 22, udp . 53 } }
              chain i { type filter hook input priority 0; policy drop;
                meta l4proto ipv6-icmp accept; meta l4proto . th dport @s accept; }; }\nE",
        shut: &[],
    },
    Case {
        name: "iptables as most people have it",
        script: "for t in iptables ip6tables; do
            $t -A INPUT -i lo -j ACCEPT; $t -A INPUT -m conntrack --ctstate RELATED,ESTABLISHED -j ACCEPT
            $t -A INPUT -m state --state INVALID -j DROP; $t -A INPUT -p tcp --dport 80 -m comment --comment x -j ACCEPT
            $t -A INPUT -p tcp -m tcp --tcp-flags SYN,ACK ACK -j ACCEPT
            done; ip6tables -A INPUT -p ipv6-icmp -j ACCEPT; iptables -P INPUT DROP; ip6tables -P INPUT DROP",
        shut: BOTH,
    },
    Case {
        name: "iptables with an exception for the port",
        script: "for t in iptables ip6tables; do
            $t -A INPUT -m conntrack --ctstate RELATED,ESTABLISHED -j ACCEPT; $t -N OWN; $t -A INPUT -j OWN
            $t -A OWN -p tcp -m conntrack --ctstate NEW -m tcp --dport 22 -j ACCEPT
            $t -A INPUT -j LOG; done; ip6tables -A INPUT -p ipv6-icmp -j ACCEPT; iptables -P INPUT DROP; ip6tables -P INPUT DROP",
        shut: &[],
    },
    Case {
        name: "iptables that rejects everything at the end",
        script: "iptables -A INPUT -p tcp -m multiport --dports 80,443 -s 203.0.113.1 -j ACCEPT; iptables -A INPUT -j REJECT",
        shut: &[Family::Ipv4],
    },
    Case {
        name: "iptables and half of the ports",
        script: "iptables -P INPUT DROP; iptables -A INPUT -p tcp ! --dport 1:21 -j ACCEPT",
        shut: &[],
    },
];

fn survey(world: &World) -> Survey {
    world.server.enter(Survey::read).unwrap()
}

fn verdicts(world: &World) -> Verdicts {
    survey(world).verdicts(port("tcp/22"))
}

/// What is said to be shut is, by the kernel's word, and what is not said to be can be reached.
#[test]
fn what_is_said_of_other_tables_is_what_they_do() {
    let world = World::new();
    let _service = Echo::tcp(&world.server, 22);
    let _guard = guarding(&world.server, &["tcp/23"]);
    for Case { name, script, shut } in CASES {
        world.server.run("nft flush ruleset");
        world.server.sh(script);
        let mut found: Vec<Family> = verdicts(&world).shut.into_iter().map(|(_, family)| family).collect();
        found.sort();
        assert_eq!(found, shut, "{name}\n{}", world.server.run("nft list ruleset"));
        for (ip, family) in [(world.server.v4.into(), Family::Ipv4), (world.server.v6.into(), Family::Ipv6)] {
            let limit = if shut.contains(&family) { SILENCE } else { PATIENCE };
            let answer = world.stranger.connect(SocketAddr::new(ip, 22), limit);
            assert_eq!(answer == Answer::Open, !shut.contains(&family), "{name}, {family}: {answer:?}");
        }
    }
}

#[test]
fn our_own_table_is_none_of_the_others() {
    let world = World::new();
    let _guard = guarding(&world.server, &["tcp/22"]);
    assert_eq!(verdicts(&world), Verdicts::default());
}

#[test]
fn chains_are_named_as_the_nft_program_names_them() {
    let world = World::new();
    world.server.sh("nft add table ip6 six; nft 'add chain ip6 six in { type filter hook input priority 0; policy drop; }'");
    let (chain, family) = verdicts(&world).shut.into_iter().next().unwrap();
    assert_eq!((chain.to_string().as_str(), family), ("ip6 six in", Family::Ipv6));
    world.server.run(&format!("nft list chain {chain}"));
}

#[test]
fn what_keeps_packets_from_being_tracked_is_found() {
    let world = World::new();
    for (script, names) in [
        ("nft -f - <<E
            table inet r { chain p { type filter hook prerouting priority raw; tcp dport { 22, 53 } notrack; }; }\nE", &["inet r p"][..]),
        ("nft -f - <<E
            table ip r { chain o { type filter hook output priority raw; tcp sport 22 notrack; }; }\nE", &["ip r o"]),
        ("nft -f - <<E
            table ip6 r { chain p { type filter hook prerouting priority raw; ip6 saddr 2001:db8::/32 notrack; }; }\nE", &["ip6 r p"]),
        ("nft -f - <<E
            table inet r { chain p { type filter hook prerouting priority raw; udp dport 53 notrack; iif lo notrack; }
              chain o { type filter hook output priority raw; udp sport 53 notrack; oif lo notrack; }; }\nE", &[]),
        ("iptables -t raw -A PREROUTING -p tcp --dport 22 -j CT --notrack", &["ip raw PREROUTING"]),
        ("iptables -t raw -A PREROUTING -p tcp --dport 80 -j CT --notrack", &[]),
        ("iptables -t raw -A PREROUTING -p tcp --dport 22 -j CT --zone 1", &[]),
    ] {
        world.server.run("nft flush ruleset");
        world.server.sh(script);
        let found: Vec<_> = verdicts(&world).untracked.iter().map(ToString::to_string).collect();
        assert_eq!(found, names, "{script}");
    }
}

/// Such as those that block whole countries.
#[test]
fn a_large_ruleset_is_read_in_reasonable_time() {
    let world = World::new();
    let addresses: String =
        (0..50_000_u32).map(|i| format!("11.{}.{}.{},", i >> 16, (i >> 8) & 255, i & 255)).collect();
    let rules: String =
        (0..5_000).map(|i| format!("add rule inet f i tcp dport {} drop\n", 10_000 + i)).collect();
    let script = format!(
        "table inet f {{ set s {{ type ipv4_addr; elements = {{ {addresses} }}; }}
           chain i {{ type filter hook input priority 0; ip saddr @s drop; }}; }}\n{rules}"
    );
    world.server.run_command(std::process::Command::new("nft").args(["-f", "-"]), &script);
    let start = std::time::Instant::now();
    assert_eq!(verdicts(&world), Verdicts::default());
    assert_eq!(survey(&world).verdicts(port("tcp/10500")).shut.len(), 2);
    println!("two surveys of 5000 rules beside a set of 50000 addresses: {:?}", start.elapsed());
}
