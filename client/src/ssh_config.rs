//! `knock-spa ssh-config`: what makes plain `ssh HOST` ask for its port first.

use std::ffi::OsStr;
use std::path::Path;

use knock_spa_proto::service::ServiceName;

use crate::failure::{Failure, Status};
use crate::home::Home;
use crate::hosts::{Profile, host_text};
use crate::io::{environment, terminal};
use crate::key_file::{self, Kind};
use crate::listing;
use crate::manner::Manner;

/// What the command line says.
#[derive(Debug, clap::Args)]
pub(crate) struct Options {
    /// The host, as `knock-spa hosts list` calls it
    host: String,
    #[command(flatten)]
    manner: Manner,
}

/// Prints the block. `called` is the word by which this program was called, `named_home` the directory that was named
/// on the command line, if one was.
pub(crate) fn run(
    options: &Options,
    home: &Home,
    called: &OsStr,
    named_home: Option<&Path>,
) -> Result<(), Failure> {
    let hosts = home.hosts()?;
    let profile = listing::known(&hosts, &options.host)?;
    let asks = key_file::look(home)? == Kind::Sealed;
    let command = command(&options.host, options.manner, called, named_home)?;
    if asks {
        terminal::say(format_args!("knock-spa: {}", passphrase_asked(&options.host)));
    }
    terminal::print(block(&options.host, profile, &command, asks))
}

fn passphrase_asked(host: &str) -> String {
    format!("this device's key has a passphrase, and each `ssh {host}` will ask for it")
}

/// The block for ssh's configuration.
fn block(host: &str, profile: &Profile, command: &str, asks: bool) -> String {
    let mut lines = vec![format!(
        "# Plain `ssh {host}` asks the server for its port first. Belongs above any `Host *` of ~/.ssh/config."
    )];
    if asks {
        lines.push(format!("# Beware: {}.", passphrase_asked(host)));
    }
    lines.push(format!("Host {host}"));
    // Under this name ssh knows the server's host key, however the user calls it.
    let name = profile.line.endpoints.iter().next().map(host_text);
    lines.extend(name.filter(|name| name != host).map(|name| format!("    HostName {name}")));
    let port = profile.ports.iter().find(|(name, _)| is_ssh(name)).map(|(_, port)| port);
    lines.extend(port.map(|port| format!("    Port {port}")));
    lines.push(format!("    ProxyCommand {command}"));
    lines.join("\n")
}

fn is_ssh(name: &ServiceName) -> bool {
    name.as_str() == "ssh"
}

/// The proxy's command line: ssh replaces what begins with a percent sign, and a shell takes the rest apart.
fn command(host: &str, manner: Manner, called: &OsStr, named_home: Option<&Path>) -> Result<String, Failure> {
    let mut words = vec![program(called)?];
    if let Some(home) = named_home {
        words.push("--home".to_owned());
        words.push(text(environment::absolute(home)?.as_os_str())?);
    }
    words.push("proxy".to_owned());
    words.extend(manner.words());
    words.push(host.to_owned());
    let words: Vec<String> = words.iter().map(|word| quoted(word)).collect();
    Ok(format!("{} %p", words.join(" ")))
}

/// How a shell finds this program: by its name where that was enough for the user's.
fn program(called: &OsStr) -> Result<String, Failure> {
    if Path::new(called).components().nth(1).is_none() && !called.is_empty() {
        return text(called);
    }
    text(environment::program()?.as_os_str())
}

fn text(path: &OsStr) -> Result<String, Failure> {
    let fits = |text: &&str| !text.contains(['\n', '\r', '\0']);
    path.to_str().filter(fits).map(str::to_owned).ok_or_else(|| {
        Failure::new(Status::Usage, format!("cannot name {} in ssh's configuration", path.display()))
            .because("it is not one line of UTF-8 text")
    })
}

/// A word as the shell and ssh take it for itself.
fn quoted(word: &str) -> String {
    let plain = |c: char| c.is_ascii_alphanumeric() || "-_./:,+@".contains(c);
    let word = word.replace('%', "%%");
    if !word.is_empty() && word.chars().all(plain) {
        word
    } else {
        format!("'{}'", word.replace('\'', r"'\''"))
    }
}

#[cfg(test)]
mod tests {
    use knock_spa_keys::server::{ServerLine, ServerSecret};

    use super::*;
    use crate::hosts::Hosts;

    fn shown(host: &str, endpoints: &str, ports: &str) -> String {
        let key = ServerSecret::from_bytes([7; 32]).public();
        let line = ServerLine { key, endpoints: endpoints.parse().unwrap() };
        let text = format!("version = 1\n[host.\"{host}\"]\nline = \"{line}\"\nports = {{ {ports} }}\n");
        let hosts: Hosts = text.parse().unwrap();
        let block = block(host, hosts.find(host).unwrap(), "COMMAND", false);
        block.lines().skip(1).map(|line| format!("{};", line.trim_start())).collect()
    }

    #[test]
    fn a_block_says_what_ssh_does_not_know() {
        for (host, endpoints, ports, expected) in [
            ("gw", "gw.example.net:62201,gw2:1", "", "Host gw;HostName gw.example.net;ProxyCommand COMMAND;"),
            ("gw.example.net", "gw.example.net:1", "web = 8443", "Host gw.example.net;ProxyCommand COMMAND;"),
            (
                "gw",
                "[2001:db8::1]:1",
                "ssh = 2222",
                "Host gw;HostName 2001:db8::1;Port 2222;ProxyCommand COMMAND;",
            ),
        ] {
            assert_eq!(shown(host, endpoints, ports), expected);
        }
    }

    #[test]
    fn words_survive_the_shell_and_ssh() {
        for (word, expected) in [
            ("/usr/bin/knock-spa", "/usr/bin/knock-spa"),
            ("192.0.2.1,2001:db8::1", "192.0.2.1,2001:db8::1"),
            ("/home/me/my files", "'/home/me/my files'"),
            ("/it's/100%", r"'/it'\''s/100%%'"),
            ("$(reboot)", "'$(reboot)'"),
            ("", "''"),
        ] {
            assert_eq!(quoted(word), expected);
        }
        assert!(text(OsStr::new("/a\nb")).is_err());
    }
}
