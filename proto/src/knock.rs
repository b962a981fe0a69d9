//! Classic knocks: the steps of a sequence, and which TCP segments count as a hit.

use alloc::vec::Vec;
use core::fmt;
use core::time::Duration;

use crate::address::Address;
use crate::port::Transport;
use crate::time::{BootTime, Now};

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
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
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

    /// What both rules ask for: it admits everything that either of them does.
    #[must_use]
    pub const fn common(self, other: Self) -> Self {
        Self { required: self.required & other.required, forbidden: self.forbidden & other.forbidden }
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

/// Names a door with a classic knock between the two processes: another one for each door, and for each sequence that
/// a door ever has, so that what was knocked for an old sequence is never taken for a new one.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct DoorNumber(pub u32);

/// When an attempt at a sequence is over.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum TimeLimit {
    /// So long after its first step.
    Span(Duration),
    /// knockd's way: as soon as the wall clock's seconds are so many more than at its first step, whatever fractions
    /// of a second there were; zero ends it at once.
    WholeSeconds(u32),
}

impl TimeLimit {
    /// When an attempt that began at `start` is over.
    #[must_use]
    pub fn end(self, start: Now) -> BootTime {
        const SECOND: u64 = 1_000_000_000;
        /// The two clocks are not read at quite the same time: ends within one second shall be one end.
        const ROUNDED_TO: u64 = 1_000_000;
        let span = match self {
            Self::Span(span) => span,
            Self::WholeSeconds(seconds) => {
                let begun = Duration::from_nanos(start.unix.as_nanos() % SECOND);
                Duration::from_secs(seconds.into()).saturating_sub(begun)
            }
        };
        let end = start.boot.saturating_add(span);
        match self {
            Self::Span(_) => end,
            Self::WholeSeconds(_) if span.is_zero() => end,
            Self::WholeSeconds(_) => {
                BootTime::from_nanos(end.as_nanos().checked_next_multiple_of(ROUNDED_TO).unwrap_or(u64::MAX))
            }
        }
    }
}

/// What a hit does that only repeats the step before it, as a SYN does that is sent again.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum Repeats {
    /// It is wrong, as with knockd, and the attempt has failed.
    #[default]
    Fail,
    /// It does not count, unless the step is also the one that is next.
    Tolerated,
}

/// How often a sequence opens.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum Uses {
    /// Whenever it is knocked.
    #[default]
    Any,
    /// Once: then the door has another sequence, or none.
    Once,
}

/// A classic knock: what opens a door for whoever sends it.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct ClassicKnock {
    /// The steps, in order.
    pub sequence: Sequence,
    /// The whole sequence arrives before this is over.
    pub within: TimeLimit,
    /// Which TCP segments count; UDP steps have no flags.
    pub flags: FlagRule,
    /// The address to knock at, where it is not one of this machine's own.
    pub target: Option<Address>,
    /// What repeated hits do.
    pub repeats: Repeats,
    /// For so long after it opened for an address, it does not open for that address again; zero is knockd's way.
    pub cooldown: Duration,
    /// How often it opens.
    pub uses: Uses,
}

impl ClassicKnock {
    /// The knock that is this sequence, with everything else as plain as can be.
    #[must_use]
    pub const fn new(sequence: Sequence, within: TimeLimit, flags: FlagRule) -> Self {
        Self {
            sequence,
            within,
            flags,
            target: None,
            repeats: Repeats::Fail,
            cooldown: Duration::ZERO,
            uses: Uses::Any,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::time::UnixTime;

    #[test]
    fn later_mentions_of_a_flag_win() {
        let rule = FlagRule::default().requiring(TcpFlags::SYN).forbidding(TcpFlags::ACK);
        assert!(rule.admits(TcpFlags(TcpFlags::SYN)));
        assert!(!rule.admits(TcpFlags(TcpFlags::SYN | TcpFlags::ACK)));
        assert!(rule.requiring(TcpFlags::ACK).admits(TcpFlags(TcpFlags::SYN | TcpFlags::ACK)));
        assert!(FlagRule::default().admits(TcpFlags(0)));
    }
    #[test]
    fn whole_seconds_end_with_a_second_of_the_wall_clock() {
        const MILLIS: u64 = 1_000_000;
        let at = |boot: u64, unix: u64| Now {
            boot: BootTime::from_nanos(boot * MILLIS),
            unix: UnixTime::from_nanos(unix * MILLIS),
        };
        let end = |limit: TimeLimit, start| limit.end(start).as_nanos() / MILLIS;
        assert_eq!(end(TimeLimit::WholeSeconds(5), at(100, 7_900)), 100 + 4_100);
        assert_eq!(end(TimeLimit::WholeSeconds(5), at(100, 7_000)), 100 + 5_000);
        assert_eq!(end(TimeLimit::WholeSeconds(1), at(100, 7_999)), 101);
        assert_eq!(end(TimeLimit::WholeSeconds(0), at(100, 7_999)), 100);
        assert_eq!(end(TimeLimit::Span(Duration::from_secs(5)), at(100, 7_900)), 5_100);
    }
}
