//! `knock-spad init`.

use std::path::Path;

use clap::Args;
use knock_spa_engine::admit::record::Record;
use knock_spa_keys::endpoint::{Endpoint, Endpoints, Host, HostName};
use knock_spa_keys::server::{ServerKey, ServerLine};

use crate::cli::endpoint::GivenEndpoint;
use crate::cli::failure::{Exit, Failure};
use crate::cli::terminal;
use crate::config::dialect::Dialect;
use crate::config::settings::{Listen, Paths, Settings};
use crate::config::{Config, ConfigError};
use crate::files;
use crate::io::clock;
use crate::journal::Lock;
use crate::server_key::{self, KeyError, Keys};

/// The first configuration.
const STARTER: &str = include_str!("init/starter.toml");

/// Directories of the configuration are for everybody to see, those of keys for their owner.
const OPEN: u32 = 0o755;
const PRIVATE: u32 = 0o700;

#[derive(Debug, Args)]
pub(super) struct Arguments {
    /// Where clients reach this server; several, separated by commas, in order of preference. The host's own
    /// name where absent.
    #[arg(long, value_name = "HOST[:PORT]", value_delimiter = ',')]
    endpoint: Vec<GivenEndpoint>,
}

pub(super) fn run(config: &Path, arguments: Arguments) -> Result<(), Failure> {
    let found = Found::at(config)?;
    let endpoints = found.endpoints(arguments.endpoint)?;
    make_directories(config, &found.settings.paths)?;
    let line = found.keep_or_write_key(endpoints)?;
    found.keep_or_write_config(config)?;
    terminal::note(format_args!("fingerprint: {}", line.key.fingerprint()));
    terminal::note("The server's line, which its clients need:");
    terminal::say(line)
}

/// What there is already, all of it read before anything is written.
struct Found {
    /// The configuration; the first one where there is none.
    settings: Settings,
    has_config: bool,
    key: Option<ServerKey>,
    /// The server's line, where it is good and the key's.
    line: Option<ServerLine>,
}

impl Found {
    fn at(config: &Path) -> Result<Self, Failure> {
        let (settings, has_config) = match Config::load(config) {
            Ok(found) => (found.settings, true),
            Err(ConfigError::File(error)) if error.is_absent() && Dialect::of(config) == Dialect::Native => {
                (starter(config)?, false)
            }
            Err(error) => return Err(Failure::of_config(error)),
        };
        let keys = match Keys::load(&settings.paths.key, clock::now().unix) {
            Ok(keys) => keys.known(),
            Err(KeyError::File(error)) if error.is_absent() => Vec::new(),
            Err(error) => return Err(error.into()),
        };
        let line = match server_key::load_line(&settings.paths.key, &keys) {
            Ok(line) => Some(line),
            Err(KeyError::File(error)) if !error.is_absent() && !keys.is_empty() => return Err(error.into()),
            Err(_) => None,
        };
        Ok(Self { settings, has_config, key: keys.first().copied(), line })
    }

    /// Those given, else those there were, else the host's name.
    fn endpoints(&self, given: Vec<GivenEndpoint>) -> Result<Endpoints, Failure> {
        let port = self.settings.listen.spa_port.unwrap_or(Listen::DEFAULT_SPA_PORT);
        if !given.is_empty() {
            let endpoints = given.into_iter().map(|endpoint| endpoint.at(port)).collect();
            return Endpoints::new(endpoints)
                .map_err(|error| Failure::new(Exit::Usage, format_args!("--endpoint: {error}")));
        }
        if let Some(line) = &self.line {
            return Ok(line.endpoints.clone());
        }
        let host = own_name()?;
        terminal::note(format_args!("no --endpoint given: clients will look for this server as {host}"));
        let endpoint = Endpoint { host: Host::Name(host), port };
        Endpoints::new(vec![endpoint]).map_err(|error| Failure::new(Exit::Usage, error))
    }

