//! The socketpair between the keeper and the listener: whole records, and descriptors handed over.

use std::io::{self, IoSlice, IoSliceMut, Read, Seek, Write};
use std::mem::MaybeUninit;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};

use knock_spa_engine::watch::Orders;
use rustix::fs::{MemfdFlags, SealFlags, fcntl_add_seals, memfd_create};
use rustix::net::{
    AddressFamily, RecvAncillaryBuffer, RecvAncillaryMessage, RecvFlags, SendAncillaryBuffer,
    SendAncillaryMessage, SendFlags, SocketFlags, SocketType, recv, recvmsg, send, sendmsg, socketpair,
};

use super::readiness::Watched;

/// Descriptors in one hand-over: the kernel passes 253 at most, and one of them holds the orders.
pub const MAX_SOCKETS: usize = 252;

/// The longest orders that are read: ten thousand doors with long sequences stay far below.
const MAX_ORDERS: u64 = 64 << 20;

/// The first byte of a hand-over, beside its descriptors: its version.
const VERSION: u8 = 1;

/// The second byte where the sockets in use stay in use.
const KEEP: u8 = 0;

/// The second byte where capture sockets come with the orders, in place of those in use.
const REPLACE_BY_PACKETS: u8 = 1;

/// The second byte where bound sockets do.
const REPLACE_BY_DATAGRAMS: u8 = 2;

/// The two ends of a new channel, non-blocking and closed on exec.
///
/// # Errors
/// What the system said.
pub fn pair() -> io::Result<(OwnedFd, OwnedFd)> {
    let flags = SocketFlags::CLOEXEC | SocketFlags::NONBLOCK;
    Ok(socketpair(AddressFamily::UNIX, SocketType::SEQPACKET, flags, None)?)
}

/// Sockets to listen to.
#[derive(Debug)]
pub struct Sockets {
    /// What comes out of each.
    pub deliver: Deliver,
    /// The sockets.
    pub sockets: Vec<OwnedFd>,
}

/// What comes out of a socket.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Deliver {
    /// Packets, from their IP header on.
    Packets,
    /// What came to the SPA port, without any header.
    Datagrams,
}

/// New orders, and the sockets to listen to under them.
#[derive(Debug)]
pub struct HandOver {
    /// What to watch for.
    pub orders: Orders,
    /// The sockets; absent where those in use stay in use.
    pub sockets: Option<Sockets>,
}

/// One end of a channel.
#[derive(Debug)]
pub struct Channel(Watched);

impl Channel {
    /// The channel at this end of a [`pair`].
    ///
    /// # Errors
    /// What the system said.
    pub fn new(end: OwnedFd) -> io::Result<Self> {
        Ok(Self(Watched::new(end)?))
    }

    /// Sends one record, waiting for room.
    ///
    /// # Errors
    /// What the system said; "broken pipe" where the other end is gone.
    pub async fn send(&self, record: &[u8]) -> io::Result<()> {
        self.0.write(|end| Ok(send(end, record, SendFlags::NOSIGNAL)?)).await.map(drop)
    }

    /// Receives one record into `buffer`; its length, or `None` where the other end is gone.
    ///
    /// # Errors
    /// What the system said.
    pub async fn receive(&self, buffer: &mut [u8]) -> io::Result<Option<usize>> {
        let (len, _) = self.0.read(|end| Ok(recv(end, &mut *buffer, RecvFlags::TRUNC)?)).await?;
        Ok(Some(len).filter(|len| *len > 0))
    }

    /// Receives one record that is there already; `WouldBlock` where none is.
    ///
    /// # Errors
    /// As [`Self::receive`].
    pub fn try_receive(&self, buffer: &mut [u8]) -> io::Result<Option<usize>> {
        let (len, _) = recv(self.0.as_fd(), buffer, RecvFlags::TRUNC | RecvFlags::DONTWAIT)?;
        Ok(Some(len).filter(|len| *len > 0))
    }

    /// Hands over orders and sockets. Descriptors are copied: the caller's can be closed afterwards.
    ///
    /// # Errors
    /// What the system said; [`io::ErrorKind::InvalidInput`] for more than [`MAX_SOCKETS`].
    pub async fn hand_over(&self, orders: &Orders, sockets: Option<&Sockets>) -> io::Result<()> {
        let kind = match sockets.map(|sockets| sockets.deliver) {
            None => KEEP,
            Some(Deliver::Packets) => REPLACE_BY_PACKETS,
            Some(Deliver::Datagrams) => REPLACE_BY_DATAGRAMS,
        };
        let sockets = sockets.map(|sockets| &*sockets.sockets).unwrap_or_default();
        if sockets.len() > MAX_SOCKETS {
            return Err(io::Error::new(io::ErrorKind::InvalidInput, "too many interfaces are named"));
        }
        let orders = sealed(&orders.encode())?;
        let descriptors: Vec<BorrowedFd<'_>> =
            std::iter::once(&orders).chain(sockets).map(AsFd::as_fd).collect();
        self.0.write(|end| send_descriptors(end, kind, &descriptors)).await
    }

