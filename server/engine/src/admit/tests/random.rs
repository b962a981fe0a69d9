//! Random histories, beside a model that is too simple to be wrong.

mod model;

use alloc::vec;

use proptest::prelude::*;

use super::*;
use model::{Grant, Model, Packet, ports_of};

/// What may happen.
#[derive(Clone, Debug)]
enum Event {
    /// A client asks, is answered or not, and keeps a copy of the packet.
    Ask {
        alice: bool,
        opens: bool,
        services: usize,
        to: usize,
        ttl: u32,
    },
    /// A copy of an earlier packet comes, by its number from the last.
    Replay(usize),
    Knock {
        door: usize,
        from: usize,
    },
    Close {
        door: usize,
        at: Option<usize>,
    },
    Pass(u64),
    /// The keeper is killed; or the machine stops for so long.
    Crash,
    Reboot(u64),
    /// All rules, or those without Bob and without the web.
    Reload {
        all: bool,
    },
    /// Commands end only when they are told to; one does.
    Slow(bool),
    EndOne,
    /// Somebody flushes the administrator's sets, and they are filled again.
    Flush,
}

const SERVICES: [&str; 11] = [
    "ssh",
    "web",
    "tcp/443",
    "db",
    "tcp/5432,ssh",
    "vpn",
    "udp/443,web,vpn",
    "nosuch",
    "mail",
    "tcp/143,mail",
    "imap,git",
];
const SOURCES: [&str; 3] = [ALICE4, BOB4, ALICE6];
const DOORS: [&str; 7] = ["ssh", "web", "db", "vpn", "mail", "imap", "git"];

/// The usual doors, and three of the administrator's own sets: two of them share one that has addresses alone.
fn doors() -> Vec<Door> {
    let sets = [
        knocked(set_door("mail", &["tcp/25", "tcp/465"], "inet f any")),
        set_door("imap", &["tcp/143"], "inet f any"),
        set_door("git", &["tcp/9418"], "inet f each"),
    ];
    super::doors().into_iter().chain(sets).collect()
}

fn clients() -> Vec<Client> {
    [client("alice", &alice(), &DOORS), client("bob", &bob(), &DOORS)].into()
}

impl Event {
    fn any() -> impl Strategy<Value = Self> {
        let ask = (any::<bool>(), 0..4_u8, 0..SERVICES.len(), 0..4_usize, 0..200_u32);
        let ask = ask.prop_map(|(alice, op, services, to, ttl)| Self::Ask {
            alice,
            opens: op > 0,
            services,
            to,
            ttl,
        });
        prop_oneof![
            10 => ask,
            3 => (0..6_usize).prop_map(Self::Replay),
            2 => (0..3_usize, 0..3_usize).prop_map(|(door, from)| Self::Knock { door, from }),
            1 => (0..DOORS.len(), proptest::option::of(0..3_usize)).prop_map(|(door, at)| Self::Close { door, at }),
            4 => (1..90_u64).prop_map(Self::Pass),
            1 => Just(Self::Crash),
            1 => (0..90_u64).prop_map(Self::Reboot),
            1 => any::<bool>().prop_map(|all| Self::Reload { all }),
            1 => any::<bool>().prop_map(Self::Slow),
            2 => Just(Self::EndOne),
            1 => Just(Self::Flush),
        ]
    }
}

/// The world and the model side by side.
struct Pair {
    world: World,
    model: Model,
    packets: Vec<Packet>,
}

impl Pair {
    fn new() -> Self {
        Self { world: World::new(rules(doors(), clients())), model: Model::default(), packets: Vec::new() }
    }

    fn apply(&mut self, event: &Event) {
        match event {
            Event::Ask { alice, opens, services, to, ttl } => {
                let from = SOURCES[usize::try_from(*ttl).unwrap() % SOURCES.len()];
                let (alice, opens, services, to, ttl) = (*alice, *opens, *services, *to, *ttl);
                self.ask(Packet { stamp: UnixTime::EPOCH, alice, opens, services, to, ttl, from });
            }
            Event::Replay(back) => self.replay(*back),
            Event::Knock { door, from } => self.knock(["ssh", "db", "mail"][*door], SOURCES[*from]),
            Event::Close { door, at } => self.close(DOORS[*door], at.map(|at| SOURCES[at])),
            Event::Pass(seconds) => self.world.pass(secs(*seconds)),
            Event::Crash => self.crash(),
            Event::Reboot(seconds) => {
                self.world.reboot(secs(*seconds));
                self.model.come_back(self.world.now.unix);
                self.model.gone = self.model.holds();
            }
            Event::Reload { all } => self.reload(*all),
            Event::Slow(slow) => {
                self.world.shell.slow = *slow;
                self.world.settle();
            }
            Event::EndOne => drop(self.world.end_next()),
            Event::Flush => {
                self.world.sets = Default::default();
                self.world.fill_sets();
            }
        }
        self.model.tidy(self.world.now.unix);
    }

