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
pub(super) enum Connections {
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
pub(super) fn tell_changed(
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
pub(super) fn tell_standing(client: &Client) {
    if client.rights.is_empty() {
        terminal::note("  It may open nothing: --door or --service gives it something to open.");
    }
    if !client.is_valid_at(clock::now().unix) {
        terminal::note("  It is not valid now, by --not-before or --not-after.");
    }
}
