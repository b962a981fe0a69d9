//! From what a file says to what the daemon does: defaults, and what no value alone can tell.

mod classic;
mod disjoint;
mod knockd;
mod knockless;
mod spa_port;

use std::ops::RangeInclusive;
use std::path::Path;
use std::time::Duration;

use knock_spa_engine::admit::effect::Flows;
use knock_spa_engine::rules::{Action, Door, Knockable, Lease, OnStop};
use knock_spa_proto::knock::{FlagRule, TcpFlags, TimeLimit};

use crate::clients::invitations;
use crate::config::as_knockd;
use crate::config::draft::{ActionDraft, DoorDraft, Draft, GuardDraft, ListenDraft, LogDraft, PathsDraft};
use crate::config::knockd::KnockdOptions;
use crate::config::lower::classic::Frame;
use crate::config::named_files::NamedFiles;
use crate::config::settings::{
    CaptureMode, GuardSettings, Interfaces, Listen, LogSettings, OneTime, Paths, Settings,
};
use crate::config::table::{At, Given, Reader};

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
/// Where relative paths of a file in knockd's dialect begin: where services are started.
pub(super) const BASE: &str = "/";
/// Attempts are remembered for this long at most.
const MAX_SEQUENCE_TIMEOUT: Duration = Duration::from_secs(3600);

/// The settings that the draft amounts to. Notes in `reader` what does not fit together.
pub(super) fn lower(draft: Draft, files: &mut dyn NamedFiles, reader: &mut Reader) -> Settings {
    let listen = listen(draft.listen, reader);
    let included = knockd::include(&draft.knockd.include, files, reader);
    disjoint::check(&draft.doors, &draft.knockd, included.as_ref(), reader);
    if let Some(port) = listen.spa_port {
        spa_port::is_spared(port, &draft.doors, &draft.knockd, included.as_ref(), reader);
    }
    if listen.capture == CaptureMode::Socket {
        knockless::check(&draft.doors, &draft.knockd, included.as_ref(), reader);
    }
    let mut one_time = Vec::new();
    let doors = draft.doors.into_iter().map(|door| lower_door(door, &mut one_time, files, reader)).collect();
    let written = draft.knockd.doors.into_iter().filter_map(|door| knockd::door(door, files, reader));
    let written = written.collect();
    let mut settings = Settings {
        doors,
        explain: draft.spa.explain.into_value().unwrap_or_default(),
        window: window(draft.spa.window, reader),
        listen,
        paths: paths(draft.paths, reader),
        guard: guard(draft.guard, reader),
        knockd_doors: Vec::new(),
        one_time,
        log: log(draft.log, included.as_ref().map(|file| &file.file.options)),
        audit_file: draft.audit.into_value(),
    };
    let included = included.map(|file| file.file.doors).unwrap_or_default();
    as_knockd::add_doors(included, Path::new(BASE), &mut settings);
    as_knockd::add_doors(written, Path::new(BASE), &mut settings);
    settings
}

fn listen(draft: ListenDraft, reader: &mut Reader) -> Listen {
    Listen {
        interfaces: match draft.interfaces.into_value() {
            Some(names) => Interfaces::Named(without_repeats("[listen] interfaces", names, reader)),
            None => Interfaces::AllButLoopback,
        },
        spa_port: Some(draft.spa_port.into_value().unwrap_or(Listen::DEFAULT_SPA_PORT)),
        capture: draft.capture.into_value().unwrap_or_default(),
    }
}

pub(super) fn paths(draft: PathsDraft, reader: &mut Reader) -> Paths {
    let default = Paths::default();
    if let Given::Value(At { line, value }) = &draft.clients
        && invitations::directory(value) == *value
    {
        reader.fault(
            *line,
            "[paths] clients: the invitations beside it have this name",
            Some("like \"/var/lib/knock-spa/clients.d\""),
        );
    }
    Paths {
        key: draft.key.into_value().unwrap_or(default.key),
        clients: draft.clients.into_value().unwrap_or(default.clients),
        state: draft.state.into_value().unwrap_or(default.state),
        runtime: draft.runtime.into_value().unwrap_or(default.runtime),
    }
}

