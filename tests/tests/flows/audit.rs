//! The audit log: each event in its file, as `docs/audit.md` says.

use knock_spa_tests::lab::Echo;
use knock_spa_tests::server::DEFAULT;
use rustix::process::Signal;
use serde_json::Value;
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;

use super::*;

const AUDIT: &str = "[audit]\nfile = 'DIR/audit.jsonl'\n";

fn events(path: &Path) -> Vec<Value> {
    let text = std::fs::read_to_string(path).unwrap_or_default();
    text.lines()
        .map(|line| serde_json::from_str(line).unwrap_or_else(|error| panic!("{error}: {line}")))
        .collect()
}

fn await_event(path: &Path, name: &str) -> Value {
    let mut found = None;
    until(PATIENCE, name, || {
        found = events(path).into_iter().find(|event| event["event"] == name);
        found.is_some()
    });
    found.unwrap()
}

#[test]
fn each_event_is_one_line_with_its_fields() {
    let world = World::new();
    let _service = Echo::tcp(&world.server, 22);
    let (mut server, laptop) = enrolled(&world, &format!("{DEFAULT}{AUDIT}"));
    let file = server.path("audit.jsonl");
    laptop.run("open ssh gw").ended_with(0);
    let opened = await_event(&file, "opened");
    assert_eq!(
        (&opened["door"], &opened["by"], &opened["origin"], &opened["ports"], &opened["lease"]),
        (&"ssh".into(), &"alice".into(), &"spa".into(), &"tcp/22".into(), &"60s".into()),
        "{opened}"
    );
    let time = opened["time"].as_str().unwrap();
    assert!(time.len() == 27 && time.ends_with('Z'), "{time}");
    server.command(&["open", "ssh", "192.0.2.9"]).ended_with(0);
    server.command(&["open", "ssh", "192.0.2.9", "--for", "5m"]).ended_with(0);
    assert_eq!(await_event(&file, "extended")["origin"], "local");
    server.command(&["client", "set", "alice", "--max-open", "10s"]).ended_with(0);
    assert_eq!(await_event(&file, "shortened")["by"], "alice");
    server.command(&["client", "remove", "alice"]).ended_with(0);
    assert_eq!(await_event(&file, "closed")["cause"], "reload");
    await_event(&file, "clients-reloaded");
    laptop.run("open ssh gw --no-wait").ended_with(0);
    assert_eq!(await_event(&file, "refused")["count"], 1);
    world.server.run("nft flush ruleset");
    await_event(&file, "guard-rebuilt");
    assert_eq!(std::fs::metadata(&file).unwrap().permissions().mode() & 0o777, 0o600);

    // Rotated, it is begun anew at a reload, broken or not.
    std::fs::rename(&file, server.path("audit.old")).unwrap();
    server.configure("[door.ssh]\nports = ['tcp/0']\n");
    server.signal(Signal::HUP);
    await_event(&file, "reload-failed");
    server.configure(DEFAULT);
    server.command(&["reload"]).ended_with(0);
    let count = events(&file).len();
    server.command(&["open", "ssh", "192.0.2.10"]).ended_with(0);
    assert_eq!(events(&file).len(), count, "it is not asked for any more");
}

#[test]
fn a_file_that_cannot_be_written_is_told_and_holds_up_nothing() {
    let world = World::new();
    let mut server =
        Server::running(&world.server, &format!("{DEFAULT}[audit]\nfile = 'DIR/nowhere/audit.jsonl'\n"));
    server.await_log("event=\"audit-failed\"");
    server.command(&["open", "ssh", "192.0.2.9"]).ended_with(0);
    let run = server.command(&["status", "--check"]).ended_with(1);
    run.said("audit file: CAN'T BE WRITTEN: No such file or directory");
    assert!(server.status().audit.left_out > 0);
    std::fs::create_dir(server.path("nowhere")).unwrap();
    server.command(&["open", "ssh", "192.0.2.9"]).ended_with(0);
    server.command(&["status", "--check"]).ended_with(0);
    assert_eq!(server.log().matches("audit-failed").count(), 1);
}

#[test]
fn knocks_from_everywhere_are_counted_and_drown_nobody() {
    let world = World::new();
    let door = format!("{DEFAULT}sequence = ['7000']\n{AUDIT}");
    let _service = Echo::tcp(&world.server, 22);
    let (server, laptop) = enrolled(&world, &door);
    let file = server.path("audit.jsonl");
    let knocks = 3000;
    let flood = knock_spa_tests::flood::Flood::new(&world.laptop, world.server.v4);
    for number in 0..knocks {
        let from = knock_spa_tests::flood::stranger(number);
        flood.hit(knock_spa_tests::flood::Hit { from, port: 7000 });
    }
    until(PATIENCE, "many openings", || server.openings().len() > 1000);
    laptop.run("open ssh gw").ended_with(0);
    until(PATIENCE, "the client's line", || {
        events(&file).iter().any(|event| event["event"] == "opened" && event["by"] == "alice")
    });
    let told = events(&file).iter().filter(|event| event["origin"] == "classic").count();
    assert!((200..400).contains(&told), "{told} of {knocks}");
    let left_out = await_event(&file, "left-out");
    assert_eq!(left_out["kind"], "classic");
    let counted = server.status().audit.left_out;
    assert!(counted >= left_out["count"].as_u64().unwrap() && counted > 500, "{counted}");
}

#[test]
fn where_standard_error_leads_to_the_journal_it_gets_fields() {
    let world = World::new();
    let mut server = Server::new(&world.server, DEFAULT);
    std::fs::create_dir(server.path("journal")).unwrap();
    let journal = std::os::unix::net::UnixDatagram::bind(server.path("journal/socket")).unwrap();
    journal.set_read_timeout(Some(PATIENCE)).unwrap();
    // A journal daemon of its own, and what a service manager says of standard error.
    let script = format!(
        "mount -t tmpfs none /run && mkdir -p /run/systemd/journal && \
         mount --bind {} /run/systemd/journal && \
         JOURNAL_STREAM=$(stat -L -c %d:%i /proc/self/fd/2) exec \"$@\"",
        server.path("journal").display()
    );
    server.run_by(&["unshare", "-m", "sh", "-c", &script, "sh"]);
    server.start();
    server.command(&["open", "ssh", "192.0.2.9"]).ended_with(0);
    let mut datagram = [0; 4096];
    let opened = std::iter::repeat_with(|| {
        let len = journal.recv(&mut datagram).expect("an entry");
        String::from_utf8_lossy(&datagram[..len]).into_owned()
    })
    .find(|entry| entry.contains("\nKNOCK_SPA_EVENT=opened\n"))
    .unwrap();
    for field in ["PRIORITY=6", "KNOCK_SPA_DOOR=ssh", "KNOCK_SPA_ADDRESS=192.0.2.9", "KNOCK_SPA_ORIGIN=local"]
    {
        assert!(opened.lines().any(|line| line == field), "{field} in {opened}");
    }
    assert!(!server.log().contains("opened"), "once is enough: {}", server.log());
}
