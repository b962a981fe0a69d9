//! Directives that knockd lacks: `Refresh`, `Tolerate_Repeats`, `Seq_Cooldown`.

use std::time::Duration;

use knock_spa_tests::lab::{PATIENCE, until};
use knock_spa_tests::usage::family;

use crate::scene::{Scene, door, note, pass};

/// How often a note was written.
fn count(scene: &Scene, note: &str) -> usize {
    scene.notes().iter().filter(|found| *found == note).count()
}

#[test]
fn with_refresh_a_knock_while_it_is_open_puts_the_stop_off() {
    let scene = Scene::new(&door("ssh", "7000,8000", "cmd_timeout = 3\nRefresh = yes"));
    let _daemon = scene.start(&[]);
    scene.flush("192.0.2.10", "7000 8000", "ssh start 192.0.2.10");
    pass(Duration::from_millis(1500));
    scene.knock("192.0.2.10", "7000 8000");
    // Whom it is not open for has it opened.
    scene.flush("192.0.2.11", "7000 8000", "ssh start 192.0.2.11");
    scene.await_note("ssh stop 192.0.2.10");
    let took = scene.noted_at("ssh stop 192.0.2.10") - scene.noted_at("ssh start 192.0.2.10");
    assert!((4.5..8.5).contains(&took), "open for {took} s");
    scene.await_note("ssh stop 192.0.2.11");
    assert_eq!((count(&scene, "ssh start 192.0.2.10"), count(&scene, "ssh stop 192.0.2.10")), (1, 1));
    // Closed is closed: it opens anew.
    scene.knock("192.0.2.10", "7000 8000");
    until(PATIENCE, "another stop", || count(&scene, "ssh stop 192.0.2.10") == 2);
    assert_eq!(count(&scene, "ssh start 192.0.2.10"), 2);
}

#[test]
fn without_refresh_each_knock_has_a_start_and_a_stop_of_its_own() {
    let scene = Scene::new(&door("ssh", "7000,8000", "cmd_timeout = 2"));
    let _daemon = scene.start(&[]);
    scene.flush("192.0.2.10", "7000 8000", "ssh start 192.0.2.10");
    scene.knock("192.0.2.10", "7000 8000");
    until(PATIENCE, "two stops", || count(&scene, "ssh stop 192.0.2.10") == 2);
    assert_eq!(count(&scene, "ssh start 192.0.2.10"), 2);
}

#[test]
fn a_refresh_holds_over_a_crash() {
    let ssh = door("ssh", "7000,8000", "cmd_timeout = 4\nRefresh = yes");
    let scene = Scene::new(&[ssh, door("end", "7001,8001", "cmd_timeout = 600")].concat());
    let daemon = scene.start(&[]);
    scene.flush("192.0.2.10", "7000 8000", "ssh start 192.0.2.10");
    // That the start has ended is on record by the time that another door opens.
    until(PATIENCE, "the start to end", || family(daemon.running.pid()).len() == 2);
    scene.flush("192.0.2.11", "7001 8001", "end start 192.0.2.11");
    daemon.kill(true, true);
    let _daemon = scene.start(&[]);
    pass(Duration::from_secs(1));
    scene.knock("192.0.2.10", "7000 8000");
    scene.await_notes(&["ssh start 192.0.2.10", "end start 192.0.2.11", "ssh stop 192.0.2.10"]);
    let took = scene.noted_at("ssh stop 192.0.2.10") - scene.noted_at("ssh start 192.0.2.10");
    assert!((5.0..9.0).contains(&took), "open for {took} s");
}

#[test]
fn repeats_are_passed_over_where_the_door_says_so() {
    let tolerant = door("tolerant", "7000,8000,9000", "cmd_timeout = 600\nTolerate_Repeats = yes");
    let strict = door("strict", "7001,8001,9001", "cmd_timeout = 600");
    let scene = Scene::new(&[tolerant, strict].concat());
    let _daemon = scene.start(&[]);
    scene.knock("192.0.2.10", "7001 7001 8001 9001");
    scene.knock("192.0.2.11", "7000 8000 7000 9000");
    scene.knock("192.0.2.12", "7000 8001 8000 9000");
    scene.knock("192.0.2.13", "7000 7000 7000 8000 8000 9000");
    scene.knock("192.0.2.14", "7001 8001 9001");
    scene.await_note("tolerant start 192.0.2.13");
    scene.await_note("strict start 192.0.2.14");
    assert_eq!(scene.read("log").matches("OPEN SESAME").count(), 2, "{}", scene.read("log"));
}

#[test]
fn a_cooldown_keeps_a_door_of_one_port_from_firing_at_each_packet() {
    let udp = |name: &str, port: u16, more: &str| {
        let start = note(name);
        format!("[{name}]\nsequence = {port}:udp\nstart_command = {start}\n{more}\n")
    };
    let scene = Scene::new(&[udp("cool", 7000, "Seq_Cooldown = 2"), udp("plain", 7001, "")].concat());
    scene.laptop.run("ip addr add 192.0.2.3/24 dev eth0");
    let _daemon = scene.start(&[]);
    for _ in 0..5 {
        scene.knock("192.0.2.2", "7000:udp 7001:udp");
    }
    scene.knock("192.0.2.3", "7000:udp");
    scene.await_note("cool 192.0.2.3");
    until(PATIENCE, "each packet to the plain door", || count(&scene, "plain 192.0.2.2") == 5);
    assert_eq!(scene.read("log").matches("192.0.2.2: cool: OPEN SESAME").count(), 1);
    until(PATIENCE, "it to open again", || {
        scene.knock("192.0.2.2", "7000:udp");
        count(&scene, "cool 192.0.2.2") == 2
    });
    let notes = scene.read("notes");
    let times = notes.lines().filter_map(|line| line.strip_prefix("cool 192.0.2.2 @"));
    let times: Vec<f64> = times.map(|time| time.parse().unwrap()).collect();
    assert!(times[1] - times[0] > 1.5, "{times:?}");
}
