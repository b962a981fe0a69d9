mod faults;
mod warnings;

use std::io;
use std::time::Duration;

use knock_spa_engine::knockd::{Again, KnockdCommands};
use knock_spa_proto::knock::{FlagRule, Repeats, TcpFlags, TimeLimit, Uses};
use proptest::prelude::*;

use super::*;

/// The files of one-time sequences that there are.
fn open(path: &Path) -> io::Result<Vec<u8>> {
    match path.to_str() {
        Some("/one") => Ok(b"# used\n 7001,7002\n 7003,7004\n".to_vec()),
        Some("/bad") => Ok(b"99999\n1:x\n 5,abc\n".to_vec()),
        Some("/used") => Ok(b"#7001\n".to_vec()),
        Some("/dir") => Err(io::Error::from_raw_os_error(libc::EISDIR)),
        _ => Err(io::Error::from_raw_os_error(libc::ENOENT)),
    }
}

fn parse(text: impl AsRef<[u8]>) -> Result<KnockdFile, KnockdFaults> {
    read(Path::new("f"), text.as_ref(), 0o600, &mut open)
}

fn good(text: impl AsRef<[u8]>) -> KnockdFile {
    parse(text.as_ref())
        .unwrap_or_else(|faults| panic!("{}\n{faults}", String::from_utf8_lossy(text.as_ref())))
}

/// The only door of a file that is `keys` in a door with a sequence.
fn door(keys: &str) -> FileDoor {
    let mut doors = good(format!("[a]\nsequence=7,9,8\n{keys}")).doors;
    assert_eq!(doors.len(), 1, "{keys}");
    doors.remove(0)
}

fn commands(keys: &str) -> KnockdCommands {
    door(keys).door.commands
}

fn steps(door: &FileDoor) -> Option<String> {
    let steps = door.door.knock.as_ref()?.sequence.steps().iter().map(ToString::to_string);
    Some(steps.collect::<Vec<_>>().join(" "))
}

fn names(file: &KnockdFile) -> Vec<&str> {
    file.doors.iter().map(|door| door.door.name.as_str()).collect()
}

const SECONDS: fn(u64) -> Duration = Duration::from_secs;

#[test]
fn debian_s_own_file() {
    let file = good(
        "[options]\n\tUseSyslog\n\n[openSSH]\n\tsequence    = 7000,8000,9000\n\tseq_timeout = 5\n\
         \tcommand     = /sbin/iptables -A INPUT -s %IP% -p tcp --dport 22 -j ACCEPT\n\ttcpflags    = syn\n\n\
         [closeSSH]\n\tsequence    = 9000,8000,7000\n\tseq_timeout = 5\n\
         \tcommand     = /sbin/iptables -D INPUT -s %IP% -p tcp --dport 22 -j ACCEPT\n\ttcpflags    = syn\n",
    );
    assert!(file.options.syslog);
    assert_eq!(names(&file), ["openSSH", "closeSSH"]);
    assert_eq!((file.doors[0].line, file.doors[1].line), (4, 10));
    assert_eq!(steps(&file.doors[1]).unwrap(), "9000/tcp 8000/tcp 7000/tcp");
    let knock = file.doors[0].door.knock.as_ref().unwrap();
    assert_eq!(knock.within, TimeLimit::WholeSeconds(5));
    assert_eq!(knock.flags, FlagRule::default().requiring(TcpFlags::SYN));
    let start = file.doors[0].door.commands.start.as_ref().unwrap();
    assert!(start.starts_with("/sbin/iptables -A INPUT -s %IP%"));
}

#[test]
fn what_is_left_out_has_knockd_s_default() {
    assert_eq!(good(""), KnockdFile { warnings: good("").warnings, ..KnockdFile::default() });
    let FileDoor { line, door, one_time, spa } = door("");
    assert_eq!((line, one_time, spa), (1, None, None));
    let commands = KnockdCommands { stop_after: Some(SECONDS(10)), ..KnockdCommands::default() };
    assert_eq!(door.commands, commands);
    let knock = door.knock.unwrap();
    assert_eq!(knock.within, TimeLimit::WholeSeconds(25));
    assert_eq!((knock.flags, knock.target), (FlagRule::default(), None));
    assert_eq!((knock.repeats, knock.cooldown, knock.uses), (Repeats::Fail, Duration::ZERO, Uses::Any));
}

