//! Doors in knockd's manner: every start has its stop, whatever happens between.

use alloc::format;

use super::*;
use crate::knockd::{Again, KnockdCommands, KnockdDoor, Said};
use knock_spa_proto::knock::{ClassicKnock, Uses};

/// A door that closes ten seconds after its start has ended.
fn knockd_door(name: &str) -> KnockdDoor {
    let Door { classic, .. } = knocked(door("x", &[]));
    let line = |verb: &str| Some(format!("{verb} {name} %IP%"));
    let commands = KnockdCommands {
        start: line("start"),
        stop: line("stop"),
        stop_after: Some(secs(10)),
        ..KnockdCommands::default()
    };
    KnockdDoor { name: name.into(), knock: classic, commands }
}

/// The doors of these tests, by their places: plain, extending, without a stop, good once.
fn knockd_rules() -> Rules {
    let mut extending = knockd_door("extending");
    extending.commands.again = Again::Extend;
    let mut endless = knockd_door("endless");
    endless.commands.stop = None;
    let mut once = knockd_door("once");
    once.knock.as_mut().unwrap().uses = Uses::Once;
    everything().with_knockd_doors([knockd_door("plain"), extending, endless, once].into())
}

fn world() -> World {
    World::new(knockd_rules())
}

const PLAIN: usize = 0;
const EXTENDING: usize = 1;
const ENDLESS: usize = 2;
const ONCE: usize = 3;

fn said(world: &mut World) -> Vec<String> {
    let shown = |event| match event {
        Event::Knockd(Said::OpenSesame { door, from }) => Some(format!("{from}: {door}: open")),
        Event::Knockd(Said::Running { door, command }) => Some(format!("{door}: {command}")),
        Event::Knockd(Said::CommandTimeout { door, from }) => Some(format!("{from}: {door}: timeout")),
        Event::Knockd(Said::NonZero { door, status }) => Some(format!("{door}: status {status}")),
        Event::Knockd(other) => Some(format!("{other:?}")),
        Event::StopFailed { door, next, .. } => Some(format!("{door}: stop failed, {next:?}")),
        Event::NotStruckOut { door } => Some(format!("{door}: not struck out")),
        Event::Opened { .. }
        | Event::Closed { .. }
        | Event::Enrolled { .. }
        | Event::Refused { .. }
        | Event::WrongClock { .. }
        | Event::Dropped { .. }
        | Event::CommandFailed { .. }
        | Event::Shortened { .. }
        | Event::JournalFailed => None,
    };
    world.take_said().into_iter().filter_map(shown).collect()
}

#[test]
fn a_knock_starts_and_ten_seconds_after_that_has_ended_stops() {
    let mut world = world();
    world.shell.slow = true;
    world.knock_knockd(PLAIN, ALICE4);
    world.pass(secs(100));
    assert_eq!(world.end_next(), format!("/bin/sh -c start plain {ALICE4}"));
    world.pass(Duration::from_millis(9_999));
    assert_eq!(world.shell.ran.len(), 1);
    world.pass(Duration::from_millis(1));
    world.end_next();
    assert_eq!(world.shell.ran, [format!("start plain {ALICE4}"), format!("stop plain {ALICE4}")]);
    let expected = [
        format!("{ALICE4}: plain: open"),
        format!("plain: start plain {ALICE4}"),
        format!("{ALICE4}: plain: timeout"),
        format!("plain: stop plain {ALICE4}"),
    ];
    assert_eq!(said(&mut world), expected);
    assert_eq!((world.admit.runs().count(), world.admit.poll_timeout()), (0, None));
}

#[test]
fn each_knock_is_a_run_of_its_own() {
    let mut world = world();
    world.knock_knockd(PLAIN, ALICE4);
    world.pass(secs(4));
    world.knock_knockd(PLAIN, ALICE4);
    assert_eq!(world.shell.open[&format!("plain {ALICE4}")], 2);
    world.pass(secs(6));
    assert_eq!(world.shell.open[&format!("plain {ALICE4}")], 1);
    world.pass(secs(4));
    assert!(world.shell.open.is_empty());
}

