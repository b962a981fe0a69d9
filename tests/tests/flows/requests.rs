//! What one packet may ask for: several doors, less than all that is open, more time than policy gives.

use knock_spa_tests::lab::Echo;

use super::*;

/// Two doors with a port each.
const DOORS: &str =
    "[door.ssh]\nports = ['tcp/22']\n[door.web]\nports = ['tcp/8080']\n[door.mail]\nports = ['tcp/25']\n";

/// Services behind two of the doors, and alice, who may open these.
fn two_doors<'w>(world: &'w World, options: &[&str]) -> ([Echo; 2], Server<'w>, Laptop<'w>) {
    let services = [Echo::tcp(&world.server, 22), Echo::tcp(&world.server, 8080)];
    let server = Server::running(&world.server, DOORS);
    let laptop = Laptop::new(&world.laptop, &world.server);
    server.enrol(&laptop, "alice", &[&["--door", "ssh", "--door", "web"], options].concat());
    (services, server, laptop)
}

/// The openings, as door and address, in order.
fn open(server: &Server<'_>) -> Vec<(String, String)> {
    let openings = server.openings().into_iter();
    let mut open: Vec<_> = openings.map(|opening| (opening.door, opening.address)).collect();
    open.sort();
    open
}

fn pairs(openings: &[(&str, &str)]) -> Vec<(String, String)> {
    openings.iter().map(|(door, address)| ((*door).to_owned(), (*address).to_owned())).collect()
}

#[test]
fn one_packet_opens_several_doors_in_both_families() {
    let world = World::new();
    let (_services, server, laptop) = two_doors(&world, &[]);
    let run = laptop.run("open ssh,web gw --probe 22 --wait 8s").ended_with(0);
    run.said("tcp/22 answers (");
    let counters = await_packet(&server, 1);
    assert_eq!(counters.key_agreements, 1);
    let [v4, v6] = ["192.0.2.2", "2001:db8:1::2"];
    assert_eq!(open(&server), pairs(&[("ssh", v4), ("ssh", v6), ("web", v4), ("web", v6)]));
    for ip in world.server.addresses() {
        for port in [22, 8080] {
            assert_open(&world.laptop, ip, port);
            assert_silent(&world.stranger, ip, port);
        }
        assert_silent(&world.laptop, ip, 25);
    }
}

#[test]
fn one_thing_too_much_opens_nothing() {
    let world = World::new();
    let (_services, server, laptop) = two_doors(&world, &[]);
    for services in ["ssh,mail", "ssh,tcp/25", "ssh,no-such-door"] {
        laptop.run(&format!("open {services} gw --no-wait")).ended_with(0);
    }
    await_packets(&server, 3);
    assert_eq!((server.refused("unauthorised"), open(&server)), (3, Vec::new()));
    assert_silent(&world.laptop, world.server.v4, 22);
}

#[test]
fn some_are_closed_and_the_others_stay() {
    let world = World::new();
    let (_services, server, laptop) = two_doors(&world, &[]);
    laptop.run("open ssh,web gw -4 --probe 22 --for 1h").ended_with(0);
    let report = laptop.run("close web gw --json").ended_with(0).out;
    let report: serde_json::Value = serde_json::from_str(&report).unwrap();
    assert_eq!((&report["services"][0], &report["outcome"]), (&"web".into(), &"sent".into()), "{report}");
    until(PATIENCE, "the door web to close", || open(&server) == pairs(&[("ssh", "192.0.2.2")]));
    let ip = world.server.v4;
    assert_silent(&world.laptop, ip, 8080);
    assert_open(&world.laptop, ip, 22);
    // A port is closed by its number as well.
    laptop.run("close tcp/22 gw").ended_with(0);
    until(PATIENCE, "the port to close", || open(&server).is_empty());
    assert_silent(&world.laptop, ip, 22);
}

/// Gives the laptop another address for IPv4.
fn move_to(world: &World, old: &str, new: &str) {
    world.laptop.sh(&format!("ip addr del {old}/24 dev eth0\n ip addr add {new}/24 dev eth0"));
}

#[test]
fn who_has_moved_closes_what_the_old_address_has_open() {
    let world = World::new();
    let (_services, server, laptop) = two_doors(&world, &[]);
    laptop.run("open ssh,web gw -4 --probe 22 --for 1h").ended_with(0);
    move_to(&world, "192.0.2.2", "192.0.2.9");
    laptop.run("open ssh gw -4 --for 1h").ended_with(0);
    let [old, new] = ["192.0.2.2", "192.0.2.9"];
    assert_eq!(open(&server), pairs(&[("ssh", old), ("ssh", new), ("web", old)]));
    laptop.run("close ssh gw -4").ended_with(0);
    until(PATIENCE, "ssh to close for both addresses", || open(&server) == pairs(&[("web", old)]));
    for address in [world.laptop.v4, new.parse().unwrap()] {
        assert_eq!(left(&server, address, "tcp/22"), None, "{address}");
    }
    laptop.run("close gw -4").ended_with(0);
    until(PATIENCE, "all to close", || open(&server).is_empty());
    assert_eq!(server.guard().unwrap().open, []);
}

#[test]
fn a_client_s_own_limit_caps_the_door_s() {
    let world = World::new();
    let (_services, server, laptop) = two_doors(&world, &["--max-open", "2m"]);
    laptop.run("open ssh,web gw -4 --probe 22 --for 1h").ended_with(0);
    for port in ["tcp/22", "tcp/8080"] {
        let left = left(&server, world.laptop.v4, port).unwrap().unwrap();
        assert!(left <= Duration::from_mins(2) && left > Duration::from_secs(100), "{left:?} for {port}");
    }
}

#[test]
fn an_address_that_is_named_is_one_s_own_in_every_mode() {
    let world = World::new();
    let (_services, server, laptop) = two_doors(&world, &["--address", "match"]);
    let [v4, v6] = world.laptop.addresses();
    laptop
        .run(&format!("open ssh gw --source {v4},{v6} -v"))
        .ended_with(0)
        .said(&format!("{v4} and {v6}, as --source says"));
    laptop
        .run("open web gw -4 --probe 8080 -v")
        .ended_with(0)
        .said("192.0.2.2: this machine's own, and global");
    await_packet(&server, 2);
    laptop.run("open web gw -4 --no-wait --source sender -v").ended_with(0).said("sender, as --source says");
    laptop.run("open web gw -4 --no-wait --source 192.0.2.77").ended_with(0);
    await_packets(&server, 4);
    assert_eq!(server.refused("unauthorised"), 2);
}
