//! Command lines that come to an end by themselves.

use std::fs::{self, File};
use std::path::Path;

use knock_spa_tests::knockd::daemon::Daemon;
use knock_spa_tests::knockd::rig::Rig;
use knock_spa_tests::lab::{PATIENCE, until};
use knock_spa_tests::pattern::fits;

use super::daemons;

/// A command line, and what comes of it. `DIR` is a directory with some configurations, and `…` is anything.
struct Invocation {
    args: &'static str,
    status: i32,
    out: &'static str,
    err: &'static str,
    /// The row of `docs/knockd-compat.md` that says what the successor does instead, if it does.
    row: Option<&'static str>,
}

const VERSION: &str = "knockd 0.8\n…\n";
const USAGE: &str = "usage: knockd [options]\n…-i, --interface…-h, --help…\n";

const fn told(args: &'static str, out: &'static str) -> Invocation {
    Invocation { args, status: 0, out, err: "", row: None }
}

/// What getopt does not like.
const fn disliked(args: &'static str, err: &'static str) -> Invocation {
    Invocation { args, status: 0, out: USAGE, err, row: None }
}

/// What ends with the status 1.
const fn refused(args: &'static str, out: &'static str, err: &'static str) -> Invocation {
    Invocation { args, status: 1, out, err, row: None }
}

impl Invocation {
    const fn row(self, row: &'static str) -> Self {
        Self { row: Some(row), ..self }
    }
}

/// The names of configurations, and what is in them.
const CONFIGURATIONS: [(&str, &str); 5] = [
    ("good", "[d]\nsequence = 7000\n"),
    ("bad", "[d]\nsequence = 70000\n"),
    ("target", "[d]\nsequence = 7000\ntarget = 1.2.3.4.5\n"),
    ("name", "[d]\nsequence = 7000\ntarget = nobody.invalid\n"),
    ("elsewhere", "[options]\ninterface = nothing0\n[d]\nsequence = 7000\n"),
];

const INVOCATIONS: &[Invocation] = &[
    told("-V", VERSION).row("version-text"),
    told("--version", VERSION).row("version-text"),
    told("--vers", VERSION).row("version-text"),
    told("-c /nonexistent -V", VERSION).row("version-text"),
    told("-V -x", VERSION).row("version-text"),
    told("word -V", VERSION).row("version-text"),
    told("-Vx", VERSION).row("version-text"),
    told("-h", USAGE),
    told("--help", USAGE),
    told("-h -V", USAGE),
    told("-c /nonexistent -i nothing0 --he", USAGE),
    disliked("-x", "knockd: invalid option -- 'x'\n"),
    disliked("-x -V", "knockd: invalid option -- 'x'\n"),
    disliked("-vx", "knockd: invalid option -- 'x'\n"),
    disliked("--colour", "knockd: unrecognized option '--colour'\n"),
    disliked("--colour=blue", "knockd: unrecognized option '--colour=blue'\n"),
    disliked("-c", "knockd: option requires an argument -- 'c'\n"),
    disliked("-i", "knockd: option requires an argument -- 'i'\n"),
    disliked("--config", "knockd: option '--config' requires an argument\n"),
    disliked("--conf", "knockd: option '--config' requires an argument\n"),
    disliked("--v", "knockd: option '--v' is ambiguous; possibilities: '--verbose' '--version'\n"),
    disliked("--l", "knockd: option '--l' is ambiguous; possibilities: '--lookup' '--logfile'\n"),
    disliked("--debug=1", "knockd: option '--debug' doesn't allow an argument\n"),
    refused("-c /nonexistent", USAGE, "/nonexistent: No such file or directory\n"),
    refused("-d -c /nonexistent", USAGE, "/nonexistent: No such file or directory\n"),
    refused("-i nothing0 -c DIR/bad", USAGE, "config: section d: port 70000 is invalid\n"),
    refused("-d -c DIR/bad", USAGE, "config: section d: port 70000 is invalid\n"),
    refused("-D -c DIR/bad", "…usage: knockd [options]\n…", "config: section d: port 70000 is invalid\n"),
    refused("-i nothing0 -c DIR/good", "", "could not open nothing0: nothing0: No such device exists…\n")
        .row("interface-awaited"),
    refused("-d -i nothing0 -c DIR/good", "", "could not open nothing0: nothing0: No such device exists…\n")
        .row("interface-awaited"),
    refused("-c DIR/elsewhere", "", "could not open nothing0: nothing0: No such device exists…\n")
        .row("interface-awaited"),
    refused("-i lo -c DIR/good", "", "could not open lo: lo: That device is not up\n").row("interface-awaited"),
    refused(
        "-i abcdefghijklmnopqrstuvwxyzabcdefghijklmnopqrstuvwxyz -c DIR/good",
        "",
        "could not open abcdefghijklmnopqrstuvwxyzabcde: abcdefghijklmnopqrstuvwxyzabcde: No such device exists…\n",
    )
    .row("interface-awaited"),
    refused("-i eth0 -c DIR/target", "", "pcap_compile: unknown host '1.2.3.4.5'\n").row("target-text"),
    refused("-i eth0 -c DIR/name", "", "pcap_compile: unknown host 'nobody.invalid'\n").row("target-text"),
];

/// The rows that are named here.
pub fn rows() -> impl Iterator<Item = &'static str> {
    INVOCATIONS.iter().filter_map(|invocation| invocation.row)
}

/// What is wrong with what the daemon does.
fn complaint(rig: &Rig, daemon: Daemon, directory: &Path, invocation: &Invocation) -> Option<String> {
    let path = |name: &str| directory.join(name);
    let [out, err] = ["out", "err"].map(|name| File::create(path(name)).expect("a new file"));
    let mut command = daemon.command(rig.scratch());
    let text = directory.to_str().expect("a path of text");
    command.args(invocation.args.split_whitespace().map(|arg| arg.replace("DIR", text)));
    command.stdout(out).stderr(err);
    let mut running = rig.server().enter(|| command.spawn()).expect("starting a daemon");
    let mut status = None;
    until(PATIENCE, invocation.args, || {
        status = running.try_wait().expect("waiting for a child");
        status.is_some()
    });
    let [out, err] = ["out", "err"].map(|name| fs::read_to_string(path(name)).expect("reading a file"));
    let status = status.and_then(|status| status.code());
    let fit = status == Some(invocation.status) && fits(invocation.out, &out) && fits(invocation.err, &err);
    (!fit).then(|| format!("{daemon:?} {}: {status:?}\n{out}{err}", invocation.args))
}

#[test]
fn command_lines_end_as_they_should() {
    let rig = Rig::new();
    let directory = rig.scratch().join("invocations");
    fs::create_dir(&directory).expect("a new directory");
    for (name, text) in CONFIGURATIONS {
        fs::write(directory.join(name), text).expect("writing a file");
    }
    let mut complaints = Vec::new();
    for daemon in daemons() {
        let judged = INVOCATIONS.iter().filter(|it| daemon == Daemon::Knockd || it.row.is_none());
        complaints.extend(judged.filter_map(|invocation| complaint(&rig, daemon, &directory, invocation)));
    }
    assert!(complaints.is_empty(), "{}", complaints.join("\n"));
}
