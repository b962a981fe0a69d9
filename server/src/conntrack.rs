//! Connection tracking: the kernel's list of flows, and their removal from it (`linux/netfilter/nfnetlink_conntrack.h`).

use std::collections::BTreeSet;
use std::io;
use std::net::IpAddr;
use std::num::NonZeroU16;

use knock_spa_proto::address::Address;
use knock_spa_proto::element::Element;
use knock_spa_proto::port::{ServicePort, Transport};
use netlink_sys::protocols::NETLINK_NETFILTER;

use crate::netlink::{Attributes, Fault, NLM_F_ACK, NLM_F_DUMP, Request, Socket, attribute};

/// The subsystem of connection tracking, as the upper byte of message types.
const NFNL_SUBSYS_CTNETLINK: u16 = 1 << 8;
const IPCTNL_MSG_CT_GET: u16 = NFNL_SUBSYS_CTNETLINK | 1;
const IPCTNL_MSG_CT_DELETE: u16 = NFNL_SUBSYS_CTNETLINK | 2;
/// The length of `struct nfgenmsg`: family, version, resource.
const HEAD_LEN: usize = 4;
/// `AF_INET` and `AF_INET6`, as in `struct nfgenmsg`.
const FAMILIES: [u8; 2] = [2, 10];

const CTA_TUPLE_ORIG: u16 = 1;
const CTA_ID: u16 = 12;
const CTA_ZONE: u16 = 18;
const CTA_TUPLE_IP: u16 = 1;
const CTA_TUPLE_PROTO: u16 = 2;
const CTA_IP_V4_SRC: u16 = 1;
const CTA_IP_V4_DST: u16 = 2;
const CTA_IP_V6_SRC: u16 = 3;
const CTA_IP_V6_DST: u16 = 4;
const CTA_PROTO_NUM: u16 = 1;
const CTA_PROTO_SRC_PORT: u16 = 2;
const CTA_PROTO_DST_PORT: u16 = 3;

/// How often the list is asked for again that changed while it was told.
const ATTEMPTS: usize = 16;

/// A flow as connection tracking knows it.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Flow {
    family: u8,
    /// What names it, as the kernel told it.
    tuple: Vec<u8>,
    id: Option<Vec<u8>>,
    zone: Option<Vec<u8>>,
}

/// One direction of a flow: where it comes from, and where it goes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Tuple {
    transport: Transport,
    from: (Address, NonZeroU16),
    to: (Address, NonZeroU16),
}

/// Has the kernel forget the flows between these addresses and these ports of this machine, whose addresses are `own`,
/// whichever end spoke first; how many those were.
///
/// # Errors
/// Where the kernel does not tell its flows, or does not forget one of them; others may be forgotten then.
pub fn forget(elements: &[Element], own: &BTreeSet<Address>) -> io::Result<usize> {
    let wanted: BTreeSet<Element> = elements.iter().copied().collect();
    let mut socket = Socket::connect(NETLINK_NETFILTER, &[])?;
    let mut forgotten = 0_usize;
    for family in FAMILIES {
        for flow in list(&mut socket, family, &wanted, own)? {
            forgotten = forgotten.saturating_add(usize::from(delete(&mut socket, &flow)?));
        }
    }
    Ok(forgotten)
}

/// The flows of this family that are meant.
fn list(
    socket: &mut Socket,
    family: u8,
    wanted: &BTreeSet<Element>,
    own: &BTreeSet<Address>,
) -> io::Result<Vec<Flow>> {
    let head = [family, 0, 0, 0];
    let request =
        Request { kind: IPCTNL_MSG_CT_GET, flags: NLM_F_DUMP, head: &head, attributes: &Attributes::new() };
    for _ in 0..ATTEMPTS {
        let mut found = Vec::new();
        match socket.dump(&request, |entry| found.extend(meant(entry, wanted, own))) {
            Ok(()) => return Ok(found),
            Err(Fault::Changed) => {}
            Err(fault) => return Err(fault.into()),
        }
    }
    Err(io::Error::other("the flows change faster than they can be read"))
}

/// The flow of this entry, if it is one of those.
fn meant(entry: &[u8], wanted: &BTreeSet<Element>, own: &BTreeSet<Address>) -> Option<Flow> {
    let (head, attributes) = entry.split_at_checked(HEAD_LEN)?;
    let value = attribute(attributes, CTA_TUPLE_ORIG)?;
    let tuple = Tuple::read(value)?;
    let is_between = |(far, _): (Address, NonZeroU16), (near, port): (Address, NonZeroU16)| {
        let port = ServicePort { transport: tuple.transport, port };
        own.contains(&near) && wanted.contains(&Element { address: far, port })
    };
    // A flow that was cut before, and on which this end spoke first since, is known the other way round.
    (is_between(tuple.from, tuple.to) || is_between(tuple.to, tuple.from)).then(|| Flow {
        family: head.first().copied().unwrap_or_default(),
        tuple: value.to_vec(),
        id: attribute(attributes, CTA_ID).map(<[u8]>::to_vec),
        zone: attribute(attributes, CTA_ZONE).map(<[u8]>::to_vec),
    })
}

