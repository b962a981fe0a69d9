//! The command line of a classic knock.

use std::ffi::OsString;
use std::time::Duration;

use knock_spa_proto::getopt::{self, Getopt, Item, Known};
use knock_spa_proto::port::Transport;

use crate::family::Family;

/// What the command line asks for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Command {
    /// To knock.
    Knock(Arguments),
    /// The version.
    Version,
    /// How to use the program.
    Help,
}

/// A sequence of knocks.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Arguments {
    /// A name or an address.
    pub(super) host: String,
    /// The ports in order, at least one.
    pub(super) hits: Vec<Hit>,
    /// How long to wait after each.
    pub(super) delay: Duration,
    /// The only family to use, if one was asked for.
    pub(super) family: Option<Family>,
    /// Whether to say what is sent.
    pub(super) verbose: bool,
}

/// One packet to send.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Hit {
    /// To which port.
    pub(super) port: PortText,
    /// The port as it was written, which is how it is told.
    pub(super) written: String,
    /// By which transport.
    pub(super) transport: Transport,
}

/// A port as written.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum PortText {
    /// By number, of which the lowest 16 bits count.
    Number(u16),
    /// By the name of a service.
    Name(String),
}

/// Why a command line makes no sense.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub(super) enum Wrong {
    #[error(transparent)]
    Option(#[from] getopt::Wrong),
    #[error("the delay is a number of milliseconds, not {0}")]
    Delay(String),
    #[error("an argument is not text")]
    NotText,
    #[error("a host and at least one port are needed")]
    TooFew,
}

/// The classic client's options.
const KNOWN: [Known; 7] = [
    Known { letter: 'u', long: "udp", has_value: false },
    Known { letter: 'd', long: "delay", has_value: true },
    Known { letter: '4', long: "ipv4", has_value: false },
    Known { letter: '6', long: "ipv6", has_value: false },
    Known { letter: 'v', long: "verbose", has_value: false },
    Known { letter: 'V', long: "version", has_value: false },
    Known { letter: 'h', long: "help", has_value: false },
];

#[derive(Default)]
struct Reading {
    udp: bool,
    delay: Duration,
    family: Option<Family>,
    verbose: bool,
    words: Vec<String>,
}

impl Command {
    /// Reads the words after the program's name.
    pub(super) fn parse(words: impl Iterator<Item = OsString>) -> Result<Self, Wrong> {
        let words: Result<Vec<String>, _> = words.map(OsString::into_string).collect();
        let mut reading = Reading::default();
        for item in Getopt::new(&KNOWN, words.map_err(|_| Wrong::NotText)?) {
            match item? {
                Item::Flag('V') => return Ok(Self::Version),
                Item::Flag('h') => return Ok(Self::Help),
                item @ (Item::Flag(_) | Item::Setting(..) | Item::Word(_)) => reading.take(item)?,
            }
        }
        reading.finish().map(Self::Knock)
    }
}

impl Reading {
    fn take(&mut self, item: Item) -> Result<(), Wrong> {
        match item {
            Item::Flag('u') => self.udp = true,
            Item::Flag('4') => self.family = Some(Family::V4),
            Item::Flag('6') => self.family = Some(Family::V6),
            Item::Flag('v') => self.verbose = true,
            Item::Setting('d', value) => self.delay = delay(value)?,
            Item::Word(word) => self.words.push(word),
            // There are no others.
            Item::Flag(_) | Item::Setting(..) => {}
        }
        Ok(())
    }

    fn finish(self) -> Result<Arguments, Wrong> {
        let mut words = self.words.into_iter();
        let host = words.next().ok_or(Wrong::TooFew)?;
        let hits: Vec<Hit> = words.map(|word| hit(&word, self.udp)).collect();
        if hits.is_empty() {
            return Err(Wrong::TooFew);
        }
        Ok(Arguments { host, hits, delay: self.delay, family: self.family, verbose: self.verbose })
    }
}

fn delay(text: String) -> Result<Duration, Wrong> {
    text.parse().map(Duration::from_millis).map_err(|_| Wrong::Delay(text))
}

/// `PORT[:PROTO]`, where only the exact word `udp` means UDP.
fn hit(word: &str, all_udp: bool) -> Hit {
    let (port, transport) = match word.split_once(':') {
        Some((port, "udp")) => (port, Transport::Udp),
        Some((port, _)) => (port, Transport::Tcp),
        None => (word, Transport::Tcp),
    };
    Hit {
        port: port_text(port),
        written: port.to_owned(),
        transport: if all_udp { Transport::Udp } else { transport },
    }
}

