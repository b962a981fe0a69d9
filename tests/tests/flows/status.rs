//! What `status` shows: to people, on a terminal, and to programs, as `docs/status.md` says.

use std::collections::BTreeSet;
use std::fs::File;
use std::io::{Read as _, Write as _};
use std::process::{Child, Command, Stdio};

use knock_spa_proto::control::{
    AuditStatus, CloseState, CloseStatus, DoorStatus, FailingCloses, GuardStatus, Health, KeyStatus,
    KeyUsage, KnockdDoorStatus, ListenerStatus, OpeningStatus, RefusalStatus, RunStatus, SetStatus, Status,
    TrialStatus,
};
use knock_spa_tests::lab::{Echo, Running};
use knock_spa_tests::programs::knock_spad;
use knock_spa_tests::server::DEFAULT;
use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::process::Signal;
use rustix::pty::{OpenptFlags, ioctl_tiocgptpeer, openpt, unlockpt};
use rustix::termios::{LocalModes, Winsize, tcgetattr, tcsetwinsize};
use serde_json::Value;

use super::*;

/// The keys that the document has, with `[]` for the elements of lists.
fn documented() -> BTreeSet<String> {
    let text = include_str!("../../../docs/status.md");
    let rows = text.lines().filter_map(|line| line.strip_prefix("| `")?.split_once('`'));
    rows.map(|(key, _)| key.to_owned()).collect()
}

/// The keys of a value, as the document has them. Whoever has a reason has them all.
fn keys(value: &Value, path: &str, keys_of: &mut BTreeSet<String>) {
    match value {
        Value::Object(fields) => {
            let is_nullable = path.ends_with("usage") || path.ends_with("trial");
            keys_of.extend(is_nullable.then(|| path.to_owned()));
            for (key, value) in fields {
                let key = if path == "counters.refused" { "REASON" } else { key };
                let path = if path.is_empty() { key.to_owned() } else { format!("{path}.{key}") };
                keys(value, &path, keys_of);
            }
        }
        Value::Array(elements) => elements.iter().for_each(|one| keys(one, &format!("{path}[]"), keys_of)),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => {
            keys_of.insert(path.to_owned());
        }
    }
}

fn keys_of(values: impl IntoIterator<Item = Value>) -> BTreeSet<String> {
    let mut all = BTreeSet::new();
    values.into_iter().for_each(|value| keys(&value, "", &mut all));
    all
}

/// A status with something in every list. A new field does not compile until it is here, and so in the document.
fn full(guard: GuardStatus) -> Status {
    let text = || "text".to_owned();
    let opening = OpeningStatus {
        door: text(),
        ports: [text()].into(),
        address: text(),
        by: text(),
        origin: text(),
        client: None,
        since: 1,
        until: None,
        left: None,
    };
    let close = CloseStatus {
        door: text(),
        address: text(),
        port: None,
        state: CloseState::Retried,
        ended: None,
        next: None,
    };
    let usage = KeyUsage { accepted: 1, last_used: None, clients: [text()].into(), more_clients: 0 };
    Status {
        attention: [text()].into(),
        doors: [DoorStatus { name: text(), ports: [text()].into(), action: text(), open: 1 }].into(),
        openings: [opening].into(),
        counters: Counters {
            received: 1,
            key_agreements: 1,
            explanations: 1,
            accepted: 1,
            refused: [(text(), 1)].into(),
        },
        refusals: [RefusalStatus { at: 1, reason: text(), from: text(), client: None, clock: None }].into(),
        listener: ListenerStatus { ready: true, restarts: 0, missing_interfaces: [text()].into() },
        guard,
        sets: [SetStatus { set: text(), fault: None, refilled: 0 }].into(),
        journal: Health::Good,
        failing_closes: FailingCloses { retried: 0, need_attention: 0 },
        closes: [close].into(),
        audit: AuditStatus { left_out: 0, fault: None },
        clients: 1,
        invitations: 1,
        knockd_doors: [KnockdDoorStatus { name: text(), can_be_knocked: true, open: 1 }].into(),
        runs: [RunStatus { door: text(), address: text(), since: 1, left: None }].into(),
        server_keys: [KeyStatus { fingerprint: text(), until: None, usage: Some(usage) }].into(),
        unusable_previous_key: None,
    }
}

