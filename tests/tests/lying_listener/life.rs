//! What it says of itself, and how it is replaced.

use knock_spa_proto::refusal::{Refusal, Tally};
use knock_spa_proto::report::{self, REPORT_LEN, Report};
use knock_spa_tests::lab::{PATIENCE, until};

use crate::scene::*;

#[test]
fn whoever_talks_nonsense_is_replaced() {
    let ready = Report::Ready { generation: 1 }.encode();
    let (mut other_version, mut other_kind, mut tail) = (ready, ready, ready);
    (other_version[0], other_kind[1], tail[REPORT_LEN - 1]) = (9, 9, 1);
    // An empty record is the end of the channel.
    let nonsense: [&[u8]; 8] = [
        &other_version,
        &other_kind,
        &tail,
        &[0xff; REPORT_LEN],
        &ready[1..],
        &[&ready[..], &[0]].concat(),
        &[1; 9000],
        &[],
    ];
    // Each time the keeper waits twice as long for the next one.
    for nonsense in nonsense.chunks(4) {
        with_keeper(|scene| {
            let key = scene.server.key();
            scene.listener.claim(key, scene.signed(&stated("192.0.2.2")), scene.world.laptop.v4);
            until(PATIENCE, "it to be accepted", || scene.counters().accepted == 1);
            for (restarts, record) in (1..).zip(nonsense) {
                scene.listener.send(record);
                scene.listener.come_back();
                until(PATIENCE, "the next listener", || {
                    let listener = scene.server.status().listener;
                    listener.ready && listener.restarts == restarts
                });
            }
            assert_eq!(scene.addresses(), ["192.0.2.2"], "what was open stays open");
            scene.listener.claim(key, scene.signed(&stated("192.0.2.3")), scene.world.laptop.v4);
            until(PATIENCE, "the last one to be heard", || scene.addresses().len() == 2);
        });
    }
}

#[test]
fn whoever_does_not_obey_is_replaced() {
    with_keeper(|scene| {
        scene.server.command(&["reload"]).ended_with(0);
        assert!(!scene.server.status().listener.ready);
        scene.listener.come_back();
        until(PATIENCE, "the next listener", || {
            let listener = scene.server.status().listener;
            listener.ready && listener.restarts == 1
        });
    });
}

#[test]
fn what_it_says_of_itself_moves_nothing() {
    with_keeper(|scene| {
        let counters = report::Counters {
            received: u64::MAX,
            explained: u64::MAX,
            dh: u64::MAX,
            refused: Tally::from_counts([u64::MAX; Refusal::ALL.len()]),
            untold: u64::MAX,
        };
        for _ in 0..2 {
            scene.listener.report(&Report::Counters(counters));
            let laptop = scene.world.laptop.v4;
            scene.listener.claim(scene.server.key(), scene.signed(&sender()), laptop);
            scene.listener.report(&Report::Ready { generation: 4711 });
            let before = scene.server.status().listener.restarts;
            scene.listener.send(&[0]);
            scene.listener.come_back();
            until(PATIENCE, "the next listener", || {
                let listener = scene.server.status().listener;
                listener.ready && listener.restarts == before + 1
            });
        }
        let told = scene.counters();
        assert_eq!((told.accepted, told.received, told.refused["stale"]), (2, u64::MAX, u64::MAX));
        // Orders of another number are not those that it was given.
        scene.server.command(&["reload"]).ended_with(0);
        scene.listener.report(&Report::Ready { generation: 4711 });
        assert!(!scene.server.status().listener.ready);
        scene.listener.take_orders();
        until(PATIENCE, "the listener", || scene.server.status().listener.ready);
    });
}
