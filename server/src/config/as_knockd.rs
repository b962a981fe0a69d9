//! knockd's configuration as settings of ours: its file, and what its command line says besides.

use std::fs::OpenOptions;
use std::io::{self, Read};
use std::os::unix::fs::{MetadataExt, OpenOptionsExt};
use std::path::{Path, PathBuf};
use std::time::Duration;

use knock_spa_engine::command::{CommandAction, Template};
use knock_spa_engine::knockd::KnockdCommands;
use knock_spa_engine::rules::{Action, Door, Knockable, Lease};

use crate::config::knockd::{self, FileDoor, KnockdFaults, KnockdFile, SpaLine};
use crate::config::settings::{
    GuardSettings, Interfaces, Link, Listen, LogSettings, OneTime, Paths, Settings,
};
use crate::one_time;

/// Around a minute both clocks may be wrong by.
const WINDOW: Duration = Duration::from_secs(60);

/// The most that a client may ask for, unless the door itself is open for longer.
const MAX_OPEN: Lease = Lease::For(Duration::from_secs(3600));

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
    read_in(Path::new(""), path)
}

/// The same where relative paths begin in `directory`.
fn read_in(directory: &Path, path: &Path) -> Result<KnockdFile, KnockdError> {
    let unreadable = |error| KnockdError::Unreadable { path: path.to_owned(), error };
    let (bytes, mode) = read_bytes(&directory.join(path)).map_err(unreadable)?;
    let mut open = |path: &Path| one_time::open(&directory.join(path));
    knockd::read(path, &bytes, mode, &mut open).map_err(KnockdError::Faults)
}

/// The bytes of the file, and its permission bits. A directory reads as empty, as with knockd.
fn read_bytes(path: &Path) -> io::Result<(Vec<u8>, u32)> {
    let file = OpenOptions::new().read(true).custom_flags(libc::O_NONBLOCK).open(path)?;
    let metadata = file.metadata()?;
    let mut bytes = Vec::new();
    if !metadata.is_dir() {
        // One more than allowed tells what is too long from what just fits.
        file.take(knockd::MAX_FILE_LEN.saturating_add(1)).read_to_end(&mut bytes)?;
    }
    if u64::try_from(bytes.len()).is_ok_and(|len| len > knockd::MAX_FILE_LEN) {
        return Err(io::ErrorKind::FileTooLarge.into());
    }
    Ok((bytes, metadata.mode() & 0o7777))
}

impl AsKnockd {
    /// Reads the file.
    ///
    /// # Errors
    /// [`KnockdError`].
    pub fn load(&self) -> Result<Settings, KnockdError> {
        let file = read_in(&self.directory, &self.config)?;
        let has_spa = file.doors.iter().any(|door| door.spa.is_some());
        let log_file = file.options.log_file.or_else(|| self.log_file.clone());
        let log_file = log_file.filter(|path| !path.as_os_str().is_empty());
        let paths = Paths::default();
        let state = if has_spa { paths.state.clone() } else { self.state.clone() };
        let mut settings = Settings {
            doors: Vec::new(),
            window: WINDOW,
            listen: Listen {
                interfaces: self.interfaces.clone(),
                spa_port: has_spa.then_some(Listen::DEFAULT_SPA_PORT),
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
        };
        add_doors(file.doors, &self.directory, &mut settings);
        Ok(settings)
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
        timeout: Duration::MAX,
    };
    let open_for = commands.stop_after.map_or(Lease::Forever, |span| Lease::For(span.max(SHORTEST)));
    Some(Door {
        name: line.name,
        ports: line.ports,
        open_for,
        max_open: MAX_OPEN.max(open_for),
        action: Action::Command(action),
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
