//! The house rules that compilers do not know: which package may use which, what the pure ones are kept
//! from, where unsafe code may be, and what lies at the top.
//!
//! Every rule is also held against a copy of the tree in which it is broken.

mod rules;
mod tree;

use std::path::Path;
use std::sync::LazyLock;

use rules::faults;
use tree::Tree;

/// A copy of the repository, to be spoiled.
fn repository() -> Tree {
    static REPOSITORY: LazyLock<Tree> =
        LazyLock::new(|| Tree::read(&Path::new(env!("CARGO_MANIFEST_DIR")).join("..")));
    REPOSITORY.clone()
}

#[test]
fn the_house_is_in_order() {
    let faults = faults(&repository());
    assert!(faults.is_empty(), "{}", faults.join("\n"));
}

/// A file of the tree, what is appended to it, or what it is if it is new, and the fault that this is.
const VIOLATIONS: [(&str, &str, &str); 24] = [
    (
        "proto/Cargo.toml",
        "\n[dependencies.knock-spa-engine]\nworkspace = true",
        "proto may not use knock-spa-engine",
    ),
    (
        "keys/Cargo.toml",
        "\n[dependencies.knock-spa-proto]\nworkspace = true",
        "keys may not use knock-spa-proto",
    ),
    (
        "server/engine/Cargo.toml",
        "\n[dependencies.tokio]\nversion = \"1\"",
        "server/engine may not use tokio",
    ),
    ("proto/Cargo.toml", "\n[build-dependencies.cc]\nversion = \"1\"", "proto may not use cc"),
    (
        "keys/Cargo.toml",
        "\n[target.'cfg(unix)'.dependencies.libc]\nversion = \"0.2\"",
        "keys may not use libc",
    ),
    (
        "keys/Cargo.toml",
        "\n[dependencies.innocent]\npackage = \"getrandom\"\nversion = \"0.4\"",
        "keys may not use getrandom",
    ),
    ("client/Cargo.toml", "\n[dependencies.knock-spad]\nworkspace = true", "client may not use knock-spad"),
    (
        "client/Cargo.toml",
        "\n[dependencies.knock-spa-engine]\nworkspace = true",
        "client may not use knock-spa-engine",
    ),
    ("client/Cargo.toml", "\n[build-dependencies.x]\npath = \"../server\"", "client may not use knock-spad"),
    ("server/Cargo.toml", "\n[dependencies.knock-spa]\npath = \"../client\"", "server may not use knock-spa"),
    (
        "server/Cargo.toml",
        "\n[build-dependencies.knock-spa-tests]\npath = \"../tests\"",
        "server may not use knock-spa-tests",
    ),
    ("client/src/new.rs", "use knock_spad::nft::Guard;", "client/src/new.rs: names knock_spad"),
    ("client/src/new.rs", "fn f() { knock_spa_engine::f() }", "client/src/new.rs: names knock_spa_engine"),
    (
        "client/src/new.rs",
        "#[path = \"../../server/src/nft.rs\"]\nmod nft;",
        "client/src/new.rs: takes a file from elsewhere",
    ),
    (
        "server/src/new.rs",
        "include!(\"../../client/src/main.rs\");",
        "server/src/new.rs: takes a file from elsewhere",
    ),
    ("proto/src/new.rs", "#[cfg(test)]\nextern  crate\nstd;", "proto/src/new.rs: brings std back"),
    ("keys/src/new.rs", "use ring::rand::SystemRandom;", "keys/src/new.rs: draws randomness"),
    (
        "server/src/new.rs",
        "fn f() { unsafe { g() } }",
        "server/src/new.rs: unsafe code outside server/src/io",
    ),
    ("tests/tests/new.rs", "unsafe fn f() {}", "tests/tests/new.rs: unsafe code outside server/src/io"),
    ("server/engine/.clippy.toml", "", "server/engine/.clippy.toml: replaces that of the workspace"),
    ("proto/src/spa/mod.rs", "", "proto/src/spa/mod.rs: a module has its own name"),
    ("server/src/utils.rs", "", "server/src/utils.rs: says nothing about what it is"),
    ("Makefile", "", "Makefile: does not belong at the top"),
    ("scripts/deploy", "", "scripts: does not belong at the top"),
];

#[test]
fn every_broken_rule_is_reported() {
    for (path, text, fault) in VIOLATIONS {
        let mut tree = repository();
        tree.append(path, text);
        assert_reports(&tree, fault);
    }
}

#[test]
fn what_is_taken_away_is_missed() {
    for package in ["keys", "proto", "server/engine"] {
        for line in ["#![no_std]", "#![forbid(unsafe_code)]"] {
            let mut tree = repository();
            let path = format!("{package}/src/lib.rs");
            tree.replace(&path, line, &format!("// {line}"));
            assert_reports(&tree, &format!("{path}: lacks {line}"));
        }
    }
    for package in ["keys", "proto", "server/engine", "server", "client"] {
        let mut tree = repository();
        let path = format!("{package}/Cargo.toml");
        tree.replace(&path, "[lints]\nworkspace = true", "");
        assert_reports(&tree, &format!("{path}: does not take the lints of the workspace"));
    }
    let mut tree = repository();
    tree.replace("Cargo.toml", "\"client\", ", "");
    assert_reports(&tree, "Cargo.toml: the members are not the packages of the house");
    let mut tree = repository();
    tree.replace(".clippy.toml", "ring::rand::SystemRandom::new", "other");
    assert_reports(&tree, ".clippy.toml: does not ban ring::rand::SystemRandom::new");
}

#[test]
fn unsafe_code_has_room_for_two_files() {
    let mut tree = repository();
    for name in ["a", "b", "c"] {
        tree.append(&format!("server/src/io/{name}.rs"), "fn f() { unsafe { g() } }");
    }
    assert_reports(&tree, "unsafe code in more than two files");
}

/// Words in comments and texts break no rule.
#[test]
fn only_code_counts() {
    let mut tree = repository();
    let innocent = r##"
        // unsafe, extern crate std, SystemRandom, knock_spad
        /* unsafe /* nested */ unsafe */
        const A: &str = "unsafe \" unsafe"; const B: &str = r#"unsafe " unsafe"#; const C: u8 = b'"';
        fn f<'a>(quote: char) -> &'a str { if quote == '"' || quote == '\'' { "unsafe" } else { "knock_spad" } }
        #[expect(unsafe_code, reason = "unsafe")] fn unsafely() {}
    "##;
    tree.append("client/src/new.rs", innocent);
    tree.append("proto/src/new.rs", innocent);
    assert_eq!(faults(&tree), Vec::<String>::new());
}

fn assert_reports(tree: &Tree, fault: &str) {
    let faults = faults(tree);
    assert!(faults.iter().any(|found| found == fault), "{fault:?} is not among {faults:#?}");
}
