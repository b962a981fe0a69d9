//! `knock-spa close`: ends this device's own openings.

use std::net::SocketAddr;

use knock_spa_proto::service::Services;
use knock_spa_proto::spa::request::{Addresses, Close, Request};
use serde::Serialize;

use crate::failure::Failure;
use crate::home::Home;
use crate::io::{event_loop, terminal};
use crate::listing;
use crate::open::some_services;
use crate::packets::Packets;
use crate::reach::{self, Families};
use crate::report::{self, Outcome};
use crate::watch::send_only;

/// What the command line says.
#[derive(Debug, clap::Args)]
pub(crate) struct Options {
    /// What to close [default: all that this device opened]
    #[arg(value_name = "SERVICE[,SERVICE]...", value_parser = some_services)]
    services: Option<Services>,
    /// The host, as `knock-spa hosts list` calls it
    #[arg(required = true)]
    host: String,
    #[command(flatten)]
    families: Families,
    /// Prints one JSON object about what was sent
    #[arg(long)]
    json: bool,
}

/// Asks to close, for whatever addresses this device opened: it may have moved since.
pub(crate) fn run(options: Options, home: &Home) -> Result<(), Failure> {
    let key = home.kept_key()?.key;
    let hosts = home.hosts()?;
    let host = listing::known(&hosts, &options.host)?;
    let way = reach::find(&host.line.endpoints, options.families)?;
    let services = options.services.unwrap_or_default();
    let names = report::names(&services);
    let what = if names.is_empty() { "all that it opened".to_owned() } else { names.join(",") };
    let request = Request::Close(Close::new(services, Addresses::NONE));
    let key = home.unlock(key)?;
    let mut packets = Packets::new(key.secret, host.line.key, way.to, request)?;
    event_loop::run(send_only(&mut packets, REPEAT))??;
    if options.json {
        let (server, packets) = (packets.to(), packets.sent());
        let report = Report { host: options.host, services: names, outcome: Outcome::Sent, server, packets };
        return terminal::print_json(&report);
    }
    terminal::say(format_args!("asked {} to close {what} for this device", packets.to()));
    Ok(())
}

/// What was sent: the object of `--json`.
#[derive(Debug, Serialize)]
struct Report {
    host: String,
    /// What to close; everything, where this is empty.
    services: Vec<String>,
    outcome: Outcome,
    server: SocketAddr,
    packets: u32,
}

/// Packets in which to ask: nothing shows whether one arrived, and the second costs nothing.
const REPEAT: u8 = 2;
