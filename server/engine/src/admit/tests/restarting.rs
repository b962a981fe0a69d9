//! What a keeper knows of the one before it.

use proptest::prelude::*;

use super::*;

#[test]
fn openings_go_on_in_the_same_boot() {
    let mut world = World::new(everything());
    world.ask(&alice(), &open("ssh,vpn").ttl(100), ALICE4);
    world.ask(&bob(), &open("web").ttl(30), ALICE6);
    world.pass(secs(20));
    let before = (world.status(), world.guard());
    world.crash();
    assert_eq!((world.status(), world.guard(), world.state_lost), (before.0, before.1, false));
    assert_eq!(world.shell.ran, ["start vpn 198.51.100.7"], "it is not started again");
    world.now.unix = world.now.unix.saturating_add(secs(1_000_000));
    world.crash();
    assert_eq!(world.left(element(ALICE4, "tcp/22")), Some(secs(80)), "the wall clock does not matter");
    world.pass(secs(80));
    assert!(world.guard().is_empty() && world.shell.open.is_empty() && world.status().is_empty());
}

#[test]
fn what_ended_while_nobody_watched_ends_at_once() {
    let mut world = World::new(everything());
    world.ask(&alice(), &open("ssh,vpn").ttl(10), ALICE4);
    world.now = world.now.saturating_add(secs(10));
    world.crash();
    assert!(world.guard().is_empty() && world.shell.open.is_empty() && world.status().is_empty());
}

#[test]
fn another_boot_counts_by_the_wall_clock() {
    let down = |span| {
        let mut world = World::new(everything());
        world.ask(&alice(), &open("ssh").ttl(100), ALICE4);
        world.pass(secs(20));
        world.reboot(span);
        world.left(element(ALICE4, "tcp/22"))
    };
    assert_eq!(down(secs(30)), Some(secs(50)));
    assert_eq!(down(secs(79)), Some(secs(1)));
    assert_eq!(down(secs(80)), None);
    assert_eq!(down(secs(1_000_000)), None);
}

#[test]
fn no_deadline_moves_away_farther_than_the_lease() {
    let mut world = World::new(everything());
    world.ask(&alice(), &open("ssh").ttl(100), ALICE4);
    world.ask(&alice(), &open("web").ttl(3000), ALICE4);
    world.pass(secs(20));
    // The clock of the new boot is an hour slow.
    world.now.unix = UnixTime::from_nanos(world.now.unix.as_nanos() - 3_600_000_000_000);
    world.reboot(Duration::ZERO);
    assert_eq!(world.left(element(ALICE4, "tcp/22")), Some(secs(100)));
    assert_eq!(world.left(element(ALICE4, "tcp/443")), Some(secs(3000)));
    // Each further boot may not add to it.
    world.pass(secs(50));
    world.reboot(secs(10));
    assert_eq!(world.left(element(ALICE4, "tcp/22")), Some(secs(40)));
}

#[test]
fn what_is_open_for_ever_stays_open() {
    let forever = |door: Door| Door { open_for: Lease::Forever, max_open: Lease::Forever, ..door };
    let doors = [forever(door("ssh", &["tcp/22"])), forever(command_door("vpn", &["udp/1194"], false))];
    let mut world = World::new(rules(doors.into(), [client("alice", &alice(), &["ssh", "vpn"])].into()));
    world.ask(&alice(), &open("ssh,vpn"), ALICE4);
    world.crash();
    world.reboot(secs(1_000_000));
    assert_eq!(world.status(), ["ssh 198.51.100.7 alice ever", "vpn 198.51.100.7 alice ever"]);
    // What the command did is gone with the boot: asking again brings it back.
    assert!(world.shell.open.is_empty());
    world.ask(&alice(), &open("vpn"), ALICE4);
    assert_eq!(world.shell.open["vpn 198.51.100.7"], 1);
    world.shell.failing = "stop";
    world.close("vpn", None);
    world.reboot(secs(1));
    world.pass(secs(1000));
    assert_eq!(world.admit.failing_closes(), (0, 1));
}

#[test]
fn commands_of_another_boot_are_stopped_in_the_end() {
    let mut world = World::new(everything());
    world.ask(&alice(), &open("vpn").ttl(100), ALICE4);
    world.reboot(secs(10));
    world.pass(secs(90));
    assert_eq!(world.shell.ran, ["start vpn 198.51.100.7", "stop vpn 198.51.100.7"]);
    assert!(world.status().is_empty() && world.admit.closing.is_empty());
}

