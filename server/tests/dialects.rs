//! Files in knockd's dialect, on the command line.
#![expect(clippy::disallowed_methods, reason = "the program under test is run here")]
#![expect(clippy::unwrap_used, reason = "a test that can't go on fails")]

use std::fs;
use std::path::Path;
use std::process::{Command, Output};

use tempfile::TempDir;

const OLD: &str = "[options]\nlogfile = /var/log/knockd.log\n\
    [open]\nsequence = 7,9,8\ntcpflags = syn\n\
    start_command = /sbin/iptables -I INPUT -s %IP% -p tcp --dport 22 -j ACCEPT\n\
    stop_command = /sbin/iptables -D INPUT -s %IP% -p tcp --dport 22 -j ACCEPT\n\
    start_command_6 = /sbin/ip6tables -I INPUT -s %IP% -p tcp --dport 22 -j ACCEPT\n\
    stop_command_6 = /sbin/ip6tables -D INPUT -s %IP% -p tcp --dport 22 -j ACCEPT\n";

fn run(directory: &TempDir, arguments: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_knock-spad")).current_dir(directory).args(arguments).output().unwrap()
}

fn said(output: &Output) -> String {
    String::from_utf8([&output.stdout[..], &output.stderr].concat()).unwrap()
}

/// A directory with the old file under this name, for its owner alone.
fn with(name: &str) -> TempDir {
    let directory = TempDir::new().unwrap();
    write(&directory.path().join(name), OLD);
    directory
}

fn write(path: &Path, text: &str) {
    use std::os::unix::fs::PermissionsExt;

    fs::write(path, text).unwrap();
    fs::set_permissions(path, fs::Permissions::from_mode(0o600)).unwrap();
}

#[test]
fn a_file_is_checked_in_its_own_dialect() {
    let good = "good; doors in knockd's manner: 1\n";
    let directory = with("old.conf");
    let checked = run(&directory, &["check", "--config", "old.conf"]);
    assert_eq!((checked.status.code(), said(&checked)), (Some(0), format!("old.conf: {good}")));
    let directory = with("old");
    let checked = run(&directory, &["check", "--config", "old", "--knockd"]);
    assert_eq!((checked.status.code(), said(&checked)), (Some(0), format!("old: {good}")));
    let checked = run(&directory, &["check", "--config", "old"]);
    assert_eq!(checked.status.code(), Some(1));
    assert!(said(&checked).contains(": error: not TOML"), "{}", said(&checked));
}

#[test]
fn what_is_imported_can_be_used() {
    let directory = with("old.conf");
    let imported = run(&directory, &["import", "knockd", "old.conf"]);
    assert_eq!((imported.status.code(), imported.stderr.len()), (Some(0), 0), "{}", said(&imported));
    write(&directory.path().join("new.toml"), str::from_utf8(&imported.stdout).unwrap());
    let checked = run(&directory, &["check", "--config", "new.toml"]);
    assert!(
        said(&checked).contains("new.toml: good; doors: 0; doors in knockd's manner: 1"),
        "{}",
        said(&checked)
    );
}

#[test]
fn a_wrong_file_is_not_imported() {
    let directory = with("old.conf");
    write(&directory.path().join("bad.conf"), "[a]\nsequence = 70000\n[b]\nx\n");
    let imported = run(&directory, &["import", "knockd", "bad.conf"]);
    assert_eq!((imported.status.code(), imported.stdout.len()), (Some(65), 0));
    let (said, file) = (said(&imported), directory.path().join("bad.conf"));
    for line in [2, 3, 4] {
        assert!(said.contains(&format!("{}:{line}: ", file.display())), "{said}");
    }
}

#[test]
fn no_first_configuration_is_made_in_knockd_s_dialect() {
    let directory = TempDir::new().unwrap();
    let made = run(&directory, &["init", "--config", "new.conf"]);
    assert_eq!(made.status.code(), Some(66), "{}", said(&made));
    assert!(said(&made).contains("`--config FILE` names another"), "{}", said(&made));
    assert_eq!(fs::read_dir(&directory).unwrap().count(), 0);
}
