//! Doors whose connections end with the opening that let them in.

use super::*;

fn cutting(door: Door) -> Door {
    Door { flows: Flows::Cut, ..door }
}

fn all() -> Vec<Door> {
    let sets = set_door("mail", &["tcp/25"], "inet f any");
    doors().into_iter().chain([sets]).map(cutting).collect()
}

fn all_clients() -> Vec<Client> {
    let names = ["ssh", "web", "db", "vpn", "mail"];
    [client("alice", &alice(), &names), client("bob", &bob(), &names)].into()
}

fn world() -> World {
    World::new(rules(all(), all_clients()))
}

fn cut(world: &mut World) -> Vec<Element> {
    core::mem::take(&mut world.cut).into_iter().map(|(element, _)| element).collect()
}

#[test]
fn connections_end_when_the_lease_does_whatever_ended_it() {
    let each = ["ssh", "mail", "vpn"];
    let ports = ["tcp/22", "tcp/25"];
    for way in 0..4 {
        let mut world = world();
        for service in each {
            world.ask(&alice(), &open(service), ALICE4);
        }
        assert!(cut(&mut world).is_empty());
        match way {
            0 => world.pass(secs(60)),
            1 => drop(world.ask(&alice(), &close(""), ALICE4)),
            2 => each.iter().for_each(|door| assert_eq!(world.close(door, None), 1)),
            _ => world.reload(rules(Vec::new(), all_clients())),
        }
        let gone: BTreeSet<_> = cut(&mut world).into_iter().collect();
        let vpn = ["tcp/1194", "udp/1194"];
        let expected = ports.iter().chain(&vpn).map(|port| element(ALICE4, port)).collect();
        assert_eq!(gone, expected, "way {way}");
    }
}

#[test]
fn what_somebody_else_still_has_open_is_not_cut() {
    let mut world = world();
    world.ask(&alice(), &open("ssh").ttl(100), ALICE4);
    world.ask(&bob(), &open("ssh").ttl(200), ALICE4);
    world.pass(secs(150));
    assert!(cut(&mut world).is_empty());
    world.pass(secs(50));
    assert_eq!(cut(&mut world), [element(ALICE4, "tcp/22")]);
}

#[test]
fn what_ended_while_nobody_was_there_is_cut_at_the_next_start() {
    let mut world = world();
    world.ask(&alice(), &open("ssh").ttl(100), ALICE4);
    world.ask(&alice(), &open("mail").ttl(300), ALICE4);
    world.now = world.now.saturating_add(secs(200));
    world.crash();
    assert_eq!(cut(&mut world), [element(ALICE4, "tcp/22")]);
    world.restart_with(rules(Vec::new(), all_clients()));
    assert_eq!(cut(&mut world), [element(ALICE4, "tcp/25")], "by the word of the journal, its door is gone");
}

#[test]
fn a_door_is_cut_by_what_it_says_when_the_lease_ends() {
    let mut world = world();
    world.ask(&alice(), &open("ssh").ttl(100), ALICE4);
    world.reload(rules(doors(), clients()));
    world.pass(secs(100));
    assert!(cut(&mut world).is_empty());
    world.ask(&alice(), &open("ssh").ttl(100), ALICE4);
    world.reload(rules(all(), all_clients()));
    world.pass(secs(100));
    assert_eq!(cut(&mut world), [element(ALICE4, "tcp/22")]);
}

#[test]
fn commands_close_before_connections_are_cut() {
    let mut world = world();
    world.ask(&alice(), &open("db"), ALICE4);
    world.shell.slow = true;
    world.pass(secs(60));
    assert!(world.cut.is_empty(), "the stop commands run");
    assert_eq!(world.admit.cuts_to_come(), 1);
    world.shell.slow = false;
    world.end_all();
    world.settle();
    let open: Vec<_> = world.cut.iter().flat_map(|(_, open)| open).collect();
    assert!(open.is_empty(), "{open:?}");
    assert_eq!(cut(&mut world).len(), 2);
}
