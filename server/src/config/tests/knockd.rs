//! Doors in knockd's manner, in the native dialect.

use std::collections::BTreeMap;
use std::io;
use std::path::PathBuf;

use knock_spa_engine::knockd::{Again, KnockdCommands, KnockdDoor};
use knock_spa_engine::rules::Knockable;
use knock_spa_proto::knock::{ClassicKnock, Repeats, Sequence, Step, Uses};
use knock_spa_proto::port::Transport;

use super::*;
use crate::config::named_files::NamedFiles;
use crate::config::settings::{LogSettings, OneTime};

/// The files that there are: text by path.
pub(super) struct Files(pub(super) BTreeMap<&'static str, &'static str>);

impl Files {
    fn read(&self, path: &Path) -> io::Result<Vec<u8>> {
        let path = Path::new("/").join(path);
        let text = self.0.get(path.to_str().unwrap()).ok_or(io::ErrorKind::NotFound)?;
        Ok(text.as_bytes().to_vec())
    }
}

impl NamedFiles for Files {
    fn knockd(&mut self, path: &Path) -> io::Result<(Vec<u8>, u32)> {
        Ok((self.read(path)?, 0o600))
    }

    fn one_time(&mut self, path: &Path) -> io::Result<Vec<u8>> {
        self.read(path)
    }
}

/// What a text amounts to where these files are.
fn among<const N: usize>(files: [(&'static str, &'static str); N], text: &str) -> Result<Config, Faults> {
    Config::parse_with(Path::new("f"), text, 0o600, &mut Files(files.into()))
}

fn steps(ports: &[(u16, Transport)]) -> Sequence {
    Sequence::new(ports.iter().map(|(port, transport)| Step { transport: *transport, port: *port }).collect())
        .unwrap()
}

#[test]
fn what_a_door_leaves_out_is_as_with_knockd() {
    let mut settings = settings("[[knockd.door]]\nname = 'a b'\nsequence = ['0', '8000/udp']");
    let knock = ClassicKnock::new(
        steps(&[(0, Transport::Tcp), (8000, Transport::Udp)]),
        TimeLimit::WholeSeconds(25),
        FlagRule::default(),
    );
    let commands = KnockdCommands { stop_after: Some(SECONDS(10)), ..KnockdCommands::default() };
    let door = KnockdDoor { name: "a b".into(), knock: Some(knock), commands };
    assert_eq!(settings.knockd_doors, [door]);
    settings.knockd_doors.clear();
    assert_eq!(settings, super::settings(""));
}

#[test]
fn every_key_of_a_door_is_read() {
    let text = r#"
        [log]
        file = "/l"
        syslog = true
        [[knockd.door]]
        name = "x"
        sequence = ["7"]
        [[knockd.door]]
        name = "x"
        sequence = ["7", "8"]
        sequence-seconds = 0
        tcp-flags = ["syn", "!ack"]
        target = "2001:db8::7"
        one-time-sequences = "/o"
        start = "a %IP%"
        stop = ""
        start6 = ""
        stop6 = "d"
        stop-after = "0s"
        again = "extend"
        repeats = "tolerated"
        cooldown = "1d"
        spa = { name = "ssh", ports = ["tcp/22", "udp/22"] }
    "#;
    let settings = among([("/o", "5,6\n")], text).unwrap().settings;
    assert_eq!(settings.log, LogSettings { file: Some("/l".into()), syslog: true, ..LogSettings::default() });
    let [_, door] = settings.knockd_doors.as_slice() else { panic!() };
    let knock = ClassicKnock {
        target: Some("2001:db8::7".parse().unwrap()),
        repeats: Repeats::Tolerated,
        cooldown: SECONDS(86_400),
        uses: Uses::Once,
        ..ClassicKnock::new(
            steps(&[(7, Transport::Tcp), (8, Transport::Tcp)]),
            TimeLimit::WholeSeconds(0),
            FlagRule::default().requiring(TcpFlags::SYN).forbidding(TcpFlags::ACK),
        )
    };
    assert_eq!(door.knock.as_ref(), Some(&knock));
    let commands = KnockdCommands {
        start: Some("a %IP%".into()),
        stop: Some(String::new()),
        start6: Some(String::new()),
        stop6: Some("d".into()),
        stop_after: Some(Duration::ZERO),
        again: Again::Extend,
    };
    assert_eq!(door.commands, commands);
    let one_time = OneTime { door: Knockable::Knockd(1), file: "/o".into(), begins_elsewhere: true };
    assert_eq!(settings.one_time, [one_time]);
    let [ssh] = settings.doors.as_slice() else { panic!() };
    assert_eq!(ssh.ports, ["tcp/22".parse().unwrap(), "udp/22".parse().unwrap()]);
    assert!(
        matches!(&ssh.action, Action::Command(commands) if commands.start == Template::Knockd("a %IP%".into()))
    );
}

