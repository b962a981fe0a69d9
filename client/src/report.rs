//! What came of a request: the object of `--json`, and the words.

use std::net::{Ipv4Addr, Ipv6Addr, SocketAddr};
use std::time::Duration;

use knock_spa_proto::service::{Service, Services};
use knock_spa_proto::spa::request::Addresses;
use serde::Serialize;

use crate::failure::{Failure, Status};
use crate::plan::{Look, Probe};
use crate::watch::Answer;

/// What came of a request.
#[derive(Clone, Debug, Serialize)]
pub(crate) struct Report {
    /// What the user calls the host.
    pub(crate) host: String,
    /// What was asked for.
    pub(crate) services: Vec<String>,
    /// What became of it.
    pub(crate) outcome: Outcome,
    /// Where the packets went.
    pub(crate) server: SocketAddr,
    /// How many.
    pub(crate) packets: u32,
    /// Whom it was for.
    pub(crate) address: Whom,
    /// The ports that were tried.
    pub(crate) ports: Vec<Port>,
}

/// What became of a request.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum Outcome {
    /// Every port that was tried accepts connections.
    Answers,
    /// Every port that was tried answers, and one of them refuses connections.
    Refuses,
    /// A port that was tried is silent.
    Silent,
    /// It was sent; no more was wanted.
    Sent,
    /// It was sent; no TCP port to look at is known.
    NoPort,
    /// It was sent; it is for somebody else's address.
    SomebodyElse,
}

/// Whom a request was for: the sender of the packet, addresses, or both.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub(crate) struct Whom {
    sender: bool,
    ipv4: Option<Ipv4Addr>,
    ipv6: Option<Ipv6Addr>,
}

/// A port that was tried.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub(crate) struct Port {
    /// What it is called.
    pub(crate) name: String,
    state: State,
    /// Where it accepted a connection.
    at: Option<SocketAddr>,
    /// How long after the first packet.
    microseconds: Option<u64>,
    error: Option<String>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
enum State {
    Answers,
    Refuses,
    Silent,
}

impl From<&Addresses> for Whom {
    fn from(addresses: &Addresses) -> Self {
        Self { sender: addresses.sender(), ipv4: addresses.v4(), ipv6: addresses.v6() }
    }
}

impl Whom {
    fn words(self) -> String {
        let sender = self.sender.then(|| "whatever address the packet comes from".to_owned());
        let stated = [self.ipv4.map(|v4| v4.to_string()), self.ipv6.map(|v6| v6.to_string())];
        sender.into_iter().chain(stated.into_iter().flatten()).collect::<Vec<_>>().join(" and ")
    }
}

impl Port {
    fn of(probe: &Probe, answer: Answer) -> Self {
        let silent = Self {
            name: probe.name.clone(),
            state: State::Silent,
            at: None,
            microseconds: None,
            error: None,
        };
        match answer {
            Answer::Accepts { at, after } => Self {
                state: State::Answers,
                at: Some(at),
                microseconds: u64::try_from(after.as_micros()).ok(),
                ..silent
            },
            Answer::Refuses => Self { state: State::Refuses, ..silent },
            Answer::Silent(error) => Self { error, ..silent },
        }
    }

    fn words(&self) -> String {
        match self.state {
            State::Answers => {
                format!("{} answers ({})", self.name, milliseconds(self.microseconds.unwrap_or(0)))
            }
            State::Refuses => format!("{} is not shut, but nothing listens there", self.name),
            State::Silent => match &self.error {
                Some(error) => format!("{} does not answer ({error})", self.name),
                None => format!("{} does not answer", self.name),
            },
        }
    }
}

/// Milliseconds, with as many digits as mean something.
fn milliseconds(microseconds: u64) -> String {
    let whole = microseconds / 1000;
    if whole >= 10 { format!("{whole} ms") } else { format!("{whole}.{} ms", microseconds % 1000 / 100) }
}

/// What the ports showed, put together.
pub(crate) fn ports(probes: &[Probe], answers: Vec<Answer>) -> (Outcome, Vec<Port>) {
    let ports: Vec<Port> =
        probes.iter().zip(answers).map(|(probe, answer)| Port::of(probe, answer)).collect();
    let has = |state| ports.iter().any(|port| port.state == state);
    let outcome = if has(State::Silent) {
        Outcome::Silent
    } else if has(State::Refuses) {
        Outcome::Refuses
    } else {
        Outcome::Answers
    };
    (outcome, ports)
}

/// The outcome where nobody looked.
pub(crate) const fn unseen(look: &Look, wanted: bool) -> Outcome {
    match look {
        _ if !wanted => Outcome::Sent,
        Look::NoPort => Outcome::NoPort,
        Look::SomebodyElse => Outcome::SomebodyElse,
        Look::At(_) => Outcome::Sent,
    }
}

/// The services as words.
pub(crate) fn names(services: &Services) -> Vec<String> {
    services.iter().map(Service::to_string).collect()
}

