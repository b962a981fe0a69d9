//! Values, put into words.

use std::net::{IpAddr, SocketAddr};
use std::time::Duration;

use knock_spa_keys::client::ClientKey;
use knock_spa_keys::comment::Comment;
use knock_spa_keys::server::ServerKey;

use crate::hosts::{Alias, Profile};
use crate::plan::{Probe, Routes};
use crate::source::Source;

/// What to do with a device's public line.
pub(crate) const HAND_OVER: &str = "this device's public line is for the server's administrator:\n  knock-spad client add NAME 'LINE' --door DOOR";

/// A new key of this device.
pub(crate) fn new_key(key: ClientKey) -> String {
    format!("made this device's key: {}", key.fingerprint())
}

/// A comment, or that there is none.
pub(crate) fn or_nothing(comment: &Comment) -> &str {
    if comment.is_empty() { "nothing" } else { comment.as_str() }
}

/// A host that was unknown.
pub(crate) fn host_added(alias: &Alias, key: ServerKey) -> String {
    format!(
        "added {alias}: its key is {}\n  on the server, `knock-spad key show` shows the same; try: knock-spa open ssh {alias}",
        key.fingerprint()
    )
}

/// A host of which something changed.
pub(crate) fn host_renewed(alias: &Alias, before: Option<ServerKey>, key: ServerKey) -> String {
    match before.filter(|before| *before != key) {
        Some(before) => {
            format!("renewed {alias}: its key was {} and is {}", before.fingerprint(), key.fingerprint())
        }
        None => format!("renewed {alias}: its endpoints changed, its key is {} as before", key.fingerprint()),
    }
}

/// A host of which nothing changed.
pub(crate) fn host_known(alias: &Alias, key: ServerKey) -> String {
    format!("{alias} is known already: its key is {}", key.fingerprint())
}

/// A host on one line.
pub(crate) fn host_listed(alias: &Alias, profile: &Profile) -> String {
    format!("{alias}  {}  {}", profile.line.endpoints, profile.line.key.fingerprint())
}

/// A host on some lines.
pub(crate) fn host_shown(name: &str, profile: &Profile) -> String {
    let ports: Vec<String> = profile.ports.iter().map(|(name, port)| format!("{name}={port}")).collect();
    let ports = if ports.is_empty() { "the usual ones".to_owned() } else { ports.join(" ") };
    format!(
        "host:        {name}\nendpoints:   {}\nfingerprint: {}\nports:       {ports}\nline:        {}",
        profile.line.endpoints,
        profile.line.key.fingerprint(),
        profile.line
    )
}

/// Whom a request is for, and why.
pub(crate) fn mode(source: Source, routes: &Routes) -> String {
    let addresses = routes.addresses(source);
    let stated = [addresses.v4().map(IpAddr::from), addresses.v6().map(IpAddr::from)];
    let stated: Vec<IpAddr> = stated.into_iter().flatten().collect();
    match source {
        Source::Stated(_) => return format!("{}, as --source says", list(&stated)),
        Source::Sender => return "sender, as --source says".to_owned(),
        Source::Auto => {}
    }
    let mut reasons = Vec::new();
    if addresses.sender() {
        reasons.push(format!("sender, since {} is not global", routes.own()));
    }
    if !stated.is_empty() {
        reasons.push(format!("{}: this machine's own, and global", list(&stated)));
    }
    reasons.join("; ")
}

fn list(addresses: &[IpAddr]) -> String {
    addresses.iter().map(IpAddr::to_string).collect::<Vec<_>>().join(" and ")
}

/// A port that is tried.
pub(crate) fn probe(probe: &Probe) -> String {
    let at: Vec<String> = probe.at.iter().map(SocketAddr::to_string).collect();
    format!("trying {} at {}", probe.name, at.join(" and "))
}

/// What is going on.
pub(crate) fn waiting(probes: &[Probe], host: &str, since: Duration, packets: u32) -> String {
    let names: Vec<&str> = probes.iter().map(|probe| probe.name.as_str()).collect();
    let packets = if packets == 1 { "1 packet".to_owned() } else { format!("{packets} packets") };
    format!("waiting for {} at {host}: {} s, {packets} sent", names.join(","), since.as_secs())
}
