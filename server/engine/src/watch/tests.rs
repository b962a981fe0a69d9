//! The watch against real packets: IP headers as on the wire, sealed as clients seal.

mod explaining;
mod floods;
mod knocks;
mod orders;
mod stages;
mod wire;

use core::net::IpAddr;

use knock_spa_keys::client::ClientSecret;
use knock_spa_proto::address::Address;
use knock_spa_proto::spa::request::{Addresses, Open, Request};
use knock_spa_proto::spa::{SealRandom, seal};
use knock_spa_proto::time::{BootTime, UnixTime};

use super::*;
use crate::cases::cases;

const SPA_PORT: u16 = 62201;
const WINDOW: Duration = Duration::from_secs(60);
const SERVER4: &str = "192.0.2.1";
const SERVER6: &str = "2001:db8::1";
const CLIENT4: &str = "198.51.100.7";
const CLIENT6: &str = "2001:db8:7::7";

const START: Now = Now {
    boot: BootTime::from_nanos(1_000_000_000_000),
    unix: UnixTime::from_nanos(1_790_000_000_000_000_000),
};

fn server(number: u8) -> ServerSecret {
    ServerSecret::from_bytes([number; 32])
}

fn client() -> ClientSecret {
    ClientSecret::from_seed([9; 32])
}

fn orders() -> Orders {
    Orders {
        generation: 1,
        spa_port: Some(SPA_PORT),
        window: WINDOW,
        secrets: [server(7)].into(),
        own: [SERVER4, SERVER6].map(address).into(),
        doors: Vec::new(),
        tells_stages: false,
        explains: false,
    }
}

fn address(text: &str) -> Address {
    Address::new(text.parse().unwrap())
}

fn request() -> Request {
    let to = Addresses::NONE.with_sender();
    Request::Open(Open::new("ssh".parse().unwrap(), to, None).unwrap())
}

/// A packet to `server`, made at `stamp`, with randomness that `number` names.
fn sealed(server: &ServerSecret, stamp: UnixTime, number: u64) -> [u8; PACKET_LEN] {
    let mut random = SealRandom { ephemeral: [3; 32], nonce: [1; 24] };
    random.ephemeral[..8].copy_from_slice(&number.to_be_bytes());
    random.nonce[..8].copy_from_slice(&number.to_be_bytes());
    seal(&server.public(), &client(), stamp, &request(), random)
}

fn honest(number: u64) -> [u8; PACKET_LEN] {
    sealed(&server(7), START.unix, number)
}

/// A watch, and the packets that come to it.
struct Scene {
    watch: Watch,
    now: Now,
}

/// What one packet did.
#[derive(Debug, PartialEq, Eq)]
struct Done {
    refused: Vec<Refusal>,
    dh: u64,
    reports: Vec<Report>,
}

impl Scene {
    fn new(orders: Orders) -> Self {
        let mut watch = Watch::new(orders, START);
        assert_eq!(watch.poll_report(), Some(Report::Ready { generation: 1 }));
        Self { watch, now: START }
    }

    fn datagram(&mut self, from: &str, data: &[u8]) {
        let to = if from.contains(':') { SERVER6 } else { SERVER4 };
        self.watch.handle_packet(&wire::udp(from, to, SPA_PORT, data), self.now);
    }

    /// Takes a datagram and does all the work that it makes.
    fn take(&mut self, from: &str, data: &[u8]) -> Done {
        self.during(|scene| scene.datagram(from, data))
    }

    /// What `act`, and the work that follows, did.
    fn during(&mut self, act: impl FnOnce(&mut Self)) -> Done {
        let before = *self.watch.counters();
        act(self);
        self.work_off();
        let after = *self.watch.counters();
        let counted = |refusal| after.refused.of(refusal) - before.refused.of(refusal);
        let times = |refusal| core::iter::repeat_n(refusal, usize::try_from(counted(refusal)).unwrap());
        Done {
            refused: Refusal::ALL.into_iter().flat_map(times).collect(),
            dh: after.dh - before.dh,
            reports: core::iter::from_fn(|| self.watch.poll_report()).collect(),
        }
    }

    fn work_off(&mut self) {
        while self.watch.has_work() {
            self.watch.work(self.now);
        }
    }
}

impl Done {
    /// Nothing but this refusal, for the price of so many DHs.
    fn refused(refusal: Refusal, dh: u64) -> Self {
        Self { refused: [refusal].into(), dh, reports: Vec::new() }
    }

    fn nothing() -> Self {
        Self { refused: Vec::new(), dh: 0, reports: Vec::new() }
    }
}
