//! `knock-spa enroll` and `knock-spa hosts`.

use std::fs;
use std::os::unix::fs::{PermissionsExt as _, symlink};

use knock_spa_keys::client::{ClientLine, ClientSecretLine};
use knock_spa_keys::server::{ServerLine, ServerSecret};

use crate::program::{Device, PUBLIC_LINE, SERVER_LINE, program, run};

fn server_line(key: u8, endpoints: &str) -> String {
    let key = ServerSecret::from_bytes([key; 32]).public();
    ServerLine { key, endpoints: endpoints.parse().unwrap() }.to_string()
}

#[test]
fn a_new_device_gets_a_key_of_its_own() {
    let device = Device::new();
    let made = device
        .run(["enroll", "--name", "alice@laptop"])
        .ended_with(0)
        .said("made this device's key: SHA256:");
    let public: ClientLine = made.out.trim_end().parse().unwrap();
    let secret: ClientSecretLine = device.read("client.key").trim_end().parse().unwrap();
    assert_eq!(secret.secret.public(), public.key);
    assert_eq!(public.comment.as_str(), "alice@laptop");
    assert_eq!(device.mode("client.key"), 0o600);
    assert_eq!(device.mode(""), 0o700);
    assert_eq!(device.files().len(), 1);

    let again = device.run(["enroll"]).ended_with(0).printed(&made.out);
    assert!(!again.err.contains("made"), "{again:?}");
    assert_eq!(device.files().len(), 1);

    let other = Device::new().run(["enroll"]).ended_with(0);
    assert_ne!(other.out.split(' ').nth(1), made.out.split(' ').nth(1));
    assert!(other.out.contains(" alice@") || other.out.trim_end().ends_with(" alice"), "{other:?}");
}

#[test]
fn the_key_does_not_change() {
    let device = Device::with_key();
    let before = device.files();
    device.run(["enroll", "--name", "alice@laptop"]).ended_with(0).printed(&format!("{PUBLIC_LINE}\n"));
    device.run(["enroll", "--name", "other"]).ended_with(64).printed("").said("called alice@laptop");
    assert_eq!(device.files(), before);
}

#[test]
fn a_server_line_adds_a_host() {
    let device = Device::with_key();
    let added = device.run(["enroll", SERVER_LINE]).ended_with(0).printed(&format!("{PUBLIC_LINE}\n"));
    added.said("added gw1.example.net: its key is SHA256:");
    assert_eq!(device.mode("hosts.toml"), 0o600);
    let list = device.run(["hosts", "list"]).ended_with(0);
    assert!(list.out.starts_with("gw1.example.net  gw1.example.net:62201  SHA256:"), "{list:?}");
    let show = device.run(["hosts", "show", "gw1.example.net"]).ended_with(0);
    assert!(show.out.contains(SERVER_LINE), "{show:?}");

    device.run(["enroll", SERVER_LINE]).ended_with(0).said("gw1.example.net is known already");
    device.run(["enroll", SERVER_LINE, "--host", "gw"]).ended_with(0).said("added gw:");
    device.run(["hosts", "remove", "gw1.example.net"]).ended_with(0).said("gw1.example.net is forgotten");
    let list = device.run(["hosts", "list"]).ended_with(0);
    assert!(list.out.starts_with("gw  gw1.example.net:62201"), "{list:?}");
    assert_eq!(device.files().len(), 2);
}

#[test]
fn a_line_without_quotes_is_a_line() {
    let device = Device::with_key();
    device
        .run([&["enroll"], &*SERVER_LINE.split(' ').collect::<Vec<_>>()].concat())
        .ended_with(0)
        .said("added");
}

#[test]
fn a_line_can_come_from_standard_input() {
    let device = Device::with_key();
    for (input, words) in [
        ("", "this device's public line"),
        (" \n\n", "client add"),
        (&format!("\n {SERVER_LINE}\n"), "added gw1"),
    ] {
        device
            .run_with_input(["enroll"], input)
            .ended_with(0)
            .printed(&format!("{PUBLIC_LINE}\n"))
            .said(words);
    }
    assert!(device.read("hosts.toml").contains(SERVER_LINE));
}

