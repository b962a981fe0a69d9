//! The manual pages have every command, option and directive that the programs have, and no others; the list of
//! differences from knockd and the threat model name tests that there are, and the models' text has lines that there are.

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;
use std::process::Command;
use std::sync::LazyLock;

use knock_spa_tests::programs::{knock_spa, knock_spad};

/// Options of every command, and where the manuals say so: at their beginning.
const EVERYWHERE: [&str; 5] = ["--config", "--help", "--home", "--passphrase-fd", "--version"];

/// A command, by its words, and the options that are its own.
struct Told {
    words: Vec<String>,
    options: BTreeSet<String>,
}

/// All commands of a program, by its own help.
fn commands(program: &Path, words: &[String]) -> Vec<Told> {
    let output = Command::new(program).args(words).arg("--help").output().unwrap();
    let help = String::from_utf8(output.stdout).unwrap();
    assert!(!help.is_empty(), "{} {words:?} --help says nothing", program.display());
    let below = help.split_once("\nCommands:\n").map_or("", |(_, rest)| rest);
    let names = below.lines().take_while(|line| !line.is_empty()).filter_map(|line| {
        let name = line.strip_prefix("  ")?.split(' ').next().filter(|name| !name.is_empty())?;
        (name != "help").then(|| name.to_owned())
    });
    let options = options_in(help.lines().filter(|line| line.trim_start().starts_with('-')));
    let mut told = vec![Told { words: words.to_vec(), options }];
    for name in names {
        told.extend(commands(program, &[words, &[name]].concat()));
    }
    told
}

/// The long options that begin a word of these lines, and those of one letter where there is no long one.
fn options_in<'l>(lines: impl Iterator<Item = &'l str>) -> BTreeSet<String> {
    let word = |word: &str| {
        let end = word.find(|c: char| c != '-' && !c.is_ascii_alphanumeric()).unwrap_or(word.len());
        Some(word[..end].to_owned()).filter(|word| word.starts_with("--") && word.len() > 2)
    };
    let words = lines.flat_map(|line| line.split([' ', '`', '(', '['])).filter_map(word);
    words.filter(|word| !EVERYWHERE.contains(&word.as_str())).collect()
}

/// The part of a manual about a command: that under the heading with most of its words.
fn section<'m>(manual: &'m str, words: &[String]) -> Option<(usize, &'m str)> {
    (1..=words.len()).rev().find_map(|count| {
        let (_, rest) = manual.split_once(&format!("\n### {}\n", words[..count].join(" ")))?;
        Some((count, rest.split("\n## ").next()?.split("\n### ").next()?))
    })
}

/// What is wrong with a manual, compared with the program.
fn faults(manual: &str, commands: &[Told]) -> Vec<String> {
    let mut faults = Vec::new();
    for Told { words, options } in commands.iter().filter(|told| !told.words.is_empty()) {
        let name = words.join(" ");
        let is_group =
            commands.iter().any(|other| other.words.len() > words.len() && other.words.starts_with(words));
        let Some((count, section)) = section(manual, words) else {
            if !is_group {
                faults.push(format!("nothing about {name}"));
            }
            continue;
        };
        let bullets = section.lines().filter(|line| line.starts_with("- `-"));
        let described =
            options_in(bullets.map(|line| line.split_once(": ").map_or(line, |(options, _)| options)));
        let mentioned = options_in(section.lines());
        faults
            .extend(options.difference(&mentioned).map(|option| format!("nothing about {option} of {name}")));
        faults.extend(described.difference(options).map(|option| format!("{name} has no {option}")));
        if !words[count..].iter().all(|word| section.to_lowercase().contains(word.as_str())) {
            faults.push(format!("nothing about {name}"));
        }
    }
    faults
}

fn manual(name: &str) -> String {
    fs::read_to_string(format!("{}/../docs/{name}", env!("CARGO_MANIFEST_DIR"))).unwrap()
}

