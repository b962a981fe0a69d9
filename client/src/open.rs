//! `knock-spa open`: asks for doors, and looks whether they are open.

use std::ffi::OsString;
use std::num::NonZeroU16;
use std::time::Duration;

use knock_spa_proto::service::{BadServices, NotAService, Services};

use crate::asking::{Asking, Wish};
use crate::failure::Failure;
use crate::home::Home;
use crate::hosts::Profile;
use crate::io::terminal::{self, Progress};
use crate::io::{event_loop, process};
use crate::manner::Manner;
use crate::packets::Packets;
use crate::plan::Look;
use crate::render;
use crate::report::{self, Report};
use crate::services::Database;
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
    #[command(flatten)]
    manner: Manner,
    /// The TCP port to try, instead of the usual one of the service
    #[arg(long, value_name = "PORT")]
    probe: Option<NonZeroU16>,
    /// Sends and does not look
    #[arg(long, conflicts_with = "wait")]
    no_wait: bool,
    /// Sends this many packets in the first second, 1 to 10, where many get lost
    #[arg(long, value_name = "N", default_value_t = 1, value_parser = clap::value_parser!(u8).range(1..=i64::from(MAX_REPEAT)))]
    repeat: u8,
    /// Prints one JSON object about what came of it
    #[arg(long, conflicts_with = "command")]
    json: bool,
    /// Says whom it asks for, and what is sent and tried
    #[arg(short, long)]
    verbose: bool,
    /// Becomes this command once the port answers
    #[arg(last = true)]
    command: Vec<OsString>,
}

/// Services, at least one.
pub(crate) fn some_services(text: &str) -> Result<Services, BadServices> {
    if text.is_empty() { Err(BadServices::NotAService(NotAService)) } else { text.parse() }
}

/// How long nothing is shown: a door that opens at once needs no progress.
const QUIET: Duration = Duration::from_millis(200);

/// Opens, looks, and becomes the user's command. Returns where there is none, or it cannot be.
pub(crate) fn run(options: &Options, home: &Home, usual: &Database) -> Result<(), Failure> {
    let report = ask(options, home, usual)?;
    if options.json {
        terminal::print_json(&report)?;
    }
    let words = report.verdict(options.manner.wait.duration())?;
    if !options.json {
        terminal::say(words);
    }
    match options.command.split_first() {
        Some((program, arguments)) => Err(process::become_command(program, arguments)),
        None => Ok(()),
    }
}

fn ask(options: &Options, home: &Home, usual: &Database) -> Result<Report, Failure> {
    let wish = |_: &Profile| Wish { services: options.services.clone(), probe: options.probe, usual };
    let mut asking = Asking::new(home, &options.host, wish, options.manner)?;
    if options.verbose {
        terminal::say(format_args!("address: {}", asking.reason()));
    }
    let (outcome, ports) = event_loop::run(send(options, &mut asking))??;
    let report = asking.report(outcome, ports);
    if options.verbose {
        terminal::say(report.deed());
    }
    Ok(report)
}

/// Sends, and looks where that is wanted and possible.
async fn send(
    options: &Options,
    asking: &mut Asking,
) -> Result<(report::Outcome, Vec<report::Port>), Failure> {
    let Asking { packets, look, .. } = asking;
    let Some(probes) = (match look {
        Look::At(probes) if !options.no_wait => Some(&*probes),
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
    let answers = watch(packets, probes, options.repeat, options.manner.wait.duration(), drop, show).await?;
    Ok(report::ports(probes, answers))
}
