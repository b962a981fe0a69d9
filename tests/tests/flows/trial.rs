//! A trial of the guard: the kernel ends it, whoever is left, and nothing but `confirm` keeps it.

use std::fs;

use knock_spa_proto::control::{GuardStatus, TrialStatus};
use knock_spa_tests::lab::Echo;
use knock_spa_tests::server::DEFAULT;
use rustix::process::Signal;

use super::*;

const WAITING: &str = "[door.ssh]\nports = ['tcp/22']\n[guard]\nstart = 'confirmed'\n";

/// The shortest trial.
const SHORT: Duration = Duration::from_secs(5);

fn trial(server: &Server<'_>) -> Option<TrialStatus> {
    match server.status().guard {
        GuardStatus::Up { trial, .. } => trial,
        other => panic!("{other:?}"),
    }
}

fn assert_shut(world: &World) {
    for ip in world.server.addresses() {
        assert_silent(&world.stranger, ip, 22);
    }
}

fn await_open(world: &World) {
    for ip in world.server.addresses() {
        let to = SocketAddr::new(ip, 22);
        until(PATIENCE, "the doors to open", || world.stranger.connect(to, SILENCE) == Answer::Open);
    }
}

#[test]
fn the_kernel_ends_a_trial_although_both_processes_were_killed() {
    let world = World::new();
    let _service = Echo::tcp(&world.server, 22);
    let mut server = Server::running(&world.server, WAITING);
    let start = std::time::Instant::now();
    server.command(&["guard", "try", "5s"]).ended_with(0).said("the guard is up on trial");
    assert_shut(&world);
    server.kill();
    assert_shut(&world);
    server
        .command(&["guard", "show"])
        .ended_with(0)
        .said("the guard is up on trial for ")
        .said("shut tcp/22, ");
    await_open(&world);
    assert!(start.elapsed() >= SHORT, "it ended after {:?}", start.elapsed());
    let run = server.command(&["guard", "show"]).ended_with(0);
    run.said("the guard is not installed").said("the trial ended at ").said("not confirmed");
    // Whoever starts the daemon or the machine does not shut them again.
    server.command(&["guard", "restore"]).ended_with(0).said("not confirmed");
    server.start();
    assert_eq!(server.guard(), None);
    server.command(&["status"]).ended_with(0).said("guard: DOWN, its doors stand open: the trial ended at ");
}

/// Also where the configuration would have the guard stand without being confirmed.
#[test]
fn a_daemon_that_lives_takes_the_table_away_and_says_so() {
    let world = World::new();
    let _service = Echo::tcp(&world.server, 22);
    let mut server = Server::running(&world.server, DEFAULT);
    assert_shut(&world);
    server.command(&["guard", "try", "5s"]).ended_with(0);
    assert_shut(&world);
    server.await_log("guard-trial-ended");
    assert_eq!(server.guard(), None);
    await_open(&world);
    server.command(&["status"]).ended_with(0).said("the trial ended at ").said("not confirmed");
    for way in [Signal::KILL, Signal::TERM] {
        server.end(way);
        server.start();
        assert_eq!(server.guard(), None);
    }
    server.command(&["guard", "confirm"]).ended_with(0).said("the guard is up, and stays");
    assert_shut(&world);
}

#[test]
fn whatever_happens_during_a_trial_its_time_runs() {
    let world = World::new();
    let _service = Echo::tcp(&world.server, 22);
    let (mut server, laptop) = enrolled(&world, WAITING);
    server.command(&["guard", "try", "10m"]).ended_with(0);
    laptop.run("open ssh gw --for 1h").ended_with(0);
    let first = trial(&server).unwrap();
    assert!(first.left <= 600 && first.left > 540, "{first:?}");
    for step in ["flush", "reload", "KILL", "TERM", "restore"] {
        match step {
            "flush" => {
                world.server.run("nft flush ruleset");
                until(PATIENCE, "the guard", || server.guard().is_some());
            }
            "reload" => {
                let _ = server.command(&["reload"]).ended_with(0).said("read again");
            }
            "KILL" => {
                server.kill();
                server.start();
            }
            "TERM" => {
                server.stop();
                server.start();
            }
            _ => {
                server.kill();
                world.server.run("nft flush ruleset");
                server.command(&["guard", "restore"]).ended_with(0).said("on trial: ports shut: 2; open: 2");
                assert_shut(&world);
                assert_open(&world.laptop, world.server.v4, 22);
                server.start();
            }
        }
        let now = trial(&server).unwrap();
        assert!(now.until == first.until && now.left <= first.left, "{step}: {now:?} after {first:?}");
        let kernel = server.guard().unwrap().doors[0].1.unwrap().as_secs();
        assert!(
            kernel.abs_diff(now.left) <= 2,
            "{step}: the kernel ends it in {kernel} s, and not in {now:?}"
        );
        assert_shut(&world);
        assert_open(&world.laptop, world.server.v4, 22);
    }
    // Another trial begins anew, and may be longer or shorter.
    server.command(&["guard", "try", "20m"]).ended_with(0);
    assert!(trial(&server).unwrap().left > 1140);
    server.command(&["guard", "try", "1m"]).ended_with(0);
    assert!(trial(&server).unwrap().left <= 60);
    server.command(&["status"]).ended_with(0).said("guard: up ON TRIAL for ");
}