/// Has the kernel forget one flow; false where it has ended meanwhile.
fn delete(socket: &mut Socket, flow: &Flow) -> io::Result<bool> {
    // Never without the tuple: such a request would mean all flows.
    let mut attributes = Attributes::new().nested_bytes(CTA_TUPLE_ORIG, &flow.tuple);
    for (kind, value) in [(CTA_ID, &flow.id), (CTA_ZONE, &flow.zone)] {
        if let Some(value) = value {
            attributes = attributes.bytes(kind, value);
        }
    }
    let head = [flow.family, 0, 0, 0];
    let request =
        Request { kind: IPCTNL_MSG_CT_DELETE, flags: NLM_F_ACK, head: &head, attributes: &attributes };
    match socket.execute(&[request]) {
        Ok(()) => Ok(true),
        Err(Fault::Refused(refused)) if refused.is_absent() => Ok(false),
        Err(fault) => Err(fault.into()),
    }
}

impl Tuple {
    /// The tuple in an attribute; `None` where it is of another transport, or makes no sense.
    fn read(tuple: &[u8]) -> Option<Self> {
        let ip = attribute(tuple, CTA_TUPLE_IP)?;
        let protocol = attribute(tuple, CTA_TUPLE_PROTO)?;
        let address = |v4, v6| {
            let v4 = attribute(ip, v4).and_then(|bytes| <[u8; 4]>::try_from(bytes).ok()).map(IpAddr::from);
            let v6 =
                || attribute(ip, v6).and_then(|bytes| <[u8; 16]>::try_from(bytes).ok()).map(IpAddr::from);
            v4.or_else(v6).map(Address::new)
        };
        let port = |kind| NonZeroU16::new(u16::from_be_bytes(attribute(protocol, kind)?.try_into().ok()?));
        let &[number, ..] = attribute(protocol, CTA_PROTO_NUM)? else { return None };
        Some(Self {
            transport: Transport::from_number(number)?,
            from: (address(CTA_IP_V4_SRC, CTA_IP_V6_SRC)?, port(CTA_PROTO_SRC_PORT)?),
            to: (address(CTA_IP_V4_DST, CTA_IP_V6_DST)?, port(CTA_PROTO_DST_PORT)?),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn entry(from: [u8; 4], to: [u8; 4], protocol: u8, ports: [u16; 2]) -> Vec<u8> {
        let ip = Attributes::new().bytes(CTA_IP_V4_SRC, &from).bytes(CTA_IP_V4_DST, &to);
        let [source, destination] = ports.map(u16::to_be_bytes);
        let protocol = Attributes::new()
            .bytes(CTA_PROTO_NUM, &[protocol])
            .bytes(CTA_PROTO_SRC_PORT, &source)
            .bytes(CTA_PROTO_DST_PORT, &destination);
        let tuple = Attributes::new().nest(CTA_TUPLE_IP, &ip).nest(CTA_TUPLE_PROTO, &protocol);
        let attributes = Attributes::new().nest(CTA_TUPLE_ORIG, &tuple).be32(CTA_ID, 7);
        [&[2, 0, 0, 0][..], attributes.as_bytes()].concat()
    }

    #[test]
    fn only_flows_between_the_address_and_our_port_are_meant() {
        let (client, us, other) = ([198, 51, 100, 7], [192, 0, 2, 1], [203, 0, 113, 9]);
        let address = |bytes: [u8; 4]| Address::new(bytes.into());
        let wanted = [Element { address: address(client), port: "tcp/22".parse().unwrap() }].into();
        let own = [address(us)].into();
        let is_meant = |entry: &[u8]| meant(entry, &wanted, &own).is_some();
        assert!(is_meant(&entry(client, us, 6, [40_000, 22])));
        assert!(is_meant(&entry(us, client, 6, [22, 40_000])), "this end spoke first");
        for (entry, what) in [
            (entry(client, us, 6, [22, 40_000]), "another port"),
            (entry(client, us, 17, [40_000, 22]), "another transport"),
            (entry(client, us, 1, [40_000, 22]), "no transport"),
            (entry(other, us, 6, [40_000, 22]), "another address"),
            (entry(client, other, 6, [40_000, 22]), "through this machine to another"),
            (entry(us, client, 6, [40_000, 22]), "from this machine to that port of the address"),
        ] {
            assert!(!is_meant(&entry), "{what}");
        }
    }

    #[test]
    fn what_makes_no_sense_is_no_flow() {
        let whole = entry([198, 51, 100, 7], [192, 0, 2, 1], 6, [40_000, 22]);
        let all = |len: usize| attribute(&whole[4..len], CTA_TUPLE_ORIG).and_then(Tuple::read);
        assert!(all(whole.len()).is_some());
        (4..whole.len() - 8).for_each(|len| assert_eq!(all(len), None, "{len} bytes"));
    }
}
