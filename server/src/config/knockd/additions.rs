//! Directives that knockd lacks. What is wrong in them is refused, as there is no habit to be kept.

use std::collections::BTreeSet;
use std::time::Duration;

use knock_spa_engine::knockd::Again;
use knock_spa_proto::knock::Repeats;
use knock_spa_proto::port::ServicePort;

use crate::config::knockd::SpaLine;
use crate::config::knockd::door::{Directive, DoorDraft};
use crate::config::knockd::keys::DoorKey;
use crate::config::knockd::numbers::trim_str;
use crate::config::native::MAX_PORTS;
use crate::config::table::{At, escape};

/// The longest cooldown, in seconds: a day, after which an address has long changed hands.
const MAX_COOLDOWN: u64 = 86_400;

const BOOLEAN_HINT: &str = "yes or no";
const COOLDOWN_HINT: &str = "a whole number of seconds from 0 to 86400";
const SPA_HINT: &str = "a name and its ports: SPA = ssh, tcp/22";
const NAME_HINT: &str = "the first is a name: a lower-case letter and at most 14 more, digits or hyphens, as in SPA = ssh, tcp/22";
const PORT_HINT: &str = "after the name come tcp/PORT or udp/PORT, as in SPA = ssh, tcp/22";

/// What is wrong, and what would be right.
#[derive(Debug)]
pub(super) struct Wrong {
    /// What is wrong.
    pub what: String,
    /// What would be right.
    pub hint: String,
}

impl Wrong {
    fn new(what: impl Into<String>, hint: &str) -> Self {
        Self { what: what.into(), hint: hint.into() }
    }
}

impl DoorDraft {
    /// Takes a directive that is ours.
    pub(super) fn take_addition(&mut self, directive: Directive<'_>) -> Result<(), Wrong> {
        let Directive { line, key, value } = directive;
        match key {
            DoorKey::Refresh => self.set_again(if boolean(value)? { Again::Extend } else { Again::Start }),
            DoorKey::TolerateRepeats => {
                self.repeats = if boolean(value)? { Repeats::Tolerated } else { Repeats::Fail };
            }
            DoorKey::SeqCooldown => self.cooldown = cooldown(value)?,
            DoorKey::Spa => self.spa = Some(At { line, value: spa(value)? }),
            DoorKey::Sequence
            | DoorKey::OneTimeSequences
            | DoorKey::SeqTimeout
            | DoorKey::TcpFlags
            | DoorKey::Target
            | DoorKey::StartCommand
            | DoorKey::StopCommand
            | DoorKey::CmdTimeout
            | DoorKey::StartCommand6
            | DoorKey::StopCommand6 => {}
        }
        Ok(())
    }
}

fn boolean(text: &str) -> Result<bool, Wrong> {
    match text.to_ascii_lowercase().as_str() {
        "yes" | "true" | "on" | "1" => Ok(true),
        "no" | "false" | "off" | "0" => Ok(false),
        _ => Err(Wrong::new(format!("\"{}\": neither yes nor no", escape(text)), BOOLEAN_HINT)),
    }
}

fn cooldown(text: &str) -> Result<Duration, Wrong> {
    let seconds = text
        .parse()
        .ok()
        .filter(|seconds| *seconds <= MAX_COOLDOWN && text.bytes().all(|byte| byte.is_ascii_digit()));
    let wrong = || Wrong::new(format!("\"{}\": no number of seconds", escape(text)), COOLDOWN_HINT);
    seconds.map(Duration::from_secs).ok_or_else(wrong)
}

fn spa(text: &str) -> Result<SpaLine, Wrong> {
    let mut parts = text.split(',').map(trim_str);
    let name = parts.next().unwrap_or_default();
    let wrong = |error: &dyn std::fmt::Display, part: &str, hint| {
        Wrong::new(format!("\"{}\": {error}", escape(part)), hint)
    };
    let name = name.parse().map_err(|error| wrong(&error, name, NAME_HINT))?;
    let ports: Result<Vec<ServicePort>, _> =
        parts.map(|part| part.parse().map_err(|error| wrong(&error, part, PORT_HINT))).collect();
    let ports = ports?;
    if ports.is_empty() {
        return Err(Wrong::new("no port", SPA_HINT));
    }
    if ports.len() > MAX_PORTS {
        return Err(Wrong::new(format!("more than {MAX_PORTS} ports"), SPA_HINT));
    }
    let mut seen = BTreeSet::new();
    match ports.iter().find(|port| !seen.insert(**port)) {
        Some(port) => Err(Wrong::new(format!("{port} stands twice"), SPA_HINT)),
        None => Ok(SpaLine { name, ports }),
    }
}