#[test]
fn what_is_confirmed_outlives_its_trial() {
    let world = World::new();
    let _service = Echo::tcp(&world.server, 22);
    let mut server = Server::running(&world.server, WAITING);
    server.command(&["guard", "try", "5s"]).ended_with(0);
    server.command(&["guard", "confirm"]).ended_with(0);
    assert_eq!(trial(&server), None);
    let doors = server.guard().unwrap().doors;
    assert!(doors.len() == 2 && doors.iter().all(|(_, left)| left.is_none()), "{doors:?}");
    server.command(&["guard", "show"]).ended_with(0).said("the guard is up: it was confirmed\nshut tcp/22\n");
    server.kill();
    assert_shut(&world);
    // A trial of a confirmed guard is a trial.
    server.start();
    server.command(&["guard", "try", "5s"]).ended_with(0);
    server.command(&["guard", "remove"]).ended_with(0);
    await_open(&world);
    server.command(&["status"]).ended_with(0).said("it was removed");
}

#[test]
fn between_trial_and_confirmation_there_is_no_gap() {
    let world = World::new();
    let _service = Echo::tcp(&world.server, 22);
    let server = Server::running(&world.server, WAITING);
    server.command(&["guard", "try", "1m"]).ended_with(0);
    let hits = std::sync::atomic::AtomicUsize::new(0);
    let done = std::sync::atomic::AtomicBool::new(false);
    let to = SocketAddr::new(world.server.v4.into(), 22);
    std::thread::scope(|scope| {
        scope.spawn(|| {
            while !done.load(std::sync::atomic::Ordering::Relaxed) {
                // A first segment is answered at once or never.
                if world.stranger.connect(to, Duration::from_millis(2)) == Answer::Open {
                    hits.fetch_add(1, std::sync::atomic::Ordering::Relaxed);
                }
            }
        });
        for _ in 0..10 {
            server.command(&["guard", "confirm"]).ended_with(0);
            server.command(&["guard", "try", "1m"]).ended_with(0);
        }
        done.store(true, std::sync::atomic::Ordering::Relaxed);
    });
    assert_eq!(hits.into_inner(), 0, "somebody came in");
    server.command(&["guard", "remove"]).ended_with(0);
    assert_open(&world.stranger, world.server.v4, 22);
}

#[test]
fn a_trial_needs_a_daemon_and_a_reasonable_time() {
    let world = World::new();
    let mut server = Server::new(&world.server, WAITING);
    server.command(&["guard", "try", "10m"]).ended_with(69).said("no daemon answers").said("systemctl start");
    assert_eq!(server.guard(), None);
    for span in ["4s", "25h", "2d"] {
        server.command(&["guard", "try", span]).ended_with(64).said("from 5s to 24h");
    }
    for span in ["0s", "600", "soon"] {
        server.command(&["guard", "try", span]).ended_with(64);
    }
    server.configure("[door.run]\nports = ['tcp/1']\naction = { start = 'true', stop = 'true' }\n");
    server.start();
    server.command(&["guard", "try", "10m"]).ended_with(65).said("no door needs the guard");
    assert!(!server.path("state/guard").exists());
}

/// A trial belongs to the boot that it began in.
#[test]
fn after_a_reboot_an_unconfirmed_trial_is_over() {
    let world = World::new();
    let _service = Echo::tcp(&world.server, 22);
    let mut server = Server::running(&world.server, DEFAULT);
    server.command(&["guard", "try", "10m"]).ended_with(0);
    server.kill();
    // As if the boot had been another.
    let mark = fs::read_to_string(server.path("state/guard")).unwrap();
    let boot = mark.split(' ').nth(2).unwrap();
    server.write("state/guard", &mark.replace(boot, &"0".repeat(32)), 0o600);
    world.server.run("nft flush ruleset");
    server.command(&["guard", "restore"]).ended_with(0).said("started anew during the trial");
    server.start();
    assert_eq!(server.guard(), None);
    assert_open(&world.stranger, world.server.v4, 22);
    server.command(&["status"]).ended_with(0).said("started anew during the trial");
}

#[test]
fn programs_can_read_what_is_shown() {
    let world = World::new();
    let trusted = "trusted = ['192.0.2.0/24', 'iif wg0', '2001:db8:9::/48']\n";
    let mut server = Server::running(&world.server, &format!("{WAITING}{trusted}"));
    let show = |server: &Server<'_>| -> serde_json::Value {
        serde_json::from_str(&server.command(&["guard", "show", "--json"]).ended_with(0).out).unwrap()
    };
    assert_eq!(show(&server)["state"], "unconfirmed");
    server.command(&["guard", "try", "10m"]).ended_with(0);
    let shown = show(&server);
    assert_eq!(shown["state"], "trial");
    assert!(shown["trial_left"].as_u64().unwrap() > 540, "{shown}");
    assert_eq!(shown["trusted"], serde_json::json!(["192.0.2.0/24", "iif wg0", "2001:db8:9::/48"]));
    assert_eq!(shown["doors"][0]["port"], "tcp/22");
    server.command(&["guard", "confirm"]).ended_with(0);
    let shown = show(&server);
    assert_eq!((&shown["state"], &shown["trial_left"]), (&"confirmed".into(), &serde_json::Value::Null));
    assert_eq!(
        (&shown["doors"][0]["left"], &shown["openings"]),
        (&serde_json::Value::Null, &serde_json::json!([]))
    );
    server.kill();
    world.server.run("nft flush ruleset");
    assert_eq!(show(&server)["state"], "missing");
    server.command(&["guard", "remove"]).ended_with(0);
    assert_eq!(show(&server)["state"], "removed");
}
