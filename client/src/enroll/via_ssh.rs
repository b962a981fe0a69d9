//! Enrolment over an ssh that still works, as ssh-copy-id does it: this device's public line goes there, the server's
//! line comes back.

use std::fmt;
use std::str::FromStr;

use knock_spa_keys::client::ClientLine;
use knock_spa_keys::comment::Comment;
use knock_spa_keys::server::ServerLine;
use knock_spa_keys::text::Kind;
use knock_spa_proto::service::ServiceName;

use crate::failure::{Failure, Status};
use crate::io::process::{self, Ended};
use crate::io::terminal;

/// Where ssh goes: `[USER@]HOST` or `ssh://[USER@]HOST[:PORT]`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Destination(String);

/// Not a destination that is safe to hand to ssh.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("write [USER@]HOST, or ssh://[USER@]HOST:PORT")]
pub(crate) struct NotADestination;

impl Destination {
    /// The longest, in bytes: a host's name, a user's, and what stands around them.
    const MAX_LEN: usize = 320;
}

impl FromStr for Destination {
    type Err = NotADestination;

    /// A hyphen at the front would make an option of it; the rest is what addresses are made of, and no shell minds it.
    fn from_str(text: &str) -> Result<Self, NotADestination> {
        let allowed = |byte: u8| byte.is_ascii_alphanumeric() || b"._@:%/[]+-".contains(&byte);
        let fits = (1..=Self::MAX_LEN).contains(&text.len());
        if fits && text.bytes().all(allowed) && !text.starts_with('-') {
            Ok(Self(text.to_owned()))
        } else {
            Err(NotADestination)
        }
    }
}

/// What the server is to call a client: `[A-Za-z0-9][A-Za-z0-9._@-]{0,63}`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct ClientName(String);

/// Not a name of a client.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("a letter or digit, then at most 63 letters, digits or . _ @ -")]
pub(crate) struct NotAClientName;

impl ClientName {
    /// The longest name, in bytes.
    const MAX_LEN: usize = 64;

    /// The name that a key is called, as far as it can be one; `device` where nothing of it can.
    pub(crate) fn of(comment: &Comment) -> Self {
        let plain = comment.as_str().replace('+', "-");
        let name = plain.trim_start_matches(|c: char| !c.is_ascii_alphanumeric());
        name.parse().unwrap_or_else(|NotAClientName| Self("device".to_owned()))
    }
}

impl FromStr for ClientName {
    type Err = NotAClientName;

    fn from_str(text: &str) -> Result<Self, NotAClientName> {
        let allowed = |byte: u8| byte.is_ascii_alphanumeric() || b"._@-".contains(&byte);
        let begins = text.starts_with(|c: char| c.is_ascii_alphanumeric());
        if begins && text.len() <= Self::MAX_LEN && text.bytes().all(allowed) {
            Ok(Self(text.to_owned()))
        } else {
            Err(NotAClientName)
        }
    }
}

impl fmt::Display for ClientName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// Has the server there enrol this device, unless it has; the server's line.
pub(crate) fn enrol(
    at: &Destination,
    name: &ClientName,
    line: &ClientLine,
    doors: &[ServiceName],
) -> Result<ServerLine, Failure> {
    // sudo may ask for a password, and only on a terminal of its own.
    let terminal = terminal::is_asked().then_some("-t");
    let script = script(name, line, doors);
    let words: Vec<&str> = terminal.into_iter().chain(["--", &at.0, &script]).collect();
    let Ended { status, output } = process::run_shown("ssh", &words, MAX_OUTPUT)?;
    let failure = |what: &str| Failure::new(Status::Unavailable, format!("{what} {}", at.0));
    match status {
        Some(0) => server_line(&output).ok_or_else(|| {
            failure("cannot enrol at").because("no server line came back").hint(BY_HAND)
        }),
        Some(SSH_FAILED) => Err(failure("cannot reach").because("ssh said why").hint(BY_HAND)),
        Some(NOT_FOUND) => Err(failure("cannot enrol at")
            .because("knock-spad or sudo is not installed there, or not where programs are looked for")
            .hint("install the server first; its README begins there")),
        _ => Err(failure("cannot enrol at").because("it said why").hint(
            "if the name is another device's, choose one: --client NAME; if there is no such door: --door DOOR\n  if the server does not know its endpoint yet: knock-spad init --endpoint HOST, there",
        )),
    }
}

/// What else to do.
const BY_HAND: &str = "by hand: `knock-spad client add NAME 'LINE' --door DOOR` on the server prints the server's line\n  for `knock-spa enroll`";

