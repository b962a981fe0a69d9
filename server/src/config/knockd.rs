//! The dialect of /etc/knockd.conf.
#![expect(missing_docs, reason = "not there yet")]
use super::remark::*;
use knock_spa_engine::knockd::KnockdDoor;
use knock_spa_proto::port::ServicePort;
use knock_spa_proto::service::ServiceName;
use std::io;
use std::path::{Path, PathBuf};
#[derive(Debug)]
pub struct KnockdFile {
    pub options: KnockdOptions,
    pub doors: Vec<FileDoor>,
    pub warnings: Vec<Remark>,
}
#[derive(Debug)]
pub struct KnockdOptions {
    pub syslog: bool,
    pub log_file: Option<PathBuf>,
    pub pid_file: Option<PathBuf>,
    pub interface: Option<String>,
}
#[derive(Debug)]
pub struct FileOneTime {
    pub file: PathBuf,
    pub begins_elsewhere: bool,
}
#[derive(Debug)]
pub struct SpaLine {
    pub name: ServiceName,
    pub ports: Vec<ServicePort>,
}
#[derive(Debug)]
pub struct FileDoor {
    pub line: usize,
    pub door: KnockdDoor,
    pub one_time: Option<FileOneTime>,
    pub spa: Option<SpaLine>,
}
#[derive(Debug)]
pub struct KnockdFaults {
    pub faults: Faults,
    pub knockd_says: String,
}
pub const MAX_FILE_LEN: u64 = 1 << 24;
pub fn read(
    _file: &Path,
    _bytes: &[u8],
    _mode: u32,
    _open: &mut dyn FnMut(&Path) -> io::Result<Vec<u8>>,
) -> Result<KnockdFile, KnockdFaults> {
    let what = "knockd's dialect can't be read yet";
    let faults = Faults::one(Remark { file: _file.to_owned(), line: None, what: what.into(), hint: None });
    Err(KnockdFaults { faults, knockd_says: what.into() })
}
