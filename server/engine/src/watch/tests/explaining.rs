//! Stale packets are looked into where that is wanted: one in a second, behind everything else.

use super::*;

fn stamp(seconds: i64) -> UnixTime {
    UnixTime::from_nanos(START.unix.as_nanos().checked_add_signed(seconds * 1_000_000_000).unwrap())
}

fn stale(number: u64) -> [u8; PACKET_LEN] {
    sealed(&server(7), stamp(-312), number)
}

fn explaining() -> Orders {
    Orders { explains: true, ..orders() }
}

/// The stamps of the stale packets that are reported.
fn told(done: &Done) -> Vec<UnixTime> {
    let stamp = |report: &Report| {
        let Report::Stale { server: key, statement, from } = report else { return None };
        assert_eq!((*key, *from), (server(7).public(), address(CLIENT4)));
        Some(statement.stamp())
    };
    done.reports.iter().filter_map(stamp).collect()
}

#[test]
fn one_in_a_second_is_told_and_no_dh_counted() {
    let mut scene = Scene::new(explaining());
    let done = scene.take(CLIENT4, &stale(1));
    assert_eq!((told(&done), done.dh, &done.refused[..]), ([stamp(-312)].into(), 0, &[Refusal::Stale][..]));
    let early = sealed(&server(7), stamp(61), 2);
    for number in 3..100 {
        assert_eq!(scene.take(CLIENT4, &stale(number)), Done::refused(Refusal::Stale, 0));
    }
    assert_eq!(scene.watch.counters().explained, 1);
    scene.now = scene.now.saturating_add(Duration::from_millis(999));
    assert_eq!(told(&scene.take(CLIENT4, &stale(100))), []);
    scene.now = scene.now.saturating_add(Duration::from_millis(1));
    assert_eq!(told(&scene.take(CLIENT4, &early)), [], "by now it is not early any more");
    let done = scene.take(CLIENT4, &sealed(&server(7), stamp(62), 101));
    assert_eq!((told(&done), scene.watch.counters().explained), ([stamp(62)].into(), 2));
}

#[test]
fn without_leave_and_without_the_key_nothing_is_looked_into() {
    let mut scene = Scene::new(orders());
    assert_eq!(scene.take(CLIENT4, &stale(1)), Done::refused(Refusal::Stale, 0));
    let mut scene = Scene::new(explaining());
    let foreign = sealed(&server(8), stamp(-312), 2);
    for outsider in [&[0x55; PACKET_LEN][..], &foreign, &[]] {
        let done = scene.take(CLIENT4, outsider);
        assert_eq!((done.reports.len(), scene.watch.counters().explained), (0, 0));
    }
    // An insider's stale junk costs the one look, and is not told.
    let broken = wire::rewrapped(&stale(3), 3, |content| content[40] ^= 1);
    assert_eq!(scene.take(CLIENT4, &broken), Done::refused(Refusal::Stale, 0));
    assert_eq!(scene.watch.counters().explained, 1);
}

#[test]
fn what_is_fresh_goes_first() {
    let mut scene = Scene::new(explaining());
    scene.datagram(CLIENT4, &stale(1));
    scene.datagram(CLIENT4, &honest(2));
    scene.datagram(CLIENT4, &honest(3));
    let done = scene.during(|_| {});
    assert_eq!(done.dh, 2);
    let kinds: Vec<_> = done.reports.iter().map(|report| matches!(report, Report::Stale { .. })).collect();
    assert_eq!(kinds, [false, false, true]);
    // Other orders, and perhaps other keys: what waits is forgotten.
    scene.now = scene.now.saturating_add(Duration::from_secs(1));
    scene.datagram(CLIENT4, &stale(4));
    scene.watch.handle_orders(Orders { secrets: Vec::new(), ..explaining() });
    assert!(!scene.watch.has_work());
}
