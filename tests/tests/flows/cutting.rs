//! Connections that end with what let them in, where the administrator says so.

use std::io::{ErrorKind, Read, Write};
use std::net::{Ipv6Addr, TcpListener, TcpStream, UdpSocket};

use knock_spa_tests::lab::{Echo, Session};

use super::*;

/// Two doors of the guard, each open for an hour.
const DOORS: &str = "[door.ssh]\nports = ['tcp/22']\n[door.web]\nports = ['tcp/8080', 'udp/53']\n";

/// A service of which both ends are in hand.
struct Service(TcpListener);

impl Service {
    fn at(server: &Host, port: u16) -> Self {
        Self(server.enter(|| TcpListener::bind((Ipv6Addr::UNSPECIFIED, port))).unwrap())
    }

    /// A connection with it.
    fn wire(&self, client: &Host, ip: IpAddr) -> Wire {
        let to = SocketAddr::new(ip, self.0.local_addr().unwrap().port());
        let far = client.enter(|| TcpStream::connect_timeout(&to, PATIENCE)).unwrap();
        let from = far.local_addr().unwrap();
        // Others have knocked to see whether it is open.
        let is_it = |near: &TcpStream| {
            let peer = near.peer_addr().unwrap();
            (peer.ip().to_canonical(), peer.port()) == (from.ip(), from.port())
        };
        let near = self.0.incoming().map(Result::unwrap).take(64).find(is_it).unwrap();
        [&near, &far].into_iter().for_each(|end| end.set_nodelay(true).unwrap());
        Wire { near, far }
    }
}

/// A connection: the server's end, and the client's.
struct Wire {
    near: TcpStream,
    far: TcpStream,
}

impl Wire {
    /// Whether what the client says arrives.
    fn carries_in(&mut self, limit: Duration) -> bool {
        carries(&mut self.far, &mut self.near, limit)
    }

    /// Forgets what has come in up to now: while the guard was away, that could.
    fn forget(&mut self) {
        self.near.set_nonblocking(true).unwrap();
        while self.near.read(&mut [0; 64]).is_ok() {}
        self.near.set_nonblocking(false).unwrap();
    }

    /// Whether what the server says arrives.
    fn carries_out(&mut self, limit: Duration) -> bool {
        carries(&mut self.near, &mut self.far, limit)
    }
}

fn carries(from: &mut TcpStream, to: &mut TcpStream, limit: Duration) -> bool {
    from.write_all(b"x").unwrap();
    to.set_read_timeout(Some(limit)).unwrap();
    match to.read(&mut [0; 64]) {
        Ok(len) => len > 0,
        Err(error) if error.kind() == ErrorKind::WouldBlock => false,
        Err(error) => panic!("{error}"),
    }
}

#[track_caller]
fn assert_alive(wires: &mut [Wire]) {
    assert!(wires.iter_mut().all(|wire| wire.carries_in(PATIENCE) && wire.carries_out(PATIENCE)));
}

/// Nothing comes in any more, also where the server speaks, so that connection tracking takes the rest for answers.
#[track_caller]
fn assert_dead(wires: &mut [Wire]) {
    for (number, wire) in wires.iter_mut().enumerate() {
        wire.forget();
        wire.near.write_all(b"x").unwrap();
        assert!(!wire.carries_in(SILENCE), "{number}");
    }
}

/// A running server, whose client alice has both doors open at the laptop, and bob at the stranger's machine.
fn open_to_both(world: &World) -> (Server<'_>, Laptop<'_>) {
    let server = Server::running(&world.server, DOORS);
    let [alice, _] = [("alice", &world.laptop), ("bob", &world.stranger)].map(|(name, host)| {
        let laptop = Laptop::new(host, &world.server);
        server.enrol(&laptop, name, &["--door", "ssh", "--door", "web"]);
        laptop.run("open ssh,web gw --for 1h").ended_with(0);
        laptop
    });
    assert_eq!(server.openings().len(), 8);
    (server, alice)
}