#[test]
fn a_native_door_has_the_same_keys_of_its_knock() {
    let text = "[door.a]\nports = ['tcp/1']\ntarget = '192.0.2.7'\none-time-sequences = '/o'\nrepeats = 'tolerated'\n\
                cooldown = '5s'\n";
    let settings = among([("/o", "#1,2\n 5,6:udp\n")], text).unwrap().settings;
    let knock = ClassicKnock {
        target: Some("192.0.2.7".parse().unwrap()),
        repeats: Repeats::Tolerated,
        cooldown: SECONDS(5),
        uses: Uses::Once,
        ..ClassicKnock::new(
            steps(&[(5, Transport::Tcp), (6, Transport::Udp)]),
            TimeLimit::Span(SECONDS(5)),
            FlagRule::default().requiring(TcpFlags::SYN),
        )
    };
    assert_eq!(settings.doors[0].classic, Some(knock));
    let door = Knockable::Door("a".parse().unwrap());
    assert_eq!(settings.one_time, [OneTime { door, file: PathBuf::from("/o"), begins_elsewhere: false }]);
}

#[test]
fn a_door_whose_sequences_are_used_up_is_there_and_told() {
    let text = "[[knockd.door]]\nname = 'a'\none-time-sequences = '/o'\nstart = 'x'\nstop = 'y'\n";
    let config = among([("/o", "#1,2\n\n")], text).unwrap();
    assert_eq!(config.settings.knockd_doors[0].knock, None);
    assert_eq!(config.settings.one_time.len(), 1);
    let told = shown(&config.warnings);
    assert!(told.starts_with("f:3: [[knockd.door]] one-time-sequences: no sequence is left in /o"), "{told}");
}

const SSH: &str = "[[knockd.door]]\nname = 'a'\nsequence = ['7', '9', '8']\nstart = 'x'\nstop = 'y'\n";

#[rustfmt::skip]
const FAULTS: &[Row] = &[
    ("[knockd]\nfile = '/x'", &[(2, &["[knockd] file: unknown key", "include, door"])]),
    ("[knockd]\ninclude = 'x'", &[(2, &["[knockd] include: \"x\": not an absolute path"])]),
    ("[knockd]\ninclude = '/nowhere'", &[(2, &["[knockd] include: /nowhere: ", "not found"])]),
    ("[knockd.door]\nname = 'a'", &[(1, &["[knockd] door: a table where an array of tables belongs", "[[knockd.door]]"])]),
    ("[knockd]\ndoor = [7]", &[(2, &["[knockd] door: a whole number where a table belongs"])]),
    ("[[knockd.door]]", &[(1, &["[[knockd.door]]: no name"]), (1, &["neither sequence nor one-time-sequences"])]),
    ("[[knockd.door]]\nname = ''\nsequence = ['1']", &[(2, &["[[knockd.door]] name: no name for a door", "1 to 254"])]),
    ("[[knockd.door]]\nname = \"a\\tb\"\nsequence = ['1']", &[(2, &["no name for a door"])]),
    ("[[knockd.door]]\nname = 'a'\nsequence = ['1']\n[[knockd.door]]\nname = 'a'\nsequence = ['x']", &[(6, &["[[knockd.door]] sequence: \"x\": not a step"])]),
    ("[[knockd.door]]\nname = 'a'\nsequence = ['1']\nports = ['tcp/22']", &[(4, &["[[knockd.door]] ports: unknown key", "name, sequence, tcp-flags, target"])]),
    ("[[knockd.door]]\nname = 'a'\nsequence = ['1']\nsequence-seconds = -1", &[(4, &["-1: not a number of seconds"])]),
    ("[[knockd.door]]\nname = 'a'\nsequence = ['1']\nsequence-seconds = '5s'", &[(4, &["a string where a whole number belongs"])]),
    ("[[knockd.door]]\nname = 'a'\nsequence = ['1']\ntarget = 'gw'", &[(4, &["target: \"gw\": ", "an address like"])]),
    ("[[knockd.door]]\nname = 'a'\nsequence = ['1']\nstart = ['a']", &[(4, &["start: an array where a string belongs", "/bin/sh -c"])]),
    ("[[knockd.door]]\nname = 'a'\nsequence = ['1']\nstart = \"a\\u0000\"", &[(4, &["a zero byte"])]),
    ("[[knockd.door]]\nname = 'a'\nsequence = ['1']\nstop-after = '1'", &[(4, &["stop-after: \"1\": not a span", "\"never\""])]),
    ("[[knockd.door]]\nname = 'a'\nsequence = ['1']\nagain = 'stop'", &[(4, &["\"stop\": unknown value", "\"start\", \"extend\""])]),
    ("[[knockd.door]]\nname = 'a'\nsequence = ['1']\nrepeats = 'x'\ncooldown = '2d'", &[(4, &["\"fail\", \"tolerated\""]), (5, &["cooldown: longer than 1d"])]),
    ("[[knockd.door]]\nname = 'a'\nsequence = ['1']\nstart = 'x'\nspa = {}", &[(5, &["spa: no name"]), (5, &["spa: no ports", "{ name = \"ssh\", ports"])]),
    ("[[knockd.door]]\nname = 'a'\nsequence = ['1']\nstart = 'x'\nspa = { name = 'SSH', ports = [], x = 1 }", &[(5, &["spa.name: \"SSH\""]), (5, &["spa.ports: no ports"]), (5, &["spa.x: unknown key", "name, ports"])]),
    ("[[knockd.door]]\nname = 'a'\nsequence = ['1']\nstart = ''\nspa = { name = 'ssh', ports = ['tcp/22'] }", &[(5, &["spa: there is no start command"])]),
    ("[[knockd.door]]\nname = 'a'\none-time-sequences = '/nowhere'", &[(3, &["one-time-sequences: can't open /nowhere", "one sequence in each line"])]),
    ("[[knockd.door]]\nname = 'a'\nsequence = ['1', '62201/udp']\nstart = 'x'\nspa = { name = 'a', ports = ['udp/62201'] }", &[(3, &["[[knockd.door]] sequence: udp/62201 is where packets"]), (5, &["[[knockd.door]] spa.ports: udp/62201 is where packets"])]),
    ("[door.a]\nports = ['tcp/1']\ntarget = '::1'\nrepeats = 'fail'\ncooldown = '1s'", &[(3, &["[door.a] target: there is no sequence"]), (4, &["repeats: there is no"]), (5, &["cooldown: there is no"])]),
    ("[door.a]\nports = ['tcp/1']\nsequence = ['1']\nsequence-seconds = 5", &[(4, &["sequence-seconds: unknown key"])]),
    ("[log]\nfile = 'x'\nsyslog = 1\nlevel = 2", &[(2, &["[log] file: \"x\": not an absolute path"]), (3, &["[log] syslog: a whole number where true or false belongs"]), (4, &["[log] level: unknown key", "file, syslog"])]),
];

