//! Expressions of rules, as the kernel lists them: anybody's rules, not ours alone.

use super::kernel::*;
use crate::netlink::{attribute, attributes};

/// One step of a rule. One that does not match ends it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Expression {
    /// Loads what the kernel knows of the packet: one of `NFT_META_*`.
    Meta { key: u32, to: u32 },
    /// Loads a piece of the packet.
    Payload { base: u32, offset: usize, len: usize, to: u32 },
    /// Loads the state of the packet's connection.
    ConnectionState { to: u32 },
    /// Loads a value.
    Value { value: Vec<u8>, to: u32 },
    /// Keeps the bits of a mask, and flips others.
    Bitwise { from: u32, to: u32, mask: Vec<u8>, flip: Vec<u8> },
    /// Compares: one of `NFT_CMP_*`.
    Compare { from: u32, operation: u32, value: Vec<u8> },
    /// Matches values from one to another, or all others.
    Range { from: u32, inverted: bool, first: Vec<u8>, last: Vec<u8> },
    /// Matches what a set has, or what it lacks; where it is a map of verdicts, that is one.
    Lookup { set: String, from: u32, inverted: bool, gives_verdict: bool },
    /// Decides.
    Verdict(Verdict),
    /// Keeps the packet from connection tracking.
    Untrack,
    /// An extension of iptables that may match, and what it was told.
    Extension { name: String, info: Vec<u8> },
    /// Matches everything, and decides nothing.
    Neutral,
    /// Matches some packets, nobody knows which.
    Sometimes,
    /// Nobody knows what it does.
    Unknown,
}

/// What becomes of a packet.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Verdict {
    /// It passes this base chain.
    Accept,
    /// It ends.
    Drop,
    /// The next rule decides.
    Continue,
    /// The calling chain decides.
    Return,
    /// Another chain decides, and where it does not, the next rule.
    Jump(String),
    /// Another chain decides, and where it does not, the calling one.
    Goto(String),
    /// Somebody else decides.
    Elsewhere,
}

/// The expressions in a list of them.
pub(super) fn expressions(list: &[u8]) -> Vec<Expression> {
    attributes(list).map(|(_, expression)| parse(expression).unwrap_or(Expression::Unknown)).collect()
}

fn parse(expression: &[u8]) -> Option<Expression> {
    let name = text(attribute(expression, NFTA_EXPR_NAME)?);
    let data = attribute(expression, NFTA_EXPR_DATA).unwrap_or_default();
    Some(match name.as_str() {
        "meta" => Expression::Meta { key: number(data, NFTA_META_KEY)?, to: number(data, NFTA_META_DREG)? },
        "payload" => payload(data)?,
        "ct" if number(data, NFTA_CT_KEY)? == NFT_CT_STATE => {
            Expression::ConnectionState { to: number(data, NFTA_CT_DREG)? }
        }
        "immediate" => immediate(data)?,
        "bitwise" => bitwise(data)?,
        "cmp" => Expression::Compare {
            from: number(data, NFTA_CMP_SREG)?,
            operation: number(data, NFTA_CMP_OP)?,
            value: value(data, NFTA_CMP_DATA)?,
        },
        "range" => Expression::Range {
            from: number(data, NFTA_RANGE_SREG)?,
            inverted: number(data, NFTA_RANGE_OP)? != NFT_RANGE_EQ,
            first: value(data, NFTA_RANGE_FROM_DATA)?,
            last: value(data, NFTA_RANGE_TO_DATA)?,
        },
        "lookup" => lookup(data)?,
        "reject" => Expression::Verdict(Verdict::Drop),
        "queue" | "synproxy" | "tproxy" => Expression::Verdict(Verdict::Elsewhere),
        "notrack" => Expression::Untrack,
        "match" => extension(data)?,
        "target" => target(data)?,
        "counter" | "log" | "objref" | "last" => Expression::Neutral,
        "limit" | "quota" | "connlimit" | "dynset" => Expression::Sometimes,
        _ => Expression::Unknown,
    })
}

