//! Doors shut, open, close and expire.

use std::net::{Ipv4Addr, Ipv6Addr};
use std::time::{Duration, Instant};

use knock_spa_proto::cidr::Cidr;
use knock_spa_proto::element::Element;
use knock_spa_proto::port::{ServicePort, Transport};
use knock_spa_tests::lab::{Answer, Echo, PATIENCE, Session, World, until};
use knock_spad::nft::{DOORS_MAX, ELEMENTS_MAX, Guard, Kept, NftError, Ruleset, Shown, TRUSTED_MAX, Trusted};
use rustix::thread::{CapabilitySet, CapabilitySets, set_capabilities};

use super::*;

/// How much longer the element is open: `None` where it is not.
fn left(guard: &mut Guard, element: Element) -> Option<Option<Duration>> {
    let open = guard.show().unwrap().unwrap().open;
    open.into_iter().find_map(|(found, left)| (found == element).then_some(left))
}

#[test]
fn a_shut_port_is_silent_and_others_are_untouched() {
    let world = World::new();
    let _services = [Echo::tcp(&world.server, 22), Echo::tcp(&world.server, 80)];
    let mut guard = guarding(&world.server, &["tcp/22", "tcp/23", "udp/62201"]);
    for client in [&world.laptop, &world.stranger, &world.inner] {
        for ip in world.server.addresses() {
            assert_silent(client, ip, 22);
            assert_silent(client, ip, 23);
            assert_open(client, ip, 80);
            assert_eq!(ask(client, ip, 81), Answer::Refused);
            client.run(&format!("ping -c 1 -W 5 {ip}"));
        }
    }
    assert_eq!(guard.show().unwrap().unwrap().open, []);
}

#[test]
fn a_port_of_another_transport_is_another_port() {
    let world = World::new();
    let _services = (Echo::tcp(&world.server, 53), Echo::udp(&world.server, 53));
    let mut guard = guarding(&world.server, &["udp/53"]);
    for ip in world.server.addresses() {
        let to = SocketAddr::new(ip, 53);
        assert_open(&world.laptop, ip, 53);
        assert_eq!(world.laptop.ask_udp(to, SILENCE), Answer::Silent);
        guard.open(&[(element(world.laptop.address_like(ip), "udp/53"), Some(LONG))]).unwrap();
        assert_eq!(world.laptop.ask_udp(to, PATIENCE), Answer::Open);
        assert_eq!(world.stranger.ask_udp(to, SILENCE), Answer::Silent);
    }
}

#[test]
fn an_element_lets_one_address_in_at_one_port() {
    let world = World::new();
    let _services = [Echo::tcp(&world.server, 22), Echo::tcp(&world.server, 80)];
    let mut guard = guarding(&world.server, &["tcp/22", "tcp/80"]);
    let [ip, other] = world.server.addresses();
    for (ip, other) in [(ip, other), (other, ip)] {
        let opened = element(world.laptop.address_like(ip), "tcp/22");
        guard.open(&[(opened, Some(LONG))]).unwrap();
        assert_open(&world.laptop, ip, 22);
        assert_silent(&world.laptop, ip, 80);
        assert_silent(&world.laptop, other, 22);
        assert_silent(&world.stranger, ip, 22);
        guard.close(&[opened]).unwrap();
        assert_silent(&world.laptop, ip, 22);
    }
}

#[test]
fn an_element_expires_in_the_kernel_and_sessions_live_on() {
    let world = World::new();
    let _service = Echo::tcp(&world.server, 22);
    let mut guard = guarding(&world.server, &["tcp/22"]);
    let lease = Duration::from_secs(2);
    let elements = world.laptop.addresses().map(|ip| (element(ip, "tcp/22"), Some(lease)));
    let start = Instant::now();
    guard.open(&elements).unwrap();
    drop(guard);
    let sessions =
        world.server.addresses().map(|ip| (ip, Session::open(&world.laptop, SocketAddr::new(ip, 22))));
    for (ip, mut session) in sessions {
        until(PATIENCE, "the door to close", || ask(&world.laptop, ip, 22) == Answer::Silent);
        assert!(start.elapsed() >= lease, "it closed after {:?}", start.elapsed());
        assert!(session.echoes(PATIENCE));
    }
}

