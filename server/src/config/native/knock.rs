//! Classic sequences: `["7000", "8000/udp"]` and `["syn", "!ack"]`.

use std::str::FromStr;
use std::time::Duration;

use knock_spa_proto::knock::{FlagRule, Repeats, Sequence, Step, TcpFlags};
use knock_spa_proto::port::Transport;

use crate::config::draft::KnockDraft;
use crate::config::table::{At, Entry, Reader, Table};

/// The longest cooldown: by then an address has long changed hands.
const MAX_COOLDOWN: Duration = Duration::from_secs(86_400);

const STEP_HINT: &str = "\"PORT\" or \"PORT/tcp\" for TCP, \"PORT/udp\" for UDP";
const FLAG_HINT: &str = "fin, syn, rst, psh, ack or urg, with ! before it where it must not be set";

const TARGET_HINT: &str = "an address like \"192.0.2.7\" or \"2001:db8::7\", without a mask";
const REPEATS: [(&str, Repeats); 2] = [("fail", Repeats::Fail), ("tolerated", Repeats::Tolerated)];

/// What a door says of its knock.
pub(super) fn read(table: &mut Table<'_>, reader: &mut Reader) -> KnockDraft {
    KnockDraft {
        sequence: table.read("sequence", reader, sequence),
        tcp_flags: table.read("tcp-flags", reader, flags),
        target: table.read("target", reader, |entry, reader| entry.parse(Some(TARGET_HINT), reader)),
        one_time: table.read("one-time-sequences", reader, super::path),
        repeats: table.read("repeats", reader, |entry, reader| entry.word(&REPEATS, reader)),
        cooldown: table.read("cooldown", reader, cooldown),
    }
}

fn cooldown(entry: Entry<'_>, reader: &mut Reader) -> Option<Duration> {
    let place = entry.place.clone();
    let cooldown = super::span(entry, reader)?;
    if cooldown > MAX_COOLDOWN {
        place.fault("longer than 1d", Some("by then an address has long changed hands"), reader);
    }
    Some(cooldown)
}

/// The good ones of the steps.
fn sequence(entry: Entry<'_>, reader: &mut Reader) -> Option<Vec<At<Step>>> {
    if entry.is_empty_list() {
        entry.place.fault(
            "no steps",
            Some("a sequence has 1 to 32 steps; leave the key out for none"),
            reader,
        );
        return None;
    }
    entry.list(Sequence::MAX_LEN, reader, |step, reader| {
        step.parse(Some(STEP_HINT), reader).map(|StepText(step)| step)
    })
}

struct StepText(Step);

#[derive(Debug, thiserror::Error)]
#[error("not a step of a sequence")]
struct NotAStep;

impl FromStr for StepText {
    type Err = NotAStep;

    fn from_str(text: &str) -> Result<Self, NotAStep> {
        let (port, transport) = match text.split_once('/') {
            None => (text, Transport::Tcp),
            Some((port, "tcp")) => (port, Transport::Tcp),
            Some((port, "udp")) => (port, Transport::Udp),
            Some(_) => return Err(NotAStep),
        };
        let canonical =
            port.bytes().all(|byte| byte.is_ascii_digit()) && (port == "0" || !port.starts_with('0'));
        let port = port.parse().ok().filter(|_| canonical).ok_or(NotAStep)?;
        Ok(Self(Step { transport, port }))
    }
}

/// The rule of these flags; without any, every segment counts.
fn flags(entry: Entry<'_>, reader: &mut Reader) -> Option<FlagRule> {
    let place = entry.place.clone();
    let flags = entry.list(NAMES.len(), reader, |flag, reader| flag.parse(Some(FLAG_HINT), reader))?;
    let mut seen = 0;
    let mut rule = FlagRule::default();
    for At { value: Flag { bit, wanted }, .. } in flags {
        if seen & bit != 0 {
            place.fault("a flag stands twice", None, reader);
        }
        seen |= bit;
        rule = if wanted { rule.requiring(bit) } else { rule.forbidding(bit) };
    }
    Some(rule)
}

/// The flags' names.
pub(in crate::config) const NAMES: [(&str, u8); 6] = [
    ("fin", TcpFlags::FIN),
    ("syn", TcpFlags::SYN),
    ("rst", TcpFlags::RST),
    ("psh", TcpFlags::PSH),
    ("ack", TcpFlags::ACK),
    ("urg", TcpFlags::URG),
];

struct Flag {
    bit: u8,
    wanted: bool,
}

#[derive(Debug, thiserror::Error)]
#[error("not a TCP flag")]
struct NotAFlag;

impl FromStr for Flag {
    type Err = NotAFlag;

    fn from_str(text: &str) -> Result<Self, NotAFlag> {
        let (name, wanted) = text.strip_prefix('!').map_or((text, true), |name| (name, false));
        let bit = NAMES.iter().find(|(known, _)| *known == name).map(|(_, bit)| *bit).ok_or(NotAFlag)?;
        Ok(Self { bit, wanted })
    }
}
