//! Everything goes wrong at random: disk, commands, keeper, machine. What must hold then is little, and holds always.

use proptest::prelude::*;

use super::*;

#[derive(Clone, Debug)]
enum Event {
    /// Clients ask for these at once: who, whether to open, which, and for how long.
    Ask(Vec<(bool, bool, usize, u32)>),
    Knock(bool),
    Pass(u64),
    /// The keeper is killed before so many more steps are done.
    Crash(usize),
    Reboot(u64),
    Broken(bool),
    Failing(usize),
    Slow(bool),
    EndOne,
    Reload(bool),
}

const SERVICES: [&str; 6] = ["ssh", "vpn", "db", "tcp/5432", "ssh,vpn,web", "db,tcp/443"];
const FAILING: [&str; 4] = ["", "stop", "start", "stop db 198.51.100.7 tcp/5433"];

impl Event {
    fn any() -> impl Strategy<Value = Self> {
        let ask = (any::<bool>(), any::<bool>(), 0..SERVICES.len(), 1..100_u32);
        prop_oneof![
            8 => proptest::collection::vec(ask, 1..4).prop_map(Self::Ask),
            2 => any::<bool>().prop_map(Self::Knock),
            4 => (1..70_u64).prop_map(Self::Pass),
            2 => (0..30_usize).prop_map(Self::Crash),
            1 => (0..50_u64).prop_map(Self::Reboot),
            1 => any::<bool>().prop_map(Self::Broken),
            2 => (0..FAILING.len()).prop_map(Self::Failing),
            1 => any::<bool>().prop_map(Self::Slow),
            3 => Just(Self::EndOne),
            1 => any::<bool>().prop_map(Self::Reload),
        ]
    }
}

fn apply(world: &mut World, event: &Event) {
    match event {
        Event::Ask(asked) => {
            for (by_alice, opens, services, ttl) in asked {
                let asked =
                    if *opens { open(SERVICES[*services]).ttl(*ttl) } else { close(SERVICES[*services]) };
                let claim = world.claim(&if *by_alice { alice() } else { bob() }, &asked, ALICE4);
                world.deliver_unsettled(&claim);
            }
            world.settle();
        }
        Event::Knock(db) => world.knock(if *db { "db" } else { "ssh" }, ALICE4),
        Event::Pass(seconds) => world.pass(secs(*seconds)),
        Event::Crash(steps) => world.light_fuse(*steps),
        Event::Reboot(seconds) => come_back(world, |world| world.reboot(secs(*seconds))),
        Event::Broken(broken) => world.disk.broken = *broken,
        Event::Failing(failing) => world.shell.failing = FAILING[*failing],
        Event::Slow(slow) => {
            world.shell.slow = *slow;
            world.settle();
        }
        Event::EndOne => drop(world.end_next()),
        Event::Reload(all) => {
            let clients = clients().into_iter().take(if *all { 2 } else { 1 }).collect();
            world.reload(rules(doors(), clients));
        }
    }
    if world.is_dead() {
        come_back(world, World::crash);
    }
}

/// The keeper starts again, and somebody sends again what came lately.
fn come_back(world: &mut World, how: impl FnOnce(&mut World)) {
    // How often a thing was opened in vain is not recorded.
    world.shell.open.values_mut().for_each(|count| *count = 1);
    how(world);
    let lately: Vec<_> = world.delivered.iter().rev().take(6).cloned().collect();
    lately.iter().for_each(|claim| world.deliver(claim));
}

proptest! {
    #![proptest_config(ProptestConfig { max_shrink_iters: 20_000, ..cases(300) })]

    #[test]
    fn in_the_end_all_is_closed(events in proptest::collection::vec(Event::any(), 1..40)) {
        let mut world = World::new(everything());
        for event in &events {
            apply(&mut world, event);
            prop_assert!(world.disk.used.values().all(|times| *times == 1), "a packet acted twice");
            let latest = world.guard().into_iter().map(|element| world.left(element).unwrap()).max();
            prop_assert!(latest.is_none_or(|left| left <= secs(100)), "longer than anybody asked for");
        }
        // Everything is mended, and what was given up is tried again.
        apply(&mut world, &Event::Broken(false));
        apply(&mut world, &Event::Failing(0));
        apply(&mut world, &Event::Slow(false));
        apply(&mut world, &Event::Ask([(true, false, 0, 0)].into()));
        apply(&mut world, &Event::Pass(4000));
        prop_assert!(world.guard().is_empty() && world.status().is_empty());
        if world.admit.failing_closes() == (0, 0) {
            prop_assert_eq!(&world.shell.open, &BTreeMap::new());
            prop_assert!(world.admit.closing.is_empty());
        }
        come_back(&mut world, World::crash);
        prop_assert_eq!(&world.shell.open, &BTreeMap::new());
        prop_assert!(world.admit.closing.is_empty() && world.admit.poll_timeout().is_none());
    }
}
