//! What a client asks of a server (`docs/protocol.md` section 3): 128 bytes, and one encoding for each meaning.

use alloc::string::ToString as _;
use core::net::{Ipv4Addr, Ipv6Addr};
use core::num::NonZeroU32;

use knock_spa_keys::client::ClientKey;

use super::enrol::Enrol;
use super::layout::{REQUEST_LEN, enrol, request};
use crate::service::Services;

/// What a client asks for.
#[derive(Clone, Debug, PartialEq, Eq)]
#[must_use]
pub enum Request {
    /// To open doors, or to keep them open for longer.
    Open(Open),
    /// To close what the client had opened.
    Close(Close),
    /// To enrol a client, which is all that an invitation can ask for.
    Enrol(Enrol),
}

/// Asks to open some services for some addresses, at least one of each.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Open {
    services: Services,
    to: Addresses,
    ttl: Option<NonZeroU32>,
}

/// Asks to close services for addresses: of what this client opened, and nothing else.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Close {
    services: Services,
    to: Addresses,
}

/// The addresses that a request is about.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Addresses {
    sender: bool,
    v4: Option<Ipv4Addr>,
    v6: Option<Ipv6Addr>,
}

/// The bytes are no request, or not in the one encoding of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("not a request of knock-spa/1")]
pub struct Malformed;

/// Why nothing would be opened.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum OpensNothing {
    /// No service is named.
    #[error("no service to open is named")]
    NoService,
    /// Neither the sender nor an address is named.
    #[error("no address to open for is named")]
    NoAddress,
}

/// An address that a request cannot name: IPv4 0.0.0.0; IPv6 unspecified, loopback, multicast or IPv4-mapped.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("a request cannot name this address")]
pub struct Unnameable;

const OPEN: u8 = 1;
const CLOSE: u8 = 2;
const ENROL: u8 = 3;
/// The only flag: the address that the packet comes from is meant as well.
const SENDER: u8 = 1;

impl Request {
    /// The encoding.
    #[must_use]
    pub fn encode(&self) -> [u8; REQUEST_LEN] {
        match self {
            Self::Open(Open { services, to, ttl }) => {
                encode(OPEN, to, ttl.map_or(0, NonZeroU32::get), services)
            }
            Self::Close(Close { services, to }) => encode(CLOSE, to, 0, services),
            Self::Enrol(Enrol { key, proof }) => encode_enrol(key, proof),
        }
    }

    /// The request that [`Self::encode`] wrote.
    ///
    /// # Errors
    /// [`Malformed`] for all other bytes.
    pub fn decode(bytes: &[u8; REQUEST_LEN]) -> Result<Self, Malformed> {
        let request = Self::read(bytes).ok_or(Malformed)?;
        // Whatever reading passes over or folds together, it cannot come back.
        if request.encode() == *bytes { Ok(request) } else { Err(Malformed) }
    }

    fn read(bytes: &[u8; REQUEST_LEN]) -> Option<Self> {
        match request::Op::read(bytes) {
            [OPEN] => {
                let ttl = NonZeroU32::new(u32::from_be_bytes(request::Ttl::read(bytes)));
                let (services, to) = (read_services(bytes)?, Addresses::read(bytes)?);
                Open::new(services, to, ttl).ok().map(Self::Open)
            }
            [CLOSE] => Some(Self::Close(Close::new(read_services(bytes)?, Addresses::read(bytes)?))),
            [ENROL] => {
                let key = ClientKey::from_bytes(enrol::Key::read(bytes)).ok()?;
                Some(Self::Enrol(Enrol { key, proof: enrol::Proof::read(bytes) }))
            }
            _ => None,
        }
    }
}

fn encode(op: u8, to: &Addresses, ttl: u32, services: &Services) -> [u8; REQUEST_LEN] {
    let mut bytes = [0; REQUEST_LEN];
    request::Op::write(&mut bytes, &[op]);
    request::Flags::write(&mut bytes, &[if to.sender { SENDER } else { 0 }]);
    request::Ttl::write(&mut bytes, &ttl.to_be_bytes());
    request::V4::write(&mut bytes, &to.v4.unwrap_or(Ipv4Addr::UNSPECIFIED).octets());
    request::V6::write(&mut bytes, &to.v6.unwrap_or(Ipv6Addr::UNSPECIFIED).octets());
    let mut text = [0; Services::MAX_LEN];
    text.iter_mut().zip(services.to_string().bytes()).for_each(|(to, from)| *to = from);
    request::Services::write(&mut bytes, &text);
    bytes
}