#[test]
fn programs_read_what_the_document_says_and_nothing_else() {
    let trial = Some(TrialStatus { left: 1, until: 1 });
    let guards = [
        GuardStatus::Up { rebuilt: 0, slipped_in: 0, trial },
        GuardStatus::Failed { why: "so".into() },
        GuardStatus::NotNeeded,
    ];
    let mut all = keys_of(guards.map(|guard| serde_json::to_value(full(guard)).unwrap()));
    all.insert("version".into());
    assert_eq!(all, documented());

    // And so does the program: what it shows, busy, is documented.
    let world = World::new();
    let (server, laptop) = enrolled(
        &world,
        &format!(
            "{DEFAULT}[door.run]\nports = ['tcp/25']\naction = {{ start = ['/bin/true'], stop = ['/bin/false'] }}\n"
        ),
    );
    laptop.run("open ssh gw --no-wait").ended_with(0);
    server.command(&["open", "run", "192.0.2.9"]).ended_with(0);
    until(PATIENCE, "the openings", || server.openings().len() == 3);
    server.command(&["close", "run"]).ended_with(0);
    until(PATIENCE, "the close to fail", || {
        server.status().closes.first().is_some_and(|close| close.state == CloseState::Retried)
    });
    let shown: Value =
        serde_json::from_str(&server.command(&["status", "--json"]).ended_with(0).out).unwrap();
    assert_eq!(shown["version"], 1);
    let close = &shown["closes"][0];
    assert_eq!((&close["door"], &close["ended"]), (&"run".into(), &"exit status 1".into()));
    assert!(close["next"].as_u64().unwrap() >= now_in_seconds());
    let opening = &shown["openings"][0];
    assert_eq!((&opening["origin"], &opening["client"]), (&"spa".into(), &"alice".into()));
    let lasts = opening["until"].as_u64().unwrap() - opening["since"].as_u64().unwrap();
    assert!((59..=60).contains(&lasts), "{lasts}");
    let unknown: Vec<_> = keys_of([shown]).difference(&documented()).cloned().collect();
    // An empty list has no elements to tell of.
    assert_eq!(unknown, [""; 0]);
}

fn now_in_seconds() -> u64 {
    knock_spa_tests::laptop::now().as_nanos() / 1_000_000_000
}

#[test]
fn a_check_tells_whether_somebody_must_look() {
    let world = World::new();
    let configuration = format!("{DEFAULT}[listen]\ninterfaces = ['to-laptop', 'nowhere0']\n");
    let mut server = Server::running(&world.server, &configuration);
    let run = server.command(&["status", "--check"]).ended_with(1);
    run.said("interface nowhere0 is not there").said("interface nowhere0: NOT THERE");
    assert_eq!(server.status().attention, ["interface nowhere0 is not there"]);
    server.command(&["status"]).ended_with(0);
    server.configure(DEFAULT);
    server.command(&["reload"]).ended_with(0);
    server.await_ready();
    server.command(&["status", "--check"]).ended_with(0);
    server.command(&["guard", "remove"]).ended_with(0);
    server.command(&["status", "--check", "--json"]).ended_with(1).said("its doors stand open");
    server.stop();
    server.command(&["status", "--check"]).ended_with(69);
}

#[test]
fn programs_that_watch_get_a_line_for_each_change() {
    let world = World::new();
    let _service = Echo::tcp(&world.server, 22);
    let (server, laptop) = enrolled(&world, DEFAULT);
    let mut watch: Running = server.start_command(&["status", "--watch", "--json"]);
    let lines = |watch: &Running| -> Vec<Value> {
        watch.output().lines().map(|line| serde_json::from_str(line).unwrap()).collect()
    };
    until(PATIENCE, "the first line", || lines(&watch).len() == 1);
    laptop.run("open ssh gw").ended_with(0);
    until(PATIENCE, "the openings", || {
        lines(&watch).last().is_some_and(|last| last["openings"].as_array().unwrap().len() == 2)
    });
    // Time alone is no change.
    let (count, since) = (lines(&watch).len(), std::time::Instant::now());
    until(PATIENCE, "time to pass", || since.elapsed() > Duration::from_millis(2500));
    assert!(lines(&watch).len() <= count + 1, "the listener may have told of its counters meanwhile");
    watch.signal(Signal::TERM);
    assert!(watch.wait().success());
    server.command(&["status", "--watch"]).ended_with(64).said("is none").said("--json");
}

