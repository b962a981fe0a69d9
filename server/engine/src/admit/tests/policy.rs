//! What a client may ask for, and what it may not.

use super::*;

/// Whether alice, who is this client, is granted what she asks for; if not, why.
fn verdict(client: Client, asked: &Asked, from: &str) -> Verdict {
    let mut world = World::new(only(client));
    world.ask(&alice(), asked, from);
    match world.refused()[..] {
        [] => Ok(world.guard()),
        [(refusal, 1)] => {
            assert!(world.guard().is_empty() && world.shell.ran.is_empty(), "refused, and open all the same");
            Err(refusal)
        }
        ref others => panic!("{others:?}"),
    }
}

/// What opens, or why nothing does.
type Verdict = Result<Vec<Element>, Refusal>;

const UNAUTHORISED: Verdict = Err(Refusal::Unauthorised);

#[test]
fn rights_are_doors_or_ranges_of_ports() {
    let with = |rights: &[Right]| Client { rights: rights.into(), ..client("alice", &alice(), &[]) };
    let ssh = &[Right::Door(name("ssh"))][..];
    let range = |from, to| Right::Ports(Transport::Tcp, from..=to);
    let opened = |ports: &[&str]| Ok(ports.iter().map(|port| element(ALICE4, port)).collect());
    let cases: [(&[Right], &str, Verdict); 14] = [
        (&[], "ssh", UNAUTHORISED),
        (ssh, "ssh", opened(&["tcp/22"])),
        (ssh, "tcp/22", opened(&["tcp/22"])),
        (ssh, "web", UNAUTHORISED),
        (ssh, "ssh,web", UNAUTHORISED),
        (ssh, "nosuch", UNAUTHORISED),
        (ssh, "tcp/23", UNAUTHORISED),
        (&[range(22, 22)], "ssh", opened(&["tcp/22"])),
        (&[range(1, 21)], "ssh", UNAUTHORISED),
        (&[range(23, 65535)], "ssh", UNAUTHORISED),
        (&[range(1, 65535)], "tcp/443,tcp/22", opened(&["tcp/22", "tcp/443"])),
        // The door has a UDP port, which the range does not cover.
        (&[range(1, 65535)], "web", UNAUTHORISED),
        (&[range(1, 65535), Right::Ports(Transport::Udp, 443..=443)], "web", opened(&["tcp/443", "udp/443"])),
        (&[range(1, 65535)], "udp/443", UNAUTHORISED),
    ];
    for (rights, services, expected) in cases {
        assert_eq!(verdict(with(rights), &open(services), ALICE4), expected, "{rights:?} {services}");
    }
}

#[test]
fn modes_say_who_names_the_address() {
    let with = |mode| Client { mode, ..client("alice", &alice(), &["ssh"]) };
    let opened = |addresses: &[&str]| Ok(addresses.iter().map(|text| element(text, "tcp/22")).collect());
    let cases = [
        (AddressMode::Sender, open("ssh"), opened(&[ALICE4])),
        (AddressMode::Sender, open("ssh").explicitly().at(BOB4), opened(&[BOB4])),
        (AddressMode::Claimed, open("ssh"), UNAUTHORISED),
        (AddressMode::Claimed, open("ssh").at(ALICE4), UNAUTHORISED),
        (AddressMode::Claimed, open("ssh").explicitly().at(BOB4), opened(&[BOB4])),
        (AddressMode::Match, open("ssh"), UNAUTHORISED),
        (AddressMode::Match, open("ssh").at(ALICE4), UNAUTHORISED),
        (AddressMode::Match, open("ssh").explicitly().at(BOB4), UNAUTHORISED),
        (AddressMode::Match, open("ssh").explicitly().at(ALICE6), UNAUTHORISED),
        (AddressMode::Match, open("ssh").explicitly().at(ALICE4), opened(&[ALICE4])),
        (AddressMode::Match, open("ssh").explicitly().at(ALICE4).at(ALICE6), opened(&[ALICE4, ALICE6])),
    ];
    for (mode, asked, expected) in cases {
        assert_eq!(verdict(with(mode), &asked, ALICE4), expected, "{mode:?} {asked:?}");
    }
}

