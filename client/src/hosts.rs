//! The hosts that this device knows, and the text in which they are kept (TOML).

use std::collections::BTreeMap;
use std::fmt;
use std::num::NonZeroU16;
use std::str::FromStr;

use knock_spa_keys::endpoint::{Endpoint, Host};
use knock_spa_keys::server::ServerLine;
use knock_spa_proto::port::{ServicePort, Transport};
use knock_spa_proto::service::{Service, ServiceName};
use serde::{Deserialize, Deserializer};

/// The hosts that this device knows, by what the user calls them.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Hosts(BTreeMap<Alias, Profile>);

/// What the user calls a host: 1 to 253 of `[A-Za-z0-9._:-]`, not beginning with a hyphen.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Alias(String);

/// What is known of a host.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Profile {
    /// Its key, and where it hears packets.
    pub(crate) line: ServerLine,
    /// The TCP ports at which its services answer, where these are not the usual ones.
    pub(crate) ports: BTreeMap<ServiceName, NonZeroU16>,
}

/// What adding a host came to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Added {
    /// It was unknown.
    New,
    /// It was known, with another key or other endpoints.
    Renewed,
    /// All of it was known.
    Known,
}

/// The name is that of another host.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("it is known with another key and other endpoints")]
pub(crate) struct NameTaken;

impl Hosts {
    /// The host of this name.
    pub(crate) fn find(&self, name: &str) -> Option<&Profile> {
        self.0.iter().find(|(alias, _)| alias.0 == name).map(|(_, profile)| profile)
    }

    /// The host of this name; else the only one that has an endpoint there, as programs write it that know nothing of
    /// names: ssh hands on what its own configuration says.
    pub(crate) fn find_by_name_or_endpoint(&self, name: &str) -> Option<&Profile> {
        self.find(name).or_else(|| {
            let there = |endpoint: &Endpoint| host_text(endpoint).eq_ignore_ascii_case(name);
            let mut found = self.0.values().filter(|profile| profile.line.endpoints.iter().any(there));
            found.next().filter(|_| found.next().is_none())
        })
    }

    /// The hosts, by name.
    pub(crate) fn iter(&self) -> impl Iterator<Item = (&Alias, &Profile)> {
        self.0.iter()
    }

    /// Forgets a host; whether it was known.
    pub(crate) fn remove(&mut self, name: &str) -> bool {
        let before = self.0.len();
        self.0.retain(|alias, _| alias.0 != name);
        self.0.len() < before
    }

    /// Adds a host under this name, or renews what is known of it. Its ports stay.
    pub(crate) fn set(&mut self, alias: Alias, line: ServerLine) -> Added {
        match self.0.get_mut(&alias) {
            None => {
                self.0.insert(alias, Profile { line, ports: BTreeMap::new() });
                Added::New
            }
            Some(profile) if profile.line == line => Added::Known,
            Some(profile) => {
                profile.line = line;
                Added::Renewed
            }
        }
    }

    /// The name for a host whose line came without one: of the known host that the line is about, else the
    /// host part of its first endpoint.
    ///
    /// Two servers on one machine have the same host part; a line of the second must not renew the first.
    pub(crate) fn name_for(&self, line: &ServerLine) -> Result<Alias, NameTaken> {
        let same = |profile: &Profile| profile.line.key == line.key || share_endpoint(&profile.line, line);
        let default = Alias::of(line);
        match self.0.get(&default) {
            Some(profile) if same(profile) => Ok(default),
            Some(_) => Err(NameTaken),
            None => {
                let mut known = self.0.iter().filter(|(_, profile)| same(profile));
                match (known.next(), known.next()) {
                    (Some((alias, _)), None) => Ok(alias.clone()),
                    (Some(_), Some(_)) | (None, _) => Ok(default),
                }
            }
        }
    }
}

fn share_endpoint(one: &ServerLine, other: &ServerLine) -> bool {
    one.endpoints.iter().any(|endpoint| other.endpoints.iter().any(|theirs| theirs == endpoint))
}

impl Profile {
    /// What to ask for so that a TCP port opens: the service that is at this port of the host, else the port itself.
    pub(crate) fn service_at(&self, port: NonZeroU16) -> Service {
        let named = self.ports.iter().find(|(_, at)| **at == port);
        named.map_or_else(
            || Service::Port(ServicePort { transport: Transport::Tcp, port }),
            |(name, _)| Service::Named(*name),
        )
    }
}

impl Alias {
    /// The longest alias, in bytes: that of the longest host name.
    const MAX_LEN: usize = 253;

    /// The host part of the first endpoint of `line`, an IPv6 address without brackets.
    fn of(line: &ServerLine) -> Self {
        Self(line.endpoints.iter().next().map(host_text).unwrap_or_default())
    }
}

/// The host of an endpoint as resolvers and people take it: an IPv6 address without brackets.
pub(crate) fn host_text(endpoint: &Endpoint) -> String {
    match &endpoint.host {
        Host::Name(name) => name.to_string(),
        Host::Address(address) => address.to_string(),
    }
}

