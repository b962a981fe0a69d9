//! From what was seen to what it means, without asking anybody.

use std::net::IpAddr;
use std::time::Duration;

use knock_spa_proto::time::UnixTime;

use super::facts::{Clock, Facts, Fault, Key, Name, Trial, Way};
use super::finding::{Check, Finding, State};
use crate::family::Family;
use crate::key_file::Kind;
use crate::plan::{is_global, is_shared_v4};
use crate::report::Outcome;
use crate::watch::Answer;

#[cfg(test)]
mod tests;

/// What to make of the facts, in the order of a packet's life.
pub(super) fn diagnose(facts: &Facts) -> Vec<Finding> {
    let mut findings = vec![clock(facts.clock, is_proof(facts)), key(&facts.key), directory(facts)];
    findings.extend(facts.names.iter().map(|endpoint| name(endpoint, &facts.names)));
    findings.extend(facts.ways.iter().map(|way| route(way, &facts.ways)));
    match &facts.trial {
        Ok(trial) => {
            findings.push(Finding::new(Check::Address, State::Good, &trial.reason));
            findings.push(nat(trial));
            findings.extend(before(trial));
            findings.push(after(trial));
        }
        Err(Fault { what, mend }) => {
            let finding = Finding::new(Check::After, State::Bad, format!("no packet was sent: {what}"));
            findings.push(Finding { mend: mend.clone(), ..finding });
        }
    }
    findings
}

/// Whether a door went from shut to open: then the server took the packet, whatever else is odd.
fn is_proof(facts: &Facts) -> bool {
    facts.trial.as_ref().is_ok_and(|trial| {
        trial.report.outcome == Outcome::Answers
            && trial.before.iter().any(|answer| matches!(answer, Answer::Silent(_)))
    })
}

/// The server never says what its clock is. So this is what the machine says itself, unless the door has opened.
fn clock(clock: Clock, proven: bool) -> Finding {
    let finding = |state, what: &str| Finding::new(Check::Clock, state, what);
    let set_it = "keep it in step, for example with: timedatectl set-ntp true";
    let Some(now) = clock.now else {
        return finding(State::Bad, "it stands before 1970").mend("set it: no server takes such a packet");
    };
    match clock.kept {
        Some(true) if proven => {
            finding(State::Good, "kept in step with others, and right: the server took the packet")
        }
        _ if proven && clock.kept.is_none() => finding(State::Good, "right: the server took the packet"),
        _ if proven => finding(
            State::Note,
            "right for now, since the server took the packet; but nothing keeps it in step with others",
        )
        .mend(set_it),
        _ if clock.written.is_some_and(|written| written > later(now)) => {
            finding(State::Bad, "it is behind: files of this device were written later than now")
                .mend(format!("set it, and {set_it}"))
        }
        Some(true) => finding(State::Good, "kept in step with others"),
        Some(false) => finding(
            State::Note,
            "nothing keeps it in step with others; a server refuses packets of another minute than its own",
        )
        .mend(set_it),
        None => finding(
            State::Unknown,
            "nothing here tells whether it is right, and no server does; it must be right within a minute",
        )
        .mend("compare `date --utc` here and on the server"),
    }
}

/// A little later, for what was written just now.
fn later(now: UnixTime) -> UnixTime {
    now.saturating_add(Duration::from_secs(10))
}

fn key(key: &Key) -> Finding {
    let finding = |state, what: String| Finding::new(Check::Key, state, what);
    match (&key.fault, key.kind) {
        (Some(Fault { what, mend }), _) => {
            Finding { mend: mend.clone(), ..finding(State::Bad, what.clone()) }
        }
        (None, Kind::Missing) => finding(State::Bad, format!("{} does not exist", key.path))
            .mend("make a key, and have it enrolled: knock-spa enroll"),
        (None, Kind::Sealed) => finding(State::Good, format!("{}, under a passphrase", key.path)),
        (None, Kind::Bare) => finding(State::Good, format!("{}, for its owner alone", key.path)),
    }
}

fn directory(facts: &Facts) -> Finding {
    let finding = |state, what: String| Finding::new(Check::Directory, state, what);
    match facts.directory {
        None => finding(State::Bad, "it cannot be read".to_owned()).mend("knock-spa enroll makes it"),
        Some(mode) if mode & 0o022 != 0 => {
            finding(State::Bad, format!("its mode {mode:04o} lets others replace the key"))
                .mend("if nobody has: chmod 700 it")
        }
        Some(mode) => finding(State::Good, format!("mode {mode:04o}: nobody else can replace files in it")),
    }
}

