//! Whoever sits between client and server: holds packets back, overtakes them, shares the client's address.

use std::net::{IpAddr, SocketAddr};
use std::time::Duration;

use knock_spa_proto::spa::request::Addresses;
use knock_spa_tests::lab::{Answer, Echo, Namespace, PATIENCE, until};
use knock_spa_tests::laptop::{Laptop, now, open};
use rustix::process::Signal;

use crate::scene::{Scene, attack, attack_on, sender, stated};

/// Somebody holds back what the laptop sends, and sends it on from an address of their own: it opens once what the
/// client gave away, and nothing where the client's address mode does not let it give anything away.
#[test]
fn who_is_on_the_way_wins_only_what_a_sender_gives_away() {
    attack(|scene| {
        let [v4, v6] = scene.world.stranger.addresses();
        let stated = stated(scene.world.laptop.v4);
        scene.server.command(&["client", "remove", "alice"]).ended_with(0);
        for (mode, request, opened) in [
            ("sender", sender(), Some("198.51.100.2")),
            ("sender", stated.clone(), Some("192.0.2.2")),
            ("claimed", sender(), None),
            ("claimed", stated.clone(), Some("192.0.2.2")),
            ("match", sender(), None),
            ("match", stated, None),
        ] {
            let device = Laptop::new(&scene.world.laptop, &scene.world.server);
            scene.server.enrol(&device, "alice", &["--door", "ssh", "--address", mode]);
            let before = scene.settle();
            let packet = device.seal(&scene.key(), now(), &request);
            for ip in [v4, v6, v4] {
                scene.send(&scene.world.stranger, ip, &packet);
            }
            let counters = scene.settle();
            assert_eq!(counters.refused["duplicate"], before.refused["duplicate"] + 2, "{mode}");
            assert_eq!(counters.accepted, before.accepted + u64::from(opened.is_some()), "{mode}");
            assert_eq!(scene.addresses(), Vec::from_iter(opened), "{mode}");
            // Once: not even for a listener that has seen nothing yet, from whatever address.
            scene.replace_listener();
            for (from, ip) in [(&scene.world.inner, scene.world.inner.v4.into()), (&scene.world.stranger, v6)]
            {
                scene.send(from, ip, &packet);
            }
            assert_eq!(scene.settle().refused["replayed"], before.refused["replayed"] + 1, "{mode}");
            assert_eq!(scene.addresses(), Vec::from_iter(opened), "{mode}, again");
            scene.server.command(&["client", "remove", "alice"]).ended_with(0);
        }
    });
}

/// Whoever overtakes a packet with a copy of it has it opened for themselves, where its sender is meant. The original is
/// dropped, and the client knocks again with another; nothing of that helps where the packet states an address.
#[test]
fn a_copy_that_overtakes_costs_its_client_one_more_packet() {
    attack(|scene| {
        let packet = scene.packet(&sender());
        scene.send_from_stranger(&packet);
        scene.send_from_laptop(&packet);
        assert_eq!(scene.await_packets(2).refused["duplicate"], 1);
        assert_eq!(scene.addresses(), ["198.51.100.2"]);
        scene.assert_silent(&scene.world.laptop);
        scene.alice.run("open ssh gw -4 --source sender --wait 10s").ended_with(0).said("ssh answers");
        scene.shut();

        let packet = scene.packet(&stated(scene.world.laptop.v4));
        scene.send_from_stranger(&packet);
        scene.send_from_laptop(&packet);
        until(PATIENCE, "both copies", || scene.refused("duplicate") == 2);
        assert_eq!(scene.addresses(), ["192.0.2.2"]);
        scene.assert_open(&scene.world.laptop);
        scene.assert_silent(&scene.world.stranger);
    });
}

