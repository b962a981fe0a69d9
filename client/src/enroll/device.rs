//! This device's own key, which it makes itself and which never leaves it.

use knock_spa_keys::comment::Comment;

use crate::device_key::DeviceKey;
use crate::failure::{Failure, Status};
use crate::home::Home;
use crate::io::disk::Created;
use crate::io::terminal;
use crate::render;

/// What the command line says about the key.
#[derive(Clone, Debug, clap::Args)]
pub(crate) struct OwnKey {
    /// What to call this device's key, where it is made now (USER@HOST unless given)
    #[arg(long)]
    name: Option<Comment>,
    /// Keeps a new key under a passphrase, which it asks for
    #[arg(long)]
    passphrase: bool,
}

/// The device's key: the one that it has, or a new one; and which of them. `this_device` is what a new one is called if
/// the user does not say.
pub(crate) fn key(
    home: &Home,
    options: OwnKey,
    this_device: Comment,
) -> Result<(DeviceKey, Created), Failure> {
    let OwnKey { name, passphrase } = options;
    let (key, created) = match home.read_key()? {
        Some(kept) => (kept.key, Created::Existed),
        None => {
            let passphrase = if passphrase { Some(home.passphrases().choose()?) } else { None };
            home.make_key(name.clone().unwrap_or(this_device), passphrase.as_ref())?
        }
    };
    let public = key.public();
    if let Some(name) = name.filter(|name| *name != public.comment) {
        return Err(Failure::new(Status::Usage, format!("cannot call this device's key {name}"))
            .because(format!("it has a key already, called {}", render::or_nothing(&public.comment)))
            .hint("leave --name out; only the server's administrator's name for the device matters"));
    }
    if passphrase && created == Created::Existed && !key.is_sealed() {
        return Err(Failure::new(Status::Usage, "cannot make a key with a passphrase")
            .because("this device has a key already, without one")
            .hint("give that one a passphrase: knock-spa passphrase"));
    }
    if created == Created::New {
        terminal::say(render::new_key(public.key));
    }
    Ok((key, created))
}

/// `user@host`, as far as a comment can say it.
pub(crate) fn name(user: Option<&str>, host: Option<&str>) -> Comment {
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
        let name = |user, host| name(user, host).to_string();
        assert_eq!(name(Some("alice"), Some("laptop.example")), "alice@laptop.example");
        assert_eq!(name(Some("DOM\\al ice"), None), "DOMalice");
        assert_eq!(name(None, Some("laptop")), "laptop");
        assert_eq!(name(Some("é"), None), "");
        assert_eq!(name(Some(&"x".repeat(64)), Some("h")), "x".repeat(64));
    }
}
