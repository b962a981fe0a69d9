//! Keys under a passphrase.

use std::fs;
use std::net::Ipv4Addr;
use std::process::Stdio;

use knock_spa_keys::client::ClientSecretLine;
use knock_spa_keys::sealed::ClientSealedLine;

use crate::program::{Device, PUBLIC_LINE, Run, SECRET_LINE, program, run};
use crate::server::Server;
use crate::terminal::Terminal;

const PASSPHRASE: &str = "correct horse, Ärger";

/// Two lines of standard input: what to say first and second.
fn lines(first: &str, second: &str) -> String {
    format!("{first}\n{second}\n")
}

/// A device whose key, of the seed 32 × 0x09, has the passphrase, and a server that it knows as `gw`.
fn sealed() -> (Device, Server) {
    let (device, server) = (Device::with_key(), Server::at(Ipv4Addr::LOCALHOST));
    device.run(["enroll", &server.line(), "--host", "gw"]).ended_with(0);
    set(&device, &format!("{PASSPHRASE}\n")).ended_with(0).said("set the passphrase");
    (device, server)
}

fn set(device: &Device, input: &str) -> Run {
    device.run_with_input(["passphrase", "--passphrase-fd", "0"], input)
}

fn remove(device: &Device, passphrase: &str) -> Run {
    device.run_with_input(["passphrase", "--remove", "--passphrase-fd", "0"], passphrase)
}

fn open(device: &Device, passphrase: &str) -> Run {
    device.run_with_input(["open", "ssh", "gw", "--no-wait", "--passphrase-fd", "0"], passphrase)
}

/// The lines of the key's file.
fn kept(device: &Device) -> Vec<String> {
    device.read("client.key").lines().map(str::to_owned).collect()
}

fn unsealed(line: &str, passphrase: &str) -> ClientSecretLine {
    line.parse::<ClientSealedLine>().unwrap().unseal(passphrase.as_bytes()).unwrap()
}

#[test]
fn a_new_key_can_have_a_passphrase() {
    let device = Device::new();
    let made =
        device.run_with_input(["enroll", "--passphrase", "--passphrase-fd", "0"], &lines(PASSPHRASE, ""));
    let made = made.ended_with(0).said("made this device's key");
    let file = kept(&device);
    assert_eq!((file.len(), file[1].as_str(), device.mode("client.key")), (2, made.out.trim_end(), 0o600));
    assert_eq!(
        unsealed(&file[0], PASSPHRASE).secret.public(),
        made.out.trim_end().parse::<knock_spa_keys::client::ClientLine>().unwrap().key
    );
    // Whatever needs no secret asks for none.
    device.run(["enroll"]).ended_with(0).printed(&made.out);
    device.run(["enroll", "--passphrase"]).ended_with(0).printed(&made.out);
    device.run(["hosts", "list"]).ended_with(0);
    assert_eq!(kept(&device), file);
}

#[test]
fn a_key_that_has_none_does_not_get_one_by_the_way() {
    let device = Device::with_key();
    let before = device.files();
    device.run(["enroll", "--passphrase"]).ended_with(64).printed("").said("knock-spa passphrase");
    assert_eq!(device.files(), before);
}

#[test]
fn the_passphrase_lets_the_key_be_used() {
    let (device, server) = sealed();
    open(&device, &format!("{PASSPHRASE}\n")).ended_with(0).said("sent 1 packet");
    drop(server.hear_request());
    // The last line of a file may lack its end.
    open(&device, PASSPHRASE).ended_with(0);
    drop(server.hear_request());
    device.run_with_input(["close", "gw", "--passphrase-fd", "0"], PASSPHRASE).ended_with(0);
    drop(server.hear_request());
}

#[test]
fn another_passphrase_sends_nothing() {
    let (device, server) = sealed();
    for wrong in ["", "\n", "wrong", "correct horse, Ärger ", "correct horse"] {
        let status = if wrong.is_empty() { 66 } else { 77 };
        open(&device, wrong).ended_with(status).printed("");
    }
    open(&device, "wrong").said("not the passphrase").said("the key is lost");
    open(&device, &"x".repeat(1025)).ended_with(66).said("longer than 1024 bytes");
    assert!(server.has_heard_all());
}

