//! `knock-spa open`: asks for doors, and looks whether they are open.

use std::ffi::OsString;
use std::num::{NonZeroU16, NonZeroU32};
use std::time::Duration;

use knock_spa_proto::service::{BadServices, NotAService, Services};
use knock_spa_proto::spa::request::Request;
use knock_spa_proto::span::Span;

use crate::failure::{Failure, Status};
use crate::home::Home;
use crate::io::terminal::{self, Progress};
use crate::io::{event_loop, process};
use crate::listing;
use crate::packets::Packets;
use crate::plan::{self, Look, Ports};
use crate::reach::{self, Families};
use crate::render;
use crate::report::{self, Report, Whom};
use crate::services::Database;
use crate::source::Source;
use crate::timeline::MAX_REPEAT;
use crate::watch::{send_only, watch};

/// What the command line says.
#[derive(Debug, clap::Args)]
pub(crate) struct Options {
    /// What to open: doors by name (ssh) or ports (tcp/22), with commas between
    #[arg(value_name = "SERVICE[,SERVICE]...", value_parser = some_services)]
    services: Services,
    /// The host, as `knock-spa hosts list` calls it
    host: String,
    /// How long the door is to be open, such as 90s, 10m or 1h [default: the server's]
    #[arg(long = "for", value_name = "SPAN")]
    span: Option<Span>,
    /// Whom to open for: auto states this machine's own address where it is global, sender means whatever
    /// address the packet comes from, one or two addresses whoever has them
    #[arg(long, default_value = "auto", value_name = "auto|sender|ADDR[,ADDR]")]
    source: Source,
    /// The TCP port to try, instead of the usual one of the service
    #[arg(long, value_name = "PORT")]
    probe: Option<NonZeroU16>,
    /// How long to try
    #[arg(long, value_name = "SPAN", default_value_t = DEFAULT_WAIT, conflicts_with = "no_wait")]
    wait: Span,
    /// Sends and does not look
    #[arg(long)]
    no_wait: bool,
    /// Sends this many packets in the first second, 1 to 10, where many get lost
    #[arg(long, value_name = "N", default_value_t = 1, value_parser = clap::value_parser!(u8).range(1..=i64::from(MAX_REPEAT)))]
    repeat: u8,
    #[command(flatten)]
    families: Families,
    /// Prints one JSON object about what came of it
    #[arg(long, conflicts_with = "command")]
    json: bool,
    /// Says what is sent and tried
    #[arg(short, long)]
    verbose: bool,
    /// Runs this once the port answers
    #[arg(last = true)]
    command: Vec<OsString>,
}

/// Services, at least one.
pub(crate) fn some_services(text: &str) -> Result<Services, BadServices> {
    if text.is_empty() { Err(BadServices::NotAService(NotAService)) } else { text.parse() }
}

/// How long to try where the user does not say: long for a packet, short for a person.
const DEFAULT_WAIT: Span = Span::from_secs(match NonZeroU32::new(5) {
    Some(secs) => secs,
    None => NonZeroU32::MIN,
});

/// How long nothing is shown: a door that opens at once needs no progress.
const QUIET: Duration = Duration::from_millis(200);

/// Opens, looks, and becomes the user's command. Returns where there is none, or it cannot be.
pub(crate) fn run(options: &Options, home: &Home, usual: &Database) -> Result<(), Failure> {
    let report = ask(options, home, usual)?;
    if options.json {
        terminal::print_json(&report)?;
    }
    let words = report.verdict(options.wait.duration())?;
    if !options.json {
        terminal::say(words);
    }
    match options.command.split_first() {
        Some((program, arguments)) => Err(process::become_command(program, arguments)),
        None => Ok(()),
    }
}

fn ask(options: &Options, home: &Home, usual: &Database) -> Result<Report, Failure> {
    let key = home.key()?;
    let hosts = home.hosts()?;
    let host = listing::known(&hosts, &options.host)?;
    let way = reach::find(&host.line.endpoints, options.families)?;
    let ports = Ports { named: options.probe, of_host: &host.ports, usual };
    let plan = plan::open(options.services.clone(), options.span, options.source, &way.routes, ports)
        .map_err(|why| Failure::new(Status::Usage, "nothing to open").because(why))?;
    let address = Whom::from(plan.request.to());
    let mut packets = Packets::new(key.secret, host.line.key, way.to, Request::Open(plan.request))?;
    let (outcome, ports) = event_loop::run(send(options, &mut packets, &plan.look))??;
    let report = Report {
        host: options.host.clone(),
        services: report::names(&options.services),
        outcome,
        server: packets.to(),
        packets: packets.sent(),
        address,
        ports,
    };
    if options.verbose {
        terminal::say(report.deed());
    }
    Ok(report)
}

/// Sends, and looks where that is wanted and possible.
async fn send(
    options: &Options,
    packets: &mut Packets,
    look: &Look,
) -> Result<(report::Outcome, Vec<report::Port>), Failure> {
    let Some(probes) = (match look {
        Look::At(probes) if !options.no_wait => Some(probes),
        Look::At(_) | Look::NoPort | Look::SomebodyElse => None,
    }) else {
        send_only(packets, options.repeat).await?;
        return Ok((report::unseen(look, !options.no_wait), Vec::new()));
    };
    if options.verbose {
        probes.iter().for_each(|probe| terminal::say(render::probe(probe)));
    }
    let progress = Progress::new(!options.json);
    let show = |since: Duration, packets: &Packets| {
        if since >= QUIET {
            progress.show(render::waiting(probes, &options.host, since, packets.sent()));
        }
    };
    let answers = watch(packets, probes, options.repeat, options.wait.duration(), show).await?;
    Ok(report::ports(probes, answers))
}