impl Report {
    /// What was done, on one line.
    pub(crate) fn deed(&self) -> String {
        let number = self.packets;
        let packets = if number == 1 { "1 packet".to_owned() } else { format!("{number} packets") };
        format!(
            "sent {packets} to {} to open {} for {}",
            self.server,
            self.services.join(","),
            self.address.words()
        )
    }

    /// What came of it: good news, or why it is none. `wait` is how long it took to find out.
    pub(crate) fn verdict(&self, wait: Duration) -> Result<String, Failure> {
        let ports = self.ports.iter().map(Port::words).collect::<Vec<_>>();
        let unseen = |why: &str| {
            Failure::new(Status::Unavailable, format!("{}; did not look whether it is open", self.deed()))
                .because(why)
        };
        match self.outcome {
            Outcome::Answers => Ok(ports.join("\n")),
            Outcome::Sent => Ok(self.deed()),
            Outcome::Refuses => Err(Failure::new(Status::Unavailable, ports.join(", "))
                .because("the server refuses the connection")
                .hint("start the service there; if it has another port, name that one, for `open` with --probe PORT\n  that it is not shut does not show that the packet was taken: `knock-spad status` there does")),
            Outcome::Silent => Err(self.silence(&ports.join(", "), wait)),
            Outcome::NoPort => Err(unseen("no TCP port is known for it")
                .hint("name one with --probe PORT or `ports` in hosts.toml; with --no-wait, sending is all that is wanted")),
            Outcome::SomebodyElse => Err(unseen("it is for somebody else's address")
                .hint("with --no-wait, sending is all that is wanted")),
        }
    }

    fn silence(&self, ports: &str, wait: Duration) -> Failure {
        let failure = Failure::new(Status::Unavailable, format!("{ports} within {} s", wait.as_secs()))
            .because(self.deed());
        let on_server = "on the server, `knock-spad status` tells why a packet was refused: a wrong clock, an unknown key, a service that this device may not open";
        if self.address.sender {
            failure.hint(on_server)
        } else {
            failure.hint(format!("{on_server}\n  behind a NAT that gives out global addresses, use --source sender; then whoever can hold back the packet and send it himself gets that one opening"))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn report(addresses: Addresses, answers: Vec<Answer>) -> Report {
        let probe = |name: &str| Probe { name: name.into(), at: Vec::new() };
        let (outcome, ports) = ports(&[probe("ssh"), probe("https")], answers);
        Report {
            host: "gw".into(),
            services: names(&"ssh,https".parse().unwrap()),
            outcome,
            server: "203.0.113.5:62201".parse().unwrap(),
            packets: 2,
            address: Whom::from(&addresses),
            ports,
        }
    }

    fn accepts(after: u64) -> Answer {
        Answer::Accepts { at: "203.0.113.5:22".parse().unwrap(), after: Duration::from_micros(after) }
    }

    fn words(report: &Report) -> String {
        report
            .verdict(Duration::from_secs(5))
            .map_err(|failure| failure.to_string())
            .unwrap_or_else(|words| words)
    }

    #[test]
    fn good_news_is_short() {
        let report = report(Addresses::NONE.with_sender(), vec![accepts(12_345), accepts(1_999)]);
        assert_eq!(words(&report), "ssh answers (12 ms)\nhttps answers (1.9 ms)");
    }

    #[test]
    fn bad_news_says_whom_it_was_for() {
        let sender = Addresses::NONE.with_sender();
        let said = words(&report(sender, vec![accepts(1), Answer::Silent(None)]));
        assert!(
            said.contains("https does not answer within 5 s: sent 2 packets to 203.0.113.5:62201 to open"),
            "{said}"
        );
        assert!(said.contains("ssh,https for whatever address the packet comes from"), "{said}");
        assert!(!said.contains("--source sender"), "{said}");

        let stated = Addresses::NONE.with_v4([198, 51, 100, 7].into()).unwrap();
        let said = words(&report(stated, vec![Answer::Silent(Some("No route".into())), Answer::Refuses]));
        assert!(
            said.contains("ssh does not answer (No route), https is not shut, but nothing listens"),
            "{said}"
        );
        assert!(said.contains("for 198.51.100.7") && said.contains("--source sender"), "{said}");

        let said = words(&report(stated, vec![accepts(1), Answer::Refuses]));
        assert!(said.contains("https is not shut, but nothing listens there"), "{said}");
    }

    #[test]
    fn where_nobody_looked_that_is_said() {
        let seen = report(Addresses::NONE.with_sender(), vec![]);
        for (look, wanted, outcome, good) in [
            (Look::NoPort, false, Outcome::Sent, true),
            (Look::NoPort, true, Outcome::NoPort, false),
            (Look::SomebodyElse, true, Outcome::SomebodyElse, false),
        ] {
            assert_eq!(unseen(&look, wanted), outcome);
            let report = Report { outcome, ..seen.clone() };
            assert_eq!(report.verdict(Duration::ZERO).is_ok(), good, "{look:?}");
        }
    }
}
