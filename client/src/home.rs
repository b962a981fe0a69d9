//! Where this program keeps its files: the device's key and the hosts that it knows.

use std::io;
use std::path::{Path, PathBuf};

use knock_spa_keys::client::{ClientSecret, ClientSecretLine};
use knock_spa_keys::comment::Comment;
use knock_spa_keys::sealed::KeepRandom;
use zeroize::Zeroizing;

use crate::device_key::{DeviceKey, NotAKey, SealedKey, bare_text, public_line};
use crate::failure::{Failure, Status};
use crate::hosts::Hosts;
use crate::io::disk::{self, Created};
use crate::io::entropy;
use crate::io::environment::Environment;
use crate::passphrase::source::{Passphrase, Source, no_memory};

/// The directory of the files, and who tells the key's passphrase.
#[derive(Debug)]
pub(crate) struct Home {
    directory: PathBuf,
    passphrases: Source,
}

/// The device's key as it is kept: the text of its file, and what that means.
#[derive(Debug)]
pub(crate) struct Kept {
    /// All of the text.
    pub(crate) text: Zeroizing<String>,
    /// The key.
    pub(crate) key: DeviceKey,
}

/// The longest key file, in bytes: two lines and room for a careless editor.
pub(crate) const MAX_KEY_LEN: u64 = 1024;

/// The longest list of hosts, in bytes: thousands of them.
const MAX_HOSTS_LEN: u64 = 1024 * 1024;

impl Home {
    /// The directory that was named on the command line, else `KNOCK_SPA_HOME`, else `knock-spa` in
    /// `XDG_CONFIG_HOME` or in `~/.config`.
    pub(crate) fn locate(named: Option<PathBuf>, environment: &Environment) -> Result<Self, Failure> {
        // A relative path there is to be ignored (XDG Base Directory Specification).
        let config = environment.xdg_config_home.clone().filter(|path| path.is_absolute());
        let config = config.or_else(|| environment.home.as_ref().map(|home| home.join(".config")));
        let directory = named
            .or_else(|| environment.knock_spa_home.clone())
            .or_else(|| config.map(|config| config.join("knock-spa")));
        directory.map(|directory| Self { directory, passphrases: Source::Terminal }).ok_or_else(|| {
            Failure::new(Status::Config, "no directory for keys and hosts")
                .because("neither KNOCK_SPA_HOME nor XDG_CONFIG_HOME nor HOME is set")
                .hint("name one with --home DIR")
        })
    }

    /// The same with passphrases from elsewhere.
    pub(crate) fn with_passphrases(self, passphrases: Source) -> Self {
        Self { passphrases, ..self }
    }

    /// Who tells passphrases.
    pub(crate) const fn passphrases(&self) -> &Source {
        &self.passphrases
    }

    /// Where the device's key is.
    pub(crate) fn key_path(&self) -> PathBuf {
        self.directory.join("client.key")
    }

    /// The directory of the files.
    pub(crate) fn directory(&self) -> &Path {
        &self.directory
    }

    /// Where the known hosts are.
    pub(crate) fn hosts_path(&self) -> PathBuf {
        self.directory.join("hosts.toml")
    }

    /// The key itself. Asks for its passphrase where it has one.
    pub(crate) fn unlock(&self, key: DeviceKey) -> Result<ClientSecretLine, Failure> {
        let SealedKey { line, public } = match key {
            DeviceKey::Bare(line) => return Ok(line),
            DeviceKey::Sealed(sealed) => sealed,
        };
        let path = self.key_path();
        let what = path.display().to_string();
        let line = self.passphrases.unlock(&what, |passphrase| line.unseal(passphrase))?;
        if public_line(&line) == public {
            return Ok(line);
        }
        Err(not_a_key(&path).because("its public line is another key's"))
    }