/// A name without address is as good as none, and does no harm where another has one.
fn name(name: &Name, all: &[Name]) -> Finding {
    let finding = |state, what: String| Finding::new(Check::Name, state, what);
    match &name.addresses {
        Ok(addresses) => {
            let of = |wanted| addresses.iter().filter(move |address| Family::of(**address) == wanted);
            let family = |wanted: Family| match joined(of(wanted)) {
                none if none.is_empty() => format!("no {wanted}"),
                some => some,
            };
            finding(State::Good, format!("{}: {}; {}", name.host, family(Family::V4), family(Family::V6)))
        }
        Err(error) => {
            let other = all.iter().any(|other| other.addresses.is_ok());
            let state = if other { State::Note } else { State::Bad };
            finding(state, format!("{}: {error}", name.host))
                .mend("is this machine online, does its resolver work, does the name still exist?")
        }
    }
}

fn joined(addresses: impl Iterator<Item: ToString>) -> String {
    addresses.map(|address| address.to_string()).collect::<Vec<_>>().join(", ")
}

/// One family without a route is common, and harmless where the other has one.
fn route(way: &Way, all: &[Way]) -> Finding {
    let finding = |state, what: String| Finding::new(Check::Route, state, what);
    match &way.own {
        Ok(own) => {
            let kind = if is_global(*own) { "global" } else { "not global" };
            finding(State::Good, format!("to {} from {own}, which is {kind}", way.server))
        }
        Err(error) => {
            let other = all.iter().any(|other| other.own.is_ok());
            let state = if other { State::Note } else { State::Bad };
            finding(state, format!("to {}: {error}", way.server))
        }
    }
}

/// What one side can know of address translation, and what it cannot.
fn nat(trial: &Trial) -> Finding {
    let finding = |what: String| Finding::new(Check::Nat, State::Note, what);
    if is_global(trial.own) {
        return Finding::new(
            Check::Nat,
            State::Good,
            format!(
                "{} is global and needs none; one that translates it all the same cannot be seen from here",
                trial.own
            ),
        );
    }
    let many = if is_shared(trial.own) { ", and is a provider's for many customers" } else { "" };
    finding(format!(
        "{} is not global{many}: there is one on the way, unless the server is in the same network. Whether it gives \
         packets and connections the same address cannot be seen from here",
        trial.own
    ))
    .mend(
        "where it does not, the server takes the packet and opens for an address that is not that of the connection:\n\
         `knock-spad status` there shows which. Then use IPv6 (-6), or name the connection's address (--source ADDR),\n\
         which a server refuses that wants this device's packets and connections to agree (`match`)",
    )
}

/// Whether it is of RFC 6598, the addresses between a provider's NAT and its customers.
fn is_shared(address: IpAddr) -> bool {
    match address {
        IpAddr::V4(v4) => is_shared_v4(&v4),
        IpAddr::V6(_) => false,
    }
}

/// One finding for each port that was looked at.
fn before(trial: &Trial) -> impl Iterator<Item = Finding> {
    trial.report.ports.iter().zip(&trial.before).map(|(port, answer)| {
        let name = &port.name;
        match answer {
            Answer::Silent(None) => Finding::new(Check::Before, State::Good, format!("{name} is silent")),
            Answer::Silent(Some(error)) => {
                Finding::new(Check::Before, State::Note, format!("{name} does not answer: {error}"))
            }
            Answer::Accepts { .. } => Finding::new(
                Check::Before,
                State::Note,
                format!(
                    "{name} answers already: by an earlier opening, or since nothing guards it. So what follows proves \
                     nothing about the packet"
                ),
            )
            .mend("to learn more, try again once that opening has ended"),
            Answer::Refuses => Finding::new(
                Check::Before,
                State::Note,
                format!("{name} refuses connections, and is not hidden: nothing guards it, or a firewall rejects"),
            ),
        }
    })
}

fn after(trial: &Trial) -> Finding {
    let finding = |state, what: String| Finding::new(Check::After, state, what);
    let unseen =
        |why: &str| finding(State::Bad, format!("{}, and nobody looked: {why}", trial.report.deed()));
    match trial.report.outcome {
        Outcome::NoPort => return unseen("no TCP port is known for it").mend("name one: --probe PORT"),
        Outcome::SomebodyElse => {
            return unseen("it is for another address")
                .mend("if it is that of this machine's connections: --probe PORT");
        }
        Outcome::Answers | Outcome::Refuses | Outcome::Silent | Outcome::Sent => {}
    }
    match trial.report.verdict(trial.wait.duration()) {
        Ok(words) => finding(State::Good, words.replace('\n', ", ")),
        Err(failure) => {
            let Fault { what, mend } = Fault::from(&failure);
            Finding { mend, ..finding(State::Bad, what) }
        }
    }
}
