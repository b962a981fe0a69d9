//! A real sshd, and what a user of real ssh has.

use std::fs;
use std::path::PathBuf;
use std::process::Command;

use tempfile::TempDir;

use crate::lab::{Host, Running};
use crate::laptop::Laptop;
use crate::programs::Run;

/// sshd at one port of a host, over both families; dropping it ends it.
#[derive(Debug)]
pub struct Sshd {
    port: u16,
    directory: TempDir,
    _daemon: Running,
}

/// Whether sshd can be had here: it becomes somebody else for whom it does not know yet.
#[must_use]
pub fn is_possible() -> bool {
    let become_nobody = ["--reuid", "65534", "--regid", "65534", "--clear-groups", "true"];
    let tried = Command::new("setpriv").args(become_nobody).status();
    tried.is_ok_and(|status| status.success())
}

impl Sshd {
    /// Starts one that lets root in, with a key that only [`Self::ssh`] has.
    ///
    /// # Panics
    /// Where it does not listen soon.
    #[must_use]
    pub fn start(host: &Host, port: u16) -> Self {
        Self::start_with(host, port, "")
    }

    /// The same with `more` in its configuration.
    ///
    /// # Panics
    /// Where it does not listen soon.
    #[must_use]
    pub fn start_with(host: &Host, port: u16, more: &str) -> Self {
        let directory = TempDir::new().expect("a directory");
        for name in ["host", "user"] {
            let mut command = Command::new("ssh-keygen");
            command.args(["-q", "-t", "ed25519", "-N", "", "-f"]).arg(directory.path().join(name));
            host.run_command(&mut command, "");
        }
        let text = format!(
            "Port {port}\nHostKey DIR/host\nAuthorizedKeysFile DIR/user.pub\nPidFile none\nUsePAM no\nStrictModes no\n\
             PasswordAuthentication no\nKbdInteractiveAuthentication no\nPermitRootLogin prohibit-password\n{more}\n"
        );
        let configuration = directory.path().join("sshd_config");
        let text = text.replace("DIR", directory.path().to_str().expect("a path of text"));
        fs::write(&configuration, text).expect("writing a file");
        let mut command = Command::new("unshare");
        // Its own /run: it wants an empty directory there, and this machine's is not ours.
        command.args(["--mount", "--propagation", "private", "sh", "-e", "-c"]);
        command.arg(
            "mount -t tmpfs none /run; mkdir -m 0755 /run/sshd; exec \"$(command -v sshd)\" -D -e -f \"$0\"",
        );
        let mut daemon = host.spawn(command.arg(&configuration));
        daemon.await_output("Server listening on :: port");
        daemon.await_output("Server listening on 0.0.0.0 port");
        Self { port, directory, _daemon: daemon }
    }

    fn path(&self, name: &str) -> PathBuf {
        self.directory.path().join(name)
    }

    /// Runs ssh on a laptop, as [`Self::ssh_words`] has it, to its end.
    ///
    /// # Panics
    /// Where files cannot be written.
    #[must_use]
    pub fn ssh(&self, laptop: &Laptop<'_>, block: &str, known_as: &str, words: &[&str]) -> Run {
        laptop.run_program(&self.ssh_words(block, known_as, words))
    }

    /// The words that run ssh with `block` above what its user has in the configuration. There, the host key is known
    /// under `known_as` alone, and nothing is ever asked.
    ///
    /// # Panics
    /// Where files cannot be written.
    #[must_use]
    pub fn ssh_words(&self, block: &str, known_as: &str, words: &[&str]) -> Vec<String> {
        let key = fs::read_to_string(self.path("host.pub")).expect("it was made");
        let name = if self.port == 22 { known_as.to_owned() } else { format!("[{known_as}]:{}", self.port) };
        fs::write(self.path("known_hosts"), format!("{name} {key}")).expect("writing a file");
        let own = "Host *\nUser root\nIdentityFile DIR/user\nIdentitiesOnly yes\nUserKnownHostsFile DIR/known_hosts\n\
                   GlobalKnownHostsFile none\nStrictHostKeyChecking yes\nBatchMode yes\n";
        let own = own.replace("DIR", self.directory.path().to_str().expect("a path of text"));
        let configuration = self.path("ssh_config");
        fs::write(&configuration, format!("{block}\n{own}")).expect("writing a file");
        let configuration = configuration.to_str().expect("a path of text");
        [&["ssh", "-F", configuration][..], words].concat().iter().map(|word| (*word).to_owned()).collect()
    }
}
