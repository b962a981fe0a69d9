//! fail2ban, with the filter of the documentation, over the logs of both.

use std::fs;
use std::path::Path;
use std::process::Command;

use super::assert_same;
use crate::story::Story;

/// What fail2ban takes for failures in a file.
fn matches(file: &Path) -> Vec<String> {
    let filter = concat!(env!("CARGO_MANIFEST_DIR"), "/../docs/fail2ban/knockd.conf");
    let mut command = Command::new("fail2ban-regex");
    let output = command.args(["--print-all-matched"]).arg(file).arg(filter).output();
    let output = output.unwrap_or_else(|error| panic!("fail2ban-regex (of the package fail2ban): {error}"));
    let text = String::from_utf8(output.stdout).unwrap();
    let (_, rest) = text.split_once("|- Matched line(s):\n").unwrap_or_else(|| panic!("no match in\n{text}"));
    let lines = rest.lines().map_while(|line| line.strip_prefix("|  "));
    let matches: Vec<_> = lines.map(ToOwned::to_owned).collect();
    assert!(text.contains(&format!(" {} matched", matches.len())), "{text}");
    matches
}

/// The lines from their sources on.
fn told(lines: &[String]) -> Vec<&str> {
    let source = |line: &str| ["127.0.0.", "::1 "].iter().find_map(|source| line.find(source));
    lines.iter().map(|line| &line[source(line).expect("a source")..]).collect()
}

#[test]
fn attempts_count_and_openings_do_not() {
    let [ours, theirs] = assert_same(&Story::of_names()).map(|machine| {
        let of_file = matches(&machine.path("log"));
        let syslog = machine.path("syslog");
        fs::write(&syslog, machine.syslog_lines()).unwrap();
        assert_eq!(told(&of_file), told(&matches(&syslog)));
        of_file
    });
    let (ours, theirs) = (told(&ours), told(&theirs));
    assert_eq!(ours, theirs);
    let of_one = |from: &str| {
        [": n: Stage 1", ": n: sequence timeout (stage 1)", ": o: Stage 1"]
            .map(|line| format!("{from}{line}"))
    };
    let expected = ["127.0.0.1 (door-man.example.org)", "::1 (six_host)", "127.0.0.9"].map(of_one);
    assert_eq!(ours, expected.concat());
}
