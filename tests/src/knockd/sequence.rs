//! Sequences of ports, and numbers as C's `atoi` reads them.

use std::fmt;

/// What of TCP and UDP an element asks for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Protocol {
    /// TCP.
    Tcp,
    /// UDP.
    Udp,
}

/// One port of a sequence.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Element {
    /// Of which protocol.
    pub protocol: Protocol,
    /// Its number; 0 cannot be told from garbage.
    pub port: u16,
}

impl fmt::Display for Element {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let protocol = if self.protocol == Protocol::Udp { ":udp" } else { "" };
        write!(f, "{}{protocol}", self.port)
    }
}

/// Why a text is no sequence.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Flaw {
    /// More than 32 ports.
    TooMany,
    /// This port is above 65535.
    Port(String),
    /// Neither TCP nor UDP.
    Protocol,
}

/// Reads a sequence. That of no text is the port 0.
///
/// # Errors
/// The first flaw.
pub fn parse(text: &str) -> Result<Vec<Element>, Flaw> {
    let mut sequence = Vec::new();
    for part in text.split(',') {
        if sequence.len() == 32 {
            return Err(Flaw::TooMany);
        }
        sequence.push(element(part)?);
    }
    Ok(sequence)
}

fn element(text: &str) -> Result<Element, Flaw> {
    let mut parts = text.split(':');
    let number = parts.next().unwrap_or_default();
    let port = atoi(number);
    if port > 65535 {
        return Err(Flaw::Port(number.to_owned()));
    }
    let protocol = match parts.next().map(|word| trim(word).to_lowercase()).as_deref() {
        None | Some("tcp") => Protocol::Tcp,
        Some("udp") => Protocol::Udp,
        Some(_) => return Err(Flaw::Protocol),
    };
    Ok(Element { protocol, port: wrap(port) })
}

/// A port is kept in sixteen bits.
fn wrap(port: i32) -> u16 {
    let [a, b, ..] = port.to_le_bytes();
    u16::from_le_bytes([a, b])
}

/// The text without the blanks around it.
#[must_use]
pub fn trim(text: &str) -> &str {
    text.trim_matches(is_blank)
}

fn is_blank(c: char) -> bool {
    matches!(c, ' ' | '\t' | '\n' | '\r' | '\x0b' | '\x0c')
}

/// The number at the beginning of a text, or 0: glibc's `strtol`, of which `int` has the lower half.
#[must_use]
pub fn atoi(text: &str) -> i32 {
    let text = text.trim_start_matches(is_blank);
    let (sign, digits) = match text.strip_prefix('-') {
        Some(digits) => (-1, digits),
        None => (1, text.strip_prefix('+').unwrap_or(text)),
    };
    let digits = digits.bytes().take_while(u8::is_ascii_digit);
    let number = digits.fold(0_i64, |number, digit| {
        number.saturating_mul(10).saturating_add(sign * i64::from(digit - b'0'))
    });
    let [a, b, c, d, ..] = number.to_le_bytes();
    i32::from_le_bytes([a, b, c, d])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers() {
        for (text, number) in [
            ("25", 25),
            (" \t+7x", 7),
            ("-3", -3),
            ("", 0),
            ("0x1388", 0),
            ("- 1", 0),
            ("99999999999999999999", -1),
            ("4294967297", 1),
        ] {
            assert_eq!(atoi(text), number, "{text:?}");
        }
    }

    #[test]
    fn sequences() {
        let shown =
            |text: &str| parse(text).map(|sequence| sequence.iter().map(Element::to_string).collect());
        let ports = |words: &str| Ok(words.split(' ').map(str::to_owned).collect::<Vec<_>>());
        assert_eq!(shown("7000, 8000:UDP,9000 : tcp :x"), ports("7000 8000:udp 9000"));
        assert_eq!(shown("-1,,0005x"), ports("65535 0 5"));
        assert_eq!(shown("7000:"), Err(Flaw::Protocol));
        assert_eq!(shown("70000"), Err(Flaw::Port("70000".into())));
        assert_eq!(shown(&["1"; 33].join(",")), Err(Flaw::TooMany));
    }
}