#[test]
fn sections() {
    for (text, wanted) in [
        ("", &[][..]),
        ("# x\n\n  \t\n", &[]),
        ("[options]\n[options]\n", &[]),
        ("[a]\nsequence=1\n[a]\nsequence=1", &["a", "a"]),
        ("  [ a b ]\t\r\nsequence=1", &[" a b "]),
        (
            "[]]\nsequence=1\n[[]\nsequence=1\n[=]\nsequence=1\n[#]\nsequence=1\n[ ]\nsequence=1",
            &["]", "[", "=", "#", " "],
        ),
        ("[b]=x]\nsequence=2", &["b]=x"]),
        ("[Options]\nsequence=1\n[options ]\nsequence=1", &["Options", "options "]),
        ("[é]\nsequence=1", &["é"]),
        ("[a]\nsequence=1\n[options]\nusesyslog\n[c]\nsequence=1", &["a", "c"]),
    ] {
        assert_eq!(names(&good(text)), wanted, "{text}");
    }
    let long = "n".repeat(253);
    for (name, kept) in [(format!("{long}xy"), format!("{long}x")), (format!("{long}é"), long)] {
        assert_eq!(names(&good(format!("[{name}]\nsequence=1"))), [kept]);
    }
}

#[test]
fn lines() {
    // Latin-1 in a comment, carriage returns, no newline at the end, zero bytes.
    assert_eq!(good(b"# \xe9\n[a]\r\n\x0b sequence = 1 \x0c\r\n#\xff").doors.len(), 1);
    assert_eq!(steps(&good(b"[a]\nsequence=1\x002\nseq_timeout=3").doors[0]).unwrap(), "1/tcp");
    assert_eq!(good(b"\0\n[a]\0\xff\nsequence=1").doors.len(), 1);
    // A comment that is cut, and goes on with another.
    let long = format!("[a]\nsequence=1\n#{}# more\n", "x".repeat(4094));
    assert_eq!(good(long).doors.len(), 1);
    let spaced = format!("[a]\nsequence={}1", " ".repeat(4000));
    assert_eq!(steps(&good(spaced).doors[0]).unwrap(), "1/tcp");
}

#[test]
fn options() {
    let of = |text: &str| good(format!("[options]\n{text}")).options;
    assert_eq!(of(""), KnockdOptions::default());
    let all = of("UseSyslog\nLogFile = /l\npidfile=/p = q\nINTERFACE = eth0");
    assert_eq!(
        all,
        KnockdOptions {
            syslog: true,
            log_file: Some("/l".into()),
            pid_file: Some("/p = q".into()),
            interface: Some("eth0".into()),
        }
    );
    assert_eq!(of("logfile=/a\nlogfile=/b\npidfile=/a\n[options]\npidfile=").log_file, Some("/b".into()));
    assert_eq!(of("pidfile=/a\n[options]\npidfile=").pid_file, Some("".into()));
    assert_eq!(of("interface=\ninterface=a\ninterface=b").interface.as_deref(), Some("a"));
    assert_eq!(of(&format!("interface={}", "i".repeat(40))).interface.unwrap().len(), 31);
    assert_eq!(of("interface = eth0, eth0:1").interface.as_deref(), Some("eth0,eth0:1"));
    assert!(good("[a]\nsequence=1\nusesyslog\n[b]\nsequence=1").options.syslog);
}

