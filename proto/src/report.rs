//! What the listener tells the keeper: records of one fixed size, one per SEQPACKET message.
//!
//! The keeper trusts none of it: a statement is checked again from its signature up, and the rest can at most
//! claim a classic knock, which anybody on the network could have sent.

use alloc::vec::Vec;

use knock_spa_keys::server::ServerKey;

use crate::address::Address;
use crate::bytes::{Reader, Writer};
use crate::knock::DoorNumber;
use crate::refusal::{Refusal, Tally};
use crate::spa::{STATEMENT_LEN, Statement};

/// The length of every report, in bytes.
pub const REPORT_LEN: usize = 2 + 32 + STATEMENT_LEN + 16 + 2;

/// The version of these records; both processes are one binary, so another version means a foreign writer.
const VERSION: u8 = 3;

/// One report of the listener.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Report {
    /// The orders of this generation are in force.
    Ready {
        /// The generation that the keeper gave the orders.
        generation: u32,
    },
    /// A packet was sealed to this server's key; its signature is not checked yet.
    Statement {
        /// The key that it was sealed to.
        server: ServerKey,
        /// What the packet says.
        statement: Statement,
        /// The source address of the packet.
        from: Address,
        /// The source port of the packet.
        from_port: u16,
    },
    /// The same of a packet that is too old, or from the future: it opens nothing, and only tells whose clock is wrong.
    Stale {
        /// The key that it was sealed to.
        server: ServerKey,
        /// What the packet says.
        statement: Statement,
        /// The source address of the packet.
        from: Address,
    },
    /// A source has completed the sequence of a door.
    Knock {
        /// The door.
        door: DoorNumber,
        /// The source.
        from: Address,
    },
    /// A source is so many steps into the sequence of a door; told only where somebody wants to know.
    Stage {
        /// The door.
        door: DoorNumber,
        /// The source.
        from: Address,
        /// Steps done, from 1.
        stage: u8,
    },
    /// An attempt took too long.
    SequenceTimeout {
        /// The door.
        door: DoorNumber,
        /// The source.
        from: Address,
        /// Steps done, from 1.
        stage: u8,
    },
    /// What was dropped since the listener started, and how many DHs were computed.
    Counters(Counters),
}

/// What the listener counts.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Counters {
    /// Packets to the SPA port.
    pub received: u64,
    /// X25519 operations, without those for explanations.
    pub dh: u64,
    /// X25519 operations that looked into stale packets for nothing but an explanation.
    pub explained: u64,
    /// Refusals of stages 0 to 5.
    pub refused: Tally,
    /// Steps and timeouts of classic sequences that were not told, since there were too many.
    pub untold: u64,
}

/// Not a report.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("not a report of this version")]
pub struct NotAReport;

impl Report {
    /// The record.
    #[must_use]
    pub fn encode(&self) -> [u8; REPORT_LEN] {
        let mut fields = Vec::with_capacity(REPORT_LEN);
        fields.put_u8(VERSION);
        match self {
            Self::Ready { generation } => {
                fields.put_u8(1);
                fields.put_u32(*generation);
            }
            Self::Statement { server, statement, from, from_port } => {
                fields.put_u8(2);
                fields.put(server.as_bytes());
                fields.put(&statement.to_bytes());
                fields.put(&from.to_bytes());
                fields.put_u16(*from_port);
            }
            Self::Stale { server, statement, from } => {
                fields.put_u8(7);
                fields.put(server.as_bytes());
                fields.put(&statement.to_bytes());
                fields.put(&from.to_bytes());
            }
            Self::Knock { door, from } => {
                fields.put_u8(3);
                fields.put_u32(door.0);
                fields.put(&from.to_bytes());
            }
            Self::Stage { door, from, stage } => {
                fields.put_u8(5);
                put_stage(&mut fields, *door, *from, *stage);
            }
            Self::SequenceTimeout { door, from, stage } => {
                fields.put_u8(6);
                put_stage(&mut fields, *door, *from, *stage);
            }
            Self::Counters(counters) => {
                fields.put_u8(4);
                fields.put_u64(counters.received);
                fields.put_u64(counters.dh);
                fields.put_u64(counters.explained);
                counters.refused.counts().iter().for_each(|count| fields.put_u64(*count));
                fields.put_u64(counters.untold);
            }
        }
        let mut record = [0; REPORT_LEN];
        record.iter_mut().zip(fields).for_each(|(to, from)| *to = from);
        record
    }

