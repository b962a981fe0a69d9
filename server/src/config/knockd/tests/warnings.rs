use super::*;

fn told_of(text: impl AsRef<[u8]>, mode: u32) -> String {
    let warnings = read(Path::new("f"), text.as_ref(), mode, &mut open).unwrap().warnings;
    warnings.iter().map(|remark| format!("{remark}\n")).collect()
}

/// Warnings of a door that has no other weakness.
fn told(keys: &str) -> String {
    told_of(format!("[a]\nsequence=7,9,8\nstart_command=x\nstop_command=y\n{keys}"), 0o600)
}

/// That there is just this one, at this line and with these words.
fn one(told: &str, line: usize, words: &str) {
    assert!(told.starts_with(&format!("f:{line}: ")) && told.contains(words), "{words}: {told}");
    assert_eq!(told.lines().filter(|line| !line.starts_with(' ')).count(), 1, "{told}");
}

#[test]
fn a_sound_door_is_not_remarked_on() {
    assert_eq!(told(""), "");
    assert_eq!(told("seq_timeout = 5\ncmd_timeout=10\ntcpflags=syn\ntcpflags=!ack\ntarget=192.0.2.1"), "");
    assert_eq!(told("refresh=yes\nseq_cooldown=5\nspa=ssh, tcp/22\n[options]\nusesyslog\nusesyslog"), "");
    assert_eq!(told("[b]\nsequence=9,7,8\nstart_command=iptables -D INPUT -s %IP% -j ACCEPT"), "");
}

#[test]
fn numbers_that_only_atoi_takes() {
    one(&told("seq_timeout = 9 # nine"), 5, "[a] Seq_Timeout: \"9 # nine\" is taken for 9");
    one(&told("seq_timeout = 99999999999"), 5, "\"99999999999\" is taken for 1215752191");
    one(&told("cmd_timeout = +7"), 5, "[a] Cmd_Timeout: \"+7\" is taken for 7");
    let of =
        |sequence: &str| told_of(format!("[a]\nstart_command=x\nstop_command=y\nsequence={sequence}"), 0o600);
    one(&of("9,5000abc,7"), 4, "[a] Sequence: \"5000abc\" is taken for port 5000");
    one(&of("9,7,8,7000,"), 4, "an empty element is taken for port 0");
    one(&of("9,7,-1,0x1388"), 4, "\"-1\" is taken for port 65535; \"0x1388\" is taken for port 0");
    one(&of("9,7,8:udp:x"), 4, "second colon");
    one(&of("9,7,8 # x"), 4, "\"8 # x\" is taken for port 8");
}

#[test]
fn times_that_are_none() {
    one(&told("seq_timeout=0"), 5, "[a] Seq_Timeout: no time at all");
    let both = told("seq_timeout=-1");
    assert!(both.contains("\"-1\" is taken for -1") && both.contains("no time at all"), "{both}");
    assert!(
        told("cmd_timeout=-1").contains("[a] Cmd_Timeout: negative, so that the stop command never runs")
    );
}

#[test]
fn what_stands_twice() {
    one(&told("sequence=1,9,8"), 5, "[a] Sequence: stands here again, so that line 2 does not count");
    one(&told("command=z"), 5, "[a] Start_Command: stands here again, so that line 3");
    one(&told("[options]\nlogfile=a\nlogfile=b"), 7, "[options] LogFile: stands here again");
    one(&told("[options]\ninterface=a\n[options]\ninterface=b"), 8, "the first one counts");
    let twins = told("[a]\nsequence=9,7,8\nstart_command=x\nstop_command=y");
    one(&twins, 5, "[a]: another door has this name, in line 1");
}

#[test]
fn sequences_that_are_found_out() {
    let of =
        |sequence: &str| told_of(format!("[a]\nstart_command=x\nstop_command=y\nsequence={sequence}"), 0o600);
    one(&of("9,8"), 4, "[a] Sequence: guessable: it has fewer than 3 steps");
    one(&of("7000,8000,9000"), 4, "ascend");
    one(&of("9,8,9"), 4, "twice");
    let shared = told("[b]\nsequence=7,9:tcp,8:udp\nstart_command=x\nstop_command=y");
    one(&shared, 6, "[b] Sequence: begins with the same 2 steps as door a's");
}

