//! How many openings a door may have.

use knock_spa_tests::lab::Echo;

use super::*;

#[test]
fn a_door_that_is_full_refuses_until_something_closes() {
    let world = World::new();
    let _service = Echo::tcp(&world.server, 22);
    let (server, laptop) = enrolled(&world, "[door.ssh]\nports = ['tcp/22']\nmax-openings = 1\n");
    let bob = Laptop::new(&world.stranger, &world.server);
    server.enrol(&bob, "bob", &["--door", "ssh"]);
    laptop.run("open ssh gw -4").ended_with(0);
    bob.run("open ssh gw -4 --no-wait").ended_with(0);
    until(PATIENCE, "bob to be refused", || server.refused("no-room") == 1);
    assert_silent(&world.stranger, world.server.v4, 22);
    laptop.run("open ssh gw -4 --for 30m").ended_with(0);
    until(PATIENCE, "it to go on", || {
        server.openings().iter().all(|one| one.left.is_some_and(|left| left > 60))
    });
    laptop.run("close ssh gw").ended_with(0);
    until(PATIENCE, "it to be closed", || server.openings().is_empty());
    bob.run("open ssh gw -4").ended_with(0);
    assert_open(&world.stranger, world.server.v4, 22);
}