#[test]
fn times() {
    let within = |text: &str| door(text).door.knock.unwrap().within;
    for (text, seconds) in [
        ("seq_timeout=1", 1),
        ("TIMEOUT = 9 # nine", 9),
        ("timeout=5\nseq_timeout=6", 6),
        ("seq_timeout=6\ntimeout=5", 5),
        ("seq_timeout=0", 0),
        ("seq_timeout=-3", 0),
        ("seq_timeout=abc", 0),
        ("seq_timeout=", 0),
        ("seq_timeout=2147483647", i32::MAX.unsigned_abs()),
        ("seq_timeout=99999999999", 1_215_752_191),
        ("seq_timeout=4294967295", 0),
    ] {
        assert_eq!(within(text), TimeLimit::WholeSeconds(seconds), "{text}");
    }
    for (text, seconds) in [
        ("cmd_timeout=0", Some(0)),
        ("cmd_timeout=x", Some(0)),
        ("cmd_timeout= +7 x", Some(7)),
        ("cmd_timeout=-1", None),
        ("cmd_timeout=4294967295", None),
        ("cmd_timeout=5\ncmd_timeout=6", Some(6)),
    ] {
        assert_eq!(commands(text).stop_after, seconds.map(SECONDS), "{text}");
    }
}

#[test]
fn command_lines_are_literal() {
    let all = commands(
        "Start_Command = a '%IP%' \"b\" \\n # c = d \nstop_command=\ncommand_6 = e\nSTOP_COMMAND_6 = f\n",
    );
    assert_eq!(all.start.as_deref(), Some("a '%IP%' \"b\" \\n # c = d"));
    assert_eq!(all.stop.as_deref(), Some(""));
    assert_eq!((all.start6.as_deref(), all.stop6.as_deref()), (Some("e"), Some("f")));
    assert_eq!(commands("command=a\nstart_command=b").start.as_deref(), Some("b"));
    assert_eq!(commands("start_command_6=a\ncommand_6=").start6.as_deref(), Some(""));
}

#[test]
fn flags_add_up() {
    let flags = |text: &str| door(text).door.knock.unwrap().flags;
    assert_eq!(flags("tcpflags = syn,!ack").forbidden(), TcpFlags::ACK);
    let rule = flags("tcpflags=syn,ack\nTCPFlags=!ack,Fin");
    assert_eq!((rule.required(), rule.forbidden()), (TcpFlags::SYN | TcpFlags::FIN, TcpFlags::ACK));
}

#[test]
fn targets() {
    let target = |text: &str| door(text).door.knock.map(|knock| knock.target);
    assert_eq!(target("target=192.0.2.1"), Some(Some("192.0.2.1".parse().unwrap())));
    assert_eq!(target("Target = 2001:db8::1"), Some(Some("2001:db8::1".parse().unwrap())));
    assert_eq!(target("target=gw.example.net"), None);
    assert_eq!(target("target=;\ntarget=::1"), Some(Some("::1".parse().unwrap())));
}

#[test]
fn one_time_sequences() {
    let of = |text: &str| good(format!("[a]\n{text}")).doors.remove(0);
    let one = |begins_elsewhere| Some(FileOneTime { file: "/one".into(), begins_elsewhere });
    let from_file = of("One_Time_Sequences = /one");
    assert_eq!(
        (steps(&from_file).unwrap().as_str(), &from_file.one_time),
        ("7001/tcp 7002/tcp", &one(false))
    );
    assert_eq!(from_file.door.knock.unwrap().uses, Uses::Once);
    let replaced = of("one_time_sequences=/one\nsequence=5,6");
    assert_eq!((steps(&replaced).unwrap().as_str(), &replaced.one_time), ("5/tcp 6/tcp", &one(true)));
    let file_wins = of("sequence=5,6\none_time_sequences=/one");
    assert_eq!(
        (steps(&file_wins).unwrap().as_str(), &file_wins.one_time),
        ("7001/tcp 7002/tcp", &one(false))
    );
    assert_eq!(steps(&of("one_time_sequences=/bad")).unwrap(), "5/tcp 0/tcp");
    let used = of("sequence=5\none_time_sequences=/used");
    assert_eq!((steps(&used), used.one_time.unwrap().file), (None, "/used".into()));
    assert_eq!(steps(&of("one_time_sequences=/used\nsequence=5")).unwrap(), "5/tcp");
    let last = of("one_time_sequences=/used\none_time_sequences=/one");
    assert_eq!((steps(&last).unwrap().as_str(), &last.one_time), ("7001/tcp 7002/tcp", &one(false)));
}

