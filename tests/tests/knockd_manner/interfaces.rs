//! Interfaces and addresses come and go, and the daemon follows.

use std::net::IpAddr;

use knock_spa_tests::lab::{PATIENCE, until};

use crate::scene::{Scene, door};

/// A door, and another that is there to show that all before it was seen.
fn doors() -> String {
    door("ssh", "7000,8000", "cmd_timeout = 600") + &door("end", "7009,8009", "cmd_timeout = 600")
}

fn ip(text: &str) -> IpAddr {
    text.parse().unwrap()
}

/// Knocks at an address until that opens, as somebody new each time; who it was that came in.
#[track_caller]
fn awaits_opening(scene: &Scene, network: &str, to: &str) -> String {
    let mut host = 19;
    until(PATIENCE, &format!("{to} to be listened at"), || {
        host = if host < 250 { host + 1 } else { 20 };
        let from = format!("{network}.{host}");
        scene.knock_at(ip(&from), ip(to), "7000 8000");
        scene.notes().iter().any(|note| note.starts_with(&format!("ssh start {network}.")))
    });
    scene.notes().pop().unwrap()
}

/// Knocks at an address; whether that opens, which is known once a knock elsewhere has.
#[track_caller]
fn opens(scene: &Scene, from: &str, to: &str, elsewhere: (&str, &str)) -> bool {
    scene.knock_at(ip(from), ip(to), "7000 8000");
    scene.knock_at(ip(elsewhere.0), ip(elsewhere.1), "7009 8009");
    let opened = |from: &str, door: &str| scene.read("log").contains(&format!("{from}: {door}: OPEN SESAME"));
    until(PATIENCE, &format!("{} to open", elsewhere.0), || opened(elsewhere.0, "end"));
    opened(from, "ssh")
}

/// Makes packets to an address that the server has or has not get to its interface.
fn lead_to_server(scene: &Scene, name: &str, address: &str) {
    let line = scene.server.run(&format!("ip -o link show dev {name}"));
    let own = line.split("link/ether ").nth(1).unwrap().split(' ').next().unwrap();
    scene.laptop.run(&format!("ip neigh replace {address} lladdr {own} dev {name} nud permanent"));
}

#[test]
fn an_interface_that_is_missing_is_awaited() {
    let scene = Scene::bare(&doors());
    let mut daemon = scene.start(&["-i", "eth7"]);
    assert!(daemon.running.output().contains("interface-missing"), "{}", daemon.running.output());
    assert!(scene.read("log").contains("starting up, listening on eth7"));
    scene.lay_cable("eth7", "192.0.2", "2001:db8:1:");
    awaits_opening(&scene, "192.0.2", "192.0.2.1");
    assert!(!daemon.running.has_ended());
}

#[test]
fn an_interface_that_is_down_is_awaited() {
    let scene = Scene::new(&doors());
    scene.server.run("ip link set eth0 down");
    let _daemon = scene.start(&[]);
    scene.server.run("ip link set eth0 up");
    scene.await_carrier("eth0");
    scene.flush("192.0.2.10", "7000 8000", "ssh start 192.0.2.10");
    // And again while it runs.
    scene.server.run("ip link set eth0 down");
    scene.server.run("ip link set eth0 up");
    scene.await_carrier("eth0");
    scene.flush("192.0.2.11", "7000 8000", "ssh start 192.0.2.11");
}

#[test]
fn an_interface_that_is_made_anew_is_listened_to_again() {
    let scene = Scene::new(&doors());
    let mut daemon = scene.start(&[]);
    scene.flush("192.0.2.10", "7000 8000", "ssh start 192.0.2.10");
    scene.server.run("ip link delete eth0");
    daemon.running.await_output("interface-missing");
    scene.lay_cable("eth0", "198.51.100", "2001:db8:1:");
    awaits_opening(&scene, "198.51.100", "198.51.100.1");
    assert!(!daemon.running.has_ended());
}

#[test]
fn an_interface_that_was_renamed_under_it_is_another_one() {
    let scene = Scene::new(&doors());
    let mut daemon = scene.start(&[]);
    scene.server.sh("ip link set eth0 down; ip link set eth0 name old0; ip link set old0 up");
    daemon.running.await_output("interface-missing");
    scene.lay_cable("eth1", "198.51.100", "2001:db8:2:");
    scene.server.sh("ip link set eth1 down; ip link set eth1 name eth0; ip link set eth0 up");
    scene.await_carrier("eth0");
    awaits_opening(&scene, "198.51.100", "198.51.100.1");
}

#[test]
fn addresses_that_come_and_go_are_followed() {
    let scene = Scene::new(&doors());
    let mut daemon = scene.start(&[]);
    lead_to_server(&scene, "eth0", "192.0.2.9");
    let opens = |from: &str, end: &str| opens(&scene, from, "192.0.2.9", (end, "192.0.2.1"));
    assert!(!opens("192.0.2.10", "192.0.2.100"), "it is not ours yet");
    let listened = |before: usize, daemon: &crate::daemon::Daemon<'_>| {
        until(PATIENCE, "the change to be noticed", || daemon.listened() > before);
    };
    let before = daemon.listened();
    scene.server.run("ip addr add 192.0.2.9/24 dev eth0");
    listened(before, &daemon);
    assert!(opens("192.0.2.11", "192.0.2.101"));
    let before = daemon.listened();
    scene.server.run("ip addr del 192.0.2.9/24 dev eth0");
    listened(before, &daemon);
    assert!(!opens("192.0.2.12", "192.0.2.102"), "it is ours no more");
    assert!(!daemon.running.has_ended());
}

