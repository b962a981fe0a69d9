//! What the guard lets pass: what is not its business, and whom it trusts.

use knock_spa_tests::lab::{Bridged, Echo, Segment, Session, World};
use knock_spad::nft::{Kept, Ruleset, Trusted, established};

use super::*;

#[test]
fn transit_to_the_port_of_another_machine_is_untouched() {
    let world = World::new();
    let _services =
        [Echo::tcp(&world.server, 22), Echo::tcp(&world.inner, 22), Echo::tcp(&world.stranger, 22)];
    let _guard = guarding(&world.server, &["tcp/22"]);
    for ip in world.inner.addresses() {
        assert_open(&world.laptop, ip, 22);
        assert_open(&world.stranger, ip, 22);
    }
    for ip in world.stranger.addresses() {
        assert_open(&world.inner, ip, 22);
        world.server.enter(|| std::net::TcpStream::connect((ip, 22))).unwrap();
    }
    for ip in world.server.addresses() {
        assert_silent(&world.stranger, ip, 22);
    }
}

/// A switch without addresses has no route to what it passes on: an IPv6 destination is then "unreachable".
#[test]
fn a_bridged_flow_is_untouched() {
    let world = Bridged::new();
    let _services = [Echo::tcp(&world.right, 22), Echo::tcp(&world.left, 22)];
    let mut guard = guarding(&world.switch, &["tcp/22"]);
    for ip in world.right.addresses() {
        assert_open(&world.left, ip, 22);
    }
    for ip in world.left.addresses() {
        assert_open(&world.right, ip, 22);
    }
    assert_eq!(guard.show().unwrap().unwrap().dropped, 0);

    world.switch.sh("ip addr add 192.0.2.1/24 dev br0; ip addr add 2001:db8:1::1/64 dev br0 nodad");
    let _service = Echo::tcp(&world.switch, 22);
    for (own, ip) in [("192.0.2.1", world.right.v4.into()), ("2001:db8:1::1", world.right.v6.into())] {
        assert_open(&world.left, ip, 22);
        assert_silent(&world.left, own.parse().unwrap(), 22);
    }
}

#[test]
fn a_published_port_is_covered() {
    let world = World::new();
    let _service = Echo::tcp(&world.inner, 22);
    world.server.sh(
        "nft add table inet publish
         nft 'add chain inet publish early { type nat hook prerouting priority -180 ; }'
         nft add rule inet publish early ip daddr 192.0.2.1 tcp dport 2222 dnat ip to 10.0.0.2:22
         nft add rule inet publish early ip6 daddr 2001:db8:1::1 tcp dport 2222 dnat ip6 to [2001:db8:3::2]:22",
    );
    for ip in world.server.addresses() {
        assert_open(&world.stranger, ip, 2222);
    }
    let mut guard = guarding(&world.server, &["tcp/2222"]);
    for ip in world.server.addresses() {
        assert_silent(&world.stranger, ip, 2222);
        guard.open(&[(element(world.laptop.address_like(ip), "tcp/2222"), Some(LONG))]).unwrap();
        assert_open(&world.laptop, ip, 2222);
        assert_silent(&world.stranger, ip, 2222);
    }
}

