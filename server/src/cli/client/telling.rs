//! What is told of a client's file that has changed: to a daemon that runs, and of what that makes of it.

use knock_spa_engine::client::{Client, ClientName};
use knock_spa_proto::control::{ClientsReloaded, Command, Cut, Reply};

use crate::cli::failure::{Exit, Failure};
use crate::cli::{daemon, terminal};
use crate::config::settings::Paths;
use crate::control::{self, AskError};
use crate::io::clock;

/// What becomes of the client's connections, where what it had open ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::cli) enum Connections {
    LiveOn,
    Cut,
}

impl Connections {
    /// `--cut`, or not.
    pub(super) const fn cut_if(cut: bool) -> Self {
        if cut { Self::Cut } else { Self::LiveOn }
    }
}

/// Lets a daemon that runs know that the file of this client has changed, and sees that it went by it.
pub(in crate::cli) fn tell_changed(
    paths: &Paths,
    client: &ClientName,
    connections: Connections,
) -> Result<(), Failure> {
    let cut = (connections == Connections::Cut).then(|| client.to_string());
    let stands = format!("the file of {client} stands as it is now, but what was in force before still is");
    let hint = format!("{stands}: `knock-spad reload`, or restart the daemon");
    match control::ask(&paths.runtime, Command::ReloadClients { cut }) {
        Ok(Reply::ClientsReloaded(reloaded)) => {
            if reloaded.unusable.contains(&client.to_string()) {
                return Err(Failure::new(Exit::Data, reloaded.faults.join("\n")).hint(stands));
            }
            tell(reloaded, connections)
        }
        Ok(reply) => {
            let odd =
                |what| Failure::new(Exit::Io, format_args!("the daemon's answer is not understood: {what}"));
            Err(daemon::done(reply).map_or_else(|failure| failure, odd).hint(hint))
        }
        Err(AskError::NoDaemon(_)) if connections == Connections::LiveOn => Ok(()),
        Err(error @ AskError::NoDaemon(_)) => {
            Err(Failure::new(Exit::Unavailable, format_args!("connections live on: {error}")))
        }
        Err(error) => Err(Failure::from(error).hint(hint)),
    }
}

fn tell(reloaded: ClientsReloaded, connections: Connections) -> Result<(), Failure> {
    let ClientsReloaded { unusable: _, faults, cut } = reloaded;
    faults.iter().for_each(|fault| terminal::note(format_args!("warning: {fault}")));
    let told = control::words_for_cut(&cut);
    match (connections, cut) {
        (Connections::LiveOn, _) => Ok(()),
        (Connections::Cut, Cut { faults, .. }) if faults.is_empty() => {
            terminal::note(told);
            Ok(())
        }
        (Connections::Cut, _) => Err(Failure::new(Exit::Io, told)),
    }
}

/// Tells where a client may do nothing for now.
pub(in crate::cli) fn tell_standing(client: &Client) {
    if client.rights.is_empty() {
        terminal::note("  It may open nothing: --door or --service gives it something to open.");
    }
    if !client.is_valid_at(clock::now().unix) {
        terminal::note("  It is not valid now, by --not-before or --not-after.");
    }
}

#[cfg(test)]
mod tests {
    use std::io::{BufRead, BufReader, Write};
    use std::os::unix::net::UnixListener;
    use std::path::Path;

    use knock_spa_proto::control::Versioned;

    use super::*;

    /// Hands to `check` what comes of `remove --cut` where a daemon answers this.
    fn told(reply: Reply, check: impl FnOnce(Result<(), Failure>)) {
        let directory = tempfile::tempdir().unwrap();
        let listener = UnixListener::bind(control::socket(directory.path())).unwrap();
        let answering = std::thread::spawn(move || {
            let (mut stream, _) = listener.accept().unwrap();
            let mut asked = Vec::new();
            BufReader::new(&stream).read_until(b'\n', &mut asked).unwrap();
            let line = [serde_json::to_vec(&Versioned::new(reply)).unwrap(), b"\n".to_vec()].concat();
            stream.write_all(&line).unwrap();
            control::parse::<Command>(&asked).unwrap()
        });
        let paths = Paths { runtime: Path::new(directory.path()).to_owned(), ..Paths::default() };
        check(tell_changed(&paths, &"alice".parse().unwrap(), Connections::Cut));
        assert_eq!(answering.join().unwrap(), Command::ReloadClients { cut: Some("alice".into()) });
    }

    fn fails(with: impl FnOnce(Failure)) -> impl FnOnce(Result<(), Failure>) {
        |outcome| with(outcome.expect_err("it failed"))
    }

    fn cut(faults: &[&str]) -> Reply {
        let faults = faults.iter().map(ToString::to_string).collect();
        let cut = Cut { connections: 2, later: 1, faults };
        Reply::ClientsReloaded(ClientsReloaded { cut, ..ClientsReloaded::default() })
    }

    fn unusable(name: &str) -> Reply {
        let (unusable, faults) = ([name.into()].into(), ["x.toml:1: no key".into()].into());
        Reply::ClientsReloaded(ClientsReloaded { unusable, faults, ..ClientsReloaded::default() })
    }

    #[test]
    fn what_the_daemon_could_not_do_is_a_failure() {
        told(cut(&[]), |outcome| assert!(outcome.is_ok()));
        told(
            cut(&["no permission"]),
            fails(|Failure { exit, message, .. }| {
                assert_eq!(exit, Exit::Io);
                assert!(
                    message.starts_with("2 connections cut; those through 1 opening by command"),
                    "{message}"
                );
                assert!(message.ends_with("connections may live on: no permission"), "{message}");
            }),
        );
        told(unusable("bob"), |outcome| assert!(outcome.is_ok()));
        told(unusable("alice"), fails(|failure| assert_eq!(failure.message, "x.toml:1: no key")));
        for odd in [Reply::Failed { why: "no".into() }, Reply::Done { what: "yes".into() }] {
            let stays = |hint: String| hint.contains("what was in force before still is");
            told(odd, fails(|failure| assert!(failure.hint.is_some_and(stays))));
        }
    }
}
