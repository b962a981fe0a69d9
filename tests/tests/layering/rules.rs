//! The rules, each a function from a tree to the faults in it.

use std::collections::{BTreeMap, BTreeSet};

use toml::{Table, Value};

use crate::tree::Tree;

/// A package of the house.
struct Package {
    folder: &'static str,
    name: &'static str,
    /// The packages of the house that it may use.
    house: &'static [&'static str],
    /// The others that it may use, if it is pure: no clock, no randomness, no files, no sockets.
    pure: Option<&'static [&'static str]>,
}

const KEYS: &str = "knock-spa-keys";
const PROTO: &str = "knock-spa-proto";
const ENGINE: &str = "knock-spa-engine";
const SERVER: &str = "knock-spad";
const CLIENT: &str = "knock-spa";
const TESTS: &str = "knock-spa-tests";

const PACKAGES: [Package; 6] = [
    Package {
        folder: "keys",
        name: KEYS,
        house: &[],
        pure: Some(&[
            "argon2",
            "base64",
            "chacha20poly1305",
            "curve25519-dalek",
            "ring",
            "thiserror",
            "x25519-dalek",
            "zeroize",
        ]),
    },
    Package {
        folder: "proto",
        name: PROTO,
        house: &[KEYS],
        pure: Some(&["chacha20", "chacha20poly1305", "pnet_packet", "ring", "serde", "thiserror", "zeroize"]),
    },
    Package {
        folder: "server/engine",
        name: ENGINE,
        house: &[KEYS, PROTO],
        pure: Some(&["thiserror", "zeroize"]),
    },
    Package { folder: "server", name: SERVER, house: &[KEYS, PROTO, ENGINE], pure: None },
    Package { folder: "client", name: CLIENT, house: &[KEYS, PROTO], pure: None },
    Package { folder: "tests", name: TESTS, house: &[KEYS, PROTO, ENGINE, SERVER, CLIENT], pure: None },
];

/// What may lie at the top, besides files whose names begin with a dot.
const TOP: [&str; 12] = [
    "CHANGELOG.md",
    "Cargo.lock",
    "Cargo.toml",
    "LICENSE-APACHE",
    "LICENSE-MIT",
    "README.md",
    "client",
    "docs",
    "keys",
    "proto",
    "server",
    "tests",
];

/// The only place for unsafe code, and in how many of its files.
const UNSAFE_FOLDER: &str = "server/src/io/";
const UNSAFE_FILES_MAX: usize = 2;

/// Names of modules that do not say what they are.
const EMPTY_WORDS: [&str; 8] = ["util", "utils", "common", "helper", "helpers", "manager", "misc", "shared"];

/// All that is wrong with a tree: empty for a good one.
pub fn faults(tree: &Tree) -> Vec<String> {
    let rules = [arrows, members, lints, purity, strangers, unsafety, names, top];
    rules.iter().flat_map(|rule| rule(tree)).collect()
}

/// keys ← proto ← engine ← server; keys, proto ← client; and the pure use nothing else that can reach out.
fn arrows(tree: &Tree) -> Vec<String> {
    let mut faults = Vec::new();
    for package in PACKAGES {
        let manifest = manifest(tree, package.folder);
        for (kind, name) in dependencies(&manifest, package.folder) {
            let allowed = if PACKAGES.iter().any(|other| other.name == name) {
                package.house.contains(&name.as_str())
            } else {
                // What only their tests use may be anything.
                kind == "dev-dependencies" || package.pure.is_none_or(|pure| pure.contains(&name.as_str()))
            };
            if !allowed {
                faults.push(format!("{} may not use {name}", package.folder));
            }
        }
    }
    faults
}

/// The kinds and true names of everything that the package in `folder` depends on.
fn dependencies(manifest: &Table, folder: &str) -> Vec<(&'static str, String)> {
    let targets = manifest.get("target").and_then(Value::as_table).into_iter().flat_map(Table::values);
    let tables = targets.filter_map(Value::as_table).chain([manifest]);
    let kinds = ["dependencies", "dev-dependencies", "build-dependencies"];
    let found = tables.flat_map(|table| kinds.map(|kind| (kind, table.get(kind).and_then(Value::as_table))));
    let named = found.flat_map(|(kind, list)| list.into_iter().flatten().map(move |entry| (kind, entry)));
    named.map(|(kind, (key, value))| (kind, true_name(key, value, folder))).collect()
}

/// The name of a package that a manifest calls `key`: by its path, if it has one, or as it says.
fn true_name(key: &str, value: &Value, folder: &str) -> String {
    let field = |name| value.get(name).and_then(Value::as_str);
    let at_path = field("path").and_then(|path| {
        let mut place: Vec<&str> = folder.split('/').collect();
        for step in path.split('/') {
            if step == ".." {
                place.pop();
            } else {
                place.push(step);
            }
        }
        PACKAGES.iter().find(|package| package.folder == place.join("/")).map(|package| package.name)
    });
    at_path.or(field("package")).unwrap_or(key).to_owned()
}

fn manifest(tree: &Tree, folder: &str) -> Table {
    tree.text(&format!("{folder}/Cargo.toml")).parse().unwrap()
}