#[test]
fn opening_again_gives_exactly_the_new_time() {
    let world = World::new();
    let mut guard = guarding(&world.server, &["tcp/22"]);
    for ip in world.laptop.addresses() {
        let opened = element(ip, "tcp/22");
        for seconds in [10, 100, 50] {
            let lease = Duration::from_secs(seconds);
            guard.open(&[(opened, Some(lease))]).unwrap();
            let left = left(&mut guard, opened).unwrap().unwrap();
            assert!(left <= lease && left > lease.mul_f32(0.8), "{left:?} of {lease:?}");
        }
        guard.open(&[(opened, None)]).unwrap();
        assert_eq!(left(&mut guard, opened), Some(None), "for ever");
        guard.open(&[(opened, Some(LONG))]).unwrap();
        assert!(left(&mut guard, opened).unwrap().is_some(), "not for ever any more");
    }
}

#[test]
fn an_extended_door_never_shuts_meanwhile() {
    let world = World::new();
    let mut guard = guarding(&world.server, &["tcp/22"]);
    let opened = element(world.laptop.v6.into(), "tcp/22");
    let start = Instant::now();
    // The lease is so short that refreshes meet the element alive, expired, and collected.
    while start.elapsed() < Duration::from_secs(1) {
        guard.open(&[(opened, Some(Duration::from_millis(20)))]).unwrap();
        guard.open(&[(opened, Some(LONG))]).unwrap();
        assert!(left(&mut guard, opened).is_some());
        guard.open(&[(opened, Some(Duration::from_millis(20)))]).unwrap();
        until(PATIENCE, "the lease to end", || left(&mut guard, opened).is_none());
    }
}

#[test]
fn closing_what_is_not_open_is_no_error() {
    let world = World::new();
    let mut guard = guarding(&world.server, &["tcp/22"]);
    let [v4, v6] = world.laptop.addresses().map(|ip| element(ip, "tcp/22"));
    let never = element(world.stranger.v4.into(), "tcp/22");
    guard.open(&[(v4, None), (v6, Some(LONG))]).unwrap();
    guard.close(&[never, v4]).unwrap();
    assert_eq!((left(&mut guard, v4), left(&mut guard, v6).is_some()), (None, true));
    guard.close(&[v6, v6, v4]).unwrap();
    assert_eq!(guard.show().unwrap().unwrap().open, []);
    guard.close(&[]).unwrap();
    guard.open(&[]).unwrap();
    guard.remove().unwrap();
    guard.close(&[v4]).unwrap();
}

#[test]
fn thousands_that_have_ended_by_themselves_are_closed_in_an_instant() {
    let world = World::new();
    let mut guard = guarding(&world.server, &["tcp/22"]);
    let elements: Vec<_> = many_addresses(1500).into_iter().map(|ip| element(ip, "tcp/22")).collect();
    let (stays, rest) = elements.split_first().unwrap();
    let open: Vec<_> = elements.iter().step_by(100).map(|element| (*element, Some(LONG))).collect();
    guard.open(&open).unwrap();
    let began = Instant::now();
    guard.close(rest).unwrap();
    // A batch for each would take half a minute.
    assert!(began.elapsed() < Duration::from_secs(2), "{:?}", began.elapsed());
    let left: Vec<_> = guard.show().unwrap().unwrap().open.into_iter().map(|(element, _)| element).collect();
    assert_eq!(left, [*stays]);
}

