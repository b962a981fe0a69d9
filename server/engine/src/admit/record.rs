//! What the journal keeps, and its bytes (`docs/architecture.md`, "Journal").
//!
//! The meaning is a fold: a mark is the largest that was ever recorded, an opening is what was last recorded under
//! its name, until it is recorded as closed. So a record that is repeated does no harm.

use alloc::string::{String, ToString};
use alloc::vec::Vec;
use core::time::Duration;

use knock_spa_keys::client::ClientKey;
use knock_spa_keys::server::ServerKey;
use knock_spa_proto::address::Address;
use knock_spa_proto::bytes::{Reader, Writer};
use knock_spa_proto::port::{ServicePort, Transport};
use knock_spa_proto::service::ServiceName;
use knock_spa_proto::time::{BootTime, UnixTime};

use super::effect::Flows;
use super::opening::{Command, Deadline, Held, HoldKey, Means, Opening, OpeningId, Origin, Term};
use super::runs::{Run, RunId};
use crate::command::Rendered;
use crate::knockd::Again;
use crate::rules::Lease;

/// Names one boot of a machine: what `/proc/sys/kernel/random/boot_id` says.
pub type BootId = [u8; 16];

/// One record.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Record {
    /// A keeper has started; the boot times of the records that follow belong to this boot.
    Started(BootId),
    /// The marks of packets to this server key are kept here from now on.
    Key(ServerKey),
    /// A decision, whole.
    Change(Change),
    /// The command that closes this opening is about to run.
    Closing(OpeningId),
    /// No packet made before this will be accepted: marks were lost.
    Floor(UnixTime),
    /// A door in knockd's manner was knocked: the start command is about to run.
    RunBegun(Run),
    /// Its start has ended, and its stop is due then; whether the start has succeeded.
    RunOpen(RunId, Deadline, bool),
    /// Its stop is about to run.
    RunClosing(RunId),
    /// Its stop has run.
    RunClosed(RunId),
    /// So far a pair of commands has come that openings share.
    Held(HoldKey, Held),
    /// Its stop has succeeded: of the openings that are being closed none needs it any more.
    LetGo(HoldKey),
}

/// A decision: the packet that is used up by it, and the openings that it makes and ends.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Change {
    /// No packet of this client that is not newer than this will be accepted again.
    pub mark: Option<(ClientKey, UnixTime)>,
    /// Openings that begin, or that go on under the same name with another end.
    pub opened: Vec<Opening>,
    /// Openings that are over.
    pub closed: Vec<OpeningId>,
}

impl Record {
    /// The bytes of the record.
    #[must_use]
    pub fn encode(&self) -> Vec<u8> {
        let mut fields = Vec::new();
        match self {
            Self::Started(boot) => {
                fields.put_u8(1);
                fields.put(boot);
            }
            Self::Key(server) => {
                fields.put_u8(2);
                fields.put(server.as_bytes());
            }
            Self::Change(change) => {
                fields.put_u8(3);
                put_option(&mut fields, change.mark.as_ref(), |fields, (client, stamp)| {
                    fields.put(client.as_bytes());
                    fields.put_u64(stamp.as_nanos());
                });
                fields.put_many(&change.opened, put_opening);
                fields.put_many(&change.closed, |fields, id| fields.put_u64(id.0));
            }
            Self::Closing(id) => {
                fields.put_u8(4);
                fields.put_u64(id.0);
            }
            Self::Floor(stamp) => {
                fields.put_u8(5);
                fields.put_u64(stamp.as_nanos());
            }
            Self::RunBegun(run) => {
                fields.put_u8(6);
                put_run(&mut fields, run);
            }
            Self::RunOpen(id, until, is_sure) => {
                fields.put_u8(7);
                fields.put_u64(id.0);
                put_deadline(&mut fields, until);
                fields.put_u8(u8::from(*is_sure));
            }
            Self::RunClosing(id) => {
                fields.put_u8(8);
                fields.put_u64(id.0);
            }
            Self::RunClosed(id) => {
                fields.put_u8(9);
                fields.put_u64(id.0);
            }
            Self::Held(key, held) => {
                fields.put_u8(10);
                put_hold_key(&mut fields, key);
                fields.put_u32(held.due);
                fields.put_u8(u8::from(held.is_open));
            }
            Self::LetGo(key) => {
                fields.put_u8(11);
                put_hold_key(&mut fields, key);
            }
        }
        fields
    }

