//! Doors in knockd's manner beside the others, in one configuration.

use knock_spa_proto::control::KnockdDoorStatus;
use knock_spa_tests::server::NAME;

use super::*;

const DOORS: &str = "[knockd]\ninclude = 'DIR/old.conf'\n\
    [door.ssh]\nports = ['tcp/22']\none-time-sequences = 'DIR/sequences'\n\
    [[knockd.door]]\nname = 'late door'\nsequence = ['7100', '7101/udp']\ntcp-flags = ['syn']\n\
    start = 'echo start %IP% >> DIR/notes'\nstop = 'echo stop %IP% >> DIR/notes'\nstop-after = '2s'\n\
    spa = { name = 'late', ports = ['tcp/99'] }\n";

const OLD: &str = "[options]\nlogfile = DIR/log\n[old]\nsequence = 7200,7201\ntcpflags = syn\n\
    start_command = echo old %IP% >> DIR/notes\n";

fn notes(server: &Server<'_>) -> String {
    std::fs::read_to_string(server.path("notes")).unwrap_or_default()
}

fn running(world: &World) -> Server<'_> {
    let mut server = Server::new(&world.server, "");
    let directory = server.path("").display().to_string();
    server.write("old.conf", &OLD.replace("DIR/", &directory), 0o600);
    server.write("sequences", " 7300,7301\n", 0o600);
    server.configure(DOORS);
    server.start();
    server
}

fn knock(world: &World, steps: &str) {
    let stranger = Laptop::new(&world.stranger, &world.server);
    stranger.run(&format!("knock -4 -d 5 {NAME} {steps}")).ended_with(0);
}

fn knockd_door(name: &str, open: usize) -> KnockdDoorStatus {
    KnockdDoorStatus { name: name.into(), can_be_knocked: true, open }
}

#[test]
fn both_files_open_doors_and_status_shows_them() {
    let world = World::new();
    let server = running(&world);
    knock(&world, "7200 7201");
    until(PATIENCE, "the old door to open", || notes(&server) == "old 198.51.100.2\n");
    knock(&world, "7100 7101:udp");
    until(PATIENCE, "the late door to be open", || server.status().runs.iter().any(|run| run.left.is_some()));
    let status = server.status();
    assert_eq!(status.knockd_doors, [knockd_door("old", 0), knockd_door("late door", 1)]);
    let [run] = status.runs.as_slice() else { panic!("{:?}", status.runs) };
    assert_eq!((&*run.door, &*run.address), ("late door", "198.51.100.2"));
    let shown = server.command(&["status"]).ended_with(0);
    shown
        .said("door late door (knockd's manner): open 1 times")
        .said("door late (tcp/99; command): open for 0");
    let all = "old 198.51.100.2\nstart 198.51.100.2\nstop 198.51.100.2\n";
    until(PATIENCE, "the late door to close", || notes(&server) == all);
    until(PATIENCE, "that to be seen", || server.status().runs.is_empty());
    let log = std::fs::read_to_string(server.path("log")).unwrap();
    assert!(log.contains("198.51.100.2: late door: OPEN SESAME"), "{log}");
}

#[test]
fn a_client_opens_a_door_in_knockd_s_manner() {
    let world = World::new();
    let server = running(&world);
    let laptop = Laptop::new(&world.laptop, &world.server);
    server.enrol(&laptop, "alice", &["--door", "late"]);
    laptop.run("open late gw -4 --no-wait").ended_with(0);
    let all = "start 192.0.2.2\nstop 192.0.2.2\n";
    until(PATIENCE, "it to open and close", || notes(&server) == all);
}

#[test]
fn a_native_door_has_one_time_sequences() {
    let world = World::new();
    let server = running(&world);
    knock(&world, "7300 7301");
    until(PATIENCE, "the door to open", || server.openings().len() == 1);
    let sequences = std::fs::read_to_string(server.path("sequences")).unwrap();
    assert_eq!(sequences, "#7300,7301\n");
    server.command(&["close", "ssh"]).ended_with(0);
    knock(&world, "7300 7301");
    knock(&world, "7200 7201");
    until(PATIENCE, "what was knocked later", || notes(&server).contains("old"));
    assert_eq!(server.openings(), []);
}
