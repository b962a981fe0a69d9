//! Classic sequences: `["7000", "8000/udp"]` and `["syn", "!ack"]`.

use std::str::FromStr;

use knock_spa_proto::knock::{FlagRule, Sequence, Step, TcpFlags};
use knock_spa_proto::port::Transport;

use crate::config::table::{At, Entry, Reader};

const STEP_HINT: &str = "\"PORT\" or \"PORT/tcp\" for TCP, \"PORT/udp\" for UDP";
const FLAG_HINT: &str = "fin, syn, rst, psh, ack or urg, with ! before it where it must not be set";

/// The good ones of the steps.
pub(super) fn sequence(entry: Entry<'_>, reader: &mut Reader) -> Option<Vec<At<Step>>> {
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
pub(super) fn flags(entry: Entry<'_>, reader: &mut Reader) -> Option<FlagRule> {
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

const NAMES: [(&str, u8); 6] = [
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
