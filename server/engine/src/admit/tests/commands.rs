//! Doors of commands: started once, stopped once, and never both at the same time.

use super::*;
use crate::admit::effect::Next;

fn ran(world: &mut World) -> Vec<String> {
    core::mem::take(&mut world.shell.ran)
}

/// What followed commands that failed.
fn failures(world: &mut World) -> Vec<Next> {
    let next = |event| if let Event::CommandFailed { next, .. } = event { Some(next) } else { None };
    world.take_said().into_iter().filter_map(next).collect()
}

const VPN: &str = "vpn 198.51.100.7";
const START: &str = "start vpn 198.51.100.7";
const STOP: &str = "stop vpn 198.51.100.7";

#[test]
fn a_door_starts_and_stops_as_a_whole_or_for_each_port() {
    let mut world = World::new(everything());
    world.ask(&alice(), &open("vpn,db").ttl(10), ALICE4);
    let started = ["start db 198.51.100.7 tcp/5432", "start db 198.51.100.7 tcp/5433", START];
    assert_eq!(ran(&mut world), started);
    assert!(world.guard().is_empty(), "commands move nothing of the guard");
    world.pass(secs(9));
    assert_eq!(ran(&mut world), [""; 0]);
    world.pass(secs(1));
    assert_eq!(ran(&mut world), started.map(|line| line.replace("start", "stop")));
    assert!(world.shell.open.is_empty() && world.admit.poll_timeout().is_none());
}

#[test]
fn commands_are_those_of_the_family() {
    let line = |text: &str| Template::Shell(text.into());
    let action = CommandAction {
        start: line("start %IP%"),
        stop: Some(line("stop %IP%")),
        start6: Some(line("start6 %IP% %CLIENT% %TTL%")),
        stop6: None,
        timeout: secs(5),
    };
    let door = Door { action: Action::Command(action), ..door("vpn", &["udp/1194"]) };
    let rules = rules([door].into(), clients());
    let granted = Circumstances { rules: &rules, own: &BTreeSet::new(), observed: address(ALICE6) };
    let door = granted.rules.door(name("vpn")).unwrap();
    let lines = |text: &str| {
        let origin = Origin::Client(alice().public(), "alice".parse().unwrap());
        let now = Now { boot: BootTime::ZERO, unix: UnixTime::EPOCH };
        let opening = Opening::asked(door, &door.ports, address(text), &origin, Lease::For(secs(7)), now);
        let Means::Commands { commands, timeout } = opening.unwrap().means else { panic!("not a command") };
        assert_eq!((commands.len(), timeout), (1, secs(5)));
        let stop = commands[0].stop.as_ref().map(|stop| stop.argv[2].clone());
        (commands[0].start.argv[2].clone(), stop)
    };
    assert_eq!(lines(ALICE4), ("start 198.51.100.7".into(), Some("stop 198.51.100.7".into())));
    // A door without its own stop command for IPv6 stops as for IPv4.
    assert_eq!(lines(ALICE6), ("start6 2001:db8:7::7 alice 7".into(), Some("stop 2001:db8:7::7".into())));
}

#[test]
fn those_who_share_a_hold_start_it_once_and_the_last_stops_it() {
    let mut world = World::new(everything());
    world.ask(&alice(), &open("vpn").ttl(30), ALICE4);
    world.ask(&bob(), &open("vpn").ttl(20), ALICE4);
    world.ask(&alice(), &open("udp/1194").ttl(40), ALICE4);
    world.ask(&alice(), &open("vpn").ttl(35), ALICE4);
    world.ask(&alice(), &open("tcp/5432"), ALICE4);
    world.ask(&bob(), &open("db"), ALICE4);
    world.ask(&bob(), &open("vpn").ttl(1), BOB4);
    let expected =
        [START, "start db 198.51.100.7 tcp/5432", "start db 198.51.100.7 tcp/5433", "start vpn 203.0.113.9"];
    assert_eq!(ran(&mut world), expected);
    world.ask(&alice(), &close("db"), ALICE4);
    assert_eq!(ran(&mut world), [""; 0], "Bob needs it still");
    world.pass(secs(39));
    assert_eq!(ran(&mut world), ["stop vpn 203.0.113.9"]);
    world.pass(secs(1));
    assert_eq!(ran(&mut world), [STOP]);
    world.close("db", None);
    assert_eq!(world.shell.open.len(), 0);
}

