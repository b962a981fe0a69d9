//! What can still be read of the guard in a configuration that is wrong elsewhere.

use std::path::{Path, PathBuf};

use knock_spa_proto::port::{ServicePort, Transport};

use crate::config::draft::{ActionDraft, DoorDraft, Draft};
use crate::config::native;
use crate::config::settings::{GuardStart, Listen, Paths};
use crate::config::table::{At, Given, Reader};
use crate::files;
use crate::nft::Trusted;

/// What a configuration with faults says of the guard. Whatever cannot be read is left out.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Salvaged {
    /// When it goes up.
    pub start: Option<GuardStart>,
    /// The ports of doors that have it, and the SPA port where there are any.
    pub doors: Vec<ServicePort>,
    /// Whom it never drops.
    pub trusted: Vec<Trusted>,
    /// Where the daemon keeps what must survive a boot.
    pub state: Option<PathBuf>,
    /// Where it keeps what must not.
    pub runtime: Option<PathBuf>,
}

impl Salvaged {
    /// Reads a file in the native dialect; nothing where it cannot be read or is not TOML.
    #[must_use]
    pub fn load(file: &Path) -> Self {
        files::read_text(file, super::MAX_FILE_LEN)
            .map_or_else(|_| Self::default(), |(text, _)| Self::parse(&text))
    }

    /// The same from a text.
    #[must_use]
    pub fn parse(text: &str) -> Self {
        let mut salvaged = Self::default();
        let read = Reader::read(Path::new(""), text, |root, reader| {
            salvaged = Self::of(native::read(root, reader));
            Some(())
        });
        // Its faults are why it is read like this, and were told.
        drop(read);
        salvaged
    }

    fn of(draft: Draft) -> Self {
        let mut doors: Vec<_> = draft.doors.iter().flat_map(|At { value: door, .. }| guarded(door)).collect();
        if !doors.is_empty() {
            let port = draft.listen.spa_port.into_value().unwrap_or(Listen::DEFAULT_SPA_PORT);
            doors.push(ServicePort { transport: Transport::Udp, port });
        }
        let trusted = draft.guard.trusted.into_value().unwrap_or_default();
        Self {
            start: draft.guard.start.into_value(),
            doors,
            trusted: trusted.into_iter().map(|at| at.value).collect(),
            state: draft.paths.state.into_value(),
            runtime: draft.paths.runtime.into_value(),
        }
    }

    /// Where the daemon keeps what must survive a boot, as far as is known.
    #[must_use]
    pub fn state(&self) -> PathBuf {
        self.state.clone().unwrap_or_else(|| Paths::default().state)
    }

    /// Where it keeps what must not, as far as is known.
    #[must_use]
    pub fn runtime(&self) -> PathBuf {
        self.runtime.clone().unwrap_or_else(|| Paths::default().runtime)
    }
}

/// The good ports of a door, where it surely is the guard's.
fn guarded(door: &DoorDraft) -> Vec<ServicePort> {
    match &door.action {
        Given::Absent | Given::Value(At { value: ActionDraft::Guard, .. }) => {
            let ports = door.ports.as_value().map(|at| at.value.as_slice()).unwrap_or_default();
            ports.iter().map(|port| port.value).collect()
        }
        Given::Faulty | Given::Value(At { value: ActionDraft::Set(_) | ActionDraft::Command(_), .. }) => {
            Vec::new()
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ports(texts: &[&str]) -> Vec<ServicePort> {
        texts.iter().map(|text| text.parse().unwrap()).collect()
    }

    #[test]
    fn what_is_right_is_read_beside_what_is_wrong() {
        let text = "
            [listen]\nspa-port = 4000\ninterfaces = 7
            [paths]\nstate = '/s'\nkye = 'x'
            [guard]\nstart = 'confirmed'\ntrusted = ['192.0.2.0/24', 'nonsense', 'iif wg0']
            [door.ssh]\nports = ['tcp/22', 'tpc/23']\nopen-for = 'ages'
            [door.web]\nports = ['tcp/443']\naction = 'gard'
            [door.run]\nports = ['tcp/444']\naction = { start = 'x', stop = 'y' }
            [nonsense]\n";
        let salvaged = Salvaged::parse(text);
        assert_eq!(salvaged.start, Some(GuardStart::Confirmed));
        assert_eq!(salvaged.doors, ports(&["tcp/22", "udp/4000"]));
        assert_eq!(salvaged.trusted, ["192.0.2.0/24", "iif wg0"].map(|text| text.parse().unwrap()));
        assert_eq!(salvaged.state(), Path::new("/s"));
    }

    #[test]
    fn nothing_is_read_of_what_is_no_toml() {
        for text in ["[door.ssh\nports = ['tcp/22']", "\0", ""] {
            assert_eq!(Salvaged::parse(text), Salvaged::default(), "{text:?}");
        }
        assert_eq!(Salvaged::load(Path::new("/nonexistent")), Salvaged::default());
        assert_eq!(Salvaged::default().state(), Paths::default().state);
    }
}
