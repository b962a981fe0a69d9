//! The demonstration: it tells what it sees, and where something is not so, it says that instead.

use std::fs;
use std::os::unix::fs::{PermissionsExt, symlink};
use std::path::Path;
use std::process::{Command, Output};

use knock_spa_tests::pattern::{fits, without_spans};
use knock_spa_tests::programs::{knock_spa, knock_spad};
use tempfile::TempDir;

/// A directory with the demonstration and the programs. `replace` puts a script in the place of `knock-spad`, which
/// finds the true one as `$real`.
fn stage(replace: Option<&str>) -> TempDir {
    let directory = TempDir::new().unwrap();
    let path = |name: &str| directory.path().join(name);
    fs::copy(env!("CARGO_BIN_EXE_demo"), path("demo")).unwrap();
    symlink(knock_spa(), path("knock-spa")).unwrap();
    match replace {
        None => symlink(knock_spad(), path("knock-spad")).unwrap(),
        Some(script) => {
            let script = format!("#!/bin/sh\nreal={}\n{script}\nexec $real \"$@\"\n", knock_spad().display());
            fs::write(path("knock-spad"), script).unwrap();
            fs::set_permissions(path("knock-spad"), fs::Permissions::from_mode(0o755)).unwrap();
        }
    }
    directory
}

/// What the README shows of it.
fn picture() -> String {
    let readme = fs::read_to_string(concat!(env!("CARGO_MANIFEST_DIR"), "/../README.md")).unwrap();
    let (_, rest) = readme.split_once("```text\n").unwrap();
    rest.split("```").next().unwrap().to_owned()
}

fn run(stage: &Path) -> (Output, String) {
    let output = Command::new(stage.join("demo")).output().unwrap();
    let said = String::from_utf8_lossy(&output.stdout).into_owned();
    (output, said)
}

/// One test, because a file that was written just now cannot be run while another thread starts a process.
#[test]
fn what_is_told_was_seen() {
    let good = stage(None);
    let (output, said) = run(good.path());
    assert!(output.status.success() && said.contains("\nAll is as told: "), "{said}");
    assert!(!said.contains('\x1b'), "colours are for terminals alone");
    let picture = format!("…\n{}", picture());
    assert!(
        fits(&without_spans(&picture), &without_spans(&said)),
        "the README shows something else than\n{said}"
    );

    for (what, script, act) in [
        (
            "the guard does not stand",
            r#"[ "$3" = run ] && sed -i 's/^\[guard\]/[guard]\nstart = "confirmed"/' gw.toml"#,
            "The daemon shuts the port",
        ),
        (
            "once a client is enrolled, the stranger is let in as well",
            r#"[ "$3" = client ] && {
                $real "$@"
                sed -i 's/^trusted .*/trusted = ["198.51.100.0\/24"]/' gw.toml
                exec $real --config gw.toml reload >&2
            }"#,
            "It is open for the laptop alone",
        ),
        (
            "a stopped daemon takes the guard with it",
            r#"[ "$3" = run ] && {
                $real "$@" & daemon=$!
                trap 'kill $daemon' TERM
                wait $daemon; wait $daemon
                PATH=$PATH:/usr/sbin:/sbin nft delete table inet knock_spa
                exit 0
            }"#,
            "The daemon is stopped and started again",
        ),
    ] {
        let stage = stage(Some(script));
        let (output, said) = run(stage.path());
        assert_eq!(output.status.code(), Some(1), "{what}:\n{said}");
        assert!(said.contains(&format!("FAILED in the act \"{act}\"")), "{what}:\n{said}");
    }
}