/// A terminal on which `status --watch` runs.
struct Terminal {
    screen: File,
    line: File,
    child: Child,
    shown: String,
}

impl Terminal {
    fn watch(server: &Server<'_>, environment: &[(&str, &str)]) -> Self {
        let master = openpt(OpenptFlags::RDWR | OpenptFlags::NOCTTY).unwrap();
        unlockpt(&master).unwrap();
        let line = File::from(ioctl_tiocgptpeer(&master, OpenptFlags::RDWR | OpenptFlags::NOCTTY).unwrap());
        tcsetwinsize(&line, Winsize { ws_row: 10, ws_col: 60, ws_xpixel: 0, ws_ypixel: 0 }).unwrap();
        let stream = || Stdio::from(line.try_clone().unwrap());
        let mut command = Command::new("setsid");
        command.args(["--ctty", "--wait"]).arg(knock_spad()).arg("--config");
        command.arg(server.path("knock-spad.toml")).args(["status", "--watch"]);
        command.env_remove("NO_COLOR").envs(environment.iter().copied());
        let child = command.stdin(stream()).stdout(stream()).stderr(stream()).spawn().unwrap();
        Self { screen: File::from(master), line, child, shown: String::new() }
    }

    fn read(&mut self) {
        let soon = Timespec { tv_sec: 0, tv_nsec: 20_000_000 };
        let mut waiting = [PollFd::new(&self.screen, PollFlags::IN)];
        if poll(&mut waiting, Some(&soon)).unwrap() > 0 {
            let mut buffer = [0; 4096];
            let len = self.screen.read(&mut buffer).unwrap();
            self.shown.push_str(&String::from_utf8_lossy(&buffer[..len]));
        }
    }

    fn await_text(&mut self, text: &str) {
        until(PATIENCE, text, || {
            self.read();
            self.shown.contains(text)
        });
    }

    /// Types, and waits for the end; the terminal is as it was then.
    fn end_by(&mut self, keys: &str) {
        self.screen.write_all(keys.as_bytes()).unwrap();
        let mut status = None;
        until(PATIENCE, "the end", || {
            self.read();
            status = self.child.try_wait().unwrap();
            status.is_some()
        });
        assert!(status.unwrap().success());
        self.await_text("\x1b[?25h\x1b[?1049l");
        let modes = tcgetattr(&self.line).unwrap().local_modes;
        assert!(modes.contains(LocalModes::ECHO | LocalModes::ICANON | LocalModes::ISIG));
    }
}

impl Drop for Terminal {
    fn drop(&mut self) {
        // Both fail only for a process that was waited for.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

#[test]
fn people_watch_on_a_terminal_that_is_left_as_it_was() {
    let world = World::new();
    let _service = Echo::tcp(&world.server, 22);
    let (server, laptop) = enrolled(&world, DEFAULT);
    let mut terminal = Terminal::watch(&server, &[]);
    terminal.await_text("door ssh (tcp/22; guard): open for 0");
    assert!(!terminal.shown.contains("\x1b[31m"), "{:?}", terminal.shown);
    laptop.run("open ssh gw").ended_with(0);
    terminal.await_text("open for 2");
    server.command(&["guard", "remove"]).ended_with(0);
    terminal.await_text("\x1b[31mguard: DOWN");
    // Ten rows, sixty columns.
    let picture = terminal.shown.rsplit("\x1b[H").nth(1).unwrap();
    assert!(picture.matches("\r\n").count() < 10, "{picture:?}");
    terminal.end_by("q");

    let mut terminal = Terminal::watch(&server, &[("NO_COLOR", "1")]);
    terminal.await_text("guard: DOWN");
    assert!(!terminal.shown.contains("\x1b[31m"));
    terminal.end_by("\x03");
}
