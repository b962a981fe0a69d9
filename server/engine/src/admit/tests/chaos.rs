//! Everything goes wrong at random: disk, commands, clocks, keeper, machine. What must hold then is little, and holds
//! always:
//!
//! - nothing is opened unless it is on record, or from memory while nothing can be recorded (`World` watches over it);
//! - no start runs twice and no stop has nothing to undo, unless nobody could know (`Shell` watches over it);
//! - nothing outlives its deadline: what is open is asked for, or being closed, and a stop that failed is tried again
//!   within five minutes, or counted as one that somebody must look at;
//! - in the end every start has had its stop;
//! - a packet acts at most once in all lives of the keeper;
//! - what the keeper remembers is what is open.

use alloc::vec;

use proptest::prelude::*;
use proptest::test_runner::RngSeed;

use super::*;
use crate::admit::tries::LONGEST_WAIT;

#[derive(Clone, Debug)]
enum Event {
    /// Clients ask for these at once: who, by a clock how far ahead, whether to open, which, and for how long.
    Ask(Vec<(bool, u64, bool, usize, u32)>),
    Knock(bool),
    Pass(u64),
    /// The keeper is killed before so many more steps are done.
    Crash(usize),
    /// The power goes, for so long, and so many records that were not synced are on the disk all the same.
    Power(u64, usize),
    /// The keeper is told to stop, and starts again.
    Restart,
    /// Whether the disk takes nothing, and not even another name for the journal.
    Broken(bool, bool),
    /// Which commands fail, and how.
    Failing(usize, usize),
    Slow(bool),
    EndOne,
    Reload(bool),
    /// The wall clock steps.
    Step(i64),
    Sleep(u64),
}

const SERVICES: [&str; 7] = ["ssh", "vpn", "db", "tcp/5432", "ssh,vpn,web", "db,tcp/443", "mail,vpn"];
const FAILING: [&str; 6] = ["", "", "stop", "start", "stop", "stop db 198.51.100.7 tcp/5433"];
const ENDS: [Ended; 4] = [Ended::Status(1), Ended::Killed, Ended::TimedOut, Ended::NotStarted];
/// Seconds that the wall clock may step by: within the window, beyond it, and a day.
const STEPS: [i64; 8] = [-86_400, -130, -40, -1, 1, 40, 130, 86_400];
/// Seconds that a client's clock may be ahead.
const AHEAD: [u64; 4] = [0, 0, 1, 50];

impl Event {
    fn any() -> impl Strategy<Value = Self> {
        let ask = (any::<bool>(), 0..AHEAD.len(), any::<bool>(), 0..SERVICES.len(), 1..100_u32).prop_map(
            |(by_alice, ahead, opens, services, ttl)| (by_alice, AHEAD[ahead], opens, services, ttl),
        );
        prop_oneof![
            8 => proptest::collection::vec(ask, 1..4).prop_map(Self::Ask),
            2 => any::<bool>().prop_map(Self::Knock),
            4 => (1..70_u64).prop_map(Self::Pass),
            2 => (0..30_usize).prop_map(Self::Crash),
            1 => (0..50_u64, 0..4_usize).prop_map(|(down, kept)| Self::Power(down, kept)),
            1 => Just(Self::Restart),
            1 => (any::<bool>(), any::<bool>()).prop_map(|(broken, sealed)| Self::Broken(broken, sealed)),
            2 => (0..FAILING.len(), 0..ENDS.len()).prop_map(|(which, how)| Self::Failing(which, how)),
            1 => any::<bool>().prop_map(Self::Slow),
            3 => Just(Self::EndOne),
            1 => any::<bool>().prop_map(Self::Reload),
            1 => (0..STEPS.len()).prop_map(|step| Self::Step(STEPS[step])),
            1 => (1..200_u64).prop_map(Self::Sleep),
        ]
    }
}

fn clients() -> Vec<Client> {
    let all = ["ssh", "web", "db", "vpn", "mail"];
    [client("alice", &alice(), &all), client("bob", &bob(), &all)].into()
}

/// All doors, one of which keeps over a stop what its commands have open, and one of a set of the administrator's.
fn chaotic(clients: Vec<Client>) -> Rules {
    let keeps = |door: Door| {
        let on_stop = if door.name == name("db") { OnStop::Keep } else { door.on_stop };
        Door { on_stop, ..door }
    };
    let set = set_door("mail", &["tcp/25", "tcp/465"], "inet f any");
    rules(doors().into_iter().map(keeps).chain([set]).collect(), clients)
}

struct Chaos {
    world: World,
    /// Whether a copy of a packet may open again: marks were lost, and the clock was set back. That is the known limit.
    may_replay: bool,
}