#[test]
fn an_interface_without_addresses_gets_one() {
    // The other door says itself at which address it is knocked.
    let scene = Scene::new(&format!("{}Target = 192.0.2.1\n", doors()));
    scene.server.run("ip addr flush dev eth0");
    let daemon = scene.start(&[]);
    lead_to_server(&scene, "eth0", "192.0.2.1");
    assert!(!opens(&scene, "192.0.2.10", "192.0.2.1", ("192.0.2.100", "192.0.2.1")), "it has no address");
    let before = daemon.listened();
    scene.server.run("ip addr add 192.0.2.1/24 dev eth0");
    until(PATIENCE, "the address to be noticed", || daemon.listened() > before);
    scene.flush("192.0.2.11", "7000 8000", "ssh start 192.0.2.11");
}

#[test]
fn a_label_is_its_addresses_and_the_plain_name_those_without() {
    for (name, ours, others) in [("venet0:0", "192.0.2.1", "192.0.2.9"), ("venet0", "192.0.2.9", "192.0.2.1")]
    {
        let scene = Scene::bare(&doors());
        scene.lay_cable("venet0", "203.0.113", "2001:db8:1:");
        scene.server.sh("ip addr del 203.0.113.1/24 dev venet0
             ip addr add 192.0.2.1/24 dev venet0 label venet0:0
             ip addr add 192.0.2.9/24 dev venet0");
        scene.laptop.run("ip addr add 192.0.2.2/24 dev venet0");
        let _daemon = scene.start(&["-i", name]);
        assert!(scene.read("log").contains(&format!("listening on {name}")));
        assert!(!opens(&scene, "192.0.2.10", others, ("192.0.2.100", ours)), "{name}");
        assert!(opens(&scene, "192.0.2.11", ours, ("192.0.2.101", ours)), "{name}");
    }
}

#[test]
fn several_interfaces_are_listened_to() {
    let scene = Scene::new(&doors());
    scene.lay_cable("eth1", "198.51.100", "2001:db8:2:");
    scene.lay_cable("eth2", "203.0.113", "2001:db8:3:");
    let _daemon = scene.start(&["-i", "eth0,eth1,eth9"]);
    assert!(opens(&scene, "192.0.2.10", "192.0.2.1", ("192.0.2.100", "192.0.2.1")));
    assert!(opens(&scene, "198.51.100.10", "198.51.100.1", ("198.51.100.100", "198.51.100.1")));
    assert!(
        !opens(&scene, "203.0.113.10", "203.0.113.1", ("192.0.2.101", "192.0.2.1")),
        "eth2 was not named"
    );
    scene.lay_cable("eth9", "198.18.0", "2001:db8:9:");
    awaits_opening(&scene, "198.18.0", "198.18.0.1");
}

#[test]
fn any_is_every_interface_that_there_is_or_will_be() {
    let scene = Scene::new(&doors());
    let daemon = scene.start(&["-i", "any"]);
    assert!(opens(&scene, "192.0.2.10", "192.0.2.1", ("192.0.2.100", "192.0.2.1")));
    let before = daemon.listened();
    scene.lay_cable("eth1", "198.51.100", "2001:db8:2:");
    until(PATIENCE, "the address to be noticed", || daemon.listened() > before);
    awaits_opening(&scene, "198.51.100", "198.51.100.1");
    scene.server.run(&format!("{} -4 127.0.0.1 7000 8000", knock(&scene)));
    scene.await_note("ssh start 127.0.0.1");
}

#[test]
fn loopback_can_be_listened_to() {
    let scene = Scene::new(&doors());
    let _daemon = scene.start(&["-i", "lo"]);
    scene.server.run(&format!("{} -6 ::1 7000 8000", knock(&scene)));
    scene.await_note("ssh start ::1");
    assert_eq!(scene.notes().len(), 1, "each packet counts once");
}

#[test]
fn without_eth0_it_is_the_interface_of_the_default_route() {
    let scene = Scene::bare(&doors());
    scene.lay_cable("lan0", "198.51.100", "2001:db8:2:");
    scene.lay_cable("wan0", "192.0.2", "2001:db8:1:");
    scene.server.run("ip route add default via 192.0.2.2");
    let _daemon = scene.start(&[]);
    assert!(scene.read("log").contains("starting up, listening on wan0"), "{}", scene.read("log"));
    scene.flush("192.0.2.10", "7000 8000", "ssh start 192.0.2.10");
}

/// Our client under the name of knockd's.
fn knock(scene: &Scene) -> String {
    let link = scene.path("knock");
    std::os::unix::fs::symlink(knock_spa_tests::programs::knock_spa(), &link).unwrap();
    format!("{} -d 5", link.display())
}
