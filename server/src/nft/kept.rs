//! Sessions older than the guard, which the kernel does not know to be established.

use std::collections::BTreeSet;
use std::io;
use std::net::IpAddr;
use std::num::NonZeroU16;

use knock_spa_proto::address::Address;
use knock_spa_proto::port::{ServicePort, Transport};

use super::set::ELEMENTS_MAX;
use crate::netlink::{Attributes, Fault, NLM_F_DUMP, Request, Socket};

/// An established TCP session with a port of this machine.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Kept {
    /// The other end.
    pub client: Address,
    /// Its port.
    pub client_port: u16,
    /// This end's port.
    pub port: NonZeroU16,
}

/// An established session, and this end's address.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Session {
    /// What the guard needs to know of it.
    pub kept: Kept,
    /// This machine's address in it.
    pub own: Address,
}

/// `SOCK_DIAG_BY_FAMILY` of `linux/sock_diag.h`.
const SOCK_DIAG_BY_FAMILY: u16 = 20;
/// `AF_INET` and `AF_INET6`, as in `struct inet_diag_req_v2`.
const FAMILIES: [u8; 2] = [2, 10];
/// The states in which a peer may still speak, as bits (`enum` of `include/net/tcp_states.h`): established,
/// both sides of an orderly end, and a handshake that waits for its last segment.
const SESSION_STATES: u32 = 1 << 1 | 1 << 3 | 1 << 4 | 1 << 5 | 1 << 8 | 1 << 9 | 1 << 11;
/// `struct inet_diag_req_v2` after its first eight bytes: any socket.
const ANY_SOCKET: [u8; 48] = [0; 48];

/// The TCP sessions of this network namespace whose own port is one of `doors`: at most [`ELEMENTS_MAX`]
/// of them.
///
/// # Errors
/// Where the kernel does not list its sockets.
pub fn established(doors: &BTreeSet<ServicePort>) -> io::Result<Vec<Session>> {
    let mut socket = Socket::connect(netlink_sys::protocols::NETLINK_SOCK_DIAG, &[])?;
    let limit = usize::try_from(ELEMENTS_MAX).unwrap_or(usize::MAX);
    let mut found = Vec::new();
    for family in FAMILIES {
        list(&mut socket, family, |session| {
            if found.len() < limit && is_guarded(session.kept, doors) {
                found.push(session);
            }
        })?;
    }
    Ok(found)
}

/// Hands the sessions of this family of sockets to `each`.
fn list(socket: &mut Socket, family: u8, mut each: impl FnMut(Session)) -> io::Result<()> {
    let tcp = Transport::Tcp.number();
    let head = [&[family, tcp, 0, 0][..], &SESSION_STATES.to_ne_bytes(), &ANY_SOCKET].concat();
    let request =
        Request { kind: SOCK_DIAG_BY_FAMILY, flags: NLM_F_DUMP, head: &head, attributes: &Attributes::new() };
    let outcome = socket.dump(&request, |entry| session(entry).into_iter().for_each(&mut each));
    match outcome {
        // A list that changed while it was told has what did not change.
        Ok(()) | Err(Fault::Changed) => Ok(()),
        Err(Fault::Refused(refused)) => Err(io::Error::from_raw_os_error(refused.code)),
        Err(Fault::Io(error)) => Err(error),
        Err(Fault::NoAnswer) => Err(io::ErrorKind::UnexpectedEof.into()),
    }
}

fn is_guarded(kept: Kept, doors: &BTreeSet<ServicePort>) -> bool {
    doors.contains(&ServicePort { transport: Transport::Tcp, port: kept.port })
}

/// The session in a `struct inet_diag_msg`: family, three bytes, and a `struct inet_diag_sockid` of ports
/// and addresses in network order.
fn session(entry: &[u8]) -> Option<Session> {
    let (&[family, _, _, _], id) = entry.split_first_chunk()?;
    let (&[own_high, own_low, high, low], addresses) = id.split_first_chunk()?;
    let address = |bytes: &[u8]| {
        let ip = if family == 2 {
            IpAddr::from(*bytes.first_chunk::<4>()?)
        } else {
            IpAddr::from(*bytes.first_chunk::<16>()?)
        };
        Some(Address::new(ip))
    };
    let kept = Kept {
        client: address(addresses.get(16..)?)?,
        client_port: u16::from_be_bytes([high, low]),
        port: NonZeroU16::new(u16::from_be_bytes([own_high, own_low]))?,
    };
    Some(Session { kept, own: address(addresses)? })
}

#[cfg(test)]
mod tests {
    use std::net::{TcpListener, TcpStream};

    use super::*;

    #[test]
    fn sessions_of_guarded_ports_are_found_in_both_families() {
        for ip in ["127.0.0.1", "::1", "::ffff:127.0.0.1"] {
            let listener = TcpListener::bind((ip, 0)).unwrap();
            let to = listener.local_addr().unwrap();
            let client = TcpStream::connect(to).unwrap();
            let (_server, from) = listener.accept().unwrap();
            assert_eq!(client.local_addr().unwrap(), from);

            let port = ServicePort::new(Transport::Tcp, to.port()).unwrap();
            let kept = Kept { client: Address::new(from.ip()), client_port: from.port(), port: port.port };
            let session = Session { kept, own: Address::new(to.ip()) };
            assert_eq!(established(&BTreeSet::from([port])).unwrap(), [session]);
            let udp = ServicePort { transport: Transport::Udp, ..port };
            assert_eq!(established(&BTreeSet::from([udp])).unwrap(), []);
        }
    }

    #[test]
    fn short_entries_are_none() {
        for len in 0..28 {
            assert_eq!(session(&vec![2; len]), None, "{len} bytes");
        }
        assert_eq!(session(&[10; 39]), None);
    }
}
