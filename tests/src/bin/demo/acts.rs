//! The story itself.

use std::net::SocketAddr;
use std::time::{Duration, Instant};

use knock_spa_proto::control::Status;
use knock_spa_proto::spa::PACKET_LEN;
use knock_spa_tests::lab::{Answer, Echo, PATIENCE, Recorder, Session, until};

use crate::scene::{PORT, SILENCE, Scene, see_echo};
use crate::story::{Story, span};

/// Where packets go.
const SPA_PORT: u16 = 62_201;

/// Tells it from the beginning to the end.
pub fn tell(story: &mut Story) {
    story.act("Three machines, made of network namespaces");
    let mut scene = Scene::new();
    story.heard("laptop 192.0.2.2 ── gw 192.0.2.1 ── stranger 198.51.100.2");
    story.heard("(and the same in IPv6)");
    let _service = Echo::tcp(&scene.world.server, PORT);
    let mut before = scene.see_service("stranger");
    story.seen("tcp/22 of gw answers everybody");

    shut(story, &mut scene);
    before.iter_mut().for_each(see_echo);
    story.seen("a session from before lives on");
    enrol(story, &scene);
    let opened = open(story, &scene);
    only_the_laptop(story, &scene);
    replay(story, &scene, &opened.packet);
    expire(story, &scene, opened.at, opened.sessions);
    replay_after_restart(story, &mut scene, &opened.packet);
    knock(story, &scene);
}

/// Types a line, and tells those lines of what it prints that have any of `words` in them.
fn typed(story: &Story, scene: &Scene, machine: &str, line: &str, words: &[&str]) -> String {
    story.typed(machine, &shortened(line));
    let printed = scene.sh(machine, line);
    let told = printed.lines().filter(|line| words.iter().any(|word| line.contains(word)));
    told.for_each(|line| story.heard(&shortened(line)));
    printed
}

/// The same with the middle of long words left out: keys, above all.
fn shortened(line: &str) -> String {
    let short = |word: &str| match word.char_indices().nth(40) {
        Some(_) => format!("{}…", word.chars().take(14).collect::<String>()),
        None => word.into(),
    };
    line.split(' ').map(short).collect::<Vec<_>>().join(" ")
}

/// The line of this kind among what a program printed.
fn line_of<'p>(printed: &'p str, kind: &str) -> &'p str {
    let found = printed.lines().find(|line| line.starts_with(kind));
    found.unwrap_or_else(|| panic!("no {kind} in:\n{printed}"))
}

fn shut(story: &mut Story, scene: &mut Scene) {
    story.act("The daemon shuts the port");
    story.typed("gw", "cat gw.toml");
    Scene::configuration().for_each(|line| story.heard(line));
    typed(story, scene, "gw", "knock-spad --config gw.toml init --endpoint gw", &["knock-spa-server-v1"]);
    story.typed("gw", "knock-spad --config gw.toml run &");
    let start = Instant::now();
    scene.start_daemon();
    story.seen(format_args!("it is ready ({})", span(start.elapsed())));
    scene.see_silence("stranger");
    story.seen(format_args!("the stranger meets silence: no answer in {}", span(SILENCE)));
    scene.see_silence("laptop");
    story.seen("so does the laptop");
}

fn enrol(story: &mut Story, scene: &Scene) {
    story.act("The laptop is enrolled, by hand");
    let printed = typed(story, scene, "laptop", "knock-spa enroll", &["knock-spa-client-v1"]);
    let client = line_of(&printed, "knock-spa-client-v1");
    let line = format!("knock-spad --config gw.toml client add laptop '{client}' --door ssh");
    let printed = typed(story, scene, "gw", &line, &["knock-spa-server-v1"]);
    let server = line_of(&printed, "knock-spa-server-v1");
    let added = typed(story, scene, "laptop", &format!("knock-spa enroll '{server}'"), &["added"]);
    let shown = scene.sh("gw", "knock-spad --config gw.toml key show");
    let fingerprint = shown.split_whitespace().find(|word| word.starts_with("SHA256:"));
    let fingerprint = fingerprint.expect("a fingerprint of the server's key");
    assert!(added.contains(fingerprint), "another key than {fingerprint}:\n{added}");
    story.seen("both see the same fingerprint of the server's key");
    assert_eq!(scene.status().clients, 1, "clients that the running daemon knows");
    story.seen("the running daemon knows the laptop");
    scene.see_silence("laptop");
    story.seen("and the port is shut for it as before");
}

/// What came of opening.
struct Opened {
    at: Instant,
    packet: Vec<u8>,
    sessions: [Session; 2],
}