#[test]
fn nothing_opens_without_the_table() {
    let world = World::new();
    let mut guard = guard_of(&world.server);
    assert_eq!(guard.show().unwrap(), None);
    let opened = element(world.laptop.v4.into(), "tcp/22");
    let refusal = guard.open(&[(opened, Some(LONG))]);
    assert!(matches!(refusal, Err(NftError::Missing(_))), "{refusal:?}");
    guard.remove().unwrap();
    guard.install(&shutting(&["tcp/22"])).unwrap();
    guard.remove().unwrap();
    guard.remove().unwrap();
    assert_eq!(guard.show().unwrap(), None);
    assert_eq!(world.server.run("nft list ruleset"), "");
}

#[test]
fn a_second_table_has_nothing_of_the_first() {
    let world = World::new();
    let _services = [Echo::tcp(&world.server, 22), Echo::tcp(&world.server, 80)];
    let mut guard = guard_of(&world.server);
    let mut first = shutting(&["tcp/22"]);
    first.open = vec![(element(world.laptop.v4.into(), "tcp/22"), None)];
    first.trusted = vec!["198.51.100.0/24".parse().unwrap()];
    guard.install(&first).unwrap();
    let ip = world.server.v4.into();
    assert_open(&world.laptop, ip, 22);
    assert_open(&world.stranger, ip, 22);
    assert_silent(&world.inner, ip, 22);

    let mut second = shutting(&["tcp/80"]);
    second.open = vec![(element(world.inner.v4.into(), "tcp/80"), Some(LONG))];
    guard.install(&second).unwrap();
    assert_open(&world.inner, ip, 22);
    assert_open(&world.inner, ip, 80);
    assert_silent(&world.laptop, ip, 80);
    assert_silent(&world.stranger, ip, 80);
    let shown = guard.show().unwrap().unwrap();
    assert_eq!(shown.doors, [(port("tcp/80"), None)]);
    assert_eq!(shown.open.iter().map(|(element, _)| *element).collect::<Vec<_>>(), [second.open[0].0]);
}

#[test]
fn a_trial_ends_by_itself() {
    let world = World::new();
    let _service = Echo::tcp(&world.server, 22);
    let mut guard = guard_of(&world.server);
    let trial = Duration::from_secs(2);
    let start = Instant::now();
    guard.install(&Ruleset { doors_until: Some(trial), ..shutting(&["tcp/22"]) }).unwrap();
    assert_silent(&world.laptop, world.server.v4.into(), 22);
    let left = guard.show().unwrap().unwrap().doors[0].1.unwrap();
    assert!(left < trial, "{left:?}");
    drop(guard);
    for ip in world.server.addresses() {
        until(PATIENCE, "the trial to end", || ask(&world.laptop, ip, 22) == Answer::Open);
    }
    assert!(start.elapsed() >= trial, "it ended after {:?}", start.elapsed());
}

#[test]
fn what_was_dropped_is_counted() {
    let world = World::new();
    let mut guard = guarding(&world.server, &["tcp/22"]);
    let shown = guard.show().unwrap().unwrap();
    assert_eq!(shown, Shown { doors: vec![(port("tcp/22"), None)], ..Shown::default() });
    assert_silent(&world.stranger, world.server.v6.into(), 22);
    assert!(guard.show().unwrap().unwrap().dropped >= 1);
}

fn many_addresses(count: u32) -> Vec<IpAddr> {
    let v4 = (0..count).map(|i| Ipv4Addr::from_bits(0x0b00_0000 + i).into());
    let v6 = (0..count).map(|i| Ipv6Addr::from_bits((0x2001 << 112) + u128::from(i)).into());
    v4.chain(v6).collect()
}

fn many_ports(count: u32) -> impl Iterator<Item = ServicePort> {
    (1..=u16::try_from(count).unwrap()).map(|port| ServicePort::new(Transport::Tcp, port).unwrap())
}

