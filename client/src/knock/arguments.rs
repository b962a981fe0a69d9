//! The command line of a classic knock, read as GNU's `getopt_long(3)` reads it: options may follow words, long
//! names may be shortened, the last of a repeated option wins, and `--` ends the options.

use std::collections::VecDeque;
use std::ffi::OsString;
use std::time::Duration;

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
    #[error("unknown option {0}")]
    Unknown(String),
    #[error("option {0} could mean several")]
    Ambiguous(String),
    #[error("option {0} needs a value")]
    NoValue(String),
    #[error("option {0} takes no value")]
    NeedlessValue(String),
    #[error("the delay is a number of milliseconds, not {0}")]
    Delay(String),
    #[error("an argument is not text")]
    NotText,
    #[error("a host and at least one port are needed")]
    TooFew,
}

/// The options, by their short and long names.
const OPTIONS: [(char, &str); 7] = [
    ('u', "udp"),
    ('d', "delay"),
    ('4', "ipv4"),
    ('6', "ipv6"),
    ('v', "verbose"),
    ('V', "version"),
    ('h', "help"),
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
        let words: Result<VecDeque<String>, _> = words.map(OsString::into_string).collect();
        let mut words = words.map_err(|_| Wrong::NotText)?;
        let mut reading = Reading::default();
        while let Some(word) = words.pop_front() {
            let at_once = if word == "--" {
                reading.words.extend(words.drain(..));
                None
            } else if let Some(long) = word.strip_prefix("--") {
                reading.take_long(&word, long, &mut words)?
            } else if let Some(letters) = word.strip_prefix('-').filter(|letters| !letters.is_empty()) {
                reading.take_cluster(letters, &mut words)?
            } else {
                reading.words.push(word);
                None
            };
            if let Some(command) = at_once {
                return Ok(command);
            }
        }
        reading.finish().map(Self::Knock)
    }
}

impl Reading {
    /// `--delay=5`, `--delay 5` or an unambiguous beginning.
    fn take_long(
        &mut self,
        word: &str,
        long: &str,
        words: &mut VecDeque<String>,
    ) -> Result<Option<Command>, Wrong> {
        let (name, value) = match long.split_once('=') {
            Some((name, value)) => (name, Some(value.to_owned())),
            None => (long, None),
        };
        let letter = letter_of(name).map_err(|wrong| wrong(word.to_owned()))?;
        match (letter, value) {
            ('d', None) => self.take('d', words.pop_front(), word),
            ('d', value) => self.take('d', value, word),
            (_, Some(_)) => Err(Wrong::NeedlessValue(word.to_owned())),
            (letter, None) => self.take(letter, None, word),
        }
    }

    /// `-uv`, `-d5` or `-d 5`.
    fn take_cluster(
        &mut self,
        letters: &str,
        words: &mut VecDeque<String>,
    ) -> Result<Option<Command>, Wrong> {
        let mut rest = letters.chars();
        while let Some(letter) = rest.next() {
            let option = format!("-{letter}");
            if letter == 'd' {
                let value = Some(rest.as_str().to_owned()).filter(|value| !value.is_empty());
                return self.take('d', value.or_else(|| words.pop_front()), &option);
            }
            if let Some(command) = self.take(letter, None, &option)? {
                return Ok(Some(command));
            }
        }
        Ok(None)
    }

    /// Takes one option; the command, where it is one that acts at once.
    fn take(&mut self, letter: char, value: Option<String>, option: &str) -> Result<Option<Command>, Wrong> {
        match letter {
            'u' => self.udp = true,
            '4' => self.family = Some(Family::V4),
            '6' => self.family = Some(Family::V6),
            'v' => self.verbose = true,
            'V' => return Ok(Some(Command::Version)),
            'h' => return Ok(Some(Command::Help)),
            'd' => self.delay = delay(value.ok_or_else(|| Wrong::NoValue(option.to_owned()))?)?,
            _ => return Err(Wrong::Unknown(option.to_owned())),
        }
        Ok(None)
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

/// The short name of an option by its long name, or an unambiguous beginning of it.
fn letter_of(name: &str) -> Result<char, fn(String) -> Wrong> {
    let meant = |(letter, long): &(char, &str)| if *long == name { Some(*letter) } else { None };
    if let Some(letter) = OPTIONS.iter().find_map(meant) {
        return Ok(letter);
    }
    let mut candidates = OPTIONS.iter().filter(|(_, long)| long.starts_with(name));
    match (candidates.next(), candidates.next()) {
        (Some((letter, _)), None) => Ok(*letter),
        (Some(_), Some(_)) => Err(Wrong::Ambiguous),
        (None, _) => Err(Wrong::Unknown),
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
    Hit { port: port_text(port), transport: if all_udp { Transport::Udp } else { transport } }
}

fn port_text(text: &str) -> PortText {
    if text.is_empty() || !text.bytes().all(|byte| byte.is_ascii_digit()) {
        return PortText::Name(text.to_owned());
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
        assert_eq!(shown("h ssh domain:udp :udp 0x10 +5"), "ssh/tcp domain/udp /udp 0x10/tcp +5/tcp");
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
                [Hit { port: PortText::Number(1), transport: Transport::Udp }],
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
            [Hit { port: PortText::Name("-u".into()), transport: Transport::Tcp }]
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
            ("-x h 1", Wrong::Unknown("-x".into())),
            ("-ux h 1", Wrong::Unknown("-x".into())),
            ("--nope h 1", Wrong::Unknown("--nope".into())),
            ("--ver h 1", Wrong::Ambiguous("--ver".into())),
            ("--udp=1 h 1", Wrong::NeedlessValue("--udp=1".into())),
            ("h 1 -d", Wrong::NoValue("-d".into())),
            ("h 1 --delay", Wrong::NoValue("--delay".into())),
            ("-d -1 h 1", Wrong::Delay("-1".into())),
            ("-d x h 1", Wrong::Delay("x".into())),
        ] {
            assert_eq!(parse(line), Err(wrong), "{line}");
        }
    }
}