#[test]
fn a_port_published_by_iptables_is_covered() {
    let world = World::new();
    let _service = Echo::tcp(&world.inner, 22);
    world.server.sh("iptables -t nat -A PREROUTING -p tcp --dport 2222 -j DNAT --to-destination 10.0.0.2:22
         ip6tables -t nat -A PREROUTING -p tcp --dport 2222 -j DNAT --to-destination [2001:db8:3::2]:22");
    for ip in world.server.addresses() {
        assert_open(&world.stranger, ip, 2222);
    }
    let _guard = guarding(&world.server, &["tcp/2222"]);
    for ip in world.server.addresses() {
        assert_silent(&world.stranger, ip, 2222);
    }
}

#[test]
fn whom_it_trusts_it_does_not_stop() {
    let world = World::new();
    let _service = Echo::tcp(&world.server, 22);
    let mut guard = guard_of(&world.server);
    let trusting = |trusted: &[&str]| {
        let trusted: Vec<Trusted> = trusted.iter().map(|trusted| trusted.parse().unwrap()).collect();
        Ruleset { trusted, ..shutting(&["tcp/22"]) }
    };
    let cases = [
        (trusting(&["192.0.2.0/25", "2001:db8:1::/63"]), true, false),
        (trusting(&["192.0.2.2", "2001:db8:1::2"]), true, false),
        (trusting(&["192.0.2.3/32", "2001:db8:1::3/128"]), false, false),
        (trusting(&["0.0.0.0/0", "::/0"]), true, true),
        (trusting(&["iif to-stranger"]), false, true),
        (trusting(&["iif to-stranger", "iif absent", "192.0.2.0/24", "2001:db8:1::/64"]), true, true),
        (trusting(&["iif to-strange"]), false, false),
    ];
    for (ruleset, laptop, stranger) in cases {
        guard.install(&ruleset).unwrap();
        assert_eq!(guard.show().unwrap().unwrap().trusted, ruleset.trusted);
        for ip in world.server.addresses() {
            for (client, passes) in [(&world.laptop, laptop), (&world.stranger, stranger)] {
                let expected = if passes { Answer::Open } else { Answer::Silent };
                let limit = if passes { PATIENCE } else { SILENCE };
                let answer = client.connect(SocketAddr::new(ip, 22), limit);
                assert_eq!(answer, expected, "{ip} from {} with {:?}", client.v4, ruleset.trusted);
            }
        }
    }
}

#[test]
fn a_trusted_interface_may_come_later() {
    let world = World::new();
    let _service = Echo::tcp(&world.server, 22);
    let trusted = vec!["iif vpn0".parse().unwrap()];
    guard_of(&world.server).install(&Ruleset { trusted, ..shutting(&["tcp/22"]) }).unwrap();
    world.server.sh("ip link set to-laptop down; ip link set to-laptop name vpn0; ip link set vpn0 up");
    assert_open(&world.laptop, world.server.v4.into(), 22);
    assert_silent(&world.stranger, world.server.v4.into(), 22);
}

#[test]
fn the_machine_reaches_itself() {
    let world = World::new();
    let _service = Echo::tcp(&world.server, 22);
    let _guard = guarding(&world.server, &["tcp/22"]);
    for ip in
        world.server.addresses().into_iter().chain(["127.0.0.1".parse().unwrap(), "::1".parse().unwrap()])
    {
        assert_open(&world.server, ip, 22);
    }
}

#[test]
fn its_own_connections_come_back_whatever_port_they_use() {
    let world = World::new();
    let _service = Echo::tcp(&world.stranger, 80);
    world.server.set("ipv4/ip_local_port_range", "40000 40000");
    let _guard = guarding(&world.server, &["tcp/40000"]);
    for ip in world.stranger.addresses() {
        let mut session = Session::open(&world.server, SocketAddr::new(ip, 80));
        assert_eq!(session.local().port(), 40000);
        assert!(session.echoes(PATIENCE));
    }
}

fn kept_of(world: &World, ruleset: &Ruleset) -> Vec<Kept> {
    let sessions = world.server.enter(|| established(&ruleset.doors)).unwrap();
    sessions.into_iter().map(|session| session.kept).collect()
}

/// Connection tracking was not in use before: the kernel knows nothing of these sessions.
#[test]
fn sessions_older_than_the_guard_live_on() {
    let world = World::new();
    let _service = Echo::tcp(&world.server, 22);
    let mut guard = guard_of(&world.server);
    let ruleset = shutting(&["tcp/22"]);
    let open = |ip: IpAddr| Session::open(&world.laptop, SocketAddr::new(ip, 22));
    let mut spared = world.server.addresses().map(open);
    let kept = kept_of(&world, &ruleset);
    let mut forgotten = world.server.addresses().map(open);

    let mut expected = spared.each_ref().map(|session| Kept {
        client: Address::new(session.local().ip()),
        client_port: session.local().port(),
        port: port("tcp/22").port,
    });
    expected.sort();
    let mut found = kept.clone();
    found.sort();
    assert_eq!(found, expected);

    guard.install(&Ruleset { kept, ..ruleset }).unwrap();
    for session in &mut forgotten {
        assert!(!session.echoes(SILENCE), "a session that was not listed stalls, or this test shows nothing");
    }
    for session in &mut spared {
        assert!(session.echoes(PATIENCE));
    }
    // Another install knows them from connection tracking.
    guard.install(&shutting(&["tcp/22"])).unwrap();
    for session in &mut spared {
        assert!(session.echoes(PATIENCE));
    }
}

#[test]
fn a_kept_session_opens_nothing_to_others() {
    let world = World::new();
    let _service = Echo::tcp(&world.server, 22);
    let mut guard = guard_of(&world.server);
    let sessions = world.server.addresses().map(|ip| Session::open(&world.stranger, SocketAddr::new(ip, 22)));
    let kept = kept_of(&world, &shutting(&["tcp/22"]));
    guard.install(&Ruleset { kept, ..shutting(&["tcp/22", "tcp/23"]) }).unwrap();
    for (session, ip) in sessions.iter().zip(world.server.addresses()) {
        assert_silent(&world.stranger, ip, 22);
        let from = session.local();
        for (from, to, flags) in [
            (SocketAddr::new(from.ip(), from.port() ^ 1), 22, Segment::ACK),
            (from, 23, Segment::ACK),
            (from, 22, Segment::SYN),
        ] {
            let segment = Segment { from, to: SocketAddr::new(ip, to), flags, fragmented: false };
            assert_eq!(world.stranger.answers(&segment, 1), [], "{segment:?}");
        }
    }
}