#[test]
fn a_stop_waits_for_its_start_and_a_start_for_the_stop() {
    let mut world = World::new(everything());
    world.shell.slow = true;
    world.ask(&alice(), &open("vpn"), ALICE4);
    world.ask(&alice(), &close("vpn"), ALICE4);
    assert_eq!((world.shell.ran.len(), world.status().len()), (1, 0));
    world.ask(&alice(), &open("vpn"), ALICE4);
    world.ask(&alice(), &close("vpn"), ALICE4);
    assert_eq!(world.shell.ran.len(), 1, "the first start runs still");
    assert_eq!(world.end_next(), START);
    assert_eq!(world.shell.ran.len(), 2);
    // Again, while the stop runs; and away, and again.
    world.ask(&alice(), &open("vpn"), ALICE4);
    world.ask(&alice(), &close("vpn"), ALICE4);
    world.ask(&bob(), &open("vpn"), ALICE4);
    assert_eq!(world.shell.ran.len(), 2);
    assert_eq!(world.end_next(), STOP);
    assert_eq!(world.end_next(), START);
    assert_eq!((world.shell.running.len(), world.status().len()), (0, 1));
    world.close("vpn", None);
    assert_eq!(world.end_next(), STOP);
    assert!(world.shell.open.is_empty() && world.shell.running.is_empty());
    assert!(world.admit.closing.is_empty(), "every opening is recorded as closed");
}

#[test]
fn closed_while_the_stop_of_the_one_before_runs() {
    let mut world = World::new(everything());
    world.ask(&alice(), &open("vpn"), ALICE4);
    world.shell.slow = true;
    world.close("vpn", None);
    world.ask(&alice(), &open("vpn"), ALICE4);
    world.close("vpn", None);
    assert_eq!(world.end_next(), STOP);
    assert!(world.shell.running.is_empty() && world.shell.open.is_empty() && world.admit.closing.is_empty());
}

#[test]
fn a_failed_stop_is_tried_again_and_then_somebody_must_look() {
    let mut world = World::new(everything());
    world.shell.failing = "stop";
    world.ask(&alice(), &open("vpn").ttl(10), ALICE4);
    world.pass(secs(10));
    // Waits of 2, 4, 8 and 16 seconds.
    for (wait, tries) in [(1, 1), (1, 2), (3, 2), (1, 3), (7, 3), (1, 4), (15, 4), (1, 5), (100_000, 5)] {
        world.pass(secs(wait));
        assert_eq!(world.shell.ran.len(), 1 + tries);
    }
    let waits = [2, 4, 8, 16].map(|wait| Next::RetryIn(secs(wait)));
    assert_eq!(failures(&mut world), [&waits[..], &[Next::NeedsAttention]].concat());
    assert_eq!((world.admit.failing_closes(), world.shell.open.len()), ((0, 1), 1));
    assert_eq!(world.admit.poll_timeout(), None);

    // A restart tries again.
    world.shell.failing = "";
    world.crash();
    assert_eq!((world.admit.failing_closes(), world.shell.open.len()), ((0, 0), 0));
}

#[test]
fn a_stop_that_succeeds_at_last_is_the_last() {
    let mut world = World::new(everything());
    world.shell.failing = "stop";
    world.ask(&alice(), &open("vpn,db").ttl(10), ALICE4);
    world.pass(secs(11));
    assert_eq!(world.admit.failing_closes(), (3, 0));
    world.shell.failing = "stop db 198.51.100.7 tcp/5433";
    world.pass(secs(1));
    assert_eq!((world.admit.failing_closes(), world.shell.open.len()), ((1, 0), 1));
    world.shell.failing = "";
    world.pass(secs(4));
    assert_eq!((world.admit.failing_closes(), world.shell.open.len()), ((0, 0), 0));
    let runs = world.shell.ran.len();
    world.pass(secs(1000));
    assert_eq!(world.shell.ran.len(), runs);
}

#[test]
fn what_could_not_be_stopped_is_not_opened_twice() {
    for wait in [1, 1000] {
        let mut world = World::new(everything());
        world.shell.failing = "stop";
        world.ask(&alice(), &open("vpn").ttl(10), ALICE4);
        world.pass(secs(10 + wait));
        // The next opening stops it first, whether that helps or not, and is the one that ends it.
        world.shell.failing = "";
        ran(&mut world);
        world.ask(&alice(), &open("vpn").ttl(10), ALICE4);
        assert_eq!(ran(&mut world), [STOP, START]);
        assert_eq!((world.shell.open[VPN], world.admit.failing_closes()), (1, (0, 0)));
        world.pass(secs(10));
        assert_eq!((ran(&mut world), world.shell.open.len()), ([STOP.into()].into(), 0));
        assert!(world.admit.closing.is_empty());
    }
}

#[test]
fn as_many_stops_succeed_as_starts_did() {
    let mut world = World::new(everything());
    world.shell.failing = "stop";
    for opened in 1..=3 {
        world.ask(&alice(), &open("vpn").ttl(10), ALICE4);
        assert_eq!(world.shell.open[VPN], opened, "what was open could not be closed before");
        world.pass(secs(10));
    }
    world.shell.failing = "";
    ran(&mut world);
    world.pass(secs(2));
    assert_eq!(ran(&mut world), [STOP; 3]);
    assert!(world.shell.open.is_empty() && world.admit.poll_timeout().is_none());
}

