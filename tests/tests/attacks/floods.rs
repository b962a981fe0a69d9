//! Floods: by strangers, by whoever has captured packets, by insiders; from one address, from many, and from the
//! victim's own. Whatever comes, who is honest gets in.

use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::Duration;

use knock_spa_keys::client::ClientSecret;
use knock_spa_keys::server::ServerKey;
use knock_spa_proto::refusal::Refusal;
use knock_spa_proto::spa::request::Addresses;
use knock_spa_proto::spa::{PACKET_LEN, seal};
use knock_spa_tests::attacker::{Content, Plain, noise};
use knock_spa_tests::lab::{PATIENCE, until};
use knock_spa_tests::laptop::{ago, now, open, random};
use rustix::process::{Signal, kill_process};

use crate::scene::{SHORT, Scene, WINDOW, attack, attack_on, sender, stated};

/// Packets of one flood.
const FLOOD: u32 = 3000;

/// An envelope that only a key agreement can tell from an honest one's.
fn insider(key: &ServerKey) -> [u8; PACKET_LEN] {
    Content { stamp: now(), enc: noise(), sealed: noise::<240>().to_vec() }.packet(key)
}

/// Says so when it is dropped, whether a test goes on or fails.
struct Ending<'a>(&'a AtomicBool);

impl Drop for Ending<'_> {
    fn drop(&mut self) {
        self.0.store(true, Ordering::Relaxed);
    }
}

/// Floods from a thread for as long as `meanwhile` takes, a few thousand packets a second.
fn during_flood(scene: &Scene<'_>, mut one: impl FnMut(u32) + Send, meanwhile: impl FnOnce()) {
    let ended = AtomicBool::new(false);
    let mut number = 0;
    let flood = || {
        while !ended.load(Ordering::Relaxed) && number < 1_000_000 {
            (0..10).for_each(|_| {
                one(number);
                number += 1;
            });
            thread::sleep(Duration::from_millis(2));
        }
    };
    thread::scope(|scope| {
        scope.spawn(flood);
        let _ending = Ending(&ended);
        let before = scene.counters().received;
        until(PATIENCE, "the flood to arrive", || scene.counters().received > before + 100);
        meanwhile();
    });
}

/// The laptop knocks as its user would, and gets in.
fn laptop_gets_in(scene: &Scene<'_>) {
    scene.alice.run("open ssh gw -4 --source sender --wait 20s").ended_with(0).said("ssh answers");
    scene.assert_open(&scene.world.laptop);
}

#[test]
fn outsiders_cannot_make_the_server_compute() {
    attack(|scene| {
        let stranger = scene.world.stranger.v4;
        for number in 0..FLOOD {
            scene.flood(stranger, &noise::<PACKET_LEN>());
            // What other programs of this kind send, and what is longer than any; some under the victim's address.
            let from = if number % 2 == 0 { stranger } else { scene.world.laptop.v4 };
            match number % 3 {
                0 => scene.flood(from, &noise::<94>()),
                1 => scene.flood(from, &noise::<204>()),
                _ => scene.flood(from, &noise::<1200>()),
            }
        }
        laptop_gets_in(scene);
        let counters = scene.settle();
        // What is sent faster than it is read may be lost, since the kernel's queue is bounded. Other lengths do not
        // even reach the listener.
        assert!(counters.refused["junk"] >= 1000 && counters.accepted >= 1, "{counters:?}");
        assert_eq!(counters.received, counters.refused["junk"] + counters.accepted, "{counters:?}");
        assert_eq!(counters.key_agreements, counters.accepted);
    });
}

#[test]
fn a_captured_packet_in_great_numbers_costs_one_key_agreement() {
    attack(|scene| {
        let packet = scene.packet(&sender());
        let fresh = scene.packet_at(ago(WINDOW / 2), &sender());
        let stale = scene.packet_at(ago(WINDOW * 2), &sender());
        assert_eq!(scene.judge(&packet), None);
        scene.shut();
        for number in 0..FLOOD {
            let from = [Ipv4Addr::from(0x0b00_0000 | number), scene.world.laptop.v4, scene.world.stranger.v4];
            for (packet, from) in [&packet, &fresh, &stale].into_iter().zip(from) {
                scene.flood(from, packet);
            }
        }
        let counters = scene.settle();
        assert_eq!(counters.key_agreements, 2, "one for each that is fresh: {counters:?}");
        assert_eq!((counters.accepted, counters.refused["replayed"]), (1, 1), "{counters:?}");
        assert!(counters.refused["duplicate"] > 1000 && counters.refused["stale"] > 500, "{counters:?}");
        scene.assert_shut();
        laptop_gets_in(scene);
    });
}

/// Enough for the listener to be busy all the time. Its queue is full, others are displaced, and the client that is
/// displaced knocks again.
#[test]
fn whoever_floods_from_inside_keeps_nobody_out() {
    attack(|scene| {
        let key = scene.key();
        let prefix = |number: u32| Ipv4Addr::from(0xcb00_7100 | (number % 256));
        during_flood(scene, |number| scene.flood(prefix(number), &insider(&key)), || laptop_gets_in(scene));
        let counters = scene.settle();
        assert!(counters.refused["unsealable"] > 50 && counters.accepted >= 1, "{counters:?}");
    });
}