fn encode_enrol(key: &ClientKey, proof: &[u8; 64]) -> [u8; REQUEST_LEN] {
    let mut bytes = [0; REQUEST_LEN];
    request::Op::write(&mut bytes, &[ENROL]);
    enrol::Key::write(&mut bytes, key.as_bytes());
    enrol::Proof::write(&mut bytes, proof);
    bytes
}

/// The text up to the padding.
fn read_services(bytes: &[u8; REQUEST_LEN]) -> Option<Services> {
    let field = request::Services::read(bytes);
    let text = field.split(|byte| *byte == 0).next()?;
    core::str::from_utf8(text).ok()?.parse().ok()
}

impl Open {
    /// Asks to open `services` for `to`, for `ttl` seconds or as long as the server's default says.
    ///
    /// # Errors
    /// [`OpensNothing`] where no service or no address is named.
    pub fn new(services: Services, to: Addresses, ttl: Option<NonZeroU32>) -> Result<Self, OpensNothing> {
        if services.is_empty() {
            return Err(OpensNothing::NoService);
        }
        if to.is_empty() {
            return Err(OpensNothing::NoAddress);
        }
        Ok(Self { services, to, ttl })
    }

    /// What to open: at least one service.
    #[must_use]
    pub const fn services(&self) -> &Services {
        &self.services
    }

    /// For whom: at least one address.
    #[must_use]
    pub const fn to(&self) -> &Addresses {
        &self.to
    }

    /// For how long, in seconds; `None` leaves it to the server.
    #[must_use]
    pub const fn ttl(&self) -> Option<NonZeroU32> {
        self.ttl
    }
}

impl Close {
    /// Asks to close `services`, or all where there are none, for `to`, or for all addresses where there are none.
    #[must_use]
    pub const fn new(services: Services, to: Addresses) -> Self {
        Self { services, to }
    }

    /// What to close; empty means everything.
    #[must_use]
    pub const fn services(&self) -> &Services {
        &self.services
    }

    /// For whom; empty means for every address.
    #[must_use]
    pub const fn to(&self) -> &Addresses {
        &self.to
    }
}

impl Addresses {
    /// No address.
    pub const NONE: Self = Self { sender: false, v4: None, v6: None };

    /// These, and the address that the packet comes from.
    #[must_use]
    pub const fn with_sender(self) -> Self {
        Self { sender: true, ..self }
    }

    /// These, with `v4` as the IPv4 address.
    ///
    /// # Errors
    /// [`Unnameable`] for 0.0.0.0.
    pub const fn with_v4(self, v4: Ipv4Addr) -> Result<Self, Unnameable> {
        if v4.is_unspecified() {
            return Err(Unnameable);
        }
        Ok(Self { v4: Some(v4), ..self })
    }

    /// These, with `v6` as the IPv6 address.
    ///
    /// # Errors
    /// [`Unnameable`] for an unspecified, loopback, multicast or IPv4-mapped address.
    pub const fn with_v6(self, v6: Ipv6Addr) -> Result<Self, Unnameable> {
        if v6.is_unspecified() || v6.is_loopback() || v6.is_multicast() || v6.to_ipv4_mapped().is_some() {
            return Err(Unnameable);
        }
        Ok(Self { v6: Some(v6), ..self })
    }

    /// Whether the address that the packet comes from is meant.
    #[must_use]
    pub const fn sender(&self) -> bool {
        self.sender
    }

    /// The IPv4 address that is named.
    #[must_use]
    pub const fn v4(&self) -> Option<Ipv4Addr> {
        self.v4
    }

    /// The IPv6 address that is named.
    #[must_use]
    pub const fn v6(&self) -> Option<Ipv6Addr> {
        self.v6
    }

    /// Whether neither the sender nor an address is meant.
    #[must_use]
    pub const fn is_empty(&self) -> bool {
        !self.sender && self.v4.is_none() && self.v6.is_none()
    }

    /// Unknown flags are passed over here; they do not survive encoding again.
    fn read(bytes: &[u8; REQUEST_LEN]) -> Option<Self> {
        let [flags] = request::Flags::read(bytes);
        let mut addresses = if flags & SENDER == 0 { Self::NONE } else { Self::NONE.with_sender() };
        let v4 = Ipv4Addr::from_octets(request::V4::read(bytes));
        if !v4.is_unspecified() {
            addresses = addresses.with_v4(v4).ok()?;
        }
        let v6 = Ipv6Addr::from_octets(request::V6::read(bytes));
        if !v6.is_unspecified() {
            addresses = addresses.with_v6(v6).ok()?;
        }
        Some(addresses)
    }
}

#[cfg(test)]
mod tests {
    use knock_spa_keys::client::ClientSecret;
    use knock_spa_keys::server::ServerSecret;
    use proptest::option;
    use proptest::prelude::*;

