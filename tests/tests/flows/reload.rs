//! Changes reach the daemon that runs: configuration, clients, interfaces and addresses.

use std::net::Ipv4Addr;

use knock_spa_proto::spa::PACKET_LEN;
use knock_spa_proto::spa::request::Addresses;
use knock_spa_tests::lab::{Echo, Session};
use knock_spa_tests::laptop::{now, open};
use knock_spa_tests::server::{DEFAULT, NAME};
use rustix::process::Signal;

use super::*;

const WEB: &str = "[door.web]\nports = ['tcp/8080']\n";

/// Has the daemon read this configuration.
fn reconfigure(server: &mut Server<'_>, configuration: &str) {
    server.configure(configuration);
    server.command(&["reload"]).ended_with(0).said("the configuration and the clients are read again");
    server.await_ready();
}

#[test]
fn doors_come_and_go() {
    let world = World::new();
    let _services = [Echo::tcp(&world.server, 22), Echo::tcp(&world.server, 8080)];
    let ip = world.server.v4;
    let (mut server, laptop) = enrolled(&world, DEFAULT);
    server.command(&["client", "remove", "alice"]).ended_with(0);
    server.enrol(&laptop, "alice", &["--door", "ssh", "--service", "tcp/8080"]);
    laptop.run("open ssh gw --for 1h").ended_with(0);
    assert_open(&world.stranger, ip, 8080);

    reconfigure(&mut server, &format!("{DEFAULT}{WEB}"));
    assert_silent(&world.stranger, ip, 8080);
    laptop.run("open tcp/8080 gw --for 1h").ended_with(0);
    assert_open(&world.laptop, ip, 22);
    assert_eq!(server.openings().len(), 4);

    reconfigure(&mut server, WEB);
    assert!(server.openings().iter().all(|opening| opening.door == "web"));
    assert_open(&world.stranger, ip, 22);
    assert_silent(&world.stranger, ip, 8080);
    assert_open(&world.laptop, ip, 8080);

    // A door that comes back is shut again, for whoever had it open as well.
    reconfigure(&mut server, &format!("{DEFAULT}{WEB}"));
    assert_silent(&world.laptop, ip, 22);
    // Without any door there is no guard.
    reconfigure(&mut server, "");
    assert_eq!((server.guard(), server.openings()), (None, vec![]));
    assert_open(&world.stranger, ip, 8080);
}

#[test]
fn a_broken_configuration_changes_nothing_and_says_why() {
    let world = World::new();
    let _service = Echo::tcp(&world.server, 22);
    let (mut server, laptop) = enrolled(&world, DEFAULT);
    laptop.run("open ssh gw --for 1h").ended_with(0);
    let before = (server.status().doors, server.guard().unwrap().doors);
    let same = || {
        assert_open(&world.laptop, world.server.v4, 22);
        assert_silent(&world.stranger, world.server.v4, 22);
    };

    server.configure("[door.ssh]\nports = ['tcp/0']\ncolour = 'red'\n");
    let run = server.command(&["reload"]).ended_with(78);
    run.said("knock-spad.toml:7").said("tcp/0").said("colour");
    server.signal(Signal::HUP);
    server.await_log("reload-failed");
    same();

    // A fault in a client's file comes to light in the daemon.
    server.configure(DEFAULT);
    server.write("state/clients.d/bob.toml", "key = 'rubbish'\n", 0o600);
    let run = server.command(&["reload"]).ended_with(65);
    run.said("bob.toml");
    same();
    assert_eq!((server.status().doors, server.guard().unwrap().doors), before);
    std::fs::remove_file(server.path("state/clients.d/bob.toml")).unwrap();
    server.command(&["reload"]).ended_with(0);
    same();
}

#[test]
fn a_hangup_reads_again_and_leaves_what_is_unchanged() {
    let world = World::new();
    let _service = Echo::tcp(&world.server, 22);
    let door = format!("{DEFAULT}sequence = ['7000', '8000', '9000']\n");
    let (mut server, laptop) = enrolled(&world, &door);
    laptop.run("open ssh gw --for 1h").ended_with(0);
    let stranger = Laptop::new(&world.stranger, &world.server);
    stranger.run(&format!("knock -4 -d 5 {NAME} 7000 8000")).ended_with(0);
    server.configure(&format!("{door}{WEB}"));
    server.signal(Signal::HUP);
    until(PATIENCE, "the new door", || server.status().doors.len() == 2);
    server.await_ready();
    assert_eq!(server.openings().len(), 2);
    assert_open(&world.laptop, world.server.v6, 22);
    // A knock that was begun before goes on.
    stranger.run(&format!("knock -4 {NAME} 9000")).ended_with(0);
    until(PATIENCE, "the knock to be complete", || server.openings().len() == 3);
}

