//! Memory and the guard's sets are bounded, and nobody is locked out by others.

use alloc::format;

use super::*;
use crate::admit::openings::{MAX_CLASSIC, MAX_OF_CLIENT};

/// Addresses that nobody has.
fn spoofed(count: usize) -> impl Iterator<Item = String> {
    (0..count).map(|number| format!("10.{}.{}.{}", number >> 16, number >> 8 & 255, number & 255))
}

#[test]
fn spoofed_knocks_leave_room_for_clients() {
    let mut world = World::new(everything());
    world.knock("ssh", ALICE4);
    for from in spoofed(MAX_CLASSIC + 100) {
        world.admit.handle_knock(Knockable::Door(name("ssh")), address(&from), world.now);
        while let Some(effect) = world.admit.poll_effect() {
            if let Effect::Record(ticket, _) = effect {
                world.admit.handle_outcome(Outcome::Recorded(ticket, Ok(())), world.now);
            }
        }
    }
    assert_eq!(world.admit.elements(world.now.boot).len(), MAX_CLASSIC);
    assert_eq!(world.admit.refused().of(Refusal::NoRoom), 101);
    let claim = world.claim(&bob(), &open("web"), BOB4);
    world.admit.handle_claim(&claim, world.now);
    assert_eq!(world.admit.accepted(), 1);
    // Whoever is in stays in, and extends.
    world.now = world.now.saturating_add(secs(30));
    world.admit.handle_knock(Knockable::Door(name("ssh")), address(ALICE4), world.now);
    assert_eq!(world.admit.refused().of(Refusal::NoRoom), 101);
    assert!(
        world
            .admit
            .openings(world.now.boot)
            .any(|opening| { opening.address == address(ALICE4) && opening.left == Some(secs(60)) })
    );
    world.now = world.now.saturating_add(secs(61));
    world.admit.handle_timeout(world.now);
    assert!(world.admit.openings.iter().count() == 0 && world.admit.poll_timeout().is_none());
}

#[test]
fn a_client_has_its_share_and_can_extend_all_of_it() {
    let ports: Vec<String> = (1..=600).map(|port| format!("tcp/{port}")).collect();
    let ports: Vec<&str> = ports.iter().map(String::as_str).collect();
    let mut world =
        World::new(rules([door("many", &ports)].into(), [client("alice", &alice(), &["many"])].into()));
    world.ask(&alice(), &open("many"), ALICE4);
    world.pass(secs(30));
    world.ask(&alice(), &open("many"), ALICE4);
    assert_eq!((world.guard().len(), world.refused()), (600, Vec::new()));
    assert_eq!(world.left(element(ALICE4, "tcp/600")), Some(secs(60)));
    world.ask(&alice(), &open("many"), BOB4);
    assert_eq!((world.guard().len(), world.refused()), (600, [(Refusal::NoRoom, 1)].into()));
    const { assert!(600 < MAX_OF_CLIENT && MAX_OF_CLIENT < 1200) };
    world.ask(&alice(), &close(""), ALICE4);
    world.ask(&alice(), &open("many"), BOB4);
    assert_eq!(world.guard().len(), 600);
}

#[test]
fn what_cannot_be_stopped_takes_room() {
    let mut world = World::new(everything());
    world.shell.failing = "stop";
    for from in spoofed(20) {
        world.knock("db", &from);
        world.close("db", None);
    }
    assert_eq!((world.admit.closing.len(), world.status().len()), (20, 0));
    let opening = |text: &str| {
        let door = world.admit.rules.door(name("ssh")).unwrap();
        Opening::asked(door, &door.ports, address(text), &Origin::Classic, Lease::Forever, world.now).unwrap()
    };
    let has_room =
        |closing| world.admit.openings.have_room_for(&[opening(ALICE4)], closing, &world.admit.rules);
    assert!(has_room(MAX_CLASSIC - 1));
    assert!(!has_room(MAX_CLASSIC));
}
