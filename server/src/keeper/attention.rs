//! What somebody must look at, of all that `status` tells.

use knock_spa_proto::control::{CloseState, GuardStatus, Health, Status};

/// One line for each thing that is not as it should be.
pub(super) fn attention(status: &Status) -> Vec<String> {
    let mut lines = Vec::new();
    match &status.guard {
        GuardStatus::Failed { why } => lines.push(format!("the guard can't be built: {why}")),
        GuardStatus::Down { why } => lines.push(format!("the guard is down, its doors stand open: {why}")),
        GuardStatus::Up { slipped_in, .. } if *slipped_in > 0 => {
            lines.push(format!("{slipped_in} connections were made while the guard was gone"));
        }
        GuardStatus::Up { .. } | GuardStatus::NotNeeded => {}
    }
    let sets = status.sets.iter().filter_map(|set| Some((&set.set, set.fault.as_ref()?)));
    lines.extend(sets.map(|(set, why)| format!("set {set} does not hold what it should: {why}")));
    if !status.listener.ready {
        lines.push("the listener does not listen".into());
    }
    let missing = status.listener.missing_interfaces.iter();
    lines.extend(missing.map(|name| format!("interface {name} is not there")));
    if status.journal == Health::Failed {
        lines.push("the journal can't be written: command doors refuse".into());
    }
    lines.extend(status.audit.fault.iter().map(|why| format!("the audit file can't be written: {why}")));
    let stuck = status.closes.iter().filter(|close| close.state == CloseState::NeedsAttention);
    lines.extend(stuck.map(|close| {
        let ended = close.ended.as_deref().unwrap_or("it failed");
        format!(
            "door {} may be open for {}: its stop command was given up ({ended})",
            close.door, close.address
        )
    }));
    let exhausted = status.knockd_doors.iter().filter(|door| !door.can_be_knocked);
    lines.extend(exhausted.map(|door| format!("nothing opens door {}: no sequence is left", door.name)));
    let previous = status.unusable_previous_key.iter();
    lines.extend(previous.map(|why| format!("the previous key can't be used: {why}")));
    lines
}