#[test]
fn commands_that_do_not_do_what_they_look_like() {
    let of = |keys: &str| told_of(format!("[a]\nsequence=7,9,8\n{keys}"), 0o600);
    one(&of(""), 1, "[a] Start_Command: none, so that nothing runs");
    one(&of("start_command=\nstop_command=x"), 3, "none, so that nothing runs");
    one(&of("start_command=x"), 3, "[a] Start_Command: no stop command undoes it");
    one(&of("start_command_6=x"), 3, "[a] Start_Command_6: no stop command");
    assert_eq!(of("start_command=x\nstart_command_6=y\nstop_command=z"), "");
    assert_eq!(of("start_command=ufw delete allow from %IP%"), "");
    let appends = "start_command=/sbin/iptables -w -A INPUT -s %IP% -j ACCEPT\nstop_command=y";
    one(&of(appends), 3, "-A INPUT appends a rule");
    assert!(of(appends).contains("-I INPUT puts it first"));
    one(&of("command=true; ip6tables-nft --append FORWARD -j X\nstop_command=y"), 3, "-A FORWARD");
    for innocent in
        ["iptables -A KNOCK -j X", "iptables -I INPUT -j X", "tool -A INPUT", "iptables -L; x -A INPUT"]
    {
        assert_eq!(of(&format!("command={innocent}\nstop_command=y")), "", "{innocent}");
    }
}

#[test]
fn targets_and_one_time_files() {
    one(
        &told("target=gw.example.net"),
        5,
        "[a] Target: \"gw.example.net\" is no address, and so this door never opens",
    );
    let of = |keys: &str| told_of(format!("[a]\nstart_command=x\nstop_command=y\n{keys}"), 0o600);
    one(&of("one_time_sequences=/used"), 4, "[a] One_Time_Sequences: no more sequences left in /used");
    let replaced = of("one_time_sequences=/one\nsequence=7,9,8");
    one(&replaced, 5, "[a] Sequence: replaces the first sequence of /one");
    assert_eq!(
        of("one_time_sequences=/bad\nsequence=7,9,8").lines().take(3).collect::<Vec<_>>(),
        [
            "/bad:1: skipped: port 99999 is invalid",
            "/bad:2: skipped: unknown protocol in knock sequence",
            "/bad:3: \"abc\" is taken for port 0"
        ]
    );
}

#[test]
fn files_that_others_use() {
    let sound = "[a]\nsequence=7,9,8\nstart_command=x\nstop_command=y";
    assert_eq!(told_of(sound, 0o640), "");
    one(&told_of(sound, 0o644), 2, "everybody on this host can read this file");
    one(&told_of(sound, 0o660), 1, "others than its owner can write this file");
    one(&told_of("", 0o644), 1, "no doors");
    one(&told_of("[options]\nusesyslog", 0o644), 1, "no doors");
}

#[test]
fn lines_and_names_that_are_cut() {
    one(&told(&format!("#{}# y", "x".repeat(4094))), 5, "longer than 4095 bytes");
    one(&told("seq_timeout=5\0abc"), 5, "a zero byte");
    one(&told("\0abc"), 5, "a zero byte");
    assert_eq!(told("# \0"), "");
    let long = "n".repeat(255);
    one(
        &told_of(format!("[{long}]\nsequence=7,9,8\nstart_command=x\nstop_command=y"), 0o600),
        1,
        "cut after 254",
    );
    one(&told_of("[Options]\nsequence=7,9,8\nstart_command=x\nstop_command=y", 0o600), 1, "this is a door");
}

#[test]
fn weaknesses_come_in_the_order_of_lines() {
    let file = parse(
        "[b]\nsequence=1\none_time_sequences=/bad\ncommand=iptables -A INPUT\nseq_timeout=x\n[b]\nsequence=2",
    )
    .unwrap();
    let lines: Vec<_> =
        file.warnings.iter().filter(|it| it.file == Path::new("f")).map(|it| it.line.unwrap()).collect();
    assert!(lines.is_sorted(), "{lines:?}");
    assert_eq!(file.warnings.len() - lines.len(), 3);
}
