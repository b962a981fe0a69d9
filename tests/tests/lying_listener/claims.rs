//! What it says that others have sent.

use std::net::IpAddr;
use std::time::{Duration, Instant};

use knock_spa_keys::client::ClientSecret;
use knock_spa_keys::server::ServerSecret;
use knock_spa_proto::address::Address;
use knock_spa_proto::knock::DoorNumber;
use knock_spa_proto::report::Report;
use knock_spa_proto::service::Services;
use knock_spa_proto::spa::request::{Addresses, Close, Request};
use knock_spa_proto::spa::{Enrol, Statement};
use knock_spa_proto::time::UnixTime;
use knock_spa_tests::invited;
use knock_spa_tests::lab::{PATIENCE, until};
use knock_spa_tests::laptop::{Laptop, ago, now};

use crate::scene::*;

#[test]
fn what_a_client_signed_just_now_opens_what_it_says() {
    with_keeper(|scene| {
        let key = scene.server.key();
        // Wherever the listener says that it came from.
        for from in ["192.0.2.2", "198.51.100.2", "2001:db8:2::2"] {
            let from: IpAddr = from.parse().unwrap();
            scene.listener.claim(key, scene.signed(&stated("192.0.2.2")), from);
        }
        until(PATIENCE, "them to be accepted", || scene.counters().accepted == 3);
        assert_eq!(scene.addresses(), ["192.0.2.2"]);
    });
}

/// This is known: with these packets, whoever sends them is trusted to come from where the client is.
#[test]
fn of_a_packet_that_leaves_it_to_its_sender_it_chooses_the_address() {
    with_keeper(|scene| {
        scene.listener.claim(scene.server.key(), scene.signed(&sender()), scene.world.stranger.v4);
        until(PATIENCE, "it to be accepted", || scene.counters().accepted == 1);
        assert_eq!(scene.addresses(), ["198.51.100.2"]);
    });
}

#[test]
fn the_chosen_address_is_never_one_that_no_stranger_has() {
    with_keeper(|scene| {
        let never = [
            "192.0.2.1",
            "10.0.0.1",
            "2001:db8:1::1",
            "127.0.0.1",
            "127.9.9.9",
            "::1",
            "0.0.0.0",
            "::",
            "224.0.0.1",
            "255.255.255.255",
            "ff02::1",
            "::ffff:127.0.0.1",
            "::ffff:192.0.2.1",
        ];
        for from in never {
            let from: IpAddr = from.parse().unwrap();
            scene.listener.claim(scene.server.key(), scene.signed(&sender()), from);
            let (door, from) = (DoorNumber(1), Address::new(from));
            scene.listener.report(&Report::Knock { door, from });
        }
        let count = 2 * u64::try_from(never.len()).unwrap();
        assert_eq!(scene.await_refusals(count).refused["unauthorised"], count);
        scene.assert_shut();
    });
}

#[test]
fn no_byte_of_a_statement_can_be_changed() {
    with_keeper(|scene| {
        let key = scene.server.key();
        let honest = scene.signed(&stated("192.0.2.2")).to_bytes();
        for at in 0..honest.len() {
            let mut bytes = honest;
            bytes[at] ^= 1 << (at % 8);
            scene.listener.claim(key, Statement::from_bytes(bytes), scene.world.laptop.v4);
        }
        let count = u64::try_from(honest.len()).unwrap();
        let counters = scene.await_refusals(count);
        assert_eq!(counters.accepted, 0);
        // The key, the time's higher bytes, and the rest.
        assert_eq!(counters.refused["unknown-client"], 32, "{counters:?}");
        assert!(counters.refused["stale"] >= 3 && counters.refused["forged"] >= 192, "{counters:?}");
        scene.assert_shut();
        // None of them has spoiled the honest one.
        scene.listener.claim(key, Statement::from_bytes(honest), scene.world.laptop.v4);
        until(PATIENCE, "the honest one to be accepted", || scene.counters().accepted == 1);
    });
}

