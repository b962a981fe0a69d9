//! What is known of the guard without a daemon, also where the configuration is broken.

use std::path::{Path, PathBuf};

use super::rules::{self, CopyError, GuardRules};
use crate::config::salvage::Salvaged;
use crate::config::{Config, ConfigError};
use crate::nft::TRUSTED_MAX;

/// What the guard is to hold, and where that comes from.
#[derive(Debug)]
pub struct Known {
    /// What it is to hold; `None` where nobody can tell.
    pub rules: Option<GuardRules>,
    /// Where the daemon keeps what must survive a boot.
    pub state: PathBuf,
    /// What is wrong with the configuration, if anything is.
    pub broken: Option<ConfigError>,
    /// Why there is no copy of earlier rules, where it was wanted and cannot be used.
    pub copy_failed: Option<CopyError>,
}

impl Known {
    /// By the configuration; where that is broken, by what can be read of it and by what a daemon last went by.
    #[must_use]
    pub fn load(config: &Path) -> Self {
        let broken = match Config::load(config) {
            Ok(Config { settings, .. }) => {
                let rules = Some(GuardRules::of(&settings));
                return Self { rules, state: settings.paths.state, broken: None, copy_failed: None };
            }
            Err(error) => error,
        };
        let salvaged = Salvaged::load(config);
        let state = salvaged.state();
        let (copy, copy_failed) = match rules::read_copy(&state) {
            Ok(copy) => (copy, None),
            Err(error) => (None, Some(error)),
        };
        Self { rules: together(salvaged, copy), state, broken: Some(broken), copy_failed }
    }
}

/// What can be read of a broken configuration, and besides what a daemon last went by: a door whose ports are mistyped
/// stays shut, and so is nobody shut out whose network is. `None` where there is neither.
fn together(salvaged: Salvaged, copy: Option<GuardRules>) -> Option<GuardRules> {
    if copy.is_none() && salvaged.doors.is_empty() {
        return None;
    }
    let mut rules = copy.unwrap_or_default();
    rules.start = salvaged.start.unwrap_or(rules.start);
    rules.doors.extend(salvaged.doors);
    let new: Vec<_> =
        salvaged.trusted.into_iter().filter(|trusted| !rules.trusted.contains(trusted)).collect();
    rules.trusted.extend(new);
    rules.trusted.truncate(usize::try_from(TRUSTED_MAX).unwrap_or(usize::MAX));
    Some(rules)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::settings::GuardStart;

    fn salvaged(text: &str) -> Salvaged {
        Salvaged::parse(text)
    }

    fn copy(start: GuardStart, doors: &[&str], trusted: &[&str]) -> GuardRules {
        GuardRules {
            start,
            doors: doors.iter().map(|door| door.parse().unwrap()).collect(),
            trusted: trusted.iter().map(|trusted| trusted.parse().unwrap()).collect(),
        }
    }

    #[test]
    fn what_can_be_read_counts_beside_what_was_last_known() {
        let text = "[guard]\nstart = 'confirmed'\ntrusted = ['iif wg0', 'iif wg1']\n[door.ssh]\nports = ['tcp/22']\n";
        let old = || copy(GuardStart::On, &["tcp/22", "tcp/23", "udp/1"], &["iif wg0", "192.0.2.0/24"]);
        assert_eq!(together(salvaged(""), Some(old())), Some(old()));
        assert_eq!(
            together(salvaged(text), None),
            Some(copy(GuardStart::Confirmed, &["tcp/22", "udp/62201"], &["iif wg0", "iif wg1"]))
        );
        assert_eq!(
            together(salvaged(text), Some(old())),
            Some(copy(
                GuardStart::Confirmed,
                &["tcp/22", "tcp/23", "udp/1", "udp/62201"],
                &["iif wg0", "192.0.2.0/24", "iif wg1"]
            ))
        );
        assert_eq!(together(salvaged(""), None), None);
    }
}
