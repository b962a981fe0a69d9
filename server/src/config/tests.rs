use std::time::Duration;

use knock_spa_engine::admit::effect::Flows;
use knock_spa_engine::command::{CommandAction, Template};
use knock_spa_engine::rules::{Action, Lease, OnStop};
use knock_spa_engine::set::SetAction;
use knock_spa_proto::knock::{FlagRule, TcpFlags, TimeLimit};

use super::*;
use crate::config::settings::{CaptureMode, GuardStart, Interfaces, Listen, Paths};

mod import;
mod knockd;

fn parse(text: &str) -> Result<Config, Faults> {
    Config::parse(Path::new("f"), text, 0o600)
}

fn settings(text: &str) -> Settings {
    parse(text).unwrap_or_else(|faults| panic!("{text}\n{faults}")).settings
}

fn shown(remarks: &[Remark]) -> String {
    remarks.iter().map(|remark| format!("{remark}\n")).collect()
}

fn warnings(text: &str) -> String {
    shown(&parse(text).unwrap().warnings)
}

const SECONDS: fn(u64) -> Duration = Duration::from_secs;

#[test]
fn what_is_left_out_has_its_default() {
    let settings = settings("door.ssh.ports = ['tcp/22']");
    assert_eq!(settings.paths, Paths::default());
    assert_eq!(
        settings.listen,
        Listen {
            interfaces: Interfaces::AllButLoopback,
            spa_port: 62201.try_into().ok(),
            capture: CaptureMode::Packet,
        }
    );
    assert_eq!(settings.window, SECONDS(60));
    assert_eq!((settings.guard.start, settings.guard.trusted.len()), (GuardStart::On, 0));
    let door = settings.door("ssh".parse().unwrap()).unwrap();
    assert_eq!((door.open_for, door.max_open), (Lease::For(SECONDS(60)), Lease::For(SECONDS(3600))));
    assert_eq!((&door.action, &door.classic), (&Action::Guard, &None));
    assert_eq!(door.on_stop, OnStop::Keep);
}

#[test]
fn what_a_stop_does_is_safe_where_nobody_says_otherwise() {
    let on_stop = |keys: &str| settings(&format!("[door.a]\nports = ['tcp/1']\n{keys}")).doors[0].on_stop;
    let command = "action = { start = 'x' }";
    assert_eq!([on_stop(""), on_stop(command)], [OnStop::Keep, OnStop::Close]);
    assert_eq!(on_stop("on-stop = 'close'"), OnStop::Close);
    assert_eq!(on_stop(&format!("on-stop = 'keep'\n{command}")), OnStop::Keep);
}

#[test]
fn packets_are_captured_or_come_to_a_bound_socket() {
    let listen = |text: &str| settings(text).listen.capture;
    assert_eq!(listen("listen.capture = 'socket'\ndoor.ssh.ports = ['tcp/22']"), CaptureMode::Socket);
    assert_eq!(listen("listen.capture = 'packet'\ndoor.ssh.ports = ['tcp/22']"), CaptureMode::Packet);
}

