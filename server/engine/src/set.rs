//! Sets of the administrator's own nftables ruleset, by name.

use alloc::string::String;
use core::fmt;
use core::str::FromStr;

use knock_spa_proto::address::Address;

/// The family of a table, as `nft` calls it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum TableFamily {
    /// Both versions of IP.
    Inet,
    /// IPv4.
    Ip,
    /// IPv6.
    Ip6,
    /// Frames on a bridge.
    Bridge,
    /// Packets as they arrive at an interface.
    Netdev,
}

impl TableFamily {
    const ALL: [Self; 5] = [Self::Inet, Self::Ip, Self::Ip6, Self::Bridge, Self::Netdev];

    /// Its name.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Inet => "inet",
            Self::Ip => "ip",
            Self::Ip6 => "ip6",
            Self::Bridge => "bridge",
            Self::Netdev => "netdev",
        }
    }
}

/// The full name of a set: `FAMILY TABLE SET`, as in `nft list set inet filter knock4`.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct SetName {
    family: TableFamily,
    table: String,
    set: String,
}

/// Not the full name of a set.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum NotASetName {
    /// Not three words.
    #[error("not the name of a set: family, table and set, with one space between them")]
    Words,
    /// Not one of [`TableFamily`].
    #[error("not the family of a table: inet, ip, ip6, bridge or netdev")]
    Family,
    /// Not as `nft` writes names.
    #[error("not a name in nftables: a letter or _, then letters, digits and / - _ . (255 bytes at most)")]
    Name,
}

impl SetName {
    /// The longest name of a table or a set, in bytes: what the kernel takes.
    pub const MAX_LEN: usize = 255;

    /// The family of the table.
    #[must_use]
    pub const fn family(&self) -> TableFamily {
        self.family
    }

    /// The table's name.
    #[must_use]
    pub fn table(&self) -> &str {
        &self.table
    }

    /// The set's own name.
    #[must_use]
    pub fn set(&self) -> &str {
        &self.set
    }
}

impl FromStr for SetName {
    type Err = NotASetName;

    fn from_str(text: &str) -> Result<Self, NotASetName> {
        let mut words = text.split(' ');
        let (Some(family), Some(table), Some(set), None) =
            (words.next(), words.next(), words.next(), words.next())
        else {
            return Err(NotASetName::Words);
        };
        let family = TableFamily::ALL.into_iter().find(|one| one.name() == family);
        let family = family.ok_or(NotASetName::Family)?;
        if !is_name(table) || !is_name(set) {
            return Err(NotASetName::Name);
        }
        Ok(Self { family, table: table.into(), set: set.into() })
    }
}

fn is_name(text: &str) -> bool {
    let begins = |byte: &u8| byte.is_ascii_alphabetic() || b"_.".contains(byte);
    let goes_on = |byte: &u8| byte.is_ascii_alphanumeric() || b"/-_.".contains(byte);
    text.len() <= SetName::MAX_LEN
        && text
            .as_bytes()
            .split_first()
            .is_some_and(|(first, rest)| begins(first) && rest.iter().all(goes_on))
}

impl fmt::Display for SetName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {} {}", self.family.name(), self.table, self.set)
    }
}

/// The sets of a door that opens by timed elements in them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SetAction {
    /// For IPv4; absent where the door does not open for IPv4.
    pub set4: Option<SetName>,
    /// For IPv6; absent where the door does not open for IPv6.
    pub set6: Option<SetName>,
}

impl SetAction {
    /// The set for this address; absent where the door does not open for its family.
    #[must_use]
    pub fn set_for(&self, address: Address) -> Option<&SetName> {
        if address.ip().is_ipv4() { self.set4.as_ref() } else { self.set6.as_ref() }
    }
}

#[cfg(test)]
mod tests {
    use alloc::format;
    use alloc::string::ToString;

    use super::*;

    #[test]
    fn a_name_is_three_words_and_written_as_it_was_read() {
        for text in ["inet filter knock4", "ip6 my-table _set.6", "netdev a b"] {
            assert_eq!(text.parse::<SetName>().unwrap().to_string(), text);
        }
        for (text, why) in [
            ("", NotASetName::Words),
            ("inet filter", NotASetName::Words),
            ("inet  filter a", NotASetName::Words),
            ("inet filter a b", NotASetName::Words),
            ("arp filter a", NotASetName::Family),
            ("Inet filter a", NotASetName::Family),
            ("inet filter 4a", NotASetName::Name),
            ("inet filter a\0", NotASetName::Name),
            ("inet é a", NotASetName::Name),
        ] {
            assert_eq!(text.parse::<SetName>(), Err(why), "{text}");
        }
        let long = "a".repeat(SetName::MAX_LEN);
        assert!(format!("inet {long} {long}").parse::<SetName>().is_ok());
        assert!(format!("inet {long} {long}a").parse::<SetName>().is_err());
    }
}