/// The packages of the workspace are those that these rules know, under the names that they know.
fn members(tree: &Tree) -> Vec<String> {
    let workspace: Table = tree.text("Cargo.toml").parse().unwrap();
    let members = workspace["workspace"]["members"].as_array().unwrap();
    let members: BTreeMap<_, _> = members
        .iter()
        .map(|folder| folder.as_str().unwrap())
        .map(|folder| (folder, manifest(tree, folder)["package"]["name"].as_str().unwrap().to_owned()))
        .collect();
    let expected = PACKAGES.iter().map(|package| (package.folder, package.name.to_owned())).collect();
    let right = members == expected;
    Vec::from_iter((!right).then(|| "Cargo.toml: the members are not the packages of the house".to_owned()))
}

/// Every package takes the lints of the workspace, except the tests, and nothing replaces their configuration.
fn lints(tree: &Tree) -> Vec<String> {
    let mut faults = Vec::new();
    for package in PACKAGES.iter().filter(|package| package.name != TESTS) {
        let inherits =
            manifest(tree, package.folder).get("lints").and_then(|lints| lints.get("workspace")?.as_bool());
        if inherits != Some(true) {
            faults.push(format!("{}/Cargo.toml: does not take the lints of the workspace", package.folder));
        }
    }
    for banned in ["ring::rand::SystemRandom::new", "std::time::SystemTime::now", "std::time::Instant::now"] {
        if !tree.text(".clippy.toml").contains(&format!("\"{banned}\"")) {
            faults.push(format!(".clippy.toml: does not ban {banned}"));
        }
    }
    let replaces = |path: &&str| path.ends_with("/.clippy.toml") || path.ends_with("/clippy.toml");
    faults
        .extend(tree.paths().filter(replaces).map(|path| format!("{path}: replaces that of the workspace")));
    faults
}

/// The pure packages are without the standard library, and without ring's randomness.
fn purity(tree: &Tree) -> Vec<String> {
    let mut faults = Vec::new();
    for package in PACKAGES.iter().filter(|package| package.pure.is_some()) {
        let lib = format!("{}/src/lib.rs", package.folder);
        for line in ["#![no_std]", "#![forbid(unsafe_code)]"] {
            if !tree.text(&lib).lines().any(|found| found == line) {
                faults.push(format!("{lib}: lacks {line}"));
            }
        }
        for (path, words) in tree.code(&format!("{}/src", package.folder)) {
            if words.windows(3).any(|three| three == ["extern", "crate", "std"]) {
                faults.push(format!("{path}: brings std back"));
            }
            if has(words, "SystemRandom") {
                faults.push(format!("{path}: draws randomness"));
            }
        }
    }
    faults
}

/// Client and server meet in what both use, and nowhere else; and nobody takes another's files.
fn strangers(tree: &Tree) -> Vec<String> {
    let mut faults = Vec::new();
    for (folder, names) in [("client", &["knock_spad", "knock_spa_engine"][..]), ("server", &["knock_spa"])] {
        for (path, words) in tree.code(folder) {
            faults.extend(
                names.iter().filter(|name| has(words, name)).map(|name| format!("{path}: names {name}")),
            );
            if tree.text(path).lines().any(takes_a_file) {
                faults.push(format!("{path}: takes a file from elsewhere"));
            }
        }
    }
    faults
}

/// Whether a line of Rust takes a file that does not lie beside or below it.
fn takes_a_file(line: &str) -> bool {
    line.contains("..") && ["#[path", "include!("].iter().any(|way| line.contains(way))
}

/// Unsafe code is in one place, and in few files.
fn unsafety(tree: &Tree) -> Vec<String> {
    let mut faults = Vec::new();
    let mut allowed = 0;
    let files = PACKAGES.iter().flat_map(|package| tree.code(package.folder));
    // The engine's folder lies in the server's.
    let files: BTreeMap<_, _> = files.filter(|(path, _)| !path.starts_with("tests/fuzz/")).collect();
    for (path, _) in files.iter().filter(|(_, words)| has(words, "unsafe")) {
        if path.starts_with(UNSAFE_FOLDER) {
            allowed += 1;
        } else {
            faults.push(format!("{path}: unsafe code outside server/src/io"));
        }
    }
    if allowed > UNSAFE_FILES_MAX {
        faults.push("unsafe code in more than two files".to_owned());
    }
    faults
}

/// Files are named for what is in them.
fn names(tree: &Tree) -> Vec<String> {
    let mut faults = Vec::new();
    for path in tree.paths().filter(|path| path.ends_with(".rs")) {
        if path.ends_with("/mod.rs") {
            faults.push(format!("{path}: a module has its own name"));
        }
        if path.trim_end_matches(".rs").split('/').any(|part| EMPTY_WORDS.contains(&part)) {
            faults.push(format!("{path}: says nothing about what it is"));
        }
    }
    faults
}

/// Nothing hides the packages.
fn top(tree: &Tree) -> Vec<String> {
    let entries: BTreeSet<&str> = tree.paths().filter_map(|path| path.split('/').next()).collect();
    let strange = entries.into_iter().filter(|name| !name.starts_with('.') && !TOP.contains(name));
    strange.map(|name| format!("{name}: does not belong at the top")).collect()
}

fn has(words: &[String], word: &str) -> bool {
    words.iter().any(|found| found == word)
}
