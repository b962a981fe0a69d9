//! What the keeper tells the listener to watch for, and its bytes on the way there.

use alloc::vec::Vec;
use core::time::Duration;

use knock_spa_keys::server::ServerSecret;
use knock_spa_proto::address::Address;
use knock_spa_proto::bytes::{Reader, Writer};
use knock_spa_proto::knock::{ClassicKnock, DoorNumber, FlagRule, Repeats, Sequence, Step, TimeLimit, Uses};
use knock_spa_proto::port::Transport;
use zeroize::Zeroizing;

use super::tracker::ClassicDoor;

/// The version of the encoding; both processes are one binary, so another version means a foreign writer.
const VERSION: u8 = 3;

/// Everything the listener needs to know.
#[derive(Debug)]
pub struct Orders {
    /// Which orders these are: the listener says so when they are in force.
    pub generation: u32,
    /// The UDP port of SPA packets, where any are expected.
    pub spa_port: Option<u16>,
    /// How far a packet's time may be from now, either way.
    pub window: Duration,
    /// The server's live secret keys, the current one first.
    pub secrets: Vec<ServerSecret>,
    /// The addresses of this machine: packets to others are not for us.
    pub own: Vec<Address>,
    /// The doors that classic knocks open, in the order in which they are told.
    pub doors: Vec<ClassicDoor>,
    /// Whether the progress of sequences is to be told, beside what they open.
    pub tells_stages: bool,
    /// Whether stale packets are looked into, one in a second, so that the keeper can say whose clock is wrong.
    pub explains: bool,
}

/// Bytes that are no orders of this version.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("not orders of this version")]
pub struct NotOrders;

impl Orders {
    /// The bytes, which hold the secret keys.
    #[must_use]
    pub fn encode(&self) -> Zeroizing<Vec<u8>> {
        let mut fields = Zeroizing::new(Vec::new());
        fields.put_u8(VERSION);
        fields.put_u32(self.generation);
        fields.put_u16(self.spa_port.unwrap_or_default());
        put_span(&mut fields, self.window);
        fields.put_many(&self.secrets, |fields, secret| fields.put(secret.expose()));
        fields.put_many(&self.own, |fields, address| fields.put(&address.to_bytes()));
        fields.put_many(&self.doors, put_door);
        fields.put_u8(u8::from(self.tells_stages));
        fields.put_u8(u8::from(self.explains));
        fields
    }

    /// Reads orders.
    ///
    /// # Errors
    /// [`NotOrders`] for bytes that [`Self::encode`] does not write.
    pub fn decode(bytes: &[u8]) -> Result<Self, NotOrders> {
        let mut fields = Reader::new(bytes);
        let orders = read_orders(&mut fields).ok_or(NotOrders)?;
        if fields.is_empty() { Ok(orders) } else { Err(NotOrders) }
    }
}

fn put_span(fields: &mut Vec<u8>, span: Duration) {
    fields.put_u64(u64::try_from(span.as_nanos()).unwrap_or(u64::MAX));
}

fn put_door(fields: &mut Vec<u8>, door: &ClassicDoor) {
    let knock = &door.knock;
    fields.put_u32(door.number.0);
    match knock.within {
        TimeLimit::Span(span) => {
            fields.put_u8(0);
            put_span(fields, span);
        }
        TimeLimit::WholeSeconds(seconds) => {
            fields.put_u8(1);
            fields.put_u64(seconds.into());
        }
    }
    fields.put_u8(knock.flags.required());
    fields.put_u8(knock.flags.forbidden());
    fields.put_many(knock.target.as_slice(), |fields, address| fields.put(&address.to_bytes()));
    fields.put_u8(u8::from(knock.repeats == Repeats::Tolerated));
    put_span(fields, knock.cooldown);
    fields.put_u8(u8::from(knock.uses == Uses::Once));
    fields.put_many(knock.sequence.steps(), |fields, step| {
        fields.put_u8(step.transport.number());
        fields.put_u16(step.port);
    });
}