#[test]
fn every_key_is_read() {
    let settings = settings(
        r#"
        [listen]
        interfaces = ["eth0", "wg0"]
        spa-port = 1000
        capture = "packet"
        [paths]
        key = "/a"
        clients = "/b"
        state = "/c"
        runtime = "/d"
        [spa]
        window = "10m"
        explain = true
        [guard]
        start = "confirmed"
        trusted = ["192.0.2.0/24", "iif wg0"]
        [door.web]
        ports = ["tcp/80", "udp/443"]
        open-for = "2h"
        max-open = "forever"
        action = { start = ["a", "%IP%"], stop = "b", start6 = "c", stop6 = ["d"], timeout = "10m" }
        sequence = ["0", "8000/udp", "65535/tcp"]
        sequence-timeout = "1h"
        tcp-flags = ["syn", "!ack"]
        "#,
    );
    let names = ["eth0", "wg0"].map(|name| name.parse().unwrap());
    assert_eq!(settings.listen.interfaces, Interfaces::Named(names.into()));
    assert_eq!(settings.listen.spa_port, 1000.try_into().ok());
    assert_eq!((settings.listen.capture, settings.explain), (CaptureMode::Packet, true));
    let paths = settings.paths;
    assert_eq!(
        [paths.key, paths.clients, paths.state, paths.runtime],
        ["/a", "/b", "/c", "/d"].map(std::path::PathBuf::from)
    );
    assert_eq!(settings.window, SECONDS(600));
    assert_eq!(settings.guard.start, GuardStart::Confirmed);
    assert_eq!(settings.guard.trusted.len(), 2);
    let [door] = settings.doors.as_slice() else { panic!() };
    assert_eq!(door.ports, ["tcp/80".parse().unwrap(), "udp/443".parse().unwrap()]);
    assert_eq!((door.open_for, door.max_open), (Lease::For(SECONDS(7200)), Lease::Forever));
    let argv = |words: &[&str]| Template::Argv(words.iter().map(ToString::to_string).collect());
    let commands = CommandAction {
        start: argv(&["a", "%IP%"]),
        stop: Some(Template::Shell("b".into())),
        start6: Some(Template::Shell("c".into())),
        stop6: Some(argv(&["d"])),
        timeout: SECONDS(600),
    };
    assert_eq!(door.action, Action::Command(commands));
    let classic = door.classic.as_ref().unwrap();
    let steps: Vec<_> = classic.sequence.steps().iter().map(ToString::to_string).collect();
    assert_eq!(steps, ["0/tcp", "8000/udp", "65535/tcp"]);
    assert_eq!(classic.within, TimeLimit::Span(SECONDS(3600)));
    assert_eq!(classic.flags, FlagRule::default().requiring(TcpFlags::SYN).forbidding(TcpFlags::ACK));
}

#[test]
fn a_sequence_counts_segments_that_open_connections() {
    let door = |flags: &str| {
        let text = format!("[door.a]\nports = ['tcp/1']\nsequence = ['1', '2']\n{flags}");
        settings(&text).doors.remove(0).classic.unwrap()
    };
    assert_eq!(door("").flags, FlagRule::default().requiring(TcpFlags::SYN));
    assert_eq!(door("").within, TimeLimit::Span(SECONDS(5)));
    assert_eq!(door("tcp-flags = []").flags, FlagRule::default());
}

#[test]
fn the_longest_lease_is_not_below_the_usual_one() {
    let door = settings("[door.a]\nports = ['tcp/1']\nopen-for = '2h'").doors.remove(0);
    assert_eq!(door.max_open, Lease::For(SECONDS(7200)));
    let door = settings("[door.a]\nports = ['tcp/1']\nopen-for = 'forever'").doors.remove(0);
    assert_eq!(door.max_open, Lease::Forever);
}

/// A text, and for each fault its line and words of its message and hint.
type Row = (&'static str, &'static [(usize, &'static [&'static str])]);