#[test]
fn opened_addresses_lie_where_the_client_may_be() {
    let nets = ["198.51.100.0/24", "2001:db8:7::/48"].map(|net| net.parse().unwrap());
    let confined = || Client { from: Some(nets.into()), ..client("alice", &alice(), &["ssh"]) };
    assert!(verdict(confined(), &open("ssh"), ALICE4).is_ok());
    assert!(verdict(confined(), &open("ssh").at(ALICE6), ALICE4).is_ok());
    assert_eq!(verdict(confined(), &open("ssh"), BOB4), UNAUTHORISED);
    assert_eq!(verdict(confined(), &open("ssh").at("2001:db8:8::1"), ALICE4), UNAUTHORISED);
    // What counts are the addresses that open, not where the packet comes from.
    assert!(verdict(confined(), &open("ssh").explicitly().at(ALICE4), BOB4).is_ok());
    let nowhere = Client { from: Some(Vec::new()), ..client("alice", &alice(), &["ssh"]) };
    assert_eq!(verdict(nowhere, &open("ssh"), ALICE4), UNAUTHORISED);
}

#[test]
fn no_door_opens_for_this_machine_or_for_many() {
    let asks = || client("alice", &alice(), &["ssh"]);
    for from in [OWN4, OWN6, "127.0.0.1", "::1", "224.0.0.251", "ff02::1", "0.0.0.0", "255.255.255.255"] {
        assert_eq!(verdict(asks(), &open("ssh"), from), UNAUTHORISED, "{from}");
        // Such a source is a lie, whatever is asked for.
        assert_eq!(verdict(asks(), &open("ssh").explicitly().at(ALICE4), from), UNAUTHORISED, "{from}");
    }
    for named in [OWN4, OWN6, "127.9.9.9", "224.0.0.251", "255.255.255.255"] {
        assert_eq!(verdict(asks(), &open("ssh").explicitly().at(named), ALICE4), UNAUTHORISED, "{named}");
    }
    let mut world = World::new(everything());
    world.admit.handle_own([address(ALICE4)].into());
    world.ask(&alice(), &open("ssh"), ALICE4);
    world.ask(&alice(), &open("ssh"), OWN4);
    assert_eq!(world.guard(), [element(OWN4, "tcp/22")], "addresses change hands");
}

#[test]
fn a_client_is_somebody_for_a_time() {
    let now = UnixTime::from_nanos(1_790_000_000_000_000_000);
    let at = |seconds| now.saturating_add(secs(seconds));
    let between =
        Client { not_before: Some(at(10)), not_after: Some(at(20)), ..client("alice", &alice(), &["ssh"]) };
    let mut world = World::new(only(between));
    world.pass(secs(10) - Duration::from_nanos(1));
    world.ask(&alice(), &open("ssh"), ALICE4);
    assert_eq!(world.refused(), [(Refusal::UnknownClient, 1)]);
    world.pass(Duration::from_nanos(1));
    world.ask(&alice(), &open("ssh"), ALICE4);
    assert_eq!(
        world.left(element(ALICE4, "tcp/22")),
        Some(secs(10)),
        "no longer than the client is somebody"
    );
    world.pass(secs(10));
    world.ask(&alice(), &open("ssh"), ALICE4);
    assert_eq!((world.guard().len(), world.refused()), (0, [(Refusal::UnknownClient, 2)].into()));
}

#[test]
fn a_client_asks_at_its_rate() {
    let rate = Rate { per_minute: NonZeroU32::new(6).unwrap(), burst: NonZeroU32::new(3).unwrap() };
    let mut world = World::new(rules(
        doors(),
        [Client { rate, ..client("alice", &alice(), &["ssh"]) }, client("bob", &bob(), &["ssh"])].into(),
    ));
    for _ in 0..5 {
        world.ask(&alice(), &open("ssh"), ALICE4);
        world.ask(&bob(), &open("ssh"), ALICE4);
    }
    assert_eq!(world.refused(), [(Refusal::TooOften, 2)], "one client's rate is not another's");
    world.pass(secs(10));
    world.ask(&alice(), &close(""), ALICE4);
    world.ask(&alice(), &open("ssh"), ALICE4);
    assert_eq!(world.refused(), [(Refusal::TooOften, 3)], "closing costs as much");
}