#[test]
fn what_was_closing_is_stopped_again() {
    let mut world = World::new(everything());
    world.ask(&alice(), &open("vpn,db"), ALICE4);
    world.ask(&bob(), &open("vpn"), ALICE4);
    world.shell.failing = "stop";
    world.ask(&alice(), &close(""), BOB4);
    world.shell.failing = "";
    world.reboot(secs(1));
    assert_eq!(world.status(), ["vpn 198.51.100.7 bob 59"], "who was not closing goes on");
    assert_eq!(world.shell.ran.iter().filter(|line| line.starts_with("stop vpn")).count(), 0);
    assert_eq!(world.shell.ran.iter().filter(|line| line.starts_with("stop db")).count(), 4);
    assert!(world.admit.closing.is_empty());
}

#[test]
fn doors_and_clients_that_vanished_meanwhile_are_closed_by_what_the_journal_knows() {
    let mut world = World::new(everything());
    world.ask(&alice(), &open("ssh,vpn"), ALICE4);
    world.ask(&bob(), &open("ssh,db"), BOB4);
    world
        .restart_with(rules([door("ssh", &["tcp/22"])].into(), [client("alice", &alice(), &["ssh"])].into()));
    assert_eq!(world.status(), ["ssh 198.51.100.7 alice 60"]);
    assert_eq!((world.guard(), world.shell.open.len()), ([element(ALICE4, "tcp/22")].into(), 0));
}

#[test]
fn lost_marks_are_replaced_by_a_floor() {
    let mut world = World::new(everything());
    let before = world.ask(&alice(), &open("ssh").ttl(1), ALICE4);
    let ahead = world.claim_at(world.now.unix.saturating_add(secs(60)), &bob(), &open("ssh"), BOB4);
    world.deliver(&ahead);
    world.pass(secs(10));
    world.disk.durable.clear();
    world.crash();
    assert!(world.state_lost);
    // Every packet that could have been accepted before is refused, for as long as it is fresh.
    for second in 0..=120 {
        world.deliver(&before);
        world.deliver(&ahead);
        world.ask(&alice(), &open("ssh"), ALICE4);
        assert_eq!(world.admit.accepted() > 0, second > 60, "{second}");
        world.pass(secs(1));
        if second == 30 {
            world.crash();
            assert!(!world.state_lost, "the floor is in the new journal");
        }
    }
    assert_eq!(world.refused().iter().map(|(refusal, _)| *refusal).max(), Some(Refusal::Replayed));
    assert!(world.guard().iter().all(|open| open.address == address(ALICE4)));
}

#[test]
fn a_floor_of_a_clock_that_was_ahead_keeps_nobody_out_for_long() {
    let floor = |ahead: u64| {
        let now =
            Now { boot: BootTime::from_nanos(1), unix: UnixTime::from_nanos(1_790_000_000_000_000_000) };
        let mut history = History::default();
        history.push(Record::Key(server().public()));
        history.push(Record::Floor(now.unix.saturating_add(secs(ahead))));
        let restored = Restored::new(history, everything(), BTreeSet::new(), [1; 16], now);
        restored.admit.floor.saturating_since(now.unix)
    };
    assert_eq!((floor(60), floor(120)), (secs(60), secs(120)));
    assert_eq!(floor(86_400 * 365), secs(120));
}

#[test]
fn a_key_that_the_journal_does_not_know_means_lost_marks() {
    let other = ServerSecret::from_bytes([8; 32]).public();
    let both = Rules::new(doors(), clients(), [other, server().public()].into(), WINDOW).unwrap();
    let mut world = World::new(everything());
    world.restart_with(both.clone());
    assert!(world.state_lost);
    world.crash();
    assert!(!world.state_lost, "now it knows it");
    // A key that came by a reload is known from then on.
    let mut world = World::new(everything());
    world.reload(both);
    world.ask(&alice(), &close(""), ALICE4);
    world.crash();
    assert!(!world.state_lost);
}

#[test]
fn the_snapshot_is_the_state() {
    let mut world = World::new(everything());
    world.ask(&alice(), &open("ssh,vpn").ttl(100), ALICE4);
    world.shell.slow = true;
    world.ask(&bob(), &open("db"), BOB4);
    world.close("db", None);
    world.disk.durable = world.admit.snapshot([1; 16]);
    world.crash();
    assert_eq!(world.status(), ["ssh 198.51.100.7 alice 100", "vpn 198.51.100.7 alice 100"]);
    world.end_all();
    world.settle();
    world.end_all();
    world.settle();
    assert!(world.shell.ran.iter().filter(|line| line.starts_with("stop db")).count() >= 2);
    assert!(world.admit.closing.is_empty());
}

