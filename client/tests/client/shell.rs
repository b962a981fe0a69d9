//! What the program says to other programs: to ssh, to shells, and to whoever reads JSON.

use std::fs;

use serde_json::{Value, json};

use crate::program::{Device, SERVER_LINE, program, run};

/// A device that knows `gw`, with ssh at another port.
fn enrolled() -> Device {
    let device = Device::with_key();
    device.run(["enroll", SERVER_LINE, "--host", "gw"]).ended_with(0);
    let hosts = device.read("hosts.toml") + "ports = { ssh = 2222, web = 8443 }\n";
    device.write("hosts.toml", &hosts, 0o600);
    device
}

const PROGRAM: &str = env!("CARGO_BIN_EXE_knock-spa");

#[test]
fn a_block_for_ssh_is_data_and_nothing_else_is_said() {
    let run = enrolled().run(["ssh-config", "gw"]).ended_with(0);
    assert_eq!(run.err, "");
    let (comments, lines): (Vec<_>, Vec<_>) = run.out.lines().partition(|line| line.starts_with('#'));
    assert_eq!(comments.len(), 1, "{run:?}");
    let proxy = format!("    ProxyCommand {PROGRAM} proxy gw %p");
    assert_eq!(lines, ["Host gw", "    HostName gw1.example.net", "    Port 2222", &proxy]);
}

#[test]
fn the_manner_and_the_home_go_into_the_command() {
    let device = enrolled();
    let home = device.directory().join("it's 100% mine");
    fs::create_dir(&home).unwrap();
    for name in ["client.key", "hosts.toml"] {
        fs::copy(device.path(name), home.join(name)).unwrap();
    }
    let home = home.to_str().unwrap();
    let words =
        ["--home", home, "ssh-config", "gw", "--for", "10m", "--source", "sender", "--wait", "9s", "-6"];
    let out = device.run(words).ended_with(0).out;
    let home = home.replace("it's 100%", r"it'\''s 100%%");
    let words = format!("{PROGRAM} --home '{home}' proxy --for 10m --source sender --wait 9s -6 gw %p");
    assert!(out.ends_with(&format!("    ProxyCommand {words}\n")), "{words} in {out}");
}

#[test]
fn a_key_under_a_passphrase_is_warned_of() {
    let device = enrolled();
    device.write("client.key", "knock-spa-client-sealed-v1 AAAA alice@laptop\n", 0o600);
    let run = device.run(["ssh-config", "gw"]).ended_with(0);
    let words = "this device's key has a passphrase, and each `ssh gw` will ask for it";
    let comments = run.out.lines().filter(|line| line.starts_with('#')).collect::<String>();
    assert!(comments.contains(words) && run.err.contains(words), "{run:?}");
}

#[test]
fn hosts_are_objects() {
    let device = enrolled();
    let parse = |words: [&str; 3]| -> Value {
        let run = device.run(words).ended_with(0);
        assert_eq!((run.err.as_str(), run.out.matches('\n').count()), ("", 1));
        serde_json::from_str(&run.out).unwrap()
    };
    let list = parse(["hosts", "list", "--json"]);
    let fingerprint = list["hosts"][0]["fingerprint"].as_str().unwrap();
    assert!(fingerprint.starts_with("SHA256:"), "{list}");
    let gw = json!({
        "name": "gw", "endpoints": ["gw1.example.net:62201"], "fingerprint": fingerprint,
        "ports": { "ssh": 2222, "web": 8443 }, "line": SERVER_LINE,
    });
    assert_eq!(list, json!({ "hosts": [gw] }));
    let run = device.run(["hosts", "show", "gw", "--json"]).ended_with(0);
    assert_eq!(serde_json::from_str::<Value>(&run.out).unwrap(), gw);
    device.run(["hosts", "remove", "gw"]).ended_with(0);
    assert_eq!(parse(["hosts", "list", "--json"]), json!({ "hosts": [] }));
}

