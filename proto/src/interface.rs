//! Names of network interfaces.

use core::fmt;
use core::str::FromStr;

/// The name of a network interface, as `eth0` or `wg0`: what Linux allows, restricted to visible ASCII and
/// without the wildcards of firewalls, so that a name always means one interface.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct InterfaceName {
    /// Zero-padded; the last byte is always zero.
    bytes: [u8; Self::FIELD_LEN],
}

/// Why a text is not the name of one interface.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum NotAnInterfaceName {
    /// Empty, or longer than [`InterfaceName::MAX_LEN`].
    #[error("an interface name has 1 to 15 characters")]
    Length,
    /// A character that Linux refuses, or that is not visible ASCII; also `.` and `..`.
    #[error("an interface name is of visible characters other than '/' and ':'")]
    Character,
    /// `*` or `+`, which mean "any" to firewalls.
    #[error("an interface name here means one interface: wildcards are not understood")]
    Wildcard,
}

impl InterfaceName {
    /// The longest name, in bytes (`IFNAMSIZ` without its terminating zero).
    pub const MAX_LEN: usize = 15;
    /// The length of the kernel's field for a name, in bytes (`IFNAMSIZ`).
    pub const FIELD_LEN: usize = 16;

    /// The name as text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        let len = self.bytes.iter().position(|byte| *byte == 0).unwrap_or(Self::MAX_LEN);
        self.bytes.get(..len).and_then(|bytes| core::str::from_utf8(bytes).ok()).unwrap_or_default()
    }

    /// The name as the kernel's field holds it: padded with at least one zero.
    #[must_use]
    pub const fn to_field(&self) -> [u8; Self::FIELD_LEN] {
        self.bytes
    }
}

impl FromStr for InterfaceName {
    type Err = NotAnInterfaceName;

    fn from_str(text: &str) -> Result<Self, NotAnInterfaceName> {
        if text.is_empty() || text.len() > Self::MAX_LEN {
            return Err(NotAnInterfaceName::Length);
        }
        if text.contains(['*', '+']) {
            return Err(NotAnInterfaceName::Wildcard);
        }
        let allowed = |byte: u8| byte.is_ascii_graphic() && !matches!(byte, b'/' | b':');
        if matches!(text, "." | "..") || !text.bytes().all(allowed) {
            return Err(NotAnInterfaceName::Character);
        }
        let mut bytes = [0; Self::FIELD_LEN];
        bytes.iter_mut().zip(text.bytes()).for_each(|(to, from)| *to = from);
        Ok(Self { bytes })
    }
}

impl fmt::Display for InterfaceName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl fmt::Debug for InterfaceName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

#[cfg(test)]
mod tests {
    use alloc::string::ToString;

    use super::*;

    #[test]
    fn a_name_means_one_interface() {
        for text in ["lo", "eth0.100", "br-lan", "a", "abcdefghijklmno"] {
            assert_eq!(text.parse::<InterfaceName>().unwrap().to_string(), text);
        }
        assert_eq!("".parse::<InterfaceName>(), Err(NotAnInterfaceName::Length));
        assert_eq!("abcdefghijklmnop".parse::<InterfaceName>(), Err(NotAnInterfaceName::Length));
        assert_eq!("wg*".parse::<InterfaceName>(), Err(NotAnInterfaceName::Wildcard));
        for text in [".", "..", "a/b", "a:0", "a b", "é", "a\0"] {
            assert_eq!(text.parse::<InterfaceName>(), Err(NotAnInterfaceName::Character), "{text}");
        }
    }

    #[test]
    fn the_field_ends_with_zero() {
        let field = "abcdefghijklmno".parse::<InterfaceName>().unwrap().to_field();
        assert_eq!(&field, b"abcdefghijklmno\0");
    }
}