#[test]
fn the_manuals_are_complete() {
    for (program, name) in [(knock_spad(), "knock-spad.8.md"), (knock_spa(), "knock-spa.1.md")] {
        let commands = commands(&program, &[]);
        assert!(commands.len() > 5, "only {} commands of {}", commands.len(), program.display());
        assert_eq!(faults(&manual(name), &commands), [""; 0], "{name}");
    }
}

#[test]
fn a_gap_in_a_manual_is_seen() {
    let commands = commands(&knock_spad(), &[]);
    let good = manual("knock-spad.8.md");
    for (from, to, fault) in [
        ("\n### reload\n", "\n### relaod\n", "nothing about reload"),
        ("`--not-before DATE`, or", "DATE, or", "nothing about --not-before of client add"),
        ("- `--log-level LEVEL`", "- `--colour`: none.\n- `--log-level LEVEL`", "run has no --colour"),
    ] {
        assert!(good.contains(from), "{from}");
        assert_eq!(faults(&good.replace(from, to), &commands), [fault]);
    }
}

/// The directives of knockd, and those that we add.
const DIRECTIVES: [&str; 21] = [
    "UseSyslog",
    "LogFile",
    "PidFile",
    "Interface",
    "Sequence",
    "One_Time_Sequences",
    "Seq_Timeout",
    "Timeout",
    "TCPFlags",
    "Target",
    "Start_Command",
    "Command",
    "Stop_Command",
    "Cmd_Timeout",
    "Start_Command_6",
    "Command_6",
    "Stop_Command_6",
    "Refresh",
    "Tolerate_Repeats",
    "Seq_Cooldown",
    "SPA",
];

/// What stands between backquotes.
fn quoted(text: &str) -> impl Iterator<Item = &str> {
    text.split('`').skip(1).step_by(2)
}

#[test]
fn every_directive_of_knockd_is_described() {
    let manual = manual("knockd.conf.5.md");
    let before = |line: &str| line.split_once(": ").map_or(line, |(names, _)| names).to_owned();
    let bullets: Vec<_> = manual.lines().filter(|line| line.starts_with("- `")).map(before).collect();
    let name = |word: &str| word.split(' ').next().unwrap().to_owned();
    let described: BTreeSet<_> = bullets.iter().flat_map(|names| quoted(names)).map(name).collect();
    let described: BTreeSet<_> =
        described.iter().map(String::as_str).filter(|name| DIRECTIVES.contains(name)).collect();
    assert_eq!(described, BTreeSet::from(DIRECTIVES));
}

/// The option of one letter and the long one, as they are called for help and in the table.
fn pairs<'l>(lines: impl Iterator<Item = &'l str>) -> BTreeSet<(String, String)> {
    let pair = |line: &str| {
        let (short, rest) = line.split_once(", --")?;
        let end = rest.find(|c: char| c != '-' && !c.is_ascii_alphanumeric()).unwrap_or(rest.len());
        Some((short.trim_matches([' ', '|', '`']).to_owned(), rest[..end].to_owned()))
    };
    lines.filter_map(|line| pair(&line.replace("`, `", ", "))).collect()
}

#[test]
fn every_option_of_knockd_is_described() {
    let help = Command::new("knockd").arg("-h").output().expect("knockd is installed").stdout;
    let theirs = pairs(String::from_utf8(help).unwrap().lines());
    assert_eq!(theirs.len(), 11, "{theirs:?}");
    let manual = manual("knock-spad.8.md");
    let section = manual.split_once("\n## AS KNOCKD\n").unwrap().1.split("\n## ").next().unwrap();
    assert_eq!(pairs(section.lines().filter(|line| line.starts_with("| `-"))), theirs);
}

/// Whether a test of this name is anywhere in our packages.
fn is_test(name: &str) -> bool {
    static FUNCTIONS: LazyLock<BTreeSet<String>> = LazyLock::new(|| {
        let top = Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/.."));
        let mut functions = BTreeSet::new();
        for package in ["keys", "proto", "server", "client", "tests"] {
            add_functions(&top.join(package), &mut functions);
        }
        functions
    });
    FUNCTIONS.contains(name)
}