#[test]
fn a_passphrase_is_set_changed_and_removed() {
    let device = Device::with_key();
    set(&device, "one\n").ended_with(0);
    let first = kept(&device);
    assert_eq!(first[1], PUBLIC_LINE);
    set(&device, &lines("one", "two")).ended_with(0).said("changed the passphrase");
    let second = kept(&device);
    assert_ne!(first[0], second[0]);
    assert_eq!(unsealed(&second[0], "two").to_text().as_str(), SECRET_LINE);

    set(&device, &lines("one", "three")).ended_with(77);
    remove(&device, "one").ended_with(77);
    assert_eq!(kept(&device), second);
    remove(&device, "two").ended_with(0).said("removed the passphrase");
    assert_eq!((kept(&device), device.mode("client.key")), (vec![SECRET_LINE.to_owned()], 0o600));
    device.run(["passphrase", "--remove"]).ended_with(0).said("has no passphrase");
    assert_eq!(device.files().len(), 1);
}

#[test]
fn the_same_passphrase_seals_differently() {
    let sealed = [(); 2].map(|()| {
        let device = Device::with_key();
        set(&device, PASSPHRASE).ended_with(0);
        kept(&device).swap_remove(0)
    });
    let [salt, text] =
        [27..48, 81..144].map(|part| sealed.each_ref().map(|line| line.get(part.clone()).unwrap()));
    assert_ne!(salt[0], salt[1]);
    assert_ne!(text[0], text[1]);
}

#[test]
fn an_empty_passphrase_is_none() {
    let (device, _server) = sealed();
    let before = device.files();
    set(&device, &lines(PASSPHRASE, "")).ended_with(65).said("--remove");
    set(&device, PASSPHRASE).ended_with(66).said("no further line");
    assert_eq!(device.files(), before);
    Device::new().run(["passphrase"]).ended_with(66).said("no key yet");
}

#[test]
fn a_key_file_that_does_not_hold_together_is_refused() {
    let (device, server) = sealed();
    let file = kept(&device);
    let other = Device::new().run(["enroll", "--name", "alice@laptop"]).ended_with(0).out;
    for (text, said) in [
        (format!("{}\n{other}", file[0]), "its public line is another key's"),
        (format!("{}\n", file[0]), "its public line, which is missing"),
        (format!("{}\n{}\nmore\n", file[0], file[1]), "is not a key"),
        (format!("{SECRET_LINE}\n{PUBLIC_LINE}\n"), "something behind the key"),
        (format!("{PUBLIC_LINE}\n"), "is not a key"),
    ] {
        device.write("client.key", &text, 0o600);
        open(&device, PASSPHRASE).ended_with(65).printed("").said(said);
    }
    device.write("client.key", &format!("{}\n{}\n", file[0], file[1]), 0o644);
    open(&device, PASSPHRASE).ended_with(77).said("chmod 600");
    assert!(server.has_heard_all());
}

#[test]
fn a_passphrase_comes_from_any_descriptor() {
    let (device, server) = sealed();
    let file = device.directory().join("passphrase");
    fs::write(&file, format!("{PASSPHRASE}\nanother line\n")).unwrap();
    for script in [
        "exec \"$0\" open ssh gw --no-wait --passphrase-fd 3 3<\"$1\"",
        "cat \"$1\" | \"$0\" --passphrase-fd 7 open ssh gw --no-wait 7<&0 </dev/null",
    ] {
        let mut shell = program("/bin/sh");
        shell.args(["-c", script, env!("CARGO_BIN_EXE_knock-spa")]).arg(&file);
        shell.env("KNOCK_SPA_HOME", device.home()).env("PATH", "/bin");
        run(shell, "").ended_with(0);
        drop(server.hear_request());
    }
}

