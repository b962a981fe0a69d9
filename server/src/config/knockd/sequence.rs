//! Sequences as knockd reads them: `7000,8000:udp,9000`.

use std::fmt;

use knock_spa_proto::knock::{Sequence, Step};
use knock_spa_proto::port::Transport;

use crate::config::knockd::numbers::{atoi, is_plain, trim};
use crate::config::table::escape;

/// A sequence, and what in it may not be what was meant.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Reading {
    /// The steps.
    pub sequence: Sequence,
    /// How each part was taken that is no plain number; empty where all are.
    pub oddities: Vec<String>,
}

/// Why a text is no sequence, in knockd's words.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum NotASequence {
    /// A port above 65535, as it is written.
    Port(String),
    /// Neither TCP nor UDP.
    Protocol,
    /// More than [`Sequence::MAX_LEN`].
    TooMany,
}

impl fmt::Display for NotASequence {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Port(port) => write!(f, "port {port} is invalid"),
            Self::Protocol => f.write_str("unknown protocol in knock sequence"),
            Self::TooMany => f.write_str("too many ports in knock sequence"),
        }
    }
}

impl NotASequence {
    /// What would be right.
    pub(super) const fn hint(&self) -> &'static str {
        match self {
            Self::Port(_) => "a port is a number from 1 to 65535",
            Self::Protocol => "write PORT or PORT:tcp for TCP, PORT:udp for UDP",
            Self::TooMany => "a sequence has 1 to 32 ports",
        }
    }
}

/// Reads a sequence. The empty text is port 0.
///
/// # Errors
/// The first of [`NotASequence`] from the left.
pub(crate) fn read(text: &[u8]) -> Result<Reading, NotASequence> {
    let mut steps = Vec::new();
    let mut oddities = Vec::new();
    for element in text.split(|byte| *byte == b',') {
        if steps.len() >= Sequence::MAX_LEN {
            return Err(NotASequence::TooMany);
        }
        steps.push(step(element)?);
        oddities.extend(oddity(element));
    }
    let sequence = Sequence::new(steps).map_err(|_| NotASequence::TooMany)?;
    Ok(Reading { sequence, oddities })
}

fn step(element: &[u8]) -> Result<Step, NotASequence> {
    let mut parts = element.split(|byte| *byte == b':');
    let port = port(parts.next().unwrap_or_default())?;
    let transport = parts.next().map_or(Ok(Transport::Tcp), transport)?;
    Ok(Step { transport, port })
}

/// A negative number wraps around, as it does where C makes a port of it.
fn port(text: &[u8]) -> Result<u16, NotASequence> {
    let number = atoi(text);
    let wrapped = if number < 0 { number.rem_euclid(1 << 16) } else { number };
    u16::try_from(wrapped).map_err(|_| NotASequence::Port(String::from_utf8_lossy(text).into_owned()))
}

fn transport(text: &[u8]) -> Result<Transport, NotASequence> {
    match trim(text).to_ascii_lowercase().as_slice() {
        b"tcp" => Ok(Transport::Tcp),
        b"udp" => Ok(Transport::Udp),
        _ => Err(NotASequence::Protocol),
    }
}

fn oddity(element: &[u8]) -> Option<String> {
    let mut parts = element.split(|byte| *byte == b':');
    let text = trim(parts.next().unwrap_or_default());
    let port = port(text).ok()?;
    let shown = escape(&String::from_utf8_lossy(text));
    if text.is_empty() {
        Some("an empty element is taken for port 0".into())
    } else if !is_plain(text) {
        Some(format!("\"{shown}\" is taken for port {port}"))
    } else if port == 0 {
        Some("port 0 is one that few programs can knock at".into())
    } else if parts.nth(1).is_some() {
        let whole = escape(&String::from_utf8_lossy(trim(element)));
        Some(format!("\"{whole}\": what follows the second colon does not count"))
    } else {
        None
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shown(text: &str) -> String {
        let reading = read(text.as_bytes()).unwrap();
        reading.sequence.steps().iter().map(ToString::to_string).collect::<Vec<_>>().join(" ")
    }

    #[test]
    fn ports_and_transports() {
        for (text, steps) in [
            ("7000,8000:udp,9000:tcp", "7000/tcp 8000/udp 9000/tcp"),
            ("1:tcp ,2 : uDp, 3:\tTCP", "1/tcp 2/udp 3/tcp"),
            ("1:udp:x,2:tcp:", "1/udp 2/tcp"),
            ("7000,7000,7000", "7000/tcp 7000/tcp 7000/tcp"),
            ("", "0/tcp"),
            (" : udp", "0/udp"),
            (",", "0/tcp 0/tcp"),
            ("5003,,5004", "5003/tcp 0/tcp 5004/tcp"),
            ("7000,", "7000/tcp 0/tcp"),
            ("5000abc,0x1388,+5002,0005001", "5000/tcp 0/tcp 5002/tcp 5001/tcp"),
            ("-1,-2,-65536,-65537", "65535/tcp 65534/tcp 0/tcp 65535/tcp"),
            ("65535,1,2 # x", "65535/tcp 1/tcp 2/tcp"),
            ("4294967296,99999999999999999999", "0/tcp 65535/tcp"),
        ] {
            assert_eq!(shown(text), steps, "{text}");
        }
    }

    #[test]
    fn what_is_no_sequence() {
        let many = |count| vec!["1"; count].join(",");
        assert!(read(many(32).as_bytes()).is_ok());
        for (text, wrong) in [
            ("65536", NotASequence::Port("65536".into())),
            ("1, +99999999999abc :udp", NotASequence::Port(" +99999999999abc ".into())),
            ("99999:x", NotASequence::Port("99999".into())),
            ("1:x,99999", NotASequence::Protocol),
            ("7000:", NotASequence::Protocol),
            ("1::udp", NotASequence::Protocol),
            ("1:u dp", NotASequence::Protocol),
            ("1:udp2", NotASequence::Protocol),
            ("1:tcp # x", NotASequence::Protocol),
            (&many(33), NotASequence::TooMany),
            (&format!("{},99999", many(32)), NotASequence::TooMany),
            (&format!("99999,{}", many(33)), NotASequence::Port("99999".into())),
        ] {
            assert_eq!(read(text.as_bytes()), Err(wrong), "{text}");
        }
    }

    #[test]
    fn oddities_say_what_is_used() {
        let oddities = |text: &[u8]| read(text).unwrap().oddities.join("; ");
        assert_eq!(oddities(b"7000, 8000:udp ,007"), "");
        assert_eq!(
            oddities(b"5000abc,,-1,0,1:udp:x"),
            "\"5000abc\" is taken for port 5000; an empty element is taken for port 0; \"-1\" is taken for port \
             65535; port 0 is one that few programs can knock at; \"1:udp:x\": what follows the second colon \
             does not count"
        );
        assert_eq!(oddities(b"\xe9"), "\"\u{fffd}\" is taken for port 0");
    }
}
