//! `knock-spad invite`.

mod list;
mod qr;

use std::ffi::OsString;
use std::io::IsTerminal;
use std::ops::RangeInclusive;
use std::path::Path;
use std::time::Duration;

use clap::{Args, Subcommand};
use knock_spa_engine::client::ClientName;
use knock_spa_engine::invitation::Invitation;
use knock_spa_keys::client::ClientSecret;
use knock_spa_keys::comment::Comment;
use knock_spa_keys::invitation::InvitationLine;
use knock_spa_proto::span::Span;

use crate::cli::client::options::{Options, stranger};
use crate::cli::client::telling::{Connections, tell_changed, tell_standing};
use crate::cli::failure::{Exit, Failure};
use crate::cli::key::server_line;
use crate::cli::{load_config, terminal};
use crate::clients::date::Moment;
use crate::clients::invitations;
use crate::config::settings::{Paths, Settings};
use crate::io::{clock, entropy};

/// How long an invitation can be good. Below a minute nobody could paste it anywhere; after a month it lies forgotten in
/// somebody's mail, and still is a way in.
const EXPIRY: RangeInclusive<Duration> = Duration::from_secs(60)..=Duration::from_secs(30 * 86_400);

/// Words of this command, which so can't be names of whom it invites.
const WORDS: [&str; 2] = ["list", "revoke"];

#[derive(Debug, Args)]
#[command(args_conflicts_with_subcommands = true, subcommand_negates_reqs = true)]
pub(super) struct Arguments {
    #[command(subcommand)]
    command: Option<Command>,
    /// What to call the client that will come: letters, digits and . _ @ -
    #[arg(required = true)]
    name: Option<ClientName>,
    #[command(flatten)]
    options: Options,
    /// For how long the invitation is good, from 1m to 30d.
    #[arg(long, value_name = "SPAN", default_value = "24h")]
    expires: Span,
    /// Draw the line as a QR code too, wherever it goes; on a terminal that is so anyway.
    #[arg(long)]
    qr: bool,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Show who is invited, and who has come.
    List(list::Arguments),
    /// Take an invitation back: nobody can enrol by it any more.
    Revoke {
        /// The client's name.
        name: ClientName,
    },
}

pub(super) fn run(config: &Path, arguments: Arguments) -> Result<(), Failure> {
    let settings = load_config(config)?.settings;
    match (arguments.command, arguments.name) {
        (Some(Command::List(arguments)), _) => list::run(&settings.paths, &arguments),
        (Some(Command::Revoke { name }), _) => revoke(&settings.paths, &name),
        (None, Some(name)) => {
            let expires = arguments.expires.duration();
            invite(&settings, name, arguments.options, expires, arguments.qr)
        }
        (None, None) => Err(Failure::new(Exit::Usage, "whom to invite? `knock-spad invite NAME`")),
    }
}

/// What to add to a complaint about a command line that takes a word of this command for a name.
pub(super) fn hint_on_words(arguments: &[OsString]) -> Option<String> {
    let mut words = arguments.iter().skip_while(|word| *word != "invite").skip(1);
    words.next().filter(|word| WORDS.iter().any(|other| *word == other)).map(|_| cannot_be_named())
}

fn cannot_be_named() -> String {
    format!(
        "`{}` are words of `knock-spad invite`: nobody can be invited by such a name",
        WORDS.join("` and `")
    )
}

fn invite(
    settings: &Settings,
    name: ClientName,
    options: Options,
    expires: Duration,
    qr: bool,
) -> Result<(), Failure> {
    if WORDS.contains(&name.as_str()) {
        return Err(Failure::new(Exit::Usage, cannot_be_named()));
    }
    if !EXPIRY.contains(&expires) {
        return Err(Failure::new(Exit::Usage, "--expires: out of range").hint("from 1m to 30d"));
    }
    // Before anything is written, for without it nobody could use the invitation.
    let server = server_line(&settings.paths)?;
    let seed = entropy::bytes().map_err(|error| Failure::new(Exit::System, error))?;
    let secret = ClientSecret::from_seed(seed);
    let door = options.first_door().map(|door| comment(door.as_str())).unwrap_or_default();
    let client = options.apply(stranger(name, secret.public()), &[], settings)?;
    let now = clock::now().unix;
    let invitation =
        Invitation { client, expires: now.saturating_add(expires).whole_second(), used_by: None };
    invitations::invite(&settings.paths.clients, &invitation, now)?;
    let told = tell_changed(&settings.paths, invitation.name(), Connections::LiveOn);
    let line = InvitationLine { server, secret, name: comment(invitation.name().as_str()), door };
    tell(&invitation);
    let text = line.to_text();
    if qr || std::io::stdout().is_terminal() {
        terminal::draw(&qr::drawn(&text).map_err(|error| Failure::new(Exit::Data, error))?);
    }
    terminal::say_secret(&text)?;
    told
}

/// The alphabets of a client's name and of a door's are within that of a comment, and they are not longer.
fn comment(text: &str) -> Comment {
    text.parse().unwrap_or_default()
}

fn tell(invitation: &Invitation) {
    let until = Moment(invitation.expires);
    terminal::note(format_args!("invited {}, until {until}", invitation.name()));
    tell_standing(&invitation.client);
    terminal::note("  The line is a SECRET, good once: whoever uses it first is this client.");
    terminal::note("  On the device that is to be the client: `knock-spa enroll`, and paste it there:");
}

fn revoke(paths: &Paths, name: &ClientName) -> Result<(), Failure> {
    let revoked = invitations::revoke(&paths.clients, name).map_err(|error| {
        if error.is_absent() && paths.clients.is_dir() {
            return Failure::new(Exit::NoInput, format_args!("there is no invitation {name}"))
                .hint("`knock-spad invite list` shows those that there are");
        }
        error.into()
    })?;
    terminal::note(format_args!("revoked the invitation {name}"));
    if revoked.is_some_and(|invitation| invitation.used_by.is_some()) {
        terminal::note(format_args!(
            "  It was used before, and whoever used it stays enrolled: `knock-spad client remove {name}`"
        ));
    }
    tell_changed(paths, name, Connections::LiveOn)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn hint(line: &str) -> Option<String> {
        hint_on_words(&line.split(' ').map(OsString::from).collect::<Vec<_>>())
    }

    #[test]
    fn a_complaint_tells_of_words_that_are_no_names() {
        assert!(hint("knock-spad invite list --door ssh").unwrap().contains("`list` and `revoke`"));
        assert!(hint("knock-spad --config f invite revoke --door ssh").is_some());
        for line in ["knock-spad invite bob --dor ssh", "knock-spad client list --x", "knock-spad invite"] {
            assert_eq!(hint(line), None, "{line}");
        }
    }
}
