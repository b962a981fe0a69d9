//! Capture sockets: they see what comes in before any firewall drops it.
//!
//! The order matters: a socket that receives nothing yet, its filter, the lock on the filter, and only then the
//! address. So no packet that the filter would refuse is ever seen, and whoever holds the socket cannot widen it.
#![expect(
    unsafe_code,
    reason = "socket addresses of this family, and the lock on a filter, have no safe interface"
)]

use std::io;
use std::mem::size_of;
use std::os::fd::{AsRawFd, OwnedFd};

use rustix::net::netdevice::name_to_index;
use socket2::{Domain, SockAddr, SockAddrStorage, SockFilter, Socket, Type};

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

/// Opens a capture socket that delivers packets from their IP header on, on one interface or on all.
///
/// # Errors
/// What the system said: without `CAP_NET_RAW` it is "operation not permitted".
pub fn open(family: Family, interface: Option<u32>, filter: &[SockFilter]) -> io::Result<OwnedFd> {
    let socket = Socket::new(Domain::PACKET, Type::DGRAM.nonblocking().cloexec(), None)?;
    socket.attach_filter(filter)?;
    lock_filter(&socket)?;
    socket.bind(&address(family, interface)?)?;
    Ok(socket.into())
}

/// The index of the interface of this name.
///
/// # Errors
/// What the system said: "no such device" where there is none.
pub fn interface_index(name: &str) -> io::Result<u32> {
    let socket = Socket::new(Domain::UNIX, Type::DGRAM.cloexec(), None)?;
    Ok(name_to_index(&socket, name)?)
}

fn lock_filter(socket: &Socket) -> io::Result<()> {
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

/// The link-layer address "every packet of this family", on one interface or (index 0) on all.
fn address(family: Family, interface: Option<u32>) -> io::Result<SockAddr> {
    let index = i32::try_from(interface.unwrap_or(0)).map_err(io::Error::other)?;
    let len = libc::socklen_t::try_from(size_of::<libc::sockaddr_ll>()).map_err(io::Error::other)?;
    let link = libc::sockaddr_ll {
        sll_family: u16::try_from(libc::AF_PACKET).map_err(io::Error::other)?,
        sll_protocol: family.ethertype().to_be(),
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
