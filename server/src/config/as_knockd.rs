//! knockd's configuration as settings of ours: its file, and what its command line says besides.

use std::io;
use std::path::{Path, PathBuf};
use std::time::Duration;

use knock_spa_engine::admit::effect::Flows;
use knock_spa_engine::command::{CommandAction, Template};
use knock_spa_engine::knockd::KnockdCommands;
use knock_spa_engine::rules::{Action, Door, Knockable, Lease, OnStop};

use crate::config::knockd::{self, FileDoor, KnockdFaults, KnockdFile, SpaLine};
use crate::config::named_files::{NamedFiles, OnDisk};
use crate::config::remark::{Faults, Remark};
use crate::config::settings::{
    CaptureMode, GuardSettings, Interfaces, Link, Listen, LogSettings, OneTime, Paths, Settings,
};
use crate::config::table::escape;
use crate::config::{Config, ConfigError};
use crate::files::{Doing, FileError};

/// Around a minute both clocks may be wrong by.
const WINDOW: Duration = Duration::from_secs(60);

/// The most that a client may ask for, unless the door itself is open for longer.
const MAX_OPEN: Lease = Lease::For(Duration::from_secs(3600));

/// A command of a door that a packet opens is killed after so long: it holds up others that wait for their turn.
const LONGEST_COMMAND: Duration = Duration::from_secs(600);

/// The shortest lease.
const SHORTEST: Duration = Duration::from_secs(1);

/// knockd's file, and what its command line says besides.
#[derive(Clone, Debug)]
pub struct AsKnockd {
    /// The directory in which the daemon was started: relative paths begin there, also after it has left.
    pub directory: PathBuf,
    /// The file.
    pub config: PathBuf,
    /// Where to listen, in the words of whoever said so.
    pub interface: String,
    /// The same, decided at the start: a reload changes nothing of it.
    pub interfaces: Interfaces,
    /// `-g`; the file's own word beats it.
    pub log_file: Option<PathBuf>,
    /// `-v`.
    pub verbose: bool,
    /// `-l`.
    pub lookup: bool,
    /// Where what is open is remembered.
    pub state: PathBuf,
}

/// Why knockd's file cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum KnockdError {
    /// It can't be read.
    #[error("{}: {}", path.display(), words(error))]
    Unreadable {
        /// The file.
        path: PathBuf,
        /// What the system said.
        error: io::Error,
    },
    /// It says something wrong.
    #[error("{}", .0.faults)]
    Faults(KnockdFaults),
}

/// What the C library calls an error.
fn words(error: &io::Error) -> String {
    let text = error.to_string();
    text.split(" (os error").next().unwrap_or_default().to_owned()
}

impl KnockdError {
    /// What knockd says of it.
    #[must_use]
    pub fn in_knockds_words(&self) -> String {
        match self {
            Self::Unreadable { .. } => self.to_string(),
            Self::Faults(faults) => faults.knockd_says.clone(),
        }
    }
}

/// Reads a file in knockd's dialect.
///
/// # Errors
/// [`KnockdError`].
pub fn read(path: &Path) -> Result<KnockdFile, KnockdError> {
    read_with(&mut OnDisk { base: PathBuf::new() }, path)
}

/// The same, where files are found otherwise.
///
/// # Errors
/// [`KnockdError`].
pub fn read_with(files: &mut dyn NamedFiles, path: &Path) -> Result<KnockdFile, KnockdError> {
    let unreadable = |error| KnockdError::Unreadable { path: path.to_owned(), error };
    let (bytes, mode) = files.knockd(path).map_err(unreadable)?;
    knockd::read(path, &bytes, mode, &mut |path| files.one_time(path)).map_err(KnockdError::Faults)
}

impl AsKnockd {
    /// Reads the file.
    ///
    /// # Errors
    /// [`KnockdError`].
    pub fn load(&self) -> Result<Settings, KnockdError> {
        let file = read_with(&mut OnDisk { base: self.directory.clone() }, &self.config)?;
        Ok(self.settings(file))
    }

