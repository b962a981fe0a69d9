//! Commands of the administrator: templates, and what they become for one opening.

use alloc::string::{String, ToString};
use alloc::vec::Vec;
use core::time::Duration;

use knock_spa_proto::address::{Address, NtopText};
use knock_spa_proto::port::ServicePort;
use knock_spa_proto::service::ServiceName;

/// A command as the administrator wrote it, with placeholders.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Template {
    /// Run by `/bin/sh -c`, as knockd does.
    Shell(String),
    /// The same with no other placeholder than `%IP%`, and nothing in the environment: a line written for knockd.
    Knockd(String),
    /// A program and its arguments, run without a shell; at least the program.
    Argv(Vec<String>),
}

/// What a door's commands are, and how long one may take.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CommandAction {
    /// Opens for an IPv4 address.
    pub start: Template,
    /// Closes again, where anything needs closing.
    pub stop: Option<Template>,
    /// Opens for an IPv6 address; `start` where absent.
    pub start6: Option<Template>,
    /// Closes for an IPv6 address; `stop` where absent.
    pub stop6: Option<Template>,
    /// A command that takes longer is killed.
    pub timeout: Duration,
}

impl CommandAction {
    /// The default of [`Self::timeout`]: firewall tools take milliseconds, a lock held by another a few seconds.
    pub const DEFAULT_TIMEOUT: Duration = Duration::from_secs(30);

    /// The start template for this address.
    #[must_use]
    pub fn start_for(&self, address: Address) -> &Template {
        match &self.start6 {
            Some(start6) if address.ip().is_ipv6() => start6,
            _ => &self.start,
        }
    }

    /// The stop template for this address, if there is one.
    #[must_use]
    pub fn stop_for(&self, address: Address) -> Option<&Template> {
        match &self.stop6 {
            Some(stop6) if address.ip().is_ipv6() => Some(stop6),
            _ => self.stop.as_ref(),
        }
    }

    /// Whether a template speaks of one port, so that the commands run once for each.
    #[must_use]
    pub fn is_per_port(&self) -> bool {
        [Some(&self.start), self.stop.as_ref(), self.start6.as_ref(), self.stop6.as_ref()]
            .into_iter()
            .flatten()
            .any(|template| template.mentions("%PORT%") || template.mentions("%PROTO%"))
    }
}

/// What the placeholders stand for. Every value is of a closed alphabet: no quoting is ever needed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Values {
    /// `%IP%`, `KNOCK_IP`.
    pub address: Address,
    /// `%PORT%` and `%PROTO%`, `KNOCK_PORT` and `KNOCK_PROTO`; absent where a door has no ports.
    pub port: Option<ServicePort>,
    /// `%DOOR%`, `KNOCK_DOOR`.
    pub door: ServiceName,
    /// `%CLIENT%`, `KNOCK_CLIENT`: the client's name; empty for a classic knock.
    pub client: String,
    /// `%TTL%`, `KNOCK_TTL`: whole seconds of the lease; empty where it is for ever.
    pub ttl: Option<u64>,
}

/// A command ready to run.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Rendered {
    /// The program and its arguments.
    pub argv: Vec<String>,
    /// What to add to the environment.
    pub environment: Vec<(String, String)>,
}

impl Rendered {
    /// A line for `/bin/sh -c`, with nothing added to the environment.
    #[must_use]
    pub fn shell(line: String) -> Self {
        Self { argv: ["/bin/sh".into(), "-c".into(), line].into(), environment: Vec::new() }
    }
}

impl Template {
    fn mentions(&self, placeholder: &str) -> bool {
        match self {
            Self::Shell(line) => line.contains(placeholder),
            Self::Knockd(_) => false,
            Self::Argv(words) => words.iter().any(|word| word.contains(placeholder)),
        }
    }

    /// This command for one opening.
    #[must_use]
    pub fn render(&self, values: &Values) -> Rendered {
        let pairs = values.pairs();
        let fill = |text: &String| {
            pairs
                .iter()
                .fold(text.clone(), |text, (name, value)| text.replace(&alloc::format!("%{name}%"), value))
        };
        let argv = match self {
            Self::Shell(line) => ["/bin/sh".into(), "-c".into(), fill(line)].into(),
            Self::Knockd(line) => return Rendered::shell(fill_address(line, values.address)),
            Self::Argv(words) => words.iter().map(fill).collect(),
        };
        let environment =
            pairs.into_iter().map(|(name, value)| (alloc::format!("KNOCK_{name}"), value)).collect();
        Rendered { argv, environment }
    }
}

impl Values {
    fn pairs(&self) -> [(&'static str, String); 6] {
        [
            ("IP", self.address.to_string()),
            ("PORT", self.port.map(|port| port.port.to_string()).unwrap_or_default()),
            ("PROTO", self.port.map(|port| port.transport.to_string()).unwrap_or_default()),
            ("DOOR", self.door.to_string()),
            ("CLIENT", self.client.clone()),
            ("TTL", self.ttl.map(|ttl| ttl.to_string()).unwrap_or_default()),
        ]
    }
}

/// A line written for knockd, with the address in it.
pub(crate) fn fill_address(line: &str, address: Address) -> String {
    line.replace("%IP%", &alloc::format!("{}", NtopText(address)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn placeholders_are_filled_in_words_and_lines() {
        let values = Values {
            address: Address::new("192.0.2.7".parse().unwrap()),
            port: Some("tcp/22".parse().unwrap()),
            door: "ssh".parse().unwrap(),
            client: "alice".into(),
            ttl: Some(60),
        };
        let line = Template::Shell("open %IP% %PORT% %IP% %% %X%".into());
        assert_eq!(line.render(&values).argv, ["/bin/sh", "-c", "open 192.0.2.7 22 192.0.2.7 %% %X%"]);
        let words = Template::Argv(["x".into(), "%DOOR%-%CLIENT%-%TTL%-%PROTO%".into()].into());
        assert_eq!(words.render(&values).argv, ["x", "ssh-alice-60-tcp"]);
        assert!(words.render(&values).environment.contains(&("KNOCK_IP".into(), "192.0.2.7".into())));
    }
}
