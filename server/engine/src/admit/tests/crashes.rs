//! The keeper dies at every step of a story, starts again, and nothing is worse than it was.

use super::*;

type Story = fn(&mut World);

/// Openings of the guard come, are extended, shared, closed and over.
fn guard(world: &mut World) {
    world.ask(&alice(), &open("ssh,web").at(ALICE6).ttl(100), ALICE4);
    world.ask(&bob(), &open("ssh").ttl(20), ALICE4);
    world.pass(secs(10));
    world.ask(&alice(), &open("ssh").ttl(200), ALICE4);
    world.knock("ssh", ALICE4);
    world.ask(&alice(), &close("web"), BOB4);
    world.pass(secs(30));
    world.close("ssh", Some(ALICE6));
}

/// Commands start, are shared, extended and stopped.
fn commands(world: &mut World) {
    world.ask(&alice(), &open("vpn,db").ttl(30), ALICE4);
    world.ask(&bob(), &open("tcp/5432").ttl(40), ALICE4);
    world.ask(&alice(), &open("vpn").ttl(100), ALICE4);
    world.ask(&alice(), &close("db"), BOB4);
    world.knock("db", ALICE4);
    world.pass(secs(45));
    world.close("db", None);
    world.ask(&alice(), &open("vpn"), ALICE4);
}

/// Commands take their time, and people do not wait.
fn slow_commands(world: &mut World) {
    world.shell.slow = true;
    world.ask(&alice(), &open("vpn"), ALICE4);
    world.ask(&alice(), &close("vpn"), ALICE4);
    world.end_next();
    world.ask(&bob(), &open("vpn"), ALICE4);
    world.end_next();
    world.end_next();
    world.ask(&alice(), &open("vpn"), ALICE4);
    world.close("vpn", None);
    world.end_next();
}

/// Commands fail.
fn failing_commands(world: &mut World) {
    world.shell.failing = "start";
    world.ask(&alice(), &open("vpn").ttl(10), ALICE4);
    world.shell.failing = "stop";
    world.ask(&alice(), &open("db").ttl(10), ALICE4);
    world.pass(secs(14));
}

/// Several packets come before their records are durable, and rules change.
fn at_once(world: &mut World) {
    for asked in [open("ssh,vpn"), open("ssh").ttl(300), close("ssh"), open("web"), open("ssh")] {
        for client in [alice(), bob()] {
            let claim = world.claim(&client, &asked, ALICE4);
            world.deliver_unsettled(&claim);
        }
    }
    world.settle();
    world.reload(rules(doors(), [client("alice", &alice(), &["ssh", "vpn"])].into()));
    world.ask(&alice(), &close("vpn"), ALICE4);
    world.reload(everything());
}

/// How the keeper comes back.
#[derive(Clone, Copy, Debug)]
enum Return {
    /// What was not synced is lost.
    Killed,
    /// What was not synced reached the disk all the same.
    KilledLate,
    /// The machine was off for a minute.
    Rebooted,
}

fn come_back(world: &mut World, how: Return) {
    match how {
        Return::Killed => world.crash(),
        Return::KilledLate => world.crash_written(),
        Return::Rebooted => world.reboot(secs(60)),
    }
}

/// Until when the disk says that each element is open, by the wall clock.
fn ends(world: &World) -> BTreeMap<Element, UnixTime> {
    let mut ends = BTreeMap::new();
    for opening in world.disk.openings().into_values() {
        let until = opening.term.until.unwrap().unix;
        for element in opening.elements() {
            let end = ends.entry(element).or_insert(until);
            *end = until.max(*end);
        }
    }
    ends
}

fn check(story: Story, fuse: usize, how: Return) {
    let mut world = World::new(everything()).with_fuse(fuse);
    story(&mut world);
    world.shell.slow = false;
    world.shell.failing = "";
    if matches!(how, Return::KilledLate) {
        world.disk.keep_appended();
    }
    let ends = ends(&world);
    come_back(&mut world, how);
    for element in world.guard() {
        let left = world.left(element).unwrap();
        assert!(world.now.unix.saturating_add(left) <= ends[&element], "{element} outlives its deadline");
    }

    let ran = world.shell.ran.len();
    for claim in world.delivered.clone() {
        world.deliver(&claim);
        world.deliver(&claim);
    }
    let used = &world.disk.used;
    assert!(used.values().all(|times| *times == 1), "a packet acted twice: {used:?}");
    // What was killed while it opened is not opened once more beside it.
    assert!(world.shell.open.values().all(|times| *times == 1), "{:?}", &world.shell.ran[ran..]);

    world.pass(secs(4000));
    assert!(world.guard().is_empty() && world.status().is_empty());
    assert!(world.shell.open.is_empty(), "{:?} was never closed", world.shell.open);
    assert!(world.admit.closing.is_empty() && world.admit.poll_timeout().is_none());
    world.disk.keep_appended();
    assert!(world.disk.openings().is_empty(), "the journal remembers what is over");
}

/// At every step, in every way.
fn survives(story: Story) {
    let mut world = World::new(everything()).with_fuse(usize::MAX / 2);
    let before = world.steps();
    story(&mut world);
    let steps = world.steps() - before;
    assert!(steps > 20, "a story of {steps} steps");
    for fuse in 0..=steps {
        for how in [Return::Killed, Return::KilledLate, Return::Rebooted] {
            check(story, fuse, how);
        }
    }
}

#[test]
fn the_guard_survives() {
    survives(guard);
}

#[test]
fn commands_survive() {
    survives(commands);
}

#[test]
fn slow_commands_survive() {
    survives(slow_commands);
}

#[test]
fn failing_commands_survive() {
    survives(failing_commands);
}

#[test]
fn many_at_once_survive() {
    survives(at_once);
}