    /// The settings that a file amounts to.
    #[must_use]
    pub fn settings(&self, file: KnockdFile) -> Settings {
        let has_spa = file.doors.iter().any(|door| door.spa.is_some());
        let log_file = file.options.log_file.or_else(|| self.log_file.clone());
        let log_file = log_file.filter(|path| !path.as_os_str().is_empty());
        let paths = Paths::default();
        let state = if has_spa { paths.state.clone() } else { self.state.clone() };
        let mut settings = Settings {
            doors: Vec::new(),
            window: WINDOW,
            explain: false,
            listen: Listen {
                interfaces: self.interfaces.clone(),
                spa_port: has_spa.then_some(Listen::DEFAULT_SPA_PORT),
                capture: CaptureMode::Packet,
            },
            paths: Paths { state, ..paths },
            guard: GuardSettings::default(),
            knockd_doors: Vec::new(),
            one_time: Vec::new(),
            log: LogSettings {
                file: log_file.map(|path| self.directory.join(path)),
                syslog: file.options.syslog,
                verbose: self.verbose,
                lookup: self.lookup,
            },
            audit_file: None,
        };
        add_doors(file.doors, &self.directory, &mut settings);
        settings
    }
}

/// A file in knockd's dialect, as our own commands take it: without what knockd's command line would say. Relative
/// paths begin in the current directory.
pub(super) fn load(path: &Path) -> Result<Config, ConfigError> {
    let mut file = read(path)?;
    let warnings = std::mem::take(&mut file.warnings);
    let interface = file.options.interface.clone();
    let interfaces = interface.as_deref().map_or(Ok(Interfaces::AllButLoopback), |text| {
        interfaces(text, false).map_err(|name| bad_interface(path, &name))
    })?;
    let as_knockd = AsKnockd {
        directory: std::env::current_dir().unwrap_or_else(|_| "/".into()),
        config: path.to_owned(),
        interface: interface.unwrap_or_default(),
        interfaces,
        log_file: None,
        verbose: false,
        lookup: false,
        state: Paths::default().state,
    };
    Ok(Config { settings: as_knockd.settings(file), warnings })
}

fn bad_interface(path: &Path, name: &str) -> Faults {
    let what = format!("{}: Interface: \"{}\" is not an interface's name", path.display(), escape(name));
    Faults::one(Remark { file: path.to_owned(), line: None, what, hint: None })
}

impl From<KnockdError> for ConfigError {
    fn from(error: KnockdError) -> Self {
        match error {
            KnockdError::Unreadable { path, error } => {
                Self::File(FileError::System { doing: Doing::Read, path, error })
            }
            KnockdError::Faults(faults) => Self::Faults(faults.faults),
        }
    }
}

/// Adds the doors of a file in knockd's dialect to settings.
pub(super) fn add_doors(doors: Vec<FileDoor>, directory: &Path, settings: &mut Settings) {
    for FileDoor { line: _, door, one_time, spa } in doors {
        let place = Knockable::Knockd(settings.knockd_doors.len());
        settings.one_time.extend(one_time.map(|from| OneTime {
            door: place,
            file: directory.join(from.file),
            begins_elsewhere: from.begins_elsewhere,
        }));
        settings.doors.extend(spa.and_then(|line| spa_door(line, &door.commands)));
        settings.knockd_doors.push(door);
    }
    settings.doors.sort_by_key(|door| door.name);
}

/// The door by which enrolled clients run the same commands; none where there is nothing to run.
fn spa_door(line: SpaLine, commands: &KnockdCommands) -> Option<Door> {
    let template = |line: &Option<String>| line.clone().filter(|line| !line.is_empty()).map(Template::Knockd);
    let closes = commands.stop_after.is_some();
    let stop = |line| template(line).filter(|_| closes);
    let action = CommandAction {
        start: template(&commands.start)?,
        stop: stop(&commands.stop),
        start6: template(&commands.start6),
        stop6: stop(&commands.stop6),
        timeout: LONGEST_COMMAND,
    };
    let open_for = commands.stop_after.map_or(Lease::Forever, |span| Lease::For(span.max(SHORTEST)));
    Some(Door {
        name: line.name,
        aliases: Vec::new(),
        ports: line.ports,
        open_for,
        max_open: MAX_OPEN.max(open_for),
        max_openings: None,
        flows: Flows::LiveOn,
        action: Action::Command(action),
        on_stop: OnStop::Close,
        classic: None,
    })
}

/// Links of knockd's `-i` and `Interface`: one, or several with commas between; `any` is all there are.
///
/// # Errors
/// The name that no interface can have.
pub fn interfaces(text: &str, only_v4: bool) -> Result<Interfaces, String> {
    if text == "any" {
        return Ok(Interfaces::All);
    }
    let link = |label: &str| {
        let name = label.split(':').next().unwrap_or_default();
        let name = name.parse().map_err(|_| label.to_owned())?;
        Ok(Link { name, label: label.to_owned(), ipv6: !only_v4 })
    };
    text.split(',').map(link).collect::<Result<Vec<_>, _>>().map(Interfaces::Owning)
}
