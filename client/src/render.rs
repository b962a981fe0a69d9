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

/// What there is to say of an invitation that stands on the command line.
pub(crate) const SEEN_BY_OTHERS: &str = "an invitation is a secret, and other users of this machine can see command lines: next time, run\n  `knock-spa enroll` without it, and paste it when asked";

/// Why an invitation may have failed.
pub(crate) const NOT_ENROLLED: &str = "a server says nothing, whatever the reason. Run this again with the same invitation, which does no harm;\n  if nothing changes, it may be used by another device, expired or revoked: ask for another one;\n  or this machine's clock is wrong, or packets do not get there: `knock-spad status` on the server tells";

/// That this device asks to be enrolled.
pub(crate) fn invited(name: &Comment) -> String {
    format!("asking to be enrolled as {}", name.as_str())
}

/// That ports answered before they were asked for.
pub(crate) fn unasked(probes: &[Probe]) -> String {
    format!(
        "{} answered before anything was sent: the server does not shut it now, or has it open for this address still",
        names(probes)
    )
}

fn names(probes: &[Probe]) -> String {
    probes.iter().map(|probe| probe.name.as_str()).collect::<Vec<_>>().join(",")
}

/// What to do where nothing shows what came of it.
pub(crate) fn unseen(is_invited: bool, alias: &str) -> String {
    if is_invited {
        format!(
            "nothing shows from here whether the invitation was taken: `knock-spad client list` on the server does, or\n  knock-spa open SERVICE {alias}"
        )
    } else {
        format!(
            "nothing shows from here whether it opened; to look at a port: knock-spa open SERVICE {alias} --probe PORT"
        )
    }
}

/// What to do with a host.
pub(crate) fn next(alias: &str) -> String {
    format!("  on the server, `knock-spad key show` shows the same; try: knock-spa open ssh {alias}")
}

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
    format!("added {alias}: its key is {}", key.fingerprint())
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
    let packets = if packets == 1 { "1 packet".to_owned() } else { format!("{packets} packets") };
    format!("waiting for {} at {host}: {} s, {packets} sent", names(probes), since.as_secs())
}
