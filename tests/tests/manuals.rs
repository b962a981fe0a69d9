//! The manual pages have every command and option that the programs have, and no others.

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;
use std::process::Command;

use knock_spa_tests::programs::{knock_spa, knock_spad};

/// Options of every command, and where the manuals say so: at their beginning.
const EVERYWHERE: [&str; 4] = ["--config", "--help", "--home", "--version"];

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
        ("`--not-before DATE`", "DATE", "nothing about --not-before of client add"),
        ("- `--log-level LEVEL`", "- `--colour`: none.\n- `--log-level LEVEL`", "run has no --colour"),
    ] {
        assert!(good.contains(from), "{from}");
        assert_eq!(faults(&good.replace(from, to), &commands), [fault]);
    }
}
