//! Doors that the administrator's own commands open and close.

use knock_spa_tests::lab::Echo;
use knock_spa_tests::server::NAME;
use rustix::process::Signal;

use super::*;

/// A door of two ports whose commands write down what they are called with.
const NOTED: &str = "[door.ssh]\nports = ['tcp/22', 'udp/53']\n\
    [door.ssh.action]\n\
    start = ['DIR/note', 'start', '%IP%', '%PROTO%/%PORT%', '%DOOR%', '%CLIENT%', '%TTL%']\n\
    stop = ['DIR/note', 'stop', '%IP%', '%PROTO%/%PORT%']\n\
    start6 = ['DIR/note', 'start6', '%IP%', '%PROTO%/%PORT%', '%DOOR%', '%CLIENT%', '%TTL%']\n\
    stop6 = ['DIR/note', 'stop6', '%IP%', '%PROTO%/%PORT%']\n";

/// What the commands have written down, in order of the alphabet: those of one opening run side by side.
fn notes(server: &Server<'_>) -> Vec<String> {
    let text = std::fs::read_to_string(server.path("notes")).unwrap_or_default();
    let mut lines: Vec<_> = text.lines().map(ToOwned::to_owned).collect();
    lines.sort();
    lines
}

fn await_notes(server: &Server<'_>, expected: &[&str]) {
    let mut expected: Vec<_> = expected.iter().map(ToString::to_string).collect();
    expected.sort();
    let start = std::time::Instant::now();
    while notes(server) != expected {
        assert!(start.elapsed() < PATIENCE, "{expected:#?} instead of {:#?}", notes(server));
        std::thread::sleep(Duration::from_millis(5));
    }
}

/// The server's `note` writes down its words, and fails where a file `failing` is there.
fn noting<'w>(world: &'w World, configuration: &str) -> (Server<'w>, Laptop<'w>) {
    let (server, laptop) = enrolled(world, configuration);
    let (notes, failing) = (server.path("notes"), server.path("failing"));
    let script = format!("#!/bin/sh\necho \"$*\" >> {}; [ ! -e {} ]\n", notes.display(), failing.display());
    server.write("note", &script, 0o700);
    (server, laptop)
}

/// What the commands of an opening of both ports, for both addresses of the laptop, write down.
const STARTED: [&str; 4] = [
    "start 192.0.2.2 tcp/22 ssh alice 3600",
    "start 192.0.2.2 udp/53 ssh alice 3600",
    "start6 2001:db8:1::2 tcp/22 ssh alice 3600",
    "start6 2001:db8:1::2 udp/53 ssh alice 3600",
];

const STOPPED: [&str; 4] = [
    "stop 192.0.2.2 tcp/22",
    "stop 192.0.2.2 udp/53",
    "stop6 2001:db8:1::2 tcp/22",
    "stop6 2001:db8:1::2 udp/53",
];

#[test]
fn start_runs_once_for_each_port_and_address_and_stop_after_close() {
    let world = World::new();
    let (server, laptop) = noting(&world, NOTED);
    laptop.run("open ssh gw --no-wait --for 1h").ended_with(0);
    await_notes(&server, &STARTED);
    laptop.run("open ssh gw --no-wait --for 1h").ended_with(0);
    until(PATIENCE, "the second packet", || server.status().counters.accepted == 2);
    laptop.run("close ssh gw").ended_with(0);
    await_notes(&server, &[STARTED, STOPPED].concat());
    assert_eq!(server.openings(), []);
    assert_eq!(server.guard(), None, "no door needs it");
    // And again from the beginning.
    laptop.run("open tcp/22 gw -4 --no-wait --for 1h").ended_with(0);
    await_notes(&server, &[&STARTED[..], &STOPPED, &STARTED[..1]].concat());
}

#[test]
fn stop_runs_when_the_lease_is_over() {
    let world = World::new();
    let (server, laptop) = noting(&world, NOTED);
    laptop.run("open tcp/22 gw -6 --no-wait --for 1s").ended_with(0);
    let start = "start6 2001:db8:1::2 tcp/22 ssh alice 1";
    await_notes(&server, &[start]);
    await_notes(&server, &[start, "stop6 2001:db8:1::2 tcp/22"]);
}

#[test]
fn a_string_is_a_line_for_the_shell() {
    let world = World::new();
    let door = "[door.ssh]\nports = ['tcp/22']\n[door.ssh.action]\n\
        start = 'echo \"start %IP% $KNOCK_IP $KNOCK_DOOR $KNOCK_CLIENT $KNOCK_TTL\" >> DIR/notes; pwd >> DIR/notes'\n\
        stop = 'echo stop >> DIR/notes'\n";
    let (server, laptop) = enrolled(&world, door);
    laptop.run("open ssh gw -4 --no-wait").ended_with(0);
    let started = ["start 192.0.2.2 192.0.2.2 ssh alice 60", "/"];
    await_notes(&server, &started);
    server.command(&["close", "ssh"]).ended_with(0);
    await_notes(&server, &[&started[..], &["stop"]].concat());
}

