//! New orders, and orders that have been on the way.

use proptest::prelude::*;

use super::*;

fn obey(scene: &mut Scene, orders: Orders) -> Done {
    scene.during(|scene| scene.watch.handle_orders(orders))
}

fn ready(generation: u32) -> Done {
    Done { reports: [Report::Ready { generation }].into(), ..Done::nothing() }
}

#[test]
fn both_live_keys_open_and_are_told_apart() {
    let mut scene = Scene::new(Orders { secrets: [server(7), server(8)].into(), ..orders() });
    for (number, key) in [(1, server(7)), (2, server(8))] {
        let done = scene.take(CLIENT4, &sealed(&key, START.unix, number));
        let [Report::Statement { server, statement, .. }] = &done.reports[..] else { panic!("{done:?}") };
        assert_eq!((*server, done.dh), (key.public(), 1));
        assert!(statement.clone().verify(&client().public(), &key.public()).is_ok());
    }
    let third = sealed(&server(6), START.unix, 3);
    assert_eq!(scene.take(CLIENT4, &third), Done::refused(Refusal::Junk, 0));
}

#[test]
fn a_key_that_is_no_more_opens_nothing() {
    let mut scene = Scene::new(Orders { secrets: [server(8), server(7)].into(), ..orders() });
    scene.datagram(CLIENT4, &honest(1));
    let done = obey(&mut scene, Orders { generation: 2, secrets: [server(8)].into(), ..orders() });
    // What waits is given up rather than opened with whatever key now has its key's place.
    assert_eq!(done, Done { refused: [Refusal::Displaced].into(), ..ready(2) });
    assert_eq!(scene.take(CLIENT4, &honest(2)), Done::refused(Refusal::Junk, 0));
    assert_eq!(scene.take(CLIENT4, &sealed(&server(8), START.unix, 3)).reports.len(), 1);
}

#[test]
fn new_orders_keep_what_was_seen_and_counted() {
    let mut scene = Scene::new(orders());
    assert_eq!(scene.take(CLIENT4, &honest(1)).dh, 1);
    assert_eq!(obey(&mut scene, Orders { generation: 2, ..orders() }), ready(2));
    assert_eq!(scene.take(CLIENT4, &honest(1)), Done::refused(Refusal::Duplicate, 0));
    assert_eq!((scene.watch.counters().received, scene.watch.counters().dh), (2, 1));
}

#[test]
fn port_window_and_addresses_change() {
    let mut scene = Scene::new(orders());
    let later = START.unix.saturating_add(Duration::from_secs(200));
    assert_eq!(scene.take(CLIENT4, &sealed(&server(7), later, 1)), Done::refused(Refusal::Stale, 0));
    let own = [address("192.0.2.2")].into();
    obey(&mut scene, Orders { spa_port: Some(5000), window: Duration::from_secs(600), own, ..orders() });
    let packet = |to, port, number| wire::udp(CLIENT4, to, port, &sealed(&server(7), later, number));
    for (to, port) in [(SERVER4, 5000), ("192.0.2.2", SPA_PORT), (SERVER4, SPA_PORT)] {
        let done = scene.during(|scene| scene.watch.handle_packet(&packet(to, port, 2), START));
        assert_eq!(done, Done::nothing(), "{to} {port}");
    }
    let done = scene.during(|scene| scene.watch.handle_packet(&packet("192.0.2.2", 5000, 3), START));
    assert_eq!(done.reports.len(), 1);
}

#[test]
fn a_wider_window_is_covered_by_the_duplicate_filter() {
    let mut scene = Scene::new(orders());
    obey(&mut scene, Orders { window: Duration::from_secs(600), ..orders() });
    let packet = sealed(&server(7), START.unix.saturating_add(Duration::from_secs(600)), 1);
    assert_eq!(scene.take(CLIENT4, &packet).dh, 1);
    for minute in 1..=20 {
        scene.now = START.saturating_add(Duration::from_secs(60 * minute));
        assert_eq!(scene.take(CLIENT4, &sealed(&server(7), scene.now.unix, 100 + minute)).dh, 1);
        assert_eq!(scene.take(CLIENT4, &packet), Done::refused(Refusal::Duplicate, 0), "{minute}");
    }
}

/// Packets that orders could treat differently.
fn packet(kind: u8, number: u64) -> Vec<u8> {
    let stamp = |seconds: u64| UnixTime::from_nanos(START.unix.as_nanos() + seconds * 1_000_000_000);
    match kind {
        0 => wire::udp(CLIENT4, SERVER4, SPA_PORT, &honest(number)),
        1 => wire::udp(CLIENT6, SERVER6, SPA_PORT, &sealed(&server(8), START.unix, number)),
        2 => wire::udp(CLIENT4, SERVER4, SPA_PORT, &sealed(&server(7), stamp(61), number)),
        3 => wire::udp(CLIENT4, "192.0.2.9", SPA_PORT, &honest(number)),
        4 => wire::tcp(CLIENT4, SERVER4, 7000, 0x02),
        5 => wire::tcp(CLIENT4, SERVER4, 9000, 0x02),
        6 => wire::tcp(CLIENT4, SERVER4, 7000, 0x12),
        _ => wire::udp(CLIENT4, SERVER4, 8000, b""),
    }
}

proptest! {
    #![proptest_config(cases(64))]

    #[test]
    fn orders_mean_the_same_after_the_way(kinds in proptest::collection::vec((0..8_u8, 0..3_u64), 1..24)) {
        use knock_spa_proto::port::Transport::{Tcp, Udp};
        let doors = || [
            knocks::door(1, &[(Tcp, 7000), (Udp, 8000), (Tcp, 9000)]),
            knocks::door(2, &[(Tcp, 7000), (Tcp, 9000)]),
        ];
        let given = || Orders { secrets: [server(7), server(8)].into(), doors: doors().into(), ..orders() };
        let mut here = Scene::new(given());
        let mut there = Scene::new(Orders::decode(&given().encode()).unwrap());
        for (kind, seconds) in kinds {
            let packet = packet(kind, u64::from(kind));
            let took = [&mut here, &mut there].map(|scene| {
                scene.now = scene.now.saturating_add(Duration::from_secs(seconds));
                let now = scene.now;
                scene.during(|scene| scene.watch.handle_packet(&packet, now))
            });
            prop_assert_eq!(&took[0], &took[1]);
        }
        prop_assert_eq!(here.watch.counters(), there.watch.counters());
    }
}
