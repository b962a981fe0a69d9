//! Packets of one request, each made afresh.

use std::net::{SocketAddr, UdpSocket};

use knock_spa_keys::client::ClientSecret;
use knock_spa_keys::server::ServerKey;
use knock_spa_proto::spa::request::Request;
use knock_spa_proto::spa::{SealRandom, seal};
use knock_spa_proto::time::UnixTime;

use crate::failure::{Failure, Status};
use crate::io::{clock, entropy, net};

/// Makes and sends the packets of one request.
#[derive(Debug)]
pub(crate) struct Packets {
    socket: UdpSocket,
    to: SocketAddr,
    server: ServerKey,
    client: ClientSecret,
    request: Request,
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
        Ok(Self { socket, to, server, client, request, last: UnixTime::EPOCH, sent: 0 })
    }

    /// Sends another one. Once one is out, failing to send is like losing a packet on the way.
    pub(crate) fn send(&mut self) -> Result<(), Failure> {
        let stamp = self.next_stamp()?;
        let random = SealRandom { ephemeral: entropy::bytes()?, nonce: entropy::bytes()? };
        let packet = seal(&self.server, &self.client, stamp, &self.request, random);
        match self.socket.send_to(&packet, self.to) {
            Ok(_) => self.sent = self.sent.saturating_add(1),
            Err(error) if self.sent == 0 => return Err(cannot_send(self.to).because(error)),
            Err(_) => {}
        }
        Ok(())
    }

    /// Now, or just after the last stamp: the server takes equal stamps for a replay.
    fn next_stamp(&mut self) -> Result<UnixTime, Failure> {
        let now = clock::unix_now().ok_or_else(|| {
            Failure::new(Status::Os, "cannot stamp a packet")
                .because("this machine's clock stands before 1970")
                .hint("set the clock; servers refuse packets from another minute than theirs")
        })?;
        self.last = now.max(UnixTime::from_nanos(self.last.as_nanos().saturating_add(1)));
        Ok(self.last)
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

fn cannot_send(to: SocketAddr) -> Failure {
    Failure::new(Status::Io, format!("cannot send to {to}"))
        .hint("is this machine online, and does its firewall let UDP out?")
}