#[test]
fn files_are_opened_in_the_order_of_lines() {
    let mut opened = Vec::new();
    let text = b"[a]\none_time_sequences=b\nfoo\n[b]\none_time_sequences=a\none_time_sequences=";
    let faults = read(Path::new("f"), text, 0o600, &mut |path| {
        opened.push(path.to_owned());
        open(path)
    });
    assert_eq!(opened, [Path::new("b"), Path::new("a"), Path::new("")]);
    assert_eq!(faults.unwrap_err().faults.iter().count(), 4);
}

#[test]
fn additions() {
    for (text, is_on) in [
        ("YES", true),
        ("true", true),
        ("On", true),
        ("1", true),
        ("no", false),
        ("0", false),
        ("OFF", false),
        ("False", false),
    ] {
        let door = door(&format!("refresh={text}\ntolerate_REPEATS = {text}"));
        let again = if is_on { Again::Extend } else { Again::Start };
        let repeats = if is_on { Repeats::Tolerated } else { Repeats::Fail };
        assert_eq!((door.door.commands.again, door.door.knock.unwrap().repeats), (again, repeats), "{text}");
    }
    for (text, seconds) in [("0", 0), ("60", 60), ("086400", 86_400)] {
        let cooldown = door(&format!("Seq_Cooldown = {text}")).door.knock.unwrap().cooldown;
        assert_eq!(cooldown, SECONDS(seconds));
    }
    let spa = door("spa = ssh , tcp/22,\tudp/53").spa.unwrap();
    assert_eq!(spa.name, "ssh".parse().unwrap());
    assert_eq!(spa.ports, ["tcp/22".parse().unwrap(), "udp/53".parse().unwrap()]);
}

#[test]
fn there_is_room_for_many_doors() {
    let doors = |count: usize| {
        (0..count)
            .map(|n| format!("[d{n}]\nsequence={},9,8\nstart_command=x\nstop_command=y\n", n + 1))
            .collect::<String>()
    };
    assert_eq!(good(doors(MAX_DOORS)).doors.len(), MAX_DOORS);
    let faults = parse(format!("{}foo\n[b]\n[options]\nusesyslog", doors(MAX_DOORS + 1))).unwrap_err();
    assert_eq!(
        faults.to_string(),
        "f:65537: syntax error: more than 16384 doors\n  several daemons, each with its own file, can share them"
    );
}

proptest! {
    #[test]
    fn reading_is_total(bytes in proptest::collection::vec(any::<u8>(), 0..400), mode in 0_u32..0o10000) {
        drop(read(Path::new("f"), &bytes, mode, &mut open));
    }

    /// Lines that look right come further than bytes at random.
    #[test]
    fn reading_is_total_near_the_syntax(lines in proptest::collection::vec(line(), 0..12)) {
        match parse(lines.join("\n")) {
            Ok(file) => {
                let own = file.warnings.iter().filter(|remark| remark.file == Path::new("f"));
                prop_assert!(own.is_sorted_by_key(|remark| remark.line));
            }
            Err(faults) => {
                prop_assert!(faults.faults.iter().count() > 0);
                prop_assert!(!faults.knockd_says.is_empty());
            }
        }
    }
}

fn line() -> impl Strategy<Value = String> {
    let key = prop::sample::select(vec![
        "sequence",
        "one_time_sequences",
        "seq_timeout",
        "tcpflags",
        "target",
        "start_command",
        "cmd_timeout",
        "refresh",
        "seq_cooldown",
        "spa",
        "logfile",
        "interface",
        "usesyslog",
        "foo",
    ]);
    let value = prop_oneof![
        "[0-9]{1,6}(,[0-9]{1,5}(:udp|:x)?){0,3}",
        "!?(syn|ack|ece)(,fin)?",
        "(/one|/bad|/used|/dir)",
        "ssh, tcp/2[0-9]",
        "(yes|no|-1|192.0.2.1|host|;)",
        ".{0,20}",
    ];
    prop_oneof![
        1 => Just("[options]".to_owned()),
        2 => "\\[[a-c]{0,2}\\]",
        8 => (key, value).prop_map(|(key, value)| format!("{key} = {value}")),
        1 => Just("UseSyslog".to_owned()),
        1 => ".{0,20}",
    ]
}
