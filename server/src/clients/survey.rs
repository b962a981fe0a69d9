//! All files of a directory of clients or invitations, each judged by itself.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};

use knock_spa_engine::client::{Client, ClientName};
use knock_spa_keys::client::ClientKey;

use crate::clients::policy::{self, Policy};
use crate::clients::{MAX_CLIENTS, MAX_FILE_LEN, SUFFIX, file_names};
use crate::config::remark::{Faults, Remark};
use crate::files::{self, FileError};

/// What the files of a directory say. Two files with one key cannot be used, neither of them: nobody knows whose it is.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Survey {
    /// The clients whose files can be used, in the order of their names; no two with one key.
    pub clients: Vec<Client>,
    /// The clients whose files are there and cannot be used.
    pub unusable: BTreeSet<ClientName>,
    /// Why they, and files with names that are no client's, cannot be used.
    pub faults: Vec<Remark>,
    /// What is weak or strange about files.
    pub warnings: Vec<Remark>,
}

impl Survey {
    /// Reads all files of a directory.
    ///
    /// # Errors
    /// [`FileError`] where the directory can't be read.
    pub fn of(directory: &Path) -> Result<Self, FileError> {
        let Files { usable, unusable, faults, warnings } = Files::read(directory, MAX_CLIENTS)?;
        Ok(Self { clients: usable, unusable, faults, warnings })
    }

    /// The survey to go by where these clients are in force: whoever has no file any more is out, each file that can be
    /// used holds, and one that cannot be used leaves its client as it is. So a revocation never waits for somebody
    /// else's broken file.
    #[must_use]
    pub fn in_place_of(mut self, in_force: &[Client]) -> Self {
        let stays = |client: &&Client| self.unusable.contains(&client.name);
        let staying: Vec<Client> = in_force.iter().filter(stays).cloned().collect();
        let owners: BTreeMap<_, _> = staying.iter().map(|client| (client.key, client.name.clone())).collect();
        let (free, taken): (Vec<_>, Vec<_>) =
            self.clients.into_iter().partition(|client| !owners.contains_key(&client.key));
        for Client { name, key, .. } in taken {
            let owner = owners.get(&key).unwrap_or(&name);
            let what =
                format!("client {name}: client {owner}, whose file can't be used, has this key already");
            self.faults.push(Remark { file: PathBuf::new(), line: None, what, hint: None });
            self.unusable.insert(name);
        }
        self.clients = free;
        self.clients.extend(staying);
        self.clients.sort_by(|one, other| one.name.cmp(&other.name));
        self
    }
}

/// What a file stands for: somebody with a name, which the file has too, and a key that nobody else has.
pub(super) trait Filed: Sized {
    /// The noun for it.
    const NOUN: &str;

    /// Reads the text of `file`, which is that of `name`; and the line that has the key, from 1.
    fn parse(file: &Path, name: &ClientName, text: &str) -> Result<(Self, usize), Faults>;

    fn name(&self) -> &ClientName;

    fn key(&self) -> &ClientKey;
}

/// The files of a directory, each judged by itself.
pub(super) struct Files<T> {
    /// What can be used, in the order of names; no two with one key.
    pub(super) usable: Vec<T>,
    /// The names of those that are there and cannot be used.
    pub(super) unusable: BTreeSet<ClientName>,
    /// Why they, and files with names that are nobody's, cannot be used.
    pub(super) faults: Vec<Remark>,
    /// What is weak or strange about files.
    pub(super) warnings: Vec<Remark>,
}

impl<T: Filed> Files<T> {
    /// Reads all files of a directory that has no more than `limit`.
    pub(super) fn read(directory: &Path, limit: usize) -> Result<Self, FileError> {
        let mut reading = Reading { files: Self::none(), owners: BTreeMap::new() };
        for name in file_names(directory, limit)? {
            reading.file(directory.join(&name), &name);
        }
        let mut files = reading.files;
        let unusable = &files.unusable;
        files.usable.retain(|entry| !unusable.contains(entry.name()));
        Ok(files)
    }

    /// Those of an empty directory.
    pub(super) const fn none() -> Self {
        Self { usable: Vec::new(), unusable: BTreeSet::new(), faults: Vec::new(), warnings: Vec::new() }
    }
}

/// Files that are being read.
struct Reading<T> {
    files: Files<T>,
    owners: BTreeMap<ClientKey, ClientName>,
}

impl<T: Filed> Reading<T> {
    fn file(&mut self, path: PathBuf, name: &str) {
        let Some(stem) = name.strip_suffix(SUFFIX) else {
            let what = format!("{} is not read: its name does not end with {SUFFIX}", path.display());
            return self.files.warnings.push(Remark { file: path, line: None, what, hint: None });
        };
        match stem.parse() {
            Ok(name) => self.named(&path, &name),
            Err(error) => {
                let what = format!("{}: {error}", path.display());
                self.files.faults.push(Remark { file: path, line: None, what, hint: None });
            }
        }
    }

