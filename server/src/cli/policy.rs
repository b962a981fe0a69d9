//! The options that say what a client may ask for: those of `client add` and of `invite`.

use clap::Args;
use knock_spa_engine::client::{Client, ClientName, Right};
use knock_spa_keys::client::ClientKey;
use knock_spa_proto::cidr::Cidr;
use knock_spa_proto::service::ServiceName;
use knock_spa_proto::span::Span;

use crate::cli::failure::{Exit, Failure};
use crate::cli::terminal;
use crate::clients::date::{NotAfter, NotBefore};
use crate::clients::words::{Granted, Mode, PerMinute};
use crate::config::settings::Settings;
use crate::io::clock;

#[derive(Debug, Args)]
pub(super) struct PolicyArguments {
    /// A door that the client may open; may be repeated.
    #[arg(long = "door", value_name = "DOOR")]
    pub(super) doors: Vec<ServiceName>,
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
    #[arg(long, value_name = "DATE")]
    not_after: Option<NotAfter>,
    /// How often it may ask, such as 60/min.
    #[arg(long, value_name = "N/min", default_value = "60/min")]
    rate: PerMinute,
}

impl PolicyArguments {
    /// The client of this name and key that may do so, at the doors that there are.
    pub(super) fn client(
        self,
        name: ClientName,
        key: ClientKey,
        settings: &Settings,
    ) -> Result<Client, Failure> {
        doors_exist(&self.doors, settings)?;
        let (start, end) = (self.not_before, self.not_after);
        if let (Some(start), Some(end)) = (start, end)
            && end.0 <= start.0
        {
            return Err(Failure::new(
                Exit::Data,
                format_args!("--not-after {end} is before --not-before {start}"),
            ));
        }
        let doors = self.doors.into_iter().map(Right::Door);
        let services = self.services.into_iter().map(|Granted(right)| right);
        let mut rights = Vec::new();
        for right in doors.chain(services) {
            if !rights.contains(&right) {
                rights.push(right);
            }
        }
        Ok(Client {
            name,
            key,
            rights,
            mode: self.address.0,
            from: Some(self.from).filter(|networks| !networks.is_empty()),
            max_open: self.max_open.map(Span::duration),
            not_before: start.map(|start| start.0),
            not_after: end.map(|end| end.0),
            rate: self.rate.0,
        })
    }
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

/// Tells where the client can do less than whoever wrote the command may think.
pub(super) fn tell_limits(client: &Client) {
    if client.rights.is_empty() {
        terminal::note("  It may open nothing yet: neither --door nor --service was given.");
    }
    if !client.is_valid_at(clock::now().unix) {
        terminal::note("  It is not valid now, by --not-before or --not-after.");
    }
}
