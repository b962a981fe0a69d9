//! What the names mean that clients ask for, and how much of a door there is.

use alloc::string::ToString;
use core::num::NonZeroU32;

use super::*;

fn named(names: &[(&str, &str)]) -> Rules {
    let doors = [
        Door { aliases: [name("shell")].into(), ..door("ssh", &["tcp/22"]) },
        door("web", &["tcp/443", "udp/443", "tcp/80"]),
        door("dns", &["tcp/53"]),
        door("dns-udp", &["udp/53"]),
    ];
    let clients = [client("alice", &alice(), &["shell", "web", "dns", "dns-udp"])].into();
    let registered = names.iter().map(|(service, port)| (name(service), port.parse().unwrap()));
    rules(doors.into(), clients).with_registered(registered)
}

fn opened(world: &World) -> Vec<String> {
    world.guard().iter().map(|element| element.port.to_string()).collect()
}

#[test]
fn a_name_is_a_doors_then_an_alias_then_a_registered_service() {
    let names = [
        ("https", "tcp/443"),
        ("https", "udp/443"),
        ("domain", "tcp/53"),
        ("domain", "udp/53"),
        ("smtp", "tcp/25"),
        ("shell", "tcp/80"),
        ("dns", "tcp/80"),
    ];
    for (asked, ports) in [
        ("ssh", &["tcp/22"][..]),
        ("shell", &["tcp/22"]),
        ("https", &["tcp/443", "udp/443"]),
        ("tcp/443", &["tcp/443"]),
        ("domain", &["tcp/53", "udp/53"]),
        ("dns", &["tcp/53"]),
        ("smtp", &[]),
        ("tcp/25", &[]),
        ("ssh,smtp", &[]),
    ] {
        let mut world = World::new(named(&names));
        world.ask(&alice(), &open(asked), ALICE4);
        assert_eq!(opened(&world), ports, "{asked}");
        world.ask(&alice(), &close(asked), ALICE4);
        assert!(opened(&world).is_empty(), "{asked}");
    }
}

#[test]
fn a_registered_name_gives_no_right() {
    let doors = [door("web", &["tcp/443", "tcp/80"])];
    let mut alice_only = client("alice", &alice(), &["https"]);
    let registered = [(name("https"), "tcp/443".parse().unwrap())];
    let mut world =
        World::new(rules(doors.clone().into(), [alice_only.clone()].into()).with_registered(registered));
    world.ask(&alice(), &open("https"), ALICE4);
    assert!(opened(&world).is_empty());
    alice_only.rights = [Right::Ports(Transport::Tcp, 443..=443)].into();
    world.reload(rules(doors.into(), [alice_only].into()).with_registered(registered));
    world.ask(&alice(), &open("web"), ALICE4);
    assert!(opened(&world).is_empty(), "not all of it");
    world.ask(&alice(), &open("https"), ALICE4);
    assert_eq!(opened(&world), ["tcp/443"]);
}

#[test]
fn no_name_means_two_doors() {
    let aliased = |door: Door, alias: &str| Door { aliases: [name(alias)].into(), ..door };
    let [a, b] = [door("a", &["tcp/1"]), door("b", &["tcp/2"])];
    for (doors, twice) in [
        ([aliased(a.clone(), "b"), b.clone()], "b"),
        ([aliased(a.clone(), "a"), b.clone()], "a"),
        ([aliased(a, "c"), aliased(b, "c")], "c"),
    ] {
        let error = Rules::new(doors.into(), Vec::new(), [server().public()].into(), WINDOW).unwrap_err();
        assert_eq!(error, crate::rules::BadRules::DoorTwice(name(twice)));
    }
}

#[test]
fn a_door_has_no_more_openings_than_it_may() {
    let two = Door { max_openings: NonZeroU32::new(2), ..knocked(door("ssh", &["tcp/22"])) };
    let mut world = World::new(rules([two.clone(), door("web", &["tcp/443"])].into(), clients()));
    world.ask(&alice(), &open("ssh"), ALICE4);
    world.knock("ssh", ALICE4);
    assert_eq!(world.status().len(), 2);
    world.ask(&bob(), &open("ssh,web"), BOB4);
    world.knock("ssh", BOB4);
    assert_eq!(world.refused(), [(Refusal::NoRoom, 2)]);
    assert_eq!(world.status().len(), 2, "nothing of what is refused is opened");
    world.ask(&alice(), &open("ssh").ttl(300), ALICE4);
    assert_eq!(world.left(element(ALICE4, "tcp/22")), Some(secs(300)), "what is open goes on");
    world.ask(&bob(), &open("web"), BOB4);
    assert_eq!(world.status().len(), 3, "other doors have room");
    world.ask(&alice(), &close("ssh"), ALICE4);
    world.ask(&bob(), &open("ssh"), BOB4);
    assert_eq!(world.status().len(), 3, "closing makes room");
    world.pass(secs(60));
    world.ask(&alice(), &open("ssh").at(ALICE6), ALICE4);
    assert_eq!(world.status().len(), 2, "and so does time");
    // Two at once are two, and a limit that is lowered ends nothing.
    world.reload(rules([Door { max_openings: NonZeroU32::new(1), ..two }].into(), clients()));
    assert_eq!(world.status().len(), 2);
    world.ask(&alice(), &open("ssh").at(ALICE6), ALICE4);
    assert_eq!(world.refused(), [(Refusal::NoRoom, 2)], "what is open goes on");
    world.ask(&alice(), &close(""), ALICE4);
    world.ask(&alice(), &open("ssh").at(ALICE6), ALICE4);
    assert_eq!(world.refused(), [(Refusal::NoRoom, 3)]);
}

#[test]
fn what_could_not_be_recorded_takes_no_room() {
    let one = Door { max_openings: NonZeroU32::new(1), ..command_door("db", &["tcp/5432"], true) };
    let mut world = World::new(rules([one].into(), clients()));
    world.disk.broken = true;
    world.ask(&alice(), &open("db"), ALICE4);
    world.disk.broken = false;
    world.ask(&bob(), &open("db"), BOB4);
    assert_eq!(world.status().len(), 1);
}