    /// Receives a hand-over; `None` where the other end is gone.
    ///
    /// # Errors
    /// What the system said; [`io::ErrorKind::InvalidData`] for what [`Self::hand_over`] does not send.
    pub async fn receive_hand_over(&self) -> io::Result<Option<HandOver>> {
        let Some((kind, mut descriptors)) = self.0.read(receive_descriptors).await? else { return Ok(None) };
        if descriptors.is_empty() {
            return Err(io::ErrorKind::InvalidData.into());
        }
        let orders = read_orders(descriptors.remove(0))?;
        let deliver = match kind {
            KEEP => None,
            REPLACE_BY_PACKETS => Some(Deliver::Packets),
            REPLACE_BY_DATAGRAMS => Some(Deliver::Datagrams),
            _ => return Err(io::ErrorKind::InvalidData.into()),
        };
        let sockets = deliver.map(|deliver| Sockets { deliver, sockets: descriptors });
        Ok(Some(HandOver { orders, sockets }))
    }
}

/// A file in memory that nobody can change any more, with this content.
fn sealed(content: &[u8]) -> io::Result<OwnedFd> {
    let file = memfd_create("orders", MemfdFlags::CLOEXEC | MemfdFlags::ALLOW_SEALING)?;
    let mut file = std::fs::File::from(file);
    file.write_all(content)?;
    fcntl_add_seals(&file, SealFlags::SEAL | SealFlags::SHRINK | SealFlags::GROW | SealFlags::WRITE)?;
    Ok(file.into())
}

fn read_orders(descriptor: OwnedFd) -> io::Result<Orders> {
    let mut file = std::fs::File::from(descriptor);
    file.rewind()?;
    let mut bytes = zeroize::Zeroizing::new(Vec::new());
    file.take(MAX_ORDERS).read_to_end(&mut bytes)?;
    Orders::decode(&bytes).map_err(|error| io::Error::new(io::ErrorKind::InvalidData, error))
}

fn send_descriptors(end: BorrowedFd<'_>, kind: u8, descriptors: &[BorrowedFd<'_>]) -> io::Result<()> {
    let mut space = [MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(253))];
    let mut ancillary = SendAncillaryBuffer::new(&mut space);
    if !ancillary.push(SendAncillaryMessage::ScmRights(descriptors)) {
        return Err(io::ErrorKind::InvalidInput.into());
    }
    sendmsg(end, &[IoSlice::new(&[VERSION, kind])], &mut ancillary, SendFlags::NOSIGNAL)?;
    Ok(())
}

fn receive_descriptors(end: BorrowedFd<'_>) -> io::Result<Option<(u8, Vec<OwnedFd>)>> {
    let mut space = [MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(253))];
    let mut ancillary = RecvAncillaryBuffer::new(&mut space);
    let mut bytes = [0; 2];
    let received = recvmsg(end, &mut [IoSliceMut::new(&mut bytes)], &mut ancillary, RecvFlags::CMSG_CLOEXEC)?;
    if received.bytes == 0 {
        return Ok(None);
    }
    let [VERSION, kind] = bytes else {
        return Err(io::Error::new(io::ErrorKind::InvalidData, "the hand-over is of another version"));
    };
    let mut descriptors = Vec::new();
    for message in ancillary.drain() {
        if let RecvAncillaryMessage::ScmRights(rights) = message {
            descriptors.extend(rights);
        }
    }
    Ok(Some((kind, descriptors)))
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    #[tokio::test]
    async fn orders_and_descriptors_arrive_and_the_end_is_told() {
        let (ours, theirs) = pair().unwrap();
        let (ours, theirs) = (Channel::new(ours).unwrap(), Channel::new(theirs).unwrap());
        let orders = Orders {
            generation: 7,
            spa_port: Some(62201),
            window: Duration::from_secs(60),
            secrets: Vec::new(),
            own: Vec::new(),
            doors: Vec::new(),
            tells_stages: false,
            explains: false,
        };
        let (one, two) = pair().unwrap();
        for deliver in [Deliver::Packets, Deliver::Datagrams] {
            let sockets = [&one, &two].map(|socket| socket.try_clone().unwrap()).into();
            ours.hand_over(&orders, Some(&Sockets { deliver, sockets })).await.unwrap();
            let arrived = theirs.receive_hand_over().await.unwrap().unwrap();
            let sockets = arrived.sockets.unwrap();
            assert_eq!((arrived.orders.encode(), sockets.sockets.len()), (orders.encode(), 2));
            assert_eq!(sockets.deliver, deliver);
        }
        ours.hand_over(&orders, None).await.unwrap();
        assert!(theirs.receive_hand_over().await.unwrap().unwrap().sockets.is_none());

        theirs.send(&[1, 2, 3]).await.unwrap();
        drop(theirs);
        let mut buffer = [0; 8];
        assert_eq!(ours.receive(&mut buffer).await.unwrap(), Some(3));
        assert_eq!(ours.receive(&mut buffer).await.unwrap(), None);
        assert!(ours.send(&[1]).await.is_err());
    }
}