#[test]
fn a_stopping_daemon_closes_what_nobody_would_close_later() {
    let world = World::new();
    let (mut server, laptop) = noting(&world, NOTED);
    laptop.run("open ssh gw --no-wait --for 1h").ended_with(0);
    await_notes(&server, &STARTED);
    server.end(Signal::TERM);
    await_notes(&server, &[STARTED, STOPPED].concat());
    server.start();
    assert_eq!(server.openings(), []);
    server.stop();
    await_notes(&server, &[STARTED, STOPPED].concat());
}

/// As for an upgrade: the next daemon closes on time.
#[test]
fn where_the_door_says_so_a_stop_leaves_open_what_the_next_daemon_closes() {
    let world = World::new();
    let keeping = NOTED.replace("[door.ssh.action]", "on-stop = 'keep'\n[door.ssh.action]");
    let (mut server, laptop) = noting(&world, &keeping);
    laptop.run("open tcp/22 gw -4 --no-wait --for 3s").ended_with(0);
    let start = "start 192.0.2.2 tcp/22 ssh alice 3";
    await_notes(&server, &[start]);
    server.stop();
    assert_eq!(notes(&server), [start]);
    server.start();
    await_notes(&server, &[start, STOPPED[0]]);
    assert_eq!(server.openings(), []);
}

#[test]
fn a_killed_daemon_s_openings_are_closed_by_the_next() {
    let world = World::new();
    let (mut server, laptop) = noting(&world, NOTED);
    laptop.run("open ssh gw --no-wait --for 1h").ended_with(0);
    laptop.run("close tcp/22 gw").ended_with(0);
    await_notes(&server, &[STARTED, STOPPED].concat());
    laptop.run("open ssh gw --no-wait --for 1h").ended_with(0);
    await_notes(&server, &[STARTED, STOPPED, STARTED].concat());
    server.kill();
    server.start();
    assert_eq!(server.openings().len(), 2, "it goes on, and is not started again");
    server.command(&["close", "ssh"]).ended_with(0);
    await_notes(&server, &[STARTED, STOPPED, STARTED, STOPPED].concat());
}

#[test]
fn what_ended_while_no_daemon_ran_is_closed_by_the_next() {
    let world = World::new();
    let (mut server, laptop) = noting(&world, NOTED);
    laptop.run("open tcp/22 gw -4 --no-wait --for 1s").ended_with(0);
    let start = "start 192.0.2.2 tcp/22 ssh alice 1";
    await_notes(&server, &[start]);
    let opened = std::time::Instant::now();
    server.kill();
    until(PATIENCE, "the lease to end", || opened.elapsed() > Duration::from_secs(1));
    server.start();
    await_notes(&server, &[start, "stop 192.0.2.2 tcp/22"]);
}

#[test]
fn a_stop_that_fails_is_tried_again() {
    let world = World::new();
    let (server, laptop) = noting(&world, NOTED);
    laptop.run("open tcp/22 gw -4 --no-wait --for 1h").ended_with(0);
    await_notes(&server, &STARTED[..1]);
    server.write("failing", "", 0o600);
    laptop.run("close ssh gw").ended_with(0);
    until(PATIENCE, "the stop to fail", || server.status().failing_closes.retried == 1);
    server.command(&["status"]).ended_with(0).said("1 stop commands failed and are tried again");
    std::fs::remove_file(server.path("failing")).unwrap();
    until(PATIENCE, "the stop to succeed", || server.status().failing_closes.retried == 0);
    await_notes(&server, &[STARTED[0], STOPPED[0], STOPPED[0]]);
}

#[test]
fn a_command_that_hangs_is_killed_with_its_children() {
    let world = World::new();
    let door = "[door.ssh]\nports = ['tcp/22']\n[door.ssh.action]\ntimeout = '1s'\n\
        start = 'sleep 1000 & echo $! >> DIR/notes; wait'\nstop = 'echo stop >> DIR/notes'\n";
    let (mut server, laptop) = enrolled(&world, door);
    laptop.run("open ssh gw -4 --no-wait").ended_with(0);
    until(PATIENCE, "the command to start", || notes(&server).len() == 1);
    let sleep = format!("/proc/{}/cmdline", notes(&server)[0]);
    let sleeps = || std::fs::read(&sleep).is_ok_and(|line| line.starts_with(b"sleep"));
    until(PATIENCE, "its child to start", sleeps);
    // Until its start has ended, the stop waits.
    laptop.run("close ssh gw").ended_with(0);
    until(PATIENCE, "the stop", || notes(&server).contains(&"stop".to_owned()));
    until(PATIENCE, "its child to be gone", || !sleeps());
    server.await_log("took too long and was killed");
}

