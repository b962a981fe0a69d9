//! How configuration files are written.

use super::*;

pub fn traces() -> Vec<Trace> {
    [lines(), sections(), options(), examples()].concat()
}

fn plain(name: &str, config: &str) -> Trace {
    Trace::new(name, config, "a: 7000 8000 9000 b: 1 x: 7000 8000 9000")
}

fn lines() -> Vec<Trace> {
    let ssh = door("ssh", "7000,8000,9000", "");
    let name = |len: usize| format!("[{}]\nsequence = 7000,8000,9000\n", "n".repeat(len));
    vec![
        plain("lines that end as in DOS", &ssh.replace('\n', "\r\n")),
        plain(
            "blanks around lines",
            &ssh.replace('\n', "  \t\x0b\x0c\n \t ").trim_end_matches([' ', '\t']).replace("= ", " \t=\t"),
        ),
        plain("no blanks at all", &ssh.replace(" = ", "=")),
        plain("comments and empty lines", &format!("# [x]\n\n   # sequence = 1\n{ssh}\n#\n\t\n# end")),
        plain(
            "keys in capitals",
            &ssh.replace("sequence", "SEQUENCE").replace("start_command", "START_COMMAND"),
        ),
        plain(
            "keys in mixed letters",
            &ssh.replace("sequence", "SeQuence").replace("start_command", "Command"),
        ),
        plain(
            "another order of lines",
            "[d]\ncommand = echo d >>$RAN\ntcpflags = syn\nsequence = 7000,8000,9000\n",
        ),
        plain("a name of 127 bytes", &name(127)),
        plain("a name of 128 bytes", &name(128)),
        plain("a name of 254 bytes", &name(254)),
        plain("a name of 300 bytes", &name(300)),
    ]
}

fn sections() -> Vec<Trace> {
    let named =
        |name: &str| plain(&format!("a door of the name {name}"), &doors(&[(name, "7000,8000,9000")]));
    let bare = |name: &str| {
        let config = format!("[{name}]\nsequence = 7000,8000,9000\n");
        plain(&format!("a door of the odd name {name}"), &config)
    };
    vec![
        named("Options"),
        named("OPTIONS"),
        named("open the door"),
        bare("a=b"),
        bare("a#b"),
        bare("a]b"),
        bare("[a]"),
        bare(" options "),
        bare("Türe"),
        bare("%IP%"),
        bare("%s%n"),
        plain("no door", ""),
        plain("nothing but options", "[options]\nUseSyslog\n"),
        plain("options after doors", &format!("{}[options]\nusesyslog\n", door("d", "7000,8000,9000", ""))),
        plain(
            "options twice",
            &format!("[options]\nUseSyslog\n{}[options]\nUSESYSLOG\n", door("d", "7000,8000,9000", "")),
        ),
        plain("syslog in a door", &door("d", "7000,8000,9000", "UseSyslog")),
    ]
}

fn options() -> Vec<Trace> {
    let ssh = door("ssh", "7000,8000,9000", "");
    let with = |name: &str, options: &str| plain(name, &format!("[options]\n{options}\n{ssh}"));
    vec![
        with("LogFile beats the argument", "LogFile = DIR/other.log").logs(&["other.log"]),
        with("the last of two logs", "LogFile = DIR/first.log\nlogfile=DIR/second.log").logs(&["second.log"]),
        with("PidFile beats the argument", "PidFile = DIR/pid").args("-d -p DIR/unused"),
        with("PidFile without a background", "PidFile = DIR/pid"),
        with("the background by the argument", "").args("--daemon --pidfile DIR/pid"),
        with("Interface is not used beside the argument", "Interface = nothing0"),
        with("Interface", "Interface = eth0").usual("-c DIR/knockd.conf -g DIR/log"),
        with("the first of two interfaces", "Interface = eth0\nInterface = nothing0")
            .usual("-c DIR/knockd.conf -g DIR/log"),
        with("Interface in capitals", "INTERFACE=eth0").usual("-c DIR/knockd.conf -g DIR/log"),
        plain("the default interface", &ssh).usual("-c DIR/knockd.conf -g DIR/log"),
        plain("status lines", &ssh).args("-v"),
        plain("status lines of commands", &door("d", "7000", "stop_command = exit 4\ncmd_timeout = 0"))
            .args("--verbose"),
    ]
}

fn examples() -> Vec<Trace> {
    let debian = "[options]\n\tUseSyslog\n\n[openSSH]\n\tsequence    = 7000,8000,9000\n\tseq_timeout = 5\n\
                  \tcommand     = /nonexistent/iptables -A INPUT -s %IP% -p tcp --dport 22 -j ACCEPT\n\ttcpflags    = syn\n\n\
                  [closeSSH]\n\tsequence    = 9000,8000,7000\n\tseq_timeout = 5\n\
                  \tcommand     = /nonexistent/iptables -D INPUT -s %IP% -p tcp --dport 22 -j ACCEPT\n\ttcpflags    = syn\n\n\
                  [openHTTPS]\n\tsequence    = 12345,54321,24680,13579\n\tseq_timeout = 5\n\
                  \tcommand     = /nonexistent/knock_add -i -c INPUT -p tcp -d 443 -f %IP%\n\ttcpflags    = syn\n";
    let timed = "[options]\n\tUseSyslog\n\n[opencloseSSH]\n\tsequence      = 2222:udp,3333:tcp,4444:udp\n\
                 \tseq_timeout   = 15\n\ttcpflags      = syn,ack\n\tstart_command = echo open %IP% >>$RAN\n\
                 \tcmd_timeout   = 1\n\tstop_command  = echo close %IP% >>$RAN\n";
    vec![
        Trace::new(
            "example_debian_default",
            debian,
            "a: 7000 8000 9000 9000 8000 7000 12345 54321 24680 13579 x: 7000+a 7000 8000+sa 9000 7000",
        ),
        Trace::new("example with a stop", timed, "a: 2222u 3333+sa 4444u b: 2222u 3333 4444u"),
        Trace::new(
            "log_exact_format",
            &door("d", "7000,8000", "seq_timeout = 1\nstop_command = exit 1\ncmd_timeout = 0"),
            "a: 7000 8000 7000 ~1000 b: 7000 HUP 7000",
        )
        .mended("attempts-survive-reload"),
    ]
}