#[test]
fn nobody_s_word_counts_for_another() {
    with_keeper(|scene| {
        let key = scene.server.key();
        let bob = Laptop::new(&scene.world.stranger, &scene.world.server);
        scene.server.enrol(&bob, "bob", &["--door", "web"]);
        let from = scene.world.stranger.v4;
        let mut claims = Vec::new();
        // What alice has signed, under bob's name.
        let mut bytes = scene.signed(&stated("198.51.100.2")).to_bytes();
        bytes[..32].copy_from_slice(bob.secret().public().as_bytes());
        claims.push((key, Statement::from_bytes(bytes), "forged"));
        // What bob has signed, under alice's.
        let request = stated("198.51.100.2");
        let mut bytes = scene.signed_by(&bob.secret(), now(), &request).to_bytes();
        bytes[..32].copy_from_slice(scene.alice.secret().public().as_bytes());
        claims.push((key, Statement::from_bytes(bytes), "forged"));
        // What bob has signed, but may not.
        claims.push((key, scene.signed_by(&bob.secret(), now(), &request), "unauthorised"));
        // What somebody unknown has signed.
        let mallory = ClientSecret::from_seed([9; 32]);
        claims.push((key, scene.signed_by(&mallory, now(), &request), "unknown-client"));
        // What alice has signed for another server, whose operator hands it on.
        let other = ServerSecret::from_bytes([7; 32]);
        let elsewhere = || scene.sealed_to(other.public(), &other, &scene.alice.secret(), now(), &request);
        claims.push((key, elsewhere(), "forged"));
        claims.push((other.public(), elsewhere(), "forged"));
        // What alice has signed for this one, said to be for another.
        claims.push((other.public(), scene.signed(&request), "forged"));
        for (count, (server, statement, reason)) in (1..).zip(claims) {
            let before = scene.counters().refused[reason];
            scene.listener.claim(server, statement, from);
            let counters = scene.await_refusals(count);
            assert_eq!((counters.accepted, counters.refused[reason]), (0, before + 1), "{count}: {reason}");
        }
        scene.assert_shut();
    });
}

#[test]
fn what_was_signed_before_does_not_count_again() {
    with_keeper(|scene| {
        let (key, from) = (scene.server.key(), scene.world.stranger.v4);
        let honest = scene.signed(&sender());
        let older = scene.signed_by(&scene.alice.secret(), ago(Duration::from_secs(20)), &sender());
        scene.listener.claim(key, honest.clone(), scene.world.laptop.v4);
        until(PATIENCE, "it to be accepted", || scene.counters().accepted == 1);
        for statement in [honest.clone(), honest, older] {
            scene.listener.claim(key, statement, from);
        }
        assert_eq!(scene.await_refusals(3).refused["replayed"], 3);
        let minute = Duration::from_secs(61);
        for stamp in [ago(minute), now().saturating_add(minute), UnixTime::EPOCH] {
            scene.listener.claim(key, scene.signed_by(&scene.alice.secret(), stamp, &sender()), from);
        }
        let counters = scene.await_refusals(6);
        assert_eq!((counters.refused["stale"], counters.accepted), (3, 1));
        assert_eq!(scene.addresses(), ["192.0.2.2"]);
    });
}

/// This is known as well: anybody on the network could have knocked.
#[test]
fn it_claims_knocks_and_only_at_doors_that_have_them() {
    with_keeper(|scene| {
        let knock = |door, from: &str| {
            let (door, from) = (DoorNumber(door), Address::new(from.parse().unwrap()));
            scene.listener.report(&Report::Knock { door, from });
        };
        // One door alone has a knock, and so a number: the first.
        for door in [0, 2, 3, u32::MAX] {
            knock(door, "198.51.100.2");
        }
        knock(1, "2001:db8:2::2");
        until(PATIENCE, "the one knock", || !scene.addresses().is_empty());
        let openings = scene.server.openings();
        let shown: Vec<_> = openings.iter().map(|opening| (&*opening.door, &*opening.by)).collect();
        assert_eq!(shown, [("imap", "classic knock")]);
        assert_eq!(scene.addresses(), ["2001:db8:2::2"]);
    });
}

/// It has the server's key, and sees what the device signs; it has neither the invitation's secret nor the device's.
#[test]
fn whoever_is_invited_is_enrolled_as_what_it_is_and_nobody_in_its_place() {
    with_keeper(|scene| {
        let invitation = scene.server.invite("laptop", &["--door", "ssh"]);
        let (key, ours, mallory) = (scene.server.key(), invited::device(), invited::device());
        let honest = scene.signed_by(&invitation.secret, now(), &invited::request(&invitation, &ours));
        let from = scene.world.stranger.v4;
        // Any byte of it is changed: the invitation's name, the time, the signature, the new key, its proof.
        let bytes = honest.to_bytes();
        for at in 0..bytes.len() {
            let mut changed = bytes;
            changed[at] ^= 1 << (at % 8);
            scene.listener.claim(key, Statement::from_bytes(changed), from);
        }
        // Its own key, with what it can sign itself; and by what the device has agreed to.
        let by_itself = [
            invited::request(&invitation, &mallory),
            Request::Enrol(Enrol::new(&mallory, &key, &mallory.public())),
            invited::request(&invitation, &ours),
        ];
        let count = u64::try_from(bytes.len() + 2 * by_itself.len()).unwrap();
        for request in by_itself {
            let own = scene.signed_by(&mallory, now(), &request);
            let mut renamed = own.to_bytes();
            renamed[..32].copy_from_slice(invitation.secret.public().as_bytes());
            scene.listener.claim(key, own, from);
            scene.listener.claim(key, Statement::from_bytes(renamed), from);
        }
        let counters = scene.await_refusals(count);
        assert_eq!(counters.accepted, 0);
        assert_eq!(scene.server.enrolled().len(), 1, "alice alone");
        // None of that has spoiled the honest one, from wherever it is said to come.
        scene.listener.claim(key, honest.clone(), from);
        until(PATIENCE, "the device to be enrolled", || scene.counters().accepted == 1);
        assert_eq!(scene.server.enrolled()[1], invited::listed("laptop", &ours.public()));
        // And it is good once, before a restart of the listener and after it.
        for _ in 0..2 {
            let refused = scene.counters().refused["replayed"];
            scene.listener.claim(key, honest.clone(), from);
            until(PATIENCE, "the copy to be refused", || scene.counters().refused["replayed"] > refused);
            scene.listener.send(&[]);
            scene.listener.come_back();
        }
        assert_eq!(scene.server.enrolled().len(), 2);
        scene.assert_shut();
    });
}

