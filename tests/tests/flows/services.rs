//! By what names a door can be asked for.

use knock_spa_tests::lab::Echo;

use super::*;

const DOORS: &str = "[door.shell]\nports = ['tcp/22']\naliases = ['login']\n\
                     [door.web]\nports = ['tcp/80', 'tcp/443', 'tcp/8080']\n";

#[test]
fn a_door_is_asked_for_by_its_name_an_alias_a_registered_name_or_a_port() {
    let world = World::new();
    let _services = [22, 80, 443, 8080].map(|port| Echo::tcp(&world.server, port));
    let server = Server::running(&world.server, DOORS);
    let laptop = Laptop::new(&world.laptop, &world.server);
    server.enrol(&laptop, "alice", &["--door", "login", "--door", "web"]);
    for (asked, probe, open) in [
        ("shell", 22, &[22][..]),
        ("login", 22, &[22]),
        ("ssh", 22, &[22]),
        ("web", 80, &[80, 443, 8080]),
        ("http", 80, &[80]),
        ("www", 80, &[80]),
        ("http-alt", 8080, &[8080]),
        ("tcp/443", 443, &[443]),
    ] {
        laptop.run(&format!("open {asked} gw -4 --for 1h --probe {probe}")).ended_with(0);
        for port in [22, 80, 443, 8080] {
            if open.contains(&port) {
                assert_open(&world.laptop, world.server.v4, port);
            } else {
                assert_silent(&world.laptop, world.server.v4, port);
            }
        }
        laptop.run(&format!("close {asked} gw")).ended_with(0);
        until(PATIENCE, "it to be closed", || server.openings().is_empty());
    }
    laptop.run("open imap gw --no-wait").ended_with(0);
    until(PATIENCE, "it to be refused", || server.refused("unauthorised") == 1);
    let run = server.command(&["client", "add", "bob", &laptop.line(), "--door", "http"]).ended_with(65);
    run.said("the configuration has no such door");
}