#[test]
fn what_a_client_has_going_dies_when_it_is_cut_off_and_nobody_elses() {
    let world = World::new();
    let [ssh, other] = [22, 2222].map(|port| Service::at(&world.server, port));
    let web = Echo::tcp(&world.server, 8080);
    let (mut server, _) = open_to_both(&world);
    let lay = |service: &Service, host| world.server.addresses().map(|ip| service.wire(host, ip));
    let mut alices = lay(&ssh, &world.laptop);
    let mut bobs = lay(&ssh, &world.stranger);
    let mut unguarded = lay(&other, &world.laptop);
    let mut webs = world.server.addresses().map(|ip| Session::open(&world.laptop, SocketAddr::new(ip, 8080)));
    assert!(webs.iter_mut().all(|session| session.echoes(PATIENCE)));
    assert_alive(&mut alices);

    let run = server.command(&["client", "remove", "alice", "--cut"]).ended_with(0);
    run.said("removed client alice").said("connections cut");
    assert!(alices.iter_mut().all(|wire| wire.carries_out(PATIENCE)), "that is not the guard's");
    assert_dead(&mut alices);
    assert!(webs.iter_mut().all(|session| !session.echoes(SILENCE)), "each of its doors");
    assert_alive(&mut bobs);
    assert_alive(&mut unguarded);

    // The guard is built again: the kernel knows sessions that are older, and they are spared, but not these.
    world.server.sh("nft flush ruleset");
    server.await_log("guard-rebuilt");
    assert_dead(&mut alices);
    server.kill();
    server.start();
    assert_dead(&mut alices);
    assert_alive(&mut bobs);

    // Whoever has the address now opens for it, and what was let in then outlives the opening.
    let laptop = Laptop::new(&world.laptop, &world.server);
    server.enrol(&laptop, "carol", &["--door", "ssh"]);
    laptop.run("open ssh gw --for 1h").ended_with(0);
    let mut carols = lay(&ssh, &world.laptop);
    laptop.run("close ssh gw").ended_with(0);
    until(PATIENCE, "it to be closed", || server.openings().len() == 4);
    assert_alive(&mut carols);
    drop(web);
}

#[test]
fn datagrams_are_cut_off_as_well() {
    let world = World::new();
    let _services = [22, 8080].map(|port| Echo::tcp(&world.server, port));
    let (server, laptop) = open_to_both(&world);
    let talk = |from: &UdpSocket, to: &UdpSocket, at: SocketAddr, limit| {
        from.send_to(b"x", at).unwrap();
        to.set_read_timeout(Some(limit)).unwrap();
        to.recv(&mut [0; 16]).is_ok()
    };
    for ip in world.server.addresses() {
        let at = SocketAddr::new(ip, 53);
        let near = world.server.enter(|| UdpSocket::bind(at)).unwrap();
        let far = SocketAddr::new(world.laptop.address_like(ip), 5353);
        let client = world.laptop.enter(|| UdpSocket::bind(far)).unwrap();
        assert!(talk(&client, &near, at, PATIENCE) && talk(&near, &client, far, PATIENCE));
        server.command(&["close", "web", &far.ip().to_string()]).ended_with(0);
        assert!(talk(&client, &near, at, PATIENCE), "what was let in stays");
        let run = server.command(&["close", "web", &far.ip().to_string(), "--cut"]).ended_with(0);
        run.said("web: 0 openings closed; 0 connections cut");
        assert!(talk(&client, &near, at, PATIENCE), "nothing ended by this");

        laptop.run("open web gw --for 1h --probe 8080").ended_with(0);
        let run = server.command(&["close", "web", &far.ip().to_string(), "--cut"]).ended_with(0);
        run.said("web: 1 opening closed; ").said(" cut");
        assert!(talk(&near, &client, far, PATIENCE));
        assert!(!talk(&client, &near, at, SILENCE), "{ip}");
    }
}

