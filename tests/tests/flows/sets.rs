//! Doors that open by timed elements in sets of the administrator's own ruleset.

use std::process::Command;

use knock_spa_tests::lab::Echo;
use rustix::process::Signal;

use super::*;

/// The fields of both sets' keys in their declaration, and in the rule that asks them; `ADDR` and `SADDR` stand for what
/// differs between families.
const KEYS: [(&str, &str); 5] = [
    ("ADDR", "SADDR @SET tcp dport 22"),
    ("ADDR . inet_service", "SADDR . tcp dport @SET"),
    ("inet_service . ADDR", "tcp dport . SADDR @SET"),
    ("ADDR . inet_proto . inet_service", "SADDR . meta l4proto . th dport @SET"),
    ("ADDR . inet_service . inet_proto", "SADDR . th dport . meta l4proto @SET"),
];

const DOORS: &str = "[door.ssh]\nports = ['tcp/22']\nsequence = ['7000', '8000', '9000']\nopen-for = '10m'\n\
                     action = { set4 = 'inet filter knock4', set6 = 'inet filter knock6' }\n\
                     [door.web]\nports = ['tcp/8080']\n\
                     action = { set4 = 'inet filter knock4', set6 = 'inet filter knock6' }\n";

/// A ruleset of the administrator's that drops what is in neither of its sets, whose flags and size are these.
fn ruleset((key, rule): (&str, &str), more: &str) -> String {
    let for_family = |text: &str, address: &str, source: &str, set: &str| {
        text.replace("SADDR", source).replace("ADDR", address).replace("SET", set)
    };
    let [key4, rule4] = [key, rule].map(|text| for_family(text, "ipv4_addr", "ip saddr", "knock4"));
    let [key6, rule6] = [key, rule].map(|text| for_family(text, "ipv6_addr", "ip6 saddr", "knock6"));
    format!(
        "table inet filter {{
            set knock4 {{ type {key4}; {more} }}
            set knock6 {{ type {key6}; {more} }}
            chain input {{
                type filter hook input priority 0; policy drop;
                iif lo accept
                ct state established,related accept
                meta l4proto ipv6-icmp accept
                {rule4} accept
                {rule6} accept
            }}
        }}\n"
    )
}

const TIMED: &str = "flags timeout;";

fn load(world: &World, ruleset: &str) {
    world.server.run_command(Command::new("nft").args(["-f", "-"]), ruleset);
}

/// The elements of a set: each key, and the seconds that are left to it.
fn held(world: &World, set: &str) -> Vec<(String, u64)> {
    let text = world.server.run(&format!("nft list set inet filter {set}")).replace('\n', " ");
    let Some((_, elements)) = text.split_once("elements = {") else { return Vec::new() };
    let elements = elements.split_once('}').unwrap().0;
    let element = |text: &str| {
        let (key, left) = text.split_once(" expires ").unwrap();
        let left = seconds(left.trim());
        (key.split(" timeout ").next().unwrap().trim().to_owned(), left)
    };
    elements.split(',').map(element).collect()
}

/// A span as `nft` writes it, such as `9m59s984ms`.
fn seconds(text: &str) -> u64 {
    let (mut all, mut number) = (0, String::new());
    for part in text.replace("ms", "i").chars() {
        match part {
            'd' => all += 86_400 * number.parse::<u64>().unwrap(),
            'h' => all += 3600 * number.parse::<u64>().unwrap(),
            'm' => all += 60 * number.parse::<u64>().unwrap(),
            's' => all += number.parse::<u64>().unwrap(),
            digit => {
                number.push(digit);
                continue;
            }
        }
        number.clear();
    }
    all
}

#[track_caller]
fn all_open(world: &World, host: &Host) {
    world.server.addresses().into_iter().for_each(|ip| assert_open(host, ip, 22));
}

#[track_caller]
fn all_silent(world: &World, host: &Host) {
    world.server.addresses().into_iter().for_each(|ip| assert_silent(host, ip, 22));
}

