//! What opens, for whom, and until when.

use super::*;

#[test]
fn exactly_what_is_granted_opens_for_exactly_as_long() {
    let mut world = World::new(everything());
    world.ask(&alice(), &open("ssh"), ALICE4);
    assert_eq!(world.guard(), [element(ALICE4, "tcp/22")]);
    assert_eq!(world.left(element(ALICE4, "tcp/22")), Some(secs(60)));
    assert_eq!(world.status(), ["ssh 198.51.100.7 alice 60"]);
    world.pass(secs(60) - Duration::from_nanos(1));
    assert_eq!(world.guard(), [element(ALICE4, "tcp/22")]);
    world.pass(Duration::from_nanos(1));
    assert!(world.guard().is_empty() && world.status().is_empty());
    assert_eq!((world.admit.poll_timeout(), world.admit.accepted()), (None, 1));
}

#[test]
fn nobody_gets_more_time_than_everybody_allows() {
    let now = UnixTime::from_nanos(1_790_000_000_000_000_000);
    let limited = |max_open, end: Option<u64>| Client {
        max_open: Some(max_open),
        not_after: end.map(|end| now.saturating_add(secs(end))),
        ..client("alice", &alice(), &["ssh"])
    };
    let hour = Lease::For(secs(3600));
    let cases = [
        // The client's limits, the door's, the wish, and what is granted.
        (limited(secs(7200), None), Lease::For(secs(60)), hour, 0, 60),
        (limited(secs(7200), None), Lease::For(secs(60)), hour, 10, 10),
        (limited(secs(7200), None), Lease::For(secs(60)), hour, 1000, 1000),
        (limited(secs(7200), None), Lease::For(secs(60)), hour, u32::MAX, 3600),
        (limited(secs(7200), None), Lease::Forever, Lease::Forever, 0, 7200),
        (limited(secs(600), None), Lease::For(secs(60)), hour, 1000, 600),
        (limited(secs(30), None), Lease::For(secs(60)), hour, 0, 30),
        (limited(secs(600), Some(5)), Lease::For(secs(60)), hour, 0, 5),
        (limited(secs(600), Some(900)), Lease::For(secs(60)), hour, 1000, 600),
    ];
    for (number, (client, open_for, max_open, wish, granted)) in cases.into_iter().enumerate() {
        let door = Door { open_for, max_open, ..door("ssh", &["tcp/22"]) };
        let mut world = World::new(rules([door].into(), [client].into()));
        world.ask(&alice(), &open("ssh").ttl(wish), ALICE4);
        assert_eq!(world.left(element(ALICE4, "tcp/22")), Some(secs(granted)), "case {number}");
        world.pass(secs(granted));
        assert!(world.guard().is_empty(), "case {number}");
    }
}

#[test]
fn for_ever_is_until_somebody_closes() {
    let forever = Door { open_for: Lease::Forever, max_open: Lease::Forever, ..door("ssh", &["tcp/22"]) };
    let mut world = World::new(rules([forever].into(), clients()));
    world.ask(&alice(), &open("ssh"), ALICE4);
    world.pass(secs(1_000_000_000));
    assert_eq!(world.left(element(ALICE4, "tcp/22")), Some(Duration::MAX));
    world.ask(&alice(), &open("ssh").ttl(5), ALICE4);
    assert_eq!(world.status(), ["ssh 198.51.100.7 alice ever"], "a wish does not shorten");
    world.ask(&alice(), &close("ssh"), BOB4);
    assert!(world.guard().is_empty() && world.status().is_empty());
}

#[test]
fn asking_again_extends_and_never_shortens() {
    let mut world = World::new(everything());
    let ssh = element(ALICE4, "tcp/22");
    let since = world.now.unix;
    world.ask(&alice(), &open("ssh").ttl(100), ALICE4);
    world.pass(secs(10));
    world.ask(&alice(), &open("ssh").ttl(20), ALICE4);
    assert_eq!(world.left(ssh), Some(secs(90)));
    world.ask(&alice(), &open("ssh").ttl(300), ALICE4);
    assert_eq!((world.left(ssh), world.status().len()), (Some(secs(300)), 1));
    assert!(world.admit.openings(world.now.boot).all(|opening| opening.since == since));
    world.pass(secs(299));
    assert_eq!(world.guard(), [ssh]);
    world.pass(secs(1));
    assert!(world.guard().is_empty());
    let extended =
        |event: &Event| if let Event::Opened { extended, .. } = event { Some(*extended) } else { None };
    let told: Vec<_> = world.said.iter().filter_map(extended).collect();
    assert_eq!(told, [false, true, true]);
}

