//! One packet opens a door, for one address.

use knock_spa_tests::lab::{Echo, Session};
use knock_spa_tests::server::DEFAULT;
use serde_json::Value;

use super::*;

#[test]
fn one_packet_opens_both_families_for_the_laptop_alone() {
    let world = World::new();
    let _service = Echo::tcp(&world.server, 22);
    world.laptop.sh("ip addr add 192.0.2.3/24 dev eth0
         ip addr add 2001:db8:1::3/64 dev eth0 nodad preferred_lft 0");
    let neighbours = ["192.0.2.3", "2001:db8:1::3"].map(|ip| ip.parse::<IpAddr>().unwrap());
    let (server, laptop) = enrolled(&world, DEFAULT);
    for ip in world.server.addresses() {
        assert_silent(&world.laptop, ip, 22);
    }
    let run = laptop.run("open ssh gw --json").ended_with(0);
    let report: Value = serde_json::from_str(&run.out).unwrap();
    assert_eq!((&report["outcome"], &report["packets"]), (&"answers".into(), &1.into()), "{report}");
    for (ip, neighbour) in world.server.addresses().into_iter().zip(neighbours) {
        assert_open(&world.laptop, ip, 22);
        assert_silent(&world.stranger, ip, 22);
        let to = SocketAddr::new(ip, 22);
        assert_eq!(world.laptop.connect_from(neighbour, to, SILENCE), Answer::Silent, "from {neighbour}");
    }
    let status = server.status();
    let mut open: Vec<_> =
        status.openings.iter().map(|opening| (opening.address.as_str(), opening.by.as_str())).collect();
    open.sort_unstable();
    assert_eq!(open, [("192.0.2.2", "alice"), ("2001:db8:1::2", "alice")]);
    assert_eq!((status.counters.accepted, status.counters.key_agreements), (1, 1));
}

#[test]
fn one_family_where_that_is_asked_for() {
    let world = World::new();
    let _service = Echo::tcp(&world.server, 22);
    let (server, laptop) = enrolled(&world, DEFAULT);
    let [v4, v6] = world.server.addresses();
    for (option, open, shut) in [("-4", v4, v6), ("-6", v6, v4)] {
        laptop.run(&format!("open ssh gw {option}")).ended_with(0).said("ssh answers (");
        assert_open(&world.laptop, open, 22);
        for client in [&world.laptop, &world.stranger] {
            assert_silent(client, shut, 22);
        }
        assert_silent(&world.stranger, open, 22);
        server.command(&["close", "ssh"]).ended_with(0).said("ssh: 1 opening closed");
        assert_silent(&world.laptop, open, 22);
    }
}

#[test]
fn where_the_own_address_is_private_the_packet_s_counts() {
    let world = World::new();
    let _service = Echo::tcp(&world.server, 22);
    // Between them is a NAT: the server sees the address of its other side.
    let server = Server::running(&world.stranger, DEFAULT);
    let _target = Echo::tcp(&world.stranger, 22);
    world.server.sh("nft add table ip nat
         nft 'add chain ip nat post { type nat hook postrouting priority 100 ; }'
         nft add rule ip nat post oifname to-stranger masquerade");
    let laptop = Laptop::new(&world.inner, &world.stranger);
    server.enrol(&laptop, "alice", &["--door", "ssh"]);
    let run = laptop.run("open ssh gw -4 --json").ended_with(0);
    let report: Value = serde_json::from_str(&run.out).unwrap();
    assert_eq!((&report["outcome"], &report["address"]["sender"]), (&"answers".into(), &true.into()));
    assert_eq!(server.openings()[0].address, "198.51.100.1");
    assert_open(&world.inner, world.stranger.v4, 22);
}

#[test]
fn the_lease_is_what_was_asked_for_within_bounds() {
    let world = World::new();
    let (server, laptop) = enrolled(&world, DEFAULT);
    for (option, seconds) in [("", 60), ("--for 2m", 120), ("--for 1d", 3600)] {
        laptop.run(&format!("open ssh gw --no-wait {option}")).ended_with(0);
        until(PATIENCE, "the lease to be that long", || {
            server.openings().first().and_then(|opening| opening.left) > Some(seconds - 20)
        });
        for ip in world.laptop.addresses() {
            let left = left(&server, ip, "tcp/22").unwrap().unwrap().as_secs_f64();
            let seconds = f64::from(u32::try_from(seconds).unwrap());
            assert!(left <= seconds && left > seconds - 20.0, "{left} of {seconds} for {ip}");
        }
    }
}

#[test]
fn opening_again_extends_and_never_shortens() {
    let world = World::new();
    let (server, laptop) = enrolled(&world, DEFAULT);
    let mut accepted = 0;
    let mut open = |span: &str| {
        laptop.run(&format!("open ssh gw --no-wait --for {span}")).ended_with(0);
        accepted += 1;
        until(PATIENCE, "the packet to be accepted", || server.status().counters.accepted == accepted);
        world.laptop.addresses().map(|ip| left(&server, ip, "tcp/22").unwrap().unwrap())
    };
    let first = open("60s");
    let longer = open("30m");
    let shorter = open("5s");
    for ((first, longer), shorter) in first.into_iter().zip(longer).zip(shorter) {
        assert!(longer > first + Duration::from_secs(1600), "{first:?} {longer:?}");
        assert!(shorter + Duration::from_secs(20) > longer, "{longer:?} {shorter:?}");
    }
    assert_eq!(server.openings().len(), 2, "one opening for each address, however often it was asked for");
    assert_eq!(server.guard().unwrap().open.len(), 2);
}

#[test]
fn an_opening_may_be_for_somebody_else() {
    let world = World::new();
    let _service = Echo::tcp(&world.server, 22);
    let (_server, laptop) = enrolled(&world, DEFAULT);
    let [v4, v6] = world.stranger.addresses();
    let run = laptop.run(&format!("open ssh gw --source {v4}")).ended_with(69);
    run.said("it is for somebody else's address").said("--no-wait");
    let [to4, to6] = world.server.addresses();
    assert_open(&world.stranger, to4, 22);
    assert_silent(&world.stranger, to6, 22);
    laptop.run(&format!("open ssh gw --no-wait --source {v4},{v6}")).ended_with(0);
    until(PATIENCE, "the other family to open", || {
        world.stranger.connect(SocketAddr::new(to6, 22), SILENCE) == Answer::Open
    });
    for ip in [to4, to6] {
        assert_silent(&world.laptop, ip, 22);
    }
}

#[test]
fn close_ends_one_s_own_openings_at_once() {
    let world = World::new();
    let _service = Echo::tcp(&world.server, 22);
    let (server, alice) = enrolled(&world, DEFAULT);
    let bob = Laptop::new(&world.laptop, &world.server);
    server.enrol(&bob, "bob", &["--door", "ssh"]);
    let [v4, v6] = world.server.addresses();
    alice.run("open ssh gw --for 1h").ended_with(0);
    bob.run("open ssh gw -4 --for 1h").ended_with(0);
    alice.run("close ssh gw").ended_with(0).said("asked");
    until(PATIENCE, "alice's openings to end", || {
        server.openings().iter().all(|opening| opening.by == "bob")
    });
    assert_silent(&world.laptop, v6, 22);
    assert_open(&world.laptop, v4, 22);
    bob.run("close gw").ended_with(0);
    until(PATIENCE, "bob's opening to end", || server.openings().is_empty());
    assert_silent(&world.laptop, v4, 22);
}

#[test]
fn the_administrator_closes_whose_they_like() {
    let world = World::new();
    let _service = Echo::tcp(&world.server, 22);
    let (server, laptop) = enrolled(&world, DEFAULT);
    let [v4, v6] = world.server.addresses();
    laptop.run("open ssh gw --for 1h").ended_with(0);
    server.command(&["close", "ssh", "192.0.2.77"]).ended_with(0).said("ssh: 0 openings closed");
    server.command(&["close", "ssh", "192.0.2.2"]).ended_with(0).said("ssh: 1 opening closed");
    assert_silent(&world.laptop, v4, 22);
    assert_open(&world.laptop, v6, 22);
    server.command(&["close", "web"]).ended_with(65).said("no door is named web");
    server.command(&["close", "ssh"]).ended_with(0).said("ssh: 1 opening closed");
    assert_silent(&world.laptop, v6, 22);
}

#[test]
fn a_session_outlives_the_lease_and_nothing_new_comes_in() {
    let world = World::new();
    let _service = Echo::tcp(&world.server, 22);
    let (server, laptop) = enrolled(&world, DEFAULT);
    laptop.run("open ssh gw --for 2s").ended_with(0);
    let sessions = world.server.addresses().map(|ip| Session::open(&world.laptop, SocketAddr::new(ip, 22)));
    until(PATIENCE, "the lease to end", || server.openings().is_empty());
    for (mut session, ip) in sessions.into_iter().zip(world.server.addresses()) {
        assert_silent(&world.laptop, ip, 22);
        assert!(session.echoes(PATIENCE));
    }
    assert_eq!(server.guard().unwrap().open, []);
}

#[test]
fn ports_and_doors_open_as_named() {
    let world = World::new();
    let _services = (
        [Echo::tcp(&world.server, 22), Echo::tcp(&world.server, 8080), Echo::tcp(&world.server, 2222)],
        Echo::udp(&world.server, 53),
    );
    let doors = "[door.ssh]\nports = ['tcp/22', 'tcp/2222']\n[door.web]\nports = ['tcp/8080']\n\
                 [door.names]\nports = ['udp/53']\n";
    let (server, laptop) = enrolled(&world, doors);
    server.command(&["client", "remove", "alice"]).ended_with(0);
    server.enrol(&laptop, "alice", &["--door", "ssh", "--door", "names", "--service", "tcp/8080"]);
    let ip = world.server.v4.into();
    let dns = SocketAddr::new(ip, 53);
    assert_eq!(world.laptop.ask_udp(dns, SILENCE), Answer::Silent);

    laptop.run("open tcp/2222 gw -4").ended_with(0).said("tcp/2222 answers");
    assert_silent(&world.laptop, ip, 22);
    laptop.run("open ssh,tcp/8080 gw -4").ended_with(0).said("ssh answers").said("tcp/8080 answers");
    laptop.run("open web gw -4").ended_with(69).said("no TCP port is known").said("--probe PORT");
    laptop.run("open web gw -4 --probe 8080").ended_with(0).said("tcp/8080 answers");
    laptop.run("open names gw -4 --no-wait").ended_with(0);
    until(PATIENCE, "the UDP door to open", || world.laptop.ask_udp(dns, SILENCE) == Answer::Open);
    assert_eq!(world.stranger.ask_udp(dns, SILENCE), Answer::Silent);
    for port in [22, 8080, 2222] {
        assert_silent(&world.stranger, ip, port);
    }
}

#[test]
fn packets_that_another_firewall_drops_are_seen() {
    let world = World::new();
    let _service = Echo::tcp(&world.server, 22);
    world.server.sh("nft add table inet filter
         nft 'add chain inet filter pre { type filter hook prerouting priority -300 ; }'
         nft add rule inet filter pre meta l4proto udp drop");
    let (_server, laptop) = enrolled(&world, DEFAULT);
    laptop.run("open ssh gw -4").ended_with(0).said("ssh answers (");
    laptop.run("open ssh gw -6").ended_with(0).said("ssh answers (");
}

#[test]
fn a_command_runs_once_the_port_answers() {
    let world = World::new();
    let _service = Echo::tcp(&world.server, 22);
    let (_server, laptop) = enrolled(&world, DEFAULT);
    let run = laptop.run_words(&["open", "ssh", "gw", "--", "sh", "-c", "echo it runs; exit 7"]);
    assert_eq!(run.ended_with(7).out, "it runs\n");
}

#[test]
fn an_open_door_without_a_service_is_told_from_a_shut_one() {
    let world = World::new();
    let (_server, laptop) = enrolled(&world, DEFAULT);
    laptop.run("open ssh gw --wait 1s").ended_with(69).said("ssh is not shut, but nothing listens there");
}