#[test]
fn closing_is_an_object() {
    let device = Device::with_key();
    let line = SERVER_LINE.replace("gw1.example.net:62201", "127.0.0.1:9");
    device.run(["enroll", &line, "--host", "gw"]).ended_with(0);
    for (words, services) in [
        (&["close", "ssh,tcp/8443", "gw", "--json"][..], json!(["ssh", "tcp/8443"])),
        (&["close", "gw", "--json"], json!([])),
    ] {
        let run = device.run(words).ended_with(0);
        assert_eq!(run.err, "");
        let report: Value = serde_json::from_str(&run.out).unwrap();
        let expected = json!({
            "host": "gw", "services": services, "outcome": "sent", "server": "127.0.0.1:9", "packets": 2,
        });
        assert_eq!(report, expected);
    }
}

#[test]
fn completions_are_scripts_for_their_shells() {
    let device = Device::new();
    for (shell, beginning) in
        [("bash", "_knock__spa() {"), ("zsh", "#compdef knock-spa"), ("fish", "# Print an optspec")]
    {
        let run = device.run(["completions", shell]).ended_with(0);
        assert!(run.err.is_empty() && run.out.starts_with(beginning), "{shell}: {run:?}");
        for word in ["ssh-config", "doctor", "no-wait"] {
            assert!(run.out.contains(word), "{word} for {shell}");
        }
    }
    device.run(["completions", "tcsh"]).ended_with(64).said("bash, zsh, fish");
}

/// What bash offers for `word`, which is being typed behind these.
fn offered(script: &str, before: &[&str], word: &str) -> Vec<String> {
    let previous = before.last().unwrap();
    let test = format!(
        "source {script}
         COMP_WORDS=({} {word}); COMP_CWORD={}
         [[ $(complete -p knock-spa) =~ -F\\ ([^ ]+) ]]; ${{BASH_REMATCH[1]}} knock-spa '{word}' '{previous}'
         printf '%s\\n' \"${{COMPREPLY[@]}}\"",
        before.join(" "),
        before.len(),
    );
    let mut bash = program("/bin/bash");
    bash.args(["--norc", "-c", &test]);
    run(bash, "").ended_with(0).out.lines().map(str::to_owned).collect()
}

#[test]
fn bash_accepts_its_script_and_completes_with_it() {
    let device = Device::new();
    let script = device.run(["completions", "bash"]).ended_with(0).out;
    let path = device.directory().join("completions");
    fs::write(&path, script).unwrap();
    let path = path.to_str().unwrap();
    let mut check = program("/bin/bash");
    check.args(["-n", path]);
    assert_eq!(run(check, "").ended_with(0).err, "");
    for (before, word, expected) in [
        (&["knock-spa"][..], "cl", "close"),
        (&["knock-spa"], "ssh", "ssh-config"),
        (&["knock-spa", "open", "ssh", "gw"], "--no", "--no-wait"),
        (&["knock-spa", "hosts"], "re", "remove"),
        (&["knock-spa", "completions"], "z", "zsh"),
        (&["knock-spa", "ssh-config", "gw"], "--so", "--source"),
    ] {
        assert_eq!(offered(path, before, word), [expected], "{before:?} {word}");
    }
}

#[test]
fn the_doctor_asks_the_system_about_the_clock() {
    let device = Device::with_key();
    let line = SERVER_LINE.replace("gw1.example.net:62201", "127.0.0.1:9");
    device.run(["enroll", &line, "--host", "gw"]).ended_with(0);
    let tools = device.directory().join("bin");
    fs::create_dir(&tools).unwrap();
    let tool = tools.join("timedatectl");
    for (answer, state) in
        [("echo yes", "good"), ("echo no", "note"), ("exec sleep 60", "unknown"), ("exit 1", "unknown")]
    {
        fs::write(&tool, format!("#!/bin/sh\n{answer}\n")).unwrap();
        fs::set_permissions(&tool, std::os::unix::fs::PermissionsExt::from_mode(0o755)).unwrap();
        let mut doctor = device.command(["doctor", "gw", "--json", "--service", "udp/9"]);
        doctor.env("PATH", format!("{}:/usr/bin:/bin", tools.display()));
        let report: Value = serde_json::from_str(&run(doctor, "").ended_with(69).out).unwrap();
        let clock = &report["findings"][0];
        assert_eq!((&clock["check"], &clock["state"]), (&json!("clock"), &json!(state)), "{answer}: {clock}");
        assert_eq!(report["well"], false);
    }
}