    fn named(&mut self, path: &Path, name: &ClientName) {
        match files::read_text(path, MAX_FILE_LEN) {
            Ok((text, mode)) => match T::parse(path, name, &text) {
                Ok((entry, key_line)) => self.entry(path, mode, entry, key_line),
                Err(faults) => self.unusable(name, faults.into_vec()),
            },
            // It was removed since the directory was read.
            Err(error) if error.is_absent() && fs::symlink_metadata(path).is_err() => {}
            Err(error) => self.unusable(name, [Remark::on_file(path, &error)].into()),
        }
    }

    fn unusable(&mut self, name: &ClientName, faults: Vec<Remark>) {
        self.files.faults.extend(faults);
        self.files.unusable.insert(name.clone());
    }

    fn entry(&mut self, path: &Path, mode: u32, entry: T, key_line: usize) {
        if mode & 0o022 != 0 {
            let what = "others than its owner can write this file, and so let themselves in".into();
            let hint = Some(format!("chmod 600 {}", path.display()));
            self.files.warnings.push(Remark { file: path.to_owned(), line: Some(1), what, hint });
        }
        if let Some(owner) = self.owners.get(entry.key()).cloned() {
            let noun = T::NOUN;
            let what = format!("key: {noun} {owner} has this key already");
            let hint = Some(format!("one key for each {noun}: remove one of the files"));
            let fault = Remark { file: path.to_owned(), line: Some(key_line), what, hint };
            self.unusable(entry.name(), [fault].into());
            self.files.unusable.insert(owner);
            return;
        }
        self.owners.insert(*entry.key(), entry.name().clone());
        self.files.usable.push(entry);
    }
}

impl Filed for Client {
    const NOUN: &str = "client";

    fn parse(file: &Path, name: &ClientName, text: &str) -> Result<(Self, usize), Faults> {
        policy::parse(file, name, text).map(|Policy { client, key_line, .. }| (client, key_line))
    }

    fn name(&self) -> &ClientName {
        &self.name
    }

    fn key(&self) -> &ClientKey {
        &self.key
    }
}

#[cfg(test)]
mod tests {
    use knock_spa_engine::client::Rate;
    use knock_spa_keys::client::{ClientLine, ClientSecret};
    use knock_spa_keys::comment::Comment;

    use super::*;

    fn line(number: u8) -> ClientLine {
        let comment: Comment = "a@b".parse().unwrap();
        ClientLine { key: ClientSecret::from_seed([number; 32]).public(), comment }
    }

    /// A client whose key and whose rate are these numbers.
    fn client(name: &str, key: u8, rate: u32) -> Client {
        let text = format!("key = '{}'\nrate = '{rate}/min'", line(key));
        let client = policy::parse(Path::new("x"), &name.parse().unwrap(), &text).unwrap().client;
        assert_ne!(client.rate, Rate::default());
        client
    }

    /// The clients that are in force after these were, with these files, and who of them can't be used.
    fn after(in_force: &[Client], files: &[(&str, &str)]) -> (Vec<Client>, Vec<String>) {
        let directory = tempfile::tempdir().unwrap();
        for (name, text) in files {
            fs::write(directory.path().join(format!("{name}.toml")), text).unwrap();
        }
        let survey = Survey::of(directory.path()).unwrap().in_place_of(in_force);
        assert_eq!(survey.unusable.is_empty(), survey.faults.is_empty());
        (survey.clients, survey.unusable.iter().map(ToString::to_string).collect())
    }

    fn file(key: u8, rate: u32) -> String {
        format!("key = '{}'\nrate = '{rate}/min'", line(key))
    }

    #[test]
    fn each_file_stands_by_itself_and_a_removed_client_is_out() {
        let in_force = [client("alice", 1, 1), client("bob", 2, 1), client("carol", 3, 1)];
        // alice is removed, bob's file is broken, carol's has changed, dave is new and broken, eve is new.
        let files = [("bob", "rubbish"), ("carol", &file(3, 9)), ("dave", "key = 1"), ("eve", &file(5, 1))];
        let (clients, unusable) = after(&in_force, &files);
        assert_eq!(clients, [client("bob", 2, 1), client("carol", 3, 9), client("eve", 5, 1)]);
        assert_eq!(unusable, ["bob", "dave"]);
    }

    #[test]
    fn a_key_that_two_have_changes_nothing_for_either() {
        let in_force = [client("bob", 2, 1)];
        let files = [("alice", &*file(2, 9)), ("bob", &file(2, 9))];
        assert_eq!(
            after(&in_force, &files),
            ([client("bob", 2, 1)].into(), vec!["alice".into(), "bob".into()])
        );
        // Nor does a new file get the key of a client that stays because its file is broken.
        let files = [("alice", &*file(2, 9)), ("bob", "rubbish")];
        assert_eq!(
            after(&in_force, &files),
            ([client("bob", 2, 1)].into(), vec!["alice".into(), "bob".into()])
        );
        // With bob's file gone it does.
        assert_eq!(after(&in_force, &[("alice", &file(2, 9))]), ([client("alice", 2, 9)].into(), vec![]));
    }
}
