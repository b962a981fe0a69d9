//! What a client may do, as options: one grammar for `client add`, `client set` and `invite`.
//!
//! An option that takes one value sets it, and a word lifts the limit; an option that may be repeated adds to a list.

use std::str::FromStr;

use clap::Args;
use knock_spa_engine::client::{AddressMode, Client, ClientName, Rate, Right};
use knock_spa_keys::client::ClientKey;
use knock_spa_proto::cidr::Cidr;
use knock_spa_proto::service::ServiceName;
use knock_spa_proto::span::Span;

use crate::cli::failure::{Exit, Failure};
use crate::clients::date::{NotAfter, NotBefore};
use crate::clients::words::{Granted, Mode, PerMinute};
use crate::config::settings::Settings;

#[derive(Clone, Debug, Default, PartialEq, Eq, Args)]
pub(in crate::cli) struct Options {
    /// Also this door; may be repeated.
    #[arg(long = "door", value_name = "DOOR")]
    doors: Vec<ServiceName>,
    /// Also this door, port like tcp/22 or ports like tcp/8000-8100, whether a door has them yet or not; may be repeated.
    #[arg(long = "service", value_name = "SERVICE")]
    services: Vec<Granted>,
    /// For which addresses it may ask: sender, claimed or match. The first for a new client.
    #[arg(long, value_name = "MODE")]
    address: Option<Mode>,
    /// Also a network in which the addresses must lie; may be repeated. `any` lifts this limit.
    #[arg(long, value_name = "CIDR", value_parser = limit_or_any)]
    from: Vec<Limit<Cidr>>,
    /// The longest that it may open for, such as 10m. `none` leaves that to the doors.
    #[arg(long, value_name = "SPAN", value_parser = limit_or_none::<Span>)]
    max_open: Option<Limit<Span>>,
    /// The first day on which it may, such as 2027-01-01, or a time such as 2027-01-01T08:00:00Z. `none` lifts this limit.
    #[arg(long, value_name = "DATE", value_parser = limit_or_none::<NotBefore>)]
    not_before: Option<Limit<NotBefore>>,
    /// The last day on which it may, or the time from which on it may not. `never` lifts this limit.
    #[arg(long, value_name = "DATE", value_parser = limit_or_never)]
    not_after: Option<Limit<NotAfter>>,
    /// How often it may ask, such as 60/min, which is the rate of a new client.
    #[arg(long, value_name = "N/min")]
    rate: Option<PerMinute>,
}

/// A limit that is set, or lifted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Limit<T> {
    Lifted,
    To(T),
}

impl<T> Limit<T> {
    fn value(self) -> Option<T> {
        match self {
            Self::Lifted => None,
            Self::To(value) => Some(value),
        }
    }
}

fn limit_or_none<T: FromStr>(text: &str) -> Result<Limit<T>, T::Err> {
    limit_or("none", text)
}

fn limit_or_never(text: &str) -> Result<Limit<NotAfter>, <NotAfter as FromStr>::Err> {
    limit_or("never", text)
}

fn limit_or_any(text: &str) -> Result<Limit<Cidr>, <Cidr as FromStr>::Err> {
    limit_or("any", text)
}

fn limit_or<T: FromStr>(word: &str, text: &str) -> Result<Limit<T>, T::Err> {
    if text == word { Ok(Limit::Lifted) } else { text.parse().map(Limit::To) }
}

/// A client that may nothing yet.
pub(in crate::cli) fn stranger(name: ClientName, key: ClientKey) -> Client {
    Client {
        name,
        key,
        rights: Vec::new(),
        mode: AddressMode::default(),
        from: None,
        max_open: None,
        not_before: None,
        not_after: None,
        rate: Rate::default(),
    }
}

/// What `--without` takes from a client: something it may open, or a network it may be in, as its file has it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(in crate::cli) enum Without {
    Right(Right),
    Network(Cidr),
}

/// Neither of them.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "neither a door's name, nor a port like tcp/22, nor ports like tcp/8000-8100, nor a network like 192.0.2.0/24"
)]
pub(in crate::cli) struct NotATaking;

impl FromStr for Without {
    type Err = NotATaking;

    fn from_str(text: &str) -> Result<Self, NotATaking> {
        let right = text.parse().map(|Granted(right)| Self::Right(right));
        right.or_else(|_| text.parse().map(Self::Network)).map_err(|_| NotATaking)
    }
}