fn lookup(data: &[u8]) -> Option<Expression> {
    let gives_verdict = match number(data, NFTA_LOOKUP_DREG) {
        None => false,
        Some(NFT_REG_VERDICT) => true,
        // It loads what a map has.
        Some(_) => return None,
    };
    Some(Expression::Lookup {
        set: text(attribute(data, NFTA_LOOKUP_SET)?),
        from: number(data, NFTA_LOOKUP_SREG)?,
        inverted: number(data, NFTA_LOOKUP_FLAGS).is_some_and(|flags| flags & NFT_LOOKUP_F_INV != 0),
        gives_verdict,
    })
}

fn payload(data: &[u8]) -> Option<Expression> {
    let size = |kind| usize::try_from(number(data, kind)?).ok();
    Some(Expression::Payload {
        base: number(data, NFTA_PAYLOAD_BASE)?,
        offset: size(NFTA_PAYLOAD_OFFSET)?,
        len: size(NFTA_PAYLOAD_LEN)?,
        to: number(data, NFTA_PAYLOAD_DREG)?,
    })
}

fn immediate(data: &[u8]) -> Option<Expression> {
    let to = number(data, NFTA_IMMEDIATE_DREG)?;
    if to == NFT_REG_VERDICT {
        return verdict(attribute(data, NFTA_IMMEDIATE_DATA)?).map(Expression::Verdict);
    }
    Some(Expression::Value { value: value(data, NFTA_IMMEDIATE_DATA)?, to })
}

fn bitwise(data: &[u8]) -> Option<Expression> {
    Some(Expression::Bitwise {
        from: number(data, NFTA_BITWISE_SREG)?,
        to: number(data, NFTA_BITWISE_DREG)?,
        mask: value(data, NFTA_BITWISE_MASK)?,
        flip: value(data, NFTA_BITWISE_XOR)?,
    })
}

fn extension(data: &[u8]) -> Option<Expression> {
    let name = text(attribute(data, NFTA_EXTENSION_NAME)?);
    Some(match name.as_str() {
        "comment" => Expression::Neutral,
        _ => Expression::Extension { name, info: attribute(data, NFTA_EXTENSION_INFO)?.to_vec() },
    })
}

/// What an extension of iptables does to a packet.
fn target(data: &[u8]) -> Option<Expression> {
    /// `XT_CT_NOTRACK`, in the first two bytes of what the target CT is told.
    const UNTRACKED: u16 = 1;
    let info = attribute(data, NFTA_EXTENSION_INFO).unwrap_or_default();
    Some(match text(attribute(data, NFTA_EXTENSION_NAME)?).as_str() {
        "REJECT" | "TARPIT" => Expression::Verdict(Verdict::Drop),
        "NOTRACK" => Expression::Untrack,
        "CT" => match info.first_chunk() {
            Some(flags) if u16::from_ne_bytes(*flags) & UNTRACKED != 0 => Expression::Untrack,
            _ => Expression::Neutral,
        },
        "LOG" | "NFLOG" | "MARK" | "CONNMARK" | "TCPMSS" | "AUDIT" => Expression::Neutral,
        _ => Expression::Verdict(Verdict::Elsewhere),
    })
}

/// The verdict in an attribute of `NFTA_DATA_*`.
pub(super) fn verdict(data: &[u8]) -> Option<Verdict> {
    let verdict = attribute(data, NFTA_DATA_VERDICT)?;
    let chain = || Some(text(attribute(verdict, NFTA_VERDICT_CHAIN)?));
    Some(match number(verdict, NFTA_VERDICT_CODE)? {
        NF_ACCEPT => Verdict::Accept,
        NF_DROP => Verdict::Drop,
        NFT_CONTINUE => Verdict::Continue,
        NFT_RETURN => Verdict::Return,
        NFT_JUMP => Verdict::Jump(chain()?),
        NFT_GOTO => Verdict::Goto(chain()?),
        _ => Verdict::Elsewhere,
    })
}

/// A number of nftables, in network byte order.
pub(super) fn number(data: &[u8], kind: u16) -> Option<u32> {
    attribute(data, kind)?.first_chunk().map(|bytes| u32::from_be_bytes(*bytes))
}

/// Text that the kernel terminated with a zero.
pub(super) fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes.split(|byte| *byte == 0).next().unwrap_or_default()).into_owned()
}

fn value(data: &[u8], kind: u16) -> Option<Vec<u8>> {
    Some(attribute(attribute(data, kind)?, NFTA_DATA_VALUE)?.to_vec())
}
