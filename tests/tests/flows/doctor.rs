//! What the doctor finds, where something is wrong and where nothing is.

use std::fs;
use std::os::unix::fs::PermissionsExt;

use knock_spa_tests::lab::Echo;
use knock_spa_tests::programs::Run;
use knock_spa_tests::server::DEFAULT;
use serde_json::Value;

use super::*;

/// What it says of one thing: how it is, what was seen, and what to do.
fn finding(run: &Run, check: &str) -> (String, String, String) {
    let report: Value = serde_json::from_str(&run.out).unwrap_or_else(|error| panic!("{error}: {run:?}"));
    assert_eq!(report["well"], run.status == 0, "{report}");
    let findings = report["findings"].as_array().unwrap();
    let found = findings.iter().find(|finding| finding["check"] == check);
    let text = |key: &str| found.unwrap()[key].as_str().unwrap_or_default().to_owned();
    (text("state"), text("what"), text("mend"))
}

#[test]
fn where_all_is_well_it_says_so_and_leaves_little_open() {
    let world = World::new();
    let _service = Echo::tcp(&world.server, 22);
    let (server, laptop) = enrolled(&world, DEFAULT);
    let run = laptop.run("doctor gw --json").ended_with(0);
    for check in ["clock", "key", "directory", "name", "route", "address", "nat", "before", "after"] {
        let (state, what, _) = finding(&run, check);
        assert!(state == "good" || check == "clock" && state == "note", "{check}: {what}");
    }
    assert!(finding(&run, "address").1.contains("192.0.2.2 and 2001:db8:1::2"), "{run:?}");
    assert_eq!(await_packet(&server, 1).key_agreements, 1);
    assert!(server.openings().iter().all(|opening| opening.left.unwrap() <= 10));
    // What is open for longer stays so, and is told from what is shut.
    laptop.run("open ssh gw --for 10m").ended_with(0);
    let run = laptop.run("doctor gw").ended_with(0).said("ssh answers already");
    assert!(run.out.contains("ok    after") && run.err.is_empty(), "{run:?}");
    assert!(server.openings().iter().all(|opening| opening.left.unwrap() > 500));
}

#[test]
fn a_device_that_the_server_does_not_know() {
    let world = World::new();
    let _service = Echo::tcp(&world.server, 22);
    let (server, laptop) = enrolled(&world, DEFAULT);
    server.command(&["client", "remove", "alice"]).ended_with(0);
    let run = laptop.run("doctor gw --json --wait 1s").ended_with(69).said("checks of gw failed");
    let (state, what, mend) = finding(&run, "after");
    assert!(state == "bad" && what.contains("does not answer within 1 s"), "{run:?}");
    assert!(mend.contains("knock-spad status"), "{mend}");
    assert_eq!(finding(&run, "before").0, "good");
}

#[test]
fn files_that_others_may_touch() {
    let world = World::new();
    let _service = Echo::tcp(&world.server, 22);
    let (_server, laptop) = enrolled(&world, DEFAULT);
    let set = |name, mode| fs::set_permissions(laptop.path(name), fs::Permissions::from_mode(mode)).unwrap();
    set("home/client.key", 0o644);
    set("home", 0o777);
    let run = laptop.run("doctor gw --json").ended_with(69);
    let (state, what, mend) = finding(&run, "key");
    assert!(state == "bad" && what.contains("0644") && mend.contains("chmod 600"), "{run:?}");
    let (state, what, mend) = finding(&run, "directory");
    assert!(state == "bad" && what.contains("0777") && mend.contains("chmod 700"), "{run:?}");
    assert!(finding(&run, "after").1.contains("no packet was sent"), "{run:?}");
}

#[test]
fn a_name_without_address_and_a_host_without_route() {
    let world = World::new();
    let (_server, laptop) = enrolled(&world, DEFAULT);
    let line = fs::read_to_string(laptop.path("home/hosts.toml")).unwrap();
    fs::write(laptop.path("home/hosts.toml"), line.replace("gw.example.net", "nowhere.invalid")).unwrap();
    let run = laptop.run("doctor gw --json").ended_with(69);
    assert_eq!(finding(&run, "name").0, "bad", "{run:?}");
    fs::write(laptop.path("home/hosts.toml"), line.replace("gw.example.net", "203.0.113.9")).unwrap();
    world.laptop.sh("ip route del default");
    let run = laptop.run("doctor gw --json").ended_with(69);
    assert_eq!(
        (finding(&run, "name").0.as_str(), finding(&run, "route").0.as_str()),
        ("good", "bad"),
        "{run:?}"
    );
}

/// A NAT between the machine called inner and the stranger's, where the daemon runs now. `rules` translate.
fn behind_nat<'w>(world: &'w World, rules: &str) -> (Server<'w>, Laptop<'w>) {
    let server = Server::running(&world.stranger, DEFAULT);
    world.server.sh(&format!(
        "ip addr add 198.51.100.77/24 dev to-stranger
         nft add table ip nat
         nft 'add chain ip nat post {{ type nat hook postrouting priority 100 ; }}'
         nft add rule ip nat post oifname to-stranger {rules}"
    ));
    let laptop = Laptop::new(&world.inner, &world.stranger);
    server.enrol(&laptop, "alice", &["--door", "ssh"]);
    (server, laptop)
}

#[test]
fn behind_an_ordinary_nat_all_is_well() {
    let world = World::new();
    let _service = Echo::tcp(&world.stranger, 22);
    let (_server, laptop) = behind_nat(&world, "masquerade");
    let run = laptop.run("doctor gw -4 --json").ended_with(0);
    assert_eq!(finding(&run, "address").1, "sender, since 10.0.0.2 is not global");
    let (state, what, _) = finding(&run, "nat");
    assert!(state == "note" && what.contains("10.0.0.2"), "{what}");
    assert_eq!(finding(&run, "after").0, "good");
}

#[test]
fn of_a_nat_with_an_address_for_each_flow_it_says_what_to_do_and_that_works() {
    let world = World::new();
    let _service = Echo::tcp(&world.stranger, 22);
    let (server, laptop) = behind_nat(
        &world,
        "meta l4proto udp snat to 198.51.100.77
         nft add rule ip nat post oifname to-stranger masquerade",
    );
    let run = laptop.run("doctor gw -4 --json --wait 1s").ended_with(69);
    assert_eq!(finding(&run, "after").0, "bad");
    let (_, _, mend) = finding(&run, "nat");
    assert!(mend.contains("knock-spad status") && mend.contains("--source ADDR"), "{mend}");
    // As it says: the server shows an opening, for another address than that of connections.
    assert_eq!(server.openings()[0].address, "198.51.100.77");
    laptop.run("open ssh gw -4 --probe 22 --source 198.51.100.1").ended_with(0).said("answers (");
}
