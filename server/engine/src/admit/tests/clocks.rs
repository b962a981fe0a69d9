//! The server's clock steps, by a second or a day, to either side, over restarts and boots: nothing that was taken is
//! taken again, and nothing stays open for longer. With the rows of `docs/protocol.md` section 5.

use super::*;

const DAY: i64 = 86_400;

/// Steps that a clock may make, in seconds: beside the window, at it and far beyond.
const STEPS: [i64; 10] = [-DAY, -121, -60, -30, -1, 1, 30, 60, 121, DAY];

fn step(world: &mut World, seconds: i64) {
    let nanos = world.now.unix.as_nanos().checked_add_signed(seconds * 1_000_000_000).unwrap();
    world.now.unix = UnixTime::from_nanos(nanos);
}

/// What happens after a step.
#[derive(Clone, Copy, Debug)]
enum Then {
    Nothing,
    Crash,
    Boot,
}

impl Then {
    fn happen(self, world: &mut World) {
        match self {
            Self::Nothing => {}
            Self::Crash => world.crash(),
            Self::Boot => world.reboot(Duration::ZERO),
        }
    }
}

#[test]
fn whichever_way_the_server_s_clock_steps_nothing_is_taken_twice() {
    for then in [Then::Nothing, Then::Crash, Then::Boot] {
        for (first, second) in STEPS.iter().flat_map(|first| STEPS.map(|second| (*first, second))) {
            let mut world = World::new(everything());
            let mut taken = Vec::new();
            for seconds in [first, second, -first - second] {
                let claim = world.claim_at(world.now.unix, &alice(), &open("ssh").ttl(1), ALICE4);
                let before = world.admit.accepted();
                world.deliver(&claim);
                if world.admit.accepted() > before {
                    taken.push(claim);
                }
                world.pass(secs(2));
                assert!(world.guard().is_empty(), "{first} {second} {then:?}");
                step(&mut world, seconds);
                then.happen(&mut world);
                // With a clock that is behind, a boot may bring back what had ended: that is known.
                let before = (world.admit.accepted(), world.guard());
                taken.iter().for_each(|claim| world.deliver(claim));
                assert_eq!((world.admit.accepted(), world.guard()), before, "{first} {second} {then:?}");
                world.pass(secs(2));
            }
            assert!(!taken.is_empty());
        }
    }
}

/// It is not by the wall clock that anything lasts.
#[test]
fn whichever_way_the_server_s_clock_steps_an_opening_lasts_as_long_as_it_should() {
    for then in [Then::Nothing, Then::Crash] {
        for seconds in STEPS {
            let mut world = World::new(everything());
            world.ask(&alice(), &open("ssh").ttl(100), ALICE4);
            world.pass(secs(20));
            step(&mut world, seconds);
            then.happen(&mut world);
            world.pass(Duration::ZERO);
            assert_eq!(world.left(element(ALICE4, "tcp/22")), Some(secs(80)), "{seconds} {then:?}");
            world.pass(secs(80));
            assert!(world.guard().is_empty(), "{seconds} {then:?}");
        }
    }
}

/// After a step back its clients wait until the clock has passed their marks, and no longer; after a step ahead not at
/// all. What is set right within the window costs less than a window.
#[test]
fn a_step_of_the_server_s_clock_shuts_clients_out_for_no_longer_than_it_went_back() {
    for seconds in STEPS {
        let mut world = World::new(everything());
        world.ask(&alice(), &open("ssh").ttl(1), ALICE4);
        world.pass(secs(1));
        step(&mut world, seconds);
        let ask = |world: &mut World| {
            let claim = world.claim_at(world.now.unix, &alice(), &open("ssh").ttl(1), ALICE4);
            world.deliver(&claim);
        };
        ask(&mut world);
        let shut_out = u64::from(seconds < 0);
        assert_eq!(world.admit.accepted(), 2 - shut_out, "{seconds}");
        world.pass(secs(seconds.unsigned_abs()));
        ask(&mut world);
        assert_eq!(world.admit.accepted(), 3 - shut_out, "{seconds}");
    }
}

/// The marks are lost, and the clock steps as well: ahead is no danger. Back is, by more than has passed since: that is
/// the known limit, and the only one.
#[test]
fn marks_that_are_lost_need_a_clock_that_is_not_set_back() {
    for seconds in STEPS {
        let mut world = World::new(everything());
        let claim =
            world.claim_at(world.now.unix.saturating_add(WINDOW), &alice(), &open("ssh").ttl(1), ALICE4);
        world.deliver(&claim);
        world.pass(secs(1));
        step(&mut world, seconds);
        world.disk.durable.clear();
        world.crash();
        assert!(world.state_lost);
        for _ in 0..400 {
            world.deliver(&claim);
            world.pass(secs(1));
        }
        assert_eq!(world.admit.accepted() > 0, (-121..-1).contains(&seconds), "{seconds}");
    }
}
