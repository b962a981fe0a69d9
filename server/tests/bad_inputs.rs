//! What the commands do with what is wrong: each says so in words, leaves with a status that tells it apart,
//! and changes nothing.
#![expect(clippy::disallowed_methods, reason = "the program under test is run here")]
#![expect(clippy::unwrap_used, reason = "a test that can't go on fails")]

#[path = "bad_inputs/rows.rs"]
mod rows;
#[path = "bad_inputs/scene.rs"]
mod scene;

use crate::rows::ROWS;
use crate::scene::{Outcome, Scene};

/// One wrong input.
struct Row {
    /// What differs from a good state.
    steps: &'static [Step],
    /// The command line, after `--config FILE`.
    arguments: &'static [&'static str],
    /// The expected status.
    status: i32,
    /// What is said, each somewhere.
    words: &'static [&'static str],
}

/// A change of the good state. Paths are relative to its directory.
enum Step {
    /// A file of this text; `DIR` stands for the directory.
    Text(&'static str, &'static str),
    /// A file of these bytes.
    Bytes(&'static str, &'static [u8]),
    /// A file of so many spaces.
    Long(&'static str, usize),
    /// Other permissions.
    Mode(&'static str, u32),
    /// Nothing any more.
    Gone(&'static str),
    /// An empty directory instead.
    Directory(&'static str),
    /// A pipe instead.
    Pipe(&'static str),
    /// A symbolic link instead.
    Link(&'static str, &'static str),
}

#[test]
fn every_wrong_input_is_told_and_changes_nothing() {
    for row in ROWS {
        let scene = Scene::with(row.steps);
        let before = scene.contents();
        let Outcome { status, said } = scene.run(row.arguments);
        let about = format!("{:?}\n{said}", row.arguments);
        assert_eq!(status, Some(row.status), "{about}");
        for word in row.words {
            let word = word.replace("DIR", scene.directory());
            assert!(said.contains(&word), "lacks {word}: {about}");
        }
        assert!(!said.contains("panicked"), "{about}");
        assert!(said.chars().all(|c| c == '\n' || !c.is_control()), "control characters: {about}");
        assert_eq!(scene.contents(), before, "{about}");
    }
}

#[test]
fn five_errors_are_told_at_once() {
    let text = "[listen]\nspa-port = 70000\n[spa]\nwindow = '1s'\n[door.a]\nports = ['22']\nopen-for = 'x'\nfoo = 1\n";
    let scene = Scene::with(&[]);
    scene.write("knock-spad.toml", text);
    let Outcome { status, said } = scene.run(&["check"]);
    assert_eq!(status, Some(1));
    let file = format!("{}/knock-spad.toml", scene.directory());
    let expected = format!(
        "{file}:2: error: [listen] spa-port: 70000: not a port from 1 to 65535\n\
         {file}:4: error: [spa] window: out of range\n  from 10s to 10m; the default is 60s\n\
         {file}:6: error: [door.a] ports: \"22\": not tcp/PORT or udp/PORT with a port from 1 to 65535\n  \
         \"tcp/PORT\" or \"udp/PORT\"\n\
         {file}:7: error: [door.a] open-for: \"x\": not a span of time: write a number and one of s, m, h, d, \
         such as 90s, 10m, 1h or 7d\n  a span like \"90s\", \"10m\" or \"1h\", or \"forever\"\n\
         {file}:8: error: [door.a] foo: unknown key\n  known here: aliases, ports, open-for, max-open, max-openings, cut, action, on-stop, sequence, \
         tcp-flags, target, one-time-sequences, repeats, cooldown, sequence-timeout\n\
         error: 5 errors were found\n"
    );
    assert_eq!(said, expected);
}

#[test]
fn a_secret_is_never_repeated() {
    let scene = Scene::with(&[]);
    let secret = scene.read("server.key");
    let line = secret.replace("server-secret", "client-secret");
    let body = secret.split(' ').nth(1).unwrap().trim();
    for line in [&secret, &line] {
        let said = scene.run(&["client", "add", "bob", line.trim()]).said;
        assert!(said.contains("secret-v1 line, and a knock-spa-client-v1 line is wanted"), "{said}");
        assert!(!said.contains(body), "{said}");
    }
    scene.write("clients.d/bob.toml", &format!("key = '{}'", line.trim()));
    let said = scene.run(&["check"]).said;
    assert!(said.contains("bob.toml:1: error: key: this is a knock-spa-client-secret-v1 line"), "{said}");
    assert!(!said.contains(body), "{said}");
}

#[test]
fn the_good_state_is_good() {
    let scene = Scene::with(&[]);
    let Outcome { status, said } = scene.run(&["check"]);
    assert_eq!(
        (status, said),
        (Some(0), format!("{}/knock-spad.toml: good; doors: 1; clients: 1\n", scene.directory()))
    );
    let before = scene.contents();
    assert_eq!(scene.run(&["init"]).status, Some(0));
    assert_eq!(scene.contents(), before);
}
