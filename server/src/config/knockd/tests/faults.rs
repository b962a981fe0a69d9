use super::*;

/// What knockd prints on standard error, whichever words of ours go with it.
#[rustfmt::skip]
const KNOCKD_SAYS: &[(&str, &str)] = &[
    // Lines that are none.
    ("[a]\nsequence=1\nfoo", "config: line 3: syntax error"),
    ("[a]\nsequence=1\nfoo=bar", "config: line 3: syntax error"),
    ("[a]\nsequence=1\n=", "config: line 3: syntax error"),
    ("[a]\nsequence=1\n= x", "config: line 3: syntax error"),
    ("[a]\nsequence=1\n; c", "config: line 3: syntax error"),
    ("[a]\nsequence=1\nlogfile=/x", "config: line 3: syntax error"),
    ("[a]\nsequence\n=1", "config: line 2: syntax error"),
    ("[a]\nsequence=1\nseq timeout=1", "config: line 3: syntax error"),
    ("[a]\nsequence=1\nstart_command", "config: line 3: syntax error"),
    ("[a]\nsequence=1\n[b", "config: line 3: syntax error"),
    ("[a]\nsequence=1\n[b] # x", "config: line 3: syntax error"),
    ("[a]\nseq\0uence=1", "config: line 2: syntax error"),
    ("[options]\nsequence=1", "config: line 2: syntax error"),
    ("[options]\nlogfile", "config: line 2: syntax error"),
    ("[options]\nusesyslog=yes", "config: line 2: syntax error"),
    ("[options]\nusesyslog =", "config: line 2: syntax error"),
    ("[options ]\nlogfile=/x", "config: line 2: syntax error"),
    ("[Options]\nlogfile=/x", "config: line 2: syntax error"),
    // Outside of sections.
    ("UseSyslog", "config: line 1: all directives must belong to a section"),
    ("foo\n[a]\nsequence=1", "config: line 1: all directives must belong to a section"),
    ("\n[a\nsequence=1", "config: line 2: all directives must belong to a section"),
    ("[a] # x", "config: line 1: all directives must belong to a section"),
    ("[a\0]\nsequence=1", "config: line 1: all directives must belong to a section"),
    ("\u{feff}[a]\nsequence=1", "config: line 1: all directives must belong to a section"),
    ("\u{a0}[a]\nsequence=1", "config: line 1: all directives must belong to a section"),
    ("[]", "config: line 1: bad section name"),
    // Values.
    ("[a]\nsequence=1\ntcpflags=ece", "config: line 3: unrecognized flag \"ECE\""),
    ("[a]\nsequence=1\ntcpflags=syn, ack", "config: line 3: unrecognized flag \" ACK\""),
    ("[a]\ntcpflags=", "config: line 2: unrecognized flag \"\""),
    ("[a]\nsequence=65536", "config: section a: port 65536 is invalid"),
    ("[a b]\nsequence=1:", "config: section a b: unknown protocol in knock sequence"),
    ("[a]\nsequence=1,2,3,4,5,6,7,8,9,0,1,2,3,4,5,6,7,8,9,0,1,2,3,4,5,6,7,8,9,0,1,2,3", "config: section a: too many ports in knock sequence"),
    ("[a]\none_time_sequences=/one\nsequence=99999", "config: section a: port 99999 is invalid"),
    ("[a]\none_time_sequences=/absent", "/absent: No such file or directory"),
    ("[a]\none_time_sequences=/dir", "/dir: Is a directory"),
    ("[a]\none_time_sequences=", "No such file or directory"),
    // What the end of the file tells.
    ("[a]", "error: section 'a' has an empty knock sequence"),
    ("[Options]", "error: section 'Options' has an empty knock sequence"),
    ("[a]\nusesyslog", "error: section 'a' has an empty knock sequence"),
    // What only the packet filter tells.
    ("[a]\nsequence=1\ntarget=", "pcap_compile: can't parse filter expression: syntax error"),
    ("[a]\nsequence=1\ntarget=300.1.1.1", "pcap_compile: invalid IPv4 address '300.1.1.1'"),
    ("[a]\nsequence=1\ntarget=192.0.2.0/24", "pcap_compile: Mask syntax for networks only"),
    // The order in which knockd meets them.
    ("[a]\n[b]\nfoo", "config: line 3: syntax error"),
    ("[a]\n[b]\nsequence=x:x", "config: section b: unknown protocol in knock sequence"),
    ("[a]\none_time_sequences=/absent\nfoo", "/absent: No such file or directory"),
    ("[a]\nsequence=1\ntarget=;\n[b]", "error: section 'b' has an empty knock sequence"),
    ("[b]\nsequence=1\ntarget=-\n[a]\nsequence=1\ntarget=1.256", "pcap_compile: can't parse filter expression: syntax error"),
    // What knockd does not know.
    ("[a]\nsequence=1\nrefresh=maybe", "config: line 3: syntax error"),
    ("[a]\nsequence=1\nspa=ssh", "config: line 3: syntax error"),
];