    fn keep_or_write_key(&self, endpoints: Endpoints) -> Result<ServerLine, Failure> {
        let path = &self.settings.paths.key;
        let key = match self.key {
            Some(key) => {
                terminal::note(format_args!("kept the server's key {}", path.display()));
                key
            }
            None => {
                let made = server_key::create(path)?;
                terminal::note(format_args!("made the server's key {}", path.display()));
                begin_journal(&self.settings.paths.state, made.secret.public())?;
                made.secret.public()
            }
        };
        match &self.line {
            Some(line) if line.endpoints == endpoints => Ok(line.clone()),
            _ => Ok(server_key::write_line(path, key, endpoints)?),
        }
    }

    fn keep_or_write_config(&self, config: &Path) -> Result<(), Failure> {
        if self.has_config {
            terminal::note(format_args!("kept the configuration {}", config.display()));
            return Ok(());
        }
        files::create(config, STARTER.as_bytes())?;
        terminal::note(format_args!("made the configuration {}, with a door ssh", config.display()));
        terminal::note(
            "  Its guard waits for you: once the daemon runs, `knock-spad guard try 10m` shuts tcp/22 for strangers.",
        );
        Ok(())
    }
}

/// Notes that no packet to this new key was ever accepted; a journal that is there already is left to the daemon, which
/// then refuses packets for a while.
fn begin_journal(state: &Path, key: ServerKey) -> Result<(), Failure> {
    let lock = Lock::take(state)?;
    if !lock.has_journal() {
        lock.create(&[Record::Key(key)])?;
    }
    Ok(())
}

fn starter(config: &Path) -> Result<Settings, Failure> {
    let parsed = Config::parse(config, STARTER, 0o600).map_err(|faults| Failure::of_config(faults.into()))?;
    Ok(parsed.settings)
}

/// The host's own name, as the kernel has it.
fn own_name() -> Result<HostName, Failure> {
    let name = rustix::system::uname().nodename().to_string_lossy().to_ascii_lowercase();
    name.parse().map_err(|_| {
        Failure::new(
            Exit::Usage,
            format_args!("this host's name \"{}\" is none that clients could look up", name.escape_debug()),
        )
        .hint("--endpoint HOST says where they reach it")
    })
}

fn make_directories(config: &Path, paths: &Paths) -> Result<(), Failure> {
    let wanted = [
        (config.parent(), OPEN),
        (Some(paths.state.as_path()), PRIVATE),
        (paths.key.parent(), PRIVATE),
        (Some(paths.clients.as_path()), PRIVATE),
    ];
    let directories = wanted.into_iter().filter_map(|(path, mode)| Some((path?, mode)));
    for (path, mode) in directories.filter(|(path, _)| !path.as_os_str().is_empty()) {
        if files::make_directory(path, mode)? {
            terminal::note(format_args!("made the directory {}", path.display()));
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::settings::GuardStart;

    #[test]
    fn the_first_configuration_is_good_and_only_lacks_whom_to_trust() {
        let parsed = Config::parse(Path::new("f"), STARTER, 0o600).unwrap();
        assert_eq!(parsed.settings.paths, Paths::default());
        assert_eq!(parsed.settings.guard.start, GuardStart::Confirmed);
        let names: Vec<_> = parsed.settings.doors.iter().map(|door| door.name.to_string()).collect();
        assert_eq!(names, ["ssh"]);
        let [warning] = parsed.warnings.as_slice() else { panic!("{:?}", parsed.warnings) };
        assert!(warning.what.starts_with("[guard] trusted"));
    }

    #[test]
    fn the_comments_of_the_first_configuration_are_good_too() {
        let text = STARTER
            .replace("# [door.web]", "[door.web]")
            .replace("# ports ", "ports ")
            .replace("# action ", "action ");
        assert_eq!(Config::parse(Path::new("f"), &text, 0o600).unwrap().settings.doors.len(), 2);
    }
}
