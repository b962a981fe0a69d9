//! The same packet opens nothing a second time: from wherever, whatever happened in between. The rows of the table in
//! `docs/protocol.md` section 5; what damage does to the journal is in `tests/tests/flows/state.rs`.

use std::fs;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::thread;
use std::time::{Duration, Instant};

use knock_spa_proto::spa::request::{Addresses, Close, Request};
use knock_spa_proto::spa::{PACKET_LEN, seal};
use knock_spa_proto::time::UnixTime;
use knock_spa_tests::lab::{PATIENCE, Recorder, until};
use knock_spa_tests::laptop::{Laptop, ago, now, open, random};
use knock_spa_tests::server::{DEFAULT, Server};
use rustix::process::Signal;

use crate::scene::{SHORT, SHORT_WINDOW, Scene, WINDOW, attack, attack_on, datagram, sender, stated};

/// How far the clock of a client may be behind without anything coming of it.
const BEHIND: Duration = Duration::from_secs(1);

/// Has the laptop open the door, and takes its packet off the wire.
fn capture(scene: &Scene<'_>) -> Vec<u8> {
    let recorder = Recorder::start(&scene.world.server);
    scene.alice.run("open ssh gw --no-wait --source sender --for 1h").ended_with(0);
    let packets = recorder.until(|packet| datagram(packet).is_some());
    datagram(packets.last().unwrap()).unwrap().to_vec()
}

/// Sends the packet again, from all over the lab: seven times.
fn replay(scene: &Scene<'_>, packet: &[u8]) {
    for host in [&scene.world.laptop, &scene.world.stranger, &scene.world.inner] {
        for ip in host.addresses() {
            scene.send(host, ip, packet);
        }
    }
    // And from elsewhere under the laptop's own address.
    scene.spoof(scene.world.laptop.v4, packet);
}

#[test]
fn a_captured_packet_opens_nothing_again() {
    attack(|scene| {
        let packet = capture(scene);
        assert_eq!(packet.len(), PACKET_LEN);
        assert_eq!(scene.await_packets(1).accepted, 1);
        assert_eq!(scene.addresses(), ["192.0.2.2"]);
        scene.shut();
        // Its first copy that the test itself sends is no news to the listener.
        replay(scene, &packet);
        let counters = scene.await_packets(8);
        assert_eq!((counters.accepted, counters.refused["duplicate"], counters.key_agreements), (1, 7, 1));

        // A new listener does not know the bytes. It computes one DH for them, and the keeper refuses the rest.
        scene.replace_listener();
        replay(scene, &packet);
        let counters = scene.await_packets(15);
        let refused = &counters.refused;
        assert_eq!((refused["replayed"], refused["duplicate"], counters.key_agreements), (1, 13, 2));

        for way in [Signal::KILL, Signal::TERM] {
            scene.restart(way);
            replay(scene, &packet);
            let counters = scene.await_packets(7);
            let refused = &counters.refused;
            assert_eq!((counters.accepted, counters.key_agreements), (0, 1), "{way:?}");
            assert_eq!((refused["replayed"], refused["duplicate"]), (1, 6), "{way:?}: {refused:?}");
            scene.assert_shut();
        }
        // The client itself is not shut out by any of this.
        scene.alice.run("open ssh gw --no-wait").ended_with(0);
        assert_eq!(scene.await_packets(8).accepted, 1);
    });
}

#[test]
fn a_captured_packet_opens_nothing_after_a_reload() {
    attack(|scene| {
        let packet = scene.packet(&sender());
        assert_eq!(scene.judge(&packet), None);
        let configurations = [
            DEFAULT,
            "[door.ssh]\nports = ['tcp/22', 'tcp/2222']\n",
            "[door.web]\nports = ['tcp/8080']\n",
            DEFAULT,
        ];
        for (count, configuration) in configurations.into_iter().enumerate() {
            scene.server.configure(configuration);
            scene.server.command(&["reload"]).ended_with(0);
            scene.server.await_ready();
            // In the middle of its lease what was opened stays as it was, or ends with its door.
            let is_open = count < 2;
            assert_eq!(scene.lets_in(scene.world.laptop.v4), is_open, "{configuration}");
            replay(scene, &packet);
            let counters = scene.await_packets(1 + 7 * (u64::try_from(count).unwrap() + 1));
            assert_eq!((counters.accepted, counters.key_agreements), (1, 1));
            assert!(!scene.lets_in(scene.world.stranger.v4) && !scene.lets_in(scene.world.inner.v4));
        }
    });
}

