//! What of TCP's control bits counts.

use super::*;

pub fn traces() -> Vec<Trace> {
    [single(), several()].concat()
}

/// Knocks at a one-port door, with every bit and with some together.
const ALL: &str = "a: 7000+ 7000+f 7000+s 7000+r 7000+p 7000+a 7000+u 7000+e 7000+c 7000+sa 7000+sapu 7000+fsrpauec \
                   x: 7000+ 7000+f 7000+s 7000+r 7000+p 7000+a 7000+u 7000+e 7000+c 7000+sa 7000+sapu 7000+fsrpauec";

fn single() -> Vec<Trace> {
    let flags = |value: &str| {
        let more = format!("tcpflags = {value}");
        Trace::new(&format!("flags: {value}"), &door("f", "7000", &more), ALL)
    };
    let values = [
        "fin",
        "syn",
        "rst",
        "psh",
        "ack",
        "urg",
        "!fin",
        "!syn",
        "!rst",
        "!psh",
        "!ack",
        "!urg",
        "syn,ack",
        "syn,!ack",
        "SYN,!Ack",
        "!syn,!ack,!fin",
        "syn,!syn",
        "!syn,syn",
        "fin,syn,rst,psh,ack,urg",
    ];
    let none = Trace::new("flags: none are asked for", &door("f", "7000", ""), ALL);
    values.into_iter().map(flags).chain([none]).collect()
}

fn several() -> Vec<Trace> {
    let syn = &door("s", "7000,8000,9000", "tcpflags = syn");
    vec![
        Trace::new(
            "flags of several lines add up",
            &door("f", "7000", "tcpflags = syn\ntcpflags = !ack"),
            "a: 7000+s 7000+sa 7000+a 7000+",
        ),
        Trace::new(
            "later lines of flags override",
            &door("f", "7000", "tcpflags = syn,ack\ntcpflags = !ack"),
            "a: 7000+s 7000+sa",
        ),
        Trace::new(
            "flags do not matter to udp",
            &door("f", "7000:udp,8000", "tcpflags = syn"),
            "a: 7000u 8000+s",
        ),
        Trace::new(
            "flags mismatch is invisible",
            syn,
            "a: 7000 7000+a 8000+f 8000 9000+sa b: 7000 8000+a 9000",
        ),
        Trace::new("flags mismatch at the end", syn, "a: 7000 8000 9000+a 9000+r 9000"),
        Trace::new(
            "open port acknowledges without flags",
            &door("o", "7000,8000", ""),
            "a: 7000+s 7000+a 8000+s b: 7000+s 8000+s 8000+a",
        ),
        Trace::new("open port acknowledges with flags", syn, "a: 7000+s 7000+a 8000+s 8000+a 9000+s 9000+a"),
        Trace::new(
            "flags_mismatch_does_not_start_other_door",
            &[door("s", "7000,8000", "tcpflags = syn"), door("t", "8000,9000", "tcpflags = ack")].concat(),
            "a: 7000+s 8000+a 9000+a 8000+s b: 8000+a 9000+a",
        ),
        Trace::new(
            "admitted for one door, compared with another",
            &[door("s", "7000,8000", "tcpflags = syn"), door("t", "7000,9000", "tcpflags = ack")].concat(),
            "a: 7000+s 9000+s 8000+s b: 7000+s 9000+a 8000+s c: 7000+sa 8000+s 9000+a",
        )
        .mended("attempts-forgotten"),
        Trace::new(
            "admitted for another door's flags",
            &[door("s", "7000,8000", "tcpflags = syn"), door("t", "9000", "")].concat(),
            "a: 7000 9000+a 8000 b: 7000 9000 8000",
        ),
        Trace::new(
            "a udp port listed by a door of flags",
            &[door("s", "7000,8000", ""), door("t", "9000:udp,9001", "tcpflags = fin")].concat(),
            "a: 7000 9000u 8000 b: 7000 9001 8000 c: 7000 9001+f 8000 x: 7000 9001 8000 y: 7000 9001+f 8000",
        ),
    ]
}
