//! A netlink socket.

use std::io;
use std::os::fd::{AsFd, BorrowedFd};

use netlink_sys::{Socket as Raw, SocketAddr};

use super::message::{Message, Messages, NLM_F_DUMP_INTR, Refused, Request};

/// Room for one read, in bytes: the kernel fills at most 32 KiB with a dump.
const BUFFER_LEN: usize = 64 * 1024;

/// A socket of one netlink protocol, connected to the kernel. The kernel answers before the sending system
/// call returns, hence nothing here ever waits.
#[derive(Debug)]
pub(crate) struct Socket {
    raw: Raw,
    port: u32,
    sequence: u32,
    buffer: Vec<u8>,
}

/// Why a request was not carried out.
#[derive(Debug)]
pub(crate) enum Fault {
    /// The kernel said so.
    Refused(Refused),
    /// The kernel was not reached, or its answer was lost.
    Io(io::Error),
    /// The kernel gave no answer.
    NoAnswer,
    /// The list changed while it was told: ask again.
    Changed,
}

impl From<io::Error> for Fault {
    fn from(error: io::Error) -> Self {
        Self::Io(error)
    }
}

impl From<Fault> for io::Error {
    fn from(fault: Fault) -> Self {
        match fault {
            Fault::Refused(refused) => {
                let kind = Self::from_raw_os_error(refused.code).kind();
                Self::new(kind, refused.to_string())
            }
            Fault::Io(error) => error,
            Fault::NoAnswer => Self::other("the kernel gave no answer"),
            Fault::Changed => Self::other("the list changed while it was told"),
        }
    }
}

impl Socket {
    /// A socket of the netlink protocol with this number that hears of the multicast `groups`.
    pub(crate) fn connect(protocol: isize, groups: &[u32]) -> io::Result<Self> {
        let mut raw = Raw::new(protocol)?;
        let port = raw.bind_auto()?.port_number();
        raw.connect(&SocketAddr::new(0, 0))?;
        raw.set_non_blocking(true)?;
        raw.set_cap_ack(true)?;
        raw.set_ext_ack(true)?;
        groups.iter().try_for_each(|group| raw.add_membership(*group))?;
        Ok(Self { raw, port, sequence: 0, buffer: vec![0; BUFFER_LEN] })
    }

    /// The socket's own address, which the kernel names as the cause of what it did on our behalf.
    pub(crate) const fn port(&self) -> u32 {
        self.port
    }

    /// Sends `requests` together. Succeeds where no answer is a refusal, and one is none: so at least one
    /// request must want its acknowledgement.
    pub(crate) fn execute(&mut self, requests: &[Request<'_>]) -> Result<(), Fault> {
        let sequence = self.send(requests)?;
        let mut answers = Vec::new();
        while self.read(|message| answers.extend(answer_to(sequence, &message)))? {}
        let mut verdict = Err(Fault::NoAnswer);
        for answer in answers {
            answer.map_err(Fault::Refused)?;
            verdict = Ok(());
        }
        verdict
    }

    /// Sends a request for a list, and hands the body of every entry to `each`.
    pub(crate) fn dump(&mut self, request: &Request<'_>, mut each: impl FnMut(&[u8])) -> Result<(), Fault> {
        let sequence = self.send(std::slice::from_ref(request))?;
        let (mut end, mut changed) = (None, false);
        while end.is_none() {
            let more = self.read(|message| match answer_to(sequence, &message) {
                Some(answer) => end = Some(answer),
                None if message.sequence == sequence => {
                    changed |= message.flags & NLM_F_DUMP_INTR != 0;
                    each(message.body);
                }
                None => {}
            })?;
            if !more {
                return Err(Fault::NoAnswer);
            }
        }
        end.transpose().map_err(Fault::Refused)?;
        if changed { Err(Fault::Changed) } else { Ok(()) }
    }

    /// Hands the messages of one read to `each`; whether there was anything to read.
    pub(crate) fn read(&mut self, each: impl FnMut(Message<'_>)) -> io::Result<bool> {
        match self.raw.recv(&mut self.buffer.as_mut_slice(), 0) {
            Ok(len) => Messages(self.buffer.get(..len).unwrap_or_default()).for_each(each),
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => return Ok(false),
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
        Ok(true)
    }

    /// Sends requests in one piece, which is what makes a batch of nftables atomic; the sequence number that
    /// their answers carry. A piece has at most `net.core.wmem_default` bytes, by default 212992; more takes
    /// a privilege that a container does not have.
    fn send(&mut self, requests: &[Request<'_>]) -> io::Result<u32> {
        self.sequence = self.sequence.wrapping_add(1);
        let mut bytes = Vec::new();
        requests.iter().for_each(|request| request.write(self.sequence, &mut bytes));
        self.raw.send(&bytes, 0)?;
        Ok(self.sequence)
    }
}

impl AsFd for Socket {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.raw.as_fd()
    }
}

/// What a message answers to the requests with this sequence number.
fn answer_to(sequence: u32, message: &Message<'_>) -> Option<Result<(), Refused>> {
    (message.sequence == sequence).then(|| message.answer()).flatten()
}
