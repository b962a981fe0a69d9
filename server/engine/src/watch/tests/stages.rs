//! Each packet is refused at its own stage, and costs what that stage costs.

use proptest::prelude::*;

use super::*;

#[test]
fn a_packet_becomes_one_statement() {
    for from in [CLIENT4, CLIENT6] {
        let mut scene = Scene::new(orders());
        let done = scene.take(from, &honest(1));
        let [Report::Statement { server: key, statement, from: source, from_port }] = &done.reports[..]
        else {
            panic!("{done:?}");
        };
        assert_eq!((*key, *source, *from_port), (server(7).public(), address(from), wire::FROM_PORT));
        let proven = statement.clone().verify(&client().public(), key).unwrap();
        assert_eq!((proven.stamp(), proven.request()), (START.unix, Ok(request())));
        assert_eq!((done.dh, done.refused.len(), scene.watch.counters().received), (1, 0, 1));
    }
}

#[test]
fn every_refusal_is_its_own() {
    let mut scene = Scene::new(orders());
    let fresh = honest(1);
    for len in [0, 1, 319, 321, 640] {
        let mut bytes = fresh.to_vec();
        bytes.resize(len, 0);
        assert_eq!(scene.take(CLIENT4, &bytes), Done::refused(Refusal::WrongLength, 0), "{len}");
    }
    assert_eq!(scene.take(CLIENT4, &[0x55; PACKET_LEN]), Done::refused(Refusal::Junk, 0));
    let foreign = sealed(&server(8), START.unix, 2);
    assert_eq!(scene.take(CLIENT4, &foreign), Done::refused(Refusal::Junk, 0));
    let old = sealed(&server(7), UnixTime::from_nanos(START.unix.as_nanos() - 60_000_000_001), 3);
    assert_eq!(scene.take(CLIENT4, &old), Done::refused(Refusal::Stale, 0));
    let early = sealed(&server(7), START.unix.saturating_add(Duration::from_nanos(60_000_000_001)), 4);
    assert_eq!(scene.take(CLIENT4, &early), Done::refused(Refusal::Stale, 0));

    assert_eq!(scene.take(CLIENT4, &fresh).reports.len(), 1);
    assert_eq!(scene.take(CLIENT6, &fresh), Done::refused(Refusal::Duplicate, 0), "from wherever it comes");
    for at in [0, 8, 40, 263, 264, 279] {
        let broken = wire::rewrapped(&fresh, 5 + at, |content| content[usize::try_from(at).unwrap()] ^= 1);
        // The first byte is the stamp's highest, which the window refuses.
        let expected = if at == 0 { (Refusal::Stale, 0) } else { (Refusal::Unsealable, 1) };
        assert_eq!(scene.take(CLIENT4, &broken), Done::refused(expected.0, expected.1), "{at}");
    }
    let moved = wire::rewrapped(&fresh, 300, |content| content[7] ^= 1);
    assert_eq!(
        scene.take(CLIENT4, &moved),
        Done::refused(Refusal::Unsealable, 1),
        "the seal holds the stamp"
    );
    let small_order = wire::rewrapped(&fresh, 301, |content| content[8..40].fill(0));
    assert_eq!(scene.take(CLIENT4, &small_order), Done::refused(Refusal::Unsealable, 1));
}

#[test]
fn the_window_is_closed_at_both_ends() {
    let mut scene = Scene::new(orders());
    for (number, nanos) in [(1, -60_000_000_000), (2, 60_000_000_000)] {
        let stamp = UnixTime::from_nanos(START.unix.as_nanos().checked_add_signed(nanos).unwrap());
        assert_eq!(scene.take(CLIENT4, &sealed(&server(7), stamp, number)).reports.len(), 1, "{nanos}");
    }
}

#[test]
fn a_packet_that_waits_counts_as_seen() {
    let mut scene = Scene::new(orders());
    let packet = honest(1);
    scene.datagram(CLIENT4, &packet);
    assert_eq!(scene.watch.counters().dh, 0, "it waits");
    for _ in 0..1000 {
        scene.datagram(CLIENT4, &packet);
    }
    let done = scene.during(|_| ());
    assert_eq!((done.dh, done.reports.len()), (1, 1));
    assert_eq!(scene.watch.counters().refused.of(Refusal::Duplicate), 1000);
}

#[test]
fn a_replay_is_known_for_as_long_as_it_is_fresh() {
    let mut scene = Scene::new(orders());
    // Made as far ahead as is allowed, so that it stays fresh for two windows.
    let packet = sealed(&server(7), START.unix.saturating_add(WINDOW), 1);
    assert_eq!(scene.take(CLIENT4, &packet).dh, 1);
    for second in 1..=120 {
        scene.now = START.saturating_add(Duration::from_secs(second));
        assert_eq!(scene.take(CLIENT4, &packet), Done::refused(Refusal::Duplicate, 0), "{second}");
        // Others come meanwhile, and make the filter forget what it may forget.
        assert_eq!(scene.take(CLIENT4, &sealed(&server(7), scene.now.unix, 100 + second)).dh, 1);
    }
    scene.now = START.saturating_add(Duration::from_secs(121));
    assert_eq!(scene.take(CLIENT4, &packet), Done::refused(Refusal::Stale, 0));
}

