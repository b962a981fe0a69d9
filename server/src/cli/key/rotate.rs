//! `knock-spad key rotate` and `key remove`: by the daemon where one runs, else by the command itself, under the lock
//! that keeps daemons away.

use clap::Args;
use knock_spa_engine::admit::record::Record;
use knock_spa_proto::control::Command;
use knock_spa_proto::span::Span;

use super::{keys, server_line, show};
use crate::cli::failure::{Exit, Failure};
use crate::cli::{daemon, terminal};
use crate::clients::date::Moment;
use crate::clients::{Invitations, Survey};
use crate::config::settings::Paths;
use crate::control::{self, AskError};
use crate::io::clock;
use crate::journal::Lock;
use crate::server_key::previous::Previous;
use crate::server_key::rotation::{Earlier, Rotation, end_previous};

#[derive(Debug, Args)]
pub(in crate::cli) struct Arguments {
    /// For how long the old key stays good: until then, give all clients the new line.
    #[arg(long, value_name = "SPAN", default_value = "30d")]
    grace: Span,
    /// End a previous key that lives still: there are never more than two.
    #[arg(long)]
    end_previous: bool,
}

#[derive(Debug, Args)]
pub(in crate::cli) struct RemoveArguments {
    /// End it although clients use it still: each is shut out until it has the new line.
    #[arg(long)]
    yes: bool,
}

pub(super) fn rotate(paths: &Paths, arguments: &Arguments) -> Result<(), Failure> {
    let command = Command::KeyRotate { grace: arguments.grace.secs(), end_previous: arguments.end_previous };
    let earlier = if arguments.end_previous { Earlier::End } else { Earlier::Keep };
    let prepare = || Rotation::prepare(&paths.key, arguments.grace, earlier, clock::now().unix);
    // What is refused is refused alike, with or without a daemon, and with a hint.
    prepare()?;
    match asked(paths, command)? {
        Some(done) => terminal::note(done),
        None => {
            let lock = Lock::take(&paths.state)?;
            let rotation = prepare()?;
            lock.add(Record::Key(rotation.new_key()))?;
            rotation.carry_out()?;
            terminal::note(format_args!("the server's key is {} now", rotation.new_key().fingerprint()));
        }
    }
    if let Some(previous) = keys(paths)?.previous.live() {
        let until = Moment(previous.until);
        terminal::note(format_args!(
            "the old one is good until {until}: `knock-spad key show` says who uses it still"
        ));
    }
    tell_of_invitations(paths);
    terminal::note("The server's new line, which its clients give to `knock-spa enroll`:");
    terminal::say(server_line(paths)?)
}

/// Tells of invitations that nobody has used yet: their lines were made with a key that is on its way out.
fn tell_of_invitations(paths: &Paths) {
    // What can't be read is `invite list`'s to complain of: the rotation is done.
    let Ok(clients) = Survey::of(&paths.clients) else { return };
    let Ok(found) = Invitations::load(&paths.clients, &clients.clients) else { return };
    let pending = found.pending(clock::now().unix).count();
    if pending > 0 {
        terminal::note(format_args!(
            "{pending} pending in `knock-spad invite list` have an older key, and end with it: revoke them, and invite anew"
        ));
    }
}

pub(super) fn remove(paths: &Paths, arguments: &RemoveArguments) -> Result<(), Failure> {
    let found = keys(paths)?;
    if matches!(found.previous, Previous::Absent) {
        return Err(Failure::new(Exit::NoInput, "there is no previous key"));
    }
    for key in show::statuses(paths, &found).iter().filter(|key| key.until.is_some()) {
        terminal::note(show::words(key));
        if !arguments.yes && key.usage.as_ref().is_some_and(|usage| !usage.clients.is_empty()) {
            let why = "clients use the previous key still, and would be shut out";
            return Err(Failure::new(Exit::Data, why).hint(
                "give them the new line of `knock-spad key show`, or end the key all the same with --yes",
            ));
        }
    }
    let done = match asked(paths, Command::KeyRemove)? {
        Some(done) => done,
        None => {
            let _lock = Lock::take(&paths.state)?;
            end_previous(&paths.key, &keys(paths)?)?;
            "the previous key has ended".into()
        }
    };
    terminal::say(done)
}

/// What the daemon says that it did, where one runs.
fn asked(paths: &Paths, command: Command) -> Result<Option<String>, Failure> {
    match control::ask(&paths.runtime, command) {
        Ok(reply) => daemon::done(reply).map(Some),
        Err(AskError::NoDaemon(_)) => Ok(None),
        Err(error) => Err(error.into()),
    }
}