/// An attacker of the listener who has the invitation as well, because somebody sent it by mail: it is good for one of
/// the two, whoever is first, and the other is refused and told.
#[test]
fn of_two_who_have_an_invitation_one_is_enrolled() {
    with_keeper(|scene| {
        let invitation = scene.server.invite("laptop", &["--door", "ssh"]);
        let (key, from) = (scene.server.key(), scene.world.stranger.v4);
        let [first, second] = [invited::device(), invited::device()];
        let claims = [&first, &second, &first]
            .map(|device| scene.signed_by(&invitation.secret, now(), &invited::request(&invitation, device)));
        for claim in claims {
            scene.listener.claim(key, claim, from);
        }
        let counters = scene.await_refusals(2);
        assert_eq!((counters.refused["taken"], counters.refused["already-enrolled"]), (1, 1));
        assert_eq!(scene.server.enrolled()[1..], [invited::listed("laptop", &first.public())]);
        // The invitation opens nothing by itself, and closes nothing of others.
        for request in [sender(), Request::Close(Close::new(Services::none(), Addresses::NONE))] {
            let claim = scene.signed_by(&invitation.secret, now(), &request);
            scene.listener.claim(key, claim, from);
        }
        let counters = scene.await_refusals(4);
        assert_eq!((counters.refused["unauthorised"], counters.accepted), (2, 1));
        scene.assert_shut();
    });
}

#[test]
fn a_flood_of_lies_opens_nothing_and_stops_nobody() {
    with_keeper(|scene| {
        let (key, alice) = (scene.server.key(), scene.alice.secret());
        let mut bytes = scene.signed(&stated("198.51.100.2")).to_bytes();
        for number in 0..10_000_u32 {
            let place = 40 + usize::try_from(number % 192).unwrap();
            bytes[place] = bytes[place].wrapping_add(1);
            scene.listener.claim(key, Statement::from_bytes(bytes), scene.world.stranger.v4);
        }
        scene.listener.claim(
            key,
            scene.signed_by(&alice, now(), &stated("192.0.2.2")),
            scene.world.laptop.v4,
        );
        let counters = scene.await_refusals(10_000);
        assert_eq!(counters.refused["forged"], 10_000);
        until(PATIENCE, "alice to get in", || scene.counters().accepted == 1);
        assert_eq!(scene.addresses(), ["192.0.2.2"]);
    });
}

#[test]
fn what_it_calls_stale_opens_nothing_and_is_looked_at_once_in_a_second() {
    with_keeper(|scene| {
        let start = Instant::now();
        let server = scene.server.key();
        let from = Address::new(scene.world.laptop.v4.into());
        let fresh = scene.signed(&sender());
        scene.listener.report(&Report::Stale { server, statement: fresh, from });
        for step in 0..200 {
            let stamp = ago(Duration::from_secs(1000 - step));
            let statement = scene.signed_by(&scene.alice.secret(), stamp, &sender());
            scene.listener.report(&Report::Stale { server, statement, from });
        }
        // Behind all that, what its client wants is done.
        scene.listener.claim(server, scene.signed(&sender()), scene.world.laptop.v4);
        until(PATIENCE, "the door to open", || !scene.server.openings().is_empty());
        let status = scene.server.status();
        assert_eq!((status.counters.accepted, status.openings.len()), (1, 1));
        let seconds = usize::try_from(start.elapsed().as_secs()).unwrap();
        assert!((1..=seconds + 1).contains(&status.refusals.len()), "{:?}", status.refusals);
    });
}
