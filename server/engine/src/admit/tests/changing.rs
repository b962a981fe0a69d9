//! What other rules leave of what is open, and whose flows end with it.

use alloc::format;
use alloc::string::ToString;

use proptest::prelude::*;

use super::*;
use crate::admit::effect::Flows;

/// Alice has ssh and web open for both her addresses, for 100 seconds.
fn alices() -> World {
    let mut world = World::new(everything());
    world.ask(&alice(), &open("ssh,web").at(ALICE6).ttl(100), ALICE4);
    world.take_said();
    world
}

fn with(change: impl FnOnce(Client) -> Client) -> Vec<Client> {
    let all = ["ssh", "web", "db", "vpn"];
    [change(client("alice", &alice(), &all)), client("bob", &bob(), &all)].into()
}

#[test]
fn a_changed_policy_ends_or_shortens_what_it_allows_no_more() {
    let now = alices().now.unix;
    let at = |seconds| Some(now.saturating_add(secs(seconds)));
    let right = |text: &str| Right::Door(name(text));
    let tcp = Right::Ports(Transport::Tcp, 443..=443);
    let nets = ["2001:db8::/32".parse().unwrap()];
    // What is left: how many elements, and for how many seconds.
    let cases: [(&str, Vec<Client>, usize, u64); 12] = [
        ("nothing", with(|alice| alice), 6, 100),
        ("a door", with(|alice| Client { rights: [right("ssh")].into(), ..alice }), 2, 100),
        // Half of a door was not what it asked for.
        ("a port of a door", with(|alice| Client { rights: [right("ssh"), tcp].into(), ..alice }), 2, 100),
        ("networks", with(|alice| Client { from: Some(nets.into()), ..alice }), 3, 100),
        ("the mode", with(|alice| Client { mode: AddressMode::Match, ..alice }), 6, 100),
        ("shorter", with(|alice| Client { max_open: Some(secs(30)), ..alice }), 6, 30),
        ("not shorter", with(|alice| Client { max_open: Some(secs(100)), ..alice }), 6, 100),
        ("an earlier end", with(|alice| Client { not_after: at(7), ..alice }), 6, 7),
        ("an end", with(|alice| Client { not_after: at(0), ..alice }), 0, 0),
        ("a later start", with(|alice| Client { not_before: at(1), ..alice }), 0, 0),
        ("a start", with(|alice| Client { not_before: at(0), ..alice }), 6, 100),
        ("the client", with(|alice| alice)[1..].into(), 0, 0),
    ];
    for (what, clients, elements, seconds) in cases {
        for restarts in [false, true] {
            let mut world = alices();
            if restarts {
                world.restart_with(rules(doors(), clients.clone()));
            } else {
                world.reload_clients(clients.clone(), None);
            }
            let left: BTreeSet<_> = world.guard().iter().map(|open| world.left(*open).unwrap()).collect();
            let expected = if elements == 0 { BTreeSet::new() } else { [secs(seconds)].into() };
            assert_eq!((world.guard().len(), left), (elements, expected), "{what}, {restarts}");
            // The journal says the same, also where the old rules come back.
            let before = world.status();
            world.restart_with(everything());
            assert_eq!(world.status(), before, "{what}, {restarts}");
        }
    }
}

#[test]
fn what_is_shortened_is_told_and_ends_then() {
    let mut world = alices();
    world.ask(&alice(), &open("vpn"), ALICE4);
    world.take_said();
    world.reload_clients(with(|alice| Client { max_open: Some(secs(5)), ..alice }), None);
    let shortened = |event: &Event| matches!(event, Event::Shortened { left, .. } if *left == secs(5));
    let said = world.take_said();
    assert!(said.len() == 5 && said.iter().all(shortened), "{said:?}");
    assert_eq!(world.shell.ran, [format!("start vpn {ALICE4}")], "what is open is not opened again");
    // The same rules again change nothing.
    world.pass(secs(2));
    world.reload_clients(with(|alice| Client { max_open: Some(secs(5)), ..alice }), None);
    assert_eq!(world.take_said(), []);
    world.pass(secs(3));
    assert!(world.guard().is_empty() && world.shell.open.is_empty() && world.status().is_empty());
}

#[test]
fn what_is_not_on_record_yet_is_shortened_too() {
    let shorter = || with(|alice| Client { max_open: Some(secs(5)), ..alice });
    for services in ["ssh", "vpn"] {
        let mut world = World::new(everything());
        let claim = world.claim(&alice(), &open(services).ttl(100), ALICE4);
        world.deliver_unsettled(&claim);
        world.reload_clients(shorter(), None);
        assert_eq!(world.status(), [format!("{services} {ALICE4} alice 5")]);
        world.pass(secs(5));
        assert!(world.guard().is_empty() && world.shell.open.is_empty() && world.status().is_empty());
    }
}

#[test]
fn nothing_is_cut_unless_that_is_asked_for() {
    let mut world = alices();
    world.reload_clients(with(|alice| alice)[1..].into(), None);
    let mut other = alices();
    other.reload_clients(with(|alice| alice)[1..].into(), Some("bob"));
    let mut closed = alices();
    closed.close("ssh", None);
    closed.pass(secs(200));
    for world in [world, other, closed] {
        assert!(world.guard().is_empty() && world.cut.is_empty());
    }
}