/// One record of a random history.
fn record() -> impl Strategy<Value = Record> {
    let id = || (0..6_u64).prop_map(OpeningId);
    let opening = (id(), 0..5_usize, 1..200_u64, any::<bool>()).prop_map(|(id, door, lease, forever)| {
        let door = &[doors(), [set_door("mail", &["tcp/25"], "inet f any")].into()].concat()[door];
        let now = Now {
            boot: BootTime::from_nanos(1_000_000_000_000),
            unix: UnixTime::from_nanos(1_790_000_000_000_000_000),
        };
        let lease = if forever { Lease::Forever } else { Lease::For(secs(lease)) };
        let origin = Origin::Client(alice().public(), "alice".parse().unwrap());
        let opening = Opening::asked(door, &door.ports, address(ALICE4), &origin, lease, now);
        Opening { id, ..opening.unwrap() }
    });
    let mark = (any::<bool>(), 1_790_000_000_000_000_000..1_790_000_000_000_000_100_u64).prop_map(
        |(alices, stamp)| (if alices { alice() } else { bob() }.public(), UnixTime::from_nanos(stamp)),
    );
    let change = (
        proptest::option::of(mark),
        proptest::collection::vec(opening, 0..2),
        proptest::collection::vec(id(), 0..2),
    );
    prop_oneof![
        6 => change.prop_map(|(mark, opened, closed)| Record::Change(Change { mark, opened, closed })),
        2 => id().prop_map(Record::Closing),
        1 => (1_u8..3).prop_map(|boot| Record::Started([boot; 16])),
        1 => (1_789_000_000_000_000_000..1_790_000_000_000_000_000_u64)
            .prop_map(|floor| Record::Floor(UnixTime::from_nanos(floor))),
        1 => Just(Record::Key(server().public())),
    ]
}

proptest! {
    #![proptest_config(cases(200))]

    /// The new journal means what the old one did, however often it is written anew.
    #[test]
    fn a_snapshot_folds_to_the_same_state(records in proptest::collection::vec(record(), 0..24), boot in 1_u8..3) {
        let now = Now {
            boot: BootTime::from_nanos(1_000_000_000_000),
            unix: UnixTime::from_nanos(1_790_000_000_000_000_000),
        };
        let restored = |records: &[Record]| {
            let mut history = History::default();
            records.iter().cloned().for_each(|record| history.push(record));
            Restored::new(history, everything(), BTreeSet::new(), [boot; 16], now)
        };
        let first = restored(&records);
        let second = restored(&first.admit.snapshot([boot; 16]));
        let third = restored(&second.admit.snapshot([boot; 16]));
        prop_assert_eq!(third.admit.snapshot([boot; 16]), second.admit.snapshot([boot; 16]));
        prop_assert!(!second.state_lost);
        let openings = |restored: &Restored| -> Vec<Opening> { restored.admit.openings.iter().cloned().collect() };
        prop_assert_eq!(openings(&second), openings(&first));
        let closing = |restored: &Restored| -> BTreeSet<OpeningId> {
            let closing = |record| if let Record::Closing(id) = record { Some(id) } else { None };
            restored.admit.snapshot([boot; 16]).into_iter().filter_map(closing).collect()
        };
        prop_assert_eq!(closing(&second), closing(&first));
        prop_assert_eq!(&second.admit.marks, &first.admit.marks);
        // What was made before the second start is refused, since the first was cut off.
        prop_assert_eq!(second.admit.floor, first.admit.floor.max(now.unix));
        prop_assert_eq!(third.admit.floor, second.admit.floor);
        prop_assert_eq!(second.admit.elements(now.boot), first.admit.elements(now.boot));
        // And it is what the records say, read one by one.
        let mut marks = BTreeMap::new();
        for record in &records {
            if let Record::Change(Change { mark: Some((client, stamp)), .. }) = record {
                let mark = marks.entry(*client).or_insert(*stamp);
                *mark = (*mark).max(*stamp);
            }
        }
        prop_assert_eq!(&first.admit.marks, &marks);
        prop_assert_eq!(first.state_lost, !records.contains(&Record::Key(server().public())));
    }
}