#[test]
fn knockd_s_own_words() {
    for (text, words) in KNOCKD_SAYS {
        let faults = parse(text).err().unwrap_or_else(|| panic!("accepted: {text}"));
        assert_eq!(faults.knockd_says, *words, "{text}");
    }
    let unreadable: [(&[u8], &str); 3] = [
        (b"[a]\nsequence=1\nstart_command=\xe9", "config: line 3: syntax error"),
        (b"[\xe9]\nsequence=1", "config: line 1: syntax error"),
        (b"[options]\nlogfile=/\xe9", "config: line 2: syntax error"),
    ];
    for (text, words) in unreadable {
        assert_eq!(parse(text).unwrap_err().knockd_says, words);
    }
}

/// A text, and for each fault its line and words of its message and hint.
type Row = (&'static str, &'static [(usize, &'static [&'static str])]);

#[rustfmt::skip]
const FAULTS: &[Row] = &[
    ("foo = 1\nbar", &[(1, &["all directives must belong to a section", "begin a section"]), (2, &["belong to a section"])]),
    ("[a\nsequence=1", &[(1, &["belong to a section", "[NAME]"]), (2, &["belong to a section"])]),
    ("\u{feff}# x", &[(1, &["belong to a section", "byte-order mark"])]),
    ("; x\n[a]\nsequence=1\n; y\n// z", &[(1, &["a comment begins with #"]), (4, &["syntax error: \"; y\" is no directive", "a comment begins with #"]), (5, &["a comment begins with #"])]),
    ("[]\nsequence=1\nfoo", &[(1, &["bad section name", "[options] or [NAME]"]), (3, &["syntax error"])]),
    ("[]", &[(1, &["bad section name"])]),
    ("[a]\nsequence=1\nsequenze = 1", &[(3, &["syntax error: \"sequenze\" is no directive", "known here: Sequence, One_Time_Sequences, Seq_Timeout", "UseSyslog"])]),
    ("[options]\nlog = 1", &[(2, &["\"log\" is no directive", "known here: LogFile, PidFile, Interface, UseSyslog"])]),
    ("[options]\nstop_command=x\nspa", &[(2, &["Stop_Command belongs to a door", "[NAME]"]), (3, &["spa without a value"])]),
    ("[a]\nsequence=1\nLOGFILE=x", &[(3, &["LogFile belongs to [options]"])]),
    ("[a]\nsequence=1\nUseSyslog = 1", &[(3, &["UseSyslog takes no value"])]),
    ("[a]\nsequence", &[(1, &["section 'a' has an empty knock sequence", "Sequence = PORT"]), (2, &["sequence without a value", "KEY = VALUE"])]),
    ("[OPTIONS]\nlogfile=x", &[(1, &["empty knock sequence", "[options], in lower case"]), (2, &["belongs to [options]"])]),
    ("[a]\nsequence=1,70000", &[(2, &["[a] Sequence: port 70000 is invalid", "1 to 65535"])]),
    ("[a]\nsequence=1:sctp", &[(2, &["unknown protocol in knock sequence", "PORT:udp"])]),
    ("[a]\nsequence=70000\nsequence=1", &[(2, &["port 70000 is invalid"])]),
    ("[a]\nsequence=1\ntcpflags=cwr\ntcpflags=syn,", &[(3, &["[a] TCPFlags: unrecognized flag \"CWR\"", "never matters"]), (4, &["unrecognized flag \"\"", "fin, syn, rst"])]),
    ("[a]\none_time_sequences=/absent", &[(2, &["[a] One_Time_Sequences: /absent: No such file or directory", "make the file"])]),
    ("[a]\nsequence=1\ntarget=a b", &[(3, &["[a] Target: \"a b\" is neither an address", "192.0.2.1"])]),
    ("[\u{1b}[2J]\ntcpflags=\u{1b}", &[(1, &["'\\u{1b}[2J' has an empty"]), (2, &["[\\u{1b}[2J] TCPFlags: unrecognized flag \"\\u{1b}\""])]),
    // Ours.
    ("[a]\nsequence=1\nrefresh=maybe\ntolerate_repeats=", &[(3, &["[a] Refresh: \"maybe\": neither yes nor no", "yes or no"]), (4, &["[a] Tolerate_Repeats: \"\": neither"])]),
    ("[a]\nsequence=1\nseq_cooldown=86401\nseq_cooldown=+5\nseq_cooldown=5s\nseq_cooldown=", &[(3, &["[a] Seq_Cooldown: \"86401\": no number of seconds", "0 to 86400"]), (4, &["\"+5\""]), (5, &["\"5s\""]), (6, &["\"\""])]),
    ("[a]\nsequence=1\nspa=ssh", &[(3, &["[a] SPA: no port", "SPA = ssh, tcp/22"])]),
    ("[a]\nsequence=1\nspa=", &[(3, &["[a] SPA: \"\": not a service name"])]),
    ("[a]\nsequence=1\nspa=SSH, tcp/22", &[(3, &["\"SSH\": not a service name", "lower-case letter"])]),
    ("[a]\nsequence=1\nspa=tcp/22", &[(3, &["\"tcp/22\": not a service name", "the first is a name"])]),
    ("[a]\nsequence=1\nspa=ssh, 22", &[(3, &["\"22\": not tcp/PORT", "after the name"])]),
    ("[a]\nsequence=1\nspa=ssh, tcp/22,", &[(3, &["\"\": not tcp/PORT"])]),
    ("[a]\nsequence=1\nspa=ssh, tcp/22, tcp/22", &[(3, &["tcp/22 stands twice"])]),
    ("[a]\nsequence=1\nspa=ssh, tcp/22, udp/22\n[b]\nsequence=1\nspa=ssh, udp/22, tcp/23", &[(6, &["[b] SPA: the name ssh is taken already, in line 3"]), (6, &["udp/22 is taken already, in line 3", "one door"])]),
    ("[a]\nsequence=1,62201:udp,62201\n[b]\nsequence=1\nspa=ssh, udp/62201, tcp/62201", &[(2, &["[a] Sequence: udp/62201 is where"]), (5, &["[b] SPA: udp/62201 is where", "another port"])]),
];

