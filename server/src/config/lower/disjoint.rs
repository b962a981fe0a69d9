//! What no two doors may share, wherever they stand: the names and ports that clients ask for.

use std::collections::BTreeMap;
use std::fmt::Display;

use knock_spa_proto::port::ServicePort;
use knock_spa_proto::service::ServiceName;

use crate::config::draft::{DoorDraft, KnockdDraft};
use crate::config::lower::knockd::Included;
use crate::config::table::{At, Reader, escape};
use crate::nft;

/// Ports in all doors together: the guard has room for them, and for the SPA port.
const MAX_LISTED: usize = nft::DOORS_MAX as usize - 1;

/// Something that a door has for itself.
struct Claim<T> {
    /// The line in this file; none where it is in the included one, which is judged by itself.
    line: Option<usize>,
    /// Where that is, in words.
    place: String,
    /// The key, as people would call it.
    key: String,
    /// The door, as people would call it.
    owner: String,
    /// What it has.
    value: T,
}

/// What the doors of all kinds have for themselves.
#[derive(Default)]
struct Claims {
    names: Vec<Claim<ServiceName>>,
    ports: Vec<Claim<ServicePort>>,
}

/// Complains of names and ports that two doors have, and of too many ports.
pub(super) fn check(
    doors: &[At<DoorDraft>],
    knockd: &KnockdDraft,
    included: Option<&Included>,
    reader: &mut Reader,
) {
    let mut claims = Claims::default();
    included.into_iter().for_each(|included| claims.of_included(included));
    claims.of_doors(doors);
    claims.of_written(knockd);
    not_too_many(doors, reader);
    no_two(claims.ports, "listed by", "a port belongs to one door", reader);
    no_two(claims.names, "the name of", "clients ask for a door by its name", reader);
}

impl Claims {
    fn of_included(&mut self, included: &Included) {
        for door in &included.file.doors {
            let Some(spa) = &door.spa else { continue };
            let claim = Claim {
                line: None,
                place: format!("in {}, line {}", included.path.display(), door.line),
                key: String::new(),
                owner: format!("door {}", escape(&door.door.name)),
                value: spa.name,
            };
            self.ports.extend(spa.ports.iter().map(|port| claim.with(*port)));
            self.names.push(claim);
        }
    }

    fn of_doors(&mut self, doors: &[At<DoorDraft>]) {
        for At { line, value: door } in doors {
            let name = door.name;
            self.names.push(claim(*line, format!("[door.{name}]"), format!("door {name}"), name));
            for At { line, value } in
                door.aliases.as_value().map(|at| at.value.as_slice()).unwrap_or_default()
            {
                let key = format!("[door.{name}] aliases");
                self.names.push(claim(*line, key, format!("door {name}"), *value));
            }
            for At { line, value } in ports_of(door) {
                self.ports.push(claim(*line, format!("[door.{name}] ports"), format!("door {name}"), *value));
            }
        }
    }

    fn of_written(&mut self, knockd: &KnockdDraft) {
        for At { value: door, .. } in &knockd.doors {
            let Some(At { value: spa, .. }) = door.spa.as_value() else { continue };
            let name = door.name.as_value().map(|at| escape(&at.value)).unwrap_or_default();
            let key = |key: &str| format!("[[knockd.door]] spa.{key}");
            let owner = || format!("door {name}");
            self.names.push(claim(spa.name.line, key("name"), owner(), spa.name.value));
            let ports = spa.ports.iter().map(|port| claim(port.line, key("ports"), owner(), port.value));
            self.ports.extend(ports);
        }
    }
}

fn claim<T>(line: usize, key: String, owner: String, value: T) -> Claim<T> {
    Claim { line: Some(line), place: format!("in line {line}"), key, owner, value }
}

impl<T> Claim<T> {
    /// The same of something else.
    fn with<U>(&self, value: U) -> Claim<U> {
        let Self { line, place, key, owner, .. } = self;
        Claim { line: *line, place: place.clone(), key: key.clone(), owner: owner.clone(), value }
    }
}

fn ports_of(door: &DoorDraft) -> &[At<ServicePort>] {
    door.ports.as_value().map(|ports| ports.value.as_slice()).unwrap_or_default()
}

fn no_two<T: Copy + Ord + Display>(mut claims: Vec<Claim<T>>, how: &str, hint: &str, reader: &mut Reader) {
    // The file's order decides which of two is the later one.
    claims.sort_by_key(|claim| claim.line);
    let mut owners: BTreeMap<T, Claim<T>> = BTreeMap::new();
    for claim in claims {
        if let (Some(line), Some(first)) = (claim.line, owners.get(&claim.value)) {
            let Claim { key, value, .. } = &claim;
            let what = format!("{key}: {value} is {how} {} already, {}", first.owner, first.place);
            reader.fault(line, what, Some(hint));
        }
        owners.insert(claim.value, claim);
    }
}

fn not_too_many(doors: &[At<DoorDraft>], reader: &mut Reader) {
    let mut lines: Vec<_> =
        doors.iter().flat_map(|door| ports_of(&door.value)).map(|port| port.line).collect();
    lines.sort_unstable();
    if let Some(line) = lines.get(MAX_LISTED) {
        reader.fault(*line, format!("more than {MAX_LISTED} ports in all doors together"), None);
    }
}