/// Not a name for a host.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("a host's name is 1 to 253 letters, digits and . _ : - and does not begin with a hyphen")]
pub(crate) struct NotAnAlias;

impl FromStr for Alias {
    type Err = NotAnAlias;

    fn from_str(text: &str) -> Result<Self, NotAnAlias> {
        let allowed = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'.' | b'_' | b':' | b'-');
        let fits = (1..=Self::MAX_LEN).contains(&text.len());
        if fits && text.bytes().all(allowed) && !text.starts_with('-') {
            Ok(Self(text.to_owned()))
        } else {
            Err(NotAnAlias)
        }
    }
}

impl fmt::Display for Alias {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// The form of the file that this program writes, and the only one that it reads.
const VERSION: i64 = 1;

impl fmt::Display for Hosts {
    /// Writes the file. No value needs escapes: their alphabets have neither quotes nor backslashes.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(
            f,
            "# The hosts that knock-spa knows. `knock-spa enroll` rewrites this file, without comments."
        )?;
        writeln!(f, "# A service with a port of its own: ports = {{ ssh = 2222 }}\nversion = {VERSION}")?;
        for (alias, profile) in &self.0 {
            writeln!(f, "\n[host.\"{alias}\"]\nline = \"{}\"", profile.line)?;
            if !profile.ports.is_empty() {
                let ports: Vec<String> =
                    profile.ports.iter().map(|(name, port)| format!("{name} = {port}")).collect();
                writeln!(f, "ports = {{ {} }}", ports.join(", "))?;
            }
        }
        Ok(())
    }
}

/// Why a text is not a list of hosts, and where.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct BadHosts {
    /// The line, from 1.
    pub(crate) line: usize,
    /// What is wrong with it.
    pub(crate) what: String,
}

impl FromStr for Hosts {
    type Err = BadHosts;

    fn from_str(text: &str) -> Result<Self, BadHosts> {
        let file: File = toml::from_str(text).map_err(|error| {
            let before = error.span().and_then(|span| text.get(..span.start)).unwrap_or_default();
            let line = before.matches('\n').count().saturating_add(1);
            BadHosts { line, what: error.message().to_owned() }
        })?;
        let VersionOne = file.version;
        let profile = |host: FileHost| Profile {
            line: host.line.0,
            ports: host.ports.into_iter().map(|(name, port)| (name.0, port)).collect(),
        };
        Ok(Self(file.host.into_iter().map(|(alias, host)| (alias.0, profile(host))).collect()))
    }
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct File {
    version: VersionOne,
    #[serde(default)]
    host: BTreeMap<Text<Alias>, FileHost>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct FileHost {
    line: Text<ServerLine>,
    #[serde(default)]
    ports: BTreeMap<Text<ServiceName>, NonZeroU16>,
}

#[derive(Deserialize)]
#[serde(try_from = "i64")]
struct VersionOne;

/// Another version.
#[derive(Clone, Copy, Debug, thiserror::Error)]
#[error("this program reads version 1 of this file alone")]
struct OtherVersion;

impl TryFrom<i64> for VersionOne {
    type Error = OtherVersion;

    fn try_from(version: i64) -> Result<Self, OtherVersion> {
        if version == VERSION { Ok(Self) } else { Err(OtherVersion) }
    }
}

/// A value that is written as a string.
#[derive(PartialEq, Eq, PartialOrd, Ord)]
struct Text<T>(T);

impl<'de, T: FromStr<Err: fmt::Display>> Deserialize<'de> for Text<T> {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        String::deserialize(from)?.parse().map(Self).map_err(serde::de::Error::custom)
    }
}

#[cfg(test)]
mod tests {
    use knock_spa_keys::server::ServerSecret;

    use super::*;

    fn line(key: u8, endpoints: &str) -> ServerLine {
        let key = ServerSecret::from_bytes([key; 32]).public();
        ServerLine { key, endpoints: endpoints.parse().unwrap() }
    }

    fn hosts() -> Hosts {
        let mut hosts = Hosts::default();
        hosts.set("gw".parse().unwrap(), line(7, "gw.example.net:62201"));
        hosts.set("2001:db8::1".parse().unwrap(), line(8, "[2001:db8::1]:62201,gw2:1"));
        hosts
    }

    #[test]
    fn what_is_written_is_read() {
        assert_eq!(Hosts::default().to_string().parse(), Ok(Hosts::default()));
        let mut hosts = hosts();
        assert_eq!(hosts.to_string().parse(), Ok(hosts.clone()));
        let text =
            hosts.to_string().replace("[host.\"gw\"]", "[host.gw]\nports = { ssh = 2222, git = 9418 }");
        hosts = text.parse().unwrap();
        assert_eq!(hosts.find("gw").unwrap().ports[&"ssh".parse().unwrap()].get(), 2222);
        assert_eq!(hosts.to_string().parse(), Ok(hosts));
    }