fn fault(server: &Server<'_>, set: &str) -> Option<String> {
    let sets = server.status().sets;
    sets.into_iter().find(|one| one.set.ends_with(set)).expect("a set of that name").fault
}

fn await_no_fault(server: &Server<'_>) {
    until(PATIENCE, "the sets to be good", || server.status().sets.iter().all(|set| set.fault.is_none()));
}

/// A server with these doors, and alice's laptop.
fn with_sets<'w>(world: &'w World, configuration: &str) -> (Server<'w>, Laptop<'w>) {
    let (server, laptop) = enrolled(world, configuration);
    server.command(&["client", "set", "alice", "--door", "web"]).ended_with(0);
    (server, laptop)
}

#[test]
fn a_door_opens_by_every_key_that_tells_who_comes() {
    let world = World::new();
    let _service = Echo::tcp(&world.server, 22);
    let (server, laptop) = with_sets(&world, DOORS);
    for keys in KEYS {
        load(&world, &format!("flush ruleset\n{}", ruleset(keys, TIMED)));
        await_no_fault(&server);
        all_silent(&world, &world.laptop);
        laptop.run("open ssh gw --for 1h").ended_with(0);
        all_open(&world, &world.laptop);
        all_silent(&world, &world.stranger);
        assert!(server.guard().is_none(), "there is nothing for our own table to shut");
        laptop.run("close ssh gw").ended_with(0);
        until(PATIENCE, "it to be closed", || server.openings().is_empty());
        all_silent(&world, &world.laptop);
        assert_eq!((held(&world, "knock4"), held(&world, "knock6")), (Vec::new(), Vec::new()), "{keys:?}");
    }
}

#[test]
fn an_element_lasts_until_the_latest_opening_that_needs_it() {
    let world = World::new();
    let _service = Echo::tcp(&world.server, 22);
    load(&world, &ruleset(("ADDR", "SADDR @SET"), TIMED));
    let (server, laptop) = with_sets(&world, DOORS);
    await_no_fault(&server);
    let left = || match &held(&world, "knock4")[..] {
        [] => 0,
        [(address, left)] => {
            assert_eq!(*address, world.laptop.v4.to_string());
            left.div_ceil(60)
        }
        more => panic!("{more:?}"),
    };
    laptop.run("open ssh gw -4 --for 20m").ended_with(0);
    assert_eq!(left(), 20);
    laptop.run("open web gw -4 --for 30m --no-wait").ended_with(0);
    until(PATIENCE, "the other door to open", || server.openings().len() == 2);
    assert_eq!(left(), 30, "two doors use the set");
    laptop.run(&format!("knock -4 {} 7000 8000 9000", knock_spa_tests::server::NAME)).ended_with(0);
    until(PATIENCE, "the knock to open", || server.openings().len() == 3);
    assert_eq!(left(), 30);
    let address = world.laptop.v4.to_string();
    server.command(&["close", "web", &address]).ended_with(0);
    assert_eq!(left(), 20);
    laptop.run("close ssh gw").ended_with(0);
    until(PATIENCE, "alice's to be closed", || server.openings().len() == 1);
    assert_eq!(left(), 10, "what was knocked for");
    server.command(&["close", "ssh"]).ended_with(0);
    assert_eq!(left(), 0);
}

