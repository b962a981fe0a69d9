//! Descriptors of any kind in the event loop.
#![expect(unsafe_code, reason = "the event loop takes descriptors on the promise that they stay open")]

use std::io;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd, RawFd};
use std::task::{Context, Poll, ready};

use tokio::io::Interest;
use tokio::io::unix::AsyncFd;

/// An open descriptor, in non-blocking mode, that the event loop watches.
#[derive(Debug)]
pub struct Watched(AsyncFd<Open>);

/// A descriptor that nobody else can close.
#[derive(Debug)]
struct Open(OwnedFd);

impl AsRawFd for Open {
    fn as_raw_fd(&self) -> RawFd {
        self.0.as_raw_fd()
    }
}

impl Watched {
    /// Watches a descriptor in non-blocking mode.
    ///
    /// # Errors
    /// What the system said: ordinary files, for one, cannot be watched.
    pub fn new(descriptor: OwnedFd) -> io::Result<Self> {
        let interest = Interest::READABLE | Interest::WRITABLE | Interest::ERROR;
        // SAFETY: `Open` owns the descriptor, gives no one a way to close or replace it, and names the same one
        // for as long as it lives.
        let watched = unsafe { AsyncFd::register_with_interest(Open(descriptor), interest) };
        Ok(Self(watched.map_err(io::Error::from)?))
    }

    /// Does `attempt` as soon as the descriptor is readable; again where it says `WouldBlock`.
    ///
    /// # Errors
    /// Those of `attempt`, and those of the event loop.
    pub async fn read<T>(&self, mut attempt: impl FnMut(BorrowedFd<'_>) -> io::Result<T>) -> io::Result<T> {
        self.0.async_io(Interest::READABLE | Interest::ERROR, |open| attempt(open.0.as_fd())).await
    }

    /// Does `attempt` as soon as the descriptor is writable; again where it says `WouldBlock`.
    ///
    /// # Errors
    /// Those of `attempt`, and those of the event loop.
    pub async fn write<T>(&self, mut attempt: impl FnMut(BorrowedFd<'_>) -> io::Result<T>) -> io::Result<T> {
        self.0.async_io(Interest::WRITABLE, |open| attempt(open.0.as_fd())).await
    }

    /// Does `attempt` until it says `WouldBlock`, which arms the wake-up; ready as soon as it gave something.
    ///
    /// # Errors
    /// Those of `attempt`, and those of the event loop.
    pub fn poll_read<T>(
        &self,
        context: &mut Context<'_>,
        mut attempt: impl FnMut(BorrowedFd<'_>) -> io::Result<T>,
    ) -> Poll<io::Result<T>> {
        loop {
            let mut guard = ready!(self.0.poll_read_ready(context))?;
            match guard.try_io(|open| attempt(open.get_ref().0.as_fd())) {
                Ok(result) => return Poll::Ready(result),
                Err(_would_block) => {}
            }
        }
    }
}

impl AsFd for Watched {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.0.get_ref().0.as_fd()
    }
}