#[test]
fn the_largest_ruleset_can_be_installed_and_used() {
    let world = World::new();
    let mut guard = guarding(&world.server, &["tcp/22"]);
    let addresses = many_addresses(ELEMENTS_MAX);
    let kept =
        |ip: &IpAddr| Kept { client: Address::new(*ip), client_port: 40000, port: port("tcp/22").port };
    let network =
        |i| Trusted::Network(Cidr::only(Address::from(Ipv6Addr::from_bits(u128::MAX - u128::from(i)))));
    let largest = Ruleset {
        doors: many_ports(DOORS_MAX).collect(),
        doors_until: Some(LONG),
        trusted: (0..TRUSTED_MAX).map(network).collect(),
        open: addresses.iter().map(|ip| (element(*ip, "tcp/22"), Some(LONG))).collect(),
        cut: addresses.iter().map(|ip| (element(*ip, "tcp/22"), LONG)).collect(),
        kept: addresses.iter().map(kept).collect(),
    };
    guard.install(&largest).unwrap();
    let shown = guard.show().unwrap().unwrap();
    assert_eq!((shown.doors.len(), shown.open.len()), (largest.doors.len(), largest.open.len()));

    let beyond = element("12.0.0.1".parse().unwrap(), "tcp/22");
    let refusal = guard.open(&[(beyond, Some(LONG))]);
    assert!(matches!(refusal, Err(NftError::Full(_))), "{refusal:?}");
    assert_eq!(guard.cut_off().unwrap().len(), largest.cut.len());
    let refusal = guard.cut(&[(beyond, LONG)]);
    assert!(matches!(refusal, Err(NftError::Full(_))), "{refusal:?}");
    let elements: Vec<Element> = largest.open.iter().map(|(element, _)| *element).collect();
    guard.close(&elements).unwrap();
    assert_eq!(guard.show().unwrap().unwrap().open, []);
    guard.open(&largest.open).unwrap();
    assert_eq!(guard.show().unwrap().unwrap().open.len(), largest.open.len());
}

#[test]
fn a_ruleset_beyond_the_bounds_changes_nothing() {
    let world = World::new();
    let mut guard = guarding(&world.server, &["tcp/22"]);
    let addresses = many_addresses(ELEMENTS_MAX + 1);
    let kept = |ip: &IpAddr| Kept { client: Address::new(*ip), client_port: 1, port: port("tcp/22").port };
    for beyond in [
        Ruleset { doors: many_ports(DOORS_MAX + 1).collect(), ..Ruleset::default() },
        Ruleset { trusted: vec!["iif wg0".parse().unwrap(); TRUSTED_MAX as usize + 1], ..Ruleset::default() },
        Ruleset {
            open: addresses.iter().map(|ip| (element(*ip, "tcp/22"), None)).collect(),
            ..Ruleset::default()
        },
        Ruleset {
            cut: addresses.iter().map(|ip| (element(*ip, "tcp/22"), LONG)).collect(),
            ..Ruleset::default()
        },
        Ruleset { kept: addresses.iter().map(kept).collect(), ..Ruleset::default() },
    ] {
        assert!(matches!(guard.install(&beyond), Err(NftError::TooMuch)));
        assert_eq!(guard.show().unwrap().unwrap().doors, [(port("tcp/22"), None)]);
    }
}

#[test]
fn without_the_capability_nothing_changes_and_the_error_says_why() {
    let world = World::new();
    let _guard = guarding(&world.server, &["tcp/22"]);
    world.server.enter(|| {
        let none = CapabilitySet::empty();
        // Of this thread only, which ends with the closure.
        set_capabilities(None, CapabilitySets { effective: none, permitted: none, inheritable: none })
            .unwrap();
        let mut powerless = Guard::connect().unwrap();
        for refusal in [powerless.install(&shutting(&[])), powerless.remove()] {
            let error = refusal.unwrap_err();
            assert!(matches!(error, NftError::NotPermitted(_)), "{error:?}");
            assert!(error.to_string().contains("CAP_NET_ADMIN"), "{error}");
        }
    });
    assert_silent(&world.laptop, world.server.v4.into(), 22);
}