    use super::*;
    use crate::service::{BadServices, Service};

    fn services(least: usize) -> impl Strategy<Value = Services> {
        let service = prop_oneof!["[a-z][a-z0-9-]{0,14}", "(tcp|udp)/[1-9][0-9]{0,3}"];
        proptest::collection::vec(service, least..=6).prop_filter_map("fits and repeats nothing", |texts| {
            let list: Result<_, BadServices> =
                texts.iter().map(|text| Ok(text.parse::<Service>()?)).collect::<Result<_, BadServices>>();
            Services::new(list.ok()?).ok()
        })
    }

    fn addresses() -> impl Strategy<Value = Addresses> {
        (any::<bool>(), option::of(any::<Ipv4Addr>()), option::of(any::<Ipv6Addr>())).prop_filter_map(
            "can be named",
            |(sender, v4, v6)| {
                let to = if sender { Addresses::NONE.with_sender() } else { Addresses::NONE };
                let to = v4.map_or(Ok(to), |v4| to.with_v4(v4)).ok()?;
                v6.map_or(Ok(to), |v6| to.with_v6(v6)).ok()
            },
        )
    }

    fn requests() -> impl Strategy<Value = Request> {
        let open = (services(1), addresses(), any::<u32>())
            .prop_filter_map("opens something", |(services, to, ttl)| {
                Open::new(services, to, NonZeroU32::new(ttl)).ok().map(Request::Open)
            });
        let close =
            (services(0), addresses()).prop_map(|(services, to)| Request::Close(Close::new(services, to)));
        let enrol =
            (any::<[u8; 32]>(), any::<[u8; 32]>(), any::<[u8; 32]>()).prop_map(|(seed, server, by)| {
                let (server, by) =
                    (ServerSecret::from_bytes(server).public(), ClientSecret::from_seed(by).public());
                Request::Enrol(Enrol::new(&ClientSecret::from_seed(seed), &server, &by))
            });
        prop_oneof![open, close, enrol]
    }

    #[test]
    fn an_opening_opens_something() {
        let ssh: Services = "ssh".parse().unwrap();
        let to = Addresses::NONE.with_sender();
        assert_eq!(Open::new(Services::none(), to, None), Err(OpensNothing::NoService));
        assert_eq!(Open::new(ssh, Addresses::NONE, None), Err(OpensNothing::NoAddress));
    }

    #[test]
    fn some_addresses_cannot_be_named() {
        assert_eq!(Addresses::NONE.with_v4(Ipv4Addr::UNSPECIFIED), Err(Unnameable));
        for text in ["::", "::1", "ff02::1", "::ffff:192.0.2.1"] {
            assert_eq!(Addresses::NONE.with_v6(text.parse().unwrap()), Err(Unnameable), "{text}");
        }
        let named = Addresses::NONE.with_v4("192.0.2.1".parse().unwrap()).unwrap();
        assert!(!named.is_empty() && !named.sender());
    }

    #[test]
    fn a_key_of_small_order_cannot_ask_to_be_enrolled() {
        let mut bytes = [0; REQUEST_LEN];
        request::Op::write(&mut bytes, &[ENROL]);
        enrol::Key::write(&mut bytes, ClientSecret::from_seed([9; 32]).public().as_bytes());
        assert!(Request::decode(&bytes).is_ok());
        let mut identity = [0; 32];
        identity[0] = 1;
        enrol::Key::write(&mut bytes, &identity);
        assert_eq!(Request::decode(&bytes), Err(Malformed));
    }

    proptest! {
        #[test]
        fn decoding_undoes_encoding(request in requests()) {
            prop_assert_eq!(Request::decode(&request.encode()), Ok(request));
        }

        /// Near every encoding: what is decoded is encoded to the same bytes, so that no two encodings mean the
        /// same.
        #[test]
        fn encoding_undoes_decoding(
            request in requests(),
            changes in proptest::collection::vec((0..REQUEST_LEN, prop_oneof![Just(0_u8), Just(b','), any::<u8>()]), 1..4),
        ) {
            let mut bytes = request.encode();
            for (at, byte) in changes {
                bytes[at] = byte;
            }
            if let Ok(decoded) = Request::decode(&bytes) {
                prop_assert_eq!(decoded.encode(), bytes);
                prop_assert_eq!(decoded == request, bytes == request.encode());
            }
        }

        #[test]
        fn decoding_is_total(bytes in proptest::collection::vec(any::<u8>(), REQUEST_LEN)) {
            let bytes = bytes.try_into().unwrap();
            if let Ok(request) = Request::decode(&bytes) {
                prop_assert_eq!(request.encode(), bytes);
            }
        }
    }
}
