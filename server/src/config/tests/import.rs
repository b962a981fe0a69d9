//! What is imported from knockd means the same.

use knock_spa_engine::rules::Knockable;
use proptest::prelude::*;

use super::knockd::Files;
use super::*;
use crate::config::as_knockd::{AsKnockd, read_with};
use crate::config::import::native as imported;
use crate::config::settings::OneTime;

/// The files of one-time sequences that there are.
fn files(conf: &'static str) -> Files {
    let sequences = " 7001,7002\n 7003:udp\n";
    Files(
        [("/c.conf", conf), ("/etc/knockd/smtp_sequences", sequences), ("/used", "#1\n"), ("/rel", "\n")]
            .into(),
    )
}

/// What knockd's file amounts to in either dialect, and the native text.
fn both(conf: &str) -> (Settings, Settings, String) {
    // The files outlive the test anyway.
    let mut files = files(Box::leak(conf.to_owned().into_boxed_str()));
    let path = Path::new("/c.conf");
    let file = read_with(&mut files, path).unwrap_or_else(|error| panic!("{conf}\n{error}"));
    let as_knockd = AsKnockd {
        directory: "/".into(),
        config: path.into(),
        interface: String::new(),
        interfaces: Interfaces::AllButLoopback,
        log_file: None,
        verbose: false,
        lookup: false,
        state: "/".into(),
    };
    let text = imported(&mut files, path).unwrap();
    let native = Config::parse_with(Path::new("f"), &text, 0o600, &mut files);
    let native = native.unwrap_or_else(|faults| panic!("{conf}\n{text}\n{faults}"));
    (as_knockd.settings(file), native.settings, text)
}

fn same(conf: &str) -> String {
    let (old, new, text) = both(conf);
    assert_eq!(old.knockd_doors, new.knockd_doors, "{conf}\n{text}");
    assert_eq!((old.one_time, old.log), (new.one_time, new.log), "{conf}\n{text}");
    assert_eq!(old.doors, new.doors, "{conf}\n{text}");
    // Nothing that a terminal takes for itself.
    assert!(text.chars().all(|character| character == '\n' || !character.is_control()), "{text}");
    text
}

const DEBIAN: &str = "[options]\n\tUseSyslog\n\n[openSSH]\n\tsequence    = 7000,8000,9000\n\tseq_timeout = 5\n\
    \tcommand     = /sbin/iptables -A INPUT -s %IP% -p tcp --dport 22 -j ACCEPT\n\ttcpflags    = syn\n\n\
    [closeSSH]\n\tsequence    = 9000,8000,7000\n\tseq_timeout = 5\n\
    \tcommand     = /sbin/iptables -D INPUT -s %IP% -p tcp --dport 22 -j ACCEPT\n\ttcpflags    = syn\n\n\
    [openHTTPS]\n\tsequence    = 12345,54321,24680,13579\n\tseq_timeout = 5\n\
    \tcommand     = /usr/local/sbin/knock_add -i -c INPUT -p tcp -d 443 -f %IP%\n\ttcpflags    = syn\n";

