//! The model: what is open by the plain meaning of what was asked.

use super::*;

/// An opening as anybody would write it down.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Grant {
    pub(super) door: &'static str,
    pub(super) ports: Vec<&'static str>,
    pub(super) address: &'static str,
    pub(super) by: &'static str,
    pub(super) end: UnixTime,
}

/// A packet as anybody would write it down.
#[derive(Clone, Copy, Debug)]
pub(super) struct Packet {
    pub(super) stamp: UnixTime,
    pub(super) alice: bool,
    pub(super) opens: bool,
    pub(super) services: usize,
    pub(super) to: usize,
    pub(super) ttl: u32,
    pub(super) from: &'static str,
}

pub(super) struct Model {
    pub(super) grants: Vec<Grant>,
    pub(super) marks: [u64; 2],
    pub(super) durable_marks: [u64; 2],
    /// What was made before the keeper came back is refused.
    pub(super) floor: UnixTime,
    pub(super) reduced: bool,
    /// What is in force but not open: commands had opened it before the machine stopped, or the keeper was killed
    /// before they did, and nobody has asked for it since.
    pub(super) gone: BTreeSet<String>,
}

pub(super) const fn ports_of(door: &str) -> &'static [&'static str] {
    match door.as_bytes() {
        b"ssh" => &["tcp/22"],
        b"web" => &["tcp/443", "udp/443"],
        b"db" => &["tcp/5432", "tcp/5433"],
        b"mail" => &["tcp/25", "tcp/465"],
        b"imap" => &["tcp/143"],
        b"git" => &["tcp/9418"],
        _ => &["tcp/1194", "udp/1194"],
    }
}

/// The doors that services mean, with their ports.
pub(super) fn meant(services: &str) -> Option<Vec<(&'static str, Vec<&'static str>)>> {
    let mut meant: BTreeMap<&str, BTreeSet<&str>> = BTreeMap::new();
    for service in services.split(',').filter(|service| !service.is_empty()) {
        let door = DOORS.into_iter().find(|door| *door == service || ports_of(door).contains(&service))?;
        let ports = ports_of(door).iter().copied().filter(|port| door == service || *port == service);
        meant.entry(door).or_default().extend(ports);
    }
    Some(meant.into_iter().map(|(door, ports)| (door, ports.into_iter().collect())).collect())
}

impl Packet {
    pub(super) fn asked(&self) -> Asked {
        let asked = if self.opens { open(SERVICES[self.services]) } else { close(SERVICES[self.services]) };
        let asked = if self.opens { asked.ttl(self.ttl) } else { asked };
        match self.to {
            0 => asked.here(),
            1 => asked.explicitly().at(BOB4),
            2 => asked.here().at(ALICE6),
            _ if self.opens => asked.explicitly().at(BOB4).at(ALICE6),
            _ => asked,
        }
    }

    pub(super) fn addresses(&self) -> BTreeSet<&'static str> {
        match self.to {
            0 => [self.from].into(),
            1 => [BOB4].into(),
            2 => [self.from, ALICE6].into(),
            _ if self.opens => [BOB4, ALICE6].into(),
            _ => SOURCES.into(),
        }
    }

    pub(super) fn secret(&self) -> ClientSecret {
        if self.alice { alice() } else { bob() }
    }

    pub(super) const fn by(&self) -> &'static str {
        if self.alice { "alice" } else { "bob" }
    }
}

impl Default for Model {
    fn default() -> Self {
        let (marks, floor) = ([0; 2], UnixTime::EPOCH);
        Self { grants: Vec::new(), marks, durable_marks: marks, floor, reduced: false, gone: BTreeSet::new() }
    }
}

impl Model {
    /// The keeper comes back after it was cut off.
    pub(super) fn come_back(&mut self, now: UnixTime) {
        self.marks = self.durable_marks;
        self.floor = now;
    }

    /// Whether the packet is accepted.
    pub(super) fn take(&mut self, packet: &Packet, now: UnixTime) -> bool {
        let who = usize::from(packet.alice);
        let newer = packet.stamp.as_nanos() > self.marks[who] && packet.stamp > self.floor;
        let fresh = packet.stamp.abs_diff(now) <= WINDOW && newer;
        if !fresh || (self.reduced && !packet.alice) {
            return false;
        }
        self.marks[who] = packet.stamp.as_nanos();
        let Some(meant) = meant(SERVICES[packet.services]) else { return false };
        if self.reduced && meant.iter().any(|(door, _)| *door == "web") {
            return false;
        }
        self.durable_marks[who] = self.marks[who];
        for address in packet.addresses() {
            for (door, ports) in &meant {
                if packet.opens {
                    let ttl = if packet.ttl == 0 { 60 } else { packet.ttl.into() };
                    let end = now.saturating_add(secs(ttl));
                    self.grant(Grant { door, ports: ports.clone(), address, by: packet.by(), end });
                } else {
                    self.grants.retain(|grant| {
                        let own = grant.by == packet.by() && grant.address == address && grant.door == *door;
                        !(own && grant.ports.iter().any(|port| ports.contains(port)))
                    });
                }
            }
        }
        true
    }

    pub(super) fn grant(&mut self, new: Grant) {
        for key in new.holds() {
            self.gone.remove(&key);
        }
        let end = new.end;
        match self.grants.iter_mut().find(|old| Grant { end, ..(*old).clone() } == new) {
            Some(old) => old.end = old.end.max(end),
            None => self.grants.push(new),
        }
    }

    /// All rules hold from now on, or those without Bob and without the web.
    pub(super) fn reload(&mut self, all: bool) {
        self.reduced = !all;
        self.grants.retain(|grant| all || (grant.door != "web" && grant.by != "bob"));
    }

    pub(super) fn elements(&self) -> BTreeMap<Element, UnixTime> {
        let mut elements = BTreeMap::new();
        for grant in self.grants.iter().filter(|grant| ["ssh", "web"].contains(&grant.door)) {
            for port in &grant.ports {
                let end = elements.entry(element(grant.address, port)).or_insert(grant.end);
                *end = grant.end.max(*end);
            }
        }
        elements
    }

    /// What the administrator's sets hold, and until when.
    pub(super) fn held(&self) -> BTreeMap<String, UnixTime> {
        let mut held = BTreeMap::new();
        for grant in &self.grants {
            let keys: Vec<_> = match grant.door {
                "mail" | "imap" => [alloc::format!("inet f any: {}", grant.address)].into(),
                "git" => [alloc::format!("inet f each: {} tcp/9418", grant.address)].into(),
                _ => Vec::new(),
            };
            for key in keys {
                let end = held.entry(key).or_insert(grant.end);
                *end = grant.end.max(*end);
            }
        }
        held
    }

    pub(super) fn holds(&self) -> BTreeSet<String> {
        self.grants.iter().flat_map(Grant::holds).collect()
    }

    /// Forgets what is over; what nobody holds is not gone either.
    pub(super) fn tidy(&mut self, now: UnixTime) {
        self.grants.retain(|grant| grant.end > now);
        let holds = self.holds();
        self.gone.retain(|key| holds.contains(key));
    }
}

impl Grant {
    /// What its commands hold open.
    pub(super) fn holds(&self) -> Vec<String> {
        match self.door {
            "db" => self.ports.iter().map(|port| alloc::format!("db {} {port}", self.address)).collect(),
            "vpn" => [alloc::format!("vpn {}", self.address)].into(),
            _ => Vec::new(),
        }
    }
}
