//! Big-endian fields one after another: how records and orders are written and read.

use alloc::vec::Vec;

/// Reads fields from the front of some bytes; `None` as soon as too few are left.
#[derive(Debug)]
pub struct Reader<'a>(&'a [u8]);

impl<'a> Reader<'a> {
    /// A reader at the first byte.
    #[must_use]
    pub const fn new(bytes: &'a [u8]) -> Self {
        Self(bytes)
    }

    /// The next `N` bytes.
    pub fn array<const N: usize>(&mut self) -> Option<[u8; N]> {
        let (field, rest) = self.0.split_first_chunk()?;
        self.0 = rest;
        Some(*field)
    }

    /// The next `len` bytes.
    pub fn slice(&mut self, len: usize) -> Option<&'a [u8]> {
        let (field, rest) = self.0.split_at_checked(len)?;
        self.0 = rest;
        Some(field)
    }

    /// A number of one byte.
    pub fn u8(&mut self) -> Option<u8> {
        self.array().map(u8::from_be_bytes)
    }

    /// A number of two bytes.
    pub fn u16(&mut self) -> Option<u16> {
        self.array().map(u16::from_be_bytes)
    }

    /// A number of four bytes.
    pub fn u32(&mut self) -> Option<u32> {
        self.array().map(u32::from_be_bytes)
    }

    /// A number of eight bytes.
    pub fn u64(&mut self) -> Option<u64> {
        self.array().map(u64::from_be_bytes)
    }

    /// As many items as the four-byte count before them says; no memory is set aside on the count's word alone.
    pub fn many<T>(&mut self, mut item: impl FnMut(&mut Self) -> Option<T>) -> Option<Vec<T>> {
        let count = self.u32()?;
        let mut items = Vec::new();
        for _ in 0..count {
            items.push(item(self)?);
        }
        Some(items)
    }

    /// Whether nothing is left.
    #[must_use]
    pub const fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

/// Appends fields.
pub trait Writer {
    /// Appends bytes as they are.
    fn put(&mut self, bytes: &[u8]);

    /// Appends a number of one byte.
    fn put_u8(&mut self, number: u8) {
        self.put(&[number]);
    }

    /// Appends a number of two bytes.
    fn put_u16(&mut self, number: u16) {
        self.put(&number.to_be_bytes());
    }

    /// Appends a number of four bytes.
    fn put_u32(&mut self, number: u32) {
        self.put(&number.to_be_bytes());
    }

    /// Appends a number of eight bytes.
    fn put_u64(&mut self, number: u64) {
        self.put(&number.to_be_bytes());
    }

    /// Appends a four-byte count of the items, at most `u32::MAX`, and then each item.
    fn put_many<T>(&mut self, items: &[T], mut put: impl FnMut(&mut Self, &T)) {
        let count = u32::try_from(items.len()).unwrap_or(u32::MAX);
        self.put_u32(count);
        items.iter().take(count as usize).for_each(|item| put(self, item));
    }
}

impl Writer for Vec<u8> {
    fn put(&mut self, bytes: &[u8]) {
        self.extend_from_slice(bytes);
    }
}