#[test]
fn a_failed_start_is_stopped_in_the_end_and_tried_again_when_asked() {
    let mut world = World::new(everything());
    world.shell.failing = "start";
    world.ask(&alice(), &open("vpn").ttl(10), ALICE4);
    assert_eq!(failures(&mut world), [Next::StopLater]);
    world.ask(&alice(), &open("vpn").ttl(10), ALICE4);
    assert_eq!(ran(&mut world), [START, STOP, START], "a client tries until the port answers");
    world.shell.failing = "";
    world.ask(&bob(), &open("vpn").ttl(10), ALICE4);
    assert_eq!((ran(&mut world), world.shell.open[VPN]), ([STOP.into(), START.into()].into(), 1));
    world.ask(&bob(), &open("vpn").ttl(10), ALICE4);
    world.ask(&alice(), &open("vpn").ttl(10), ALICE4);
    assert_eq!(ran(&mut world), [""; 0], "once it has succeeded it stands");
    world.pass(secs(10));
    assert_eq!((ran(&mut world), world.shell.open.len()), ([STOP.into()].into(), 0));
}

#[test]
fn a_stop_that_fails_before_a_start_says_so() {
    let mut world = World::new(everything());
    world.shell.failing = "stop";
    world.ask(&alice(), &open("vpn").ttl(10), ALICE4);
    world.shell.slow = true;
    world.pass(secs(10));
    world.ask(&alice(), &open("vpn").ttl(10), ALICE4);
    world.end_next();
    assert_eq!(failures(&mut world), [Next::StartAgain]);
    assert_eq!(world.end_next(), START);
}

#[test]
fn a_door_without_a_stop_command_is_over_without_one() {
    let mut once = command_door("wake", &[], false);
    if let Action::Command(action) = &mut once.action {
        action.stop = None;
    }
    let mut world = World::new(rules([knocked(once)].into(), clients()));
    // Where nothing closes, it starts each time.
    world.shell.unsure.insert("wake 198.51.100.7".into());
    world.knock("wake", ALICE4);
    world.pass(secs(59));
    world.knock("wake", ALICE4);
    assert_eq!(world.shell.ran, ["start wake 198.51.100.7"], "an opening in force goes on");
    world.pass(secs(60));
    assert!(world.status().is_empty() && world.admit.closing.is_empty());
    world.knock("wake", ALICE4);
    assert_eq!(world.shell.ran.len(), 2);
}

#[test]
fn a_door_without_ports_opens_by_name_alone() {
    let wake = command_door("wake", &[], false);
    let all = Right::Ports(Transport::Tcp, 1..=65535);
    let ranged = Client { rights: [all].into(), ..client("bob", &bob(), &[]) };
    let mut world = World::new(rules([wake].into(), [client("alice", &alice(), &["wake"]), ranged].into()));
    world.ask(&bob(), &open("wake"), ALICE4);
    assert_eq!(world.refused(), [(Refusal::Unauthorised, 1)]);
    world.ask(&alice(), &open("wake"), ALICE4);
    world.ask(&alice(), &open("wake"), ALICE4);
    world.ask(&alice(), &close("wake"), ALICE4);
    assert_eq!(world.shell.ran, ["start wake 198.51.100.7", "stop wake 198.51.100.7"]);
}

#[test]
fn new_commands_do_not_reach_what_is_open() {
    let renamed = |per_port| {
        let door = |name| {
            let mut door = command_door(name, &["udp/1194", "tcp/1194"], per_port);
            if let Action::Command(CommandAction {
                start: Template::Argv(start),
                stop: Some(Template::Argv(stop)),
                ..
            }) = &mut door.action
            {
                start[1] = "new".into();
                stop[1] = "new".into();
            }
            door
        };
        rules([door("vpn")].into(), clients())
    };
    for per_port in [false, true] {
        let mut world = World::new(everything());
        world.ask(&alice(), &open("vpn").ttl(10), ALICE4);
        world.reload(renamed(per_port));
        world.ask(&alice(), &open("vpn").ttl(20), ALICE4);
        assert_eq!(world.shell.ran, [START], "it is open already");
        world.pass(secs(10));
        world.crash();
        world.pass(secs(10));
        assert_eq!(world.shell.ran, [START, STOP], "what was started is what is stopped");
        world.ask(&alice(), &open("vpn").ttl(20), ALICE4);
        assert!(world.shell.ran[2].starts_with("start new"));
        world.close("vpn", None);
        assert!(world.shell.open.is_empty());
    }
}

