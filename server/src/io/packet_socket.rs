//! Capture sockets: they see what comes in before any firewall drops it.
//!
//! The order matters: a socket that receives nothing yet, its filter, the lock on the filter, and only then the
//! address. So no packet that the filter would refuse is ever seen, and whoever holds the socket cannot widen it.

use std::io;
use std::os::fd::OwnedFd;

use rustix::net::netdevice::name_to_index;
use rustix::net::sockopt::set_socket_recv_buffer_size_force;
use socket2::{Domain, SockFilter, Socket, Type};

use super::syscalls;

/// An IP version, as an Ethernet frame names it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Family {
    /// RFC 791.
    Ipv4,
    /// RFC 8200.
    Ipv6,
}

impl Family {
    /// Both.
    pub const ALL: [Self; 2] = [Self::Ipv4, Self::Ipv6];

    /// The number of the protocol in an Ethernet frame.
    const fn ethertype(self) -> u16 {
        match self {
            Self::Ipv4 => 0x0800,
            Self::Ipv6 => 0x86dd,
        }
    }
}

/// Bytes of packets, with the kernel's own for each, that may wait in a socket: what the smallest take in some
/// milliseconds, for as long as a listener may have no processor. Longer they are not worth waiting for.
const WAITING: usize = 1 << 20;

/// Opens a capture socket that delivers packets from their IP header on, on one interface or on all.
///
/// # Errors
/// What the system said: without `CAP_NET_RAW` it is "operation not permitted".
pub fn open(family: Family, interface: Option<u32>, filter: &[SockFilter]) -> io::Result<OwnedFd> {
    let socket = Socket::new(Domain::PACKET, Type::DGRAM.nonblocking().cloexec(), None)?;
    make_room(&socket)?;
    socket.attach_filter(filter)?;
    syscalls::lock_filter(&socket)?;
    socket.bind(&syscalls::link_address(family.ethertype(), interface)?)?;
    Ok(socket.into())
}

/// Lets as much wait in the socket as makes sense.
pub(super) fn make_room(socket: &Socket) -> io::Result<()> {
    // Who may not have as much as that gets as much as everybody may have.
    if set_socket_recv_buffer_size_force(socket, WAITING / 2).is_err() {
        socket.set_recv_buffer_size(WAITING / 2)?;
    }
    Ok(())
}

/// The index of the interface of this name.
///
/// # Errors
/// What the system said: "no such device" where there is none.
pub fn interface_index(name: &str) -> io::Result<u32> {
    let socket = Socket::new(Domain::UNIX, Type::DGRAM.cloexec(), None)?;
    Ok(name_to_index(&socket, name)?)
}
