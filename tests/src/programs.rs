//! The programs under test: the very ones that users get, and what a run of one came to.

use std::env;
use std::ffi::OsStr;
use std::fs;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};
use std::sync::OnceLock;
use std::time::SystemTime;

use crate::lab::Namespace;

/// Names the directory of the programs, instead of the one where the test's own executable was built.
const OVERRIDE: &str = "KNOCK_SPA_PROGRAMS";

/// The server's program.
#[must_use]
pub fn knock_spad() -> PathBuf {
    directory().join("knock-spad")
}

/// The client's program.
#[must_use]
pub fn knock_spa() -> PathBuf {
    directory().join("knock-spa")
}

/// Where the programs are. They are built once, where that is not done or their sources have changed since.
fn directory() -> &'static Path {
    static DIRECTORY: OnceLock<PathBuf> = OnceLock::new();
    DIRECTORY.get_or_init(|| {
        if let Some(directory) = env::var_os(OVERRIDE) {
            return directory.into();
        }
        let own = env::current_exe().expect("a test has an executable");
        // target/PROFILE/deps/TEST
        let directory = own.ancestors().nth(2).expect("it lies where cargo puts it");
        if !["knock-spad", "knock-spa"].iter().all(|program| is_fresh(&directory.join(program))) {
            build(directory);
        }
        directory.to_owned()
    })
}

/// Whether the program is there, and no older than any of its sources.
fn is_fresh(program: &Path) -> bool {
    let changed = |path: &Path| fs::metadata(path).and_then(|metadata| metadata.modified()).ok();
    let sources = |made: SystemTime| {
        // "PROGRAM: SOURCE SOURCE ...", with a backslash before a space in a name.
        let rule = fs::read_to_string(program.with_extension("d")).ok()?;
        let sources = rule.split_once(": ")?.1.trim_end().replace("\\ ", "\0");
        let is_older = |source: &str| {
            changed(Path::new(&source.replace('\0', " "))).is_some_and(|changed| changed <= made)
        };
        Some(sources.split(' ').all(is_older))
    };
    changed(program).and_then(sources).unwrap_or(false)
}

fn build(directory: &Path) {
    let profile = match directory.file_name().and_then(OsStr::to_str) {
        Some("debug") | None => "dev",
        Some(profile) => profile,
    };
    let cargo = env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
    let mut command = Command::new(cargo);
    command.args(["build", "--package", "knock-spad", "--package", "knock-spa", "--profile", profile]);
    command.arg("--target-dir").arg(directory.parent().expect("target/PROFILE"));
    let output = command.current_dir(concat!(env!("CARGO_MANIFEST_DIR"), "/..")).output();
    let advice = format!("build knock-spad and knock-spa, or say where they are: {OVERRIDE}=DIRECTORY");
    let output = output.unwrap_or_else(|error| panic!("cannot run cargo ({error}): {advice}"));
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success() && directory.join("knock-spad").exists(), "{advice}\n{said}");
}

/// What one run of a program came to.
#[derive(Clone, Debug)]
pub struct Run {
    /// The exit status.
    pub status: i32,
    /// What it printed.
    pub out: String,
    /// What it said about that.
    pub err: String,
}

impl Run {
    /// Runs a program in a namespace to its end, with `input` as its standard input.
    ///
    /// # Panics
    /// Where it cannot be run, panics itself, or is killed by a signal.
    pub fn of(namespace: &Namespace, command: &mut Command, input: &str) -> Self {
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut child = namespace
            .enter(|| command.spawn())
            .unwrap_or_else(|error| panic!("cannot run {command:?}: {error}"));
        // A program that does not read its input may have ended.
        let _ = child.stdin.take().expect("it is piped").write_all(input.as_bytes());
        Self::ended(&child.wait_with_output().expect("waiting for a child"))
    }

    fn ended(output: &Output) -> Self {
        let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
        let (out, err) = (text(&output.stdout), text(&output.stderr));
        let status = output.status.code().filter(|status| *status != 101);
        let status = status.unwrap_or_else(|| panic!("{}\n{out}{err}", output.status));
        Self { status, out, err }
    }

    /// The run, which must have ended with `status`.
    ///
    /// # Panics
    /// Where it has not.
    #[track_caller]
    pub fn ended_with(self, status: i32) -> Self {
        assert_eq!(self.status, status, "{self:?}");
        self
    }

    /// The run, which must have said `words`, on either output.
    ///
    /// # Panics
    /// Where it has not.
    #[track_caller]
    pub fn said(self, words: &str) -> Self {
        assert!(self.out.contains(words) || self.err.contains(words), "{words:?} in {self:?}");
        self
    }
}
