//! The dialect of knockd: `/etc/knockd.conf`, understood as knockd 0.8 understands it, with a few directives more.

mod additions;
mod complaints;
mod door;
mod flags;
mod interfaces;
mod keys;
mod lines;
mod numbers;
mod one_time;
mod reading;
mod sequence;
mod target;
mod weakness;

use std::io;
use std::path::{Path, PathBuf};

use knock_spa_engine::knockd::KnockdDoor;
use knock_spa_proto::port::ServicePort;
use knock_spa_proto::service::ServiceName;

use crate::config::remark::Remark;

pub use crate::config::knockd::complaints::KnockdFaults;
pub(crate) use crate::config::knockd::interfaces::cut_names;
pub(crate) use crate::config::knockd::one_time::usable_lines;

/// Where knockd's configuration is unless the command line says otherwise.
pub const DEFAULT_FILE: &str = "/etc/knockd.conf";

/// The longest configuration file, in bytes: a kilobyte for each of [`MAX_DOORS`] doors.
pub const MAX_FILE_LEN: u64 = 16 << 20;

/// The most doors of a file: more than anybody was seen to have, few enough for the listener's orders.
pub const MAX_DOORS: usize = 16_384;

/// What a file says.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct KnockdFile {
    /// Its `[options]`.
    pub options: KnockdOptions,
    /// Its doors, in its order.
    pub doors: Vec<FileDoor>,
    /// Its weaknesses, in the order of its lines.
    pub warnings: Vec<Remark>,
}

/// What `[options]` says. An empty path means none at all, even where the command line gives one.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct KnockdOptions {
    /// Whether the log goes to syslog.
    pub syslog: bool,
    /// The file that the log is appended to.
    pub log_file: Option<PathBuf>,
    /// The file that the process writes its number to.
    pub pid_file: Option<PathBuf>,
    /// What is listened to: a name, or several with commas between; never empty.
    pub interface: Option<String>,
}

/// One door of a file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FileDoor {
    /// The line of its header, from 1.
    pub line: usize,
    /// The door.
    pub door: KnockdDoor,
    /// Where its sequences are, if each is good once only.
    pub one_time: Option<FileOneTime>,
    /// What it is for clients with keys.
    pub spa: Option<SpaLine>,
}

/// A file of one-time sequences.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FileOneTime {
    /// The file.
    pub file: PathBuf,
    /// Whether the first sequence is one of the configuration's, and the file's come after it.
    pub begins_elsewhere: bool,
}

/// `SPA = NAME, tcp/22`: the door for clients with keys.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SpaLine {
    /// What clients call it; no two doors have the same.
    pub name: ServiceName,
    /// What they get, at least one port; no two doors have the same.
    pub ports: Vec<ServicePort>,
}

/// Opens a file of one-time sequences to read and write it, and reads it.
type Open<'o> = &'o mut dyn FnMut(&Path) -> io::Result<Vec<u8>>;

/// Reads the bytes of `file`, whose permission bits are `mode`. Files of one-time sequences are opened on the way.
///
/// # Errors
/// [`KnockdFaults`], all of them.
pub fn read(file: &Path, bytes: &[u8], mode: u32, open: Open<'_>) -> Result<KnockdFile, KnockdFaults> {
    let mut reading = reading::Reading::new(file, open);
    for line in lines::lines(bytes) {
        reading.take(line);
    }
    reading.finish(mode)
}

#[cfg(test)]
mod tests;