#[test]
fn faults_are_told_by_line_and_word() {
    for (text, wanted) in FAULTS {
        let faults = parse(text).err().unwrap_or_else(|| panic!("accepted: {text}")).faults.into_vec();
        let shown: String = faults.iter().map(|fault| format!("{fault}\n")).collect();
        assert_eq!(faults.len(), wanted.len(), "{text}\n{shown}");
        for (fault, (line, words)) in faults.iter().zip(*wanted) {
            assert_eq!(fault.line, Some(*line), "{text}\n{fault}");
            assert!(fault.hint.is_some(), "{text}\n{fault}");
            for word in *words {
                assert!(fault.to_string().contains(word), "{text}\nlacks {word}:\n{fault}");
            }
        }
    }
}

#[test]
fn what_is_not_utf_8_is_told() {
    let told = |text: &[u8]| parse(text).unwrap_err().to_string();
    assert_eq!(
        told(b"[\xe9]\nsequence=1\ncommand=\xff\n\xfe=1"),
        "f:1: syntax error: the name is not UTF-8\n  save the file as UTF-8\n\
         f:3: syntax error: the value of command is not UTF-8\n  save the file as UTF-8\n\
         f:4: syntax error: \"\u{fffd}\" is no directive\n  "
            .to_owned()
            + &keys::known_in_doors()
    );
}

#[test]
fn the_rest_of_a_long_line_is_told() {
    let text = format!("[a]\nsequence=1\n# {}tail\n", "x".repeat(4093));
    let faults = parse(text).unwrap_err();
    assert_eq!(faults.knockd_says, "config: line 4: syntax error");
    assert_eq!(
        faults.to_string(),
        "f:4: syntax error: \"tail\" is no directive\n  it is the rest of a line of more than 4095 bytes"
    );
}

#[test]
fn spa_lists_are_bounded() {
    let ports = |count: usize| (1..=count).map(|port| format!(", tcp/{port}")).collect::<String>();
    assert_eq!(door(&format!("spa=a{}", ports(64))).spa.unwrap().ports.len(), 64);
    let faults = parse(format!("[a]\nsequence=1\nspa=a{}", ports(65))).unwrap_err();
    assert!(faults.to_string().contains("more than 64 ports"), "{faults}");
}
