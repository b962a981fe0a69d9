//! Comments on keys: whose it is, in the words of whoever made it.

use alloc::borrow::ToOwned;
use alloc::string::String;
use core::fmt;
use core::str::FromStr;

/// A remark that travels with a key and means nothing to the protocol, like `alice@laptop`: 0 to
/// [`Comment::MAX_LEN`] characters of `[A-Za-z0-9@._+-]`.
///
/// The alphabet is this small so that a line means the same between quotes of every shell, in TOML, in JSON
/// and on a terminal.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Comment(String);

/// More than 64 characters, or one outside `[A-Za-z0-9@._+-]`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("a comment is at most 64 letters, digits and @ . _ + -")]
pub struct NotAComment;

impl Comment {
    /// The longest comment, in bytes: room for a user and a host, on one line with the key.
    pub const MAX_LEN: usize = 64;

    /// The comment as text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// Whether there is none.
    #[must_use]
    pub const fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

impl FromStr for Comment {
    type Err = NotAComment;

    fn from_str(text: &str) -> Result<Self, NotAComment> {
        let allowed =
            |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'@' | b'.' | b'_' | b'+' | b'-');
        if text.len() <= Self::MAX_LEN && text.bytes().all(allowed) {
            Ok(Self(text.to_owned()))
        } else {
            Err(NotAComment)
        }
    }
}

impl fmt::Display for Comment {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_that_a_shell_or_a_terminal_takes_amiss() {
        for text in ["", "alice@laptop", "a.b_c+d-E9", &"x".repeat(64)] {
            assert_eq!(text.parse::<Comment>().unwrap().as_str(), text);
        }
        for text in [" ", "a b", "a\n", "a'b", "a\"b", "a\\b", "$a", "`a`", "\x1b[m", "é", &"x".repeat(65)] {
            assert_eq!(text.parse::<Comment>(), Err(NotAComment), "{text}");
        }
    }
}
