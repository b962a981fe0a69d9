//! Sessions that are older than the guard, and those that come in while it is gone.

use knock_spa_proto::control::GuardStatus;
use knock_spa_tests::lab::{CountingService, CountingSession, Echo, Session};
use rustix::process::Signal;

use super::*;

const TWO_PORTS: &str = "[door.ssh]\nports = ['tcp/22', 'tcp/23']\n[guard]\nstart = 'confirmed'\n";

/// An administrator works over a session that was opened before the guard, in either family, and another one is idle all
/// the time. Nobody tracks connections before.
#[test]
fn a_session_older_than_the_guard_loses_no_byte_whatever_becomes_of_it() {
    let world = World::new();
    let (service, _echo) = (CountingService::new(&world.server, 22), Echo::tcp(&world.server, 23));
    let busy = world
        .server
        .addresses()
        .map(|ip| CountingSession::open(&world.stranger, &service, SocketAddr::new(ip, 22)));
    let mut idle = world.server.addresses().map(|ip| Session::open(&world.stranger, SocketAddr::new(ip, 23)));
    let mut server = Server::running(&world.server, TWO_PORTS);
    let look = |stands: bool| {
        busy.iter().for_each(CountingSession::goes_on);
        for ip in world.server.addresses() {
            let expected = if stands { Answer::Silent } else { Answer::Open };
            let limit = if stands { SILENCE } else { PATIENCE };
            assert_eq!(world.stranger.connect(SocketAddr::new(ip, 23), limit), expected);
        }
    };
    look(false);
    server.command(&["guard", "try", "10m"]).ended_with(0);
    look(true);
    server.command(&["guard", "confirm"]).ended_with(0);
    look(true);
    for signal in [Signal::KILL, Signal::TERM] {
        server.end(signal);
        look(true);
        server.start();
        look(true);
    }
    world.server.run("nft flush ruleset");
    server.kill();
    server.command(&["guard", "restore"]).ended_with(0);
    look(true);
    server.start();
    server.command(&["guard", "try", "5s"]).ended_with(0);
    server.await_log("guard-trial-ended");
    look(false);
    server.command(&["guard", "confirm"]).ended_with(0);
    look(true);
    server.command(&["guard", "remove"]).ended_with(0);
    look(false);
    server.command(&["guard", "confirm"]).ended_with(0);
    for session in &mut idle {
        assert!(session.echoes(PATIENCE), "an idle session stalls");
    }
    busy.into_iter().for_each(CountingSession::ends_whole);
}

#[test]
fn whoever_comes_in_while_the_guard_is_gone_is_counted() {
    let world = World::new();
    let _service = Echo::tcp(&world.server, 22);
    let trusted = "[door.ssh]\nports = ['tcp/22']\n[guard]\ntrusted = ['iif to-inner']\n";
    let (mut server, laptop) = enrolled(&world, trusted);
    laptop.run("open ssh gw --for 1h").ended_with(0);
    let to = |ip: IpAddr| SocketAddr::new(ip, 22);
    let inner_gateway = to("10.0.0.1".parse().unwrap());
    let _before = world.server.addresses().map(|ip| Session::open(&world.laptop, to(ip)));
    let gap = |server: &mut Server<'_>, meanwhile: &dyn Fn() -> Vec<Session>| {
        let rebuilt = |server: &Server<'_>| match server.status().guard {
            GuardStatus::Up { rebuilt, slipped_in, .. } => (rebuilt, slipped_in),
            other => panic!("{other:?}"),
        };
        let before = rebuilt(server).0;
        // A daemon that is slow to notice.
        server.signal(Signal::STOP);
        world.server.run("nft flush ruleset");
        let sessions = meanwhile();
        server.signal(Signal::CONT);
        until(PATIENCE, "the guard", || rebuilt(server).0 > before);
        (sessions, rebuilt(server).1)
    };
    let with_a_way_in = || {
        let open = world.server.addresses().map(|ip| Session::open(&world.laptop, to(ip)));
        let own = Session::open(&world.server, to(world.server.v4.into()));
        open.into_iter().chain([own, Session::open(&world.inner, inner_gateway)]).collect()
    };
    let (_entitled, count) = gap(&mut server, &with_a_way_in);
    assert_eq!(count, 0);
    let strangers = || world.server.addresses().map(|ip| Session::open(&world.stranger, to(ip))).into();
    let (mut slipped_in, count) = gap(&mut server, &strangers);
    assert_eq!(count, 2);
    server.await_log("guard-gap");
    server.await_log("198.51.100.2");
    server.command(&["status"]).ended_with(0).said("2 CONNECTIONS WERE MADE WHILE IT WAS GONE");
    assert!(
        slipped_in.iter_mut().all(|session| session.echoes(PATIENCE)),
        "the manual says that they live on"
    );
    // Those who are in are not counted again.
    let (_nobody, count) = gap(&mut server, &Vec::new);
    assert_eq!(count, 2);
}
