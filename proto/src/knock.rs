//! Classic knocks: the steps of a sequence, and which TCP segments count as a hit.

use alloc::vec::Vec;
use core::fmt;
use core::time::Duration;

use crate::port::Transport;

/// One step of a sequence: a port of a transport. Port 0 is possible, since knockd allows it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Step {
    /// The transport.
    pub transport: Transport,
    /// The port, 0 to 65535.
    pub port: u16,
}

impl fmt::Display for Step {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.port, self.transport)
    }
}

/// The steps that open a door, in order: 1 to 32 of them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Sequence(Vec<Step>);

/// A sequence has 1 to [`Sequence::MAX_LEN`] steps.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("a sequence has 1 to 32 steps")]
pub struct BadSequence;

impl Sequence {
    /// The most steps that knockd takes.
    pub const MAX_LEN: usize = 32;

    /// The sequence of these steps.
    ///
    /// # Errors
    /// [`BadSequence`] where there are none, or more than [`Self::MAX_LEN`].
    pub fn new(steps: Vec<Step>) -> Result<Self, BadSequence> {
        if steps.is_empty() || steps.len() > Self::MAX_LEN { Err(BadSequence) } else { Ok(Self(steps)) }
    }

    /// The steps, at least one.
    #[must_use]
    pub fn steps(&self) -> &[Step] {
        &self.0
    }
}

/// The control bits of a TCP segment that knockd knows (RFC 9293 section 3.1), as in the header's octet 13.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub struct TcpFlags(pub u8);

impl TcpFlags {
    /// No more data from sender.
    pub const FIN: u8 = 0x01;
    /// Synchronise sequence numbers.
    pub const SYN: u8 = 0x02;
    /// Reset the connection.
    pub const RST: u8 = 0x04;
    /// Push function.
    pub const PSH: u8 = 0x08;
    /// Acknowledgement field is significant.
    pub const ACK: u8 = 0x10;
    /// Urgent pointer field is significant.
    pub const URG: u8 = 0x20;
}

/// Which TCP segments count for a door: some bits must be set, some must be clear, the rest do not matter.
/// The default lets every segment count.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub struct FlagRule {
    required: u8,
    forbidden: u8,
}

impl FlagRule {
    /// The rule that also requires `bits`, whatever it said of them before.
    #[must_use]
    pub const fn requiring(self, bits: u8) -> Self {
        Self { required: self.required | bits, forbidden: self.forbidden & !bits }
    }

    /// The rule that also forbids `bits`, whatever it said of them before.
    #[must_use]
    pub const fn forbidding(self, bits: u8) -> Self {
        Self { required: self.required & !bits, forbidden: self.forbidden | bits }
    }

    /// Whether a segment with these flags counts.
    #[must_use]
    pub const fn admits(self, flags: TcpFlags) -> bool {
        flags.0 & self.required == self.required && flags.0 & self.forbidden == 0
    }

    /// The bits that must be set.
    #[must_use]
    pub const fn required(self) -> u8 {
        self.required
    }

    /// The bits that must be clear.
    #[must_use]
    pub const fn forbidden(self) -> u8 {
        self.forbidden
    }
}

/// A classic knock: what opens a door for whoever sends it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ClassicKnock {
    /// The steps, in order.
    pub sequence: Sequence,
    /// The whole sequence arrives within this span of its first step.
    pub within: Duration,
    /// Which TCP segments count; UDP steps have no flags.
    pub flags: FlagRule,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn later_mentions_of_a_flag_win() {
        let rule = FlagRule::default().requiring(TcpFlags::SYN).forbidding(TcpFlags::ACK);
        assert!(rule.admits(TcpFlags(TcpFlags::SYN)));
        assert!(!rule.admits(TcpFlags(TcpFlags::SYN | TcpFlags::ACK)));
        assert!(rule.requiring(TcpFlags::ACK).admits(TcpFlags(TcpFlags::SYN | TcpFlags::ACK)));
        assert!(FlagRule::default().admits(TcpFlags(0)));
    }
}