/// Adds the names of all functions in Rust below a directory.
fn add_functions(directory: &Path, functions: &mut BTreeSet<String>) {
    let entries = fs::read_dir(directory).unwrap().map(|entry| entry.unwrap().path());
    for path in entries.filter(|path| path.file_name().is_some_and(|name| name != "target")) {
        if path.is_dir() {
            add_functions(&path, functions);
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            let text = fs::read_to_string(&path).unwrap();
            let names = text.split("fn ").skip(1).filter_map(|rest| rest.split_once('('));
            functions.extend(names.map(|(name, _)| name.to_owned()));
        }
    }
}

#[test]
fn the_differences_from_knockd_are_tested_as_they_say() {
    let text = manual("knockd-compat.md");
    let mut ids = BTreeSet::new();
    for row in text.lines().filter(|line| line.starts_with("| `")) {
        let cells: Vec<_> = row.trim_matches('|').split(" | ").map(str::trim).collect();
        let [id, .., tests] = cells.as_slice() else { panic!("{row}") };
        assert!(cells.len() == 5 && cells.iter().all(|cell| !cell.is_empty()), "{row}");
        assert!(ids.insert(*id), "{id} stands twice");
        for test in quoted(tests) {
            assert!(is_test(test), "{id}: there is no test {test}");
        }
    }
    assert!(ids.len() > 30, "only {} rows", ids.len());
}

/// What is wrong with the rows of a threat model that are about attacks: they end with their tests.
fn faults_of_attacks(text: &str) -> Vec<String> {
    let (head, mut faults, mut count) = ("| attack | what stops it | test |\n", Vec::new(), 0);
    for table in text.split(head).skip(1) {
        for row in table.lines().skip(1).take_while(|line| line.starts_with('|')) {
            count += 1;
            let cells: Vec<_> = row.trim_matches('|').split(" | ").map(str::trim).collect();
            let [attack, stopped_by, tests] = cells[..] else { panic!("{row}") };
            if attack.is_empty() || stopped_by.is_empty() {
                faults.push(format!("something is missing: {row}"));
            }
            if quoted(tests).count() == 0 {
                faults.push(format!("{attack}: no test"));
            }
            let unknown = quoted(tests).filter(|test| !is_test(test));
            faults.extend(unknown.map(|test| format!("{attack}: there is no test {test}")));
        }
    }
    assert!(count > 40, "only {count} rows");
    faults
}

#[test]
fn attacks_are_tested_as_the_threat_model_says() {
    let text = manual("threat-model.md");
    assert_eq!(faults_of_attacks(&text), [""; 0]);
    // A page that nobody reads whole protects nobody.
    assert!(text.lines().count() <= 200);
    for (from, to, fault) in [
        ("`packets_look_random`", "`packets_look_odd`", "there is no test packets_look_odd"),
        ("| `a_journal_that_is_restored_brings_back_only_what_is_fresh` |", "| soon |", "no test"),
    ] {
        assert!(text.contains(from), "{from}");
        let faults = faults_of_attacks(&text.replacen(from, to, 1));
        assert!(matches!(&faults[..], [one] if one.ends_with(fault)), "{faults:?}");
    }
}

#[test]
fn what_is_said_of_the_model_is_in_it() {
    let text = manual("formal/README.md");
    for (section, name, least) in [(5, "replay.pml", 10), (3, "enrolment.pml", 7)] {
        let model = manual(&format!("formal/{name}"));
        let (_, table) = text.split_once(&format!("| section {section} | `{name}` |\n")).unwrap();
        let rows: Vec<_> = table.lines().skip(1).take_while(|line| line.starts_with('|')).collect();
        assert!(rows.len() >= least, "only {} rows of {name}", rows.len());
        for row in rows {
            let (_, line) = row.trim_end_matches(" |").rsplit_once(" | ").unwrap();
            let line = quoted(line).next().unwrap();
            assert!(model.contains(line), "{line} is not in {name}");
        }
    }
}