#[test]
fn nothing_opens_for_a_source_that_no_stranger_has() {
    attack(|scene| {
        let sources = [
            // The kernel puts an address of its own in the place of 0.0.0.0, so that nobody can send from that here.
            "192.0.2.1",
            "10.0.0.1",
            "127.0.0.1",
            "127.9.9.9",
            "224.0.0.1",
            "255.255.255.255",
            "2001:db8:1::1",
            "2001:db8:2::1",
            "::1",
            "::",
            "ff02::1",
            "::ffff:127.0.0.1",
            "::ffff:192.0.2.1",
        ];
        for source in sources {
            let source: IpAddr = source.parse().unwrap();
            scene.spoof(source, &scene.packet(&sender()));
        }
        let count = u64::try_from(sources.len()).unwrap();
        let counters = scene.await_packets(count);
        assert_eq!((counters.refused["unauthorised"], counters.accepted), (count, 0), "{counters:?}");
        scene.assert_shut();
    });
}

/// A neighbour of the laptop, behind the same translation of addresses.
fn neighbour(scene: &Scene<'_>) -> Namespace {
    let (neighbour, router) = (Namespace::new(), &scene.world.laptop);
    router.set("ipv4/ip_forward", "1");
    router.sh(&format!(
        "ip link add lan type veth peer name eth0 netns {}
         ip link set lan up
         ip addr add 10.9.0.1/24 dev lan
         nft 'add table ip nat
              add chain ip nat out {{ type nat hook postrouting priority 100; }}
              add rule ip nat out oifname eth0 masquerade'",
        neighbour.path()
    ));
    neighbour.sh("ip link set lo up; ip link set eth0 up; ip addr add 10.9.0.2/24 dev eth0
         ip route add default via 10.9.0.1");
    neighbour
}

/// Whoever shares the client's address can use what it has opened, for as long and where it is open: this is known.
/// They can open nothing themselves, by no copy of what they saw.
#[test]
fn a_neighbour_behind_the_same_address_uses_an_opening_and_makes_none() {
    let doors = "[door.ssh]\nports = ['tcp/22']\n[door.web]\nports = ['tcp/8080']\n";
    attack_on(doors, &["--door", "ssh"], |scene| {
        let neighbour = neighbour(scene);
        let _web = Echo::tcp(&scene.world.server, 8080);
        let answer =
            |port, patience| neighbour.connect(SocketAddr::new(scene.world.server.v4.into(), port), patience);
        let shut = Duration::from_millis(250);
        assert_eq!(answer(22, shut), Answer::Silent);
        let packet = scene.packet(&sender());
        scene.send_from_laptop(&packet);
        assert_eq!(scene.await_packets(1).accepted, 1);
        assert_eq!((answer(22, PATIENCE), answer(8080, shut)), (Answer::Open, Answer::Silent));

        scene.shut();
        scene.replace_listener();
        // The first of them costs a key agreement, for the new listener does not know it.
        for _ in 0..2 {
            scene.expect(&packet);
            neighbour.send_udp(
                "10.9.0.2:0".parse().unwrap(),
                scene.port(scene.world.laptop.v4.into()),
                &packet,
            );
        }
        let counters = scene.await_packets(3);
        assert_eq!((counters.refused["replayed"], counters.refused["duplicate"]), (1, 1));
        assert_eq!(answer(22, shut), Answer::Silent);
        scene.assert_shut();
    });
}

/// An address of the other family that a packet states goes where it says, whatever its sender is.
#[test]
fn with_a_stated_address_of_the_other_family_the_thief_wins_only_the_sender_s() {
    attack(|scene| {
        let both = Addresses::NONE.with_sender().with_v6(scene.world.laptop.v6).unwrap();
        scene.send_from_stranger(&scene.packet(&open("ssh", both, 0)));
        assert_eq!(scene.await_packets(1).accepted, 1);
        let mut addresses = scene.addresses();
        addresses.sort();
        assert_eq!(addresses, ["198.51.100.2", "2001:db8:1::2"]);
        // And it is gone with the daemon's memory of the bytes no less than before.
        scene.shut();
        scene.restart(Signal::KILL);
        scene.assert_shut();
    });
}
