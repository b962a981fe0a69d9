//! Standard output and standard error.

use std::io;
use std::os::fd::{AsFd, BorrowedFd};

use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::io::{Errno, retry_on_intr, write};

/// What fits at once into a pipe that takes anything at all.
const PIECE: usize = 4096;

/// One of the two streams that the daemon inherited.
#[derive(Clone, Copy, Debug)]
pub(super) enum Stream {
    /// Standard output.
    Output,
    /// Standard error.
    Errors,
}

impl Stream {
    /// Writes at once, or not at all where nobody reads: there is nobody to be told of it either.
    pub(super) fn write(self, text: &[u8]) {
        let written = match self {
            Self::Output => write_without_waiting(io::stdout().as_fd(), text),
            Self::Errors => write_without_waiting(io::stderr().as_fd(), text),
        };
        if let Err(error) = written {
            tracing::debug!(event = "not-shown", %error);
        }
    }
}

/// The mode of the stream stays as it is: it is shared with whoever started the daemon.
fn write_without_waiting(to: BorrowedFd<'_>, mut text: &[u8]) -> Result<(), Errno> {
    while !text.is_empty() {
        let mut streams = [PollFd::from_borrowed_fd(to, PollFlags::OUT)];
        poll(&mut streams, Some(&Timespec::default()))?;
        let [stream] = &streams;
        if !stream.revents().contains(PollFlags::OUT) {
            return Err(Errno::AGAIN);
        }
        let piece = text.get(..PIECE).unwrap_or(text);
        let count = retry_on_intr(|| write(to, piece))?;
        text = text.get(count..).unwrap_or_default();
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use std::fs::File;
    use std::io::Read;

    use rustix::pipe::pipe;

    use super::*;

    #[test]
    fn a_pipe_gets_what_is_written() {
        let (reader, writer) = pipe().unwrap();
        let text = vec![b'x'; 5000];
        write_without_waiting(writer.as_fd(), &text).unwrap();
        drop(writer);
        let mut read = Vec::new();
        File::from(reader).read_to_end(&mut read).unwrap();
        assert_eq!(read, text);
    }

    #[test]
    fn nobody_waits_for_a_reader() {
        let (reader, writer) = pipe().unwrap();
        let lines = (0..100_000).map(|_| write_without_waiting(writer.as_fd(), b"a line\n"));
        assert_eq!(lines.into_iter().find_map(Result::err), Some(Errno::AGAIN));
        assert_eq!(write_without_waiting(writer.as_fd(), &[b'x'; 5000]), Err(Errno::AGAIN));
        drop(reader);
        assert_ne!(write_without_waiting(writer.as_fd(), b"x"), Ok(()));
    }
}