#[rustfmt::skip]
const FAULTS: &[Row] = &[
    // The text itself.
    ("a", &[(1, &["not TOML"])]),
    ("[listen]\n[listen]", &[(2, &["not TOML", "duplicate key"])]),
    ("[door.a]\nports = ['tcp/1'\n[x]", &[(3, &["not TOML"])]),
    ("[spa]\nwindow = '10s", &[(2, &["not TOML"])]),
    // Unknown keys, at every level.
    ("colour = 1", &[(1, &["colour: unknown key", "listen, paths, spa, guard, door, knockd, log"])]),
    ("[listen]\nport = 1", &[(2, &["[listen] port: unknown key", "interfaces, spa-port, capture"])]),
    ("[paths]\nlog = '/a'", &[(2, &["unknown key", "key, clients, state, runtime"])]),
    ("[spa]\nport = 1", &[(2, &["unknown key", "window"])]),
    ("[guard]\ntrust = []", &[(2, &["[guard] trust: unknown key", "start, trusted"])]),
    ("[door.a]\nports = ['tcp/1']\nopenfor = '1m'", &[(3, &["[door.a] openfor: unknown key", "open-for, max-open"])]),
    ("[door.a]\nports = ['tcp/1']\naction = { start = 'x', halt = 'y' }", &[(3, &["[door.a] action.halt: unknown key", "start, stop, start6, stop6, timeout"])]),
    ("[door.a]\nports = ['tcp/1']\non-stop = 'leave'", &[(3, &["[door.a] on-stop: \"leave\": unknown value", "close", "keep"])]),
    ("\"\\u001b[2J\" = 1", &[(1, &["\\u{1b}[2J: unknown key"])]),
    // What comes later.
    ("[spa]\nexplain = 'yes'", &[(2, &["[spa] explain: ", "true or false"])]),
    ("[door.a]\nports = ['tcp/1']\naction = { set4 = 'a', set6 = 'b' }", &[(3, &["action.set4: ", "not the name of a set"]), (3, &["action.set6: ", "nft list set"])]),
    ("[door.a]\nports = ['tcp/1']\naction = { set4 = 'arp f s' }", &[(3, &["action.set4: ", "not the family of a table"])]),
    ("[door.a]\nports = ['tcp/1']\naction = { set4 = 'ip f s', start = 'x' }", &[(3, &["action.start: unknown key", "known here: set4, set6"])]),
    ("[door.a]\nports = ['tcp/1']\naction = { set4 = 'inet f s', set6 = 'inet f s' }", &[(3, &["set4 and set6 are the same set"])]),
    ("[door.a]\nsequence = ['9', '3', '7']\naction = { set4 = 'inet f s' }", &[(3, &["[door.a] action: no ports"])]),
    ("[door.a]\nports = ['tcp/1']\naliases = ['a']", &[(3, &["[door.a] aliases: a is the name of door a already"])]),
    ("[door.a]\nports = ['tcp/1']\naliases = ['b']\n[door.b]\nports = ['tcp/2']", &[(4, &["[door.b]: b is the name of door a already"])]),
    ("[door.a]\nports = ['tcp/1']\naliases = ['B']", &[(3, &["[door.a] aliases: ", "lower-case letter"])]),
    ("[door.a]\nports = ['tcp/1']\nmax-openings = 0", &[(3, &["[door.a] max-openings: "])]),
    ("[door.a]\nports = ['tcp/1']\ncut = 'yes'", &[(3, &["[door.a] cut: "])]),
    // Types.
    ("listen = 1", &[(1, &["listen: a whole number where a table belongs"])]),
    ("door = []", &[(1, &["door: an array where a table belongs"])]),
    ("door.a = 'x'", &[(1, &["[door] a: a string where a table belongs"])]),
    ("[listen]\nspa-port = '62201'", &[(2, &["[listen] spa-port: a string where a whole number belongs"])]),
    ("[listen]\ninterfaces = 'eth0'", &[(2, &["[listen] interfaces: a string where an array belongs"])]),
    ("[listen]\ninterfaces = ['a',\n true]", &[(3, &["a boolean where a string belongs"])]),
    ("[spa]\nwindow = 60", &[(2, &["[spa] window: a whole number where a string belongs"])]),
    ("[guard]\nstart = 1.5", &[(2, &["a fraction where a string belongs"])]),
    ("[door.a]\nports = ['tcp/1']\nsequence = [7000, '8000']", &[(3, &["sequence: a whole number where a string belongs"])]),
    ("[door.a]\nports = ['tcp/1']\naction = 2027-06-30", &[(3, &["a date or time where a string belongs"])]),
    // Values.
    ("[listen]\nspa-port = 0", &[(2, &["0: not a port from 1 to 65535"])]),
    ("[listen]\nspa-port = 65536", &[(2, &["65536: not a port"])]),
    ("[listen]\nspa-port = -1", &[(2, &["-1: not a port"])]),
    ("[listen]\ninterfaces = []", &[(2, &["no interface", "leave the key out"])]),
    ("[listen]\ninterfaces = ['eth*']", &[(2, &["\"eth*\"", "wildcards"])]),
    ("[listen]\ninterfaces = ['a', 'a']", &[(2, &["a stands twice"])]),
    ("[listen]\ncapture = 'pcap'", &[(2, &["\"pcap\": unknown value", "\"packet\", \"socket\""])]),
    (
        "[listen]\ncapture = 'socket'\n[door.a]\nports = ['tcp/1']\nsequence = ['1', '2', '4']",
        &[(3, &["[door.a]: no sequence is heard", "capture = \"packet\""])],
    ),
    (
        "[listen]\ncapture = 'socket'\n[[knockd.door]]\nname = 'x'\nsequence = ['1', '2', '4']\nstart = 'a'",
        &[(3, &["[[knockd.door]]: no sequence is heard"])],
    ),
    ("[paths]\nkey = 'server.key'", &[(2, &["[paths] key: \"server.key\": not an absolute path"])]),
    ("[paths]\nstate = \"/a\\u0000b\"", &[(2, &["not an absolute path"])]),
    ("[spa]\nwindow = '1'", &[(2, &["[spa] window: \"1\": not a span of time", "90s"])]),
    ("[paths]\nclients = '/x/invitations.d'", &[(2, &["[paths] clients: the invitations", "clients.d"])]),
    ("[spa]\nwindow = '9s'", &[(2, &["[spa] window: out of range", "from 10s to 10m"])]),
    ("[spa]\nwindow = '601s'", &[(2, &["out of range"])]),
    ("[guard]\nstart = 'off'", &[(2, &["\"off\": unknown value", "\"on\", \"confirmed\""])]),
    ("[guard]\ntrusted = ['wg0']", &[(2, &["\"wg0\"", "iif wg0"])]),
    ("[guard]\ntrusted = ['10.0.0.1/8']", &[(2, &["did you mean 10.0.0.0/8"])]),
    ("[guard]\ntrusted = ['iif wg0',\n'iif wg0']", &[(3, &["[guard] trusted: iif wg0 stands twice"])]),
    // Doors.
    ("[door.SSH]\nports = ['tcp/22']", &[(1, &["[door] SSH: no name for a door", "lower-case"])]),
    ("[door.a]", &[(1, &["[door.a]: no ports", "ports = [\"tcp/22\"]"])]),
    ("[door.a]\nports = []", &[(1, &["[door.a]: no ports"])]),
    ("[door.a]\nports = ['22']", &[(2, &["[door.a] ports: \"22\": not tcp/PORT", "\"udp/PORT\""])]),
    ("[door.a]\nports = ['tcp/0']", &[(2, &["\"tcp/0\""])]),
    ("[door.a]\nports = ['udp/62201']", &[(2, &["udp/62201 is where packets are received"])]),
    ("[listen]\nspa-port = 53\n[door.a]\nports = ['tcp/53', 'udp/53']", &[(4, &["udp/53 is where packets are received"])]),
    ("[door.b]\nports = ['tcp/1']\n[door.a]\nports = ['udp/1',\n'tcp/1']", &[(5, &["[door.a] ports: tcp/1 is listed by door b already, in line 2", "one door"])]),
    ("[door.a]\nports = ['tcp/1', 'tcp/1']", &[(2, &["tcp/1 is listed by door a already"])]),
    ("[door.a]\nports = ['tcp/1']\nopen-for = '1.5h'", &[(3, &["open-for: \"1.5h\": not a span", "forever"])]),
    ("[door.a]\nports = ['tcp/1']\nopen-for = '0s'", &[(3, &["\"0s\": not a span"])]),
    ("[door.a]\nports = ['tcp/1']\nopen-for = 'Forever'", &[(3, &["\"Forever\": not a span"])]),
    ("[door.a]\nports = ['tcp/1']\nopen-for = '10m'\nmax-open = '5m'", &[(4, &["max-open: shorter than open-for"])]),
    ("[door.a]\nports = ['tcp/1']\nmax-open = '30s'", &[(3, &["max-open: shorter than open-for"])]),
    ("[door.a]\nports = ['tcp/1']\nopen-for = 'forever'\nmax-open = '5m'", &[(4, &["max-open: shorter than open-for"])]),
    // Actions.
    ("[door.a]\nports = ['tcp/1']\naction = 'gard'", &[(3, &["[door.a] action: \"gard\": unknown action", "\"guard\""])]),
    ("[door.a]\nports = ['tcp/1']\naction = {}", &[(3, &["[door.a] action: no start command"])]),
    ("[door.a]\nports = ['tcp/1']\naction = { stop = 'x' }", &[(3, &["no start command"])]),
    ("[door.a]\nports = ['tcp/1']\naction = { start = [] }", &[(3, &["action.start: an empty command", "/bin/sh -c"])]),
    ("[door.a]\nports = ['tcp/1']\naction = { start = ['', 'x'] }", &[(3, &["an empty command"])]),
    ("[door.a]\nports = ['tcp/1']\naction = { start = ' ' }", &[(3, &["an empty command"])]),
    ("[door.a]\nports = ['tcp/1']\naction = { start = 'x', stop6 = ['y', 1] }", &[(3, &["action.stop6: a whole number"])]),
    ("[door.a]\nports = ['tcp/1']\naction = { start = \"x\\u0000\" }", &[(3, &["a zero byte"])]),
    ("[door.a]\nports = ['tcp/1']\naction = { start = 'x', timeout = '11m' }", &[(3, &["action.timeout: longer than 10m"])]),
    ("[door.a]\nports = ['tcp/1']\naction = { start = 'x', timeout = 5 }", &[(3, &["action.timeout: a whole number"])]),
    ("[door.a]\naction = { start = 'x %PORT%' }\nsequence = ['1']", &[(2, &["%PORT% or %PROTO% in a door without ports"])]),
    ("[door.a]\nsequence = ['1']\naction.start = 'x'\naction.stop = ['%PROTO%']", &[(3, &["%PORT% or %PROTO% in a door without ports"])]),
    ("[door.a]\naction = { start = 'x' }", &[(2, &["neither ports nor a sequence"])]),
    // Sequences.
    ("[door.a]\nports = ['tcp/1']\nsequence = []", &[(3, &["[door.a] sequence: no steps", "1 to 32"])]),
    ("[door.a]\nports = ['tcp/1']\nsequence = ['7000:udp']", &[(3, &["\"7000:udp\": not a step", "PORT/udp"])]),
    ("[door.a]\nports = ['tcp/1']\nsequence = ['1', '62201/udp', '62201']", &[(3, &["[door.a] sequence: udp/62201 is where packets are received"])]),
    ("[door.a]\nports = ['tcp/1']\nsequence = ['65536']", &[(3, &["\"65536\": not a step"])]),
    ("[door.a]\nports = ['tcp/1']\nsequence = ['1']\nsequence-timeout = '2h'", &[(4, &["sequence-timeout: longer than 1h"])]),
    ("[door.a]\nports = ['tcp/1']\nsequence-timeout = '5s'\ntcp-flags = ['syn']", &[(3, &["sequence-timeout: there is no sequence"]), (4, &["tcp-flags: there is no sequence"])]),
    ("[door.a]\nports = ['tcp/1']\nsequence = ['1']\ntcp-flags = ['ece']", &[(4, &["\"ece\": not a TCP flag", "fin, syn, rst, psh, ack or urg"])]),
    ("[door.a]\nports = ['tcp/1']\nsequence = ['1']\ntcp-flags = ['syn', '!syn']", &[(4, &["tcp-flags: a flag stands twice"])]),
];

