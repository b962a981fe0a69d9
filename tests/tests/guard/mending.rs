//! Others change the ruleset, and the guard notices.

use std::net::Ipv4Addr;
use std::process::Command;
use std::time::Duration;

use knock_spa_tests::lab::{Echo, World};
use knock_spad::nft::{Ruleset, RulesetWatch};
use rustix::event::{PollFd, PollFlags, Timespec, poll};

use super::*;

/// Whether there is something to read within the lab's patience; all of it that there is was read before.
fn awaits_news(watch: &RulesetWatch) -> bool {
    let timeout = Timespec { tv_sec: PATIENCE.as_secs().try_into().unwrap(), tv_nsec: 0 };
    poll(&mut [PollFd::new(watch, PollFlags::IN)], Some(&timeout)).unwrap() == 1
}

#[test]
fn a_flush_is_noticed_and_mended() {
    let world = World::new();
    let _service = Echo::tcp(&world.server, 22);
    let mut guard = guarding(&world.server, &["tcp/22"]);
    let mut watch = world.server.enter(|| guard.watch()).unwrap();
    assert!(!watch.lost(&mut guard).unwrap());
    let mut ruleset = shutting(&["tcp/22"]);
    ruleset.open = vec![(element(world.laptop.v4.into(), "tcp/22"), Some(LONG))];
    for _ in 0..2 {
        world.server.run("nft flush ruleset");
        assert_open(&world.stranger, world.server.v4.into(), 22);
        assert!(awaits_news(&watch) && watch.lost(&mut guard).unwrap());
        guard.install(&ruleset).unwrap();
        assert_silent(&world.stranger, world.server.v4.into(), 22);
        assert_open(&world.laptop, world.server.v4.into(), 22);
        assert!(!watch.lost(&mut guard).unwrap(), "the mending itself is no news");
    }
}

#[test]
fn our_own_changes_and_those_elsewhere_are_no_news() {
    let world = World::new();
    let mut guard = guarding(&world.server, &["tcp/22"]);
    let mut watch = world.server.enter(|| guard.watch()).unwrap();
    let opened = element(world.laptop.v4.into(), "tcp/22");
    guard.open(&[(opened, Some(Duration::from_millis(20)))]).unwrap();
    guard.close(&[opened]).unwrap();
    guard.install(&shutting(&["tcp/23"])).unwrap();
    world.server.sh("nft add table inet other; nft add table ip knock_spa; nft flush table inet other; nft delete table inet other");
    assert!(awaits_news(&watch));
    assert!(!watch.lost(&mut guard).unwrap());
    assert!(!watch.lost(&mut guard).unwrap(), "nothing more to read");
}

#[test]
fn every_kind_of_damage_is_noticed() {
    let world = World::new();
    let mut guard = guard_of(&world.server);
    let mut watch = world.server.enter(|| guard.watch()).unwrap();
    for damage in [
        "nft delete table inet knock_spa",
        "nft flush table inet knock_spa",
        "nft flush chain inet knock_spa door",
        "nft flush chain inet knock_spa shut",
        "nft flush chain inet knock_spa gate; nft delete chain inet knock_spa gate",
        "nft 'add table inet knock_spa { flags dormant ; }'",
        "saved=$(nft list ruleset); nft flush ruleset; echo \"$saved\" | nft -f -",
    ] {
        guard.install(&shutting(&["tcp/22"])).unwrap();
        assert!(!watch.lost(&mut guard).unwrap());
        world.server.sh(damage);
        assert!(awaits_news(&watch) && watch.lost(&mut guard).unwrap(), "{damage}");
    }
    guard.install(&shutting(&["tcp/22"])).unwrap();
    assert_silent(&world.laptop, world.server.v4.into(), 22);
}

/// More changes to another table than a socket has room to tell, with `others` among them.
fn flood(world: &World, others: &str) {
    let chains: String = (0..4000).map(|i| format!("add chain inet other chain{i}\n")).collect();
    let script = format!("add table inet other\n{chains}{others}\ndelete table inet other\n");
    world.server.run_command(Command::new("nft").args(["-f", "-"]), &script);
}

#[test]
fn damage_is_noticed_among_more_than_can_be_told() {
    let world = World::new();
    let mut guard = guarding(&world.server, &["tcp/22"]);
    let mut watch = world.server.enter(|| guard.watch()).unwrap();
    flood(&world, "");
    assert!(!watch.lost(&mut guard).unwrap(), "nothing happened to our table");
    let saved = world.server.run("nft list table inet knock_spa");
    for damage in [
        "delete table inet knock_spa",
        "flush chain inet knock_spa door",
        "flush table inet knock_spa",
        "add table inet knock_spa { flags dormant ; }",
        &format!("delete table inet knock_spa\n{saved}"),
    ] {
        flood(&world, damage);
        assert!(watch.lost(&mut guard).unwrap(), "{damage}");
        guard.install(&shutting(&["tcp/22"])).unwrap();
        assert!(!watch.lost(&mut guard).unwrap());
    }
}

/// Or the guard would mend itself for ever.
#[test]
fn installing_much_is_no_news() {
    let world = World::new();
    let mut guard = guard_of(&world.server);
    let mut watch = world.server.enter(|| guard.watch()).unwrap();
    let addresses = (0..20_000).map(|i| IpAddr::from(Ipv4Addr::from_bits(0x0b00_0000 + i)));
    let open = addresses.map(|ip| (element(ip, "tcp/22"), Some(LONG))).collect();
    let ruleset = Ruleset { open, ..shutting(&["tcp/22"]) };
    for _ in 0..2 {
        guard.install(&ruleset).unwrap();
        assert!(!watch.lost(&mut guard).unwrap());
    }
    guard.open(&ruleset.open).unwrap();
    assert!(!watch.lost(&mut guard).unwrap());
}

/// The table is in what `nft list ruleset` saves for the next boot, so that must be loadable and mean the same.
#[test]
fn the_nft_program_can_print_and_load_the_table() {
    let world = World::new();
    let _service = Echo::tcp(&world.server, 22);
    let mut guard = guard_of(&world.server);
    let mut ruleset = shutting(&["tcp/22", "udp/62201"]);
    ruleset.trusted =
        ["iif to-inner", "10.9.0.0/16", "2001:db8:9::/48"].map(|text| text.parse().unwrap()).to_vec();
    ruleset.open = world.laptop.addresses().map(|ip| (element(ip, "tcp/22"), None)).to_vec();
    guard.install(&ruleset).unwrap();
    let saved = world.server.run("nft list ruleset");
    guard.remove().unwrap();
    world.server.run_command(Command::new("nft").args(["-f", "-"]), &saved);
    assert_eq!(world.server.run("nft list ruleset"), saved);
    for ip in world.server.addresses() {
        assert_open(&world.laptop, ip, 22);
        assert_open(&world.inner, ip, 22);
        assert_silent(&world.stranger, ip, 22);
    }
}
