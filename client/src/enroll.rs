//! `knock-spa enroll`: this device's key, and the servers that it knows.

use knock_spa_keys::client::{ClientLine, ClientSecretLine};
use knock_spa_keys::comment::Comment;
use knock_spa_keys::server::{ServerKey, ServerLine};
use knock_spa_keys::text::Kind;

use crate::failure::{Failure, Status};
use crate::home::Home;
use crate::hosts::{Added, Alias, Hosts};
use crate::io::disk::Created;
use crate::io::terminal;
use crate::render;

/// What the command line says.
#[derive(Debug, clap::Args)]
pub(crate) struct Options {
    /// The server's line: adds the host, or renews the key of a known one. Without it, asks on a terminal, or
    /// reads standard input
    line: Vec<String>,
    /// What to call this device's key, where it is made now (USER@HOST unless given)
    #[arg(long)]
    name: Option<Comment>,
    /// What to call the host [default: the host part of its first endpoint]
    #[arg(long, value_name = "ALIAS")]
    host: Option<Alias>,
}

/// The word with which an invitation begins.
const INVITATION: &str = "knock-spa-invite-";

/// What to ask on a terminal.
const QUESTION: &str = "paste a server line, or press Enter: ";

/// Makes the device's key where there is none, prints its public line, and adds the host whose line is given.
/// `this_device` is what its key is called if the user does not say.
pub(crate) fn run(options: Options, home: &Home, this_device: Comment) -> Result<(), Failure> {
    let given = options.line.join(" ");
    let given = if given.is_empty() { None } else { Some(parse(&given)?) };
    let (key, created) = key(home, options.name, this_device)?;
    terminal::print(ClientLine { key: key.secret.public(), comment: key.comment })?;
    if given.is_none() || created == Created::New {
        terminal::say(render::HAND_OVER);
    }
    let line = match given {
        Some(line) => Some(line),
        None => asked()?,
    };
    match line {
        Some(line) => add(home, options.host, line),
        None => Ok(()),
    }
}

/// The device's key: the one that it has, or a new one; and which of them.
fn key(
    home: &Home,
    name: Option<Comment>,
    this_device: Comment,
) -> Result<(ClientSecretLine, Created), Failure> {
    let (key, created) = match home.read_key()? {
        Some(key) => (key, Created::Existed),
        None => home.make_key(name.clone().unwrap_or(this_device))?,
    };
    if let Some(name) = name.filter(|name| *name != key.comment) {
        return Err(Failure::new(Status::Usage, format!("cannot call this device's key {name}"))
            .because(format!("it has a key already, called {}", render::or_nothing(&key.comment)))
            .hint("leave --name out; only the server's administrator's name for the device matters"));
    }
    if created == Created::New {
        terminal::say(render::new_key(key.secret.public()));
    }
    Ok((key, created))
}

/// The server line that the user enters now; none where that is nothing.
fn asked() -> Result<Option<ServerLine>, Failure> {
    let answer = terminal::answer(QUESTION)?;
    let answer = answer.trim();
    if answer.is_empty() { Ok(None) } else { parse(answer).map(Some) }
}

/// A server line. What is refused is not repeated: it may be a secret.
fn parse(text: &str) -> Result<ServerLine, Failure> {
    let text = text.trim();
    let refusal = Failure::new(Status::Data, "this is no server line");
    if text.starts_with(INVITATION) {
        return Err(Failure::new(Status::Data, "cannot use this invitation")
            .because("this version of knock-spa enrols by hand only")
            .hint("send the server's administrator the line that `knock-spa enroll` prints; for\n  `knock-spad client add`, and ask for the server's line"));
    }
    text.parse().map_err(|why| match Kind::of_line(text) {
        Some(Kind::ServerSecret | Kind::ClientSecret) => refusal
            .because("it is a secret key")
            .hint("whoever sent it should replace that key; ask for the server's public line"),
        Some(Kind::Client) => refusal
            .because("it is the public line of a device")
            .hint("that one is for the server: knock-spad client add NAME 'LINE'"),
        Some(Kind::Server | Kind::Invitation) | None => {
            refusal.because(why).hint("copy the whole line that `knock-spad key show` prints on the server")
        }
    })
}

fn add(home: &Home, alias: Option<Alias>, line: ServerLine) -> Result<(), Failure> {
    let key = line.key;
    let (alias, added, before) = home.change_hosts(|hosts| set(hosts, alias, line))?;
    terminal::say(match added {
        Added::New => render::host_added(&alias, key),
        Added::Renewed => render::host_renewed(&alias, before, key),
        Added::Known => render::host_known(&alias, key),
    });
    Ok(())
}

/// Adds the host; says under which name, what changed, and which key it had before.
fn set(
    hosts: &mut Hosts,
    alias: Option<Alias>,
    line: ServerLine,
) -> Result<(Alias, Added, Option<ServerKey>), Failure> {
    let alias = match alias {
        Some(alias) => alias,
        None => hosts.name_for(&line).map_err(|why| {
            Failure::new(Status::Data, "cannot tell which host this line is for")
                .because(format!("of the host that it names, {why}"))
                .hint("say which host it is, known or new: --host ALIAS")
        })?,
    };
    let before = hosts.find(&alias.to_string()).map(|profile| profile.line.key);
    let added = hosts.set(alias.clone(), line);
    Ok((alias, added, before))
}

/// `user@host`, as far as a comment can say it.
pub(crate) fn device_name(user: Option<&str>, host: Option<&str>) -> Comment {
    let allowed = |c: &char| c.is_ascii_alphanumeric() || matches!(c, '.' | '_' | '+' | '-');
    let plain = |text: Option<&str>| text.unwrap_or_default().chars().filter(allowed).collect::<String>();
    let name = match (plain(user), plain(host)) {
        (user, host) if user.is_empty() => host,
        (user, host) if host.is_empty() => user,
        (user, host) => format!("{user}@{host}"),
    };
    name.chars().take(Comment::MAX_LEN).collect::<String>().parse().unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_device_is_called_after_user_and_host() {
        let name = |user, host| device_name(user, host).to_string();
        assert_eq!(name(Some("alice"), Some("laptop.example")), "alice@laptop.example");
        assert_eq!(name(Some("DOM\\al ice"), None), "DOMalice");
        assert_eq!(name(None, Some("laptop")), "laptop");
        assert_eq!(name(Some("é"), None), "");
        assert_eq!(name(Some(&"x".repeat(64)), Some("h")), "x".repeat(64));
    }

    #[test]
    fn what_is_refused_is_not_repeated() {
        let secret = "knock-spa-client-secret-v1 CQkJCQkJCQkJCQkJCQkJCQkJCQkJCQkJCQkJCQkJCQkJCQkJ x";
        for text in [secret, "knock-spa-invite-v1 c2VjcmV0", "c2VjcmV0"] {
            let said = parse(text).unwrap_err().to_string();
            assert!(!said.contains("CQkJ") && !said.contains("c2VjcmV0"), "{said}");
        }
    }
}
