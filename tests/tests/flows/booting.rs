//! `guard restore`: the guard at the start of the machine, without a daemon, whatever became of the configuration.

use std::fs;

use knock_spa_tests::lab::Echo;
use knock_spa_tests::server::DEFAULT;

use super::*;

const TRUSTING: &str = "[guard]\ntrusted = ['192.0.2.0/24']\n";

/// A machine that was just started: nobody runs, and the ruleset is empty.
fn reboot(world: &World, server: &mut Server<'_>) {
    if server.is_running() {
        server.kill();
    }
    world.server.run("nft flush ruleset");
    assert_open(&world.stranger, world.server.v4, 22);
}

#[test]
fn the_guard_is_back_before_the_daemon_with_what_was_open() {
    let world = World::new();
    let _service = Echo::tcp(&world.server, 22);
    let (mut server, laptop) = enrolled(&world, DEFAULT);
    laptop.run("open ssh gw --for 1h").ended_with(0);
    reboot(&world, &mut server);
    server.command(&["guard", "restore"]).ended_with(0).said("the guard is up: ports shut: 2; open: 2");
    for ip in world.server.addresses() {
        assert_open(&world.laptop, ip, 22);
        assert_silent(&world.stranger, ip, 22);
    }
    let left = left(&server, world.laptop.v6, "tcp/22").unwrap().unwrap();
    assert!(left <= Duration::from_secs(3600) && left > Duration::from_secs(3500), "{left:?}");
    server.start();
    assert_eq!(server.openings().len(), 2);
    server.command(&["guard", "restore"]).ended_with(0).said("a daemon runs");

    // A client who is gone has nothing open.
    reboot(&world, &mut server);
    server.command(&["client", "remove", "alice"]).ended_with(0);
    server.command(&["guard", "restore"]).ended_with(0).said("open: 0");
    assert_silent(&world.laptop, world.server.v4, 22);
}

#[test]
fn a_broken_configuration_opens_no_door_and_shuts_out_nobody_who_is_trusted() {
    let world = World::new();
    let _service = Echo::tcp(&world.server, 22);
    let good = format!("{DEFAULT}{TRUSTING}");
    let mut server = Server::running(&world.server, &good);
    let paths = fs::read_to_string(server.path("knock-spad.toml")).unwrap().replace(&good, "");
    for broken in [
        format!("{good}[listen]\nspa-prot = 1\n"),
        // The door's own port, and whom to trust.
        format!(
            "{}{}",
            DEFAULT.replace("tcp/22", "tpc/22"),
            TRUSTING.replace("192.0.2.0/24", "192.0.2.0/99")
        ),
        TRUSTING.into(),
    ] {
        let broken = if broken == TRUSTING { format!("{broken}[door.ssh]\n") } else { broken };
        server.write("knock-spad.toml", &format!("{paths}{broken}"), 0o600);
        reboot(&world, &mut server);
        let run = server.command(&["guard", "restore"]).ended_with(0);
        run.said("the configuration can't be used").said("the guard is up: ports shut: 2; open: 0");
        assert_silent(&world.stranger, world.server.v4, 22);
        assert_open(&world.laptop, world.server.v4, 22);
        server.command(&["run"]).ended_with(78);
        assert_silent(&world.stranger, world.server.v4, 22);
        server.command(&["guard", "show"]).ended_with(0).said("the guard is up, as `start = \"on\"` says");
    }
    // The way out works as well.
    server.command(&["guard", "remove"]).ended_with(0);
    assert_open(&world.stranger, world.server.v4, 22);
    server.command(&["guard", "restore"]).ended_with(0).said("it was removed");
    assert_open(&world.stranger, world.server.v4, 22);
}

/// Such a file does not even say where the state is: it is at its default then, as for a package.
#[test]
fn what_is_no_toml_at_all_is_replaced_by_what_was_last_known() {
    let world = World::new();
    let _service = Echo::tcp(&world.server, 22);
    let mut server = Server::running(&world.server, &format!("{DEFAULT}{TRUSTING}"));
    reboot(&world, &mut server);
    server.write("knock-spad.toml", "[door.ssh\n", 0o600);
    let restore = |server: &Server<'_>| {
        let mut command = std::process::Command::new("unshare");
        command.args(["--mount", "--propagation", "private", "sh", "-e", "-c"]);
        command.arg("mount -t tmpfs none /var/lib; ln -s \"$0\" /var/lib/knock-spa; exec \"$@\"");
        command.arg(server.path("state")).arg(knock_spa_tests::programs::knock_spad()).arg("--config");
        command.arg(server.path("knock-spad.toml")).args(["guard", "restore"]);
        knock_spa_tests::programs::Run::of(&world.server, &mut command, "")
    };
    restore(&server).ended_with(0).said("not TOML").said("the guard is up: ports shut: 2; open: 0");
    assert_silent(&world.stranger, world.server.v4, 22);
    assert_open(&world.laptop, world.server.v4, 22);

    reboot(&world, &mut server);
    server.write("state/guard.rules", "knock-spa-guard-rules-v1\nstart on\ndoor tcp/22\n", 0o600);
    let run = restore(&server).ended_with(78);
    run.said("is not a copy of the guard's rules").said("ITS DOORS STAND OPEN");
    assert_open(&world.stranger, world.server.v4, 22);
}

#[test]
fn what_is_not_to_stand_is_not_restored() {
    let world = World::new();
    let _service = Echo::tcp(&world.server, 22);
    let mut server = Server::running(&world.server, &format!("{DEFAULT}[guard]\nstart = 'confirmed'\n"));
    reboot(&world, &mut server);
    server.command(&["guard", "restore"]).ended_with(0).said("`knock-spad guard try 10m` tries it");
    assert_open(&world.stranger, world.server.v4, 22);
    server.start();
    server.command(&["guard", "confirm"]).ended_with(0);
    let saved = world.server.run("nft list ruleset");
    reboot(&world, &mut server);
    server.command(&["guard", "restore"]).ended_with(0).said("the guard is up");
    assert_silent(&world.stranger, world.server.v4, 22);
    server.command(&["guard", "remove"]).ended_with(0);
    // A ruleset that was saved with it brings it back.
    world.server.run_command(std::process::Command::new("nft").args(["-f", "-"]), &saved);
    assert_silent(&world.stranger, world.server.v4, 22);
    server.command(&["guard", "restore"]).ended_with(0).said("it was removed");
    assert_eq!(server.guard(), None);
    assert_open(&world.stranger, world.server.v4, 22);
}
