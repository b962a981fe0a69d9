//! `knock-spad check`.

use std::collections::BTreeSet;
use std::path::Path;

use clap::Args;
use knock_spa_engine::client::{Client, Right};

use crate::cli::failure::{Exit, Failure};
use crate::cli::guard::advice;
use crate::cli::terminal;
use crate::clients::words::Granted;
use crate::clients::{self, Invitations, Roster, invitations};
use crate::config::dialect::Dialect;
use crate::config::remark::Remark;
use crate::config::settings::Settings;
use crate::config::{Config, ConfigError};
use crate::files::FileError;
use crate::guard::warning::Warning;
use crate::io::clock;
use crate::nft::{FillError, Filler};
use crate::server_key::previous::{self, Previous};
use crate::server_key::{KeyError, Keys};

#[derive(Debug, Args)]
pub(super) struct Arguments {
    /// The file is in knockd's dialect, whatever its name.
    #[arg(long)]
    knockd: bool,
}

/// All that was found.
#[derive(Default)]
struct Findings {
    errors: Vec<Remark>,
    warnings: Vec<Remark>,
}

pub(super) fn run(config: &Path, arguments: &Arguments) -> Result<(), Failure> {
    let dialect = if arguments.knockd { Dialect::Knockd } else { Dialect::of(config) };
    let mut findings = Findings::default();
    let summary = findings.all(config, dialect);
    for warning in &findings.warnings {
        terminal::note(warning.labelled("warning"));
    }
    for error in &findings.errors {
        terminal::note(error.labelled("error"));
    }
    match findings.errors.len() {
        0 => terminal::say(format_args!("{}: {}", config.display(), summary.unwrap_or_default())),
        1 => Err(Failure::new(Exit::Wrong, "1 error was found")),
        count => Err(Failure::new(Exit::Wrong, format_args!("{count} errors were found"))),
    }
}

impl Findings {
    /// Looks at everything; what there is, in a few words.
    fn all(&mut self, config: &Path, dialect: Dialect) -> Option<String> {
        let settings = self.config(config, dialect)?;
        let (doors, knockd_doors) = (settings.doors.len(), settings.knockd_doors.len());
        let knockd_doors = if knockd_doors > 0 {
            format!("; doors in knockd's manner: {knockd_doors}")
        } else {
            String::new()
        };
        if settings.listen.spa_port.is_none() {
            return Some(format!("good{knockd_doors}"));
        }
        self.others(config, &settings);
        self.sets(config, &settings);
        self.key(&settings.paths.key);
        let clients = self.clients(&settings);
        let invitations = match self.invitations(&settings, &clients) {
            0 => String::new(),
            count => format!("; invitations: {count}"),
        };
        Some(format!("good; doors: {doors}{knockd_doors}; clients: {}{invitations}", clients.len()))
    }

    fn config(&mut self, path: &Path, dialect: Dialect) -> Option<Settings> {
        match Config::load_as(path, dialect) {
            Ok(config) => {
                self.warnings.extend(config.warnings);
                Some(config.settings)
            }
            Err(error) => {
                self.errors.extend(match error {
                    ConfigError::File(error) => vec![Remark::on_file(path, &error)],
                    ConfigError::Faults(faults) => faults.into_vec(),
                });
                None
            }
        }
    }

    /// What this machine as it is does to the guard's doors, where the caller may know that. That nobody is trusted was
    /// said with its line.
    fn others(&mut self, config: &Path, settings: &Settings) {
        let found = advice::found(settings).into_iter().filter(|found| *found != Warning::NobodyTrusted);
        let remark = |found: Warning| Remark {
            file: config.to_owned(),
            line: None,
            what: format!("on this machine: {found}"),
            hint: None,
        };
        self.warnings.extend(found.map(remark));
    }

    /// The administrator's sets that doors open by. They may come with a ruleset that is not loaded yet, and who may not
    /// ask the kernel is not told.
    fn sets(&mut self, config: &Path, settings: &Settings) {
        let Ok(mut filler) = Filler::connect() else { return };
        let named: BTreeSet<_> = settings.sets().collect();
        for (set, family) in named {
            let error = match filler.look(set, family) {
                Ok(()) | Err(FillError::Nft(_)) => continue,
                Err(error @ (FillError::Absent | FillError::Unsuitable(_) | FillError::Full)) => error,
            };
            let what = format!("set {set}: {error}, so that its doors open for nobody");
            let hint = Some(format!("see `nft list set {set}`; the ruleset may not be loaded yet"));
            self.warnings.push(Remark { file: config.to_owned(), line: None, what, hint });
        }
    }

    /// What the daemon would meet when it reads its keys.
    fn key(&mut self, path: &Path) {
        match Keys::load(path, clock::now().unix) {
            Ok(keys) => {
                if let Previous::Unusable(error) = keys.previous {
                    let file = previous::path_of(path);
                    let hint = Some("clients that were not given the new key are refused".into());
                    self.warnings.push(Remark { file, line: None, what: error.to_string(), hint });
                }
            }
            Err(KeyError::File(error)) => self.file(path, &error),
            Err(error) => {
                let what = error.to_string();
                self.errors.push(Remark { file: path.to_owned(), line: None, what, hint: None });
            }
        }
    }

    /// The clients that there are.
    fn clients(&mut self, settings: &Settings) -> Vec<Client> {
        let directory = &settings.paths.clients;
        match Roster::load(directory) {
            Ok(roster) => {
                self.warnings.extend(roster.warnings);
                let idle = roster.clients.iter().flat_map(|client| {
                    idle_rights(client, &clients::path_of(directory, &client.name), settings)
                });
                self.warnings.extend(idle);
                return roster.clients;
            }
            Err(ConfigError::File(error)) => self.file(directory, &error),
            Err(ConfigError::Faults(faults)) => self.errors.extend(faults.into_vec()),
        }
        Vec::new()
    }

    /// How many invitations there are, used or not.
    fn invitations(&mut self, settings: &Settings, clients: &[Client]) -> usize {
        let directory = &settings.paths.clients;
        match Invitations::load(directory, clients) {
            Ok(found) => {
                self.errors.extend(found.faults);
                self.warnings.extend(found.warnings);
                let invited = found.invitations.iter();
                let idle = invited.flat_map(|one| {
                    let file = clients::path_of(&invitations::directory(directory), one.name());
                    idle_rights(&one.client, &file, settings)
                });
                self.warnings.extend(idle);
                found.invitations.len()
            }
            Err(error) => {
                self.file(&invitations::directory(directory), &error);
                0
            }
        }
    }

    /// A file that is not there yet, or that is not for whoever asks, is no error.
    fn file(&mut self, path: &Path, error: &FileError) {
        let mut remark = Remark::on_file(path, error);
        if error.is_absent() {
            remark.hint = Some("`knock-spad init` makes it".into());
        }
        let found =
            if error.is_absent() || error.is_denied() { &mut self.warnings } else { &mut self.errors };
        found.push(remark);
    }
}

/// What the client of this file may ask for, but no door has.
fn idle_rights(client: &Client, file: &Path, settings: &Settings) -> Vec<Remark> {
    let is_idle = |right: &&Right| match right {
        Right::Door(name) => settings.door_called(*name).is_none(),
        Right::Ports(..) => {
            !settings.doors.iter().any(|door| door.ports.iter().any(|port| right.covers(door, *port)))
        }
    };
    let remark = |right: &Right| Remark {
        file: file.to_owned(),
        line: None,
        what: format!("{}: services: no door has {}", file.display(), Granted(right.clone())),
        hint: None,
    };
    client.rights.iter().filter(is_idle).map(remark).collect()
}