#[test]
fn flows_are_cut_where_nobody_has_the_port_open_any_more() {
    let cut = |world: &World| world.cut.iter().map(|(element, _)| element.to_string()).collect::<Vec<_>>();
    let mut world = alices();
    // Somebody else's for the same address, and her own for another.
    world.ask(&bob(), &open("web"), ALICE4);
    world.ask(&bob(), &open("ssh"), BOB4);
    world.reload_clients(with(|alice| alice)[1..].into(), Some("alice"));
    let expected = [
        element(ALICE4, "tcp/22"),
        element(ALICE6, "tcp/22"),
        element(ALICE6, "tcp/443"),
        element(ALICE6, "udp/443"),
    ];
    assert_eq!(cut(&world), expected.map(|element| element.to_string()));

    // The administrator may, too.
    world.flows = Flows::Cut;
    world.cut.clear();
    assert_eq!(world.close("ssh", Some(BOB4)), 1);
    assert_eq!(cut(&world), [element(BOB4, "tcp/22").to_string()]);
}

#[test]
fn flows_through_commands_are_cut_once_those_have_closed() {
    let mut world = World::new(everything());
    world.ask(&alice(), &open("db"), ALICE4);
    world.ask(&bob(), &open("tcp/5432"), ALICE4);
    world.shell.slow = true;
    world.reload_clients(with(|alice| alice)[1..].into(), Some("alice"));
    assert_eq!(world.cut, [], "the command that closes runs");
    world.end_next();
    // Bob has the other port open for the same address.
    let still = [format!("db {ALICE4} tcp/5432")];
    assert_eq!(world.cut, [(element(ALICE4, "tcp/5433"), still.into())]);
}

/// A client's policy by numbers.
#[derive(Clone, Debug)]
struct Policy {
    rights: u8,
    nets: usize,
    mode: AddressMode,
    max_open: Option<u64>,
    /// Seconds from the beginning.
    not_before: Option<u64>,
    not_after: Option<u64>,
}

/// All rights that there are to be had, with the ports that each means.
const RIGHTS: [(&str, &[&str]); 6] = [
    ("ssh", &["tcp/22"]),
    ("web", &["tcp/443", "udp/443"]),
    ("tcp/443-5432", &["tcp/443", "tcp/1194", "tcp/5432"]),
    ("db", &["tcp/5432", "tcp/5433"]),
    ("vpn", &["udp/1194", "tcp/1194"]),
    ("udp/1194", &["udp/1194"]),
];
const NETS: [&[&str]; 4] =
    [&[], &["198.51.100.0/24"], &["203.0.113.9/32", "2001:db8::/32"], &["192.0.2.0/24"]];

impl Policy {
    fn any() -> impl Strategy<Value = Self> {
        let mode =
            prop_oneof![Just(AddressMode::Sender), Just(AddressMode::Match), Just(AddressMode::Claimed)];
        let seconds = |range: core::ops::Range<u64>| proptest::option::weighted(0.3, range);
        let all = (0..64_u8, 0..NETS.len(), mode, seconds(1..150), seconds(0..150), seconds(0..150));
        all.prop_map(|(rights, nets, mode, max_open, not_before, not_after)| Self {
            // Most rights, most of the time.
            rights: rights | rights.rotate_left(3) & 0b11_0101,
            nets: nets.saturating_sub(1),
            mode,
            max_open,
            not_before,
            not_after,
        })
    }

    fn client(&self, name: &str, secret: &ClientSecret, start: UnixTime) -> Client {
        let at = |seconds: u64| start.saturating_add(secs(seconds));
        let right = |text: &str| match text {
            "tcp/443-5432" => Right::Ports(Transport::Tcp, 443..=5432),
            "udp/1194" => Right::Ports(Transport::Udp, 1194..=1194),
            door => Right::Door(door.parse().unwrap()),
        };
        let nets: Vec<_> = NETS[self.nets].iter().map(|net| net.parse().unwrap()).collect();
        Client {
            rights: self.rights().map(|(name, _)| right(name)).collect(),
            mode: self.mode,
            from: Some(nets).filter(|nets| !nets.is_empty()),
            max_open: self.max_open.map(secs),
            not_before: self.not_before.map(at),
            not_after: self.not_after.map(at),
            ..client(name, secret, &[])
        }
    }