/// Everything that is wrong with options for a client.
#[derive(Debug, Default)]
pub(in crate::cli) struct Complaints(Vec<String>);

impl Complaints {
    fn say(&mut self, complaint: String) {
        self.0.push(complaint);
    }

    /// `value`, unless there are any.
    fn unless_any<T>(self, value: T) -> Result<T, Self> {
        if self.0.is_empty() { Ok(value) } else { Err(self) }
    }
}

impl From<Complaints> for Failure {
    fn from(Complaints(complaints): Complaints) -> Self {
        Self::new(Exit::Data, complaints.join("\n"))
    }
}

impl Options {
    /// The first door that is named.
    pub(in crate::cli) fn first_door(&self) -> Option<ServiceName> {
        self.doors.first().copied()
    }

    /// The client with these options, and without what is taken from it.
    ///
    /// # Errors
    /// Everything that is wrong at once.
    pub(in crate::cli) fn apply(
        self,
        client: Client,
        without: &[Without],
        settings: &Settings,
    ) -> Result<Client, Complaints> {
        let mut complaints = Complaints::default();
        self.doors_exist(settings, &mut complaints);
        let mut client = client;
        without.iter().for_each(|taken| take(&mut client, taken, &mut complaints));
        self.add_rights(&mut client);
        self.add_networks(&mut client, &mut complaints);
        let Self { address, max_open, not_before, not_after, rate, .. } = self;
        client.mode = address.map_or(client.mode, |Mode(mode)| mode);
        client.rate = rate.map_or(client.rate, |PerMinute(rate)| rate);
        client.max_open = max_open.map_or(client.max_open, |limit| limit.value().map(Span::duration));
        client.not_before =
            not_before.map_or(client.not_before, |limit| limit.value().map(|NotBefore(time)| time));
        client.not_after =
            not_after.map_or(client.not_after, |limit| limit.value().map(|NotAfter(time)| time));
        if let (Some(start), Some(end)) = (client.not_before, client.not_after)
            && end <= start
        {
            let (end, start) = (NotAfter(end), NotBefore(start));
            complaints.say(format!("--not-after: it would end with {end}, before it begins with {start}"));
        }
        complaints.unless_any(client)
    }

    fn doors_exist(&self, settings: &Settings, complaints: &mut Complaints) {
        let names: Vec<_> = settings.doors.iter().map(|door| door.name.to_string()).collect();
        let known = if names.is_empty() {
            "it has none that clients can open: [door.NAME], or `SPA = NAME, tcp/PORT` for knockd, makes one"
                .into()
        } else {
            format!("its doors: {}", names.join(", "))
        };
        for missing in self.doors.iter().filter(|door| settings.door_called(**door).is_none()) {
            complaints.say(format!("--door {missing}: the configuration has no such door\n  {known}"));
        }
    }

    fn add_rights(&self, client: &mut Client) {
        let doors = self.doors.iter().copied().map(Right::Door);
        let services = self.services.iter().map(|Granted(right)| right.clone());
        for right in doors.chain(services) {
            if !client.rights.contains(&right) {
                client.rights.push(right);
            }
        }
    }

    fn add_networks(&self, client: &mut Client, complaints: &mut Complaints) {
        let networks: Vec<_> = self.from.iter().filter_map(|limit| limit.value()).collect();
        if self.from.contains(&Limit::Lifted) {
            if !networks.is_empty() {
                complaints.say("--from any: a network beside it would mean nothing".into());
            }
            client.from = None;
        }
        for network in networks {
            let all = client.from.get_or_insert_default();
            if !all.contains(&network) {
                all.push(network);
            }
        }
        if client.from.as_ref().is_some_and(Vec::is_empty) {
            complaints.say(
                "--without: no network is left, so that it could open nothing\n  --from any: anywhere".into(),
            );
        }
    }
}

/// Takes something from a client that it must have.
fn take(client: &mut Client, taken: &Without, complaints: &mut Complaints) {
    let had = match taken {
        Without::Right(right) => remove(&mut client.rights, right),
        Without::Network(network) => client.from.as_mut().is_some_and(|all| remove(all, network)),
    };
    if !had {
        let shown = match taken {
            Without::Right(right) => Granted(right.clone()).to_string(),
            Without::Network(network) => network.to_string(),
        };
        complaints.say(format!("--without {shown}: the client has no such thing"));
    }
}

fn remove<T: PartialEq>(all: &mut Vec<T>, one: &T) -> bool {
    let before = all.len();
    all.retain(|other| other != one);
    all.len() < before
}