    /// Reads the bytes of one record; `None` for bytes that [`Self::encode`] does not write.
    #[must_use]
    pub fn decode(bytes: &[u8]) -> Option<Self> {
        let mut fields = Reader::new(bytes);
        let record = match fields.u8()? {
            1 => Self::Started(fields.array()?),
            2 => Self::Key(ServerKey::from_bytes(fields.array()?).ok()?),
            3 => Self::Change(Change {
                mark: read_option(&mut fields, read_mark)?,
                opened: fields.many(read_opening)?,
                closed: fields.many(|fields| fields.u64().map(OpeningId))?,
            }),
            4 => Self::Closing(OpeningId(fields.u64()?)),
            5 => Self::Floor(UnixTime::from_nanos(fields.u64()?)),
            6 => Self::RunBegun(read_run(&mut fields)?),
            7 => {
                let (id, until) = (RunId(fields.u64()?), read_deadline(&mut fields)?);
                Self::RunOpen(id, until, read_bool(&mut fields)?)
            }
            8 => Self::RunClosing(RunId(fields.u64()?)),
            9 => Self::RunClosed(RunId(fields.u64()?)),
            10 => {
                let key = read_hold_key(&mut fields)?;
                Self::Held(key, Held { due: fields.u32()?, is_open: read_bool(&mut fields)? })
            }
            11 => Self::LetGo(read_hold_key(&mut fields)?),
            _ => return None,
        };
        fields.is_empty().then_some(record)
    }
}

fn put_option<T>(fields: &mut Vec<u8>, option: Option<&T>, put: impl FnOnce(&mut Vec<u8>, &T)) {
    fields.put_u8(u8::from(option.is_some()));
    if let Some(value) = option {
        put(fields, value);
    }
}

