//! `knock-spa enroll`: this device's key, the servers that it knows, and that they know it.

mod device;
mod first_door;
mod given;
mod host;
mod via_ssh;

use knock_spa_keys::comment::Comment;
use knock_spa_keys::invitation::InvitationLine;
use knock_spa_keys::server::ServerLine;
use knock_spa_proto::service::ServiceName;

pub(crate) use self::device::name as device_name;
use self::first_door::First;
use self::given::Given;
use self::via_ssh::{ClientName, Destination};
use crate::asking::Wish;
use crate::device_key::DeviceKey;
use crate::failure::Failure;
use crate::home::Home;
use crate::hosts::Alias;
use crate::io::disk::Created;
use crate::io::terminal;
use crate::listing;
use crate::render;
use crate::services::Database;

/// What the command line says.
#[derive(Debug, clap::Args)]
pub(crate) struct Options {
    /// An invitation: adds the host and enrols this device. Or a server's line: adds the host, or renews the key of a
    /// known one. Without it, asks on a terminal, or reads standard input
    line: Vec<String>,
    #[command(flatten)]
    device: device::OwnKey,
    /// What to call the host [default: the host part of its first endpoint]
    #[arg(long, value_name = "ALIAS")]
    host: Option<Alias>,
    /// Enrols over an ssh that still works, as ssh-copy-id does
    #[arg(long, value_name = "[USER@]HOST", conflicts_with = "line")]
    via_ssh: Option<Destination>,
    /// With --via-ssh: what the server is to call this device [default: what its key is called]
    #[arg(long, value_name = "NAME", requires = "via_ssh")]
    client: Option<ClientName>,
    #[command(flatten)]
    first: first_door::FirstDoor,
}

/// What to ask on a terminal.
const QUESTION: &str = "paste an invitation or a server line, or press Enter: ";

/// The door to be allowed where the user names none: what most servers are reached by.
const USUAL_DOOR: &str = "ssh";

/// A host to add, and what to do there.
struct Enrolment {
    server: ServerLine,
    invitation: Option<InvitationLine>,
    doors: Vec<ServiceName>,
}

/// Makes the device's key where there is none, prints its public line, adds the host, and opens its first door. `device`
/// is what its key is called if the user does not say.
pub(crate) fn run(
    mut options: Options,
    home: &Home,
    usual: &Database,
    device: Comment,
) -> Result<(), Failure> {
    let given = Given::parse(&options.line.join(" "))?;
    if matches!(given, Some(Given::Invitation(_))) {
        terminal::say(render::SEEN_BY_OTHERS);
    }
    let (key, created) = device::key(home, options.device.clone(), device)?;
    terminal::print(key.public())?;
    // Both come from standard input, the passphrase first.
    let asks = given.is_none() && options.via_ssh.is_none();
    let key = if asks && home.passphrases().are_on_standard_input() {
        DeviceKey::Bare(home.unlock(key)?)
    } else {
        key
    };
    let enrolment = match options.via_ssh.take() {
        Some(at) => Some(over_ssh(&at, &options, &key)?),
        None => given_or_asked(given, created)?.map(|given| enrolment(given, &options)).transpose()?,
    };
    enrolment.map_or(Ok(()), |enrolment| enrol(enrolment, options, key, home, usual))
}

/// What the user was given, who is asked for it where the command line does not say. Says what to do with the public
/// line, where that is for somebody.
fn given_or_asked(given: Option<Given>, key: Created) -> Result<Option<Given>, Failure> {
    let given = if given.is_some() { given } else { Given::parse(&terminal::answer(QUESTION)?)? };
    let is_for_somebody = match given {
        None => true,
        Some(Given::Server(_)) => key == Created::New,
        Some(Given::Invitation(_)) => false,
    };
    if is_for_somebody {
        terminal::say(render::HAND_OVER);
    }
    Ok(given)
}

/// Has the server enrol this device over ssh.
fn over_ssh(at: &Destination, options: &Options, key: &DeviceKey) -> Result<Enrolment, Failure> {
    let public = key.public();
    let name = options.client.clone().unwrap_or_else(|| ClientName::of(&public.comment));
    let mut doors = options.first.doors.clone();
    if doors.is_empty() {
        doors.extend(USUAL_DOOR.parse::<ServiceName>());
    }
    let server = via_ssh::enrol(at, &name, &public, &doors)?;
    Ok(Enrolment { server, invitation: None, doors })
}

/// What a line leads to.
fn enrolment(given: Given, options: &Options) -> Result<Enrolment, Failure> {
    let doors = options.first.doors.clone();
    match given {
        Given::Server(server) => Ok(Enrolment { server, invitation: None, doors }),
        Given::Invitation(line) => {
            let doors = if doors.is_empty() { first_door::proposed(&line)? } else { doors };
            Ok(Enrolment { server: line.server.clone(), invitation: Some(*line), doors })
        }
    }
}

/// Adds the host, and opens its first door. Whatever is cut short here can be done again.
fn enrol(
    enrolment: Enrolment,
    options: Options,
    key: DeviceKey,
    home: &Home,
    usual: &Database,
) -> Result<(), Failure> {
    let Enrolment { server, invitation, doors } = enrolment;
    let doors = if options.first.no_open { Vec::new() } else { doors };
    let services = first_door::services(&doors)?;
    let alias = host::add(home, options.host, server)?.to_string();
    if services.is_empty() && invitation.is_none() {
        terminal::say(render::next(&alias));
        return Ok(());
    }
    let key = home.unlock(key)?;
    let hosts = home.hosts()?;
    let profile = listing::known(&hosts, &alias)?;
    if let Some(invitation) = &invitation {
        terminal::say(render::invited(&invitation.name));
    }
    match invitation {
        Some(invitation) if services.is_empty() => first_door::only_enrol(&alias, profile, &key, invitation),
        invitation => {
            let wish = Wish { services, probe: options.first.probe, usual };
            First { alias: &alias, profile, wish, wait: options.first.wait }.open(key, invitation)
        }
    }
}
