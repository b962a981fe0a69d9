//! Packets by a bound socket: without the right to capture, on the way that every other program's come.

use std::fs;

use knock_spa_proto::spa::PACKET_LEN;
use knock_spa_proto::spa::request::{Addresses, Open, Request};
use knock_spa_tests::lab::Echo;
use knock_spa_tests::laptop::{now, open};
use knock_spa_tests::server::DEFAULT;
use rustix::process::Pid;

use super::*;

const SOCKET: &str = "[listen]\ncapture = 'socket'\n";

/// The right to capture, as the kernel numbers it (capabilities(7)).
const CAP_NET_RAW: u64 = 13;

fn socket() -> String {
    format!("{DEFAULT}{SOCKET}")
}

/// What the process may do.
fn capabilities(process: Pid) -> u64 {
    let status = fs::read_to_string(format!("/proc/{}/status", process.as_raw_nonzero())).unwrap();
    let line = status.lines().find_map(|line| line.strip_prefix("CapEff:")).unwrap();
    u64::from_str_radix(line.trim(), 16).unwrap()
}

fn guarded(server: &Server<'_>) -> Vec<String> {
    server.guard().unwrap().doors.iter().map(|(port, _)| port.to_string()).collect()
}

#[test]
fn without_the_right_to_capture_doors_open_over_both_families() {
    let world = World::new();
    let _service = Echo::tcp(&world.server, 22);
    let mut server = Server::new(&world.server, &socket());
    server.start_without("-net_raw");
    let laptop = Laptop::new(&world.laptop, &world.server);
    server.enrol(&laptop, "alice", &["--door", "ssh"]);
    assert_eq!(capabilities(server.listener()) & 1 << CAP_NET_RAW, 0);
    assert_eq!(guarded(&server), ["tcp/22"], "the guard lets packets to the socket");
    for (family, ip) in [("-4", world.laptop.v4.into()), ("-6", IpAddr::from(world.laptop.v6))] {
        laptop.run(&format!("open ssh gw {family} --source sender")).ended_with(0);
        assert_open(&world.laptop, world.server.address_like(ip), 22);
        assert!(server.openings().iter().any(|opening| opening.address == ip.to_string()), "{ip}");
    }
    assert_silent(&world.stranger, world.server.v4, 22);
    // The other mode needs that right: the environment is what it should be.
    server.stop();
    server.configure(DEFAULT);
    server.spawn_without("-net_raw");
    let (status, log) = server.wait();
    assert_eq!(status.code(), Some(77), "{log}");
}

#[test]
fn a_container_without_any_capability_runs_commands_for_its_clients() {
    let world = World::new();
    let door = format!(
        "[door.ssh]\nports = ['tcp/22']\n{SOCKET}[door.ssh.action]\n\
         start = ['/bin/sh', '-c', 'echo \"$KNOCK_IP\" >>DIR/opened']\nstop = 'true'\n"
    );
    let mut server = Server::new(&world.server, &door);
    server.start_without("-all");
    let laptop = Laptop::new(&world.laptop, &world.server);
    server.enrol(&laptop, "alice", &["--door", "ssh"]);
    assert_eq!(capabilities(server.listener()), 0);
    laptop.run("open ssh gw -6 --source sender --no-wait").ended_with(0);
    let opened = server.path("opened");
    until(PATIENCE, "the command to run", || fs::read_to_string(&opened).is_ok_and(|text| !text.is_empty()));
    assert_eq!(fs::read_to_string(opened).unwrap(), format!("{}\n", world.laptop.v6));
}

#[test]
fn a_bound_socket_hears_what_is_for_this_machine_and_from_elsewhere() {
    let world = World::new();
    let (server, laptop) = enrolled(&world, &socket());
    let request = |v4| Request::Open(Open::new("ssh".parse().unwrap(), v4, None).unwrap());
    let to_laptop = request(Addresses::NONE.with_v4(world.laptop.v4).unwrap());
    let send = |from: IpAddr, to: IpAddr, host: &Host, packet: &[u8]| {
        host.send_udp(SocketAddr::new(from, 0), SocketAddr::new(to, 62201), packet);
    };
    let good = || laptop.seal(&server.key(), now(), &to_laptop);
    // Through this machine to another, from this machine itself, and of other lengths.
    send(world.stranger.v4.into(), world.inner.v4.into(), &world.stranger, &good());
    send([127, 0, 0, 1].into(), [127, 0, 0, 1].into(), &world.server, &good());
    send(world.server.v4.into(), world.server.v4.into(), &world.server, &good());
    for len in [0, PACKET_LEN - 1, PACKET_LEN + 1] {
        send(world.laptop.v4.into(), world.server.v4.into(), &world.laptop, &vec![0; len]);
    }
    send(world.laptop.v4.into(), world.server.v4.into(), &world.laptop, &[0; PACKET_LEN]);
    send(world.laptop.v4.into(), world.server.v4.into(), &world.laptop, &good());
    let counters = await_packet(&server, 1);
    assert_eq!((counters.received, counters.refused["junk"]), (2, 1), "{counters:?}");
    // Nobody answers, neither we nor the kernel; beside it the kernel does.
    let port = |port| SocketAddr::new(world.server.v4.into(), port);
    assert_eq!(world.laptop.ask_udp(port(62201), SILENCE), Answer::Silent);
    assert_eq!(world.laptop.ask_udp(port(62202), PATIENCE), Answer::Refused);
}

#[test]
fn one_mode_takes_over_from_the_other_and_nothing_opens_twice() {
    let world = World::new();
    let (mut server, laptop) = enrolled(&world, DEFAULT);
    let request = open("ssh", Addresses::NONE.with_sender(), 3600);
    let from = world.laptop.v4.into();
    let send = |packet: &[u8]| laptop.send(packet, from, spa_port(&world, from));
    let first = laptop.seal(&server.key(), now(), &request);
    send(&first);
    let mut accepted = 1;
    await_packet(&server, accepted);
    for (configuration, ports) in [
        (socket(), &["tcp/22"][..]),
        (DEFAULT.into(), &["tcp/22", "udp/62201"]),
        (socket(), &["tcp/22"]),
        (format!("{DEFAULT}{SOCKET}interfaces = ['to-laptop']\n"), &["tcp/22"]),
        (socket(), &["tcp/22"]),
    ] {
        server.configure(&configuration);
        server.command(&["reload"]).ended_with(0);
        server.await_ready();
        assert_eq!(guarded(&server), ports);
        send(&first);
        send(&laptop.seal(&server.key(), now(), &request));
        accepted += 1;
        let counters = await_packet(&server, accepted);
        assert_eq!(counters.refused["duplicate"], accepted - 1);
    }
    assert_eq!(server.status().listener.restarts, 0);
    // Addresses that come later are heard without more ado.
    world.server.sh("ip addr add 192.0.2.9/24 dev to-laptop");
    laptop.send(&laptop.seal(&server.key(), now(), &request), from, "192.0.2.9:62201".parse().unwrap());
    await_packet(&server, accepted + 1);
}

#[test]
fn a_port_that_another_program_has_is_named() {
    let world = World::new();
    let server = Server::new(&world.server, &socket());
    let _other = Echo::udp(&world.server, 62201);
    server.command(&["run"]).ended_with(71).said("another program has udp/62201").said("spa-port");
}