/// The examples of knockd's manual, and what people make of it.
const FILES: [&str; 14] = [
    DEBIAN,
    "",
    "[options]\nlogfile = /var/log/knockd.log\n[openSSH]\nsequence = 7000,8000,9000\nseq_timeout = 10\n\
     tcpflags = syn\ncommand = /sbin/iptables -A INPUT -s %IP% --dport 22 -j ACCEPT\n\
     [closeSSH]\nsequence = 9000,8000,7000\nseq_timeout = 10\ntcpflags = syn\n\
     command = /sbin/iptables -D INPUT -s %IP% --dport 22 -j ACCEPT\n",
    "[options]\nlogfile = /var/log/knockd.log\n[opencloseSSH]\nsequence = 2222:udp,3333:tcp,4444:udp\n\
     seq_timeout = 15\ntcpflags = syn,ack\nstart_command = /usr/sbin/iptables -A INPUT -s %IP% -p tcp --syn -j ACCEPT\n\
     cmd_timeout = 5\nstop_command = /usr/sbin/iptables -D INPUT -s %IP% -p tcp --syn -j ACCEPT\n",
    "[opencloseSMTP]\none_time_sequences = /etc/knockd/smtp_sequences\nseq_timeout = 15\ntcpflags = fin,!ack\n\
     start_command = /usr/sbin/iptables -A INPUT -s %IP% -p tcp --dport 25 -j ACCEPT\ncmd_timeout = 5\n\
     start_command_6 = /usr/sbin/ip6tables -A INPUT -s %IP% -p tcp --dport 25 -j ACCEPT\n\
     stop_command = /usr/sbin/iptables -D INPUT -s %IP% -p tcp --dport 25 -j ACCEPT\n\
     stop_command_6 = /usr/sbin/ip6tables -D INPUT -s %IP% -p tcp --dport 25 -j ACCEPT\n",
    // Used up, begun elsewhere, relative, and set before.
    "[a]\none_time_sequences = /used\nseq_timeout = 3\ntcpflags = !ack\ntarget = 2001:DB8::1\n\
     [b]\none_time_sequences = /etc/knockd/smtp_sequences\nsequence = 5,6\n\
     [c]\nsequence = 5,6\none_time_sequences = rel\nrefresh = yes\n",
    "[options]\ninterface = venet0:0, eth1\nlogfile = log/x\npidfile = /x\n[a]\nsequence = 1\n",
    "[options]\ninterface = any\nlogfile =\n[a]\nsequence = 62201:udp,62202:udp,0\n",
    "[options]\ninterface = a/b\n[a]\nusesyslog\nsequence = 7000,\n",
    // Empty commands mean something.
    "[a]\nsequence = 1,1\nstart_command =\nstop_command = x\n[a]\nsequence = 1,1\nstart_command = x\nstop_command =\n\
     cmd_timeout = 0\n[b]\nsequence=1\ncommand_6 =\nstop_command_6 = y\ncmd_timeout = -7\nseq_timeout = x\n",
    "[a]\nsequence = 5003,,5004,+5002,0005001,-1,5000abc\ntcpflags = syn,!syn,rst\ntcpflags = psh,!urg\n\
     seq_timeout = 2147483648\ncmd_timeout = 2147483647\n",
    // Names and lines that need quoting.
    "[a # \"b\" 'c' \\ [d] = e]\nsequence = 1,2,3\ncommand = echo \"it's\" '\\\\' \u{e9} \u{2028} # no comment\n\
     [\u{1f600}]\nsequence = 9\ncommand = a\tb'c\"d\\e\u{85}f\n",
    "[a]\nsequence = 7,9,8\nSPA = ssh, tcp/22, udp/22\nstart_command = open %IP%\nstop_command = close %IP%\n\
     tolerate_repeats = yes\nseq_cooldown = 86400\n[b]\nsequence = 7,9,8,5\nSPA = a, tcp/80\nstart_command = x\n\
     cmd_timeout = 0\n[c]\nsequence = 4\nSPA = web, tcp/81\n[d]\nsequence = 5\ncommand_6 = x\nspa = d, tcp/82\n",
    "[x]\nsequence = 1:tcp,2:TCP,3:Udp\r\ntarget = ::ffff:192.0.2.1\r\nrefresh = no\r\n",
];

#[test]
fn what_is_imported_means_the_same() {
    for conf in FILES {
        same(conf);
    }
}

#[test]
fn what_is_weak_in_a_door_stands_above_it() {
    let text = same(DEBIAN);
    let above = |name: &str| {
        let (before, _) = text.split_once(&format!("[[knockd.door]]\nname = \"{name}\"")).unwrap();
        before
            .rsplit_once("\n\n")
            .unwrap()
            .1
            .lines()
            .map(|line| line.trim_start_matches("# "))
            .collect::<Vec<_>>()
            .join(" ")
    };
    for (name, words) in [
        ("openSSH", "[openSSH], line 4."),
        ("openSSH", "Guessable: its ports ascend"),
        ("openSSH", "It never closes: there is no Stop_Command."),
        ("openSSH", "-I puts it before them"),
        ("openSSH", "[door.ssh] ports = [\"tcp/22\"]"),
        ("closeSSH", "It closes what another door opens."),
        ("openHTTPS", "Debian has no knock_add"),
        ("openHTTPS", "[door.https] ports = [\"tcp/443\"]"),
    ] {
        assert!(above(name).contains(words), "{name} lacks {words}:\n{}", above(name));
    }
    let (manual, pair) = (same(FILES[2]), same(FILES[3]));
    assert!(manual.contains("iptables refuses --dport without -p tcp"), "{manual}");
    assert!(pair.contains("names no port, and so opens all of them"), "{pair}");
    assert!(pair.contains("again = \"extend\""), "{pair}");
    let shared = same(FILES[12]);
    assert!(shared.contains("Begins with 3 steps of [a]"), "{shared}");
    assert!(shared.contains("Its SPA is left out"), "{shared}");
    assert!(same(FILES[6]).contains("labelled venet0:0"));
    assert!(same(FILES[7]).contains("spa-port = 62203"));
}