#[test]
fn a_stop_of_the_keeper_ends_what_commands_hold_open() {
    let mut world = World::new(everything());
    world.ask(&alice(), &open("vpn,ssh"), ALICE4);
    world.admit.handle_stop(world.now);
    world.settle();
    assert_eq!((world.shell.open.len(), world.guard().len()), (0, 1));
    world.crash();
    assert_eq!(world.status(), ["ssh 198.51.100.7 alice 60"]);
}

/// Where a start has succeeded, or may have, a keeper that is killed changes nothing.
#[test]
fn what_is_known_to_be_open_is_not_started_again_after_a_crash() {
    let mut world = World::new(everything());
    world.ask(&alice(), &open("vpn").ttl(100), ALICE4);
    world.crash();
    world.ask(&alice(), &open("vpn").ttl(100), ALICE4);
    world.ask(&bob(), &open("vpn").ttl(100), ALICE4);
    assert_eq!(world.shell.ran, [START]);
    // The same from a new journal.
    world.crash();
    world.ask(&alice(), &open("vpn").ttl(100), ALICE4);
    assert_eq!(world.shell.ran, [START]);
    // With the machine goes what commands did.
    world.reboot(secs(1));
    world.ask(&alice(), &open("vpn").ttl(100), ALICE4);
    assert_eq!(world.shell.ran, [START, STOP, START]);
}

#[test]
fn what_is_known_to_be_stopped_is_not_stopped_again_after_a_crash() {
    let stop = |port: &str| alloc::format!("stop db {ALICE4} tcp/{port}");
    for in_a_new_journal in [false, true] {
        let mut world = World::new(everything());
        world.ask(&alice(), &open("db"), ALICE4);
        world.shell.failing = "stop db 198.51.100.7 tcp/5433";
        world.close("db", None);
        if in_a_new_journal {
            world.disk.durable = world.admit.snapshot([1; 16]);
            world.disk.unsynced.clear();
        }
        ran(&mut world);
        world.shell.failing = "";
        world.crash();
        assert_eq!(ran(&mut world), [stop("5433")]);
        assert!(world.shell.open.is_empty() && world.admit.closing.is_empty());
    }
    // What is closed as a whole is on record, whatever the power does.
    let mut world = World::new(everything());
    world.ask(&alice(), &open("db"), ALICE4);
    world.close("db", None);
    ran(&mut world);
    world.reboot(secs(1));
    assert_eq!(ran(&mut world), [""; 0]);
}

/// Each start that may have done its work is undone, also by a keeper that knows of it by the journal alone.
#[test]
fn as_many_stops_run_after_a_crash_as_starts_may_have() {
    for ended in [None, Some(Ended::Killed)] {
        let mut world = World::new(everything());
        (world.shell.failing, world.shell.failing_by) = (if ended.is_some() { "start" } else { "" }, ended);
        world.ask(&alice(), &open("vpn"), ALICE4);
        (world.shell.failing, world.shell.failing_by) = ("stop", None);
        world.close("vpn", None);
        world.ask(&alice(), &open("vpn"), ALICE4);
        assert_eq!(world.shell.open[VPN], 2, "what was open could not be closed before");
        world.shell.failing = "";
        world.crash();
        ran(&mut world);
        world.close("vpn", None);
        assert_eq!(ran(&mut world), [STOP; 2]);
        assert!(world.shell.open.is_empty() && world.admit.closing.is_empty());
    }
}

#[test]
fn a_door_says_what_a_stop_of_the_keeper_does() {
    let mut with = doors();
    for door in &mut with {
        door.on_stop = match door.name {
            name if name == self::name("ssh") || name == self::name("db") => OnStop::Close,
            _ => OnStop::Keep,
        };
    }
    let mut world = World::new(rules(with, clients()));
    world.ask(&alice(), &open("ssh,web,db,vpn").ttl(100), ALICE4);
    ran(&mut world);
    world.stop();
    assert_eq!(world.guard(), [element(ALICE4, "tcp/443"), element(ALICE4, "udp/443")]);
    assert_eq!(world.shell.open.keys().collect::<Vec<_>>(), [VPN]);
    // The next keeper starts nothing again, and closes on time.
    ran(&mut world);
    world.stop_and_start();
    world.ask(&alice(), &open("vpn").ttl(50), ALICE4);
    assert_eq!(ran(&mut world), [""; 0]);
    world.pass(secs(99));
    assert_eq!(ran(&mut world), [""; 0]);
    world.pass(secs(1));
    assert_eq!(ran(&mut world), [STOP]);
    // Or late, where it comes late.
    world.ask(&alice(), &open("vpn").ttl(100), ALICE4);
    world.stop();
    world.now = world.now.saturating_add(secs(101));
    world.crash();
    assert_eq!(ran(&mut world), [START, STOP]);
    assert!(world.status().is_empty());
}
