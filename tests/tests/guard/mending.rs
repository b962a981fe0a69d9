//! Others change the ruleset, and the guard notices.

use std::time::Duration;

use knock_spa_tests::lab::{Echo, World};
use knock_spad::nft::RulesetWatch;
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
    assert!(!watch.lost().unwrap());
    let mut ruleset = shutting(&["tcp/22"]);
    ruleset.open = vec![(element(world.laptop.v4.into(), "tcp/22"), Some(LONG))];
    for _ in 0..2 {
        world.server.run("nft flush ruleset");
        assert_open(&world.stranger, world.server.v4.into(), 22);
        assert!(awaits_news(&watch) && watch.lost().unwrap());
        guard.install(&ruleset).unwrap();
        assert_silent(&world.stranger, world.server.v4.into(), 22);
        assert_open(&world.laptop, world.server.v4.into(), 22);
        assert!(!watch.lost().unwrap(), "the mending itself is no news");
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
    assert!(!watch.lost().unwrap());
    assert!(!watch.lost().unwrap(), "nothing more to read");
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
        "nft flush chain inet knock_spa gate; nft delete chain inet knock_spa gate",
        "nft 'add table inet knock_spa { flags dormant ; }'",
        "saved=$(nft list ruleset); nft flush ruleset; echo \"$saved\" | nft -f -",
    ] {
        guard.install(&shutting(&["tcp/22"])).unwrap();
        assert!(!watch.lost().unwrap());
        world.server.sh(damage);
        assert!(awaits_news(&watch) && watch.lost().unwrap(), "{damage}");
    }
    guard.install(&shutting(&["tcp/22"])).unwrap();
    assert_silent(&world.laptop, world.server.v4.into(), 22);
}

#[test]
fn events_that_were_lost_count_as_damage() {
    let world = World::new();
    let mut guard = guarding(&world.server, &["tcp/22"]);
    let mut watch = world.server.enter(|| guard.watch()).unwrap();
    let chains: String = (0..4000).map(|i| format!("add chain inet other chain{i}\n")).collect();
    let script = format!("add table inet other\n{chains}delete table inet other\n");
    world.server.run_command(std::process::Command::new("nft").args(["-f", "-"]), &script);
    assert!(watch.lost().unwrap());
    guard.install(&shutting(&["tcp/22"])).unwrap();
    assert!(!watch.lost().unwrap());
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
    world.server.run_command(std::process::Command::new("nft").args(["-f", "-"]), &saved);
    assert_eq!(world.server.run("nft list ruleset"), saved);
    for ip in world.server.addresses() {
        assert_open(&world.laptop, ip, 22);
        assert_open(&world.inner, ip, 22);
        assert_silent(&world.stranger, ip, 22);
    }
}
