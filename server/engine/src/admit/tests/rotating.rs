//! One of the server's keys after another.

use super::asking::state;
use super::*;

fn old() -> ServerKey {
    server().public()
}

fn new() -> ServerKey {
    ServerSecret::from_bytes([8; 32]).public()
}

/// A packet of `client` to this key, made now.
fn to(server: ServerKey, world: &mut World, client: &ClientSecret) -> Claim {
    world.now = world.now.saturating_add(Duration::from_millis(1));
    let statement = state(&server, client, world.now.unix, &open("ssh").request().encode());
    Claim { server, statement, from: address(ALICE4) }
}

fn send(server: ServerKey, world: &mut World, client: &ClientSecret) {
    let claim = to(server, world, client);
    world.deliver(&claim);
}

#[test]
fn both_keys_are_good_until_the_previous_one_ends() {
    let mut world = World::new(everything());
    send(new(), &mut world, &alice());
    assert_eq!(world.refused(), [(Refusal::Forged, 1)], "it is nobody's key yet");
    world.rotate([new(), old()].into());
    send(old(), &mut world, &alice());
    send(new(), &mut world, &bob());
    assert_eq!(world.admit.accepted(), 2);
    let harvested = to(old(), &mut world, &alice());
    world.rotate([new()].into());
    world.deliver(&harvested);
    send(old(), &mut world, &bob());
    assert_eq!(world.refused(), [(Refusal::Forged, 3)]);
    send(new(), &mut world, &alice());
    assert_eq!(world.admit.accepted(), 3);
}

#[test]
fn a_mark_counts_for_packets_to_either_key() {
    let mut world = World::new(everything());
    world.rotate([new(), old()].into());
    let held_back = to(old(), &mut world, &alice());
    send(new(), &mut world, &alice());
    world.deliver(&held_back);
    assert_eq!(world.refused(), [(Refusal::Replayed, 1)]);
    world.crash();
    world.deliver(&held_back);
    assert_eq!(world.refused(), [(Refusal::Replayed, 1)]);
}

#[test]
fn a_new_key_is_on_record_before_anybody_hears_of_it() {
    let mut world = World::new(everything());
    world.rotate([new(), old()].into());
    // Power is lost at once: what was not made durable is gone.
    world.reboot(secs(1));
    assert!(!world.state_lost, "a new key needs no floor");
    world.pass(secs(1));
    send(new(), &mut world, &alice());
    assert_eq!(world.admit.accepted(), 1);
}

#[test]
fn a_key_that_no_journal_knows_is_lost_state_also_beside_one_that_it_knows() {
    let mut world = World::new(everything());
    let mut rules = everything();
    rules.set_servers([new(), old()].into());
    world.restart_with(rules);
    assert!(world.state_lost);
    send(new(), &mut world, &alice());
    send(old(), &mut world, &bob());
    assert_eq!(world.refused(), [(Refusal::Replayed, 2)]);
}

#[test]
fn a_key_that_ended_and_comes_back_is_lost_state() {
    let mut world = World::new(everything());
    world.rotate([new(), old()].into());
    world.rotate([new()].into());
    world.crash();
    assert!(!world.state_lost);
    // The new journal was begun without it.
    world.rotate([new()].into());
    world.crash();
    let mut rules = everything();
    rules.set_servers([new(), old()].into());
    world.restart_with(rules);
    assert!(world.state_lost);
}

/// A client that knows the old key alone is one, whether or not the disk takes anything.
#[test]
fn what_could_not_be_recorded_is_a_use_of_its_key_too() {
    let mut world = World::new(everything());
    world.disk.broken = true;
    world.ask(&bob(), &open("vpn"), BOB4);
    assert_eq!((world.refused(), world.admit.accepted()), ([(Refusal::Unrecorded, 1)].into(), 0));
    assert_eq!(world.admit.key_use(&old()).accepted, 1);
}

#[test]
fn what_each_key_was_used_for_is_counted() {
    let mut world = World::new(everything());
    world.rotate([new(), old()].into());
    let names = |server, world: &World| {
        let key_use = world.admit.key_use(&server);
        let names: Vec<String> = key_use.clients.iter().map(|name| name.as_str().into()).collect();
        (key_use.accepted, names.join(" "), key_use.last_used)
    };
    assert_eq!(names(old(), &world), (0, String::new(), None));
    send(old(), &mut world, &bob());
    send(old(), &mut world, &alice());
    let at = world.now.unix;
    assert_eq!(names(old(), &world), (2, "alice bob".into(), Some(at)));
    // Who has renewed uses the previous key no more; what was refused is no use.
    send(new(), &mut world, &alice());
    world.rotate([new(), old()].into());
    send(old(), &mut world, &ClientSecret::from_seed([99; 32]));
    assert_eq!(names(old(), &world), (2, "bob".into(), Some(at)));
    assert_eq!(names(new(), &world).1, "alice");
    // A client that is removed is named no more.
    let mut rules = rules(doors(), [client("alice", &alice(), &["ssh"])].into());
    rules.set_servers([new(), old()].into());
    world.reload(rules);
    assert_eq!(names(old(), &world), (2, String::new(), Some(at)));
    world.rotate([new()].into());
    assert_eq!(names(old(), &world), (0, String::new(), None), "and a key that ended is forgotten");
}