    /// The device's key as it is kept, which must be there.
    pub(crate) fn kept_key(&self) -> Result<Kept, Failure> {
        self.read_key()?.ok_or_else(|| {
            Failure::new(Status::NoInput, "this device has no key yet")
                .because(format!("{} does not exist", self.key_path().display()))
                .hint("make one with: knock-spa enroll")
        })
    }

    /// The device's key as it is kept; `None` where it has none.
    pub(crate) fn read_key(&self) -> Result<Option<Kept>, Failure> {
        let path = self.key_path();
        let contents = match disk::read(&path, MAX_KEY_LEN) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
            read => read.map_err(|error| cannot_read(&path, &error))?,
        };
        if contents.mode & 0o077 != 0 {
            return Err(Failure::new(
                Status::NoPermission,
                format!("will not use the key {}", path.display()),
            )
            .because(format!("its mode {:04o} lets others than its owner touch it", contents.mode))
            .hint(format!("if nobody else has read it: chmod 600 {}", path.display())));
        }
        let key = contents.text.parse().map_err(|why: NotAKey| not_a_key(&path).because(why))?;
        Ok(Some(Kept { text: contents.text, key }))
    }

    /// Makes and keeps a new key, unless there is one; says which key there is now, and whether it is new. The new one
    /// is at hand without its passphrase.
    pub(crate) fn make_key(
        &self,
        comment: Comment,
        passphrase: Option<&Passphrase>,
    ) -> Result<(DeviceKey, Created), Failure> {
        self.make_directory()?;
        let seed = Zeroizing::new(entropy::bytes()?);
        let line = ClientSecretLine { secret: ClientSecret::from_seed(*seed), comment };
        let path = self.key_path();
        let text = self.text_of(&line, passphrase)?;
        match disk::create(&path, &text, unique()?).map_err(|error| cannot_create(&path, &error))? {
            Created::New => Ok((DeviceKey::Bare(line), Created::New)),
            Created::Existed => self.made_meanwhile(&path).map(|key| (key, Created::Existed)),
        }
    }

    /// Keeps the key anew, durably and at once, unless somebody has changed the text of its file meanwhile.
    pub(crate) fn replace_key(
        &self,
        before: &str,
        line: &ClientSecretLine,
        passphrase: Option<&Passphrase>,
    ) -> Result<(), Failure> {
        let path = self.key_path();
        let cannot_write =
            |error: io::Error| failure_of(&error, Status::Io, format!("cannot write {}", path.display()));
        let text = self.text_of(line, passphrase)?;
        let lock = disk::lock(&self.directory).map_err(cannot_write)?;
        if self.kept_key()?.text.as_str() != before {
            return Err(Failure::new(Status::Io, format!("{} has changed meanwhile", path.display()))
                .hint("see what did it, and try again"));
        }
        disk::replace(&path, &text, unique()?).map_err(cannot_write)?;
        drop(lock);
        Ok(())
    }

    /// The text in which the key is kept.
    fn text_of(
        &self,
        line: &ClientSecretLine,
        passphrase: Option<&Passphrase>,
    ) -> Result<Zeroizing<String>, Failure> {
        let Some(passphrase) = passphrase else { return Ok(bare_text(line)) };
        let random = KeepRandom { salt: entropy::bytes()?, nonce: entropy::bytes()? };
        let sealed = line.seal(passphrase, random);
        let sealed = sealed.map_err(|why| no_memory(&self.key_path().display().to_string(), why))?;
        Ok(SealedKey { line: sealed, public: public_line(line) }.to_text())
    }

    /// The key of another process that was faster.
    fn made_meanwhile(&self, path: &Path) -> Result<DeviceKey, Failure> {
        self.read_key()?.map(|kept| kept.key).ok_or_else(|| {
            Failure::new(Status::CantCreate, format!("cannot create {}", path.display()))
                .because("it is a link that leads nowhere")
                .hint("remove it, or bring back what it led to")
        })
    }

    fn make_directory(&self) -> Result<(), Failure> {
        let path = &self.directory;
        let mode = disk::make_private_directory(path).map_err(|error| cannot_create(path, &error))?;
        if mode & 0o022 == 0 {
            return Ok(());
        }
        Err(Failure::new(Status::NoPermission, format!("will not keep a key in {}", path.display()))
            .because(format!("its mode {mode:04o} lets others replace files in it"))
            .hint(format!("mend it with: chmod 700 {}", path.display())))
    }

    /// The hosts that this device knows.
    pub(crate) fn hosts(&self) -> Result<Hosts, Failure> {
        let path = self.hosts_path();
        let contents = match disk::read(&path, MAX_HOSTS_LEN) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Hosts::default()),
            read => read.map_err(|error| cannot_read(&path, &error))?,
        };
        contents.text.parse().map_err(|bad: crate::hosts::BadHosts| {
            Failure::new(Status::Config, format!("{}:{}", path.display(), bad.line))
                .because(bad.what)
                .hint("mend the line, or move the file away and enrol the hosts again")
        })
    }

    /// Changes the hosts that this device knows; the file stays as it was where `change` fails, or changes
    /// nothing.
    pub(crate) fn change_hosts<T>(
        &self,
        change: impl FnOnce(&mut Hosts) -> Result<T, Failure>,
    ) -> Result<T, Failure> {
        let path = self.hosts_path();
        let cannot_write =
            |error: io::Error| failure_of(&error, Status::Io, format!("cannot write {}", path.display()));
        self.make_directory()?;
        let lock = disk::lock(&self.directory).map_err(cannot_write)?;
        let before = self.hosts()?;
        let mut after = before.clone();
        let result = change(&mut after)?;
        if after != before {
            disk::replace(&path, &after.to_string(), unique()?).map_err(cannot_write)?;
        }
        drop(lock);
        Ok(result)
    }
}