#[test]
fn faults_are_told_by_line_and_word() {
    for (text, wanted) in FAULTS {
        let faults = among([], text).err().unwrap_or_else(|| panic!("accepted: {text}")).into_vec();
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
fn no_two_doors_have_a_name_or_a_port_for_clients() {
    let spa = |name: &str, port: &str| format!("{SSH}spa = {{ name = '{name}', ports = ['{port}'] }}\n");
    let told = |text: &str| among([], text).unwrap_err().to_string();
    let twice = told(&[spa("ssh", "tcp/22"), spa("ssh", "tcp/22")].concat());
    assert_eq!(
        twice,
        "f:12: [[knockd.door]] spa.ports: tcp/22 is listed by door a already, in line 6\n  \
         a port belongs to one door\n\
         f:12: [[knockd.door]] spa.name: ssh is the name of door a already, in line 6\n  \
         clients ask for a door by its name"
    );
    let native = told(&format!("{}[door.ssh]\nports = ['tcp/23', 'tcp/22']\n", spa("ssh", "tcp/22")));
    assert!(
        native.contains("f:8: [door.ssh] ports: tcp/22 is listed by door a already, in line 6"),
        "{native}"
    );
    assert!(native.contains("f:7: [door.ssh]: ssh is the name of door a already, in line 6"), "{native}");
    assert!(among([], &[spa("ssh", "tcp/22"), spa("web", "tcp/80")].concat()).is_ok());
    assert!(among([], &[SSH, SSH].concat()).is_ok());
}

#[test]
fn what_is_weak_is_told() {
    let told =
        |keys: &str| shown(&among([], &format!("[[knockd.door]]\nname = 'a'\n{keys}")).unwrap().warnings);
    let good = "start = 'x'\nstop = 'y'\nsequence = ['7', '9', '8']\n";
    assert_eq!(told(good), "");
    let one = |shown: String, line: usize, words: &str| {
        assert!(shown.starts_with(&format!("f:{line}: ")) && shown.contains(words), "{words}: {shown}");
        assert_eq!(shown.matches("f:").count(), 1, "{shown}");
    };
    one(
        told("start = 'x'\nstop = 'y'\nsequence = ['7', '8', '9']"),
        5,
        "sequence: guessable: its ports ascend",
    );
    one(
        told("start = 'x'\nsequence = ['7', '9', '8']"),
        1,
        "stop: none, so that nothing undoes what door a does",
    );
    one(told(&format!("{good}stop-after = 'never'")), 6, "stop-after: never");
    one(told("stop = 'x'\nsequence = ['7', '9', '8']"), 1, "start: none, so that door a runs nothing");
    one(told("start = ''\nsequence = ['7', '9', '8']"), 1, "start: none");
    one(told(&format!("{good}sequence-seconds = 0")), 6, "no time for a second step");
    one(
        told(&format!("{good}{SSH}")),
        8,
        "[[knockd.door]] sequence: begins with the same 3 steps as door a's",
    );
}

const OLD: &str = "[options]\nlogfile = log\nusesyslog\ninterface = eth0\npidfile = /p\n\
    [a]\nsequence = 7,9,8\nstart_command = x\nstop_command = y\nspa = ssh, tcp/22\n\
    [b]\none_time_sequences = used\nstart_command = x\nstop_command = y\n";

fn including(text: &str) -> Result<Config, Faults> {
    among([("/old.conf", OLD), ("/used", " 1,2,3\n")], &format!("[knockd]\ninclude = '/old.conf'\n{text}"))
}

#[test]
fn doors_of_an_included_file_come_first() {
    let config = including(SSH).unwrap();
    let settings = config.settings;
    let names: Vec<_> = settings.knockd_doors.iter().map(|door| door.name.as_str()).collect();
    assert_eq!(names, ["a", "b", "a"]);
    let one_time = OneTime { door: Knockable::Knockd(1), file: "/used".into(), begins_elsewhere: false };
    assert_eq!(settings.one_time, [one_time]);
    assert_eq!(settings.doors.len(), 1);
    assert_eq!(
        settings.log,
        LogSettings { file: Some("/log".into()), syslog: true, ..LogSettings::default() }
    );
    assert_eq!(settings.listen.interfaces, Interfaces::AllButLoopback);
    let told: Vec<_> = config.warnings.iter().map(|warning| format!("{warning}")).collect();
    assert!(
        told[0].starts_with("f:2: [knockd] include: Interface of /old.conf does not count here"),
        "{told:?}"
    );
    assert!(
        told[1].starts_with("f:2: [knockd] include: PidFile of /old.conf does not count here"),
        "{told:?}"
    );
    assert!(told[2].starts_with("/old.conf:"), "{told:?}");
}

#[test]
fn the_log_of_an_included_file_counts_where_nothing_else_is_said() {
    let log = |text: &str| including(text).unwrap().settings.log;
    assert_eq!(
        log("[log]\nfile = '/x'"),
        LogSettings { file: Some("/x".into()), syslog: true, ..LogSettings::default() }
    );
    assert!(!log("[log]\nsyslog = false").syslog);
}

#[test]
fn faults_of_both_files_are_told_at_once() {
    let files = [("/old.conf", "[a]\nsequence = 70000\n[b]\nnonsense\n")];
    let text = "[spa]\nwindow = 'x'\n[knockd]\ninclude = '/old.conf'\n[[knockd.door]]\nname = ''\nsequence = ['1']\n";
    let faults = among(files, text).unwrap_err().into_vec();
    let places: Vec<_> =
        faults.iter().map(|fault| (fault.file.to_str().unwrap(), fault.line.unwrap())).collect();
    assert_eq!(places, [("/old.conf", 2), ("/old.conf", 3), ("/old.conf", 4), ("f", 2), ("f", 6)]);
}

#[test]
fn what_an_included_door_has_no_other_may_have() {
    let told = |text: &str| including(text).unwrap_err().to_string();
    let native = told("[door.ssh]\nports = ['tcp/22']");
    assert!(
        native.contains("f:3: [door.ssh]: ssh is the name of door a already, in /old.conf, line 6"),
        "{native}"
    );
    assert!(
        native.contains("f:4: [door.ssh] ports: tcp/22 is listed by door a already, in /old.conf, line 6"),
        "{native}"
    );
    let spa_port =
        among([("/old.conf", "[x]\nsequence = 1,62201:udp")], "knockd.include = '/old.conf'").unwrap_err();
    assert_eq!(
        spa_port.to_string(),
        "/old.conf:1: section 'x': udp/62201 is where packets are received\n  \
         choose another port, or another spa-port in [listen]"
    );
    let unheard = among(
        [("/old.conf", "[x]\nsequence = 1,2")],
        "listen.capture = 'socket'\nknockd.include = '/old.conf'",
    );
    assert_eq!(
        unheard.unwrap_err().to_string(),
        "/old.conf:1: section 'x': no sequence is heard with capture = \"socket\"\n  \
         leave the sequence out, or set capture = \"packet\" in [listen]"
    );
}
