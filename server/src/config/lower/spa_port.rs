//! The port at which packets arrive: whatever comes there is taken for one, so that nothing else can live there.

use std::num::NonZeroU16;

use knock_spa_proto::knock::Step;
use knock_spa_proto::port::{ServicePort, Transport};

use crate::config::draft::{DoorDraft, KnockdDoorDraft, KnockdDraft};
use crate::config::lower::knockd::Included;
use crate::config::remark::{Faults, Remark};
use crate::config::table::{At, Reader, escape};

const HINT: &str = "choose another port, or another spa-port in [listen]";

/// Complains of doors and sequences that have the port.
pub(super) fn is_spared(
    port: NonZeroU16,
    doors: &[At<DoorDraft>],
    knockd: &KnockdDraft,
    included: Option<&Included>,
    reader: &mut Reader,
) {
    let native = doors.iter().flat_map(|door| uses_of_door(&door.value, port));
    let written = knockd.doors.iter().flat_map(|door| uses_of_knockd_door(&door.value, port));
    for (line, key) in native.chain(written) {
        reader.fault(line, complaint(&key, port), Some(HINT));
    }
    included.into_iter().for_each(|included| is_spared_by(included, port, reader));
}

fn complaint(key: &str, port: NonZeroU16) -> String {
    format!("{key}: udp/{port} is where packets are received")
}

fn is_port(at: &ServicePort, port: NonZeroU16) -> bool {
    at.transport == Transport::Udp && at.port == port
}

fn is_step(at: &Step, port: NonZeroU16) -> bool {
    at.transport == Transport::Udp && at.port == port.get()
}

/// Lines and keys where the door has the port.
fn uses_of_door(door: &DoorDraft, port: NonZeroU16) -> Vec<(usize, String)> {
    let ports = door.ports.as_value().map(|ports| ports.value.as_slice()).unwrap_or_default();
    let steps = door.knock.sequence.as_value().map(|steps| steps.value.as_slice()).unwrap_or_default();
    uses(&format!("[door.{}]", door.name), "ports", ports, steps, port)
}

fn uses_of_knockd_door(door: &KnockdDoorDraft, port: NonZeroU16) -> Vec<(usize, String)> {
    let ports = door.spa.as_value().map(|spa| spa.value.ports.as_slice()).unwrap_or_default();
    let steps = door.knock.sequence.as_value().map(|steps| steps.value.as_slice()).unwrap_or_default();
    uses("[[knockd.door]]", "spa.ports", ports, steps, port)
}

fn uses(
    name: &str,
    key: &str,
    ports: &[At<ServicePort>],
    steps: &[At<Step>],
    port: NonZeroU16,
) -> Vec<(usize, String)> {
    let ports =
        ports.iter().filter(|at| is_port(&at.value, port)).map(|at| (at.line, format!("{name} {key}")));
    let steps =
        steps.iter().filter(|at| is_step(&at.value, port)).map(|at| (at.line, format!("{name} sequence")));
    ports.chain(steps).collect()
}

fn is_spared_by(included: &Included, port: NonZeroU16, reader: &mut Reader) {
    for door in &included.file.doors {
        let mut ports = door.spa.iter().flat_map(|spa| &spa.ports);
        let mut steps = door.door.knock.iter().flat_map(|knock| knock.sequence.steps());
        if ports.any(|at| is_port(at, port)) || steps.any(|at| is_step(at, port)) {
            reader.other_faults(Faults::one(Remark {
                file: included.path.clone(),
                line: Some(door.line),
                what: complaint(&format!("section '{}'", escape(&door.door.name)), port),
                hint: Some(HINT.into()),
            }));
        }
    }
}
