//! The administrator hears whose clock is wrong, where that is wanted.

use knock_spa_proto::spa::request::Addresses;
use knock_spa_proto::time::UnixTime;
use knock_spa_tests::laptop::{ago, now, open};
use knock_spa_tests::server::DEFAULT;

use super::*;

const SKEW: Duration = Duration::from_secs(312);

fn explaining() -> String {
    format!("{DEFAULT}[spa]\nexplain = true\n")
}

#[test]
fn a_wrong_clock_is_named_and_opens_nothing() {
    let world = World::new();
    let (mut server, laptop) = enrolled(&world, &explaining());
    let request = open("ssh", Addresses::NONE.with_sender(), 3600);
    let from = world.laptop.v4.into();
    let send = |stamp: UnixTime| {
        laptop.send(&laptop.seal(&server.key(), stamp, &request), from, spa_port(&world, from));
    };
    send(ago(SKEW));
    until(PATIENCE, "the clock to be told", || !server.status().refusals.is_empty());
    let status = server.status();
    let [refusal] = &status.refusals[..] else { panic!("{:?}", status.refusals) };
    assert_eq!((&*refusal.reason, &*refusal.from), ("stale", "192.0.2.2"));
    assert_eq!((refusal.client.as_deref(), refusal.clock.as_deref()), (Some("alice"), Some("312 s slow")));
    let counters = await_packets(&server, 1);
    assert_eq!((counters.key_agreements, counters.explanations, counters.accepted), (0, 1, 0));
    assert_eq!((counters.refused["stale"], counters.refused.values().sum::<u64>()), (1, 1));
    assert_eq!((server.openings(), server.guard().unwrap().open), (vec![], vec![]));
    server.command(&["status"]).ended_with(0).said("alice's clock is 312 s slow");

    // A packet from the future, which is told a second later at the earliest.
    until(PATIENCE, "the clock to be told", || {
        send(now().saturating_add(SKEW));
        server.status().refusals.len() > 1
    });
    server.command(&["status"]).ended_with(0).said("s fast");
    server.await_log("event=\"wrong-clock\" client=\"alice\"");
    assert!(server.log().contains("skew=312 direction=\"slow\""), "{}", server.log());
    // It has spoilt nothing for its client.
    laptop.run("open ssh gw --no-wait").ended_with(0);
    until(PATIENCE, "the door to open", || server.openings().len() == 2);
}

#[test]
fn without_leave_a_stale_packet_costs_nothing() {
    let world = World::new();
    let (server, laptop) = enrolled(&world, DEFAULT);
    let request = open("ssh", Addresses::NONE.with_sender(), 3600);
    let from = world.laptop.v4.into();
    laptop.send(&laptop.seal(&server.key(), ago(SKEW), &request), from, spa_port(&world, from));
    // Behind it comes one that is told.
    laptop.run("open ssh gw -4 --no-wait").ended_with(0);
    let counters = await_packet(&server, 1);
    assert_eq!((counters.refused["stale"], counters.explanations), (1, 0));
    assert_eq!(server.status().refusals, []);
    assert!(!server.log().contains("wrong-clock"));
}