#[test]
fn connections_through_commands_are_cut_once_the_command_has_closed() {
    let world = World::new();
    let ssh = Service::at(&world.server, 22);
    // A firewall of the administrator's own.
    for iptables in ["iptables", "ip6tables"] {
        world.server.sh(&format!(
            "{iptables} -A INPUT -m conntrack --ctstate ESTABLISHED -j ACCEPT
             {iptables} -A INPUT -p tcp --dport 22 -j DROP"
        ));
    }
    let words = |program, verb| {
        format!(
            "['{program}', '{verb}', 'INPUT', '-s', '%IP%', '-p', 'tcp', '--dport', '22', '-j', 'ACCEPT']"
        )
    };
    let action = format!(
        "[door.ssh]\nports = ['tcp/22']\n[door.ssh.action]\nstart = {}\nstop = {}\nstart6 = {}\nstop6 = {}\n",
        words("/usr/sbin/iptables", "-I"),
        words("/usr/sbin/iptables", "-D"),
        words("/usr/sbin/ip6tables", "-I"),
        words("/usr/sbin/ip6tables", "-D"),
    );
    let (mut server, laptop) = enrolled(&world, &action);
    laptop.run("open ssh gw --for 1h").ended_with(0);
    let mut wires = world.server.addresses().map(|ip| ssh.wire(&world.laptop, ip));
    assert_alive(&mut wires);
    let run = server.command(&["client", "remove", "alice", "--cut"]).ended_with(0);
    run.said("2 openings by command").said("the log tells");
    let count = |log: String| log.matches("event=\"cut\"").count();
    until(PATIENCE, "both to be cut", || count(server.log()) == 2);
    assert!(wires.iter_mut().all(|wire| !wire.carries_in(SILENCE)));
    server.await_log("connections=");
}

#[test]
fn where_nothing_can_be_cut_that_is_said() {
    let world = World::new();
    let mut server = Server::new(&world.server, DOORS);
    let laptop = Laptop::new(&world.laptop, &world.server);
    server.enrol(&laptop, "alice", &["--door", "ssh"]);
    let run = server.command(&["client", "remove", "alice", "--cut"]).ended_with(69);
    run.said("removed client alice").said("connections live on: no daemon answers");
    server.start();
    server.command(&["client", "remove", "alice", "--cut"]).ended_with(66);
}

/// Doors whose connections end with the lease: one of the guard, and one of the administrator's own set.
const CUTTING: &str = "[door.ssh]\nports = ['tcp/22']\ncut = true\n\
                       [door.web]\nports = ['tcp/8080']\ncut = true\naction = { set4 = 'ip filter knock4' }\n";

const OWN_RULES: &str = "nft 'table ip filter {
    set knock4 { type ipv4_addr . inet_service; flags timeout; }
    chain input {
        type filter hook input priority 0;
        ct state established accept
        ip saddr . tcp dport @knock4 accept
        tcp dport 8080 drop
    }
}'";

#[test]
fn connections_end_with_the_lease_where_the_door_says_so() {
    let world = World::new();
    let [ssh, web] = [22, 8080].map(|port| Service::at(&world.server, port));
    world.server.sh(OWN_RULES);
    let (mut server, laptop) = enrolled(&world, CUTTING);
    server.command(&["client", "set", "alice", "--door", "web"]).ended_with(0);
    let v4 = IpAddr::from(world.server.v4);
    laptop.run("open ssh gw --for 4s").ended_with(0);
    laptop.run("open web gw -4 --for 4s --probe 8080").ended_with(0);
    let mut guarded = world.server.addresses().map(|ip| ssh.wire(&world.laptop, ip));
    let mut in_set = [web.wire(&world.laptop, v4)];
    assert_alive(&mut guarded);
    assert_alive(&mut in_set);
    until(PATIENCE, "the leases to end", || server.openings().is_empty());
    assert_dead(&mut guarded);
    assert!(!in_set[0].carries_in(SILENCE), "the client speaks first");

    // What ends while nobody is there is cut at the next start.
    laptop.run("open ssh gw -4 --for 5s").ended_with(0);
    let mut late = [ssh.wire(&world.laptop, v4)];
    assert_alive(&mut late);
    server.kill();
    until(PATIENCE, "the kernel to close", || server.guard().is_some_and(|guard| guard.open.is_empty()));
    assert!(late[0].carries_in(PATIENCE), "there is nobody to cut it");
    server.start();
    server.await_log("event=\"cut\"");
    assert_dead(&mut late);

    // Somebody else has the same port open, for longer.
    laptop.run("open ssh gw -4 --for 1h").ended_with(0);
    let mut shared = [ssh.wire(&world.laptop, v4)];
    let other = Laptop::new(&world.laptop, &world.server);
    server.enrol(&other, "bob", &["--door", "ssh"]);
    other.run("open ssh gw -4 --for 1h").ended_with(0);
    laptop.run("close ssh gw").ended_with(0);
    until(PATIENCE, "one to be closed", || server.openings().len() == 1);
    assert_alive(&mut shared);
    other.run("close ssh gw").ended_with(0);
    until(PATIENCE, "both to be closed", || server.openings().is_empty());
    assert_dead(&mut shared);
}