    fn ask(&mut self, packet: Packet) {
        let claim = self.world.ask(&packet.secret(), &packet.asked(), packet.from);
        let packet = Packet { stamp: claim.statement.stamp(), ..packet };
        self.model.take(&packet, self.world.now.unix);
        self.packets.push(packet);
    }

    fn replay(&mut self, back: usize) {
        let Some(packet) = self.packets.iter().rev().nth(back) else { return };
        let claim = self.world.claim_at(packet.stamp, &packet.secret(), &packet.asked(), packet.from);
        let before = self.world.admit.accepted();
        self.world.deliver(&claim);
        let accepted = self.world.admit.accepted() > before;
        assert_eq!(accepted, self.model.take(packet, self.world.now.unix));
    }

    fn knock(&mut self, door: &'static str, from: &'static str) {
        self.world.knock(door, from);
        let end = self.world.now.unix.saturating_add(secs(60));
        self.model.grant(Grant {
            door,
            ports: ports_of(door).into(),
            address: from,
            by: "classic knock",
            end,
        });
    }

    fn close(&mut self, door: &'static str, at: Option<&'static str>) {
        let fits = |grant: &Grant| grant.door == door && at.is_none_or(|at| at == grant.address);
        let count = self.model.grants.iter().filter(|grant| fits(grant)).count();
        assert_eq!(self.world.close(door, at), count);
        self.model.grants.retain(|grant| !fits(grant));
    }

    fn crash(&mut self) {
        // A start that waited for a stop was never made.
        let busy: BTreeSet<_> = self.world.shell.busy_with().collect();
        self.world.crash();
        let open = &self.world.shell.open;
        let shut = |key: &String| busy.contains(key) && !open.contains_key(key);
        self.model.gone.extend(self.model.holds().into_iter().filter(shut));
        self.model.come_back(self.world.now.unix);
    }

    fn reload(&mut self, all: bool) {
        let stays = |door: &Door| all || door.name != name("web");
        let doors = doors().into_iter().filter(stays).collect();
        let clients = clients().into_iter().take(if all { 2 } else { 1 }).collect();
        self.world.reload(rules(doors, clients));
        self.model.reload(all);
    }
}

fn check(world: &World, model: &Model) -> Result<(), TestCaseError> {
    let now = world.now;
    let line = |door: &str, ports: &str, address: &str, by: &str, left: u128| {
        alloc::format!("{door} {ports} {address} {by} {left}")
    };
    let mut theirs: Vec<_> = world
        .admit
        .openings(now.boot)
        .map(|opening| {
            let ports: Vec<_> = opening.ports.iter().map(alloc::string::ToString::to_string).collect();
            let (door, address) = (alloc::format!("{}", opening.door), alloc::format!("{}", opening.address));
            line(&door, &ports.join(","), &address, &opening.by, opening.left.unwrap().as_nanos())
        })
        .collect();
    let mut ours: Vec<_> = model
        .grants
        .iter()
        .map(|grant| {
            let left = grant.end.saturating_since(now.unix).as_nanos();
            line(grant.door, &grant.ports.join(","), grant.address, grant.by, left)
        })
        .collect();
    theirs.sort_unstable();
    ours.sort_unstable();
    prop_assert_eq!(theirs, ours);

    let passing: BTreeMap<_, _> = world
        .guard()
        .into_iter()
        .map(|open| (open, now.unix.saturating_add(world.left(open).unwrap())))
        .collect();
    prop_assert_eq!(passing, model.elements());
    let held: BTreeMap<_, _> =
        world.held().into_iter().map(|(key, left)| (key, now.unix.saturating_add(left))).collect();
    prop_assert_eq!(held, model.held());
    prop_assert!(world.disk.used.values().all(|times| *times == 1), "a packet acted twice");

    if world.shell.running.is_empty() {
        let open: BTreeSet<_> = world.shell.open.keys().cloned().collect();
        let expected: BTreeSet<_> = model.holds().difference(&model.gone).cloned().collect();
        prop_assert_eq!(open, expected);
        prop_assert!(world.shell.open.values().all(|times| *times == 1), "opened twice");
        prop_assert!(world.admit.closing.is_empty());
    }
    Ok(())
}

proptest! {
    #![proptest_config(ProptestConfig { max_shrink_iters: 20_000, ..cases(300) })]

    #[test]
    fn histories_go_as_the_model_says(events in proptest::collection::vec(Event::any(), 1..60)) {
        let mut pair = Pair::new();
        for event in &events {
            pair.apply(event);
            check(&pair.world, &pair.model)?;
        }
        pair.apply(&Event::Slow(false));
        pair.apply(&Event::Pass(4000));
        prop_assert!(pair.model.grants.is_empty());
        check(&pair.world, &pair.model)?;
        prop_assert_eq!(pair.world.admit.poll_timeout(), None);
    }
}
