//! Why a packet opened nothing: one word per stage, counted always and logged rarely.

use core::fmt;

/// Why a packet to the SPA port was dropped, in the order of the checks (`docs/protocol.md` section 4).
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Refusal {
    /// Stage 0: not 320 bytes.
    WrongLength,
    /// Stage 1: no live envelope key opens it.
    Junk,
    /// Stage 2, and again in the keeper: made too long ago, or too far in the future.
    Stale,
    /// Stage 3: these very bytes were here before.
    Duplicate,
    /// Stage 4: it had to make room in the full DH queue.
    Displaced,
    /// Stage 5: not sealed to this server.
    Unsealable,
    /// Stage 6: no enrolled client and no invitation has this key, or it is not valid now.
    UnknownClient,
    /// Stage 7: not newer than what this client sent before.
    Replayed,
    /// Stage 8: the client did not sign it.
    Forged,
    /// Stage 9: signed, and not a request.
    Malformed,
    /// Stage 10: this client asks too often.
    TooOften,
    /// Stage 11: this client may not ask for that.
    Unauthorised,
    /// Stage 11: the invitation is used up, or its name or the new key is somebody's.
    Taken,
    /// Stage 11: the same client was enrolled by the same invitation before: nothing is left to do.
    AlreadyEnrolled,
    /// Stage 11: too much is open already, for this client or for all.
    NoRoom,
    /// Stage 12: it could not be recorded, so the door did not move, or nobody was enrolled.
    Unrecorded,
}

impl Refusal {
    /// Every refusal, in the order of the stages.
    pub const ALL: [Self; 16] = [
        Self::WrongLength,
        Self::Junk,
        Self::Stale,
        Self::Duplicate,
        Self::Displaced,
        Self::Unsealable,
        Self::UnknownClient,
        Self::Replayed,
        Self::Forged,
        Self::Malformed,
        Self::TooOften,
        Self::Unauthorised,
        Self::Taken,
        Self::AlreadyEnrolled,
        Self::NoRoom,
        Self::Unrecorded,
    ];

    /// The name in logs and in `status`.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::WrongLength => "wrong-length",
            Self::Junk => "junk",
            Self::Stale => "stale",
            Self::Duplicate => "duplicate",
            Self::Displaced => "displaced",
            Self::Unsealable => "unsealable",
            Self::UnknownClient => "unknown-client",
            Self::Replayed => "replayed",
            Self::Forged => "forged",
            Self::Malformed => "malformed",
            Self::TooOften => "too-often",
            Self::Unauthorised => "unauthorised",
            Self::Taken => "taken",
            Self::AlreadyEnrolled => "already-enrolled",
            Self::NoRoom => "no-room",
            Self::Unrecorded => "unrecorded",
        }
    }
}

impl fmt::Display for Refusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// How often each refusal happened.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Tally([u64; Refusal::ALL.len()]);

impl Tally {
    /// Counts one more.
    pub fn count(&mut self, refusal: Refusal) {
        if let Some(count) = self.0.get_mut(refusal as usize) {
            *count = count.saturating_add(1);
        }
    }

    /// How often `refusal` happened.
    #[must_use]
    pub fn of(&self, refusal: Refusal) -> u64 {
        self.0.get(refusal as usize).copied().unwrap_or_default()
    }

    /// The counts in the order of [`Refusal::ALL`].
    #[must_use]
    pub const fn counts(&self) -> &[u64; Refusal::ALL.len()] {
        &self.0
    }

    /// The tally with these counts, in the order of [`Refusal::ALL`].
    #[must_use]
    pub const fn from_counts(counts: [u64; Refusal::ALL.len()]) -> Self {
        Self(counts)
    }

    /// Both tallies together.
    #[must_use]
    pub fn plus(mut self, other: &Self) -> Self {
        self.0.iter_mut().zip(other.0).for_each(|(mine, theirs)| *mine = mine.saturating_add(theirs));
        self
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_refusal_has_its_own_count() {
        for refusal in Refusal::ALL {
            let mut tally = Tally::default();
            tally.count(refusal);
            for other in Refusal::ALL {
                assert_eq!(tally.of(other), u64::from(other == refusal));
            }
        }
    }
}
