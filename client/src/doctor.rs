//! `knock-spa doctor`: what is wrong between this device and a server, and how to mend it.

use std::net::{IpAddr, SocketAddr};
use std::num::{NonZeroU16, NonZeroU32};
use std::time::Duration;

use knock_spa_keys::endpoint::Endpoints;
use knock_spa_proto::service::Services;
use knock_spa_proto::span::Span;

use crate::asking::{Asking, Wish};
use crate::doctor::diagnosis::diagnose;
use crate::doctor::facts::{Clock, Facts, Fault, Key, Name, Trial, Way};
use crate::doctor::finding::Diagnosis;
use crate::failure::{Failure, Status};
use crate::family::Family;
use crate::home::Home;
use crate::hosts::{Profile, host_text};
use crate::io::{clock, disk, event_loop, net, process, terminal};
use crate::key_file::{self, Kind};
use crate::listing;
use crate::manner::Manner;
use crate::open::some_services;
use crate::plan::{Look, Probe};
use crate::reach::Families;
use crate::report;
use crate::services::Database;
use crate::watch::{self, Answer, watch};

mod diagnosis;
mod facts;
mod finding;

/// What the command line says.
#[derive(Debug, clap::Args)]
pub(crate) struct Options {
    /// The host, as `knock-spa hosts list` calls it
    host: String,
    /// What to open for the trial
    #[arg(long, value_name = "SERVICE[,SERVICE]...", default_value = "ssh", value_parser = some_services)]
    service: Services,
    /// The TCP port to try, instead of the usual one of the service
    #[arg(long, value_name = "PORT")]
    probe: Option<NonZeroU16>,
    #[command(flatten)]
    manner: Manner,
    /// Prints one JSON object
    #[arg(long)]
    json: bool,
}

/// For how long the trial opens where the user does not say: what is open longer stays so.
const TRIAL: Span = Span::from_secs(match NonZeroU32::new(10) {
    Some(secs) => secs,
    None => NonZeroU32::MIN,
});

/// How long a port that is shut may take to show that it is not: a SYN and its repetition after a second.
const FIRST_LOOK: Duration = Duration::from_millis(1500);

/// How long the system's own tool may take to say whether the clock is kept right.
const ABOUT_CLOCK: Duration = Duration::from_secs(2);

/// Finds out what can be found out, and tells what is wrong.
pub(crate) fn run(options: &Options, home: &Home, usual: &Database) -> Result<(), Failure> {
    let hosts = home.hosts()?;
    let profile = listing::known(&hosts, &options.host)?;
    let diagnosis = Diagnosis::new(&options.host, diagnose(&gather(options, home, profile, usual)));
    if options.json {
        terminal::print_json(&diagnosis)?;
    } else {
        terminal::print(&diagnosis)?;
    }
    match diagnosis.wrong() {
        0 => Ok(()),
        wrong => Err(Failure::new(
            Status::Unavailable,
            format!("{wrong} of {} checks of {} failed", diagnosis.findings.len(), options.host),
        )),
    }
}

fn gather(options: &Options, home: &Home, profile: &Profile, usual: &Database) -> Facts {
    let names = names(&profile.line.endpoints);
    let ways = names.iter().find_map(|name| ways(name, options.manner.families)).unwrap_or_default();
    Facts {
        key: key(home),
        directory: disk::mode(home.directory()).ok(),
        names,
        ways,
        trial: attempt(options, home, usual).map_err(|failure| Fault::from(&failure)),
        // Last: the trial may take a while.
        clock: look_at_clock(home),
    }
}

fn look_at_clock(home: &Home) -> Clock {
    let words = ["show", "--property=NTPSynchronized", "--value"];
    let kept = process::answer_of("timedatectl", &words, ABOUT_CLOCK);
    Clock {
        now: clock::unix_now(),
        written: [home.key_path(), home.hosts_path()].iter().filter_map(|path| disk::written(path)).max(),
        kept: kept.and_then(|answer| match answer.trim() {
            "yes" => Some(true),
            "no" => Some(false),
            _ => None,
        }),
    }
}

/// The key as it lies there. One under a passphrase is opened by the trial alone, so that it asks once.
fn key(home: &Home) -> Key {
    let (kind, failure) = match key_file::look(home) {
        Ok(Kind::Bare) => (Kind::Bare, home.read_key().err()),
        Ok(kind @ (Kind::Missing | Kind::Sealed)) => (kind, None),
        Err(failure) => (Kind::Bare, Some(failure)),
    };
    Key { path: home.key_path().display().to_string(), kind, fault: failure.as_ref().map(Fault::from) }
}

fn names(endpoints: &Endpoints) -> Vec<Name> {
    let name = |endpoint| {
        let host = host_text(endpoint);
        let addresses = net::resolve(&host).map_err(|error| error.to_string());
        Name { host, port: endpoint.port, addresses }
    };
    endpoints.iter().map(name).collect()
}

/// The ways to the addresses of a name, the families that are not used left out; none where it has no such address.
fn ways(name: &Name, families: Families) -> Option<Vec<Way>> {
    let addresses = name.addresses.as_ref().ok()?.iter().copied();
    let used = |address: &IpAddr| families.have(Family::of(*address));
    let way = |server: IpAddr| {
        let own = net::own_address(SocketAddr::new(server, name.port.get()));
        Way { server, own: own.map_err(|error| error.to_string()) }
    };
    let ways: Vec<Way> = addresses.filter(used).map(way).collect();
    Some(ways).filter(|ways| !ways.is_empty())
}

/// Looks, asks, and looks again.
fn attempt(options: &Options, home: &Home, usual: &Database) -> Result<Trial, Failure> {
    let wish = |_: &Profile| Wish { services: options.service.clone(), probe: options.probe, usual };
    let manner = Manner { span: options.manner.span.or(Some(TRIAL)), ..options.manner };
    let mut asking = Asking::new(home, &options.host, wish, manner)?;
    let (before, outcome, ports) = event_loop::run(look_ask_look(options, &mut asking))??;
    Ok(Trial {
        reason: asking.reason(),
        own: asking.own(),
        wait: options.manner.wait,
        before,
        report: asking.report(outcome, ports),
    })
}

async fn look_ask_look(
    options: &Options,
    asking: &mut Asking,
) -> Result<(Vec<Answer>, report::Outcome, Vec<report::Port>), Failure> {
    let probes: Vec<Probe> = match &asking.look {
        Look::At(probes) => probes.clone(),
        Look::NoPort | Look::SomebodyElse => {
            watch::send_only(&mut asking.packets, 1).await?;
            return Ok((Vec::new(), report::unseen(&asking.look, true), Vec::new()));
        }
    };
    let before = watch::look(&probes, FIRST_LOOK).await;
    let wait = options.manner.wait.duration();
    let answers = watch(&mut asking.packets, &probes, 1, wait, drop, |_, _| {}).await?;
    let (outcome, ports) = report::ports(&probes, answers);
    Ok((before, outcome, ports))
}