impl Chaos {
    fn apply(&mut self, event: &Event) {
        let world = &mut self.world;
        match event {
            Event::Ask(asked) => {
                for (by_alice, ahead, opens, services, ttl) in asked {
                    let asked =
                        if *opens { open(SERVICES[*services]).ttl(*ttl) } else { close(SERVICES[*services]) };
                    let client = if *by_alice { alice() } else { bob() };
                    let claim = world.claim_ahead(secs(*ahead), &client, &asked, ALICE4);
                    world.deliver_unsettled(&claim);
                }
                world.settle();
            }
            Event::Knock(db) => world.knock(if *db { "db" } else { "ssh" }, ALICE4),
            Event::Pass(seconds) => world.pass(secs(*seconds)),
            Event::Crash(steps) => world.light_fuse(*steps),
            Event::Power(down, kept) => self.come_back(|world| world.lose_power(secs(*down), *kept)),
            Event::Restart => self.come_back(World::stop_and_start),
            Event::Broken(broken, sealed) => (world.disk.broken, world.disk.sealed) = (*broken, *sealed),
            Event::Failing(which, how) => {
                (world.shell.failing, world.shell.failing_by) = (FAILING[*which], Some(ENDS[*how]));
            }
            Event::Slow(slow) => {
                world.shell.slow = *slow;
                world.settle();
            }
            Event::EndOne => drop(world.end_next()),
            Event::Reload(all) => {
                let clients = clients().into_iter().take(if *all { 2 } else { 1 }).collect();
                world.reload(chaotic(clients));
            }
            Event::Step(seconds) => {
                self.may_replay |= *seconds < 0 && (world.marks_were_lost || world.disk.is_lost);
                let nanos = world.now.unix.as_nanos().checked_add_signed(seconds * 1_000_000_000).unwrap();
                world.now.unix = UnixTime::from_nanos(nanos);
            }
            Event::Sleep(seconds) => world.sleep(secs(*seconds)),
        }
        if self.world.is_dead() {
            self.come_back(World::crash);
        }
    }

    /// The keeper starts again, and somebody sends again what came lately.
    fn come_back(&mut self, how: impl FnOnce(&mut World)) {
        how(&mut self.world);
        let lately: Vec<_> = self.world.delivered.iter().rev().take(6).cloned().collect();
        lately.iter().for_each(|claim| self.world.deliver(claim));
    }

    fn check(&self) -> Result<(), TestCaseError> {
        let world = &self.world;
        let twice = world.disk.used.iter().find(|(_, times)| **times > 1);
        prop_assert!(self.may_replay || twice.is_none(), "a packet acted twice: {:?}", twice);
        let latest = world.guard().into_iter().map(|element| world.left(element).unwrap()).max();
        let latest = latest.max(world.held().into_values().max());
        prop_assert!(latest.is_none_or(|left| left <= secs(100)), "longer than anybody asked for");
        check_that_all_will_close(world)?;
        check_memory(world)
    }
}

/// What commands have open is asked for until a time that is to come, or is being closed: a command runs for it, or
/// will soon, or is counted among those that somebody must look at.
fn check_that_all_will_close(world: &World) -> Result<(), TestCaseError> {
    let admit = &world.admit;
    for opening in admit.openings.iter() {
        let until = opening.term.until.map(|until| until.boot);
        prop_assert!(until.is_some_and(|until| until > world.now.boot), "{:?} is over", opening);
    }
    let held: BTreeSet<String> = admit
        .openings
        .iter()
        .chain(admit.closing.values().map(|closing| &closing.opening))
        .flat_map(|opening| match &opening.means {
            Means::Commands { commands, .. } => commands.clone(),
            Means::Guard | Means::Set(_) => Vec::new(),
        })
        .map(|command| command.start.argv[1..].join(" "))
        .collect();
    for what in world.shell.open.keys() {
        prop_assert!(held.contains(what), "{what} is forgotten");
    }
    let (retried, stuck) = admit.failing_closes();
    if retried > 0 {
        let next = admit.holds.next_retry().unwrap();
        prop_assert!(next <= world.now.boot.saturating_add(LONGEST_WAIT), "a stop waits too long");
    }
    // Each that is over waits for something that runs, or is to run, or was given up and says so.
    let moves = retried + stuck + world.shell.running.len();
    prop_assert!(admit.closing.is_empty() || moves > 0, "{:?} is never closed", admit.closing);
    Ok(())
}

/// What the keeper remembers is bounded by what is open and what runs.
fn check_memory(world: &World) -> Result<(), TestCaseError> {
    let admit = &world.admit;
    prop_assert!(admit.awaited.is_empty() && admit.effects.is_empty());
    prop_assert!(admit.early.len() <= MAX_EARLY && admit.marks.len() <= 2 && admit.buckets.len() <= 2);
    prop_assert_eq!(admit.holds.sizes(), (admit.holds.wanted(), world.shell.running.len()));
    Ok(())
}

/// The same histories each time, two minutes of them, or as many as `PROPTEST_CASES` asks for.
fn histories() -> ProptestConfig {
    ProptestConfig { max_shrink_iters: 20_000, rng_seed: RngSeed::Fixed(1), ..cases(40_000) }
}

proptest! {
    #![proptest_config(histories())]

    #[test]
    fn in_the_end_all_is_closed(events in proptest::collection::vec(Event::any(), 1..40)) {
        let mut chaos = Chaos { world: World::new(chaotic(clients())), may_replay: false };
        for event in &events {
            chaos.apply(event);
            chaos.check()?;
        }
        // Everything is mended, and what was given up is tried again.
        let mended = [
            Event::Broken(false, false),
            Event::Failing(0, 0),
            Event::Slow(false),
            Event::Knock(false),
            Event::Pass(4000),
        ];
        for event in &mended {
            chaos.apply(event);
            chaos.check()?;
        }
        let world = &chaos.world;
        prop_assert!(world.guard().is_empty() && world.held().is_empty() && world.status().is_empty());
        if world.admit.failing_closes() == (0, 0) {
            prop_assert_eq!(&world.shell.open, &BTreeMap::new());
            prop_assert!(world.admit.closing.is_empty());
        }
        chaos.come_back(World::crash);
        let world = &chaos.world;
        prop_assert_eq!(&world.shell.open, &BTreeMap::new());
        prop_assert!(world.admit.closing.is_empty() && world.admit.poll_timeout().is_none());
    }
}
