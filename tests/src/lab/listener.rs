//! Services to be reached, and sessions with them.

use std::io::{Read, Write};
use std::net::{Ipv6Addr, Shutdown, SocketAddr, TcpListener, TcpStream, UdpSocket};
use std::thread;
use std::time::Duration;

use socket2::{Domain, SockRef, Socket, Type};

use super::namespace::Namespace;
use super::wait::PATIENCE;

/// A service that sends back whatever it gets, over IPv4 and IPv6; dropping it ends it. Sessions that it
/// has live on until their client ends them.
#[derive(Debug)]
pub struct Echo(Listening);

#[derive(Debug)]
enum Listening {
    Tcp(TcpListener),
    Udp(UdpSocket),
}

impl Echo {
    /// Listens at a TCP port of the namespace, on every address.
    ///
    /// # Panics
    /// Where the port is taken.
    #[must_use]
    pub fn tcp(namespace: &Namespace, port: u16) -> Self {
        let socket = bind(namespace, Type::STREAM, port);
        socket.listen(64).expect("listening");
        let listener = TcpListener::from(socket);
        let accepting = listener.try_clone().expect("another descriptor");
        thread::spawn(move || {
            while let Ok((stream, _)) = accepting.accept() {
                thread::spawn(move || echo(stream));
            }
        });
        Self(Listening::Tcp(listener))
    }

    /// Listens at a UDP port of the namespace, on every address.
    ///
    /// # Panics
    /// Where the port is taken.
    #[must_use]
    pub fn udp(namespace: &Namespace, port: u16) -> Self {
        let socket = UdpSocket::from(bind(namespace, Type::DGRAM, port));
        let answering = socket.try_clone().expect("another descriptor");
        thread::spawn(move || {
            let mut bytes = [0; 2048];
            // A socket that was shut down returns empty datagrams from nowhere for ever.
            while let Ok((len @ 1.., from)) = answering.recv_from(&mut bytes) {
                // An answer that cannot be sent is an answer lost, as any datagram may be.
                let _ = answering.send_to(&bytes[..len], from);
            }
        });
        Self(Listening::Udp(socket))
    }
}

impl Drop for Echo {
    fn drop(&mut self) {
        let socket = match &self.0 {
            Listening::Tcp(listener) => SockRef::from(listener),
            Listening::Udp(socket) => SockRef::from(socket),
        };
        // This wakes the thread. A UDP socket complains that it has no peer, and is shut down all the same.
        let _ = socket.shutdown(Shutdown::Both);
    }
}

fn bind(namespace: &Namespace, kind: Type, port: u16) -> Socket {
    let socket = namespace.enter(|| Socket::new(Domain::IPV6, kind, None)).expect("a socket");
    socket.set_only_v6(false).expect("both families");
    socket.set_reuse_address(true).expect("a port that was used before");
    socket.bind(&SocketAddr::from((Ipv6Addr::UNSPECIFIED, port)).into()).expect("a free port");
    socket
}

fn echo(mut stream: TcpStream) {
    let mut bytes = [0; 2048];
    while let Ok(len @ 1..) = stream.read(&mut bytes) {
        if stream.write_all(&bytes[..len]).is_err() {
            return;
        }
    }
}

/// A client's session with an [`Echo`] over TCP.
#[derive(Debug)]
pub struct Session(TcpStream);

impl Session {
    /// Connects.
    ///
    /// # Panics
    /// Where the service does not answer soon.
    #[must_use]
    pub fn open(namespace: &Namespace, to: SocketAddr) -> Self {
        let stream = namespace.enter(|| TcpStream::connect_timeout(&to, PATIENCE));
        let stream = stream.unwrap_or_else(|error| panic!("connecting to {to}: {error}"));
        stream.set_nodelay(true).expect("a socket option");
        Self(stream)
    }

    /// Says something, and whether it comes back within `limit`.
    ///
    /// # Panics
    /// Where something else comes back.
    pub fn echoes(&mut self, limit: Duration) -> bool {
        self.0.set_read_timeout(Some(limit)).expect("a positive limit");
        let mut answer = [0; 5];
        if self.0.write_all(b"hello").and_then(|()| self.0.read_exact(&mut answer)).is_err() {
            return false;
        }
        assert_eq!(&answer, b"hello");
        true
    }

    /// The client's end: its address and port.
    ///
    /// # Panics
    /// Never for a connected socket.
    #[must_use]
    pub fn local(&self) -> SocketAddr {
        self.0.local_addr().expect("it is connected")
    }
}
