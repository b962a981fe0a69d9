//! Where it is measured: a network, a directory for what daemons keep, and processors for each side.

use std::thread::available_parallelism;

use knock_spa_tests::classic::{Classic, Doors, Program, own_state};
use knock_spa_tests::flood::Flood;
use knock_spa_tests::lab::World;
use rustix::thread::{CpuSet, sched_setaffinity};
use tempfile::TempDir;

/// The firewall of a machine that lets nobody in: it answers no packet, and costs the same for both.
const SHUT: &str = "add table inet shut; \
     add chain inet shut shut { type filter hook prerouting priority raw; policy accept; }; \
     add rule inet shut shut ip protocol tcp drop";

/// The place of the measurements. Packets are made on the first processor, and daemons run on the others.
pub struct Arena {
    /// The network.
    pub world: World,
    /// What daemons keep.
    _state: TempDir,
}

impl Arena {
    /// Makes it.
    pub fn new() -> Self {
        let state = TempDir::new().expect("a directory");
        own_state(state.path());
        let world = World::new();
        use_processors(|number| number == 0);
        Self { world, _state: state }
    }

    /// Shuts the server by a firewall for as long as `work` goes on.
    pub fn shut<T>(&self, work: impl FnOnce() -> T) -> T {
        self.world.server.run_command(std::process::Command::new("nft").arg(SHUT), "");
        let done = work();
        self.world.server.run("nft delete table inet shut");
        done
    }

    /// A way for packets to the server.
    pub fn flood(&self) -> Flood {
        Flood::new(&self.world.laptop, self.world.server.v4)
    }

    /// Starts what `start` starts on the processors of the daemons.
    pub fn beside<T>(&self, start: impl FnOnce() -> T) -> T {
        use_processors(|number| number > 0);
        let started = start();
        use_processors(|number| number == 0);
        started
    }

    /// A daemon that hears knocks on these doors.
    pub fn ready(&self, program: Program, doors: Doors, more: &str) -> Classic {
        let configuration = doors.configuration(more);
        self.beside(|| Classic::ready(program, &self.world, &configuration, &[]))
    }

    /// The same where it listens to IPv4 alone: with many doors knockd cannot do more.
    pub fn ready_for_ipv4(&self, program: Program, doors: Doors) -> Classic {
        let configuration = doors.configuration("");
        self.beside(|| Classic::ready(program, &self.world, &configuration, &["-4"]))
    }

    /// How many packets the server's capture sockets had no room for.
    pub fn dropped(&self) -> u32 {
        let sockets = self.world.server.run("ss --packet --numeric --memory");
        let dropped =
            sockets.split(",d").skip(1).filter_map(|rest| rest.split_once(')')?.0.parse::<u32>().ok());
        dropped.sum()
    }
}

/// Has this thread run only on some of the processors, where there are several.
fn use_processors(which: impl Fn(usize) -> bool) {
    let count = available();
    if count > 1 {
        let mut set = CpuSet::new();
        (0..count).filter(|number| which(*number)).for_each(|number| set.set(number));
        sched_setaffinity(None, &set).expect("choosing processors");
    }
}

/// How many processors there are, also after this thread has left some of them to others.
fn available() -> usize {
    use std::sync::OnceLock;
    static AVAILABLE: OnceLock<usize> = OnceLock::new();
    *AVAILABLE.get_or_init(|| available_parallelism().map_or(1, usize::from))
}