#[test]
fn where_it_says_so_a_knock_puts_the_stop_off() {
    let mut world = world();
    for _ in 0..3 {
        world.knock_knockd(EXTENDING, ALICE4);
        world.pass(secs(9));
    }
    world.knock_knockd(EXTENDING, BOB4);
    assert_eq!(world.shell.ran.len(), 2);
    world.pass(secs(1));
    assert_eq!(world.shell.ran[2], format!("stop extending {ALICE4}"));
    world.knock_knockd(EXTENDING, ALICE4);
    assert_eq!(world.shell.ran[3], format!("start extending {ALICE4}"));
    world.pass(secs(20));
    assert!(world.shell.open.is_empty());
}

#[test]
fn a_status_is_told_and_the_stop_runs_all_the_same() {
    let mut world = world();
    world.shell.failing = "st";
    world.knock_knockd(PLAIN, ALICE4);
    world.pass(secs(10));
    assert_eq!(world.shell.ran.len(), 2, "and it runs once");
    assert_eq!(said(&mut world).iter().filter(|line| *line == "plain: status 1").count(), 2);
    assert_eq!(world.admit.failing_closes(), (0, 0));
}

#[test]
fn a_door_without_a_stop_leaves_nothing_behind() {
    let mut world = world();
    world.knock_knockd(ENDLESS, ALICE4);
    assert_eq!((world.shell.ran.len(), world.admit.runs().count()), (1, 0));
}

#[test]
fn a_sequence_that_is_good_once_is_struck_out_before_anything_runs() {
    let mut world = world();
    world.disk.broken = true;
    world.knock_knockd(ONCE, ALICE4);
    assert!(world.shell.ran.is_empty());
    assert_eq!(said(&mut world), ["once: not struck out"]);
    world.disk.broken = false;
    world.admit.handle_knock(Knockable::Knockd(ONCE), address(ALICE4), world.now);
    world.admit.handle_knock(Knockable::Knockd(ONCE), address(BOB4), world.now);
    world.settle();
    world.knock_knockd(ONCE, ALICE4);
    assert_eq!(world.struck_out, [Knockable::Knockd(ONCE)]);
    assert_eq!(world.shell.ran, [format!("start once {ALICE4}")]);
    world.reload(knockd_rules());
    world.knock_knockd(ONCE, ALICE4);
    assert_eq!(world.struck_out.len(), 2);
}

#[test]
fn what_the_last_sequence_opened_lives_on() {
    let rules = |classic| {
        let door = Door { classic, ..door("once", &["tcp/1"]) };
        Rules::new([door].into(), Vec::new(), Vec::new(), secs(60)).unwrap()
    };
    let Door { classic, .. } = knocked(door("x", &[]));
    let mut world = World::new(rules(classic.map(|knock| ClassicKnock { uses: Uses::Once, ..knock })));
    world.knock("once", ALICE4);
    assert_eq!(world.guard().len(), 1);
    world.admit.handle_sequences(rules(None));
    world.settle();
    assert_eq!(world.guard().len(), 1);
    world.reload(rules(None));
    assert!(world.guard().is_empty());
}

#[test]
fn a_reload_leaves_what_is_open_alone() {
    let mut world = world();
    world.knock_knockd(PLAIN, ALICE4);
    world.reload(everything());
    world.knock_knockd(PLAIN, ALICE4);
    assert_eq!(world.shell.ran.len(), 1);
    world.pass(secs(10));
    assert!(world.shell.open.is_empty());
}

#[test]
fn before_the_keeper_stops_everything_is_closed() {
    let mut world = world();
    world.knock_knockd(PLAIN, ALICE4);
    world.shell.slow = true;
    world.knock_knockd(PLAIN, BOB4);
    world.admit.handle_stop(world.now);
    world.settle();
    world.end_next();
    world.end_next();
    world.end_next();
    assert!(world.shell.open.is_empty());
    assert_eq!(world.admit.runs().count(), 0);
}

#[test]
fn addresses_that_nobody_has_run_nothing() {
    let mut world = world();
    for from in ["0.0.0.0", "255.255.255.255", "224.0.0.1", "::", "ff02::1"] {
        world.knock_knockd(PLAIN, from);
    }
    assert!(world.shell.ran.is_empty());
    world.knock_knockd(PLAIN, OWN4);
    world.knock_knockd(PLAIN, "127.0.0.1");
    assert_eq!(world.shell.ran.len(), 2);
}

#[test]
fn a_disk_that_fails_keeps_nobody_out() {
    let mut world = world();
    world.disk.broken = true;
    world.knock_knockd(PLAIN, ALICE4);
    world.pass(secs(10));
    assert_eq!(world.shell.ran.len(), 2);
}

