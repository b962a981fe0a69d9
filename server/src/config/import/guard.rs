//! The safer form of a door: one that the guard shuts, and that enrolled clients open.

use std::collections::BTreeSet;

use knock_spa_proto::port::{ServicePort, Transport};
use knock_spa_proto::service::ServiceName;

use crate::config::import::advice;
use crate::config::import::firewall::{self, Verb};
use crate::config::import::toml::{Text, array};
use crate::config::knockd::FileDoor;

/// Services that many know by their names.
const WELL_KNOWN: [(u16, &str); 12] = [
    (21, "ftp"),
    (22, "ssh"),
    (25, "smtp"),
    (80, "http"),
    (143, "imap"),
    (443, "https"),
    (993, "imaps"),
    (3306, "mysql"),
    (3389, "rdp"),
    (5432, "postgresql"),
    (5900, "vnc"),
    (8080, "http-alt"),
];

/// What was suggested so far: no two doors have a name or a port.
#[derive(Debug)]
pub(super) struct Guards {
    names: BTreeSet<ServiceName>,
    ports: BTreeSet<ServicePort>,
}

impl Guards {
    /// None yet, beside what clients may ask these doors for.
    pub(super) fn beside(doors: &[FileDoor]) -> Self {
        let lines = || doors.iter().filter_map(|door| door.spa.as_ref());
        Self {
            names: lines().map(|spa| spa.name).collect(),
            ports: lines().flat_map(|spa| &spa.ports).copied().collect(),
        }
    }

    /// Writes the safer form of a door, as a comment.
    pub(super) fn suggest(&mut self, door: &FileDoor, text: &mut Text) {
        let commands = &door.door.commands;
        if door.spa.is_some() || !advice::runs(commands) {
            return;
        }
        let Some(start) = &commands.start else { return };
        let change = firewall::change(start);
        if change.verb == Some(Verb::Delete) {
            return;
        }
        let Some(name) = self.free_name(&change.ports) else {
            if !change.ports.iter().any(|port| self.ports.contains(port)) {
                text.comment(
                    "Safer: spa = { name = \"NAME\", ports = [\"tcp/PORT\"] } lets enrolled clients have these commands \
                     run with one packet, and then no sequence is needed.",
                );
            }
            return;
        };
        text.comment(
            "Safer, in place of it: this one is shut for strangers, opens for enrolled clients with one packet, and \
             closes in time whatever happens.",
        );
        text.suggestion(&format!("[door.{name}]"));
        let ports: Vec<_> = change.ports.iter().map(ToString::to_string).collect();
        text.suggestion(&format!("ports = {}", array(&ports)));
        self.names.insert(name);
        self.ports.extend(change.ports);
    }

    /// A name for a door with these ports, unless others have them.
    fn free_name(&self, ports: &[ServicePort]) -> Option<ServiceName> {
        let first = ports.first()?;
        if ports.iter().any(|port| self.ports.contains(port)) {
            return None;
        }
        let known = WELL_KNOWN.iter().find(|(port, _)| *port == first.port.get()).map(|(_, name)| *name);
        let known = known.filter(|_| first.transport == Transport::Tcp).map(ToOwned::to_owned);
        let by_port = first.to_string().replace('/', "-");
        let names = known.into_iter().chain([by_port]).filter_map(|name| name.parse().ok());
        names.into_iter().find(|name| !self.names.contains(name))
    }
}