#[test]
fn a_door_can_open_by_sets_have_other_names_and_limits() {
    let text = "[door.a]\nports = ['tcp/1']\naliases = ['b', 'c-1']\nmax-openings = 3\ncut = true\n\
                action = { set4 = 'inet filter knock4', set6 = 'ip6 f s' }\n\
                [door.d]\nports = ['tcp/2']\naction = { set6 = 'inet filter knock6' }\n";
    let settings = settings(text);
    let door = settings.door_called("c-1".parse().unwrap()).unwrap();
    let [set4, set6] = ["inet filter knock4", "ip6 f s"].map(|name| name.parse().ok());
    assert_eq!(door.action, Action::Set(SetAction { set4, set6 }));
    assert_eq!((door.max_openings.map(u32::from), door.flows), (Some(3), Flows::Cut));
    assert_eq!(settings.sets().count(), 3);
    assert!(!settings.has_guard());
    let warned = warnings(text);
    assert!(
        warned.contains("9: [door.d] action: no set4, so that requests for IPv4 addresses are refused"),
        "{warned}"
    );
    assert!(!warned.contains("trusted"), "{warned}");
}

#[test]
fn faults_are_told_by_line_and_word() {
    for (text, wanted) in FAULTS {
        let faults = parse(text).err().unwrap_or_else(|| panic!("accepted: {text}")).into_vec();
        assert_eq!(faults.len(), wanted.len(), "{text}\n{}", shown(&faults));
        for (fault, (line, words)) in faults.iter().zip(*wanted) {
            assert_eq!(fault.line, Some(*line), "{text}\n{fault}");
            for word in *words {
                assert!(fault.to_string().contains(word), "{text}\nlacks {word}:\n{fault}");
            }
        }
    }
}