#[test]
fn a_reload_of_the_ruleset_is_mended_with_the_time_that_is_left() {
    let world = World::new();
    let _service = Echo::tcp(&world.server, 22);
    let rules = ruleset(KEYS[3], TIMED);
    load(&world, &rules);
    let (mut server, laptop) = with_sets(&world, DOORS);
    laptop.run("open ssh gw --for 1h").ended_with(0);
    laptop.run("open ssh gw -4 --for 2h").ended_with(0);
    let is_back = || {
        let [four, six] = ["knock4", "knock6"].map(|set| held(&world, set));
        let within = |all: &[(String, u64)], hours: u64| matches!(all, [(_, left)] if (hours * 3600 - 60..=hours * 3600).contains(left));
        within(&four, 1) && within(&six, 1)
    };
    assert!(is_back(), "never more than the door allows");
    for damage in ["flush set inet filter knock4", "flush ruleset", "delete table inet filter"] {
        let whole = if damage.starts_with("flush set") { "" } else { &rules };
        load(&world, &format!("{damage}\n{whole}"));
        until(PATIENCE, &format!("it to be mended after `{damage}`"), is_back);
        all_open(&world, &world.laptop);
        all_silent(&world, &world.stranger);
    }
    server.await_log("set-refilled");
    // In two steps, and with another key.
    load(&world, "flush ruleset\n");
    until(PATIENCE, "the fault to be told", || fault(&server, "knock4").is_some());
    server.command(&["status"]).ended_with(0).said("set inet filter knock4: FAILED: there is no such set");
    load(&world, &ruleset(KEYS[1], TIMED));
    await_no_fault(&server);
    all_open(&world, &world.laptop);
    server.await_log("set-mended");
    assert!(server.status().sets.iter().all(|set| set.refilled > 0));
    assert_eq!(server.log().matches("set-failed").count(), 2, "each is told once");
}

/// In one go with more than the kernel can tell.
#[test]
fn a_flush_is_noticed_among_more_than_can_be_told() {
    let world = World::new();
    let _service = Echo::tcp(&world.server, 22);
    load(&world, &ruleset(KEYS[1], TIMED));
    let (mut server, laptop) = with_sets(&world, DOORS);
    laptop.run("open ssh gw -4 --for 1h").ended_with(0);
    let flood = |others: &str| {
        let chains: String = (0..4000).map(|i| format!("add chain inet other chain{i}\n")).collect();
        load(&world, &format!("add table inet other\n{chains}{others}\ndelete table inet other\n"));
    };
    // Nobody reads meanwhile.
    server.signal(Signal::STOP);
    flood("flush set inet filter knock4");
    server.signal(Signal::CONT);
    until(PATIENCE, "it to be filled again", || held(&world, "knock4").len() == 1);
    server.signal(Signal::STOP);
    flood("");
    server.signal(Signal::CONT);
    let refilled = || server.status().sets.iter().map(|set| set.refilled).sum::<u64>();
    assert_eq!(refilled(), 1);
    laptop.run("open ssh gw -4 --for 1h").ended_with(0);
    assert_eq!(refilled(), 1, "nothing happened to it");
}

#[test]
fn a_set_may_come_after_the_daemon() {
    let world = World::new();
    let _service = Echo::tcp(&world.server, 22);
    let (mut server, laptop) = with_sets(&world, DOORS);
    server.await_log("set-failed");
    let run = server.command(&["check"]).ended_with(0);
    run.said("warning: set inet filter knock4: there is no such set, so that its doors open for nobody");
    laptop.run("open ssh gw --for 1h --no-wait").ended_with(0);
    until(PATIENCE, "it to be granted", || server.openings().len() == 2);
    load(&world, &ruleset(KEYS[0], TIMED));
    await_no_fault(&server);
    all_open(&world, &world.laptop);
    all_silent(&world, &world.stranger);
    assert!(!server.command(&["check"]).ended_with(0).err.contains("set inet filter"));
}

#[test]
fn a_set_that_cannot_be_used_is_a_fault_that_tells_why() {
    let world = World::new();
    let (server, _) = with_sets(&world, DOORS);
    for (rules, why) in [
        (ruleset(KEYS[0], ""), "it lacks `flags timeout`"),
        (ruleset(KEYS[0], "flags interval, timeout;"), "it has `flags interval`"),
        (ruleset(("ADDR . mark", "SADDR . mark @SET"), TIMED), "its key is `ipv4_addr . type 19`"),
        (
            ruleset(KEYS[0], TIMED).replace("knock4", "knockX").replace("knock6", "knock4"),
            "its key is `ipv6_addr`; what opens is `ipv4_addr`",
        ),
    ] {
        load(&world, &format!("flush ruleset\n{rules}"));
        until(PATIENCE, why, || fault(&server, "knock4").is_some_and(|fault| fault.contains(why)));
        let run = server.command(&["check"]).ended_with(0);
        run.said(why);
    }
    load(&world, &format!("flush ruleset\n{}", ruleset(KEYS[0], TIMED)));
    await_no_fault(&server);
}

