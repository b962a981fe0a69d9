//! Doors that open by timed elements of the administrator's own sets.

use alloc::string::ToString;

use super::*;

const ANY: &str = "inet f any";
const EACH: &str = "inet f each";

fn world(doors: Vec<Door>) -> World {
    let names: Vec<_> = doors.iter().map(|door| door.name.to_string()).collect();
    let names: Vec<_> = names.iter().map(String::as_str).collect();
    let clients = [client("alice", &alice(), &names), client("bob", &bob(), &names)].into();
    World::new(rules(doors, clients))
}

fn mail() -> Door {
    set_door("mail", &["tcp/25", "tcp/465"], EACH)
}

/// What the sets hold: `SET: KEY`, and seconds.
fn held(world: &World) -> Vec<String> {
    world.held().iter().map(|(key, left)| alloc::format!("{key} {}", left.as_secs())).collect()
}

#[test]
fn a_set_gets_what_is_opened_until_it_ends() {
    let mut world = world([mail()].into());
    world.ask(&alice(), &open("mail").ttl(100).at(ALICE6), ALICE4);
    let four = [ALICE4, ALICE6].map(|address| ["tcp/25", "tcp/465"].map(|port| (address, port)));
    let expected: Vec<_> = four
        .into_iter()
        .flatten()
        .map(|(address, port)| alloc::format!("{EACH}: {address} {port} 100"))
        .collect();
    assert_eq!(held(&world), expected);
    assert!(world.guard().is_empty(), "the guard has nothing to do with it");
    world.ask(&alice(), &close("mail").explicitly().at(ALICE6), ALICE4);
    assert_eq!(held(&world), expected[..2], "closed at once");
    world.pass(secs(99));
    assert_eq!(held(&world).len(), 2);
    world.pass(secs(1));
    assert!(held(&world).is_empty());
}

#[test]
fn an_element_lasts_until_the_latest_opening_that_needs_it() {
    let mut world =
        world([knocked(set_door("mail", &["tcp/25"], ANY)), set_door("imap", &["tcp/143"], ANY)].into());
    world.ask(&alice(), &open("mail").ttl(100), ALICE4);
    world.ask(&bob(), &open("imap").ttl(300), ALICE4);
    world.knock("mail", ALICE4);
    assert_eq!(
        held(&world),
        [alloc::format!("{ANY}: {ALICE4} 300")],
        "two doors, three openings, one address"
    );
    world.close("imap", None);
    assert_eq!(held(&world), [alloc::format!("{ANY}: {ALICE4} 100")], "it ends earlier now");
    world.pass(secs(61));
    world.ask(&alice(), &close("mail"), ALICE4);
    assert!(held(&world).is_empty());
}

#[test]
fn one_port_of_a_door_is_one_element() {
    let mut world = world([mail()].into());
    world.ask(&alice(), &open("tcp/465").ttl(100), ALICE4);
    assert_eq!(held(&world), [alloc::format!("{EACH}: {ALICE4} tcp/465 100")]);
}

#[test]
fn without_a_set_for_its_family_nobody_gets_in() {
    let SetAction { set4, .. } = SetAction { set4: EACH.parse().ok(), set6: None };
    let only4 = Door { action: Action::Set(SetAction { set4, set6: None }), ..knocked(mail()) };
    let mut world = world([only4].into());
    world.ask(&alice(), &open("mail").at(ALICE6), ALICE4);
    world.ask(&alice(), &open("mail"), ALICE6);
    world.knock("mail", ALICE6);
    assert_eq!(world.refused(), [(Refusal::Unauthorised, 3)]);
    assert!(held(&world).is_empty() && world.status().is_empty(), "whole or not at all");
    world.ask(&alice(), &open("mail"), ALICE4);
    assert_eq!(held(&world).len(), 2);
}

#[test]
fn a_sequence_that_is_good_once_is_not_used_up_where_it_opens_nothing() {
    let only4 = SetAction { set4: EACH.parse().ok(), set6: None };
    let mut once = Door { action: Action::Set(only4), ..knocked(mail()) };
    once.classic.as_mut().unwrap().uses = knock_spa_proto::knock::Uses::Once;
    let mut world = world([once].into());
    world.knock("mail", ALICE6);
    assert!(world.struck_out.is_empty());
    world.knock("mail", ALICE4);
    assert_eq!((world.struck_out.len(), held(&world).len()), (1, 2));
}