fn story(world: &mut World) {
    world.knock_knockd(PLAIN, ALICE4);
    world.pass(secs(3));
    world.knock_knockd(EXTENDING, ALICE4);
    world.knock_knockd(PLAIN, ALICE4);
    world.pass(secs(5));
    world.knock_knockd(EXTENDING, ALICE4);
    world.pass(secs(30));
}

/// What came before the crash, and after it, of one thing: stops never outnumber starts but by one that was begun
/// before the crash, and at the end nothing is open.
fn check(world: &World, when: &str) {
    for what in [format!("plain {ALICE4}"), format!("extending {ALICE4}")] {
        let count =
            |verb: &str| world.shell.ran.iter().filter(|ran| **ran == format!("{verb} {what}")).count();
        let (starts, stops) = (count("start"), count("stop"));
        assert!(stops >= starts && stops <= starts + 1, "{when}: {what}: {starts} starts, {stops} stops");
    }
}

#[test]
fn a_crash_at_any_step_leaves_nothing_open() {
    let mut whole = world();
    let begin = whole.steps();
    story(&mut whole);
    check(&whole, "no crash");
    for steps in 0..whole.steps() - begin {
        for keeps_unsynced in [false, true] {
            let mut world = world();
            world.light_fuse(steps);
            story(&mut world);
            if keeps_unsynced {
                world.crash_written();
            } else {
                world.crash();
            }
            world.pass(secs(11));
            let when = format!("crash at step {steps}");
            check(&world, &when);
            assert_eq!(world.admit.runs().count(), 0, "{when}");
            world.crash_written();
            assert_eq!(world.admit.runs().count(), 0, "{when}, and another one");
        }
    }
}

#[test]
fn what_another_boot_opened_is_closed_before_anything_else() {
    let mut world = world();
    world.knock_knockd(PLAIN, ALICE4);
    world.reboot(secs(4));
    assert_eq!(world.shell.ran, [format!("start plain {ALICE4}"), format!("stop plain {ALICE4}")]);
    world.knock_knockd(PLAIN, ALICE4);
    world.pass(Duration::from_millis(9_999));
    assert_eq!(world.shell.ran.len(), 3, "what is new is not closed by what is old");
    world.pass(Duration::from_millis(1));
    assert_eq!(world.shell.ran.len(), 4);
}

#[test]
fn what_may_not_be_open_is_not_extended_but_starts_again_after_its_stop() {
    let again =
        ["start extending", "stop extending", "start extending"].map(|line| format!("{line} {ALICE4}"));
    let mut world = world();
    world.shell.failing = "start";
    world.knock_knockd(EXTENDING, ALICE4);
    world.shell.failing = "";
    world.pass(secs(5));
    world.knock_knockd(EXTENDING, ALICE4);
    assert_eq!(world.shell.ran, again);
    world.pass(secs(9));
    world.knock_knockd(EXTENDING, ALICE4);
    world.pass(secs(9));
    assert_eq!(world.shell.ran.len(), 3, "now it is open");
    world.pass(secs(1));
    assert_eq!(world.shell.ran.len(), 4);
    assert_eq!(world.admit.runs().count(), 0);
}

#[test]
fn after_a_crash_what_is_known_to_be_open_is_extended() {
    let mut world = world();
    world.knock_knockd(EXTENDING, ALICE4);
    world.crash_written();
    world.pass(secs(9));
    world.knock_knockd(EXTENDING, ALICE4);
    assert_eq!(world.shell.ran.len(), 1);
    // The note that it is open is lost.
    world.knock_knockd(EXTENDING, BOB4);
    world.disk.unsynced.clear();
    world.crash();
    world.knock_knockd(EXTENDING, BOB4);
    assert_eq!(world.shell.ran.len(), 4, "a start, a stop and a start");
    world.pass(secs(10));
    assert!(world.shell.open.is_empty());
}

#[test]
fn doors_of_one_name_do_not_extend_each_other() {
    let mut one = knockd_door("same");
    one.commands.again = Again::Extend;
    let mut other = one.clone();
    other.commands.stop = Some("stop other %IP%".into());
    let mut world = World::new(everything().with_knockd_doors([one, other].into()));
    world.knock_knockd(0, ALICE4);
    world.knock_knockd(1, ALICE4);
    assert_eq!(world.shell.ran.len(), 2);
}
