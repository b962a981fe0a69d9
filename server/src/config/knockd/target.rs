//! `Target = 192.0.2.1`: the address to knock at, where it is not one of this machine's own.

use knock_spa_proto::address::Address;

/// What a `Target` names.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) enum Target {
    /// This machine.
    #[default]
    Own,
    /// A host by its address.
    Address(Address),
    /// Maybe a host by its name. knockd compares names with addresses, and so finds none that is equal.
    Name(String),
    /// Neither.
    Nothing {
        /// What stands there.
        text: String,
        /// What the compiler of knockd's packet filter says of it.
        words: String,
    },
}

impl Target {
    /// What the text names.
    pub(super) fn read(text: &str) -> Self {
        if let Ok(address) = text.parse() {
            return Self::Address(address);
        }
        let words = if is_wrong_ipv4(text) {
            format!("invalid IPv4 address '{text}'")
        } else if is_name(text) {
            return Self::Name(text.to_owned());
        } else if is_network(text) {
            "Mask syntax for networks only".into()
        } else {
            "can't parse filter expression: syntax error".into()
        };
        Self::Nothing { text: text.to_owned(), words }
    }
}

/// Two to four numbers, one of them above 255.
fn is_wrong_ipv4(text: &str) -> bool {
    let mut numbers = text.split('.');
    let is_number = |part: &str| !part.is_empty() && part.bytes().all(|byte| byte.is_ascii_digit());
    matches!(numbers.clone().count(), 2..=4)
        && numbers.clone().all(is_number)
        && numbers.any(|part| part.parse::<u8>().is_err())
}

/// Whether the filter's compiler takes it for a name: letters, digits, hyphens, dots and underscores.
fn is_name(text: &str) -> bool {
    text.starts_with(|first: char| first.is_ascii_alphanumeric())
        && text.bytes().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'.' | b'_'))
}

fn is_network(text: &str) -> bool {
    text.split_once('/').is_some_and(|(address, len)| {
        address.parse::<Address>().is_ok() && !len.is_empty() && len.bytes().all(|byte| byte.is_ascii_digit())
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_names_and_neither() {
        for text in ["192.0.2.1", "::1", "2001:DB8::1", "::ffff:192.0.2.1"] {
            assert_eq!(Target::read(text), Target::Address(text.parse().unwrap()), "{text}");
        }
        for text in ["localhost", "gw.example.net", "a_b", "1a", "10", "10.1", "010.1.1.1", "1.2.3.4.5", "a."]
        {
            assert_eq!(Target::read(text), Target::Name(text.into()), "{text}");
        }
        let nothing = |text: &str, words: &str| Target::Nothing { text: text.into(), words: words.into() };
        for text in ["300.1.1.1", "256.1", "1.2.3.256"] {
            assert_eq!(Target::read(text), nothing(text, &format!("invalid IPv4 address '{text}'")));
        }
        for text in ["192.0.2.0/24", "2001:db8::/32"] {
            assert_eq!(Target::read(text), nothing(text, "Mask syntax for networks only"));
        }
        for text in ["", ";rm", "-a", ".a", "fe80::1%lo", "[::1]", "::g", "é", "\"x\""] {
            assert_eq!(Target::read(text), nothing(text, "can't parse filter expression: syntax error"));
        }
    }
}