#[test]
fn all_faults_are_told_at_once_in_the_order_of_lines() {
    let text = "[listen]\nspa-port = 0\n[spa]\nwindow = '1s'\n[door.a]\nports = ['tcp/1']\nopen-for = 'x'\nfoo = 1\n\
                [door.b]\nports = ['tcp/1']\nmax-open = '1s'\naction = { start = [] }\n";
    let faults = parse(text).unwrap_err();
    let lines: Vec<_> = faults.iter().map(|fault| fault.line.unwrap()).collect();
    assert_eq!(lines, [2, 4, 7, 8, 10, 11, 12]);
}

#[test]
fn numbers_of_things_are_bounded() {
    let fault = |text: &str| parse(text).unwrap_err().to_string();
    let ports: String = (1..=65).map(|port| format!("'tcp/{port}',")).collect();
    assert!(fault(&format!("[door.a]\nports = [{ports}]")).contains("more than 64 elements"));
    let doors: String = (1..=257).map(|n| format!("[door.d{n}]\nports = ['tcp/{n}']\n")).collect();
    assert!(fault(&doors).contains("more than 256 doors"));
    let steps: String = (1..=33).map(|port| format!("'{port}',")).collect();
    assert!(
        fault(&format!("[door.a]\nports=['tcp/1']\nsequence=[{steps}]")).contains("more than 32 elements")
    );
    let words = "'x',".repeat(65);
    assert!(
        fault(&format!("[door.a]\nports=['tcp/1']\naction={{start=[{words}]}}")).contains("more than 64")
    );
    let long = "x".repeat(4097);
    assert!(fault(&format!("[door.a]\nports=['tcp/1']\naction={{start='{long}'}}")).contains("4096 bytes"));
    let deep = format!("a = {}", "[".repeat(100_000));
    assert!(fault(&deep).contains("not TOML"));
}

