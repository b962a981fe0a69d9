//! knockd's command line.

use std::ffi::OsString;
use std::path::PathBuf;

use knock_spa_proto::getopt::{Getopt, Item, Known};

use crate::config::knockd::{DEFAULT_FILE, cut_names};

/// knockd's options, in the order in which it names those that a shortened name could mean.
const KNOWN: [Known; 11] = [
    Known { letter: 'v', long: "verbose", has_value: false },
    Known { letter: 'D', long: "debug", has_value: false },
    Known { letter: 'd', long: "daemon", has_value: false },
    Known { letter: 'l', long: "lookup", has_value: false },
    Known { letter: 'i', long: "interface", has_value: true },
    Known { letter: 'c', long: "config", has_value: true },
    Known { letter: 'h', long: "help", has_value: false },
    Known { letter: 'p', long: "pidfile", has_value: true },
    Known { letter: 'g', long: "logfile", has_value: true },
    Known { letter: '4', long: "only-ip-v4", has_value: false },
    Known { letter: 'V', long: "version", has_value: false },
];

/// What a command line asks for.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Answer {
    /// To run.
    Run(Options),
    /// To say something, and end well, as knockd does even where the line is wrong.
    Say {
        /// First this.
        on_stderr: Option<String>,
        /// Then this.
        on_stdout: String,
    },
}

/// How to run.
#[derive(Clone, Debug, PartialEq, Eq)]
#[expect(clippy::struct_excessive_bools, reason = "each is one of knockd's options")]
pub(super) struct Options {
    /// `-i`: one, or several with commas between.
    pub(super) interface: Option<String>,
    /// `-d`.
    pub(super) daemon: bool,
    /// `-c`.
    pub(super) config: PathBuf,
    /// `-D`.
    pub(super) debug: bool,
    /// `-l`.
    pub(super) lookup: bool,
    /// `-p`.
    pub(super) pid_file: PathBuf,
    /// `-g`.
    pub(super) log_file: Option<PathBuf>,
    /// `-v`.
    pub(super) verbose: bool,
    /// `-4`.
    pub(super) only_v4: bool,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            interface: None,
            daemon: false,
            config: DEFAULT_FILE.into(),
            debug: false,
            lookup: false,
            pid_file: "/var/run/knockd.pid".into(),
            log_file: None,
            verbose: false,
            only_v4: false,
        }
    }
}

/// Reads a command line, the program's name first.
pub(super) fn read(arguments: &[OsString]) -> Answer {
    let name = arguments.first().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default();
    let wrong = |what: &dyn std::fmt::Display| Answer::Say {
        on_stderr: Some(format!("{name}: {what}")),
        on_stdout: usage(),
    };
    let words: Option<Vec<String>> =
        arguments.iter().skip(1).map(|word| word.to_str().map(Into::into)).collect();
    let Some(words) = words else { return wrong(&"an argument is not text") };
    let mut options = Options::default();
    for item in Getopt::new(&KNOWN, words) {
        match item {
            Ok(Item::Flag('V')) => return Answer::Say { on_stderr: None, on_stdout: version() },
            Ok(Item::Flag('h')) => return Answer::Say { on_stderr: None, on_stdout: usage() },
            Ok(item) => options.take(item),
            Err(error) => return wrong(&error),
        }
    }
    Answer::Run(options)
}

impl Options {
    fn take(&mut self, item: Item) {
        match item {
            Item::Flag('d') => self.daemon = true,
            Item::Flag('D') => self.debug = true,
            Item::Flag('l') => self.lookup = true,
            Item::Flag('v') => self.verbose = true,
            Item::Flag('4') => self.only_v4 = true,
            Item::Setting('i', value) => {
                // An empty name is as good as none, with knockd.
                self.interface = Some(cut_names(&value)).filter(|names| !names.is_empty());
            }
            Item::Setting('c', value) => self.config = value.into(),
            Item::Setting('p', value) => self.pid_file = value.into(),
            Item::Setting('g', value) => self.log_file = Some(value.into()),
            // knockd takes no notice of words; other options there are none.
            Item::Flag(_) | Item::Setting(..) | Item::Word(_) => {}
        }
    }
}

/// What `-V` says: its first line begins as knockd's does, since programs look for it.
fn version() -> String {
    concat!("knockd 0.8\nknock-spad ", env!("CARGO_PKG_VERSION"), " in its place").into()
}