#[test]
fn a_client_who_comes_back_is_not_replayed() {
    attack(|scene| {
        let packet = scene.packet(&sender());
        assert_eq!(scene.judge(&packet), None);
        let line = scene.alice.line();
        scene.server.command(&["client", "remove", "alice"]).ended_with(0);
        scene.assert_shut();
        scene.replace_listener();
        assert_eq!(scene.judge(&packet).as_deref(), Some("unknown-client"));
        // Even under another name, and over a restart in between.
        scene.server.command(&["client", "add", "alice2", &line, "--door", "ssh"]).ended_with(0);
        scene.replace_listener();
        assert_eq!(scene.judge(&packet).as_deref(), Some("replayed"));
        scene.restart(Signal::KILL);
        assert_eq!(scene.judge(&packet).as_deref(), Some("replayed"));
        scene.assert_shut();
    });
}

#[test]
fn a_packet_of_another_time_is_stale_and_costs_nothing() {
    attack_on(SHORT, &["--door", "ssh"], |scene| {
        let minute = Duration::from_secs(60);
        for stamp in
            [ago(Duration::from_secs(11)), ago(minute), UnixTime::EPOCH, UnixTime::from_nanos(u64::MAX)]
        {
            assert_eq!(scene.judge(&scene.packet_at(stamp, &sender())).as_deref(), Some("stale"));
        }
        let ahead = scene.packet_at(now().saturating_add(minute), &sender());
        assert_eq!(scene.judge(&ahead).as_deref(), Some("stale"));
        assert_eq!(scene.counters().key_agreements, 0);
        scene.assert_shut();
        // A clock that is a little wrong is good enough, and a packet ahead of its time did not spoil it.
        scene.grow_older(BEHIND);
        assert_eq!(scene.judge(&scene.packet_at(ago(BEHIND), &sender())), None);
    });
}

#[test]
fn an_older_packet_that_comes_late_is_refused() {
    attack(|scene| {
        scene.grow_older(BEHIND);
        let [older, newer, newest] =
            [ago(BEHIND), ago(BEHIND / 2), now()].map(|stamp| scene.packet_at(stamp, &sender()));
        assert_eq!(scene.judge(&newer), None);
        assert_eq!(scene.judge(&older).as_deref(), Some("replayed"));
        scene.restart(Signal::KILL);
        assert_eq!(scene.judge(&older).as_deref(), Some("replayed"));
        assert_eq!(scene.judge(&newer).as_deref(), Some("replayed"));
        assert_eq!(scene.judge(&newest).as_deref(), Some("replayed"), "made before the start");
        assert_eq!(scene.judge(&scene.packet(&sender())), None);
    });
}

/// A network that delays an open beyond the close that came after it does not open again what its owner has shut.
#[test]
fn an_open_that_is_overtaken_by_a_close_stays_without_effect() {
    attack(|scene| {
        let all = Request::Close(Close::new("".parse().unwrap(), Addresses::NONE));
        let first = scene.packet(&sender());
        let delayed = scene.packet(&stated(scene.world.stranger.v4));
        let close = scene.packet(&all);
        assert_eq!(scene.judge(&first), None);
        assert_eq!(scene.judge(&close), None);
        scene.assert_shut();
        for packet in [&delayed, &first, &close] {
            let reason = scene.judge(packet);
            assert!(matches!(reason.as_deref(), Some("replayed" | "duplicate")), "{reason:?}");
        }
        scene.assert_shut();
    });
}