/// The outer `None` is a fault, the inner one an absent value.
fn read_option<T>(
    fields: &mut Reader<'_>,
    read: impl FnOnce(&mut Reader<'_>) -> Option<T>,
) -> Option<Option<T>> {
    match fields.u8()? {
        0 => Some(None),
        1 => read(fields).map(Some),
        _ => None,
    }
}

fn read_mark(fields: &mut Reader<'_>) -> Option<(ClientKey, UnixTime)> {
    Some((ClientKey::from_bytes(fields.array()?).ok()?, UnixTime::from_nanos(fields.u64()?)))
}

fn put_text(fields: &mut Vec<u8>, text: &str) {
    fields.put_many(text.as_bytes(), |fields, byte| fields.put_u8(*byte));
}

fn read_text(fields: &mut Reader<'_>) -> Option<String> {
    let len = usize::try_from(fields.u32()?).ok()?;
    core::str::from_utf8(fields.slice(len)?).ok().map(Into::into)
}

fn put_port(fields: &mut Vec<u8>, port: &ServicePort) {
    fields.put_u8(port.transport.number());
    fields.put_u16(port.port.get());
}

fn read_port(fields: &mut Reader<'_>) -> Option<ServicePort> {
    let transport = Transport::from_number(fields.u8()?)?;
    ServicePort::new(transport, fields.u16()?)
}

fn put_span(fields: &mut Vec<u8>, span: Duration) {
    fields.put_u64(u64::try_from(span.as_nanos()).unwrap_or(u64::MAX));
}

fn put_deadline(fields: &mut Vec<u8>, until: &Deadline) {
    fields.put_u64(until.boot.as_nanos());
    fields.put_u64(until.unix.as_nanos());
}

fn put_run(fields: &mut Vec<u8>, run: &Run) {
    fields.put_u64(run.id.0);
    put_text(fields, &run.door);
    fields.put(&run.address.to_bytes());
    fields.put_u64(run.since.as_nanos());
    put_rendered(fields, &run.stop);
    put_span(fields, run.stop_after);
    fields.put_u8(u8::from(run.again == Again::Extend));
}

fn read_run(fields: &mut Reader<'_>) -> Option<Run> {
    Some(Run {
        id: RunId(fields.u64()?),
        door: read_text(fields)?,
        address: Address::from_bytes(fields.array()?),
        since: UnixTime::from_nanos(fields.u64()?),
        stop: read_rendered(fields)?,
        stop_after: Duration::from_nanos(fields.u64()?),
        again: if read_bool(fields)? { Again::Extend } else { Again::Start },
    })
}

fn read_bool(fields: &mut Reader<'_>) -> Option<bool> {
    match fields.u8()? {
        0 => Some(false),
        1 => Some(true),
        _ => None,
    }
}

fn put_hold_key(fields: &mut Vec<u8>, key: &HoldKey) {
    fields.put(&key.door.to_bytes());
    fields.put(&key.address.to_bytes());
    put_option(fields, key.port.as_ref(), put_port);
}

fn read_hold_key(fields: &mut Reader<'_>) -> Option<HoldKey> {
    Some(HoldKey {
        door: ServiceName::from_bytes(fields.array()?).ok()?,
        address: Address::from_bytes(fields.array()?),
        port: read_option(fields, read_port)?,
    })
}

fn put_opening(fields: &mut Vec<u8>, opening: &Opening) {
    fields.put_u64(opening.id.0);
    fields.put(&opening.door.to_bytes());
    fields.put_many(&opening.ports, put_port);
    fields.put(&opening.address.to_bytes());
    put_origin(fields, &opening.origin);
    fields.put_u64(opening.since.as_nanos());
    let lease = match opening.term.lease {
        Lease::For(span) => Some(span),
        Lease::Forever => None,
    };
    put_option(fields, lease.as_ref(), |fields, span| put_span(fields, *span));
    put_option(fields, opening.term.until.as_ref(), put_deadline);
    put_means(fields, &opening.means, opening.flows);
}

fn read_opening(fields: &mut Reader<'_>) -> Option<Opening> {
    let mut opening = Opening {
        id: OpeningId(fields.u64()?),
        door: ServiceName::from_bytes(fields.array()?).ok()?,
        ports: fields.many(read_port)?,
        address: Address::from_bytes(fields.array()?),
        origin: read_origin(fields)?,
        since: UnixTime::from_nanos(fields.u64()?),
        term: Term {
            lease: match read_option(fields, |fields| fields.u64())? {
                Some(nanos) => Lease::For(Duration::from_nanos(nanos)),
                None => Lease::Forever,
            },
            until: read_option(fields, read_deadline)?,
        },
        means: Means::Guard,
        flows: Flows::LiveOn,
    };
    (opening.means, opening.flows) = read_means(fields)?;
    Some(opening)
}

/// 0 and 1 are what a journal had for a classic knock and for a client before there was anything else.
fn put_origin(fields: &mut Vec<u8>, origin: &Origin) {
    match origin {
        Origin::Classic => fields.put_u8(0),
        Origin::Client(key, name) => {
            fields.put_u8(1);
            fields.put(key.as_bytes());
            put_text(fields, name.as_str());
        }
        Origin::Local => fields.put_u8(2),
    }
}

fn read_origin(fields: &mut Reader<'_>) -> Option<Origin> {
    match fields.u8()? {
        0 => Some(Origin::Classic),
        1 => {
            let key = ClientKey::from_bytes(fields.array()?).ok()?;
            Some(Origin::Client(key, read_text(fields)?.parse().ok()?))
        }
        2 => Some(Origin::Local),
        _ => None,
    }
}

fn read_deadline(fields: &mut Reader<'_>) -> Option<Deadline> {
    Some(Deadline { boot: BootTime::from_nanos(fields.u64()?), unix: UnixTime::from_nanos(fields.u64()?) })
}

/// Of the byte that tells the means: connections end with the opening.
const CUTS: u8 = 0x80;

fn put_means(fields: &mut Vec<u8>, means: &Means, flows: Flows) {
    let cuts = match flows {
        Flows::LiveOn => 0,
        Flows::Cut => CUTS,
    };
    match means {
        Means::Guard => fields.put_u8(cuts),
        Means::Set(set) => {
            fields.put_u8(2 | cuts);
            put_text(fields, &set.to_string());
        }
        Means::Commands { commands, timeout } => {
            fields.put_u8(1 | cuts);
            put_span(fields, *timeout);
            fields.put_many(commands, |fields, command| {
                put_option(fields, command.port.as_ref(), put_port);
                put_rendered(fields, &command.start);
                put_option(fields, command.stop.as_ref(), put_rendered);
            });
        }
    }
}

fn read_means(fields: &mut Reader<'_>) -> Option<(Means, Flows)> {
    let byte = fields.u8()?;
    let flows = if byte & CUTS == 0 { Flows::LiveOn } else { Flows::Cut };
    let means = match byte & !CUTS {
        0 => Some(Means::Guard),
        2 => Some(Means::Set(read_text(fields)?.parse().ok()?)),
        1 => {
            let timeout = Duration::from_nanos(fields.u64()?);
            let commands = fields.many(|fields| {
                let port = read_option(fields, read_port)?;
                let start = read_rendered(fields)?;
                Some(Command { port, start, stop: read_option(fields, read_rendered)? })
            })?;
            Some(Means::Commands { commands, timeout })
        }
        _ => None,
    };
    Some((means?, flows))
}

fn put_rendered(fields: &mut Vec<u8>, command: &Rendered) {
    fields.put_many(&command.argv, |fields, word| put_text(fields, word));
    fields.put_many(&command.environment, |fields, (name, value)| {
        put_text(fields, name);
        put_text(fields, value);
    });
}

fn read_rendered(fields: &mut Reader<'_>) -> Option<Rendered> {
    let argv = fields.many(read_text)?;
    let environment = fields.many(|fields| Some((read_text(fields)?, read_text(fields)?)))?;
    Some(Rendered { argv, environment })
}

#[cfg(test)]
mod tests {
    use knock_spa_keys::client::ClientSecret;
    use knock_spa_keys::server::ServerSecret;
    use proptest::prelude::*;

    use super::*;

    fn change() -> Record {
        let client = ClientSecret::from_seed([9; 32]).public();
        let stop = Rendered {
            argv: ["/bin/sh", "-c", "close é"].map(Into::into).into(),
            environment: [("KNOCK_IP".into(), "192.0.2.1".into())].into(),
        };
        let by_client = Opening {
            id: OpeningId(1),
            door: "ssh".parse().unwrap(),
            ports: ["tcp/22", "udp/53"].map(|port| port.parse().unwrap()).into(),
            address: Address::new("2001:db8::7".parse().unwrap()),
            origin: Origin::Client(client, "laptop".parse().unwrap()),
            since: UnixTime::from_nanos(5),
            term: Term {
                lease: Lease::For(Duration::from_secs(60)),
                until: Some(Deadline { boot: BootTime::from_nanos(3), unix: UnixTime::from_nanos(4) }),
            },
            means: Means::Guard,
            flows: Flows::LiveOn,
        };
        let start = Rendered { argv: ["open".into()].into(), environment: Vec::new() };
        let command = Command { port: Some("tcp/22".parse().unwrap()), start, stop: Some(stop) };
        let classic = Opening {
            id: OpeningId(2),
            origin: Origin::Classic,
            term: Term { lease: Lease::Forever, until: None },
            means: Means::Commands { commands: [command].into(), timeout: Duration::from_secs(30) },
            ..by_client.clone()
        };
        let local = Opening { id: OpeningId(3), origin: Origin::Local, ..classic.clone() };
        let in_set = Opening {
            id: OpeningId(4),
            means: Means::Set("inet filter knock6".parse().unwrap()),
            flows: Flows::Cut,
            ..by_client.clone()
        };
        Record::Change(Change {
            mark: Some((client, UnixTime::from_nanos(7))),
            opened: [by_client, classic, local, in_set].into(),
            closed: [OpeningId(9)].into(),
        })
    }

    #[test]
    fn every_record_survives_the_way_and_only_whole() {
        let server = ServerSecret::from_bytes([7; 32]).public();
        let key = HoldKey {
            door: "ssh".parse().unwrap(),
            address: Address::new("192.0.2.1".parse().unwrap()),
            port: Some("tcp/22".parse().unwrap()),
        };
        let records = [
            Record::Started([3; 16]),
            Record::Key(server),
            change(),
            Record::Change(Change::default()),
            Record::Closing(OpeningId(4)),
            Record::Floor(UnixTime::from_nanos(8)),
            Record::Held(key, Held { due: 2, is_open: true }),
            Record::LetGo(HoldKey { port: None, ..key }),
        ];
        for record in records {
            let bytes = record.encode();
            assert_eq!(Record::decode(&bytes), Some(record));
            for len in 0..bytes.len() {
                assert_eq!(Record::decode(&bytes[..len]), None, "{len}");
            }
            assert_eq!(Record::decode(&[&bytes[..], &[0]].concat()), None);
        }
    }

    proptest! {
        #[test]
        fn decoding_is_total(at in 0_usize..400, value: u8, random in proptest::collection::vec(any::<u8>(), 0..200)) {
            let mut bytes = change().encode();
            if let Some(byte) = bytes.get_mut(at) {
                *byte = value;
            }
            drop(Record::decode(&bytes));
            drop(Record::decode(&random));
        }
    }
}
