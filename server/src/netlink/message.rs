//! Messages and their headers (`struct nlmsghdr` of `linux/netlink.h`).

use std::{fmt, io};

use super::attributes::{Attributes, attribute};

/// The length of a message's header, in bytes.
const HEADER_LEN: usize = 16;

/// It is a request to the kernel.
const NLM_F_REQUEST: u16 = 0x001;
/// Say so when it is done.
pub(crate) const NLM_F_ACK: u16 = 0x004;
/// The list changed while it was told.
pub(super) const NLM_F_DUMP_INTR: u16 = 0x010;
/// Tell all there is.
pub(crate) const NLM_F_DUMP: u16 = 0x300;
/// Make it where it is not there.
pub(crate) const NLM_F_CREATE: u16 = 0x400;
/// Of an answer: attributes follow.
const NLM_F_ACK_TLVS: u16 = 0x200;

/// The answer to a request: an errno, zero if all is well.
pub(super) const NLMSG_ERROR: u16 = 2;
/// The end of a dump.
pub(super) const NLMSG_DONE: u16 = 3;

/// The attribute of an answer that says in words what is wrong (`NLMSGERR_ATTR_MSG`).
const NLMSGERR_ATTR_MSG: u16 = 1;

/// One message to the kernel.
#[derive(Clone, Debug)]
pub(crate) struct Request<'a> {
    /// What it asks for, as the protocol numbers it.
    pub(crate) kind: u16,
    /// `NLM_F_*`.
    pub(crate) flags: u16,
    /// The protocol's fixed structure.
    pub(crate) head: &'a [u8],
    /// What follows it.
    pub(crate) attributes: &'a Attributes,
}

impl Request<'_> {
    /// Appends the message to `out`. Its answers will carry `sequence`.
    pub(crate) fn write(&self, sequence: u32, out: &mut Vec<u8>) {
        let body = [self.head, self.attributes.as_bytes()].concat();
        let len = u32::try_from(body.len().saturating_add(HEADER_LEN)).unwrap_or(u32::MAX);
        out.extend(len.to_ne_bytes());
        out.extend(self.kind.to_ne_bytes());
        out.extend((self.flags | NLM_F_REQUEST).to_ne_bytes());
        out.extend(sequence.to_ne_bytes());
        out.extend([0; 4]);
        out.extend(body);
    }
}

/// One message from the kernel.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Message<'a> {
    /// What it is, as the protocol numbers it, or one of `NLMSG_*`.
    pub(crate) kind: u16,
    /// `NLM_F_*`.
    pub(super) flags: u16,
    /// That of the request which it answers.
    pub(super) sequence: u32,
    /// The netlink port of whoever caused it.
    pub(crate) port: u32,
    /// The protocol's fixed structure, and attributes.
    pub(crate) body: &'a [u8],
}

impl Message<'_> {
    /// What it says as an answer: `None` where it is none.
    pub(super) fn answer(&self) -> Option<Result<(), Refused>> {
        let (NLMSG_ERROR | NLMSG_DONE, Some((code, rest))) = (self.kind, self.body.split_first_chunk())
        else {
            return None;
        };
        let code = i32::from_ne_bytes(*code).saturating_neg();
        // The header of the request follows; sockets of ours ask that it be no more than that.
        let words = rest.get(HEADER_LEN..).filter(|_| self.flags & NLM_F_ACK_TLVS != 0);
        let said = words.and_then(|words| attribute(words, NLMSGERR_ATTR_MSG)).map(text);
        Some(if code == 0 { Ok(()) } else { Err(Refused { code, said: said.unwrap_or_default() }) })
    }
}

/// Text that the kernel terminated with a zero.
pub(super) fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes.split(|byte| *byte == 0).next().unwrap_or_default()).into_owned()
}

/// The messages in what one read brought. Ends early where they are malformed.
#[derive(Debug)]
pub(crate) struct Messages<'a>(pub(crate) &'a [u8]);

impl<'a> Iterator for Messages<'a> {
    type Item = Message<'a>;

    fn next(&mut self) -> Option<Message<'a>> {
        let (header, _) = self.0.split_first_chunk::<HEADER_LEN>()?;
        let [a, b, c, d, k, l, f, g, s, t, u, v, p, q, r, o] = *header;
        let len = usize::try_from(u32::from_ne_bytes([a, b, c, d])).ok()?;
        let body = self.0.get(HEADER_LEN..len)?;
        self.0 = self.0.get(len.next_multiple_of(4)..).unwrap_or_default();
        Some(Message {
            kind: u16::from_ne_bytes([k, l]),
            flags: u16::from_ne_bytes([f, g]),
            sequence: u32::from_ne_bytes([s, t, u, v]),
            port: u32::from_ne_bytes([p, q, r, o]),
            body,
        })
    }
}

/// What the kernel said to a request that it did not carry out.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Refused {
    /// The errno.
    pub(crate) code: i32,
    /// In words, where it found some.
    pub(crate) said: String,
}

impl Refused {
    /// Whether there is no such thing.
    pub(crate) fn is_absent(&self) -> bool {
        io::Error::from_raw_os_error(self.code).kind() == io::ErrorKind::NotFound
    }
}

impl fmt::Display for Refused {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if !self.said.is_empty() {
            write!(f, "{}: ", self.said)?;
        }
        io::Error::from_raw_os_error(self.code).fmt(f)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn answer(code: i32, words: &Attributes) -> Vec<u8> {
        let mut out = Vec::new();
        let head = [&code.to_ne_bytes()[..], &[0; HEADER_LEN]].concat();
        let request = Request { kind: NLMSG_ERROR, flags: NLM_F_ACK_TLVS, head: &head, attributes: words };
        request.write(5, &mut out);
        out
    }

    #[test]
    fn messages_are_read_as_they_were_written() {
        let attributes = Attributes::new().be32(1, 7);
        let mut bytes = Vec::new();
        Request { kind: 0x0a00, flags: NLM_F_ACK, head: &[1, 0, 0, 0], attributes: &attributes }
            .write(9, &mut bytes);
        Request { kind: 0x0a01, flags: 0, head: &[], attributes: &Attributes::new() }.write(9, &mut bytes);
        let read: Vec<_> =
            Messages(&bytes).map(|message| (message.kind, message.flags, message.body.len())).collect();
        assert_eq!(read, [(0x0a00, NLM_F_ACK | NLM_F_REQUEST, 12), (0x0a01, NLM_F_REQUEST, 0)]);
        for len in 0..bytes.len() {
            assert_eq!(Messages(&bytes[..len]).count(), usize::from(len >= 28), "{len} bytes");
        }
    }

    #[test]
    fn a_refusal_is_told_in_the_kernels_words() {
        let bytes = answer(-2, &Attributes::new().text(NLMSGERR_ATTR_MSG, "No such set"));
        let refused = Messages(&bytes).next().unwrap().answer().unwrap().unwrap_err();
        assert_eq!(refused, Refused { code: 2, said: "No such set".to_owned() });
        assert!(refused.to_string().starts_with("No such set: No such file"), "{refused}");
        let bytes = answer(0, &Attributes::new());
        assert_eq!(Messages(&bytes).next().unwrap().answer(), Some(Ok(())));
    }
}
