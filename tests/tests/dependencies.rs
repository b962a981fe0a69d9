//! `docs/dependencies.md` has each direct dependency, with the version that is asked for and who asks, and no others.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;

use toml::{Table, Value};

/// The packages, by their folders, and what the table calls them.
const PACKAGES: [(&str, &str); 7] = [
    ("keys", "keys"),
    ("proto", "proto"),
    ("server/engine", "engine"),
    ("server", "server"),
    ("client", "client"),
    ("tests", "tests"),
    ("tests/fuzz", "tests/fuzz"),
];

/// Versions that are asked for, and who asks.
type Dependencies = BTreeMap<String, (String, BTreeSet<String>)>;

fn read(path: &str) -> String {
    fs::read_to_string(format!("{}/../{path}", env!("CARGO_MANIFEST_DIR"))).unwrap()
}

/// What the Cargo.toml files say.
fn asked() -> Dependencies {
    let root: Table = read("Cargo.toml").parse().unwrap();
    let shared = root["workspace"]["dependencies"].as_table().unwrap();
    let mut asked = Dependencies::new();
    for (folder, package) in PACKAGES {
        let manifest: Table = read(&format!("{folder}/Cargo.toml")).parse().unwrap();
        for (section, mark) in
            [("dependencies", ""), ("dev-dependencies", " (tests)"), ("build-dependencies", "")]
        {
            let Some(section) = manifest.get(section) else { continue };
            for (name, value) in section.as_table().unwrap() {
                let Some(version) =
                    version(shared.get(name).filter(|_| value.get("workspace").is_some()).unwrap_or(value))
                else {
                    continue;
                };
                let (known, packages) =
                    asked.entry(name.clone()).or_insert_with(|| (version.clone(), BTreeSet::new()));
                assert_eq!(*known, version, "{name}, of {folder}");
                // A package that has it for its users has it for its tests as well.
                if !packages.contains(package) {
                    packages.insert(format!("{package}{mark}"));
                }
            }
        }
    }
    asked
}

/// The version of a dependency; none for one of our own packages.
fn version(value: &Value) -> Option<String> {
    value.as_str().or_else(|| value.get("version")?.as_str()).map(ToOwned::to_owned)
}

/// What the table in `text` says.
fn told(text: &str) -> Dependencies {
    let rows = text.lines().skip_while(|line| !line.starts_with("|---")).skip(1);
    let rows = rows.take_while(|line| line.starts_with('|'));
    let row = |line: &str| {
        let cells: Vec<_> = line.trim_matches('|').split('|').map(str::trim).collect();
        let [name, version, packages, reasons @ ..] = cells.as_slice() else { panic!("{line}") };
        assert!(reasons.len() == 3 && reasons.iter().all(|reason| !reason.is_empty()), "{line}");
        let packages = packages.split(", ").map(ToOwned::to_owned).collect();
        ((*name).to_owned(), ((*version).to_owned(), packages))
    };
    rows.map(row).collect()
}

#[test]
fn the_table_is_what_is_asked_for() {
    assert_eq!(told(&read("docs/dependencies.md")), asked());
}

/// The crates that are shared by the packages are there for one of them at least.
#[test]
fn nothing_is_listed_that_nobody_uses() {
    let root: Table = read("Cargo.toml").parse().unwrap();
    let asked = asked();
    let unused: Vec<_> = root["workspace"]["dependencies"]
        .as_table()
        .unwrap()
        .iter()
        .filter(|(name, value)| version(value).is_some() && !asked.contains_key(*name))
        .collect();
    assert_eq!(unused, [], "in [workspace.dependencies]");
}
