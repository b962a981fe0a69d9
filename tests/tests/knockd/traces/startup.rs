//! What is no configuration.

use super::*;

pub fn traces() -> Vec<Trace> {
    [syntax(), values()].concat()
}

fn refused(name: &str, config: &str) -> Trace {
    Trace::new(&format!("refused: {name}"), config, "")
}

fn syntax() -> Vec<Trace> {
    let ssh = &door("ssh", "7000,8000,9000", "");
    let after = |line: &str| format!("{ssh}\n{line}\n");
    vec![
        refused("a key that nobody knows", &after("colour = blue")),
        refused("a line without an equals sign", &after("sequence")),
        refused("a line that is a word", &after("hello")),
        refused("a semicolon is no comment", &after("; x")),
        refused("a directive ahead of sections", &format!("sequence = 7000\n{ssh}")),
        refused("a word ahead of sections", &format!("hello\n{ssh}")),
        refused("no name", &after("[]")),
        refused("a comment after a section", &after("[a] # x")),
        refused("a bracket alone", &after("[")),
        refused("a section that does not end", &after("[a")),
        refused("a syslog with a value", &format!("[options]\nUseSyslog = yes\n{ssh}")),
        refused("a syslog with a value in a door", &after("UseSyslog = yes")),
        refused("a log in a door", &after("LogFile = DIR/x")),
        refused("a pidfile in a door", &after("PidFile = DIR/x")),
        refused("an interface in a door", &after("Interface = eth0")),
        refused("a sequence in options", "[options]\nsequence = 1\n"),
        refused("a timeout in options", "[options]\nseq_timeout = 1\n"),
        refused("a command in options", "[options]\nstart_command = x\n"),
        refused("flags in options", "[options]\ntcpflags = syn\n"),
        refused("a byte order mark", &format!("\u{feff}{ssh}")),
        refused("a line of 5000 bytes", &format!("#{}\n{ssh}", "x".repeat(5000))),
        refused(
            "line numbers after a line of 5000 bytes",
            &format!("#{}#{}\n{ssh}\nx\n", " ".repeat(4094), "x".repeat(100)),
        ),
        refused("a line of 4095 bytes is one", &format!("#{}\n{ssh}\nx\n", "x".repeat(4094))),
        refused("a line of 4094 bytes is one", &format!("#{}\n{ssh}\nx\n", "x".repeat(4093))),
        refused("no equals sign but a colon", &after("sequence: 7000")),
        refused("an equals sign alone", &after("=")),
    ]
}

fn values() -> Vec<Trace> {
    let sequence = |sequence: &str| format!("[d]\nsequence = {sequence}\n");
    let flags = |flags: &str| format!("[d]\nsequence = 7000\ntcpflags = {flags}\n");
    let many = (1..=33).map(|port| port.to_string()).collect::<Vec<_>>().join(",");
    vec![
        refused("a port above all", &sequence("65536")),
        refused("a port above all with blanks", &sequence("1, 70000 ,2")),
        refused("a port above all with a protocol", &sequence("70000:udp")),
        refused("no protocol after a colon", &sequence("7000:")),
        refused("blanks after a colon", &sequence("7000: ,8000")),
        refused("a protocol that nobody knows", &sequence("7000:icmp")),
        refused("33 ports", &sequence(&many)),
        refused("no sequence", "[d]\nstart_command = x\n"),
        refused("no sequence in the second door", &format!("{}[e]\n", sequence("7000"))),
        refused("no sequence in an empty door", "[d]\n[e]\n"),
        refused("a flag that nobody knows", &flags("ece")),
        refused("a flag between blanks", &flags("syn, ack")),
        refused("no flag", &flags("")),
        refused("no flag after a comma", &flags("syn,")),
        refused("two exclamation marks", &flags("!!syn")),
        refused("an exclamation mark alone", &flags("!")),
    ]
}
