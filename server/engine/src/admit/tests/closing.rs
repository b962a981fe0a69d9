//! How openings end before their time.

use super::*;

fn causes(world: &mut World) -> Vec<Cause> {
    let cause = |event| if let Event::Closed { cause, .. } = event { Some(cause) } else { None };
    world.take_said().into_iter().filter_map(cause).collect()
}

/// Alice has two doors open for two addresses, Bob one for one of them.
fn busy() -> World {
    let mut world = World::new(everything());
    world.ask(&alice(), &open("ssh,web").at(ALICE6), ALICE4);
    world.ask(&bob(), &open("ssh"), ALICE4);
    world
}

#[test]
fn a_client_closes_its_own_and_nothing_else() {
    let (ssh4, ssh6) = (element(ALICE4, "tcp/22"), element(ALICE6, "tcp/22"));
    let web = |text| [element(text, "tcp/443"), element(text, "udp/443")];
    let (web4, web6) = (web(ALICE4), web(ALICE6));
    let shared = [ssh4];
    // From anywhere; what is left. Bob's opening keeps `shared` open in any case.
    let cases = [
        (close(""), [&shared[..]].concat()),
        (close("ssh"), [&shared[..], &web4, &web6].concat()),
        (close("ssh,tcp/443"), [&shared[..]].concat()),
        (close("").at(ALICE6), [&shared[..], &web4].concat()),
        (close("web").at(ALICE4), [&shared[..], &[ssh6], &web6].concat()),
        (close("web").here(), [&shared[..], &[ssh6], &web4, &web6].concat()),
        (close("vpn"), [&shared[..], &[ssh6], &web4, &web6].concat()),
    ];
    for (asked, mut expected) in cases {
        let mut world = busy();
        world.ask(&alice(), &asked, "192.0.2.77");
        expected.sort_unstable();
        assert_eq!(world.guard(), expected, "{asked:?}");
        assert!(world.refused().is_empty());
    }
}

#[test]
fn a_close_is_refused_where_it_names_nothing() {
    let mut world = busy();
    world.ask(&alice(), &close("nosuch"), ALICE4);
    world.ask(&alice(), &close("ssh,tcp/1"), ALICE4);
    assert_eq!((world.refused(), world.guard().len()), ([(Refusal::Unauthorised, 2)].into(), 6));
}

#[test]
fn what_is_closed_stays_closed() {
    let mut world = World::new(everything());
    let early = world.claim(&alice(), &open("ssh"), ALICE4);
    world.pass(secs(1));
    world.ask(&alice(), &close(""), ALICE4);
    world.deliver(&early);
    assert_eq!(
        (world.guard().len(), world.refused()),
        (0, [(Refusal::Replayed, 1)].into()),
        "an older open is late"
    );
    // Also where all of it is made durable at once.
    let claims = [open("ssh"), close("ssh")].map(|asked| world.claim(&alice(), &asked, ALICE4));
    claims.iter().for_each(|claim| world.deliver_unsettled(claim));
    world.settle();
    assert!(world.guard().is_empty() && world.status().is_empty());
    world.crash();
    assert!(world.guard().is_empty() && world.status().is_empty());
}

#[test]
fn the_administrator_closes_for_one_or_for_all() {
    let mut world = busy();
    assert_eq!(world.close("ssh", Some(BOB4)), 0);
    assert_eq!(world.close("ssh", Some(ALICE6)), 1);
    assert_eq!(world.close("ssh", None), 2);
    assert_eq!(world.close("web", None), 2);
    assert!(world.guard().is_empty());
    assert_eq!(causes(&mut world), [Cause::ByAdministrator; 5]);
}

#[test]
fn what_ends_together_is_closed_in_one_go() {
    let mut world = busy();
    world.ask(&alice(), &open("tcp/443").ttl(100), ALICE4);
    assert_eq!(world.admit.handle_close(&of("web", None), Flows::LiveOn, world.now), 3);
    let moves = |effect| match effect {
        Effect::Open(elements) => Some((elements.len(), 0)),
        Effect::Close(elements) => Some((0, elements.len())),
        Effect::Record(..)
        | Effect::Note(_)
        | Effect::Fill(_)
        | Effect::Cut(_)
        | Effect::Run(_)
        | Effect::StrikeOut(..)
        | Effect::Enrol(..)
        | Effect::Say(_) => None,
    };
    let moved: Vec<_> = core::iter::from_fn(|| world.admit.poll_effect()).filter_map(moves).collect();
    assert_eq!(moved, [(0, 4)], "nothing is opened for what is about to end too");
}

#[test]
fn a_reload_ends_what_it_takes_away() {
    let all = ["ssh", "web", "db", "vpn"];
    let alone = client("alice", &alice(), &all);
    let bare = |door: &str| doors().into_iter().filter(|other| other.name != name(door)).collect::<Vec<_>>();
    let other_port = [bare("web"), [door("web", &["tcp/443"])].into()].concat();
    let unknocked = [bare("ssh"), [door("ssh", &["tcp/22"])].into()].concat();
    let by_command = [bare("ssh"), [command_door("ssh", &["tcp/22"], true)].into()].concat();
    let cases = [
        (everything(), 7),
        (rules(bare("web"), clients()), 3),
        (rules(other_port, clients()), 3),
        // Bob is gone, and with him his opening.
        (rules(doors(), [alone.clone()].into()), 6),
        // The same name with another key is somebody else.
        (rules(doors(), [alone, client("bob", &ClientSecret::from_seed([11; 32]), &all)].into()), 6),
        (rules(unknocked, clients()), 6),
        (rules(by_command, clients()), 4),
        (rules(Vec::new(), clients()), 0),
        (rules(doors(), Vec::new()), 1),
    ];
    for (number, (rules, expected)) in cases.into_iter().enumerate() {
        let mut world = World::new(everything());
        world.ask(&alice(), &open("ssh,web"), ALICE4);
        world.ask(&alice(), &open("web").explicitly().at(ALICE6), ALICE4);
        world.ask(&bob(), &open("ssh"), BOB4);
        world.knock("ssh", ALICE6);
        world.take_said();
        assert_eq!(world.guard().len(), 7, "case {number}");
        world.reload(rules);
        let open = world.guard().len();
        assert_eq!(open, expected, "case {number}");
        assert!(causes(&mut world).iter().all(|cause| *cause == Cause::ByReload), "case {number}");
        world.crash();
        assert_eq!(world.guard().len(), open, "case {number}: the journal says the same");
    }
}

#[test]
fn a_reload_leaves_alone_what_it_does_not_change() {
    let mut world = busy();
    world.pass(secs(10));
    let before = world.status();
    let other = rules([doors(), [door("new", &["tcp/25"])].into()].concat(), clients());
    world.reload(other);
    assert_eq!((world.status(), world.left(element(ALICE4, "tcp/22"))), (before, Some(secs(50))));
}
