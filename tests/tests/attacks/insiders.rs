//! Whoever is or was enrolled: asks for everything, speaks for others, does not stop.

use std::net::Ipv4Addr;

use knock_spa_keys::client::{ClientLine, ClientSecret};
use knock_spa_keys::comment::Comment;
use knock_spa_proto::spa::request::{Addresses, Close, Request};
use knock_spa_proto::spa::seal;
use knock_spa_tests::attacker::Plain;
use knock_spa_tests::lab::{PATIENCE, until};
use knock_spa_tests::laptop::{Laptop, ago, now, open, random};
use std::time::Duration;

use crate::scene::{attack, attack_on, sender, stated};

/// One of sixteen ports that mallory may open, and two that it may not.
fn doors() -> String {
    let ports: Vec<_> = (1001..1016).map(|port| format!(", 'udp/{port}'")).collect();
    format!(
        "[door.ssh]\nports = ['tcp/22'{}]\nmax-open = '1h'\n[door.web]\nports = ['tcp/8080']\n\
         [door.admin]\nports = ['tcp/9000']\n",
        ports.concat()
    )
}

/// What one client may have open: `docs/knock-spad.toml.5.md`.
const ROOM: u64 = 1024;

/// Pairs of a port and an address that one packet of [`everything_for`] opens.
const OF_ONE: u64 = 32;

fn everything_for(number: u16) -> Request {
    let v4 = Ipv4Addr::from(0xc633_6500 + u32::from(number));
    let to = Addresses::NONE.with_v4(v4).unwrap();
    open("ssh", to.with_v6(format!("2001:db8:9::{number:x}").parse().unwrap()).unwrap(), u32::MAX)
}

/// A client that asks for all doors and ports, for ever, and for as many addresses as there are: it gets what its
/// rights have, for as long as its door says, up to its share of the room; and everybody else gets in.
#[test]
fn a_client_that_asks_for_everything_gets_its_rights_and_its_share() {
    attack_on(&doors(), &["--door", "ssh"], |scene| {
        let mallory = Laptop::new(&scene.world.stranger, &scene.world.server);
        scene.server.enrol(&mallory, "mallory", &["--door", "ssh", "--rate", "6000/min"]);
        let ask = |request: &Request| {
            scene.send_from_stranger(&mallory.seal(&scene.key(), now(), request));
            scene.settle()
        };
        let all = ["web", "admin", "ssh,web", "tcp/8080", "ssh,tcp/9000", "tcp/1", "nowhere", "knock-spa"];
        for services in all {
            ask(&open(services, Addresses::NONE.with_sender(), u32::MAX));
        }
        let counters = scene.settle();
        assert_eq!((counters.refused["unauthorised"], counters.accepted), (8, 0), "{counters:?}");
        scene.assert_shut();

        let most = ROOM / OF_ONE;
        for number in 0..most + 5 {
            ask(&everything_for(u16::try_from(number).unwrap()));
        }
        let counters = scene.settle();
        assert_eq!((counters.accepted, counters.refused["no-room"]), (most, 5), "{counters:?}");
        let openings = scene.server.openings();
        assert!(openings.iter().all(|opening| opening.left.is_some_and(|left| left <= 3600)));
        assert_eq!(scene.server.guard().unwrap().open.len(), usize::try_from(ROOM).unwrap());

        assert_eq!(scene.judge(&scene.packet(&sender())), None);
        assert!(scene.lets_in(scene.world.laptop.v4));
        // And it closes nothing but its own.
        ask(&Request::Close(Close::new("".parse().unwrap(), Addresses::NONE)));
        assert_eq!(scene.addresses(), ["192.0.2.2"]);
    });
}

