//! What is known before the first packet: whom to ask, for what, on whose behalf, and where to look.

use std::net::IpAddr;
use std::num::NonZeroU16;

use knock_spa_keys::client::ClientSecret;
use knock_spa_proto::service::Services;
use knock_spa_proto::spa::request::Request;

use crate::failure::{Failure, Status};
use crate::home::Home;
use crate::hosts::Profile;
use crate::listing;
use crate::manner::Manner;
use crate::packets::Packets;
use crate::plan::{self, Look, Ports, Routes};
use crate::reach;
use crate::render;
use crate::report::{self, Outcome, Port, Report, Whom};
use crate::services::Database;
use crate::source::Source;

/// A request that is ready to be sent.
#[derive(Debug)]
pub(crate) struct Asking {
    /// Its packets.
    pub(crate) packets: Packets,
    /// Where to look whether it was granted.
    pub(crate) look: Look,
    host: String,
    services: Services,
    address: Whom,
    routes: Routes,
    source: Source,
}

/// What to open.
#[derive(Clone, Debug)]
pub(crate) struct Wish<'a> {
    /// The services.
    pub(crate) services: Services,
    /// The port to try, where not the usual one.
    pub(crate) probe: Option<NonZeroU16>,
    /// The usual ports.
    pub(crate) usual: &'a Database,
}

impl Asking {
    /// Makes ready to ask the host that the user calls `host` for what is wished of a host like that.
    pub(crate) fn new<'a>(
        home: &Home,
        host: &str,
        wish: impl FnOnce(&Profile) -> Wish<'a>,
        manner: Manner,
    ) -> Result<Self, Failure> {
        let key = home.kept_key()?.key;
        let hosts = home.hosts()?;
        let profile = listing::known(&hosts, host)?;
        // Nobody is asked for a passphrase in vain.
        Self::as_client(home.unlock(key)?.secret, host, profile, wish(profile), manner)
    }

    /// The same as a client whose key is at hand.
    pub(crate) fn as_client(
        client: ClientSecret,
        host: &str,
        profile: &Profile,
        wish: Wish<'_>,
        manner: Manner,
    ) -> Result<Self, Failure> {
        let way = reach::find(&profile.line.endpoints, manner.families)?;
        let ports = Ports { named: wish.probe, of_host: &profile.ports, usual: wish.usual };
        let plan = plan::open(wish.services.clone(), manner.span, manner.source, &way.routes, ports)
            .map_err(|why| Failure::new(Status::Usage, "nothing to open").because(why))?;
        Ok(Self {
            address: Whom::from(plan.request.to()),
            packets: Packets::new(client, profile.line.key, way.to, Request::Open(plan.request))?,
            look: plan.look,
            host: host.to_owned(),
            services: wish.services,
            routes: way.routes,
            source: manner.source,
        })
    }

    /// Whom it is for, and why.
    pub(crate) fn reason(&self) -> String {
        render::mode(self.source, &self.routes)
    }

    /// This machine's address on the way of the packets.
    pub(crate) const fn own(&self) -> IpAddr {
        self.routes.own()
    }

    /// What came of it.
    pub(crate) fn report(&self, outcome: Outcome, ports: Vec<Port>) -> Report {
        Report {
            host: self.host.clone(),
            services: report::names(&self.services),
            outcome,
            server: self.packets.to(),
            packets: self.packets.sent(),
            address: self.address,
            ports,
        }
    }
}