#[test]
fn a_removed_client_is_out_at_once() {
    let world = World::new();
    let _service = Echo::tcp(&world.server, 22);
    let (server, laptop) = enrolled(&world, DEFAULT);
    laptop.run("open ssh gw --for 1h").ended_with(0);
    let mut session = Session::open(&world.laptop, SocketAddr::new(world.server.v4.into(), 22));
    server.command(&["client", "remove", "alice"]).ended_with(0).said("removed client alice");
    assert_eq!((server.openings(), server.status().clients), (vec![], 0));
    for ip in world.server.addresses() {
        assert_silent(&world.laptop, ip, 22);
    }
    assert!(session.echoes(PATIENCE), "what was let in stays");
    laptop.run("open ssh gw --wait 1s").ended_with(69).said("knock-spad status");
    until(PATIENCE, "the refusal", || server.refused("unknown-client") >= 1);
    // Whoever comes back does so with all that is remembered.
    let request = open("ssh", Addresses::NONE.with_sender(), 0);
    let from = world.laptop.v4.into();
    let packet = laptop.seal(&server.key(), now(), &request);
    server.enrol(&laptop, "alice", &["--door", "ssh"]);
    laptop.run("open ssh gw").ended_with(0);
    laptop.send(&packet, from, spa_port(&world, from));
    until(PATIENCE, "the older packet to be refused", || server.refused("replayed") == 1);
}

#[test]
fn no_broken_file_of_somebody_else_holds_up_a_removal() {
    let world = World::new();
    let _service = Echo::tcp(&world.server, 22);
    let (mut server, alice) = enrolled(&world, DEFAULT);
    let bob = Laptop::new(&world.stranger, &world.server);
    server.enrol(&bob, "bob", &["--door", "ssh"]);
    alice.run("open ssh gw --for 1h").ended_with(0);
    bob.run("open ssh gw --for 1h").ended_with(0);
    let file = server.path("state/clients.d/bob.toml");
    let text = std::fs::read_to_string(&file).unwrap();
    server.write("state/clients.d/bob.toml", "key = 'rubbish'\n", 0o600);
    server.write("state/clients.d/carol.toml", "rate = 1\n", 0o600);

    let run = server.command(&["client", "remove", "alice"]).ended_with(0);
    run.said("removed client alice").said("bob.toml:1").said("carol.toml:1");
    for ip in world.server.addresses() {
        assert_silent(&world.laptop, ip, 22);
        assert_open(&world.stranger, ip, 22);
    }
    // Who stays is who was, until the file is whole again; also where everything is read.
    assert_eq!(server.status().clients, 1);
    server.command(&["reload"]).ended_with(65).said("bob.toml:1");
    bob.run("open ssh gw --for 1h").ended_with(0);
    std::fs::remove_file(server.path("state/clients.d/carol.toml")).unwrap();

    // Nor does a broken configuration: a file that is removed by hand is a removal too.
    server.write("state/clients.d/bob.toml", &text, 0o600);
    server.command(&["reload"]).ended_with(0);
    server.configure("[door.ssh]\nports = ['tcp/0']\n");
    std::fs::remove_file(&file).unwrap();
    server.signal(Signal::HUP);
    server.await_log("reload-failed");
    for ip in world.server.addresses() {
        assert_silent(&world.stranger, ip, 22);
    }
    server.configure(DEFAULT);
    assert_eq!((server.status().clients, server.openings()), (0, vec![]));
}

#[test]
fn clients_are_enrolled_with_and_without_a_daemon() {
    let world = World::new();
    let _service = Echo::tcp(&world.server, 22);
    let mut server = Server::new(&world.server, DEFAULT);
    let [alice, bob] = [&world.laptop, &world.stranger].map(|host| Laptop::new(host, &world.server));
    server.enrol(&alice, "alice", &["--door", "ssh"]);
    server.start();
    alice.run("open ssh gw").ended_with(0);
    server.enrol(&bob, "bob", &["--door", "ssh"]);
    bob.run("open ssh gw").ended_with(0);
    server.stop();
    server.command(&["client", "remove", "bob"]).ended_with(0);
    assert_open(&world.stranger, world.server.v4, 22);
    server.start();
    assert_silent(&world.stranger, world.server.v4, 22);
    assert_open(&world.laptop, world.server.v4, 22);
}