#[test]
fn with_a_broken_disk_sets_go_on_from_memory() {
    let mut world = world([mail()].into());
    world.disk.broken = true;
    world.ask(&alice(), &open("mail").ttl(100), ALICE4);
    assert_eq!(held(&world).len(), 2);
    world.pass(secs(50));
    world.ask(&alice(), &close("mail"), ALICE4);
    assert!(held(&world).is_empty());
}

#[test]
fn a_start_puts_back_what_is_due_and_takes_away_what_is_over() {
    let mut world = world([mail()].into());
    world.ask(&alice(), &open("mail").ttl(100), ALICE4);
    world.ask(&alice(), &open("mail").ttl(300), ALICE6);
    world.reboot(secs(50));
    let left: BTreeSet<_> = world.held().into_values().map(|left| left.as_secs()).collect();
    assert_eq!(left, [50, 250].into());
    // The kernel's own timeouts do not run while the machine sleeps.
    world.kernel.slept += secs(60);
    world.now = world.now.saturating_add(secs(60));
    assert_eq!(held(&world).len(), 4, "open for longer than it was to be");
    world.crash();
    assert_eq!(held(&world).len(), 2);
}

#[test]
fn what_a_door_had_in_another_set_goes_with_a_reload() {
    let mut world = world([mail()].into());
    world.ask(&alice(), &open("mail").ttl(100), ALICE4);
    let clients = || [client("alice", &alice(), &["mail"])].into();
    world.reload(rules([set_door("mail", &["tcp/25", "tcp/465"], ANY)].into(), clients()));
    assert!(held(&world).is_empty() && world.status().is_empty());
    world.ask(&alice(), &open("mail").ttl(100), ALICE4);
    assert_eq!(held(&world), [alloc::format!("{ANY}: {ALICE4} 100")]);
    world.restart_with(rules([door("mail", &["tcp/25"])].into(), clients()));
    assert!(held(&world).is_empty(), "also while no daemon ran");
}

#[test]
fn a_request_changes_each_set_in_one_go() {
    let mut world = world([mail(), set_door("imap", &["tcp/143"], EACH)].into());
    let claim = world.claim(&alice(), &open("mail,imap"), ALICE4);
    world.admit.handle_claim(&claim, world.now);
    let Some(Effect::Record(ticket, _)) = world.admit.poll_effect() else { panic!("nothing to record") };
    assert_eq!(world.admit.poll_effect(), None, "nothing before the record is durable");
    world.admit.handle_outcome(Outcome::Recorded(ticket, Ok(())), world.now);
    let Some(Effect::Fill(entries)) = world.admit.poll_effect() else { panic!("nothing to fill") };
    let [entry] = &entries[..] else { panic!("{entries:?}") };
    assert_eq!((entry.open.len(), entry.shut.len()), (3, 0));
}

#[test]
fn what_is_not_on_record_yet_moves_nothing() {
    let mut world = world([set_door("mail", &["tcp/25"], ANY), set_door("imap", &["tcp/143"], ANY)].into());
    world.ask(&alice(), &open("mail").ttl(100), ALICE4);
    world.ask(&bob(), &open("imap").ttl(200), ALICE4);
    let longer = world.claim(&alice(), &open("mail").ttl(300), ALICE4);
    world.deliver_unsettled(&longer);
    assert_eq!(world.admit.handle_close(&of("imap", None), Flows::LiveOn, world.now), 1);
    let filled = core::iter::from_fn(|| world.admit.poll_effect()).find_map(|effect| match effect {
        Effect::Fill(entries) => Some(entries),
        Effect::Record(..)
        | Effect::Note(_)
        | Effect::Open(_)
        | Effect::Close(_)
        | Effect::Cut(_)
        | Effect::Run(_)
        | Effect::StrikeOut(..)
        | Effect::Enrol(..)
        | Effect::Say(_) => None,
    });
    let open: Vec<_> = filled.unwrap().into_iter().flat_map(|entry| entry.open).collect();
    assert_eq!(open, [("tcp/25".parse().unwrap(), Some(secs(100)))]);
}
