//! From what a file says to what the daemon does: defaults, and what no value alone can tell.

use std::collections::BTreeMap;
use std::num::NonZeroU16;
use std::ops::RangeInclusive;
use std::time::Duration;

use knock_spa_engine::rules::{Action, Door, Lease};
use knock_spa_proto::knock::{ClassicKnock, FlagRule, Sequence, TcpFlags, TimeLimit};
use knock_spa_proto::port::Transport;

use crate::config::draft::{ActionDraft, DoorDraft, Draft, GuardDraft, ListenDraft, PathsDraft};
use crate::config::settings::{GuardSettings, Interfaces, Listen, LogSettings, Paths, Settings};
use crate::config::table::{At, Given, Reader};
use crate::nft;

/// Around a minute both clocks may be wrong by; more lets captured packets live longer.
const DEFAULT_WINDOW: Duration = Duration::from_secs(60);
/// Less refuses honest clocks; more keeps captured packets alive for no good reason.
const WINDOW: RangeInclusive<Duration> = Duration::from_secs(10)..=Duration::from_secs(600);
/// Long enough to log in; what is established stays.
const DEFAULT_OPEN_FOR: Lease = Lease::For(Duration::from_secs(60));
/// The most that a client may ask for, unless the door says otherwise.
const DEFAULT_MAX_OPEN: Lease = Lease::For(Duration::from_secs(3600));
/// A program knocks in well under a second; this allows for slow paths.
const DEFAULT_SEQUENCE_TIMEOUT: Duration = Duration::from_secs(5);
/// Attempts are remembered for this long at most.
const MAX_SEQUENCE_TIMEOUT: Duration = Duration::from_secs(3600);

/// Ports in all doors together: the guard has room for them, and for the SPA port.
const MAX_LISTED: usize = nft::DOORS_MAX as usize - 1;

/// The settings that the draft amounts to. Notes in `reader` what does not fit together.
pub(super) fn lower(draft: Draft, reader: &mut Reader) -> Settings {
    let listen = listen(draft.listen, reader);
    doors_share_no_port(&draft.doors, reader);
    Settings {
        doors: draft.doors.into_iter().map(|door| lower_door(door, listen.spa_port, reader)).collect(),
        window: window(draft.window, reader),
        listen,
        paths: paths(draft.paths),
        guard: guard(draft.guard, reader),
        knockd_doors: Vec::new(),
        one_time: Vec::new(),
        log: LogSettings::default(),
    }
}

fn listen(draft: ListenDraft, reader: &mut Reader) -> Listen {
    Listen {
        interfaces: match draft.interfaces.into_value() {
            Some(names) => Interfaces::Named(without_repeats("[listen] interfaces", names, reader)),
            None => Interfaces::AllButLoopback,
        },
        spa_port: Some(draft.spa_port.into_value().unwrap_or(Listen::DEFAULT_SPA_PORT)),
    }
}

fn paths(draft: PathsDraft) -> Paths {
    let default = Paths::default();
    Paths {
        key: draft.key.into_value().unwrap_or(default.key),
        clients: draft.clients.into_value().unwrap_or(default.clients),
        state: draft.state.into_value().unwrap_or(default.state),
        runtime: draft.runtime.into_value().unwrap_or(default.runtime),
    }
}

fn window(given: Given<Duration>, reader: &mut Reader) -> Duration {
    if let Given::Value(At { line, value }) = &given
        && !WINDOW.contains(value)
    {
        reader.fault(*line, "[spa] window: out of range", Some("from 10s to 10m; the default is 60s"));
    }
    given.into_value().unwrap_or(DEFAULT_WINDOW)
}

fn guard(draft: GuardDraft, reader: &mut Reader) -> GuardSettings {
    let trusted = draft.trusted.into_value().unwrap_or_default();
    GuardSettings {
        start: draft.start.into_value().unwrap_or_default(),
        trusted: without_repeats("[guard] trusted", trusted, reader),
    }
}

fn without_repeats<T: Copy + Ord + std::fmt::Display>(
    name: &str,
    list: Vec<At<T>>,
    reader: &mut Reader,
) -> Vec<T> {
    let mut seen = std::collections::BTreeSet::new();
    for At { line, value } in &list {
        if !seen.insert(*value) {
            reader.fault(*line, format!("{name}: {value} stands twice"), None);
        }
    }
    list.into_iter().map(|at| at.value).collect()
}

fn doors_share_no_port(doors: &[At<DoorDraft>], reader: &mut Reader) {
    let mut owners = BTreeMap::new();
    let listed = doors.iter().flat_map(|door| {
        let ports = door.value.ports.as_value().map(|ports| ports.value.as_slice()).unwrap_or_default();
        ports.iter().map(move |port| (port, door.value.name))
    });
    let mut listed: Vec<_> = listed.collect();
    // The file's order decides which of two is the later one.
    listed.sort_by_key(|(port, _)| port.line);
    if let Some((At { line, .. }, _)) = listed.get(MAX_LISTED) {
        let what = format!("more than {MAX_LISTED} ports in all doors together");
        reader.fault(*line, what, None);
    }
    for (At { line, value }, door) in listed {
        if let Some((owner, first)) = owners.insert(*value, (door, *line)) {
            let what =
                format!("[door.{door}] ports: {value} is listed by door {owner} already, in line {first}");
            reader.fault(*line, what, Some("a port belongs to one door"));
        }
    }
}