fn read_orders(fields: &mut Reader<'_>) -> Option<Orders> {
    if fields.u8()? != VERSION {
        return None;
    }
    Some(Orders {
        generation: fields.u32()?,
        spa_port: Some(fields.u16()?).filter(|port| *port != 0),
        window: read_span(fields)?,
        secrets: fields.many(|fields| Some(ServerSecret::from_bytes(fields.array()?)))?,
        own: fields.many(read_address)?,
        doors: fields.many(read_door)?,
        tells_stages: read_bool(fields)?,
        explains: read_bool(fields)?,
    })
}

fn read_span(fields: &mut Reader<'_>) -> Option<Duration> {
    fields.u64().map(Duration::from_nanos)
}

fn read_bool(fields: &mut Reader<'_>) -> Option<bool> {
    match fields.u8()? {
        0 => Some(false),
        1 => Some(true),
        _ => None,
    }
}

fn read_address(fields: &mut Reader<'_>) -> Option<Address> {
    fields.array().map(Address::from_bytes)
}

fn read_door(fields: &mut Reader<'_>) -> Option<ClassicDoor> {
    let number = DoorNumber(fields.u32()?);
    let within = match fields.u8()? {
        0 => TimeLimit::Span(read_span(fields)?),
        1 => TimeLimit::WholeSeconds(u32::try_from(fields.u64()?).ok()?),
        _ => return None,
    };
    let flags = FlagRule::default().requiring(fields.u8()?).forbidding(fields.u8()?);
    let target = fields.many(read_address)?.pop();
    let repeats = if read_bool(fields)? { Repeats::Tolerated } else { Repeats::Fail };
    let cooldown = read_span(fields)?;
    let uses = if read_bool(fields)? { Uses::Once } else { Uses::Any };
    let sequence = Sequence::new(fields.many(read_step)?).ok()?;
    let knock = ClassicKnock { sequence, within, flags, target, repeats, cooldown, uses };
    Some(ClassicDoor { number, knock })
}

fn read_step(fields: &mut Reader<'_>) -> Option<Step> {
    let transport = Transport::from_number(fields.u8()?)?;
    Some(Step { transport, port: fields.u16()? })
}

#[cfg(test)]
mod tests {
    use knock_spa_proto::knock::TcpFlags;
    use proptest::prelude::*;

    use super::*;

    fn orders() -> Orders {
        let step = |port| Step { transport: Transport::Udp, port };
        let knock = ClassicKnock {
            sequence: Sequence::new([step(1), step(2)].into()).unwrap(),
            within: TimeLimit::WholeSeconds(5),
            flags: FlagRule::default().requiring(TcpFlags::SYN).forbidding(TcpFlags::ACK),
            target: Some(Address::new("192.0.2.7".parse().unwrap())),
            repeats: Repeats::Tolerated,
            cooldown: Duration::from_secs(7),
            uses: Uses::Once,
        };
        let plain = ClassicKnock::new(
            knock.sequence.clone(),
            TimeLimit::Span(Duration::from_millis(5)),
            FlagRule::default(),
        );
        Orders {
            generation: 3,
            spa_port: Some(62201),
            window: Duration::from_secs(60),
            secrets: [ServerSecret::from_bytes([7; 32])].into(),
            own: ["192.0.2.1", "2001:db8::1"].map(|text| Address::new(text.parse().unwrap())).into(),
            doors: [knock, plain].map(|knock| ClassicDoor { number: DoorNumber(7), knock }).into(),
            tells_stages: true,
            explains: true,
        }
    }

    #[test]
    fn orders_survive_the_way_and_only_whole() {
        let orders = orders();
        let bytes = orders.encode();
        let arrived = Orders::decode(&bytes).unwrap();
        assert_eq!(arrived.encode(), bytes);
        assert_eq!((arrived.own, arrived.doors), (orders.own, orders.doors));
        for len in 0..bytes.len() {
            assert!(Orders::decode(&bytes[..len]).is_err(), "{len}");
        }
        assert!(Orders::decode(&[&bytes[..], &[0]].concat()).is_err());
    }

    proptest! {
        #[test]
        fn decoding_is_total(at in 0_usize..220, value: u8) {
            let mut bytes = orders().encode();
            if let Some(byte) = bytes.get_mut(at) {
                *byte = value;
            }
            drop(Orders::decode(&bytes));
        }
    }
}
