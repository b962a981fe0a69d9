//! System calls that have no safe interface.
#![expect(unsafe_code, reason = "each block says why it is sound")]

use std::io;
use std::mem::size_of;
use std::os::fd::AsRawFd;

use socket2::{SockAddr, SockAddrStorage, Socket};
use tokio::process::Command;

/// Has the command run in a session of its own, as knockd's do: no terminal of the daemon's reaches it.
pub(super) fn in_new_session(command: &mut Command) {
    let new_session = || rustix::process::setsid().map(drop).map_err(io::Error::from);
    // SAFETY: between fork and exec only async-signal-safe calls are allowed: setsid(2) is one, and nothing is
    // allocated or locked on the way to it.
    unsafe { command.pre_exec(new_session) };
}

/// Has the command killed when this process ends, however that comes about: nobody would know what it did, and what the
/// next daemon runs must not meet it.
pub(super) fn end_with_this_process(command: &mut Command) {
    let parent = rustix::process::getpid();
    let end_together = move || {
        rustix::process::set_parent_process_death_signal(Some(rustix::process::Signal::KILL))?;
        // It may have ended before that.
        if rustix::process::getppid() == Some(parent) { Ok(()) } else { Err(rustix::io::Errno::SRCH.into()) }
    };
    // SAFETY: between fork and exec only async-signal-safe calls are allowed: prctl(2) and getppid(2) are mere system
    // calls, and nothing is allocated or locked on the way to them.
    unsafe { command.pre_exec(end_together) };
}

/// Keeps every descriptor but the standard streams from programs that this one starts.
pub(super) fn close_on_exec() -> io::Result<()> {
    const FIRST: libc::c_uint = 3;
    // SAFETY: the call takes numbers alone, and closes nothing now.
    let result =
        unsafe { libc::syscall(libc::SYS_close_range, FIRST, libc::c_uint::MAX, libc::CLOSE_RANGE_CLOEXEC) };
    if result == 0 { Ok(()) } else { Err(io::Error::last_os_error()) }
}

/// Forbids every later change of the socket's filter.
pub(super) fn lock_filter(socket: &Socket) -> io::Result<()> {
    let on: libc::c_int = 1;
    let len = libc::socklen_t::try_from(size_of::<libc::c_int>()).map_err(io::Error::other)?;
    // SAFETY: the descriptor is open, and the option's value is an int that lives across the call.
    let result = unsafe {
        libc::setsockopt(
            socket.as_raw_fd(),
            libc::SOL_SOCKET,
            libc::SO_LOCK_FILTER,
            std::ptr::from_ref(&on).cast(),
            len,
        )
    };
    if result == 0 { Ok(()) } else { Err(io::Error::last_os_error()) }
}

/// The link-layer address "every packet of this protocol", on one interface or (index 0) on all.
pub(super) fn link_address(ethertype: u16, interface: Option<u32>) -> io::Result<SockAddr> {
    let index = i32::try_from(interface.unwrap_or(0)).map_err(io::Error::other)?;
    let len = libc::socklen_t::try_from(size_of::<libc::sockaddr_ll>()).map_err(io::Error::other)?;
    let link = libc::sockaddr_ll {
        sll_family: u16::try_from(libc::AF_PACKET).map_err(io::Error::other)?,
        sll_protocol: ethertype.to_be(),
        sll_ifindex: index,
        sll_hatype: 0,
        sll_pkttype: 0,
        sll_halen: 0,
        sll_addr: [0; 8],
    };
    let mut storage = SockAddrStorage::zeroed();
    // SAFETY: the storage is aligned for and larger than every socket address, `sockaddr_ll` among them.
    let view = unsafe { storage.view_as::<libc::sockaddr_ll>() };
    *view = link;
    // SAFETY: the storage holds an address of this length, written just above.
    Ok(unsafe { SockAddr::new(storage, len) })
}