    /// Reads a record.
    ///
    /// # Errors
    /// [`NotAReport`] for every record that [`Self::encode`] does not write.
    pub fn decode(record: &[u8]) -> Result<Self, NotAReport> {
        let report = Self::read(&mut Reader::new(record)).ok_or(NotAReport)?;
        if report.encode() == *record { Ok(report) } else { Err(NotAReport) }
    }

    fn read(fields: &mut Reader<'_>) -> Option<Self> {
        if fields.u8()? != VERSION {
            return None;
        }
        match fields.u8()? {
            1 => Some(Self::Ready { generation: fields.u32()? }),
            2 => Some(Self::Statement {
                server: ServerKey::from_bytes(fields.array()?).ok()?,
                statement: Statement::from_bytes(fields.array()?),
                from: Address::from_bytes(fields.array()?),
                from_port: fields.u16()?,
            }),
            3 => Some(Self::Knock {
                door: DoorNumber(fields.u32()?),
                from: Address::from_bytes(fields.array()?),
            }),
            4 => Some(Self::Counters(Counters {
                received: fields.u64()?,
                dh: fields.u64()?,
                explained: fields.u64()?,
                refused: read_tally(fields)?,
                untold: fields.u64()?,
            })),
            5 => read_stage(fields).map(|(door, from, stage)| Self::Stage { door, from, stage }),
            6 => read_stage(fields).map(|(door, from, stage)| Self::SequenceTimeout { door, from, stage }),
            7 => Some(Self::Stale {
                server: ServerKey::from_bytes(fields.array()?).ok()?,
                statement: Statement::from_bytes(fields.array()?),
                from: Address::from_bytes(fields.array()?),
            }),
            _ => None,
        }
    }
}

fn put_stage(fields: &mut Vec<u8>, door: DoorNumber, from: Address, stage: u8) {
    fields.put_u32(door.0);
    fields.put(&from.to_bytes());
    fields.put_u8(stage);
}

fn read_stage(fields: &mut Reader<'_>) -> Option<(DoorNumber, Address, u8)> {
    Some((DoorNumber(fields.u32()?), Address::from_bytes(fields.array()?), fields.u8()?))
}

fn read_tally(fields: &mut Reader<'_>) -> Option<Tally> {
    let mut counts = [0; Refusal::ALL.len()];
    for count in &mut counts {
        *count = fields.u64()?;
    }
    Some(Tally::from_counts(counts))
}

#[cfg(test)]
mod tests {
    use knock_spa_keys::server::ServerSecret;
    use proptest::prelude::*;

    use super::*;

    fn reports() -> Vec<Report> {
        let from = Address::new("2001:db8::7".parse().unwrap());
        let mut refused = Tally::default();
        Refusal::ALL.into_iter().for_each(|refusal| refused.count(refusal));
        let statement = Statement::from_bytes(core::array::from_fn(|i| u8::try_from(i % 251).unwrap()));
        let server = ServerSecret::from_bytes([7; 32]).public();
        Vec::from([
            Report::Ready { generation: 7 },
            Report::Statement { server, statement: statement.clone(), from, from_port: 9 },
            Report::Stale { server, statement, from },
            Report::Knock { door: DoorNumber(7), from },
            Report::Stage { door: DoorNumber(8), from, stage: 1 },
            Report::SequenceTimeout { door: DoorNumber(u32::MAX), from, stage: 32 },
            Report::Counters(Counters { received: u64::MAX, dh: 3, explained: 5, refused, untold: 4 }),
        ])
    }

    #[test]
    fn every_report_survives_the_way() {
        for report in reports() {
            assert_eq!(Report::decode(&report.encode()), Ok(report));
        }
    }

    #[test]
    fn other_versions_kinds_and_lengths_are_refused() {
        let record = Report::Ready { generation: 7 }.encode();
        assert_eq!(Report::decode(&record[1..]), Err(NotAReport));
        for (at, value) in [(0, 9), (1, 9), (REPORT_LEN - 1, 1)] {
            let mut changed = record;
            changed[at] = value;
            assert_eq!(Report::decode(&changed), Err(NotAReport));
        }
    }

    proptest! {
        #[test]
        fn decoding_is_total(mut bytes in proptest::collection::vec(any::<u8>(), REPORT_LEN), kind in 0_u8..9) {
            bytes[0] = VERSION;
            bytes[1] = kind;
            let _ = Report::decode(&bytes);
        }
    }
}
