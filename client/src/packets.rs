//! Packets of a request, each made afresh.

use std::net::{SocketAddr, UdpSocket};

use knock_spa_keys::client::ClientSecret;
use knock_spa_keys::server::ServerKey;
use knock_spa_proto::spa::request::Request;
use knock_spa_proto::spa::{PACKET_LEN, SealRandom, seal};
use knock_spa_proto::time::UnixTime;

use crate::failure::{Failure, Status};
use crate::io::{clock, entropy, net};

/// Makes and sends the packets of one request, or of several that go together.
#[derive(Debug)]
pub(crate) struct Packets {
    socket: UdpSocket,
    to: SocketAddr,
    server: ServerKey,
    /// Who asks, and for what, in the order in which they are sent.
    requests: Vec<(ClientSecret, Request)>,
    last: UnixTime,
    sent: u32,
}

impl Packets {
    /// Packets in which `client` asks `server`, who hears them at `to`, for `request`.
    pub(crate) fn new(
        client: ClientSecret,
        server: ServerKey,
        to: SocketAddr,
        request: Request,
    ) -> Result<Self, Failure> {
        let socket = net::sender(to).map_err(|error| cannot_send(to).because(error))?;
        let requests = vec![(client, request)];
        Ok(Self { socket, to, server, requests, last: UnixTime::EPOCH, sent: 0 })
    }

    /// The same, each behind a packet in which another client asks for something.
    pub(crate) fn behind(mut self, client: ClientSecret, request: Request) -> Self {
        self.requests.insert(0, (client, request));
        self
    }

    /// Sends another one of each. Once one is out, failing to send is like losing a packet on the way.
    pub(crate) fn send(&mut self) -> Result<(), Failure> {
        let mut packets = Vec::with_capacity(self.requests.len());
        for (client, request) in &self.requests {
            self.last = next_stamp(self.last)?;
            let random = SealRandom { ephemeral: entropy::bytes()?, nonce: entropy::bytes()? };
            packets.push(seal(&self.server, client, self.last, request, random));
        }
        packets.iter().try_for_each(|packet| self.send_one(packet))
    }

    fn send_one(&mut self, packet: &[u8; PACKET_LEN]) -> Result<(), Failure> {
        match self.socket.send_to(packet, self.to) {
            Ok(_) => self.sent = self.sent.saturating_add(1),
            Err(error) if self.sent == 0 => return Err(cannot_send(self.to).because(error)),
            Err(_) => {}
        }
        Ok(())
    }

    /// How many are out.
    pub(crate) const fn sent(&self) -> u32 {
        self.sent
    }

    /// Where they went.
    pub(crate) const fn to(&self) -> SocketAddr {
        self.to
    }
}

/// Now, or just after the last stamp: the server takes equal stamps for a replay.
fn next_stamp(last: UnixTime) -> Result<UnixTime, Failure> {
    let now = clock::unix_now().ok_or_else(|| {
        Failure::new(Status::Os, "cannot stamp a packet")
            .because("this machine's clock stands before 1970")
            .hint("set the clock; servers refuse packets from another minute than theirs")
    })?;
    Ok(now.max(UnixTime::from_nanos(last.as_nanos().saturating_add(1))))
}

fn cannot_send(to: SocketAddr) -> Failure {
    Failure::new(Status::Io, format!("cannot send to {to}"))
        .hint("is this machine online, and does its firewall let UDP out?")
}