#[test]
fn an_element_lasts_until_the_last_who_needs_it() {
    let mut world = World::new(everything());
    let ssh = element(ALICE4, "tcp/22");
    world.ask(&alice(), &open("ssh").ttl(100), ALICE4);
    world.ask(&bob(), &open("ssh").ttl(50), ALICE4);
    world.knock("ssh", ALICE4);
    assert_eq!((world.left(ssh), world.status().len()), (Some(secs(100)), 3));
    world.ask(&alice(), &close("ssh"), ALICE4);
    assert_eq!(world.left(ssh), Some(secs(60)), "the knock needs it now");
    world.pass(secs(55));
    assert_eq!(
        (world.left(ssh), world.status()),
        (Some(secs(5)), ["ssh 198.51.100.7 classic knock 5".into()].into())
    );
    world.pass(secs(5));
    assert!(world.guard().is_empty());
}

#[test]
fn both_families_open_alike() {
    let mut world = World::new(everything());
    let (v4, v6) = (element(ALICE4, "tcp/22"), element(ALICE6, "tcp/22"));
    world.ask(&alice(), &open("ssh"), ALICE6);
    assert_eq!(world.guard(), [v6]);
    world.ask(&alice(), &close(""), ALICE6);
    world.ask(&alice(), &open("ssh").at(ALICE6), ALICE4);
    assert_eq!(world.guard(), [v4, v6], "the sender and another family's address");
    world.ask(&alice(), &close(""), ALICE6);
    world.ask(&alice(), &open("ssh").explicitly().at(ALICE4).at(ALICE6), BOB4);
    assert_eq!(world.guard(), [v4, v6], "both named");
    world.ask(&alice(), &close(""), ALICE6);
    world.ask(&alice(), &open("ssh").at(ALICE4), "::ffff:198.51.100.7");
    assert_eq!(world.guard(), [v4], "the same address twice is one opening");
    assert_eq!(world.status().len(), 1);
}

#[test]
fn a_door_opens_whole_and_a_port_alone() {
    let mut world = World::new(everything());
    let (tcp, udp) = (element(ALICE4, "tcp/443"), element(ALICE4, "udp/443"));
    world.ask(&alice(), &open("udp/443"), ALICE4);
    assert_eq!(world.guard(), [udp]);
    world.ask(&alice(), &open("web"), ALICE4);
    assert_eq!(world.guard(), [tcp, udp]);
    world.ask(&alice(), &close("web"), ALICE4);
    assert!(world.guard().is_empty(), "the door's ports are closed however they were opened");
    world.ask(&alice(), &open("tcp/443,web,ssh"), ALICE4);
    assert_eq!(world.guard(), [element(ALICE4, "tcp/22"), tcp, udp]);
    assert_eq!(world.status().len(), 2, "a port and its door are one opening");
}

#[test]
fn a_classic_knock_opens_its_door_alone() {
    let mut world = World::new(everything());
    world.knock("ssh", ALICE4);
    world.knock("web", ALICE4);
    world.knock("nosuch", ALICE4);
    assert_eq!(world.guard(), [element(ALICE4, "tcp/22")]);
    world.pass(secs(30));
    world.knock("ssh", ALICE4);
    world.knock("ssh", ALICE6);
    assert_eq!(world.left(element(ALICE4, "tcp/22")), Some(secs(60)));
    assert_eq!(world.status(), ["ssh 198.51.100.7 classic knock 60", "ssh 2001:db8:7::7 classic knock 60"]);
    for own in [OWN4, OWN6, "127.0.0.1", "::1", "224.0.0.1", "ff02::1", "0.0.0.0"] {
        world.knock("ssh", own);
    }
    assert_eq!((world.guard().len(), world.refused()), (2, [(Refusal::Unauthorised, 7)].into()));
}

#[test]
fn what_a_sleeping_kernel_keeps_is_closed_on_waking() {
    let mut world = World::new(everything());
    world.ask(&alice(), &open("ssh").ttl(100), ALICE4);
    world.ask(&bob(), &open("ssh").ttl(3000), BOB4);
    world.sleep(secs(1000));
    assert_eq!(world.guard(), [element(BOB4, "tcp/22")]);
    world.pass(secs(2000));
    assert!(world.guard().is_empty());
}
