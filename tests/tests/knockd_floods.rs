//! What strangers can send in great numbers moves nothing but counters: memory, processes and the log in knockd's words
//! stay bounded, and whoever knows how to knock gets in.

use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::thread;
use std::time::{Duration, Instant};

use knock_spa_tests::classic::{Classic, Doors, Program, knock, own_state};
use knock_spa_tests::flood::{Flood, Hit, Pace, stranger};
use knock_spa_tests::lab::{PATIENCE, Segment, World, until};
use knock_spa_tests::usage::{family, memory};
use tempfile::TempDir;

/// What may be added to the memory of both processes, in KiB.
const GROWTH: u64 = 16 << 10;

/// A network in which daemons keep what they keep for nobody else.
struct Scene {
    world: World,
    _state: TempDir,
}

impl Scene {
    fn new() -> Self {
        let state = TempDir::new().unwrap();
        own_state(state.path());
        Self { world: World::new(), _state: state }
    }

    fn daemon(&self, configuration: &str) -> Classic {
        Classic::ready(Program::Ours, &self.world, configuration, &[])
    }

    fn flood(&self) -> Flood {
        Flood::new(&self.world.laptop, self.world.server.v4)
    }

    /// Knocks until a door opens: on a busy machine a flood may take a packet with it.
    fn open_another_door(&self, daemon: &Classic, first: u8) {
        let mut knockers = first..first + 50;
        until(6 * PATIENCE, "another door to open", || {
            let from = honest(knockers.next().expect("one that opens"));
            knock(&self.flood(), from, &Doors::ports(0));
            thread::sleep(Duration::from_secs(1));
            (first..knockers.start).any(|number| daemon.has_opened(honest(number)))
        });
    }

    /// Waits until the daemon has read every packet that there is.
    fn await_read(&self) {
        until(6 * PATIENCE, "packets to be read", || {
            let sockets = self.world.server.run("ss --packet --numeric --memory");
            sockets.matches("skmem:(r").count() == sockets.matches("skmem:(r0,").count()
        });
    }
}

/// An honest knocker.
fn honest(number: u8) -> Ipv4Addr {
    Ipv4Addr::new(198, 51, 100, number)
}

/// Floods the first port from so many sources, with knocks meanwhile, and one after it.
fn flood_from(sources: u32) {
    let scene = Scene::new();
    let began = Instant::now();
    let daemon = scene.daemon(&Doors(2).configuration(""));
    let before = memory(daemon.pid());
    let ports = Doors::ports(0);
    thread::scope(|scope| {
        let (scene, daemon) = (&scene, &daemon);
        scope.spawn(move || {
            for number in 0..10 {
                thread::sleep(Duration::from_millis(200));
                knock(&scene.flood(), honest(number), &Doors::ports(1));
                assert!(memory(daemon.pid()) < before + GROWTH);
            }
        });
        let hits = (0..sources).map(|number| Hit { from: stranger(number), port: ports[0] });
        scene.flood().send(hits, Pace::PerSecond(50_000));
    });
    scene.await_read();
    knock(&scene.flood(), honest(10), &ports);
    daemon.await_opened(honest(10));
    let after = memory(daemon.pid());
    assert!(after < before + GROWTH, "{before} KiB → {after} KiB");

    let (log, took) = (daemon.log(), began.elapsed());
    let stages = log.matches(": Stage ").count();
    let may = 500 + 50 * usize::try_from(took.as_secs() + 1).unwrap();
    assert!(stages <= may, "{stages} stages in {took:?}");
    for number in (0..=10).filter(|number| daemon.has_opened(honest(*number))) {
        let line = format!("{}: door{}: OPEN SESAME", honest(number), u8::from(number < 10));
        assert_eq!(log.matches(&line).count(), 1, "{line}");
    }
    assert!(!log.contains("suppressed"));
    // Of the others there is a count, every ten seconds.
    until(2 * PATIENCE, "the administrator to be told", || daemon.output().contains("suppressed"));
    let told = daemon.output().matches("suppressed").count();
    assert!(told <= 1 + usize::try_from(began.elapsed().as_secs() / 10).unwrap(), "{}", daemon.output());
}

#[test]
fn a_flood_of_first_ports_takes_no_more_than_its_memory() {
    flood_from(200_000);
}

#[test]
#[ignore = "takes a minute: a million spoofed sources"]
fn a_flood_of_a_million_sources_takes_no_more() {
    flood_from(1_000_000);
}

/// A door of one port whose command takes its time: all that the flood asks for would take minutes.
const ONE_PORT: &str = "[flooded]\nsequence = 9\nstart_command = sleep 10\n";

#[test]
fn a_flooded_door_leaves_room_for_others() {
    /// Commands at a time, each a shell and what it runs, and the daemon's own processes.
    const PROCESSES: usize = 2 * 512 + 2;
    let scene = Scene::new();
    let configuration = format!("{ONE_PORT}{}", Doors(1).configuration(""));
    let daemon = scene.daemon(&configuration);
    thread::scope(|scope| {
        let flood = scope.spawn(|| {
            let hits = (0..8_000).map(|number| Hit { from: stranger(number), port: 9 });
            scene.flood().send(hits, Pace::PerSecond(2_000))
        });
        until(6 * PATIENCE, "a number of commands to run", || family(daemon.pid()).len() > 200);
        scene.open_another_door(&daemon, 1);
        while !flood.is_finished() {
            let processes = family(daemon.pid()).len();
            assert!(processes <= PROCESSES, "{processes} processes");
            thread::sleep(Duration::from_millis(20));
        }
    });
    scene.await_read();
    scene.open_another_door(&daemon, 101);
}

#[test]
fn the_last_of_a_thousand_doors_opens_as_the_first_does() {
    let scene = Scene::new();
    let daemon = scene.daemon(&Doors(1000).configuration(""));
    for (number, [from4, from6]) in
        [(0, ["198.51.100.100", "2001:db8:1::100"]), (999, ["198.51.100.101", "2001:db8:1::101"])]
    {
        for from in [from4, from6] {
            let from: IpAddr = from.parse().unwrap();
            for port in Doors::ports(number) {
                let to = SocketAddr::new(scene.world.server.address_like(from), port);
                let segment = Segment {
                    from: SocketAddr::new(from, 40_000),
                    to,
                    flags: Segment::SYN,
                    fragmented: false,
                };
                scene.world.laptop.send(&segment);
            }
            daemon.await_opened(from);
            assert!(daemon.log().contains(&format!("{from}: door{number}: OPEN SESAME")));
        }
    }
}