/// A number as strtoul(3) reads it, for which nothing is 0; or a name.
fn port_text(written: &str) -> PortText {
    let text = written.strip_prefix('+').unwrap_or(written);
    if written == "+" || !text.bytes().all(|byte| byte.is_ascii_digit()) {
        return PortText::Name(written.to_owned());
    }
    let digit = |byte: u8| u16::from(byte.wrapping_sub(b'0'));
    PortText::Number(
        text.bytes().fold(0, |number: u16, byte| number.wrapping_mul(10).wrapping_add(digit(byte))),
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(line: &str) -> Result<Command, Wrong> {
        Command::parse(line.split(' ').filter(|word| !word.is_empty()).map(OsString::from))
    }

    fn knock(line: &str) -> Arguments {
        match parse(line) {
            Ok(Command::Knock(arguments)) => arguments,
            other => panic!("{line}: {other:?}"),
        }
    }

    fn shown(line: &str) -> String {
        let shown = |hit: &Hit| match &hit.port {
            PortText::Number(port) => format!("{port}/{}", hit.transport),
            PortText::Name(name) => format!("{name}/{}", hit.transport),
        };
        knock(line).hits.iter().map(shown).collect::<Vec<_>>().join(" ")
    }

    #[test]
    fn ports_and_transports() {
        assert_eq!(shown("h 7000 8000:udp 9000:tcp"), "7000/tcp 8000/udp 9000/tcp");
        assert_eq!(shown("h 1:UDP 2:x 3:udp:x 4:"), "1/tcp 2/tcp 3/tcp 4/tcp");
        assert_eq!(shown("-u h 1 2:tcp"), "1/udp 2/udp");
        assert_eq!(shown("h 70000 65536 0 065"), "4464/tcp 0/tcp 0/tcp 65/tcp");
        assert_eq!(shown("h ssh domain:udp :udp 0x10 +5 +"), "ssh/tcp domain/udp 0/udp 0x10/tcp 5/tcp +/tcp");
    }

    #[test]
    fn options_stand_anywhere() {
        for line in [
            "-uvd5 -6 h 1",
            "h 1 -u -v -d 5 -6",
            "h --udp --verb 1 --delay=5 --ipv6",
            "-4 -d9 --del 5 -6 -uv -- h 1",
        ] {
            let arguments = knock(line);
            assert_eq!(arguments.host, "h", "{line}");
            assert_eq!(
                arguments.hits,
                [Hit { port: PortText::Number(1), written: "1".into(), transport: Transport::Udp }],
                "{line}"
            );
            assert_eq!(arguments.delay, Duration::from_millis(5), "{line}");
            assert_eq!(arguments.family, Some(Family::V6), "{line}");
            assert!(arguments.verbose, "{line}");
        }
        let plain = knock("h 1");
        assert_eq!((plain.delay, plain.family, plain.verbose), (Duration::ZERO, None, false));
        assert_eq!(
            knock("-- h -u").hits,
            [Hit { port: PortText::Name("-u".into()), written: "-u".into(), transport: Transport::Tcp }]
        );
    }

    #[test]
    fn version_and_help_act_at_once() {
        for line in ["-V", "h -V", "-vV", "-V -x", "--vers"] {
            assert_eq!(parse(line), Ok(Command::Version), "{line}");
        }
        for line in ["-h", "h 1 -h", "--help"] {
            assert_eq!(parse(line), Ok(Command::Help), "{line}");
        }
    }

    #[test]
    fn what_makes_no_sense() {
        for (line, wrong) in [
            ("", Wrong::TooFew),
            ("h", Wrong::TooFew),
            ("-v h", Wrong::TooFew),
            ("-x h 1", getopt::Wrong::Letter('x').into()),
            ("-ux h 1", getopt::Wrong::Letter('x').into()),
            ("--nope h 1", getopt::Wrong::Unknown("--nope".into()).into()),
            ("--ver h 1", getopt::Wrong::Ambiguous("--ver".into(), vec!["verbose", "version"]).into()),
            ("--udp=1 h 1", getopt::Wrong::NeedlessValue("udp").into()),
            ("h 1 -d", getopt::Wrong::LetterNeedsValue('d').into()),
            ("h 1 --delay", getopt::Wrong::NeedsValue("delay").into()),
            ("-d -1 h 1", Wrong::Delay("-1".into())),
            ("-d x h 1", Wrong::Delay("x".into())),
        ] {
            assert_eq!(parse(line), Err(wrong), "{line}");
        }
    }
}