fn lower_door(at: At<DoorDraft>, spa_port: Option<NonZeroU16>, reader: &mut Reader) -> Door {
    let At { line, value: draft } = at;
    has_a_purpose(line, &draft, reader);
    spares_spa_port(&draft, spa_port, reader);
    let open_for = *draft.open_for.as_value().map_or(&DEFAULT_OPEN_FOR, |at| &at.value);
    let max_open = max_open(&draft, open_for, reader);
    let classic = classic(&draft, reader);
    Door {
        name: draft.name,
        ports: draft.ports.into_value().unwrap_or_default().into_iter().map(|port| port.value).collect(),
        open_for,
        max_open,
        action: match draft.action.into_value() {
            Some(ActionDraft::Command(Some(commands))) => Action::Command(commands),
            Some(ActionDraft::Guard | ActionDraft::Command(None)) | None => Action::Guard,
        },
        classic,
    }
}

/// A door without ports can only be one that a classic knock opens by commands which name no port.
fn has_a_purpose(line: usize, draft: &DoorDraft, reader: &mut Reader) {
    if !draft.ports.is_absent() {
        return;
    }
    let name = draft.name;
    match &draft.action {
        Given::Faulty | Given::Value(At { value: ActionDraft::Command(None), .. }) => {}
        Given::Absent | Given::Value(At { value: ActionDraft::Guard, .. }) => {
            let what = format!("[door.{name}]: no ports, and the guard needs to know which to shut");
            reader.fault(line, what, Some("add for example ports = [\"tcp/22\"]"));
        }
        Given::Value(At { line, value: ActionDraft::Command(Some(commands)) }) => {
            if commands.is_per_port() {
                let what = format!("[door.{name}] action: %PORT% or %PROTO% in a door without ports");
                reader.fault(*line, what, Some("add for example ports = [\"tcp/22\"]"));
            }
            if draft.sequence.is_absent() {
                let what =
                    format!("[door.{name}]: neither ports nor a sequence, so that nothing can open it");
                reader.fault(*line, what, Some("add ports, a sequence or both"));
            }
        }
    }
}

/// Whatever arrives at the SPA port is taken for a packet: nothing else can live there.
fn spares_spa_port(draft: &DoorDraft, spa_port: Option<NonZeroU16>, reader: &mut Reader) {
    let Some(spa_port) = spa_port else { return };
    let ports = draft.ports.as_value().map(|ports| ports.value.as_slice()).unwrap_or_default();
    let steps = draft.sequence.as_value().map(|steps| steps.value.as_slice()).unwrap_or_default();
    let ours = |transport, port| transport == Transport::Udp && port == spa_port.get();
    let lines = ports
        .iter()
        .filter(|at| ours(at.value.transport, at.value.port.get()))
        .map(|at| ("ports", at.line))
        .chain(
            steps.iter().filter(|at| ours(at.value.transport, at.value.port)).map(|at| ("sequence", at.line)),
        );
    for (key, line) in lines {
        let what = format!("[door.{}] {key}: udp/{spa_port} is where packets are received", draft.name);
        reader.fault(line, what, Some("choose another port, or another spa-port in [listen]"));
    }
}

fn max_open(draft: &DoorDraft, open_for: Lease, reader: &mut Reader) -> Lease {
    match &draft.max_open {
        Given::Value(At { line, value }) if *value < open_for => {
            let what = format!("[door.{}] max-open: shorter than open-for", draft.name);
            reader.fault(*line, what, Some("max-open is the most that a client may ask for"));
            *value
        }
        Given::Value(at) => at.value,
        Given::Absent | Given::Faulty => DEFAULT_MAX_OPEN.max(open_for),
    }
}

fn classic(draft: &DoorDraft, reader: &mut Reader) -> Option<ClassicKnock> {
    let name = draft.name;
    if let Given::Value(At { line, value }) = &draft.sequence_timeout
        && *value > MAX_SEQUENCE_TIMEOUT
    {
        reader.fault(*line, format!("[door.{name}] sequence-timeout: longer than 1h"), None);
    }
    if draft.sequence.is_absent() {
        let lines = [
            ("sequence-timeout", draft.sequence_timeout.as_value().map(|at| at.line)),
            ("tcp-flags", draft.tcp_flags.as_value().map(|at| at.line)),
        ];
        for (key, line) in lines.into_iter().filter_map(|(key, line)| Some((key, line?))) {
            reader.fault(
                line,
                format!("[door.{name}] {key}: there is no sequence that it could apply to"),
                None,
            );
        }
    }
    let steps = draft.sequence.as_value()?.value.iter().map(|step| step.value).collect();
    // Steps are missing only where they were complained of.
    let sequence = Sequence::new(steps).ok()?;
    let within = draft.sequence_timeout.as_value().map_or(DEFAULT_SEQUENCE_TIMEOUT, |at| at.value);
    let flags = draft.tcp_flags.as_value();
    let flags = flags.map_or_else(|| FlagRule::default().requiring(TcpFlags::SYN), |at| at.value);
    Some(ClassicKnock::new(sequence, TimeLimit::Span(within), flags))
}
