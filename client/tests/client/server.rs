//! A server on loopback, as far as a client can tell: it hears packets and says nothing.

use std::io::ErrorKind;
use std::net::{IpAddr, Ipv4Addr, SocketAddr, TcpListener, TcpStream, UdpSocket};
use std::time::Duration;

use knock_spa_keys::client::{ClientKey, ClientSecret};
use knock_spa_keys::server::{ServerKey, ServerLine, ServerSecret};
use knock_spa_proto::spa::request::Request;
use knock_spa_proto::spa::{EnvelopeKey, PACKET_LEN, Proven};
use socket2::{Domain, Socket, Type};

/// How long to wait for what is to come.
pub(crate) const PATIENCE: Duration = Duration::from_secs(10);

/// A server with the secret 32 × 0x07.
pub(crate) struct Server {
    secret: ServerSecret,
    socket: UdpSocket,
}

impl Server {
    pub(crate) fn at(ip: impl Into<IpAddr>) -> Self {
        let socket = UdpSocket::bind(SocketAddr::new(ip.into(), 0)).unwrap();
        socket.set_read_timeout(Some(PATIENCE)).unwrap();
        Self { secret: ServerSecret::from_bytes([7; 32]), socket }
    }

    pub(crate) fn address(&self) -> SocketAddr {
        self.socket.local_addr().unwrap()
    }

    pub(crate) fn key(&self) -> ServerKey {
        self.secret.public()
    }

    pub(crate) fn line(&self) -> String {
        let endpoints = self.address().to_string().parse().unwrap();
        ServerLine { key: self.secret.public(), endpoints }.to_string()
    }

    /// The next packet, opened and proved to be of the client with the seed 32 × 0x09.
    pub(crate) fn hear(&self) -> Proven {
        self.hear_of(&ClientSecret::from_seed([9; 32]).public())
    }

    /// The next packet, opened and proved to be of this client.
    pub(crate) fn hear_of(&self, client: &ClientKey) -> Proven {
        let mut bytes = [0; PACKET_LEN + 1];
        let len = loop {
            match self.socket.recv(&mut bytes) {
                // A socket that waits for a time is not gone on with after a signal.
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                len => break len.unwrap(),
            }
        };
        let packet = bytes.get(..len).unwrap();
        let key = self.secret.public();
        let statement = EnvelopeKey::of(&key).open(packet).unwrap().unseal(&self.secret).unwrap();
        statement.verify(client, &key).unwrap()
    }

    pub(crate) fn hear_request(&self) -> Request {
        self.hear().request().unwrap()
    }

    /// Whether no packet waits.
    pub(crate) fn has_heard_all(&self) -> bool {
        self.socket.set_nonblocking(true).unwrap();
        let nothing = self.socket.peek(&mut [0]).is_err();
        self.socket.set_nonblocking(false).unwrap();
        nothing
    }

    /// Waits this long for a packet that must not come.
    pub(crate) fn hears_nothing_for(&self, time: Duration) {
        self.socket.set_read_timeout(Some(time)).unwrap();
        assert!(self.socket.peek(&mut [0]).is_err());
        self.socket.set_read_timeout(Some(PATIENCE)).unwrap();
    }
}

/// A port at which connections are refused, until it listens.
pub(crate) struct RefusingPort(Socket);

impl RefusingPort {
    pub(crate) fn new() -> Self {
        let socket = Socket::new(Domain::IPV4, Type::STREAM, None).unwrap();
        socket.bind(&SocketAddr::from((Ipv4Addr::LOCALHOST, 0)).into()).unwrap();
        Self(socket)
    }

    pub(crate) fn number(&self) -> u16 {
        self.0.local_addr().unwrap().as_socket().unwrap().port()
    }

    pub(crate) fn listen(&self) {
        self.0.listen(128).unwrap();
    }
}

/// A port that drops SYNs, as a guard does, until it is opened: its queue of connections is full.
pub(crate) struct SilentPort {
    listener: TcpListener,
    queued: Vec<TcpStream>,
}

impl SilentPort {
    pub(crate) fn new() -> Self {
        let socket = RefusingPort::new().0;
        socket.listen(0).unwrap();
        let listener = TcpListener::from(socket);
        let address = listener.local_addr().unwrap();
        let connect = |_| TcpStream::connect_timeout(&address, Duration::from_millis(200)).ok();
        let queued = (0..8).map_while(connect).collect();
        let port = Self { listener, queued };
        assert!(port.queued.len() < 8, "the port never fell silent");
        port
    }

    pub(crate) fn number(&self) -> u16 {
        self.listener.local_addr().unwrap().port()
    }

    /// The next visitor.
    pub(crate) fn visitor(&self) -> TcpStream {
        self.listener.accept().unwrap().0
    }

    /// Takes what is queued, so that the next SYN is answered.
    pub(crate) fn open(&self) {
        self.queued.iter().for_each(|_| drop(self.listener.accept().unwrap()));
    }
}