#[test]
fn every_bit_of_a_packet_counts() {
    let mut scene = Scene::new(orders());
    let packet = honest(1);
    for bit in 0..PACKET_LEN * 8 {
        let mut changed = packet;
        changed[bit / 8] ^= 1 << (bit % 8);
        assert_eq!(scene.take(CLIENT4, &changed), Done::refused(Refusal::Junk, 0), "bit {bit}");
    }
    assert_eq!(scene.take(CLIENT4, &packet).reports.len(), 1, "unchanged it is still good");
}

#[test]
fn what_is_for_others_does_nothing() {
    let mut scene = Scene::new(orders());
    let packets = [
        wire::udp(CLIENT4, "192.0.2.2", SPA_PORT, &honest(1)),
        wire::udp(CLIENT4, "255.255.255.255", SPA_PORT, &honest(2)),
        wire::udp(CLIENT4, "224.0.0.1", SPA_PORT, &honest(3)),
        wire::udp(CLIENT6, "2001:db8::2", SPA_PORT, &honest(4)),
        wire::udp(CLIENT6, "ff02::1", SPA_PORT, &honest(5)),
        wire::udp(CLIENT4, SERVER4, SPA_PORT + 1, &honest(6)),
        wire::tcp(CLIENT4, SERVER4, SPA_PORT, 2),
        Vec::new(),
    ];
    for packet in packets {
        let now = scene.now;
        assert_eq!(scene.during(|scene| scene.watch.handle_packet(&packet, now)), Done::nothing());
    }
    assert_eq!(scene.watch.counters(), &Counters::default());
}

/// A packet of a random kind, with what is to come of it where nothing was seen before.
#[derive(Clone, Debug)]
enum Kind {
    Honest,
    Length(usize),
    Noise(u8),
    Flipped(usize),
    OtherServer,
    Stale(u64),
    Insider(usize),
    Foreign,
}

impl Kind {
    fn any() -> impl Strategy<Value = Self> {
        prop_oneof![
            3 => Just(Self::Honest),
            1 => (0..700_usize).prop_filter("another length", |len| *len != PACKET_LEN).prop_map(Self::Length),
            1 => any::<u8>().prop_map(Self::Noise),
            2 => (0..PACKET_LEN * 8).prop_map(Self::Flipped),
            1 => Just(Self::OtherServer),
            1 => (60_000_000_001..START.unix.as_nanos()).prop_map(Self::Stale),
            2 => (8..280_usize).prop_map(Self::Insider),
            1 => Just(Self::Foreign),
        ]
    }

    fn datagram(&self, number: u64) -> Vec<u8> {
        match self {
            Self::Honest | Self::Foreign => honest(number).into(),
            Self::Length(len) => honest(number).into_iter().cycle().take(*len).collect(),
            Self::Noise(byte) => [*byte; PACKET_LEN].into(),
            Self::Flipped(bit) => {
                let mut packet = honest(number);
                packet[bit / 8] ^= 1 << (bit % 8);
                packet.into()
            }
            Self::OtherServer => sealed(&server(8), START.unix, number).into(),
            Self::Stale(nanos) => {
                sealed(&server(7), UnixTime::from_nanos(START.unix.as_nanos() - nanos), number).into()
            }
            Self::Insider(at) => wire::rewrapped(&honest(number), number, |content| content[*at] ^= 1),
        }
    }

    /// The refusal, and how many DHs, where the packet comes for the first time.
    const fn fate(&self) -> (Option<Refusal>, u64) {
        match self {
            Self::Honest => (None, 1),
            Self::Length(_) => (Some(Refusal::WrongLength), 0),
            Self::Noise(_) | Self::Flipped(_) | Self::OtherServer => (Some(Refusal::Junk), 0),
            Self::Stale(_) => (Some(Refusal::Stale), 0),
            Self::Insider(_) => (Some(Refusal::Unsealable), 1),
            Self::Foreign => (None, 0),
        }
    }
}

proptest! {
    #![proptest_config(cases(100))]

    /// At most one DH for each packet that an insider made, once; none for whatever an outsider can send.
    #[test]
    fn outsiders_cost_no_dh(kinds in proptest::collection::vec((Kind::any(), 1..4_u64), 1..12)) {
        let mut scene = Scene::new(orders());
        for (number, (kind, times)) in (1..).zip(kinds) {
            let datagram = kind.datagram(number);
            let to = if matches!(kind, Kind::Foreign) { "192.0.2.2" } else { SERVER4 };
            let (refusal, dh) = kind.fate();
            for time in 0..times {
                let packet = wire::udp(CLIENT4, to, SPA_PORT, &datagram);
                let now = scene.now;
                let done = scene.during(|scene| scene.watch.handle_packet(&packet, now));
                let again = time > 0 && dh > 0;
                let expected = if again { Some(Refusal::Duplicate) } else { refusal };
                prop_assert_eq!(&done.refused[..], expected.as_slice(), "{:?}", kind);
                prop_assert_eq!(done.dh, if again { 0 } else { dh });
                prop_assert_eq!(done.reports.len(), usize::from(matches!(kind, Kind::Honest) && time == 0));
            }
        }
    }
}