/// Whoever holds a packet back can use it for as long as it is fresh, or until the client's next one arrives.
#[test]
fn a_packet_that_was_held_back_is_good_until_its_time_is_over_or_the_next_one_comes() {
    attack_on(SHORT, &["--door", "ssh"], |scene| {
        scene.grow_older(BEHIND);
        let [in_time, overtaken, next] =
            [1, 2, 3].map(|part| scene.packet_at(ago(BEHIND / part), &stated("192.0.2.2")));
        let too_late = scene.packet_at(ago(SHORT_WINDOW), &stated("192.0.2.2"));
        assert_eq!(scene.judge(&too_late).as_deref(), Some("stale"));
        assert_eq!(scene.judge(&in_time), None);
        assert_eq!(scene.judge(&next), None);
        assert_eq!(scene.judge(&overtaken).as_deref(), Some("replayed"));
        assert_eq!(scene.addresses(), ["192.0.2.2"]);
    });
}

/// Somebody sets the client's clock ahead, keeps what it sends meanwhile, and delivers that when its time has come.
#[test]
fn what_a_client_makes_ahead_of_its_time_is_good_when_that_comes_unless_it_knocks_before() {
    attack_on(SHORT, &["--door", "ssh"], |scene| {
        let ahead = |secs| now().saturating_add(Duration::from_millis(secs));
        let [first, second] = [10_800, 10_801].map(|millis| scene.packet_at(ahead(millis), &sender()));
        let came = Instant::now() + Duration::from_millis(900);
        for packet in [&first, &second] {
            scene.send_from_stranger(packet);
        }
        let counters = scene.await_packets(2);
        assert_eq!((counters.refused["stale"], counters.key_agreements), (2, 0));
        scene.assert_shut();
        thread::sleep(came.saturating_duration_since(Instant::now()));
        // This is known: with `sender` it opens for whoever kept it, once; with a stated address only for that.
        scene.send_from_stranger(&second);
        until(PATIENCE, "it to be accepted", || scene.counters().accepted == 1);
        assert_eq!(scene.addresses(), ["198.51.100.2"]);
        for packet in [&first, &second] {
            let reason = scene.judge(packet);
            assert!(matches!(reason.as_deref(), Some("replayed" | "duplicate")), "{reason:?}");
        }
    });
}

/// A clock that was ahead and is set right holds its client up for as long as it was ahead. Beyond the window it leaves
/// no trace: the client's key is never spoilt.
#[test]
fn a_client_whose_clock_is_set_back_waits_for_as_long_as_it_was_ahead() {
    attack(|scene| {
        let far = scene.packet_at(now().saturating_add(WINDOW * 2), &sender());
        assert_eq!(scene.judge(&far).as_deref(), Some("stale"));
        assert_eq!(scene.judge(&scene.packet(&sender())), None);
        let ahead = now().saturating_add(Duration::from_secs(1));
        assert_eq!(scene.judge(&scene.packet_at(ahead, &sender())), None);
        assert_eq!(scene.judge(&scene.packet(&sender())).as_deref(), Some("replayed"));
        until(PATIENCE, "the client's clock to pass the mark", || now() > ahead);
        assert_eq!(scene.judge(&scene.packet(&sender())), None);
        let behind = scene.packet_at(ago(WINDOW / 2), &sender());
        assert_eq!(scene.judge(&behind).as_deref(), Some("replayed"));
    });
}

/// They are one client, and the one whose clock is behind is refused. Each has its own key: then they are two.
#[test]
fn two_devices_with_one_key_shut_each_other_out_and_two_with_two_keys_do_not() {
    attack(|scene| {
        let bob = Laptop::new(&scene.world.stranger, &scene.world.server);
        scene.server.enrol(&bob, "bob", &["--door", "ssh"]);
        let behind = |device: &Laptop<'_>| device.seal(&scene.key(), ago(BEHIND), &sender());
        scene.grow_older(BEHIND);
        assert_eq!(scene.judge(&scene.packet(&sender())), None);
        assert_eq!(scene.judge(&behind(&scene.alice)).as_deref(), Some("replayed"));
        assert_eq!(scene.judge(&behind(&bob)), None);
        assert_eq!(scene.judge(&scene.packet(&sender())), None);
    });
}

