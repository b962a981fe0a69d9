//! Who came in by the guard, so that those can be told who came in while it was gone.

use std::collections::BTreeSet;

use knock_spa_proto::address::Address;
use knock_spa_proto::element::Element;
use knock_spa_proto::port::{ServicePort, Transport};

use crate::nft::{ELEMENTS_MAX, Session, Trusted};

/// The most elements that are remembered: as many as can be open at once.
const LET_IN_MAX: usize = (ELEMENTS_MAX as usize).saturating_mul(2);

/// Who came in by the guard since it was last looked who is there.
#[derive(Debug, Default)]
pub(super) struct Guests {
    /// Who was there then.
    sessions: BTreeSet<Session>,
    /// Who was let in since.
    let_in: BTreeSet<Element>,
}

impl Guests {
    /// Those of a guard that lets in `open`, when these are there already.
    pub(super) fn new(sessions: Vec<Session>, open: impl Iterator<Item = Element>) -> Self {
        Self { sessions: sessions.into_iter().collect(), let_in: open.collect() }
    }

    /// Takes note of who is let in; false where it is time to look again who is there.
    pub(super) fn let_in(&mut self, elements: impl Iterator<Item = Element>) -> bool {
        self.let_in.extend(elements);
        self.let_in.len() <= LET_IN_MAX
    }

    /// Those among `present` who had no way in: neither opened, nor trusted, nor this machine itself. `trusted_own` are
    /// this machine's addresses at trusted interfaces: who speaks to one of them is taken to have come that way.
    pub(super) fn strangers<'s>(
        &self,
        present: &'s [Session],
        trusted: &[Trusted],
        trusted_own: &BTreeSet<Address>,
    ) -> Vec<&'s Session> {
        let is_trusted = |client: Address| {
            trusted.iter().any(|trusted| match trusted {
                Trusted::Network(network) => network.contains(client),
                Trusted::Interface(_) => false,
            })
        };
        let has_reason = |session: &Session| {
            let client = session.kept.client;
            let port = ServicePort { transport: Transport::Tcp, port: session.kept.port };
            self.sessions.contains(session)
                || self.let_in.contains(&Element { address: client, port })
                || is_trusted(client)
                || trusted_own.contains(&session.own)
                || client == session.own
                || client.ip().is_loopback()
        };
        present.iter().filter(|session| !has_reason(session)).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::nft::Kept;

    fn session(client: &str, own: &str) -> Session {
        let address = |text: &str| Address::new(text.parse().unwrap());
        let kept = Kept { client: address(client), client_port: 40000, port: 22.try_into().unwrap() };
        Session { kept, own: address(own) }
    }

    #[test]
    fn who_had_no_way_in_is_a_stranger() {
        let here = "192.0.2.1";
        let [old, open, near, vpn, own, local, stranger] = [
            session("198.51.100.1", here),
            session("198.51.100.2", here),
            session("192.0.2.77", here),
            session("198.51.100.3", "10.8.0.1"),
            session(here, here),
            session("127.0.0.1", "127.0.0.2"),
            session("198.51.100.4", here),
        ];
        let element = |port: &str| Element { address: open.kept.client, port: port.parse().unwrap() };
        let mut guests = Guests::new(vec![old], [element("tcp/22")].into_iter());
        let trusted = ["192.0.2.0/24", "iif wg0"].map(|text| text.parse().unwrap());
        let present = [old, open, near, vpn, own, local, stranger];
        let vpns = BTreeSet::from([vpn.own]);
        assert_eq!(guests.strangers(&present, &trusted, &vpns), [&stranger]);
        let elsewhere = Guests::new(vec![old], [element("tcp/23")].into_iter());
        assert_eq!(elsewhere.strangers(&present, &trusted, &vpns), [&open, &stranger]);
        let element = Element { address: stranger.kept.client, port: "tcp/22".parse().unwrap() };
        assert!(guests.let_in([element].into_iter()));
        assert_eq!(guests.strangers(&present, &trusted, &vpns), [&stranger; 0]);
    }
}