    fn rights(&self) -> impl Iterator<Item = (&'static str, &'static [&'static str])> {
        let rights = self.rights;
        (0..).zip(RIGHTS).filter(move |(bit, _)| rights >> bit & 1 == 1).map(|(_, right)| right)
    }

    /// For how many seconds it leaves an opening, so many after the beginning: the naive model.
    fn leaves(&self, line: &Line, after: u64) -> Option<u64> {
        let Line { ports, address, left, .. } = line;
        let granted: Vec<&str> = (0..)
            .zip(RIGHTS)
            .filter(|(bit, _)| self.rights >> bit & 1 == 1)
            .flat_map(|(_, (_, ports))| ports)
            .copied()
            .collect();
        let is_there = match self.nets {
            0 => true,
            1 => *address == ALICE4,
            2 => *address == BOB4 || *address == ALICE6,
            _ => false,
        };
        let begun = self.not_before.is_none_or(|start| start <= after);
        let over = self.not_after.is_some_and(|end| end <= after);
        let rights = ports.iter().all(|port| granted.contains(&port.as_str()));
        let till = self.not_after.map(|end| end.saturating_sub(after));
        let limits = [self.max_open, till].into_iter().flatten();
        (is_there && begun && !over && rights).then(|| limits.fold(*left, u64::min))
    }
}

/// What is open, and for how many seconds still.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Line {
    door: String,
    ports: Vec<String>,
    address: String,
    by: String,
    left: u64,
}

impl Line {
    fn elements(&self) -> impl Iterator<Item = String> {
        self.ports.iter().map(|port| element(&self.address, port).to_string())
    }
}

fn lines(world: &World) -> Vec<Line> {
    let line = |open: OpeningStatus| Line {
        door: open.door.to_string(),
        ports: open.ports.iter().map(ToString::to_string).collect(),
        address: open.address.to_string(),
        by: open.by,
        left: open.left.unwrap().as_secs(),
    };
    let mut lines: Vec<_> = world.admit.openings(world.now.boot).map(line).collect();
    lines.sort();
    lines
}

/// The guard's elements, and for how many seconds they stay.
fn guard(world: &World) -> BTreeMap<String, u64> {
    let left = |element: Element| world.left(element).unwrap().as_secs();
    world.guard().into_iter().map(|element| (element.to_string(), left(element))).collect()
}

/// What the guard must hold for these openings.
fn guard_of(lines: &[Line]) -> BTreeMap<String, u64> {
    let mut guard = BTreeMap::new();
    for line in lines.iter().filter(|line| ["ssh", "web"].contains(&&*line.door)) {
        for element in line.elements() {
            let end: &mut u64 = guard.entry(element).or_default();
            *end = (*end).max(line.left);
        }
    }
    guard
}

const ASKED: [&str; 7] = ["ssh", "web", "tcp/443", "db,ssh", "tcp/5432", "vpn", "web,udp/1194"];
const AT: [&str; 3] = [ALICE4, BOB4, ALICE6];

proptest! {
    #![proptest_config(ProptestConfig { cases: 600, max_shrink_iters: 20_000, ..ProptestConfig::default() })]

    #[test]
    fn nothing_stays_that_would_not_be_opened_now_and_all_else_does(
        policies in [[Policy::any(), Policy::any()], [Policy::any(), Policy::any()]],
        asks in proptest::collection::vec((any::<bool>(), 0..ASKED.len(), 0..3_usize, 1..120_u32), 1..12),
        knocks in any::<bool>(),
        pass in 0..60_u64,
        cuts in any::<bool>(),
    ) {
        let mut world = World::new(everything());
        let start = world.now.unix;
        let of = |[one, other]: &[Policy; 2]| [one.client("alice", &alice(), start), other.client("bob", &bob(), start)].into();
        world.reload_clients(of(&policies[0]), None);
        for (is_alice, services, at, ttl) in asks {
            let asked = open(ASKED[services]).explicitly().at(AT[at]).ttl(ttl);
            world.ask(&if is_alice { alice() } else { bob() }, &asked, AT[at]);
        }
        if knocks {
            world.knock("ssh", ALICE4);
        }
        world.pass(secs(pass));
        let before = lines(&world);
        world.take_said();
        world.reload_clients(of(&policies[1]), cuts.then_some("alice"));

        let left = |line: &Line| match &*line.by {
            "alice" => policies[1][0].leaves(line, pass),
            "bob" => policies[1][1].leaves(line, pass),
            _ => Some(line.left),
        };
        let shortened = |line: &Line| Some(Line { left: left(line)?, ..line.clone() });
        let mut expected: Vec<_> = before.iter().filter_map(shortened).collect();
        expected.sort();
        prop_assert_eq!(lines(&world), &expected[..]);
        prop_assert_eq!(guard(&world), guard_of(&expected));
        let closed = world.take_said().iter().filter(|event| matches!(event, Event::Closed { .. })).count();
        prop_assert_eq!(closed, before.len() - expected.len());

        // Cut is what Alice had, where nobody has it any more.
        let of_alice = before.iter().filter(|line| cuts && line.by == "alice" && left(line).is_none());
        let mut gone: BTreeSet<String> = of_alice.flat_map(Line::elements).collect();
        gone.retain(|cut| !expected.iter().flat_map(Line::elements).any(|open| open == *cut));
        let cut: BTreeSet<String> = world.cut.iter().map(|(element, _)| element.to_string()).collect();
        prop_assert_eq!(cut, gone);

        world.crash();
        prop_assert_eq!(lines(&world), &expected[..], "the journal says the same");
        prop_assert_eq!(guard(&world), guard_of(&expected));
        world.reload_clients(of(&policies[1]), None);
        prop_assert_eq!(lines(&world), expected, "the same rules again change nothing");
    }
}
