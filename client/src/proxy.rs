//! `knock-spa proxy`: a connection to a port that is shut, for ssh's ProxyCommand and its like.

use std::num::NonZeroU16;

use tokio::net::TcpStream;

use crate::asking::{Asking, Wish};
use crate::failure::{Failure, Status};
use crate::home::Home;
use crate::hosts::Profile;
use crate::io::{event_loop, relay, terminal};
use crate::manner::Manner;
use crate::plan::Look;
use crate::render;
use crate::report;
use crate::services::Database;
use crate::watch::watch;

/// What the command line says.
#[derive(Debug, clap::Args)]
pub(crate) struct Options {
    /// The host: a name that `knock-spa hosts list` has, or its only endpoint there, as in ssh's %h
    host: String,
    /// The TCP port, as in ssh's %p
    port: NonZeroU16,
    #[command(flatten)]
    manner: Manner,
    /// Says whom it asks for, and what is sent and tried
    #[arg(short, long)]
    verbose: bool,
}

/// Asks for the port, connects to it, and is the connection until its end. A port that is open already is asked for
/// all the same: who connects anew should not be cut off by the end of a lease that is older.
pub(crate) fn run(options: &Options, home: &Home) -> Result<(), Failure> {
    let connection = connect(options, home)?;
    relay::relay(&connection).map_err(|error| {
        Failure::new(Status::Io, format!("the connection to {} broke", options.host)).because(error)
    })
}

fn connect(options: &Options, home: &Home) -> Result<std::net::TcpStream, Failure> {
    let nothing = Database::default();
    let wish = |profile: &Profile| Wish {
        services: profile.service_at(options.port).into(),
        probe: Some(options.port),
        usual: &nothing,
    };
    let mut asking = Asking::new(home, &options.host, wish, options.manner)?;
    if options.verbose {
        terminal::say(format_args!("address: {}", asking.reason()));
    }
    event_loop::run(await_port(options, &mut asking))?
}

/// Sends packets until the port accepts a connection.
async fn await_port(options: &Options, asking: &mut Asking) -> Result<std::net::TcpStream, Failure> {
    let probes = match &asking.look {
        Look::At(probes) => probes.as_slice(),
        Look::NoPort | Look::SomebodyElse => &[],
    };
    if options.verbose {
        probes.iter().for_each(|probe| terminal::say(render::probe(probe)));
    }
    let wait = options.manner.wait.duration();
    let mut connection: Option<TcpStream> = None;
    let connected = |taken| connection = Some(taken);
    let answers = watch(&mut asking.packets, probes, 1, wait, connected, |_, _| {}).await?;
    let (outcome, ports) = report::ports(probes, answers);
    let report = asking.report(outcome, ports);
    if options.verbose {
        terminal::say(report.deed());
    }
    let words = report.verdict(wait)?;
    let connection = connection.ok_or_else(|| unreachable_port(options))?;
    if options.verbose {
        terminal::say(words);
    }
    connection
        .into_std()
        .map_err(|error| Failure::new(Status::Os, "cannot hand on the connection").because(error))
}

/// The request is for addresses of a family over which there is no way to the host.
fn unreachable_port(options: &Options) -> Failure {
    Failure::new(Status::Unavailable, format!("cannot reach {} for whom it would open", options.host))
        .because("there is no route over the families that --source names")
}