/// The status of an ssh that did not get there.
const SSH_FAILED: i32 = 255;

/// The status of a shell that found no such program.
const NOT_FOUND: i32 = 127;

/// The most that is kept of what comes back, in bytes: a server's line and a server's greetings.
const MAX_OUTPUT: usize = 64 * 1024;

/// What the shell there runs, whichever shell it is. Every word is of an alphabet without quotes, blanks other than those
/// of the line, or anything that a shell takes for more than itself.
fn script(name: &ClientName, line: &ClientLine, doors: &[ServiceName]) -> String {
    let doors: String = doors.iter().map(|door| format!(" --door {door}")).collect();
    let fingerprint = line.key.fingerprint();
    // The server's line comes first: without it nothing should be enrolled.
    [
        "exec sh -c 'PATH=$PATH:/usr/local/sbin:/usr/sbin:/sbin; as=; test $(id -u) = 0 || as=sudo; ",
        "$as knock-spad key show || exit; ",
        &format!("if $as knock-spad client list --json | grep -qF \"{fingerprint}\"; "),
        "then echo \"this device is enrolled already; what it may do stays as it is\" >&2; ",
        &format!("else $as knock-spad client add {name} \"{line}\"{doors}; fi'"),
    ]
    .concat()
}

/// The server's line among whatever else came back.
fn server_line(output: &str) -> Option<ServerLine> {
    let lines = output.lines().filter_map(|line| line.get(line.find(Kind::Server.word())?..));
    lines.filter_map(|line| line.trim_end().parse().ok()).next()
}

#[cfg(test)]
mod tests {
    use super::*;

    const LINE: &str = "knock-spa-client-v1 /RckOFqgx1tk+3jNYC+h2ZH96/drE8WO1wLqyDXp9hizdz1g alice@laptop";
    const SERVER: &str =
        "knock-spa-server-v1 E75P6uryBMf9M1j8nAByGIHRdCeBKCJ+xnTzf3/pe211Kvv9 gw1.example.net:62201";

    #[test]
    fn destinations_are_no_options_and_no_commands() {
        for good in
            ["gw", "alice@gw.example.net", "root@2001:db8::1", "ssh://a@gw:2222", "fe80::1%eth0", "a@[::1]"]
        {
            assert_eq!(good.parse(), Ok(Destination(good.to_owned())));
        }
        for bad in [
            "",
            "-oProxyCommand=id",
            "-lroot",
            "a b",
            "a;b",
            "$(id)",
            "`id`",
            "a'b",
            "a\"b",
            "a\nb",
            "a|b",
            "a&b",
            "é",
        ] {
            assert_eq!(bad.parse::<Destination>(), Err(NotADestination), "{bad}");
        }
        assert_eq!("x".repeat(321).parse::<Destination>(), Err(NotADestination));
    }

    #[test]
    fn a_key_is_called_what_a_client_can_be_called() {
        for (comment, name) in [
            ("alice@laptop", "alice@laptop"),
            ("a+b", "a-b"),
            ("._x", "x"),
            ("+-@", "device"),
            ("", "device"),
        ] {
            assert_eq!(ClientName::of(&comment.parse().unwrap()).to_string(), name);
        }
        for bad in ["", "-a", "a b", "a'", "a$", "a+b", &"x".repeat(65)] {
            assert_eq!(bad.parse::<ClientName>(), Err(NotAClientName), "{bad}");
        }
    }

    #[test]
    fn the_script_quotes_all_that_has_a_meaning() {
        let doors: [ServiceName; 2] = ["ssh".parse().unwrap(), "web".parse().unwrap()];
        let script = script(&"alice".parse().unwrap(), &LINE.parse().unwrap(), &doors);
        let inner = script.strip_prefix("exec sh -c '").unwrap().strip_suffix('\'').unwrap();
        assert!(!inner.contains(['\'', '\n', '`', '\\', '!']), "{inner}");
        assert!(
            inner.ends_with(&format!("client add alice \"{LINE}\" --door ssh --door web; fi")),
            "{inner}"
        );
    }

    #[test]
    fn the_server_line_is_found_among_greetings() {
        let found = |output: &str| server_line(output).map(|line| line.to_string());
        let noise = "Welcome!\r\n[sudo] password for alice: ";
        assert_eq!(found(&format!("{noise}{SERVER}\r\nenrolled\r\n")).unwrap(), SERVER);
        assert_eq!(found(&format!("{SERVER}x\n{SERVER}\n")).unwrap(), SERVER, "the first that is one");
        assert_eq!(found(noise), None);
        assert_eq!(found(""), None);
    }
}
