//! Attributes: a length, a type and a value, padded to four bytes (`struct nlattr` of `linux/netlink.h`).

use std::iter;

/// The length of an attribute's header, in bytes.
const HEADER_LEN: usize = 4;
/// The attribute holds attributes.
const NLA_F_NESTED: u16 = 1 << 15;
/// What is left of a type field without its flags.
const NLA_TYPE_MASK: u16 = 0x3fff;

/// Attributes, one after the other, as they are sent.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Attributes(Vec<u8>);

impl Attributes {
    /// No attributes yet.
    pub(crate) const fn new() -> Self {
        Self(Vec::new())
    }

    /// Also this one. A value that does not fit an attribute, of more than 65531 bytes, makes a message
    /// that the kernel refuses.
    #[must_use]
    pub(crate) fn bytes(mut self, kind: u16, value: &[u8]) -> Self {
        let len = u16::try_from(value.len().saturating_add(HEADER_LEN)).unwrap_or(u16::MAX);
        self.0.extend(len.to_ne_bytes());
        self.0.extend(kind.to_ne_bytes());
        self.0.extend(value);
        self.0.resize(self.0.len().next_multiple_of(4), 0);
        self
    }

    /// Also this number, in network byte order as nftables wants it.
    #[must_use]
    pub(crate) fn be32(self, kind: u16, value: u32) -> Self {
        self.bytes(kind, &value.to_be_bytes())
    }

    /// Also this number, in network byte order as nftables wants it.
    #[must_use]
    pub(crate) fn be64(self, kind: u16, value: u64) -> Self {
        self.bytes(kind, &value.to_be_bytes())
    }

    /// Also this text, terminated by a zero.
    #[must_use]
    pub(crate) fn text(self, kind: u16, value: &str) -> Self {
        self.bytes(kind, &[value.as_bytes(), &[0]].concat())
    }

    /// Also one that holds `inner`.
    #[must_use]
    pub(crate) fn nest(self, kind: u16, inner: &Self) -> Self {
        self.bytes(kind | NLA_F_NESTED, &inner.0)
    }

    /// Also one that holds these attributes, as the kernel told them.
    #[must_use]
    pub(crate) fn nested_bytes(self, kind: u16, inner: &[u8]) -> Self {
        self.bytes(kind | NLA_F_NESTED, inner)
    }

    /// As they are sent.
    pub(crate) fn as_bytes(&self) -> &[u8] {
        &self.0
    }
}

/// The attributes in `bytes`: type without flags, and value. Ends early where they are malformed.
pub(crate) fn attributes(mut bytes: &[u8]) -> impl Iterator<Item = (u16, &[u8])> {
    iter::from_fn(move || {
        let (&[a, b, c, d], _) = bytes.split_first_chunk()?;
        let len = usize::from(u16::from_ne_bytes([a, b]));
        let value = bytes.get(HEADER_LEN..len)?;
        bytes = bytes.get(len.next_multiple_of(4)..).unwrap_or_default();
        Some((u16::from_ne_bytes([c, d]) & NLA_TYPE_MASK, value))
    })
}

/// The value of the first attribute of this type.
pub(crate) fn attribute(bytes: &[u8], kind: u16) -> Option<&[u8]> {
    attributes(bytes).find_map(|(found, value)| (found == kind).then_some(value))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn attributes_are_read_as_they_were_written() {
        let inner = Attributes::new().be32(1, 7).text(2, "ab");
        let outer = Attributes::new().bytes(3, &[9]).nest(4, &inner).be64(5, 1);
        assert_eq!(outer.as_bytes().len() % 4, 0);
        let read: Vec<_> = attributes(outer.as_bytes()).collect();
        assert_eq!(read, [(3, &[9][..]), (4, inner.as_bytes()), (5, &[0, 0, 0, 0, 0, 0, 0, 1])]);
        assert_eq!(attribute(inner.as_bytes(), 2), Some(&b"ab\0"[..]));
        assert_eq!(attribute(inner.as_bytes(), 3), None);
    }

    #[test]
    fn malformed_attributes_end_the_reading() {
        let whole = Attributes::new().be32(1, 7).be32(2, 8);
        for len in 0..whole.as_bytes().len() {
            assert_eq!(attributes(&whole.as_bytes()[..len]).count(), len / 8, "{len} bytes");
        }
        for len in 0..4_u16 {
            let [a, b] = len.to_ne_bytes();
            assert_eq!(attributes(&[a, b, 1, 0, 0, 0, 0, 0]).count(), 0, "length {len}");
        }
        let oversized = Attributes::new().bytes(1, &[0; 70_000]);
        assert_eq!(oversized.as_bytes()[..2], u16::MAX.to_ne_bytes());
    }
}
