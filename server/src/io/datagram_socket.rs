//! Sockets that are bound to the SPA port: they hear what the firewall lets through, and need no privilege.

use std::io;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::os::fd::OwnedFd;

use socket2::{Domain, Protocol, SockFilter, Socket, Type};

use super::packet_socket::{self, Family};
use super::syscalls;

/// Opens a socket that delivers datagrams to `port`, on one interface or on all. `None` where this machine does not
/// have the family.
///
/// # Errors
/// What the system said: "address in use" where another program has the port; "operation not permitted" for one
/// interface before Linux 5.7, without `CAP_NET_RAW`.
pub fn open(
    family: Family,
    interface: Option<&str>,
    port: u16,
    filter: &[SockFilter],
) -> io::Result<Option<OwnedFd>> {
    let (domain, any) = match family {
        Family::Ipv4 => (Domain::IPV4, IpAddr::from(Ipv4Addr::UNSPECIFIED)),
        Family::Ipv6 => (Domain::IPV6, IpAddr::from(Ipv6Addr::UNSPECIFIED)),
    };
    let socket = match Socket::new(domain, Type::DGRAM.nonblocking().cloexec(), Some(Protocol::UDP)) {
        Err(error) if error.raw_os_error() == Some(libc::EAFNOSUPPORT) => return Ok(None),
        socket => socket?,
    };
    packet_socket::make_room(&socket)?;
    if family == Family::Ipv6 {
        socket.set_only_v6(true)?;
    }
    // New sockets are bound while those that they replace are still heard. Only the same user can share a port so.
    socket.set_reuse_port(true)?;
    if let Some(name) = interface {
        socket.bind_device(Some(name.as_bytes()))?;
    }
    // As with capture sockets: nothing that the filter refuses is ever seen, and whoever holds the socket can't widen it.
    socket.attach_filter(filter)?;
    syscalls::lock_filter(&socket)?;
    match socket.bind(&SocketAddr::new(any, port).into()) {
        Ok(()) => Ok(Some(socket.into())),
        Err(error) if error.kind() == io::ErrorKind::AddrInUse => {
            let what = format!("another program has udp/{port}: [listen] spa-port names another");
            Err(io::Error::new(error.kind(), what))
        }
        Err(error) => Err(io::Error::new(error.kind(), format!("can't bind udp/{port}: {error}"))),
    }
}
