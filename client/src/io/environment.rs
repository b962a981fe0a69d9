//! What the caller's environment says, read once.

use std::ffi::OsString;
use std::path::{Path, PathBuf};

use crate::failure::{Failure, Status};

/// The variables that matter here. Empty ones count as absent.
#[derive(Clone, Debug, Default)]
pub(crate) struct Environment {
    /// `KNOCK_SPA_HOME`: where this program keeps its files.
    pub(crate) knock_spa_home: Option<PathBuf>,
    /// `XDG_CONFIG_HOME`: where programs keep their files.
    pub(crate) xdg_config_home: Option<PathBuf>,
    /// `HOME`.
    pub(crate) home: Option<PathBuf>,
    /// `USER`, or else `LOGNAME`.
    pub(crate) user: Option<String>,
}

impl Environment {
    /// The environment of this process.
    pub(crate) fn read() -> Self {
        Self {
            knock_spa_home: variable("KNOCK_SPA_HOME").map(PathBuf::from),
            xdg_config_home: variable("XDG_CONFIG_HOME").map(PathBuf::from),
            home: variable("HOME").map(PathBuf::from),
            user: variable("USER").or_else(|| variable("LOGNAME")).and_then(|user| user.into_string().ok()),
        }
    }
}

#[expect(clippy::disallowed_methods, reason = "this module is where the environment is read")]
fn variable(name: &str) -> Option<OsString> {
    std::env::var_os(name).filter(|value| !value.is_empty())
}

/// The path of this program.
pub(crate) fn program() -> Result<PathBuf, Failure> {
    std::env::current_exe()
        .map_err(|error| Failure::new(Status::Os, "cannot tell where this program is").because(error))
}

/// A path that means the same from every directory.
pub(crate) fn absolute(path: &Path) -> Result<PathBuf, Failure> {
    std::path::absolute(path).map_err(|error| {
        Failure::new(Status::Usage, format!("cannot tell where {} is", path.display())).because(error)
    })
}

/// The name of this machine; `None` where it is not text.
pub(crate) fn host_name() -> Option<String> {
    rustix::system::uname().nodename().to_str().ok().map(str::to_owned)
}
