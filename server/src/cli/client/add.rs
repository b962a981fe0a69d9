//! `knock-spad client add`.

use clap::Args;
use knock_spa_engine::client::{Client, ClientName, Right};
use knock_spa_keys::client::ClientLine;
use knock_spa_proto::cidr::Cidr;
use knock_spa_proto::service::ServiceName;
use knock_spa_proto::span::Span;

use crate::cli::client::telling::{Connections, tell_changed};
use crate::cli::failure::{Exit, Failure};
use crate::cli::key::server_line;
use crate::cli::terminal;
use crate::clients;
use crate::clients::date::{NotAfter, NotBefore};
use crate::clients::words::{Granted, Mode, PerMinute};
use crate::config::settings::Settings;
use crate::io::clock;

#[derive(Debug, Args)]
pub(in crate::cli) struct Arguments {
    /// What to call the client: letters, digits and . _ @ -
    name: ClientName,
    /// The client's line, as `knock-spa enroll` prints it on the client: knock-spa-client-v1 ...
    line: String,
    /// A door that the client may open; may be repeated.
    #[arg(long = "door", value_name = "DOOR")]
    doors: Vec<ServiceName>,
    /// A door, a port like tcp/22 or ports like tcp/8000-8100, whether a door has them yet or not; may be repeated.
    #[arg(long = "service", value_name = "SERVICE")]
    services: Vec<Granted>,
    /// For which addresses it may ask: sender, claimed or match.
    #[arg(long, value_name = "MODE", default_value = "sender")]
    address: Mode,
    /// A network in which the addresses must lie; may be repeated. Anywhere where absent.
    #[arg(long, value_name = "CIDR")]
    from: Vec<Cidr>,
    /// The longest that it may open for, such as 10m.
    #[arg(long, value_name = "SPAN")]
    max_open: Option<Span>,
    /// The first day on which it may, such as 2027-01-01, or a time such as 2027-01-01T08:00:00Z.
    #[arg(long, value_name = "DATE")]
    not_before: Option<NotBefore>,
    /// The last day on which it may, or the time from which on it may not.
    #[arg(long, value_name = "DATE", visible_alias = "expires")]
    not_after: Option<NotAfter>,
    /// How often it may ask, such as 60/min.
    #[arg(long, value_name = "N/min", default_value = "60/min")]
    rate: PerMinute,
}

pub(super) fn run(settings: &Settings, arguments: Arguments) -> Result<(), Failure> {
    // Before anything is written, for without it the client could not be set up.
    let server = server_line(&settings.paths)?;
    let line = client_line(&arguments.line)?;
    doors_exist(&arguments.doors, settings)?;
    let client = client(arguments, &line)?;
    clients::add(&settings.paths.clients, &client, &line.comment)?;
    tell_changed(&settings.paths, &client.name, Connections::LiveOn)?;
    tell(&client);
    terminal::say(server)
}

/// clap would show the text of a wrong argument, and this one may be a secret key.
fn client_line(text: &str) -> Result<ClientLine, Failure> {
    text.trim().parse().map_err(|error| {
        Failure::new(Exit::Data, format_args!("LINE: {error}")).hint(
            "the line that `knock-spa enroll` prints on the client, in quotes: 'knock-spa-client-v1 ...'",
        )
    })
}

fn doors_exist(doors: &[ServiceName], settings: &Settings) -> Result<(), Failure> {
    let Some(missing) = doors.iter().find(|door| settings.door(**door).is_none()) else { return Ok(()) };
    let names: Vec<_> = settings.doors.iter().map(|door| door.name.to_string()).collect();
    let message = format!("--door {missing}: the configuration has no such door");
    let hint = if names.is_empty() {
        "it has none that clients can open: [door.NAME], or `SPA = NAME, tcp/PORT` for knockd, makes one"
            .into()
    } else {
        format!("its doors: {}", names.join(", "))
    };
    Err(Failure::new(Exit::Data, message).hint(hint))
}

fn client(arguments: Arguments, line: &ClientLine) -> Result<Client, Failure> {
    let (start, end) = (arguments.not_before, arguments.not_after);
    if let (Some(start), Some(end)) = (start, end)
        && end.0 <= start.0
    {
        return Err(Failure::new(
            Exit::Data,
            format_args!("--not-after {end} is before --not-before {start}"),
        ));
    }
    let doors = arguments.doors.into_iter().map(Right::Door);
    let services = arguments.services.into_iter().map(|Granted(right)| right);
    let mut rights = Vec::new();
    for right in doors.chain(services) {
        if !rights.contains(&right) {
            rights.push(right);
        }
    }
    Ok(Client {
        name: arguments.name,
        key: line.key,
        rights,
        mode: arguments.address.0,
        from: Some(arguments.from).filter(|networks| !networks.is_empty()),
        max_open: arguments.max_open.map(Span::duration),
        not_before: start.map(|start| start.0),
        not_after: end.map(|end| end.0),
        rate: arguments.rate.0,
    })
}

fn tell(client: &Client) {
    terminal::note(format_args!("enrolled client {}, {}", client.name, client.key.fingerprint()));
    if client.rights.is_empty() {
        terminal::note("  It may open nothing yet: neither --door nor --service was given.");
    }
    if !client.is_valid_at(clock::now().unix) {
        terminal::note("  It is not valid now, by --not-before or --not-after.");
    }
    terminal::note("The server's line, for `knock-spa enroll` on the client:");
}