#[test]
fn addresses_and_interfaces_that_come_later_are_listened_to() {
    let world = World::new();
    let server = Server::running(&world.server, DEFAULT);
    let laptop = Laptop::new(&world.laptop, &world.server);
    server.enrol(&laptop, "alice", &["--door", "ssh", "--rate", "6000/min"]);
    // Each time it asks for another address, so that it is known which packet was heard.
    let mut wanted = (100..=255).map(|last| Ipv4Addr::new(192, 0, 2, last));
    let mut is_heard = |host: &Host, from: &str, to: &str| {
        let (from, to): (IpAddr, IpAddr) = (from.parse().unwrap(), to.parse().unwrap());
        let wanted = wanted.next().unwrap();
        let request = open("ssh", Addresses::NONE.with_v4(wanted).unwrap(), 0);
        // The daemon hears of a change a moment after us: a fresh packet each time, as the client does.
        until(PATIENCE, &format!("a packet to {to} to be heard"), || {
            let packet = laptop.seal(&server.key(), now(), &request);
            host.send_udp(SocketAddr::new(from, 0), SocketAddr::new(to, 62201), &packet);
            server.openings().iter().any(|opening| opening.address == wanted.to_string())
        });
    };
    world
        .server
        .sh("ip addr add 192.0.2.9/24 dev to-laptop; ip addr add 2001:db8:1::9/64 dev to-laptop nodad");
    is_heard(&world.laptop, "192.0.2.2", "192.0.2.9");
    is_heard(&world.laptop, "2001:db8:1::2", "2001:db8:1::9");
    world.server.sh("ip link set to-laptop down; ip link set to-laptop up");
    is_heard(&world.laptop, "192.0.2.2", "192.0.2.1");
    for _ in 0..2 {
        let_in(&world.server, &world.inner);
        is_heard(&world.inner, "203.0.113.2", "203.0.113.1");
        world.server.run("ip link del later0");
    }
}

#[test]
fn only_the_named_interfaces_are_listened_to() {
    only_the_named("packet");
}

#[test]
fn bound_sockets_too_hear_the_named_interfaces_alone() {
    only_the_named("socket");
}

fn only_the_named(capture: &str) {
    let world = World::new();
    let listening =
        |names: &str| format!("{DEFAULT}[listen]\ncapture = '{capture}'\ninterfaces = [{names}]\n");
    let named = listening("'to-laptop', 'later0'");
    let (mut server, laptop) = enrolled(&world, &named);
    let request = open("ssh", Addresses::NONE.with_v4(world.laptop.v4).unwrap(), 0);
    let send = |host: &Host, from: IpAddr, packet: &[u8]| {
        host.send_udp(SocketAddr::new(from, 0), spa_port(&world, from), packet);
    };
    let junk = |host: &Host, from| send(host, from, &[0; PACKET_LEN]);
    let good = |server: &Server<'_>, host: &Host, from| {
        send(host, from, &laptop.seal(&server.key(), now(), &request));
    };
    // How much junk came before the good packet of this number.
    let junk_before = |server: &Server<'_>, accepted| await_packet(server, accepted).refused["junk"];

    world.stranger.addresses().into_iter().for_each(|ip| junk(&world.stranger, ip));
    world.laptop.addresses().into_iter().for_each(|ip| good(&server, &world.laptop, ip));
    assert_eq!(junk_before(&server, 2), 0);
    for _ in 0..2 {
        let before = server.refused("junk");
        let_in(&world.server, &world.inner);
        until(PATIENCE, "a packet through an interface that came later", || {
            let to = "203.0.113.1:62201".parse().unwrap();
            world.inner.send_udp("203.0.113.2:0".parse().unwrap(), to, &[0; PACKET_LEN]);
            server.refused("junk") > before
        });
        world.server.run("ip link del later0");
    }

    // One that goes down and comes up again is listened to as before.
    world.server.sh("ip link set to-laptop down
         ip link set to-laptop up
         ip addr add 2001:db8:1::1/64 dev to-laptop nodad");
    until(PATIENCE, "the cable", || world.server.run("ip -o link show to-laptop").contains("LOWER_UP"));
    good(&server, &world.laptop, world.laptop.v4.into());
    let before = junk_before(&server, 3);
    reconfigure(&mut server, &listening("'to-stranger'"));
    world.laptop.addresses().into_iter().for_each(|ip| junk(&world.laptop, ip));
    world.stranger.addresses().into_iter().for_each(|ip| good(&server, &world.stranger, ip));
    assert_eq!(junk_before(&server, 5), before);
}

/// Lays a cable between a new interface `later0`, 203.0.113.1, and a new one of the other host, 203.0.113.2.
fn let_in(server: &Host, other: &Host) {
    server.sh(&format!(
        "ip link add later0 type veth peer name eth1 netns {}
         ip link set later0 up
         ip addr add 203.0.113.1/24 dev later0",
        other.path()
    ));
    other.sh("ip link set eth1 up; ip addr add 203.0.113.2/24 dev eth1");
}

#[test]
fn the_port_for_packets_can_change() {
    let world = World::new();
    let (mut server, laptop) = enrolled(&world, DEFAULT);
    reconfigure(&mut server, &format!("{DEFAULT}[listen]\nspa-port = 4000\n"));
    let guarded: Vec<_> = server.guard().unwrap().doors.iter().map(|(port, _)| port.to_string()).collect();
    assert_eq!(guarded, ["tcp/22", "udp/4000"]);
    let from = world.laptop.v4.into();
    let request = open("ssh", Addresses::NONE.with_sender(), 0);
    let old = spa_port(&world, from);
    for to in [old, SocketAddr::new(old.ip(), 4000)] {
        laptop.send(&laptop.seal(&server.key(), now(), &request), from, to);
    }
    assert_eq!(await_packet(&server, 1).received, 1);
}