#[test]
fn a_packet_for_another_server_is_junk() {
    attack(|scene| {
        let other = Server::new(&scene.world.inner, DEFAULT);
        let packet = scene.alice.seal(&other.key(), now(), &sender());
        assert_eq!(scene.judge(&packet).as_deref(), Some("junk"));
        assert_eq!(scene.counters().key_agreements, 0);
    });
}

/// A copy of the journal is put back, as a copy of the whole machine would. Then packets of clients whose clock is ahead can
/// be replayed for as long as they are fresh, which is known; no others.
#[test]
fn a_journal_that_is_restored_brings_back_only_what_is_ahead() {
    attack_on(SHORT, &["--door", "ssh"], |scene| {
        let journal = scene.server.path("state/journal");
        let mark = scene.packet(&sender());
        assert_eq!(scene.judge(&mark), None);
        scene.end(Signal::TERM);
        let copy = fs::read(&journal).unwrap();
        scene.start();
        let young = scene.packet(&sender());
        let ahead = scene.packet_at(now().saturating_add(SHORT_WINDOW / 2), &sender());
        assert_eq!((scene.judge(&young), scene.judge(&ahead)), (None, None));
        scene.end(Signal::TERM);
        fs::write(&journal, copy).unwrap();
        scene.start();
        scene.shut();
        assert_eq!(scene.judge(&young).as_deref(), Some("replayed"), "made before the start");
        assert_eq!(scene.judge(&mark).as_deref(), Some("replayed"));
        scene.assert_shut();
        assert_eq!(scene.judge(&ahead), None, "the known limit");
    });
}

/// The record comes before the move, and the mark is in it: killed at any moment, a packet has opened the door and will
/// not again, or it has not, and the client makes another.
#[test]
fn whenever_it_is_killed_a_packet_opens_at_most_once() {
    attack(|scene| {
        let key = scene.key();
        let mut opened = 0;
        for i in 0..12_u8 {
            let wanted = Ipv4Addr::new(192, 0, 2, 100 + i);
            let request = open("ssh", Addresses::NONE.with_v4(wanted).unwrap(), 3600);
            let packet = seal(&key, &scene.alice.secret(), now(), &request, random());
            scene.send_from_laptop(&packet);
            let start = Instant::now();
            while start.elapsed() < Duration::from_micros(400) * i.into() {}
            scene.kill_keeper();
            let has_opened = scene.lets_in(wanted);
            scene.start();
            let is_open = scene.lets_in(wanted);
            assert!(is_open || !has_opened, "what was opened is on record");
            assert_eq!(scene.judge(&packet).as_deref(), Some("replayed"), "{i}");
            assert_eq!(scene.lets_in(wanted), is_open, "{i}");
            if is_open {
                opened += 1;
            }
        }
        eprintln!("opened before the kill: {opened} of 12");
    });
}

#[test]
fn what_the_machine_sends_itself_is_not_heard() {
    attack(|scene| {
        let request = stated(scene.world.stranger.v4);
        for own in ["127.0.0.1", "192.0.2.1", "::1", "2001:db8:1::1"] {
            let own: IpAddr = own.parse().unwrap();
            let packet = scene.packet(&request);
            scene.world.server.send_udp(SocketAddr::new(own, 0), SocketAddr::new(own, 62201), &packet);
        }
        // Nor what only passes through.
        for ip in scene.world.laptop.addresses() {
            let inner = SocketAddr::new(scene.world.inner.address_like(ip), 62201);
            scene.alice.send(&scene.packet(&request), ip, inner);
        }
        for ip in scene.world.laptop.addresses() {
            scene.send(&scene.world.laptop, ip, &scene.packet(&stated(scene.world.laptop.v4)));
        }
        until(PATIENCE, "what came from the laptop", || scene.counters().accepted == 2);
        assert_eq!(scene.settle().received, 2);
        assert_eq!(scene.addresses(), ["192.0.2.2"]);
    });
}
