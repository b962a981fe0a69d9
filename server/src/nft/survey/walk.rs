//! Following a packet through the rules, both ways where a rule may or may not match.

use super::packet::{Answer, Byte, Packet, REGISTERS, compare};
use super::{BaseChain, Chain, Survey};
use crate::nft::expression::{Expression, Verdict};
use crate::nft::kernel::*;

/// How deep chains may call one another: as deep as the kernel lets them.
const DEPTH: usize = 16;

/// Rules that are looked at for one packet. Where that is not enough, it may be accepted.
const RULES: u32 = 100_000;

/// What becomes of the packet in one base chain.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Outcome {
    pub(super) may_be_accepted: bool,
    pub(super) may_be_untracked: bool,
}

/// Whether a packet comes out at the end of a chain.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Way {
    /// It may.
    Through,
    /// Never: every such packet has met its verdict.
    Ended,
}

/// One packet on its way.
pub(super) struct Walk<'s> {
    survey: &'s Survey,
    packet: Packet,
    outcome: Outcome,
    rules_left: u32,
}

impl<'s> Walk<'s> {
    pub(super) const fn new(survey: &'s Survey, packet: Packet) -> Self {
        let outcome = Outcome { may_be_accepted: false, may_be_untracked: false };
        Self { survey, packet, outcome, rules_left: RULES }
    }

    /// Follows it through a base chain.
    pub(super) fn through(mut self, base: &BaseChain) -> Outcome {
        let way = self.chain(&base.chain, 0);
        if way == Way::Through && !base.drops_by_policy {
            self.outcome.may_be_accepted = true;
        }
        self.outcome
    }

    fn chain(&mut self, chain: &Chain, depth: usize) -> Way {
        let mut returns = false;
        for rule in self.survey.rules.get(chain).map(Vec::as_slice).unwrap_or_default() {
            self.rules_left = self.rules_left.saturating_sub(1);
            if self.rules_left == 0 || depth > DEPTH {
                self.outcome.may_be_accepted = true;
                return Way::Through;
            }
            for (answer, verdict) in self.rule(chain, rule) {
                let ends = self.follow(&verdict, chain, depth, &mut returns);
                if answer == Answer::Yes && ends == Some(Way::Ended) {
                    return if returns { Way::Through } else { Way::Ended };
                }
            }
        }
        Way::Through
    }

    /// Follows one verdict; `Ended` where the rules behind it see nothing of such packets.
    fn follow(&mut self, verdict: &Verdict, chain: &Chain, depth: usize, returns: &mut bool) -> Option<Way> {
        let named = |name: &String| Chain { name: name.clone(), ..chain.clone() };
        match verdict {
            Verdict::Accept | Verdict::Elsewhere => {
                self.outcome.may_be_accepted = true;
                Some(Way::Ended)
            }
            Verdict::Drop => Some(Way::Ended),
            Verdict::Continue => None,
            Verdict::Return => {
                *returns = true;
                Some(Way::Ended)
            }
            Verdict::Jump(name) => Some(self.chain(&named(name), depth.saturating_add(1))),
            Verdict::Goto(name) => {
                *returns |= self.chain(&named(name), depth.saturating_add(1)) == Way::Through;
                Some(Way::Ended)
            }
        }
    }

    /// The verdicts of a rule, and whether it comes to each of them.
    fn rule(&mut self, chain: &Chain, rule: &[Expression]) -> Vec<(Answer, Verdict)> {
        let mut registers = [Byte::Any; REGISTERS];
        let mut so_far = Answer::Yes;
        for expression in rule {
            if let Expression::Verdict(verdict) = expression {
                return vec![(so_far, verdict.clone())];
            }
            let answer = if let Expression::Lookup { set, from, inverted, gives_verdict } = expression {
                let set = Chain { name: set.clone(), ..chain.clone() };
                let found = self.survey.sets.get(&set).map(|set| set.find(held(&registers, *from)));
                let Some(found) = found else { return vec![(Answer::Maybe, Verdict::Elsewhere)] };
                if *gives_verdict {
                    let certain = so_far == Answer::Yes && found.answer == Answer::Yes;
                    let answer = if certain { Answer::Yes } else { Answer::Maybe };
                    return found.verdicts.into_iter().map(|verdict| (answer, verdict)).collect();
                }
                found.answer.inverted_if(*inverted)
            } else {
                self.outcome.may_be_untracked |= *expression == Expression::Untrack;
                step(expression, &self.packet, &mut registers)
            };
            match answer {
                Answer::No => return Vec::new(),
                Answer::Maybe => so_far = Answer::Maybe,
                Answer::Yes => {}
            }
        }
        Vec::new()
    }
}