/// How to call the program, in knockd's words.
pub(super) fn usage() -> String {
    "usage: knockd [options]
options:
  -i, --interface <int>  network interface to listen on (default \"eth0\")
  -d, --daemon           run as a daemon
  -c, --config <file>    use an alternate config file
  -D, --debug            output debug messages
  -l, --lookup           lookup DNS names (may be a security risk)
  -p, --pidfile          use an alternate pidfile
  -g, --logfile          use an alternate logfile
  -v, --verbose          be verbose
  -4, --only-ip-v4       do not track ipv6
  -V, --version          display version
  -h, --help             this help
"
    .into()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn answer(line: &str) -> Answer {
        read(&line.split_whitespace().map(OsString::from).collect::<Vec<_>>())
    }

    #[test]
    fn every_option_is_taken_and_the_last_of_its_kind_wins() {
        let line = "knockd -i eth0 word -dDlv4 -c a --config=b -p pid --logf log -i eth1";
        let expected = Options {
            interface: Some("eth1".into()),
            daemon: true,
            config: "b".into(),
            debug: true,
            lookup: true,
            pid_file: "pid".into(),
            log_file: Some("log".into()),
            verbose: true,
            only_v4: true,
        };
        assert_eq!(answer(line), Answer::Run(expected));
        assert_eq!(answer("knockd"), Answer::Run(Options::default()));
    }

    #[test]
    fn names_of_interfaces_are_taken_as_knockd_takes_them() {
        let interface = |name: &str| match read(&["knockd", "-i", name].map(OsString::from)) {
            Answer::Run(options) => options.interface,
            Answer::Say { .. } => panic!("{name}"),
        };
        assert_eq!(interface(""), None);
        assert_eq!(interface(&"i".repeat(40)), Some("i".repeat(31)));
        assert_eq!(interface("eth0, eth1:0"), Some("eth0,eth1:0".into()));
    }

    /// As printed by the C library for knockd 0.8.
    #[test]
    fn wrong_options_are_called_what_getopt_calls_them() {
        for (line, words) in [
            ("-x", "invalid option -- 'x'"),
            ("-vx -V", "invalid option -- 'x'"),
            ("-?", "invalid option -- '?'"),
            ("-:", "invalid option -- ':'"),
            ("--nope", "unrecognized option '--nope'"),
            ("--nope=3", "unrecognized option '--nope=3'"),
            ("--d", "option '--d' is ambiguous; possibilities: '--debug' '--daemon'"),
            ("--ver=3", "option '--ver=3' is ambiguous; possibilities: '--verbose' '--version'"),
            ("--lo", "option '--lo' is ambiguous; possibilities: '--lookup' '--logfile'"),
            (
                "--=x",
                "option '--=x' is ambiguous; possibilities: '--verbose' '--debug' '--daemon' '--lookup' \
                 '--interface' '--config' '--help' '--pidfile' '--logfile' '--only-ip-v4' '--version'",
            ),
            ("--deb=1", "option '--debug' doesn't allow an argument"),
            ("--lookup=", "option '--lookup' doesn't allow an argument"),
            ("-i", "option requires an argument -- 'i'"),
            ("-vc", "option requires an argument -- 'c'"),
            ("--int", "option '--interface' requires an argument"),
            ("--p", "option '--pidfile' requires an argument"),
        ] {
            let said = Some(format!("/usr/sbin/knockd: {words}"));
            let wanted = Answer::Say { on_stderr: said, on_stdout: usage() };
            assert_eq!(answer(&format!("/usr/sbin/knockd {line}")), wanted, "{line}");
        }
    }

    #[test]
    fn what_is_no_option_is_passed_over() {
        for line in ["knockd word", "knockd -", "knockd -- -x", "knockd -- -V --nope"] {
            assert_eq!(answer(line), Answer::Run(Options::default()), "{line}");
        }
        for line in
            ["knockd --config= -V", "knockd --c=x -V", "knockd --only -V", "knockd -4V", "knockd word --vers"]
        {
            assert_eq!(answer(line), Answer::Say { on_stderr: None, on_stdout: version() }, "{line}");
        }
    }

    #[test]
    fn version_and_help_act_at_once_and_what_is_wrong_shows_the_help() {
        let Answer::Say { on_stderr: None, on_stdout } = answer("knockd -c /nonexistent -vV -x") else {
            panic!("no version")
        };
        assert_eq!(on_stdout.lines().next(), Some("knockd 0.8"));
        assert_eq!(answer("knockd --he"), Answer::Say { on_stderr: None, on_stdout: usage() });
        let said = Some("knockd: invalid option -- 'x'".into());
        assert_eq!(answer("knockd -x"), Answer::Say { on_stderr: said, on_stdout: usage() });
    }
}
