//! `knock-spa hosts`: the hosts that this device knows.

use crate::failure::{Failure, Status};
use crate::home::Home;
use crate::hosts::{Hosts, Profile};
use crate::io::terminal;
use crate::render;

/// What to do with them.
#[derive(Debug, clap::Subcommand)]
pub(crate) enum Verb {
    /// Lists them: name, endpoints, fingerprint of the key
    List,
    /// Shows all that is known of one
    Show {
        /// Its name
        host: String,
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
        Verb::List => list(&home.hosts()?),
        Verb::Show { host } => terminal::print(render::host_shown(&host, known(&home.hosts()?, &host)?)),
        Verb::Remove { host } => remove(home, &host),
    }
}

fn list(hosts: &Hosts) -> Result<(), Failure> {
    if hosts.iter().next().is_none() {
        terminal::say("no host is known yet; knock-spa enroll adds one");
    }
    hosts.iter().try_for_each(|(alias, profile)| terminal::print(render::host_listed(alias, profile)))
}

fn remove(home: &Home, host: &str) -> Result<(), Failure> {
    home.change_hosts(|hosts| if hosts.remove(host) { Ok(()) } else { Err(unknown(hosts, host)) })?;
    terminal::say(format_args!(
        "{host} is forgotten; its administrator can remove this device with: knock-spad client remove"
    ));
    Ok(())
}

/// The host of this name, which must be known.
pub(crate) fn known<'a>(hosts: &'a Hosts, name: &str) -> Result<&'a Profile, Failure> {
    hosts.find(name).ok_or_else(|| unknown(hosts, name))
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