#[test]
fn all_ports_fit_into_the_guard() {
    let door = |number: usize, ports: usize| {
        let ports = (1..=ports).map(|port| format!("'tcp/{}'", number * 64 + port)).collect::<Vec<_>>();
        format!("[door.d{number}]\nports = [{}]\n", ports.join(","))
    };
    let fifteen: String = (0..15).map(|number| door(number, 64)).collect();
    assert!(parse(&format!("{fifteen}{}", door(15, 63))).is_ok());
    let faults = parse(&format!("{fifteen}{}", door(15, 64))).unwrap_err();
    assert_eq!(faults.to_string(), "f:32: more than 1023 ports in all doors together");
}

#[test]
fn what_is_weak_is_told() {
    const TRUSTED: &str = "[guard]\ntrusted = ['iif wg0']\n";
    let guarded = |keys: &str| warnings(&format!("{TRUSTED}[door.a]\nports = ['tcp/1']\n{keys}"));
    assert_eq!(guarded(""), "");
    assert_eq!(guarded("sequence = ['7', '9', '8']"), "");
    let one = |shown: String, line: usize, words: &str| {
        assert!(shown.starts_with(&format!("f:{line}: ")) && shown.contains(words), "{words}: {shown}");
        assert_eq!(shown.matches("f:").count(), 1, "{shown}");
    };
    one(guarded("open-for = 'forever'"), 5, "open-for: once open");
    one(guarded("sequence = ['9', '8']"), 5, "fewer than 3 steps");
    one(guarded("sequence = ['7', '8/udp', '9']"), 5, "ascend");
    one(guarded("sequence = ['9', '8', '9']"), 5, "twice");
    one(guarded("action = { start = 'x' }"), 5, "no stop command");
    one(warnings("[door.a]\nports = ['tcp/1']"), 1, "[guard] trusted: nobody");
    one(warnings("[guard]\ntrusted = []\n[door.a]\nports = ['tcp/1']"), 3, "[guard] trusted: nobody");
    one(warnings(""), 1, "no doors");
    assert_eq!(warnings("[door.a]\nports = ['tcp/1']\naction = { start = 'x', stop = 'y' }"), "");
    let shared = guarded(
        "sequence = ['9', '8', '5', '7']\n[door.b]\nports = ['tcp/2']\nsequence = ['9', '8', '5/udp', '7']",
    );
    one(shared, 8, "[door.b] sequence: begins with the same 2 steps as door a's");
}

