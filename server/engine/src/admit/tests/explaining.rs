//! Whose clock is wrong is said, and nothing else comes of it.

use alloc::format;

use super::asking::state;
use super::*;
use crate::admit::explaining::{Direction, WrongClock};

/// A packet of `client` that was made so many seconds before now, or after it.
fn off(world: &World, client: &ClientSecret, seconds: i64) -> Claim {
    let stamp = world.now.unix.as_nanos().checked_add_signed(seconds * 1_000_000_000).unwrap();
    world.claim_at(UnixTime::from_nanos(stamp), client, &open("ssh"), ALICE4)
}

/// What is said of it.
fn explained(world: &mut World, claim: &Claim) -> Vec<String> {
    world.admit.handle_stale(claim, world.now);
    world.settle();
    let words = |event| {
        let Event::WrongClock { client, from, clock } = event else { return None };
        assert_eq!(from, address(ALICE4));
        Some(format!("{client} {clock}"))
    };
    world.take_said().into_iter().filter_map(words).collect()
}

#[test]
fn a_clock_is_told_to_both_sides_and_no_mark_moves() {
    let mut world = World::new(everything());
    let before = world.admit.snapshot([1; 16]);
    let (slow, fast) = (off(&world, &alice(), -312), off(&world, &bob(), 3600));
    assert_eq!(explained(&mut world, &slow), ["alice 312 s slow"]);
    world.pass(secs(1));
    assert_eq!(explained(&mut world, &fast), ["bob 3599 s fast"]);
    assert_eq!((world.admit.snapshot([1; 16]), world.status().len(), world.refused().len()), (before, 0, 0));
    let clocks: Vec<_> =
        world.admit.latest_refusals().map(|refused| (refused.refusal, refused.clock)).collect();
    let clock = |skew, direction| Some(WrongClock { skew: secs(skew), direction });
    let expected = [(312, Direction::Slow), (3599, Direction::Fast)];
    assert_eq!(clocks, expected.map(|(skew, direction)| (Refusal::Stale, clock(skew, direction))));
    // A packet from the future did not spoil what its client sends now.
    world.ask(&bob(), &open("ssh"), BOB4);
    assert_eq!(world.admit.accepted(), 1);
}

#[test]
fn who_is_not_known_by_signature_is_not_heard() {
    let stranger = ClientSecret::from_seed([99; 32]);
    let mut expired = client("alice", &alice(), &["ssh"]);
    expired.not_after = Some(UnixTime::from_nanos(1_790_000_000_000_000_000));
    let mut world = World::new(everything());
    let forged = {
        let mut bytes = off(&world, &alice(), -312).statement.to_bytes();
        bytes[40] ^= 1;
        Claim { statement: Statement::from_bytes(bytes), ..off(&world, &alice(), -312) }
    };
    let foreign = {
        let server = ServerSecret::from_bytes([8; 32]).public();
        let stamp = UnixTime::from_nanos(world.now.unix.as_nanos() - 312_000_000_000);
        let statement = state(&server, &alice(), stamp, &open("ssh").request().encode());
        Claim { server, statement, from: address(ALICE4) }
    };
    // What the listener calls stale, and is not, opens nothing either.
    let fresh = off(&world, &alice(), 30);
    for claim in [off(&world, &stranger, -312), forged, foreign, fresh] {
        world.pass(secs(1));
        assert_eq!(explained(&mut world, &claim), [""; 0]);
        assert!(world.status().is_empty() && world.admit.latest_refusals().next().is_none());
    }
    let mut world = World::new(only(expired));
    let claim = off(&world, &alice(), -312);
    assert_eq!(explained(&mut world, &claim), [""; 0]);
}

#[test]
fn a_copy_explains_nothing() {
    let mut world = World::new(everything());
    let taken = world.ask(&alice(), &open("ssh"), ALICE4);
    let stale = off(&world, &bob(), -100);
    let older = off(&world, &bob(), -200);
    assert_eq!(explained(&mut world, &stale).len(), 1);
    world.pass(secs(100));
    for copy in [&taken, &stale, &older] {
        assert_eq!(explained(&mut world, copy), [""; 0]);
        world.pass(secs(1));
    }
    let newer = off(&world, &bob(), -100);
    assert_eq!(explained(&mut world, &newer).len(), 1);
}

#[test]
fn a_listener_that_does_not_keep_the_pace_is_not_followed() {
    let mut world = World::new(everything());
    let mut said = 0;
    for step in 0..100 {
        let claim = off(&world, &alice(), -1000 + step);
        said += explained(&mut world, &claim).len();
    }
    assert_eq!(said, 1);
    world.pass(secs(1));
    let next = off(&world, &alice(), -300);
    assert_eq!(explained(&mut world, &next).len(), 1);
}
