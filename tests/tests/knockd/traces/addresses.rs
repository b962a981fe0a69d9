//! Who knocks, and where.

use super::*;

pub fn traces() -> Vec<Trace> {
    [sources(), own(), targets(), shapes(), interfaces()].concat()
}

fn sources() -> Vec<Trace> {
    let one = &door("d", "7000", "");
    let two = &door("d", "7000,8000", "");
    vec![
        Trace::new(
            "v6_address_forms",
            one,
            "::1: 7000 ::192.0.2.1: 7000 2001:db8::1:0:0:1: 7000 ::1:0: 7000 ::ffff: 7000 \
             2001:db8:0:1:1:1:1:1: 7000 2001:0:0:1:0:0:0:1: 7000 2001:0:0:1::1: 7000 \
             fe80::1: 7000 2001:DB8::ABCD: 7000 64:ff9b::192.0.2.33: 7000 2001:db8:0:0:1:0:0:1: 7000",
        ),
        Trace::new("v6_address_forms with a gap at the end", one, "2001:db8:1:1:1:1::: 7000 1::: 7000"),
        Trace::new(
            "sources that are our own or near",
            one,
            "192.0.2.1: 7000 192.0.2.9: 7000 127.0.0.1: 7000 10.0.0.1: 7000 192.0.2.254: 7000 2001:db8:1::1: 7000 \
             ::1: 7000",
        ),
        Trace::new(
            "sources that nobody has",
            one,
            "255.255.255.255: 7000 224.0.0.1: 7000 240.1.2.3: 7000 ff02::1: 7000 ::: 7000",
        )
        .other("impossible-sources"),
        Trace::new("mapped addresses", one, "::ffff:192.0.2.1: 7000 ::ffff:10.0.0.1: 7000")
            .mended("mapped-addresses"),
        Trace::new("mapped addresses of nobody", one, "::ffff:0:0: 7000 ::ffff:255.255.255.255: 7000")
            .other("impossible-sources"),
        Trace::new(
            "mapped addresses are others than those of IPv4",
            two,
            "a: 7000 ::ffff:198.51.100.1: 8000 7000 8000 a: 8000",
        )
        .mended("mapped-addresses"),
        Trace::new(
            "sources beside each other",
            two,
            "198.51.100.1: 7000 198.51.100.10: 7000 198.51.100.100: 7000 8000",
        ),
        Trace::new("cli_lookup_names of nobody", two, "a: 7000 8000 x: 7000 8000").args("-l"),
        Trace::new(
            "cli_lookup_names",
            &door("d", "7000,8000", "stop_command = exit 0\ncmd_timeout = 0\nseq_timeout = 1"),
            "127.0.0.1: 7000 8000 7000 ~1000 a: 7000",
        )
        .args("--lookup"),
    ]
}

fn own() -> Vec<Trace> {
    let ssh = &door("d", "7000,8000,9000", "");
    vec![
        Trace::new("addresses within one sequence", ssh, "a: 7000 >2 8000 >1 9000 x: 7000 >l 8000 >6 9000"),
        Trace::new("the second address", ssh, "a: >2 7000 8000 9000"),
        Trace::new("the link-local address", ssh, "x: >l 7000 8000 9000 fe80::1: >l 7000 8000 9000"),
        Trace::new(
            "another's address",
            ssh,
            "a: 7000 >192.0.2.77 8000 9000 >1 8000 >255.255.255.255 7000 >192.0.2.255 9000 >224.0.0.1 9000 >1 9000",
        ),
        Trace::new(
            "another's address of IPv6",
            ssh,
            "x: 7000 >2001:db8:1::77 8000 >ff02::1 9000 >6 8000 9000",
        ),
        Trace::new("without IPv6", ssh, "a: 7000 8000 9000 x: 7000 8000 9000")
            .args("-4")
            .own("192.0.2.1 192.0.2.9"),
        Trace::new("without IPv6, in one word", ssh, "a: 7000 8000 9000 x: 7000 8000 9000")
            .args("--only-ip-v4")
            .own("192.0.2.1 192.0.2.9"),
    ]
}