#[test]
fn a_knock_runs_commands_of_a_door_without_ports() {
    let world = World::new();
    let door = "[door.wake]\nsequence = ['7000', '9000', '8000']\nopen-for = '1s'\n[door.wake.action]\n\
        start = ['DIR/note', 'start', '%IP%', 'by:%CLIENT%']\nstop = ['DIR/note', 'stop', '%IP%']\n";
    let (server, laptop) = noting(&world, &format!("{NOTED}{door}"));
    laptop.run(&format!("knock -4 -d 5 {NAME} 7000 9000 8000")).ended_with(0);
    await_notes(&server, &["start 192.0.2.2 by:"]);
    await_notes(&server, &["start 192.0.2.2 by:", "stop 192.0.2.2"]);
}

/// The commands of the manual.
#[test]
fn iptables_opens_and_closes() {
    let world = World::new();
    let _service = Echo::tcp(&world.server, 22);
    let rule = |tool: &str, verb: &str| {
        format!(
            "['/usr/sbin/{tool}', '-w', '{verb}', 'INPUT', '-s', '%IP%', '-p', '%PROTO%', '--dport', '%PORT%', '-j', 'ACCEPT']"
        )
    };
    let door = format!(
        "[door.ssh]\nports = ['tcp/22']\n[door.ssh.action]\nstart = {}\nstop = {}\nstart6 = {}\nstop6 = {}\n",
        rule("iptables", "-I"),
        rule("iptables", "-D"),
        rule("ip6tables", "-I"),
        rule("ip6tables", "-D")
    );
    world.server.sh("iptables -A INPUT -p tcp --dport 22 -j DROP
         ip6tables -A INPUT -p tcp --dport 22 -j DROP");
    let (server, laptop) = enrolled(&world, &door);
    for family in ["-4", "-6"] {
        laptop.run(&format!("open ssh gw {family}")).ended_with(0).said("ssh answers");
    }
    for ip in world.server.addresses() {
        assert_silent(&world.stranger, ip, 22);
    }
    server.command(&["close", "ssh"]).ended_with(0).said("2 openings closed");
    for ip in world.server.addresses() {
        until(PATIENCE, "the door to close", || {
            world.laptop.connect(SocketAddr::new(ip, 22), SILENCE) == Answer::Silent
        });
    }
}

/// Commands that say so when they begin, and go on only when a file `slow` is not there.
const SLOW: &str = "[door.ssh]\nports = ['tcp/22']\n[door.ssh.action]\n\
    start = 'echo start >> DIR/notes; while [ -e DIR/slow ]; do sleep 0.01; done; echo started >> DIR/notes'\n\
    stop = 'echo stop >> DIR/notes; while [ -e DIR/slow ]; do sleep 0.01; done; echo stopped >> DIR/notes'\n";

#[test]
fn a_stopping_daemon_waits_for_a_start_and_then_stops_it() {
    let world = World::new();
    let (mut server, laptop) = enrolled(&world, SLOW);
    server.write("slow", "", 0o600);
    laptop.run("open ssh gw -4 --no-wait").ended_with(0);
    await_notes(&server, &["start"]);
    server.signal(Signal::TERM);
    until(PATIENCE, "it to hear of that", || server.command(&["status"]).status != 0);
    server.command(&["status"]).ended_with(65).said("the daemon is stopping");
    std::fs::remove_file(server.path("slow")).unwrap();
    assert!(server.wait().0.success());
    await_notes(&server, &["start", "started", "stop", "stopped"]);
}

#[test]
fn a_stop_that_nobody_saw_end_runs_again() {
    let world = World::new();
    let (mut server, laptop) = enrolled(&world, SLOW);
    laptop.run("open ssh gw -4 --no-wait --for 1h").ended_with(0);
    await_notes(&server, &["start", "started"]);
    server.write("slow", "", 0o600);
    laptop.run("close gw").ended_with(0);
    await_notes(&server, &["start", "started", "stop"]);
    server.kill_keeper();
    std::fs::remove_file(server.path("slow")).unwrap();
    // It has died with the daemon.
    server.start();
    await_notes(&server, &["start", "started", "stop", "stop", "stopped"]);
    server.stop();
    server.start();
    assert_eq!(server.openings(), []);
    server.stop();
    await_notes(&server, &["start", "started", "stop", "stop", "stopped"]);
}