#[test]
fn permissions_are_told() {
    let text = "[guard]\ntrusted = ['iif wg0']\n[door.a]\nports = ['tcp/1']\nsequence = ['9', '8', '11']";
    let with_mode = |text: &str, mode| shown(&Config::parse(Path::new("f"), text, mode).unwrap().warnings);
    assert_eq!(with_mode(text, 0o640), "");
    assert!(with_mode(text, 0o644).starts_with("f:5: everybody on this host can read this file"));
    assert!(with_mode(text, 0o660).starts_with("f:1: others than its owner can write this file"));
    let without = text.split("sequence").next().unwrap();
    assert_eq!(with_mode(without, 0o644), "");
}

#[test]
fn a_file_is_read_within_its_bound() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("f");
    assert!(matches!(Config::load(&path), Err(ConfigError::File(error)) if error.is_absent()));
    std::fs::write(&path, vec![b'#'; 1 << 20]).unwrap();
    assert!(Config::load(&path).is_ok());
    std::fs::write(&path, vec![b'#'; (1 << 20) + 1]).unwrap();
    assert!(matches!(Config::load(&path), Err(ConfigError::File(FileError::TooLong { .. }))));
}

#[test]
fn the_example_is_good_and_its_defaults_are_the_defaults() {
    let example = parse(include_str!("../../../docs/examples/knock-spad.toml")).unwrap();
    assert_eq!(shown(&example.warnings), "");
    let defaults = settings("[door.ssh]\nports = ['tcp/22']");
    let ssh = "ssh".parse().unwrap();
    assert_eq!(example.settings.door(ssh), defaults.door(ssh));
    assert_eq!(example.settings.paths, defaults.paths);
    assert_eq!(example.settings.window, defaults.window);
    assert_eq!(example.settings.listen.spa_port, defaults.listen.spa_port);
    assert_eq!(example.settings.guard.start, defaults.guard.start);
    assert_eq!((example.settings.doors.len(), example.settings.knockd_doors.len()), (6, 1));
}

/// The manual names each key between backticks, and knows no key that there is not.
#[test]
fn the_manual_has_every_key() {
    let manual = include_str!("../../../docs/knock-spad.toml.5.md");
    let hints = [
        ("[listen]", "[listen]\nx = 1"),
        ("[paths]", "[paths]\nx = 1"),
        ("[spa]", "[spa]\nx = 1"),
        ("[guard]", "[guard]\nx = 1"),
        ("[knockd]", "[knockd]\nx = 1"),
        ("[[knockd.door]]", "[[knockd.door]]\nname = 'a'\nsequence = ['1']\nx = 1"),
        ("[log]", "[log]\nx = 1"),
        ("[door.NAME]", "[door.a]\nports = ['tcp/1']\nx = 1"),
        ("Sets", "[door.a]\nports = ['tcp/1']\naction = { set4 = 'inet f s', x = 1 }"),
        ("Commands", "[door.a]\nports = ['tcp/1']\naction = { start = 'a', x = 1 }"),
    ];
    for (section, text) in hints {
        let hint = parse(text).unwrap_err().into_vec().remove(0).hint.unwrap();
        let mut known: Vec<_> = hint.strip_prefix("known here: ").unwrap().split(", ").collect();
        let body = manual.split(&format!("# {section}\n")).nth(1).unwrap().split("\n#").next().unwrap();
        let items = body.lines().filter_map(|line| line.strip_prefix("- ")?.split_once(':'));
        let mut told: Vec<_> =
            items.flat_map(|(keys, _)| keys.split(", ")).map(|key| key.trim_matches('`')).collect();
        known.sort_unstable();
        told.sort_unstable();
        assert_eq!(told, known, "{section}");
    }
}