#[test]
fn a_full_set_takes_in_who_waits_as_soon_as_there_is_room() {
    let world = World::new();
    let _service = Echo::tcp(&world.server, 22);
    load(&world, &ruleset(KEYS[1], "flags timeout; size 1;"));
    let (server, laptop) = with_sets(&world, DOORS);
    laptop.run("open ssh gw -4 --for 1h").ended_with(0);
    let bob = Laptop::new(&world.stranger, &world.server);
    server.enrol(&bob, "bob", &["--door", "ssh"]);
    bob.run("open ssh gw -4 --for 1h --no-wait").ended_with(0);
    until(PATIENCE, "the fault to be told", || fault(&server, "knock4").as_deref() == Some("it is full"));
    assert_silent(&world.stranger, world.server.v4, 22);
    laptop.run("open ssh gw -4 --for 1h").ended_with(0);
    assert_open(&world.laptop, world.server.v4, 22);
    world.server.run("nft flush set inet filter knock4");
    until(PATIENCE, "one of the two to be let in again", || held(&world, "knock4").len() == 1);
    server.command(&["close", "ssh", &world.stranger.v4.to_string()]).ended_with(0);
    await_no_fault(&server);
    bob.run("open ssh gw -4 --for 1h --no-wait").ended_with(0);
    until(PATIENCE, "the fault to be told", || fault(&server, "knock4").is_some());
    laptop.run("close ssh gw").ended_with(0);
    await_no_fault(&server);
    assert_open(&world.stranger, world.server.v4, 22);
    assert_silent(&world.laptop, world.server.v4, 22);
}

#[test]
fn the_kernel_closes_alone_and_a_start_puts_back_what_is_due() {
    let world = World::new();
    let _service = Echo::tcp(&world.server, 22);
    let rules = ruleset(KEYS[3], TIMED);
    load(&world, &rules);
    let (mut server, laptop) = with_sets(&world, DOORS);
    laptop.run("open ssh gw -4 --for 1h").ended_with(0);
    laptop.run("open ssh gw -6 --for 3s").ended_with(0);
    server.kill();
    let [v4, v6] = world.server.addresses();
    assert_open(&world.laptop, v4, 22);
    until(PATIENCE, "the kernel to close", || {
        world.laptop.connect(SocketAddr::new(v6, 22), SILENCE) == Answer::Silent
    });
    load(&world, &format!("flush ruleset\n{rules}"));
    assert_silent(&world.laptop, v4, 22);
    server.start();
    until(PATIENCE, "it to be put back", || held(&world, "knock4").len() == 1);
    assert_open(&world.laptop, v4, 22);
    assert_silent(&world.laptop, v6, 22);
    // An element that is there for no reason any more goes: its door has another set now.
    server.kill();
    server.configure(&DOORS.replace("knock4", "other4"));
    server.start();
    until(PATIENCE, "it to be taken away", || held(&world, "knock4").is_empty());
    // Stopping leaves what is open to the kernel.
    server.configure(DOORS);
    server.command(&["reload"]).ended_with(0);
    laptop.run("open ssh gw -4 --for 1h").ended_with(0);
    server.stop();
    assert_open(&world.laptop, v4, 22);
}

#[test]
fn without_a_set_for_a_family_its_requests_are_refused() {
    let world = World::new();
    let _service = Echo::tcp(&world.server, 22);
    load(&world, &ruleset(KEYS[0], TIMED));
    let only4 = "[door.ssh]\nports = ['tcp/22']\naction = { set4 = 'inet filter knock4' }\n";
    let (server, laptop) = enrolled(&world, only4);
    server.command(&["check"]).ended_with(0).said("no set6, so that requests for IPv6 addresses are refused");
    laptop.run("open ssh gw -6 --no-wait").ended_with(0);
    until(PATIENCE, "it to be refused", || server.refused("unauthorised") == 1);
    laptop.run("open ssh gw -4").ended_with(0);
    assert_open(&world.laptop, world.server.v4, 22);
}