#[test]
fn without_a_terminal_nobody_is_asked() {
    let (device, server) = sealed();
    let mut alone = program("/usr/bin/setsid");
    alone.args(["--wait", env!("CARGO_BIN_EXE_knock-spa"), "open", "ssh", "gw"]);
    alone.env("KNOCK_SPA_HOME", device.home()).stdin(Stdio::piped());
    run(alone, PASSPHRASE).ended_with(66).said("terminal").said("--passphrase-fd");
    assert!(server.has_heard_all());
}

/// As under ssh, where the standard streams are a connection.
#[test]
fn the_terminal_is_asked_whatever_the_streams_are_and_shows_nothing() {
    let (device, server) = sealed();
    let mut terminal = Terminal::run(&device, "exec \"$0\" open ssh gw --no-wait </dev/null >/dev/null");
    terminal.await_text("passphrase of ").await_text("client.key: ");
    assert!(!terminal.echoes());
    terminal.type_keys("wrong\n").await_text("once more").await_text("client.key: ");
    terminal.type_keys("\x15correct  \x7f\x08 horse, Ärger\n");
    let shown = terminal.ended_with(0);
    assert!(shown.contains("sent 1 packet") && !shown.contains("horse"), "{shown:?}");
    drop(server.hear_request());

    let mut terminal = Terminal::run(&device, "exec \"$0\" open ssh gw --no-wait");
    for _ in 0..3 {
        terminal.await_text("client.key: ").type_keys("wrong\n");
    }
    assert!(terminal.ended_with(77).contains("not the passphrase"));
    assert!(server.has_heard_all());
}

#[test]
fn who_gives_up_leaves_a_terminal_that_shows() {
    let (device, server) = sealed();
    for keys in ["\x03", "half\x03", "\x1c", "\x04"] {
        let mut terminal = Terminal::run(&device, "exec \"$0\" open ssh gw");
        terminal.await_text("client.key: ").type_keys(keys);
        assert!(terminal.ended_with(130).contains("no passphrase was entered"), "{keys:?}");
    }
    assert!(server.has_heard_all());
}

#[test]
fn a_passphrase_is_typed_twice() {
    let device = Device::with_key();
    let before = device.files();
    for (first, second, status, said) in [
        ("one", "two", 65, "not the same"),
        ("", "", 65, "empty passphrase"),
        ("one", "one", 0, "set the passphrase"),
    ] {
        assert_eq!(device.files(), before);
        let mut terminal = Terminal::run(&device, "exec \"$0\" passphrase");
        terminal.await_text("new passphrase: ").type_keys(&format!("{first}\n"));
        if !first.is_empty() {
            terminal.await_text("once more: ").type_keys(&format!("{second}\n"));
        }
        assert!(terminal.ended_with(status).contains(said));
    }
    assert_eq!(unsealed(&kept(&device)[0], "one").to_text().as_str(), SECRET_LINE);
}

#[test]
fn many_who_set_one_at_once_leave_a_whole_key() {
    let device = Device::with_key();
    let words = ["passphrase", "--passphrase-fd", "0"];
    let runs: Vec<i32> = std::thread::scope(|scope| {
        let device = &device;
        let running: Vec<_> = (0..4)
            .map(|number| {
                scope.spawn(move || device.run_with_input(words, &format!("pass{number}\n")).status)
            })
            .collect();
        running.into_iter().map(|run| run.join().unwrap()).collect()
    });
    // Who reads after another has written cannot open it, and who is overtaken says so.
    assert_eq!(runs.iter().filter(|status| **status == 0).count(), 1, "{runs:?}");
    assert!(runs.iter().all(|status| [0, 74, 77, 66].contains(status)), "{runs:?}");
    let line = kept(&device).swap_remove(0).parse::<ClientSealedLine>().unwrap();
    let opened = (0..4).find_map(|number| line.unseal(format!("pass{number}").as_bytes()).ok()).unwrap();
    assert_eq!(opened.to_text().as_str(), SECRET_LINE);
    assert_eq!(device.files().len(), 1);
}