/// The same under the victim's own address, and from its own prefix: there is no limit by source that could be used up.
#[test]
fn nobody_uses_up_a_victim_s_turns_with_its_address() {
    attack_on(SHORT, &["--door", "ssh", "--rate", "1/min"], |scene| {
        let key = scene.key();
        scene.grow_older(Duration::from_secs(1));
        let captured = scene.packet_at(ago(Duration::from_secs(1)), &stated(scene.world.laptop.v4));
        assert_eq!(scene.judge(&captured), None);
        scene.shut();
        let one = |number: u32| {
            let from: IpAddr = match number % 4 {
                0 => Ipv4Addr::new(192, 0, 2, 7).into(),
                _ => scene.world.laptop.v4.into(),
            };
            match number % 3 {
                0 => scene.flood(from, &insider(&key)),
                1 => scene.flood(from, &noise::<PACKET_LEN>()),
                _ => scene.flood(from, &captured),
            }
        };
        during_flood(scene, one, || laptop_gets_in(scene));
        let counters = scene.settle();
        let refused = &counters.refused;
        assert!(refused["junk"] > 20 && refused["unsealable"] > 20 && counters.accepted >= 2, "{counters:?}");
        assert_eq!(refused["too-often"], 0);
    });
}

/// The listener has no processor for a while, and more waits than its queue takes: who holds most of it makes room.
#[test]
fn an_honest_packet_keeps_its_place_while_a_prefix_holds_more() {
    attack(|scene| {
        let key = scene.key();
        let honest = scene.packet(&sender());
        let flood: Vec<_> = (0..280).map(|_| insider(&key)).collect();
        let v6: Vec<_> = (0..280).map(|_| insider(&key)).collect();
        let listener = scene.server.listener();
        kill_process(listener, Signal::STOP).unwrap();
        let stat = format!("/proc/{}/stat", listener.as_raw_nonzero());
        until(PATIENCE, "the listener to stand still", || {
            std::fs::read_to_string(&stat).unwrap().contains(") T ")
        });
        for (number, packet) in (0..=255).zip(&flood) {
            if number == 60 {
                scene.send_from_laptop(&honest);
            }
            scene.spoof(Ipv4Addr::new(203, 0, 113, number), packet);
        }
        for packet in &v6 {
            scene.spoof("2001:db8:66::1".parse::<IpAddr>().unwrap(), packet);
        }
        kill_process(listener, Signal::CONT).unwrap();
        let counters = scene.settle();
        assert!(counters.refused["displaced"] > 100, "{counters:?}");
        assert_eq!(counters.accepted, 1, "{counters:?}");
        assert_eq!(counters.received, counters.key_agreements + counters.refused["displaced"]);
        assert_eq!(scene.addresses(), ["192.0.2.2"]);
    });
}

/// Every stage that a packet can fail at counts it; and in the log there is one line for each in ten seconds.
#[test]
fn every_stage_counts_what_it_drops_and_says_so_once() {
    attack_on("[door.ssh]\nports = ['tcp/22']\n", &["--door", "ssh", "--rate", "1/min"], |scene| {
        let (key, alice) = (scene.key(), scene.alice.secret());
        let web = open("web", Addresses::NONE.with_sender(), 0);
        let signed = |request: [u8; 128]| {
            let stamp = now();
            Plain::signed(&alice, &key, stamp, request).seal(&key, stamp).packet(&key)
        };
        let forged = || {
            let stamp = now();
            let plain = Plain { signature: [1; 64], ..Plain::signed(&alice, &key, stamp, sender().encode()) };
            plain.seal(&key, stamp).packet(&key)
        };
        let (old, used) = (scene.packet_at(ago(WINDOW / 2), &sender()), scene.packet(&sender()));
        assert_eq!(scene.judge(&used), None);
        let rows: [(Refusal, &dyn Fn() -> [u8; PACKET_LEN]); 10] = [
            (Refusal::Junk, &noise),
            (Refusal::Stale, &|| scene.packet_at(ago(WINDOW * 2), &sender())),
            (Refusal::Duplicate, &|| used),
            (Refusal::Unsealable, &|| insider(&key)),
            (Refusal::UnknownClient, &|| {
                seal(&key, &ClientSecret::from_seed([8; 32]), now(), &sender(), random())
            }),
            (Refusal::Replayed, &|| Content::of(&key, &old).unwrap().packet(&key)),
            (Refusal::Forged, &forged),
            (Refusal::Malformed, &|| signed([0; 128])),
            (Refusal::Unauthorised, &|| scene.packet(&web)),
            (Refusal::TooOften, &|| scene.packet(&sender())),
        ];
        for (refusal, packet) in rows {
            // The last of alice's twenty turns are used up first.
            while refusal == Refusal::TooOften && scene.judge(&scene.packet(&sender())).is_none() {}
            let before = scene.settle();
            (0..3).for_each(|_| scene.send_from_laptop(&packet()));
            let after = scene.settle();
            for (name, count) in &after.refused {
                let more = if *name == refusal.name() { 3 } else { 0 };
                assert_eq!(*count, before.refused[name] + more, "{name} after three of {refusal}");
            }
        }
        // Packets of another length get past the kernel's filter only where that cannot look.
        let from = SocketAddr::new(scene.world.stranger.v6.into(), 4711);
        for len in [0, 94, PACKET_LEN + 1] {
            scene.expect(&[]);
            scene.spoofer.send_behind_options(from, scene.port(from.ip()), &vec![7; len]);
        }
        assert_eq!(scene.settle().refused["wrong-length"], 3);
        let log = scene.server.log();
        for refusal in rows.map(|(refusal, _)| refusal).into_iter().chain([Refusal::WrongLength]) {
            let line = format!("event=\"refused\" reason={refusal} ");
            assert!(log.contains(&line), "nothing of {refusal} in\n{log}");
        }
    });
}