    #[test]
    fn faults_have_a_line_and_a_reason() {
        let good = hosts().to_string();
        for (from, to, line, words) in [
            ("version = 1", "version = 2", 3, "version 1"),
            ("version = 1", "", 1, "missing field `version`"),
            ("version = 1", "version = 1\nversions = 1", 4, "unknown field `versions`"),
            ("version = 1", "version = 1\nversion = 1", 4, "duplicate key"),
            ("line = ", "lines = ", 6, "unknown field `lines`"),
            ("line = \"knock-spa-server-v1 ", "line = \"", 6, "does not begin with knock-spa-server-v1"),
            (":62201", ":0", 6, "port"),
            ("gw2:1\"", "gw2:1\"\nports = { SSH = 22 }", 7, "service name"),
            ("gw2:1\"", "gw2:1\"\nports = { ssh = 0 }", 7, "nonzero"),
            ("gw2:1\"", "gw2:1\"\nports = { ssh = 65536 }", 7, "65536"),
            ("gw2:1\"", "gw2:1\"\nport = { ssh = 22 }", 7, "unknown field `port`"),
            ("\"gw\"", "\"-gw\"", 8, "hyphen"),
            ("\"gw\"", "\"2001:db8::1\"", 8, "duplicate key"),
            ("gw2:1\"", "gw2:1", 6, "basic string"),
        ] {
            let bad = good.replacen(from, to, 1).parse::<Hosts>().unwrap_err();
            assert_eq!(bad.line, line, "{to}: {}", bad.what);
            assert!(bad.what.contains(words), "{to}: {}", bad.what);
        }
    }

    #[test]
    fn aliases_are_plain_words() {
        for text in ["gw", "gw1.example.net", "2001:db8::1", "::1", "My_Host-2"] {
            assert_eq!(text.parse::<Alias>().unwrap().to_string(), text);
        }
        for text in ["", "-gw", "a b", "a\"b", "a\\b", "a/b", "é", &"x".repeat(254)] {
            assert_eq!(text.parse::<Alias>(), Err(NotAnAlias), "{text}");
        }
    }

    #[test]
    fn a_line_without_a_name_finds_its_host() {
        let hosts = hosts();
        let name_for = |line: &ServerLine| hosts.name_for(line).map(|alias| alias.to_string());
        assert_eq!(name_for(&line(9, "new.example.net:1")).unwrap(), "new.example.net");
        assert_eq!(name_for(&line(9, "gw.example.net:62201")).unwrap(), "gw", "a rotated key");
        assert_eq!(name_for(&line(7, "moved.example.net:62201")).unwrap(), "gw", "another endpoint");
        assert_eq!(name_for(&line(9, "[2001:db8::1]:62201")).unwrap(), "2001:db8::1");
        assert_eq!(hosts.name_for(&line(9, "[2001:db8::1]:62202")), Err(NameTaken), "another server there");
    }

    #[test]
    fn a_host_is_found_by_its_name_or_by_its_only_endpoint_there() {
        let mut hosts = hosts();
        let found =
            |hosts: &Hosts, name: &str| hosts.find_by_name_or_endpoint(name).map(|host| host.line.clone());
        let [first, second] = [line(7, "gw.example.net:62201"), line(8, "[2001:db8::1]:62201,gw2:1")];
        for (name, line) in
            [("gw", &first), ("gw.example.net", &first), ("GW.example.NET", &first), ("gw2", &second)]
        {
            assert_eq!(found(&hosts, name).as_ref(), Some(line), "{name}");
        }
        assert_eq!(found(&hosts, "example.net"), None);
        // Two servers on one machine: only a name tells which.
        hosts.set("other".parse().unwrap(), line(9, "gw.example.net:62202"));
        assert_eq!(found(&hosts, "gw.example.net"), None);
        hosts.set("gw.example.net".parse().unwrap(), line(10, "elsewhere:1"));
        assert_eq!(found(&hosts, "gw.example.net"), Some(line(10, "elsewhere:1")));
    }

    #[test]
    fn a_port_is_asked_for_by_the_name_that_it_has() {
        let text = hosts().to_string().replace("[host.\"gw\"]", "[host.gw]\nports = { ssh = 2222 }");
        let hosts: Hosts = text.parse().unwrap();
        let service = |port| hosts.find("gw").unwrap().service_at(NonZeroU16::new(port).unwrap()).to_string();
        assert_eq!([service(2222), service(22)], ["ssh", "tcp/22"]);
    }

    #[test]
    fn setting_says_what_it_changed() {
        let mut hosts = hosts();
        let gw: Alias = "gw".parse().unwrap();
        assert_eq!(hosts.set(gw.clone(), line(7, "gw.example.net:62201")), Added::Known);
        assert_eq!(hosts.set(gw, line(9, "gw.example.net:62201")), Added::Renewed);
        assert_eq!(hosts.set("new".parse().unwrap(), line(7, "new:1")), Added::New);
        assert!(hosts.remove("new"));
        assert!(!hosts.remove("new"));
    }
}
