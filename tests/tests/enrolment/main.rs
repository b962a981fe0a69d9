//! How a device and a server come to know each other: the real programs, from two bare machines to an open door.

mod invitation;
mod passphrase;
mod via_ssh;

use knock_spa_tests::lab::{Echo, World};
use knock_spa_tests::laptop::Laptop;
use knock_spa_tests::programs::Run;
use knock_spa_tests::server::{DEFAULT, Server};

/// A server that runs, with its guard up and something behind tcp/22.
struct Site<'w> {
    server: Server<'w>,
    world: &'w World,
    _service: Echo,
}

impl<'w> Site<'w> {
    fn new(world: &'w World) -> Self {
        let _service = Echo::tcp(&world.server, 22);
        Self { server: Server::running(&world.server, DEFAULT), world, _service }
    }

    fn laptop(&self) -> Laptop<'w> {
        Laptop::new(&self.world.laptop, &self.world.server)
    }

    /// An invitation's line.
    fn invite(&self, name: &str, options: &[&str]) -> String {
        self.server.invite(name, options).to_text().to_string()
    }

    /// The names of the clients that the server knows.
    fn clients(&self) -> Vec<String> {
        self.server.enrolled().into_iter().map(|(name, _)| name).collect()
    }
}

/// `knock-spa enroll` with a line that is pasted.
fn enroll(laptop: &Laptop<'_>, line: &str) -> Run {
    laptop.run_with_input("enroll", line)
}

/// The same, which must see no door open.
fn enroll_in_vain(laptop: &Laptop<'_>, line: &str) -> Run {
    laptop.run_with_input("enroll --wait 2s", line).ended_with(69).said("ssh does not answer within 2 s")
}