fn open(story: &mut Story, scene: &Scene) -> Opened {
    story.act("One packet opens it");
    let recorder = Recorder::start(&scene.world.server);
    let printed = typed(story, scene, "laptop", "knock-spa open ssh gw", &[""]);
    let at = Instant::now();
    let took = printed.trim().strip_prefix("ssh answers (").and_then(|rest| rest.strip_suffix(')'));
    let took = took.unwrap_or_else(|| panic!("knock-spa open said: {printed}"));
    let sessions = scene.see_service("laptop");
    story.seen(format_args!("tcp/22 answers the laptop {took} after the packet"));
    story.seen("the service says hello to it, in IPv4 and in IPv6");
    let packets = recorder.until(|packet| packet.ports().is_some_and(|(_, to)| to == SPA_PORT));
    // Eight bytes of UDP header (RFC 768) come first.
    let packet = packets.last().map(|packet| packet.payload[8..].to_vec()).expect("the awaited packet");
    assert_eq!(packet.len(), PACKET_LEN, "bytes of the packet that was captured");
    story.seen(format_args!("the packet was captured: {PACKET_LEN} bytes to UDP port {SPA_PORT}"));
    let host = &scene.world.laptop;
    let addresses = host.addresses().map(|ip| ip.to_string());
    assert_eq!(open_for(&scene.status()), addresses, "whom the daemon has the door open for");
    typed(story, scene, "gw", "knock-spad --config gw.toml status", &["ssh for"]);
    Opened { at, packet, sessions }
}

/// The addresses that the door is open for.
fn open_for(status: &Status) -> Vec<String> {
    status.openings.iter().map(|opening| opening.address.clone()).collect()
}

fn only_the_laptop(story: &mut Story, scene: &Scene) {
    story.act("It is open for the laptop alone");
    scene.see_silence("stranger");
    story.seen(format_args!("the stranger meets silence: no answer in {}", span(SILENCE)));
    drop(scene.see_service("laptop"));
    story.seen("while it answers the laptop");
}

/// Sends bytes to where packets go.
fn send(scene: &Scene, machine: &str, packet: &[u8]) {
    let host = scene.host(machine);
    let to = SocketAddr::new(scene.world.server.v4.into(), SPA_PORT);
    host.send_udp(SocketAddr::new(host.v4.into(), 0), to, packet);
}

fn refused(status: &Status, reason: &str) -> u64 {
    status.counters.refused.get(reason).copied().unwrap_or_default()
}

fn replay(story: &mut Story, scene: &Scene, packet: &[u8]) {
    story.act("The captured packet is sent again");
    send(scene, "stranger", packet);
    scene.await_status("the daemon to count a duplicate", |status| refused(status, "duplicate") == 1);
    story.seen("by the stranger: refused, as a duplicate");
    send(scene, "laptop", packet);
    scene.await_status("the daemon to count another", |status| refused(status, "duplicate") == 2);
    story.seen("from the laptop's own address: the same");
    typed(story, scene, "gw", "knock-spad --config gw.toml status", &["packets:", "duplicate"]);
    scene.see_silence("stranger");
    story.seen("the stranger still meets silence");
}

fn expire(story: &mut Story, scene: &Scene, opened: Instant, mut sessions: [Session; 2]) {
    story.act("The lease ends");
    scene.await_status("the opening to end", |status| status.openings.is_empty());
    story.seen(format_args!("the door shut by itself {} after it opened", span(opened.elapsed())));
    scene.see_silence("laptop");
    story.seen("new connections of the laptop meet silence");
    sessions.iter_mut().for_each(see_echo);
    story.seen("the one that it made meanwhile lives on");
}

fn replay_after_restart(story: &mut Story, scene: &mut Scene, packet: &[u8]) {
    story.act("The daemon is stopped and started again");
    scene.stop_daemon();
    scene.see_silence("stranger");
    story.seen("without the daemon, the port stays shut");
    story.typed("gw", "knock-spad --config gw.toml run &");
    scene.start_daemon();
    send(scene, "laptop", packet);
    scene.await_status("the daemon to count a replayed packet", |status| refused(status, "replayed") == 1);
    story.seen("the captured packet is refused, as replayed");
    scene.see_silence("laptop");
    story.seen("and opens nothing");
}

fn knock(story: &mut Story, scene: &Scene) {
    story.act("A classic knock opens the same door, for a machine without any key");
    let start = Instant::now();
    typed(story, scene, "stranger", "knock -4 gw 7000 1984 9000:udp", &[""]);
    let [door, _] = scene.doors();
    let stranger = &scene.world.stranger;
    let soon = Duration::from_millis(20);
    until(PATIENCE, "the knock to open the door", || stranger.connect(door, soon) == Answer::Open);
    let took = start.elapsed();
    see_echo(&mut Session::open(stranger, door));
    story.seen(format_args!("tcp/22 answers it {} after the start of `knock`", span(took)));
    assert_eq!(open_for(&scene.status()), [stranger.v4.to_string()], "whom the daemon has the door open for");
    scene.see_silence("laptop");
    story.seen("and it alone: the laptop meets silence");
}