/// Whoever knows the server's key and a client's public key can say its name. It moves no mark and uses no turn of that
/// client's, whatever time it bears.
#[test]
fn nobody_speaks_for_another_client_or_uses_up_its_turns() {
    attack_on(&doors(), &["--door", "ssh", "--rate", "1/min"], |scene| {
        let (key, mallory) = (scene.key(), ClientSecret::from_seed([66; 32]));
        let bob = Laptop::new(&scene.world.stranger, &scene.world.server);
        scene.server.enrol(&bob, "bob", &["--door", "web"]);
        let alice = *scene.alice.secret().public().as_bytes();
        let mut count = 0;
        for signer in [&mallory, &bob.secret()] {
            for ahead in 0..30 {
                let stamp = now().saturating_add(Duration::from_secs(ahead));
                let signed = Plain::signed(signer, &key, stamp, stated("198.51.100.2").encode());
                let lie = Plain { client: alice, ..signed };
                scene.spoof(scene.world.laptop.v4, &lie.seal(&key, stamp).packet(&key));
                count += 1;
            }
        }
        let counters = scene.settle();
        assert_eq!((counters.refused["forged"], counters.accepted), (count, 0), "{counters:?}");
        scene.assert_shut();
        // All of alice's turns are there, and its clock need not pass theirs.
        for _ in 0..20 {
            assert_eq!(scene.judge(&scene.packet(&sender())), None);
        }
        assert_eq!(scene.judge(&scene.packet(&sender())).as_deref(), Some("too-often"));
        assert_eq!(scene.addresses(), ["192.0.2.2"]);
        // Bob's are his.
        scene.send_from_stranger(&bob.seal(&key, now(), &open("web", Addresses::NONE.with_sender(), 0)));
        until(PATIENCE, "bob's packet", || scene.counters().accepted == 21);
    });
}

/// Whoever was enrolled knows the server's key still, and that is all.
#[test]
fn who_was_removed_costs_a_key_agreement_and_gets_nothing() {
    attack(|scene| {
        let mallory = Laptop::new(&scene.world.stranger, &scene.world.server);
        scene.server.enrol(&mallory, "mallory", &["--door", "ssh"]);
        scene.grow_older(Duration::from_secs(1));
        let kept = mallory.seal(&scene.key(), now(), &sender());
        scene.send_from_stranger(&mallory.seal(&scene.key(), ago(Duration::from_secs(1)), &sender()));
        assert_eq!(scene.settle().accepted, 1);
        scene.assert_open(&scene.world.stranger);
        scene.server.command(&["client", "remove", "mallory"]).ended_with(0);
        scene.assert_shut();
        scene.assert_silent(&scene.world.stranger);
        scene.send_from_stranger(&kept);
        for _ in 0..50 {
            scene.send_from_stranger(&mallory.seal(&scene.key(), now(), &sender()));
        }
        let counters = scene.settle();
        assert_eq!((counters.refused["unknown-client"], counters.accepted), (51, 1));
        assert_eq!(counters.key_agreements, 52);
        scene.assert_shut();
        assert_eq!(scene.judge(&scene.packet(&sender())), None);
    });
}

/// However many clients are enrolled, a packet costs the same: it is not tried under one key after another.
#[test]
fn a_packet_costs_the_same_however_many_clients_there_are() {
    attack(|scene| {
        let secret = |number: u16| {
            let mut seed = [0x55; 32];
            seed[..2].copy_from_slice(&number.to_be_bytes());
            ClientSecret::from_seed(seed)
        };
        for number in 0..1000 {
            let line = ClientLine { key: secret(number).public(), comment: Comment::default() };
            let text = format!("key = '{line}'\nservices = ['ssh']\n");
            scene.server.write(&format!("state/clients.d/c{number}.toml"), &text, 0o600);
        }
        scene.server.command(&["reload"]).ended_with(0);
        scene.server.await_ready();
        for number in [0, 500, 999] {
            scene.send_from_laptop(&seal(&scene.key(), &secret(number), now(), &sender(), random()));
        }
        scene.send_from_laptop(&[7; 320]);
        let counters = scene.settle();
        assert_eq!((counters.accepted, counters.refused["junk"], counters.key_agreements), (3, 1, 3));
    });
}