#[test]
fn what_is_suggested_can_be_had() {
    for conf in FILES {
        let text = same(conf);
        let mended = text.replace("\n# [door.", "\n[door.").replace("\n# ports = ", "\nports = ");
        let config = Config::parse_with(Path::new("f"), &mended, 0o600, &mut files(""));
        let doors = config.unwrap_or_else(|faults| panic!("{mended}\n{faults}")).settings.doors;
        assert_eq!(
            doors.len(),
            text.matches("\n# [door.").count() + text.matches("\nspa = ").count(),
            "{mended}"
        );
    }
}

#[test]
fn what_cannot_be_said_is_told() {
    let (old, new, text) = both(
        "[a\tb]\nsequence=1,2,3\n[c]\nsequence=1\ntarget=localhost\n[d]\none_time_sequences=/used\ncommand=x\n",
    );
    assert_eq!((old.knockd_doors.len(), new.knockd_doors.len()), (3, 2));
    assert_eq!(new.knockd_doors[0].name, "a?b");
    assert!(text.contains("Its name had control characters"), "{text}");
    assert!(text.contains("# [c], line 3.\n# Left out: its Target is not an address"), "{text}");
    let one_time = OneTime { door: Knockable::Knockd(1), file: "/used".into(), begins_elsewhere: false };
    assert_eq!(new.one_time, [one_time]);
}

/// One directive, right or odd.
fn directive() -> impl Strategy<Value = String> {
    let step = || {
        let port = prop_oneof![(0_u32..65536).prop_map(|port| port.to_string()), "[0-9]{1,4}[a-z]?"];
        (port, prop_oneof![Just(""), Just(":udp"), Just(":TCP ")]).prop_map(|(port, kind)| port + kind)
    };
    let sequence =
        prop::collection::vec(step(), 1..6).prop_map(|steps| format!("sequence = {}", steps.join(",")));
    let flag = prop_oneof![Just("syn"), Just("!ack"), Just("FIN"), Just("!psh"), Just("urg")];
    let flags = prop::collection::vec(flag, 1..4).prop_map(|flags| format!("tcpflags = {}", flags.join(",")));
    let key = prop_oneof![
        Just("start_command"),
        Just("stop_command"),
        Just("start_command_6"),
        Just("stop_command_6"),
        Just("command"),
    ];
    let line = prop_oneof![
        "\\PC{0,30}",
        "[ -~]{0,40}",
        Just("/sbin/iptables -I INPUT -s %IP% -p tcp --dport 99 -j X".into())
    ];
    let command = (key, line).prop_map(|(key, line)| format!("{key} = {line}"));
    let seconds = prop_oneof![any::<i32>().prop_map(|number| number.to_string()), "[0-9]{0,3}[a-z]?"];
    let timeout = (prop_oneof![Just("seq_timeout"), Just("cmd_timeout")], seconds);
    prop_oneof![
        3 => sequence,
        2 => flags,
        6 => command,
        3 => timeout.prop_map(|(key, seconds)| format!("{key} = {seconds}")),
        1 => prop_oneof![Just("/used"), Just("/etc/knockd/smtp_sequences")].prop_map(|path| format!("one_time_sequences = {path}")),
        1 => any::<std::net::Ipv6Addr>().prop_map(|address| format!("target = {address}")),
        1 => any::<std::net::Ipv4Addr>().prop_map(|address| format!("target = {address}")),
        1 => any::<bool>().prop_map(|yes| format!("refresh = {}", if yes { "yes" } else { "no" })),
        1 => any::<bool>().prop_map(|yes| format!("tolerate_repeats = {}", if yes { "on" } else { "off" })),
        1 => (0_u32..=86_400).prop_map(|seconds| format!("seq_cooldown = {seconds}")),
    ]
}

fn section() -> impl Strategy<Value = String> {
    let name = prop_oneof!["[A-Za-z]{1,8}", "\\PC{1,20}"];
    (name, prop::collection::vec(directive(), 0..8))
        .prop_map(|(name, directives)| format!("[{name}]\nsequence = 4,5\n{}\n", directives.join("\n")))
}

proptest! {
    #[test]
    fn whatever_is_imported_means_the_same(sections in prop::collection::vec(section(), 0..5), spa in any::<bool>()) {
        let mut conf = sections.concat();
        if spa {
            conf.push_str("[spa]\nsequence = 6\nstart_command = x\nspa = ssh, tcp/22\n");
        }
        same(&conf);
    }
}
