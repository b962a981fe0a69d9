//! The network: names, own addresses, single packets, single segments.

use std::io;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, ToSocketAddrs as _, UdpSocket};

use socket2::{Domain, Protocol, Socket, Type};
use tokio::net::TcpStream;

/// The addresses of a host, in the resolver's order; at least one.
pub(crate) fn resolve(host: &str) -> io::Result<Vec<IpAddr>> {
    let mut addresses: Vec<IpAddr> = Vec::new();
    for address in (host, 0).to_socket_addrs()? {
        if !addresses.contains(&address.ip()) {
            addresses.push(address.ip());
        }
    }
    if addresses.is_empty() {
        return Err(io::Error::new(io::ErrorKind::NotFound, "the name has no address"));
    }
    Ok(addresses)
}

/// The address that this machine has on its route to `peer`. Sends nothing.
pub(crate) fn own_address(peer: SocketAddr) -> io::Result<IpAddr> {
    let socket = UdpSocket::bind(any_port(peer))?;
    socket.connect(peer)?;
    socket.local_addr().map(|own| own.ip())
}

/// A socket from which to send to peers of the family of `peer`. It stays unconnected, so that no answer of
/// a router or of the peer becomes an error of the next sending.
pub(crate) fn sender(peer: SocketAddr) -> io::Result<UdpSocket> {
    UdpSocket::bind(any_port(peer))
}

fn any_port(peer: SocketAddr) -> SocketAddr {
    match peer {
        SocketAddr::V4(_) => (Ipv4Addr::UNSPECIFIED, 0).into(),
        SocketAddr::V6(_) => (Ipv6Addr::UNSPECIFIED, 0).into(),
    }
}

/// Sends one SYN to `peer` and gives up at once, so that the kernel never repeats it.
pub(crate) fn hit_tcp(peer: SocketAddr) -> io::Result<()> {
    let socket = Socket::new(Domain::for_address(peer), Type::STREAM, Some(Protocol::TCP))?;
    socket.set_nonblocking(true)?;
    socket.connect(&peer.into())
}

/// Sends one datagram with one zero byte to `peer`.
pub(crate) fn hit_udp(peer: SocketAddr) -> io::Result<()> {
    sender(peer)?.send_to(&[0], peer).map(drop)
}

/// Connects to `peer`.
pub(crate) async fn connect(peer: SocketAddr) -> io::Result<TcpStream> {
    TcpStream::connect(peer).await
}
