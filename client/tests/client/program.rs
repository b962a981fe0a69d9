//! Running the program in a home of its own.

use std::ffi::OsStr;
use std::fs;
use std::io::Write as _;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};

use tempfile::TempDir;

/// A device: a home directory, not made yet, and the program to run with it.
pub(crate) struct Device {
    directory: TempDir,
}

/// What one run of the program came to.
#[derive(Debug)]
pub(crate) struct Run {
    pub(crate) status: i32,
    pub(crate) out: String,
    pub(crate) err: String,
}

impl Device {
    pub(crate) fn new() -> Self {
        Self { directory: TempDir::new().unwrap() }
    }

    /// A device with the key of the seed 32 × 0x09.
    pub(crate) fn with_key() -> Self {
        let device = Self::new();
        device.write("client.key", &format!("{SECRET_LINE}\n"), 0o600);
        device
    }

    /// A place beside the home.
    pub(crate) fn directory(&self) -> &Path {
        self.directory.path()
    }

    pub(crate) fn home(&self) -> PathBuf {
        self.directory.path().join("home")
    }

    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.home().join(name)
    }

    pub(crate) fn write(&self, name: &str, text: &str, mode: u32) {
        fs::create_dir_all(self.home()).unwrap();
        fs::write(self.path(name), text).unwrap();
        fs::set_permissions(self.path(name), fs::Permissions::from_mode(mode)).unwrap();
    }

    pub(crate) fn read(&self, name: &str) -> String {
        fs::read_to_string(self.path(name)).unwrap()
    }

    pub(crate) fn mode(&self, name: &str) -> u32 {
        fs::metadata(self.path(name)).unwrap().permissions().mode() & 0o7777
    }

    /// Every file in the home: its name and its bytes.
    pub(crate) fn files(&self) -> Vec<(String, Vec<u8>)> {
        let Ok(entries) = fs::read_dir(self.home()) else { return Vec::new() };
        let paths = entries.map(|entry| entry.unwrap().path()).filter(|path| path.is_file());
        let mut files: Vec<_> =
            paths.map(|path| (path.display().to_string(), fs::read(path).unwrap())).collect();
        files.sort();
        files
    }

    /// The program with an environment that names this home and nothing else.
    pub(crate) fn command<I: IntoIterator<Item: AsRef<OsStr>>>(&self, words: I) -> Command {
        let mut command = program(env!("CARGO_BIN_EXE_knock-spa"));
        command.args(words).env("KNOCK_SPA_HOME", self.home()).env("USER", "alice");
        command
    }

    pub(crate) fn run<I: IntoIterator<Item: AsRef<OsStr>>>(&self, words: I) -> Run {
        run(self.command(words), "")
    }

    pub(crate) fn run_with_input<I: IntoIterator<Item: AsRef<OsStr>>>(&self, words: I, input: &str) -> Run {
        run(self.command(words), input)
    }
}

/// A program with an empty environment.
#[expect(clippy::disallowed_methods, reason = "these tests run the program")]
pub(crate) fn program(path: impl AsRef<OsStr>) -> Command {
    let mut command = Command::new(path);
    command.env_clear().stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    command
}

/// Runs a program to its end, which must not be a panic.
pub(crate) fn run(mut command: Command, input: &str) -> Run {
    let mut child = command.spawn().unwrap();
    let mut stdin = child.stdin.take().unwrap();
    // A program that does not read its input may have closed it.
    stdin.write_all(input.as_bytes()).unwrap_or_default();
    drop(stdin);
    Run::of(&child.wait_with_output().unwrap())
}

impl Run {
    pub(crate) fn of(output: &Output) -> Self {
        let run = Self {
            status: output.status.code().unwrap_or(-1),
            out: String::from_utf8(output.stdout.clone()).unwrap(),
            err: String::from_utf8(output.stderr.clone()).unwrap(),
        };
        assert!(!run.err.contains("panicked") && run.status != 101 && run.status != -1, "{run:?}");
        run
    }

    /// The run, which must have ended with `status`.
    pub(crate) fn ended_with(self, status: i32) -> Self {
        assert_eq!(self.status, status, "{self:?}");
        self
    }

    /// The run, which must have said `words` on standard error.
    pub(crate) fn said(self, words: &str) -> Self {
        assert!(self.err.contains(words), "{words:?} in {self:?}");
        self
    }

    /// The run, which must have printed exactly `text`.
    pub(crate) fn printed(self, text: &str) -> Self {
        assert_eq!(self.out, text, "{self:?}");
        self
    }
}

/// The secret line of the seed 32 × 0x09.
pub(crate) const SECRET_LINE: &str =
    "knock-spa-client-secret-v1 CQkJCQkJCQkJCQkJCQkJCQkJCQkJCQkJCQkJCQkJCQlL5OT8 alice@laptop";
/// Its public line.
pub(crate) const PUBLIC_LINE: &str =
    "knock-spa-client-v1 /RckOFqgx1tk+3jNYC+h2ZH96/drE8WO1wLqyDXp9hizdz1g alice@laptop";
/// The line of the server whose secret is 32 × 0x07.
pub(crate) const SERVER_LINE: &str =
    "knock-spa-server-v1 E75P6uryBMf9M1j8nAByGIHRdCeBKCJ+xnTzf3/pe211Kvv9 gw1.example.net:62201";