/// A number that names a draft as no other is named.
fn unique() -> Result<u64, Failure> {
    entropy::bytes().map(u64::from_ne_bytes)
}

fn not_a_key(path: &Path) -> Failure {
    Failure::new(Status::Data, format!("{} is not a key", path.display()))
        .hint("restore it from a backup, or move it away and enrol anew")
}

/// A file that cannot be read, and why.
pub(crate) fn cannot_read(path: &Path, error: &io::Error) -> Failure {
    failure_of(error, Status::Io, format!("cannot read {}", path.display()))
}

fn cannot_create(path: &Path, error: &io::Error) -> Failure {
    failure_of(error, Status::CantCreate, format!("cannot create {}", path.display()))
        .hint("choose another directory with --home DIR")
}

/// A failure with this status, unless it is about permissions.
fn failure_of(error: &io::Error, status: Status, what: String) -> Failure {
    let forbidden = error.kind() == io::ErrorKind::PermissionDenied;
    Failure::new(if forbidden { Status::NoPermission } else { status }, what).because(error)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn located(named: Option<&str>, variables: [Option<&str>; 3]) -> Option<String> {
        let [knock_spa_home, xdg_config_home, home] = variables.map(|value| value.map(PathBuf::from));
        let environment = Environment { knock_spa_home, xdg_config_home, home, user: None };
        let home = Home::locate(named.map(PathBuf::from), &environment).ok()?;
        Some(home.directory.display().to_string())
    }

    #[test]
    fn the_directory_is_the_most_particular_one() {
        let all = [Some("/k"), Some("/x"), Some("/h")];
        assert_eq!(located(Some("n"), all).unwrap(), "n");
        assert_eq!(located(None, all).unwrap(), "/k");
        assert_eq!(located(None, [None, Some("/x"), Some("/h")]).unwrap(), "/x/knock-spa");
        assert_eq!(located(None, [None, Some("x"), Some("/h")]).unwrap(), "/h/.config/knock-spa");
        assert_eq!(located(None, [None, None, Some("/h")]).unwrap(), "/h/.config/knock-spa");
        assert_eq!(located(None, [None; 3]), None);
    }
}
