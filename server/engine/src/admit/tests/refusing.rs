//! Each refusal at its own stage, counted as that and nothing else.

use super::asking::state;
use super::*;

#[test]
fn each_stage_refuses_what_is_its_own() {
    type Claims<'a> = &'a dyn Fn(&World) -> Claim;
    let now = UnixTime::from_nanos(1_790_000_000_000_000_000);
    let early = UnixTime::from_nanos(now.as_nanos() - 60_000_000_001);
    let late = now.saturating_add(Duration::from_nanos(60_000_000_001));
    let stranger = ClientSecret::from_seed([99; 32]);
    let cases: [(Refusal, Claims<'_>); 6] = [
        (Refusal::Stale, &|world| world.claim_at(early, &alice(), &open("ssh"), ALICE4)),
        (Refusal::Stale, &|world| world.claim_at(late, &alice(), &open("ssh"), ALICE4)),
        // A stranger's stale packet is stale.
        (Refusal::Stale, &|world| world.claim_at(early, &stranger, &open("ssh"), ALICE4)),
        (Refusal::UnknownClient, &|world| world.claim_at(now, &stranger, &open("ssh"), ALICE4)),
        (Refusal::Malformed, &|world| {
            let mut request = open("ssh").request().encode();
            request[1] |= 2;
            let statement = state(&server().public(), &alice(), now, &request);
            Claim { statement, ..world.claim_at(now, &alice(), &open("ssh"), ALICE4) }
        }),
        (Refusal::Unauthorised, &|world| world.claim_at(now, &alice(), &open("nosuch"), ALICE4)),
    ];
    for (refusal, claim) in cases {
        let mut world = World::new(everything());
        let claim = claim(&world);
        world.deliver(&claim);
        assert_eq!(world.refused(), [(refusal, 1)]);
        assert!(world.guard().is_empty() && world.disk.used.is_empty() && world.admit.accepted() == 0);
    }
}

#[test]
fn the_window_is_closed_at_both_ends() {
    let mut world = World::new(everything());
    let now = world.now.unix;
    let first =
        world.claim_at(UnixTime::from_nanos(now.as_nanos() - 60_000_000_000), &alice(), &open("ssh"), ALICE4);
    let last = world.claim_at(now.saturating_add(WINDOW), &alice(), &open("web"), ALICE4);
    world.deliver(&first);
    world.deliver(&last);
    assert_eq!((world.admit.accepted(), world.refused()), (2, Vec::new()));
}

#[test]
fn a_packet_acts_once_and_an_older_one_not_at_all() {
    let mut world = World::new(everything());
    let older = world.claim(&alice(), &open("web"), ALICE4);
    let claim = world.ask(&alice(), &open("ssh").ttl(5), ALICE4);
    world.pass(secs(5));
    for replay in [&claim, &older, &claim] {
        world.deliver(replay);
    }
    assert_eq!((world.guard().len(), world.refused()), (0, [(Refusal::Replayed, 3)].into()));
    // A copy that comes together with the original.
    let claim = world.claim(&bob(), &open("ssh"), BOB4);
    world.deliver_unsettled(&claim);
    world.deliver(&claim);
    assert_eq!((world.guard().len(), world.refused()), (1, [(Refusal::Replayed, 4)].into()));
}

#[test]
fn a_client_ahead_of_time_is_held_up_for_as_long_and_no_longer() {
    let mut world = World::new(everything());
    let ahead = world.claim_at(world.now.unix.saturating_add(secs(50)), &alice(), &open("ssh"), ALICE4);
    world.deliver(&ahead);
    world.pass(secs(50));
    world.ask(&alice(), &open("ssh"), ALICE4);
    assert_eq!(world.refused(), [(Refusal::Replayed, 1)]);
    world.pass(Duration::from_nanos(1));
    world.ask(&alice(), &open("ssh"), ALICE4);
    assert_eq!(world.refused(), [(Refusal::Replayed, 1)]);
}

#[test]
fn what_the_client_signed_is_used_up_even_if_refused() {
    let rate = Rate { per_minute: NonZeroU32::new(6).unwrap(), burst: NonZeroU32::new(2).unwrap() };
    let mut world = World::new(only(Client { rate, ..client("alice", &alice(), &["ssh"]) }));
    let refused = world.ask(&alice(), &open("web"), ALICE4);
    world.ask(&alice(), &open("ssh").ttl(1), ALICE4);
    let too_often = world.ask(&alice(), &open("ssh"), ALICE4);
    let expected = [(Refusal::TooOften, 1), (Refusal::Unauthorised, 1)];
    assert_eq!(world.refused(), expected);
    // The rights and the tokens that were missing come too late for these.
    world.reload(everything());
    world.pass(secs(20));
    world.deliver(&refused);
    world.deliver(&too_often);
    assert_eq!(world.refused()[0], (Refusal::Replayed, 2));
    assert!(world.guard().is_empty());
}

#[test]
fn a_clock_that_steps_back_brings_nothing_back() {
    let mut world = World::new(everything());
    world.pass(secs(30));
    let claim = world.ask(&alice(), &open("ssh").ttl(1), ALICE4);
    world.pass(secs(1));
    world.now.unix = UnixTime::from_nanos(world.now.unix.as_nanos() - 31_000_000_000);
    world.deliver(&claim);
    assert_eq!((world.guard().len(), world.refused()), (0, [(Refusal::Replayed, 1)].into()));
}

#[test]
fn refusals_are_told_once_in_ten_seconds_and_counted_always() {
    let mut world = World::new(everything());
    let stranger = ClientSecret::from_seed([99; 32]);
    for second in 0..25_u64 {
        world.ask(&stranger, &open("ssh"), BOB4);
        world.ask(&alice(), &open("nosuch"), ALICE4);
        world.pass(secs(1));
        assert!(world.admit.latest_refusals().count() <= 32, "{second}");
    }
    let told = |event| match event {
        Event::Refused { refusal, from, client, count } => Some((refusal, from, client, count)),
        Event::Dropped { .. }
        | Event::Opened { .. }
        | Event::Closed { .. }
        | Event::Enrolled { .. }
        | Event::WrongClock { .. }
        | Event::CommandFailed { .. }
        | Event::JournalFailed
        | Event::Knockd(_)
        | Event::StopFailed { .. }
        | Event::Shortened { .. }
        | Event::NotStruckOut { .. } => None,
    };
    let told: Vec<_> = world.take_said().into_iter().filter_map(told).collect();
    let expected = |count| {
        [
            (Refusal::UnknownClient, address(BOB4), None, count),
            (Refusal::Unauthorised, address(ALICE4), Some("alice".into()), count),
        ]
    };
    assert_eq!(told, [expected(1), expected(10), expected(10)].concat());
    assert_eq!(world.refused(), [(Refusal::UnknownClient, 25), (Refusal::Unauthorised, 25)]);
    let latest = world.admit.latest_refusals().last().unwrap();
    assert_eq!((latest.refusal, latest.client.as_deref()), (Refusal::Unauthorised, Some("alice")));
}

/// What the listener drops by itself never gets here, but in numbers.
#[test]
fn what_the_listener_drops_is_told_once_in_ten_seconds() {
    let mut world = World::new(everything());
    let mut counts = [0; Refusal::ALL.len()];
    for second in 0..25_u64 {
        counts[Refusal::Junk as usize] = 1000 * (second + 1);
        counts[Refusal::Stale as usize] = 3;
        // A listener that lies may say anything, and take it back.
        counts[Refusal::Duplicate as usize] = if second % 2 == 0 { u64::MAX } else { 0 };
        world.admit.handle_dropped(&Tally::from_counts(counts), world.now);
        world.settle();
        world.pass(secs(1));
    }
    let told =
        |event| if let Event::Dropped { refusal, count } = event { Some((refusal, count)) } else { None };
    let told: Vec<_> = world.take_said().into_iter().filter_map(told).collect();
    let of = |wanted| told.iter().filter(move |(refusal, _)| *refusal == wanted).map(|(_, count)| *count);
    assert_eq!(of(Refusal::Junk).collect::<Vec<_>>(), [1000, 10_000, 10_000]);
    assert_eq!(of(Refusal::Stale).collect::<Vec<_>>(), [3]);
    assert_eq!(of(Refusal::Duplicate).count(), 3);
    assert_eq!(told.len(), 7);
    assert_eq!(world.refused(), [], "it is counted where it was dropped");
}