/// What `[log]` does not say, the included file may.
fn log(draft: LogDraft, included: Option<&KnockdOptions>) -> LogSettings {
    let file = included.and_then(|options| options.log_file.as_ref());
    let file = file.filter(|path| !path.as_os_str().is_empty()).map(|path| Path::new(BASE).join(path));
    let syslog = included.is_some_and(|options| options.syslog);
    LogSettings {
        file: draft.file.into_value().or(file),
        syslog: draft.syslog.into_value().unwrap_or(syslog),
        verbose: false,
        lookup: false,
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

fn lower_door(
    at: At<DoorDraft>,
    one_time: &mut Vec<OneTime>,
    files: &mut dyn NamedFiles,
    reader: &mut Reader,
) -> Door {
    let At { line, value: draft } = at;
    has_a_purpose(line, &draft, reader);
    let open_for = *draft.open_for.as_value().map_or(&DEFAULT_OPEN_FOR, |at| &at.value);
    let max_open = max_open(&draft, open_for, reader);
    let knock = classic::lower(&frame(&draft, reader), draft.knock, files, reader);
    let action = match draft.action.into_value() {
        Some(ActionDraft::Command(Some(commands))) => Action::Command(commands),
        Some(ActionDraft::Set(Some(sets))) => Action::Set(sets),
        Some(ActionDraft::Guard | ActionDraft::Set(None) | ActionDraft::Command(None)) | None => {
            Action::Guard
        }
    };
    one_time.extend(knock.one_time.map(|from| OneTime {
        door: Knockable::Door(draft.name),
        file: from.file,
        begins_elsewhere: from.begins_elsewhere,
    }));
    Door {
        name: draft.name,
        aliases: draft
            .aliases
            .into_value()
            .unwrap_or_default()
            .into_iter()
            .map(|alias| alias.value)
            .collect(),
        ports: draft.ports.into_value().unwrap_or_default().into_iter().map(|port| port.value).collect(),
        open_for,
        max_open,
        max_openings: draft.max_openings.into_value(),
        flows: if draft.cut.into_value().unwrap_or_default() { Flows::Cut } else { Flows::LiveOn },
        on_stop: draft.on_stop.into_value().unwrap_or_else(|| OnStop::of(&action)),
        action,
        classic: knock.classic,
    }
}

/// What holds for the door's knock where it says nothing else.
fn frame(draft: &DoorDraft, reader: &mut Reader) -> Frame {
    let name = format!("[door.{}]", draft.name);
    if let Given::Value(At { line, value }) = &draft.sequence_timeout
        && *value > MAX_SEQUENCE_TIMEOUT
    {
        reader.fault(*line, format!("{name} sequence-timeout: longer than 1h"), None);
    }
    if let Given::Value(At { line, .. }) = &draft.sequence_timeout
        && !draft.knock.exists()
    {
        let what = format!("{name} sequence-timeout: {}", classic::NO_SEQUENCE);
        reader.fault(*line, what, None);
    }
    let within = draft.sequence_timeout.as_value().map_or(DEFAULT_SEQUENCE_TIMEOUT, |at| at.value);
    let flags = FlagRule::default().requiring(TcpFlags::SYN);
    Frame { name, within: TimeLimit::Span(within), flags }
}

/// A door without ports can only be one that a classic knock opens by commands which name no port.
fn has_a_purpose(line: usize, draft: &DoorDraft, reader: &mut Reader) {
    if !draft.ports.is_absent() {
        return;
    }
    let name = draft.name;
    match &draft.action {
        Given::Faulty
        | Given::Value(At { value: ActionDraft::Command(None) | ActionDraft::Set(None), .. }) => {}
        Given::Value(At { line, value: ActionDraft::Set(Some(_)) }) => {
            let what = format!("[door.{name}] action: no ports, and a set is for those who come to some");
            reader.fault(*line, what, Some("add for example ports = [\"tcp/22\"]"));
        }
        Given::Absent | Given::Value(At { value: ActionDraft::Guard, .. }) => {
            let what = format!("[door.{name}]: no ports, and the guard needs to know which to shut");
            reader.fault(line, what, Some("add for example ports = [\"tcp/22\"]"));
        }
        Given::Value(At { line, value: ActionDraft::Command(Some(commands)) }) => {
            if commands.is_per_port() {
                let what = format!("[door.{name}] action: %PORT% or %PROTO% in a door without ports");
                reader.fault(*line, what, Some("add for example ports = [\"tcp/22\"]"));
            }
            if !draft.knock.exists() {
                let what =
                    format!("[door.{name}]: neither ports nor a sequence, so that nothing can open it");
                reader.fault(*line, what, Some("add ports, a sequence or both"));
            }
        }
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
