//! `knock-spa hosts`: the hosts that this device knows.

use std::collections::BTreeMap;

use serde::Serialize;

use crate::failure::{Failure, Status};
use crate::home::Home;
use crate::hosts::{Hosts, Profile};
use crate::io::terminal;
use crate::render;

/// What to do with them.
#[derive(Debug, clap::Subcommand)]
pub(crate) enum Verb {
    /// Lists them: name, endpoints, fingerprint of the key
    List {
        /// Prints one JSON object
        #[arg(long)]
        json: bool,
    },
    /// Shows all that is known of one
    Show {
        /// Its name
        host: String,
        /// Prints one JSON object
        #[arg(long)]
        json: bool,
    },
    /// Forgets one
    Remove {
        /// Its name
        host: String,
    },
}

/// Lists, shows or forgets hosts.
pub(crate) fn run(verb: Verb, home: &Home) -> Result<(), Failure> {
    match verb {
        Verb::List { json } => list(&home.hosts()?, json),
        Verb::Show { host, json } => show(known(&home.hosts()?, &host)?, &host, json),
        Verb::Remove { host } => remove(home, &host),
    }
}

fn list(hosts: &Hosts, json: bool) -> Result<(), Failure> {
    if json {
        let hosts =
            hosts.iter().map(|(alias, profile)| HostReport::of(&alias.to_string(), profile)).collect();
        return terminal::print_json(&HostsReport { hosts });
    }
    if hosts.iter().next().is_none() {
        terminal::say("no host is known yet; knock-spa enroll adds one");
    }
    hosts.iter().try_for_each(|(alias, profile)| terminal::print(render::host_listed(alias, profile)))
}

fn show(profile: &Profile, name: &str, json: bool) -> Result<(), Failure> {
    if json {
        terminal::print_json(&HostReport::of(name, profile))
    } else {
        terminal::print(render::host_shown(name, profile))
    }
}

fn remove(home: &Home, host: &str) -> Result<(), Failure> {
    home.change_hosts(|hosts| if hosts.remove(host) { Ok(()) } else { Err(unknown(hosts, host)) })?;
    terminal::say(format_args!(
        "{host} is forgotten; its administrator can remove this device with: knock-spad client remove"
    ));
    Ok(())
}

/// What is known of hosts: the object of `hosts list --json`.
#[derive(Debug, Serialize)]
struct HostsReport {
    hosts: Vec<HostReport>,
}

/// What is known of one: the object of `hosts show --json`.
#[derive(Debug, Serialize)]
struct HostReport {
    name: String,
    endpoints: Vec<String>,
    fingerprint: String,
    ports: BTreeMap<String, u16>,
    line: String,
}

impl HostReport {
    fn of(name: &str, Profile { line, ports }: &Profile) -> Self {
        Self {
            name: name.to_owned(),
            endpoints: line.endpoints.iter().map(ToString::to_string).collect(),
            fingerprint: line.key.fingerprint().to_string(),
            ports: ports.iter().map(|(name, port)| (name.to_string(), port.get())).collect(),
            line: line.to_string(),
        }
    }
}

/// The host that is meant by this name, which must be known.
pub(crate) fn known<'a>(hosts: &'a Hosts, name: &str) -> Result<&'a Profile, Failure> {
    hosts.find_by_name_or_endpoint(name).ok_or_else(|| unknown(hosts, name))
}

fn unknown(hosts: &Hosts, name: &str) -> Failure {
    let known: Vec<String> = hosts.iter().map(|(alias, _)| alias.to_string()).collect();
    let failure = Failure::new(Status::NoHost, format!("no host is called {}", name.escape_debug()));
    if known.is_empty() {
        failure.because("none is known yet").hint("add one with its server's line: knock-spa enroll")
    } else {
        failure.hint(format!("known: {}; knock-spa enroll adds another", known.join(", ")))
    }
}