fn targets() -> Vec<Trace> {
    let target = |name: &str, target: &str| door(name, "7000,8000", &format!("target = {target}"));
    let other = target("other", "203.0.113.7");
    let plain = door("plain", "7000,8000", "");
    let both = &[other.clone(), plain.clone()].concat();
    vec![
        Trace::new("target that is another's", &other, "a: 7000 8000 >203.0.113.7 7000 8000"),
        Trace::new(
            "target that is our own",
            &target("own", "192.0.2.9"),
            "a: 7000 8000 >2 7000 8000 7000 >1 8000 >2 8000",
        ),
        Trace::new(
            "target of IPv6",
            &target("six", "2001:db8:7::7"),
            "x: 7000 8000 >2001:db8:7::7 7000 8000 a: 7000 8000",
        ),
        Trace::new("target in other letters", &target("six", "2001:DB8:7::7"), "x: >2001:db8:7::7 7000 8000")
            .other("target-spelling"),
        Trace::new("target written out", &target("six", "2001:db8:7:0::7"), "x: >2001:db8:7::7 7000 8000")
            .other("target-spelling"),
        Trace::new(
            "target twice",
            &target("t", "203.0.113.7\ntarget = 203.0.113.8"),
            "a: >203.0.113.7 7000 8000 >203.0.113.8 7000 8000",
        ),
        Trace::new(
            "attempts at two targets do not disturb each other",
            both,
            "a: 7000 >203.0.113.7 7000 >1 8000 b: 7000 >203.0.113.7 8000 >1 8000 >203.0.113.7 7000 8000",
        ),
        Trace::new(
            "target and own address in one sequence",
            both,
            "a: 7000 >203.0.113.7 8000 >1 8000 c: >203.0.113.7 7000 >1 8000 >203.0.113.7 8000",
        ),
        Trace::new(
            "target that two doors share",
            &[other.clone(), door("second", "7000,9000", "target = 203.0.113.7"), plain.clone()].concat(),
            "a: >203.0.113.7 7000 8000 b: >203.0.113.7 7000 9000 7000 9000",
        ),
        Trace::new(
            "own address as a target beside a door without",
            &[target("own", "192.0.2.1"), plain].concat(),
            "a: 7000 8000 b: >2 7000 >1 8000 c: 7000 >2 8000",
        ),
    ]
}

fn shapes() -> Vec<Trace> {
    let ssh = &door("d", "7000,8000,9000", "");
    vec![
        Trace::new("options of IPv4", ssh, "a: 7000o 8000 9000o"),
        Trace::new("later fragments have no port", ssh, "a: 7000 9000f 8000 7000f 9000"),
        Trace::new("ICMP has no port", ssh, "a: 7000 9000i 8000 9000"),
        Trace::new("IPv6 behind an extension header", ssh, "x: 7000 9000e 8000 9000 y: 7000e 8000e 9000e")
            .other("ipv6-extensions"),
    ]
}

fn interfaces() -> Vec<Trace> {
    let ssh = &door("d", "7000,8000", "");
    let target = &door("t", "7000,8000", "target = 192.0.2.1");
    vec![
        Trace::new(
            "an address that comes later",
            ssh,
            "ip:addr_add_192.0.2.50/32_dev_eth0 a: >192.0.2.50 7000 8000 >1 7000 8000",
        )
        .other("addresses-followed"),
        Trace::new("an address that goes", ssh, "ip:addr_del_192.0.2.9/32_dev_eth0 a: >2 7000 8000")
            .other("addresses-followed"),
        Trace::new(
            "an address that comes before a reload",
            ssh,
            "ip:addr_add_192.0.2.50/32_dev_eth0 HUP a: >192.0.2.50 7000 8000",
        )
        .other("addresses-followed"),
        Trace::new(
            "no address at all",
            target,
            "a: 7000 8000 7000 5 8000 b: 7000 5u 8000 c: 7000 >2 5 >1 8000",
        )
        .setup("addr flush dev eth0")
        .own("")
        .other("no-address"),
        Trace::new(
            "an interface with a label",
            ssh,
            "a: 7000 8000 >192.0.2.60 7000 8000 >2 7000 8000 x: 7000 8000",
        )
        .setup("addr add 192.0.2.60/32 dev eth0 label eth0:1")
        .interface("eth0:1")
        .own("192.0.2.60"),
        Trace::new("a label is of another interface", ssh, "a: 7000 8000 >192.0.2.60 7000 8000")
            .setup("addr add 192.0.2.60/32 dev eth0 label eth0:1"),
        Trace::new(
            "an interface that goes down and up",
            ssh,
            "a: 7000 = ip:link_set_eth0_down ip:link_set_eth0_up = 8000 7000 8000",
        )
        // It loses its addresses of IPv6 meanwhile.
        .own("192.0.2.1 192.0.2.9")
        .other("interface-reopened"),
        Trace::new("an interface that vanishes", ssh, "a: 7000 = ip:link_del_eth0")
            .other("interface-vanishes"),
    ]
}
