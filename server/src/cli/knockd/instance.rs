//! What tells one daemon as knockd from another one beside it.

use std::fs;
use std::path::{Path, PathBuf};

use ring::digest::{SHA256, digest};

/// Where daemons as knockd keep what must survive them, each in a directory of its own.
const STATE: &str = "/var/lib/knock-spa/knockd";

/// The directory of the daemon with this configuration, interface and pid file.
pub(super) fn state_directory(config: &Path, interface: Option<&str>, pid_file: &Path) -> PathBuf {
    // A pid file is there or not, and directories may be links: what names the file is the same either way.
    let absolute = |path: &Path| {
        let path = std::path::absolute(path).unwrap_or_default();
        let directory = path.parent().and_then(|directory| fs::canonicalize(directory).ok());
        let path = directory.and_then(|directory| Some(directory.join(path.file_name()?))).unwrap_or(path);
        path.into_os_string().into_encoded_bytes()
    };
    let name = [absolute(config), interface.unwrap_or_default().into(), absolute(pid_file)].join(&0);
    let digits = digest(&SHA256, &name);
    let digits = digits.as_ref().iter().take(8).map(|byte| format!("{byte:02x}"));
    Path::new(STATE).join(digits.collect::<String>())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn instances_differ_in_configuration_interface_or_pid_file() {
        let one = |config: &str, interface, pid: &str| {
            state_directory(config.as_ref(), Some(interface), pid.as_ref())
        };
        let all = [one("/c", "i", "/p"), one("/d", "i", "/p"), one("/c", "j", "/p"), one("/c", "i", "/q")];
        assert!(all.iter().enumerate().all(|(i, one)| !all[..i].contains(one)));
        assert_eq!(one("/c", "i", "/p"), all[0]);
        assert!(all[0].starts_with(STATE));
    }
}
