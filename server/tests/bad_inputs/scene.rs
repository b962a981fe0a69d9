//! A server's files in a directory of their own.

use std::collections::BTreeMap;
use std::fs;
use std::os::unix::fs::{PermissionsExt, symlink};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use knock_spa_keys::comment::Comment;
use knock_spa_keys::server::{ServerSecret, ServerSecretLine};
use knock_spad::server_key;
use rustix::fs::{CWD, FileType, Mode, mknodat};
use tempfile::TempDir;

use crate::Step;

/// Alice's line, of a key that is nobody else's.
pub(crate) const ALICE: &str =
    "knock-spa-client-v1 /RckOFqgx1tk+3jNYC+h2ZH96/drE8WO1wLqyDXp9hizdz1g alice@laptop";

/// The files, removed when dropped.
pub(crate) struct Scene {
    directory: TempDir,
}

/// What a command did.
pub(crate) struct Outcome {
    /// Its exit status.
    pub(crate) status: Option<i32>,
    /// Both its outputs.
    pub(crate) said: String,
}

/// What is at a path: its kind and permissions, and its contents where it is a file.
type Contents = BTreeMap<PathBuf, (u32, Option<Vec<u8>>)>;

impl Scene {
    /// A server `gw` with a door `ssh` and a client `alice`, changed by these steps.
    pub(crate) fn with(steps: &[Step]) -> Self {
        let scene = Self { directory: TempDir::new().unwrap() };
        scene.write(
            "knock-spad.toml",
            "[paths]\nkey = 'DIR/server.key'\nclients = 'DIR/clients.d'\nstate = 'DIR'\n\
             [guard]\ntrusted = ['iif wg0']\n[door.ssh]\nports = ['tcp/22']\n",
        );
        let secret = ServerSecret::from_bytes([7; 32]);
        let public = secret.public();
        let line = ServerSecretLine { secret, comment: Comment::default() };
        scene.write("server.key", &line.to_text());
        server_key::write_line(&scene.path("server.key"), public, "gw:62201".parse().unwrap()).unwrap();
        fs::create_dir(scene.path("clients.d")).unwrap();
        scene.write("clients.d/alice.toml", &format!("key = '{ALICE}'\nservices = ['ssh']\n"));
        steps.iter().for_each(|step| scene.change(step));
        scene
    }

    fn change(&self, step: &Step) {
        match step {
            Step::Text(path, text) => self.write(path, text),
            Step::Bytes(path, bytes) => fs::write(self.path(path), bytes).unwrap(),
            Step::Long(path, len) => self.write(path, &" ".repeat(*len)),
            Step::Mode(path, mode) => {
                fs::set_permissions(self.path(path), fs::Permissions::from_mode(*mode)).unwrap();
            }
            Step::Gone(path) => self.clear(path),
            Step::Directory(path) => {
                self.clear(path);
                fs::create_dir(self.path(path)).unwrap();
            }
            Step::Pipe(path) => {
                self.clear(path);
                mknodat(CWD, self.path(path), FileType::Fifo, Mode::RUSR | Mode::WUSR, 0).unwrap();
            }
            Step::Link(path, to) => {
                self.clear(path);
                symlink(to, self.path(path)).unwrap();
            }
        }
    }

    fn clear(&self, path: &str) {
        let path = self.path(path);
        if path.is_dir() {
            fs::remove_dir_all(path).unwrap();
        } else if path.exists() {
            fs::remove_file(path).unwrap();
        }
    }

    /// Writes a file that only its owner may use; `DIR` stands for the directory.
    pub(crate) fn write(&self, path: &str, text: &str) {
        let path = self.path(path);
        fs::write(&path, text.replace("DIR", self.directory())).unwrap();
        fs::set_permissions(&path, fs::Permissions::from_mode(0o600)).unwrap();
    }

    /// The text of a file.
    pub(crate) fn read(&self, path: &str) -> String {
        fs::read_to_string(self.path(path)).unwrap()
    }

    /// The directory's path.
    pub(crate) fn directory(&self) -> &str {
        self.directory.path().to_str().unwrap()
    }

    fn path(&self, path: &str) -> PathBuf {
        self.directory.path().join(path)
    }

    /// Runs the program on the configuration here.
    pub(crate) fn run(&self, arguments: &[&str]) -> Outcome {
        let output = Command::new(env!("CARGO_BIN_EXE_knock-spad"))
            .arg("--config")
            .arg(self.path("knock-spad.toml"))
            .args(arguments)
            .stdin(Stdio::null())
            .output()
            .unwrap();
        let said = [output.stdout, output.stderr].concat();
        Outcome { status: output.status.code(), said: String::from_utf8(said).unwrap() }
    }

    /// Everything that is there.
    pub(crate) fn contents(&self) -> Contents {
        let mut contents = Contents::new();
        read_into(self.directory.path(), &mut contents);
        contents
    }
}

fn read_into(directory: &Path, contents: &mut Contents) {
    for entry in fs::read_dir(directory).unwrap() {
        let path = entry.unwrap().path();
        let metadata = fs::symlink_metadata(&path).unwrap();
        if metadata.is_dir() {
            read_into(&path, contents);
        }
        let bytes = metadata.is_file().then(|| fs::read(&path).unwrap());
        contents.insert(path, (metadata.permissions().mode(), bytes));
    }
}
