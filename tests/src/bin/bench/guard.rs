//! From the last packet of a knock to the first answer of the service that it opens, at a guarded door of our own
//! manner.

use std::net::Ipv4Addr;
use std::os::fd::OwnedFd;
use std::thread;
use std::time::{Duration, Instant};

use knock_spa_tests::classic::knock;
use knock_spa_tests::flood::{Flood, Hit};
use knock_spa_tests::lab::{Echo, PATIENCE};
use knock_spa_tests::server::Server;
use knock_spad::io::packet_socket::{self, Family};
use rustix::net::{RecvFlags, recv};
use socket2::SockFilter;

use crate::arena::Arena;
use crate::figures::{median, span};
use crate::table::Table;

/// Knocks of which the middle one counts.
const KNOCKS: u8 = 50;

/// How often somebody who has knocked tries to connect.
const TRY_EVERY: Duration = Duration::from_micros(50);

const SERVICE: u16 = 22;
const SEQUENCE: [u16; 3] = [7000, 8000, 9000];
const DOOR: &str = "[door.ssh]\nports = ['tcp/22']\nsequence = ['7000', '8000', '9000']\n";

/// SYN and ACK.
const ACCEPTED: u8 = 0x12;

/// Median time, idle.
pub fn measure(arena: &Arena, table: &mut Table) {
    let _service = Echo::tcp(&arena.world.server, SERVICE);
    // Whoever knocks has an address behind the laptop.
    arena.world.server.run(&format!("ip route add 203.0.113.0/24 via {}", arena.world.laptop.v4));
    let server = arena.beside(|| Server::running(&arena.world.server, DOOR));
    let flood = arena.flood();
    let times = (1..=KNOCKS).map(|number| latency(arena, &flood, Ipv4Addr::new(203, 0, 113, number)));
    let took = median(times.collect());
    drop(server);
    let what = "last packet of a knock to the service's first answer, a guarded door of our own manner, idle";
    table.row(what, "–", &span(took), "");
}

fn latency(arena: &Arena, flood: &Flood, from: Ipv4Addr) -> Duration {
    let [first, second, last] = SEQUENCE;
    let answers = Answers::to(arena, from);
    knock(flood, from, &[first, second]);
    thread::sleep(Duration::from_millis(20));
    let began = Instant::now();
    flood.hit(Hit { from, port: last });
    while began.elapsed() < PATIENCE {
        flood.hit(Hit { from, port: SERVICE });
        let tried = Instant::now();
        // Nobody else wants this processor: sleeping would take longer than what is measured.
        while tried.elapsed() < TRY_EVERY {
            if answers.accepts() {
                return began.elapsed();
            }
        }
    }
    panic!("the door did not open for {from}");
}

/// What comes back to somebody who has knocked, as it arrives at the laptop.
struct Answers {
    socket: OwnedFd,
    to: Ipv4Addr,
}

impl Answers {
    fn to(arena: &Arena, to: Ipv4Addr) -> Self {
        // Everything, whole (BPF_RET).
        let all = SockFilter::new(6, 0, 0, 0xffff);
        let open = || packet_socket::open(Family::Ipv4, None, &[all]);
        Self { socket: arena.world.laptop.enter(open).expect("a capture socket"), to }
    }

    /// Whether a packet has come that accepts a connection.
    fn accepts(&self) -> bool {
        let mut packet = [0; 128];
        let Ok((len, _)) = recv(&self.socket, &mut packet[..], RecvFlags::DONTWAIT) else { return false };
        // The headers have no options before the flags.
        len >= 40 && packet[16..20] == self.to.octets() && packet[33] == ACCEPTED
    }
}
