//! Floods by those who know the server's public key: they displace each other, and nobody is blocked.

use alloc::format;
use alloc::string::String;

use proptest::prelude::*;

use super::super::queue::CAPACITY;
use super::*;

/// Packets that only a DH can tell from honest ones: so many that each is long forgotten when its turn comes again.
struct Insider(Vec<Vec<u8>>);

impl Insider {
    fn new() -> Self {
        Self((0..700).map(|number| insider(&honest(1), number)).collect())
    }

    fn flood(&self, scene: &mut Scene, numbers: core::ops::Range<usize>, from: impl Fn(usize) -> String) {
        for number in numbers {
            scene.datagram(&from(number), &self.0[number % self.0.len()]);
        }
    }
}

fn insider(packet: &[u8; PACKET_LEN], number: u64) -> Vec<u8> {
    wire::rewrapped(packet, 1000 + number, |content| content[50] ^= 1)
}

/// How many statements are reported once all work is done.
fn statements(scene: &mut Scene) -> usize {
    scene.during(|_| ()).reports.len()
}

#[test]
fn an_honest_packet_survives_a_flood_from_another_prefix() {
    for (honest_from, prefix) in [(CLIENT4, "203.0.113."), (CLIENT4, "1.2.3."), (CLIENT6, "203.0.113.")] {
        let mut scene = Scene::new(orders());
        let insider = Insider::new();
        let from = |number: usize| format!("{prefix}{}", number % 256);
        insider.flood(&mut scene, 10..5010, from);
        scene.datagram(honest_from, &honest(2));
        insider.flood(&mut scene, 5010..10_010, from);
        assert_eq!(statements(&mut scene), 1, "{honest_from}");
        let counters = scene.watch.counters();
        assert_eq!(counters.received, 10_001);
        assert_eq!(counters.dh, u64::try_from(CAPACITY).unwrap());
        assert_eq!(counters.refused.of(Refusal::Displaced), 10_001 - counters.dh);
        assert_eq!(counters.refused.of(Refusal::Unsealable), counters.dh - 1);
    }
}

#[test]
fn a_flood_over_a_hundred_prefixes_still_holds_more_than_one_place_each() {
    let mut scene = Scene::new(orders());
    let insider = Insider::new();
    let from = |number: usize| format!("2001:db8:1:{:x}00::{number:x}", number % 100);
    insider.flood(&mut scene, 10..510, from);
    scene.datagram(CLIENT6, &honest(2));
    insider.flood(&mut scene, 510..2010, from);
    assert_eq!(statements(&mut scene), 1);
}

#[test]
fn with_a_prefix_for_each_packet_the_oldest_makes_room() {
    // Whatever order the prefixes have among each other, a packet is displaced only by `CAPACITY` later ones.
    for honest_from in ["1.2.3.4", "198.51.100.7", CLIENT6] {
        let mut scene = Scene::new(orders());
        let insider = Insider::new();
        let from = |number: usize| format!("100.{}.{}.1", number / 256, number % 256);
        insider.flood(&mut scene, 10..1010, from);
        scene.datagram(honest_from, &honest(2));
        insider.flood(&mut scene, 1010..1009 + CAPACITY, from);
        assert_eq!(statements(&mut scene), 1, "{honest_from}");
    }
}

#[test]
fn first_come_is_first_served() {
    let mut scene = Scene::new(orders());
    let stamps: Vec<_> =
        (1..=5).map(|number| START.unix.saturating_add(Duration::from_secs(number))).collect();
    for (number, stamp) in (1..).zip(&stamps) {
        scene.datagram(CLIENT4, &sealed(&server(7), *stamp, number));
    }
    let stamp = |report| {
        if let Report::Statement { statement, .. } = report { Some(statement.stamp()) } else { None }
    };
    let served: Vec<_> = scene.during(|_| ()).reports.into_iter().filter_map(stamp).collect();
    assert_eq!(served, stamps);
}

/// What the queue is to be: packets by prefix, in order.
struct Model {
    waiting: Vec<(usize, u64)>,
    held: [usize; PREFIXES],
}

const PREFIXES: usize = 40;

impl Model {
    fn push(&mut self, prefix: usize, number: u64) {
        self.waiting.push((prefix, number));
        self.held[prefix] += 1;
        if self.waiting.len() > CAPACITY {
            let most = self.held.iter().max().unwrap();
            self.take(self.waiting.iter().position(|(prefix, _)| self.held[*prefix] == *most).unwrap());
        }
    }

    fn take(&mut self, index: usize) -> u64 {
        let (prefix, number) = self.waiting.remove(index);
        self.held[prefix] -= 1;
        number
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(8))]

    /// First come, first served, but for those that made room.
    #[test]
    fn the_queue_does_as_it_is_said(
        steps in proptest::collection::vec((0..PREFIXES, prop_oneof![6 => 1..4_u64, 1 => Just(60)], 0..3_usize), 40..100),
    ) {
        let mut scene = Scene::new(orders());
        let mut model = Model { waiting: Vec::new(), held: [0; PREFIXES] };
        let mut known = Vec::new();
        let packet = honest(1);
        for (number, (prefix, burst, works)) in (1000..).step_by(100).zip(steps) {
            for one in 0..burst {
                scene.datagram(&format!("10.0.{prefix}.{one}"), &insider(&packet, number + one));
                model.push(prefix, number + one);
            }
            for _ in 0..works.min(model.waiting.len()) {
                scene.watch.work(scene.now);
                known.push(model.take(0));
            }
        }
        prop_assert_eq!(scene.watch.counters().dh, u64::try_from(known.len()).unwrap());
        // What was served and what waits is known when it comes again; what made room is not.
        known.extend(model.waiting.iter().map(|(_, number)| *number));
        for number in &known {
            scene.datagram(CLIENT4, &insider(&packet, *number));
        }
        let duplicates = scene.watch.counters().refused.of(Refusal::Duplicate);
        prop_assert_eq!(duplicates, u64::try_from(known.len()).unwrap());
    }
}