#[test]
fn a_new_key_of_a_known_host_renews_it() {
    let device = Device::with_key();
    device.run(["enroll", SERVER_LINE, "--host", "gw"]).ended_with(0);
    let ports = device.read("hosts.toml") + "ports = { ssh = 2222 }\n";
    device.write("hosts.toml", &ports, 0o600);

    let rotated = server_line(8, "gw1.example.net:62201");
    device.run(["enroll", &rotated]).ended_with(0).said("renewed gw: its key was SHA256:");
    let moved = server_line(8, "gw2.example.net:62201");
    device.run(["enroll", &moved]).ended_with(0).said("renewed gw: its endpoints changed");
    let hosts = device.read("hosts.toml");
    assert!(hosts.contains(&moved) && hosts.contains("ports = { ssh = 2222 }"), "{hosts}");
    assert!(!hosts.contains(&rotated), "{hosts}");
}

#[test]
fn another_server_on_a_known_host_needs_a_name() {
    let device = Device::with_key();
    device.run(["enroll", SERVER_LINE]).ended_with(0);
    let before = device.files();
    let other = server_line(8, "gw1.example.net:62202");
    device.run(["enroll", &other]).ended_with(65).said("another key").said("--host ALIAS");
    assert_eq!(device.files(), before);
    device.run(["enroll", &other, "--host", "gw1-inner"]).ended_with(0).said("added gw1-inner");
}

#[test]
fn the_home_is_found() {
    let device = Device::new();
    let directory = device.directory();
    for (name, value, place) in [
        ("XDG_CONFIG_HOME", directory.join("xdg"), "xdg/knock-spa"),
        ("HOME", directory.join("me"), "me/.config/knock-spa"),
        ("KNOCK_SPA_HOME", directory.join("here"), "here"),
    ] {
        let mut command = program(env!("CARGO_BIN_EXE_knock-spa"));
        command.arg("enroll").env(name, value);
        run(command, "").ended_with(0);
        assert!(directory.join(place).join("client.key").is_file(), "{name}");
    }
    let named = directory.join("named");
    device.run(["enroll".as_ref(), "--home".as_ref(), named.as_os_str()]).ended_with(0);
    assert!(named.join("client.key").is_file());

    let mut homeless = program(env!("CARGO_BIN_EXE_knock-spa"));
    homeless.arg("enroll");
    run(homeless, "").ended_with(78).said("--home DIR");
}

#[test]
fn a_linked_list_of_hosts_stays_linked() {
    let device = Device::with_key();
    let elsewhere = device.directory().join("dotfiles.toml");
    fs::write(&elsewhere, "version = 1\n").unwrap();
    symlink(&elsewhere, device.path("hosts.toml")).unwrap();
    device.run(["enroll", SERVER_LINE]).ended_with(0);
    assert!(fs::read_to_string(&elsewhere).unwrap().contains(SERVER_LINE));
    assert!(fs::symlink_metadata(device.path("hosts.toml")).unwrap().is_symlink());
}

#[test]
fn many_at_once_agree_on_one_key_and_lose_no_host() {
    let device = Device::new();
    let lines: Vec<String> = (1..=8).map(|key| server_line(key, &format!("gw{key}.example.net:1"))).collect();
    let children: Vec<_> =
        lines.iter().map(|line| device.command(["enroll", line]).spawn().unwrap()).collect();
    let runs: Vec<String> = children
        .into_iter()
        .map(|child| crate::program::Run::of(&child.wait_with_output().unwrap()).ended_with(0).out)
        .collect();
    assert!(runs.iter().all(|out| *out == runs[0]), "{runs:?}");
    let hosts = device.read("hosts.toml");
    assert!(lines.iter().all(|line| hosts.contains(line)), "{hosts}");
    assert_eq!(device.files().len(), 2);
}

#[test]
fn a_key_that_others_can_touch_is_refused() {
    let device = Device::with_key();
    let path = device.path("client.key");
    for mode in [0o644, 0o640, 0o604, 0o620] {
        fs::set_permissions(&path, fs::Permissions::from_mode(mode)).unwrap();
        let before = device.files();
        let refused = device.run(["enroll", SERVER_LINE]).ended_with(77).printed("");
        refused.said(&format!("{mode:04o}")).said(&format!("chmod 600 {}", path.display()));
        assert_eq!(device.files(), before);
    }
    fs::set_permissions(&path, fs::Permissions::from_mode(0o400)).unwrap();
    device.run(["enroll"]).ended_with(0);
}

#[test]
fn a_directory_that_others_can_change_is_refused() {
    let device = Device::new();
    fs::create_dir(device.home()).unwrap();
    fs::set_permissions(device.home(), fs::Permissions::from_mode(0o777)).unwrap();
    device.run(["enroll"]).ended_with(77).said("chmod 700");
    assert_eq!(device.files(), []);
}