/// Carries out what changes registers, or answers what compares them.
fn step(expression: &Expression, packet: &Packet, registers: &mut [Byte; REGISTERS]) -> Answer {
    match expression {
        Expression::Meta { key, to } => load(registers, *to, &packet.meta(*key)),
        Expression::Payload { base, offset, len, to } => {
            load(registers, *to, &packet.piece(*base, *offset, *len));
        }
        Expression::ConnectionState { to } => match packet.connection_state {
            Some(state) => load(registers, *to, &state.to_ne_bytes().map(Byte::Known)),
            None => load(registers, *to, &[Byte::Any; 4]),
        },
        Expression::Value { value, to } => {
            let known: Vec<_> = value.iter().copied().map(Byte::Known).collect();
            load(registers, *to, &known);
        }
        Expression::Bitwise { from, to, mask, flip } => {
            let kept = held(registers, *from).iter().zip(mask.iter().zip(flip));
            let kept: Vec<_> = kept.map(|(byte, (mask, flip))| masked(*byte, *mask, *flip)).collect();
            load(registers, *to, &kept);
        }
        Expression::Compare { from, operation, value } => {
            let bytes = held(registers, *from);
            return compare(*operation, bytes.get(..value.len()).unwrap_or(bytes), value);
        }
        Expression::Range { from, inverted, first, last } => {
            let bytes = held(registers, *from);
            let bytes = bytes.get(..first.len()).unwrap_or(bytes);
            return within(bytes, first, last).inverted_if(*inverted);
        }
        Expression::Extension { name, info } => return packet.extension(name, info),
        Expression::Sometimes => return Answer::Maybe,
        Expression::Unknown => {
            *registers = [Byte::Any; REGISTERS];
            return Answer::Maybe;
        }
        Expression::Neutral | Expression::Untrack | Expression::Verdict(_) | Expression::Lookup { .. } => {}
    }
    Answer::Yes
}

fn within(bytes: &[Byte], first: &[u8], last: &[u8]) -> Answer {
    if bytes.contains(&Byte::Unnamed) {
        return Answer::No;
    }
    match (compare(NFT_CMP_GTE, bytes, first), compare(NFT_CMP_LTE, bytes, last)) {
        (Answer::Yes, Answer::Yes) => Answer::Yes,
        (Answer::No, _) | (_, Answer::No) => Answer::No,
        _ => Answer::Maybe,
    }
}

const fn masked(byte: Byte, mask: u8, flip: u8) -> Byte {
    match byte {
        _ if mask == 0 => Byte::Known(flip),
        Byte::Known(byte) => Byte::Known((byte & mask) ^ flip),
        Byte::Unnamed | Byte::Outside | Byte::Any => byte,
    }
}

/// Where a register begins: four of sixteen bytes are the same as sixteen of four.
fn place(register: u32) -> usize {
    let (first, len) = if register >= NFT_REG32_00 { (NFT_REG32_00, 4) } else { (NFT_REG_1, 16) };
    let number = usize::try_from(register.saturating_sub(first)).unwrap_or(usize::MAX);
    number.saturating_mul(len).min(REGISTERS)
}

fn held(registers: &[Byte; REGISTERS], from: u32) -> &[Byte] {
    registers.get(place(from)..).unwrap_or_default()
}

fn load(registers: &mut [Byte; REGISTERS], to: u32, bytes: &[Byte]) {
    // What fills a register in part is padded with zeros.
    let padding =
        std::iter::repeat_n(Byte::Known(0), bytes.len().next_multiple_of(4).saturating_sub(bytes.len()));
    let places = registers.iter_mut().skip(place(to));
    places.zip(bytes.iter().copied().chain(padding)).for_each(|(place, byte)| *place = byte);
}
