//! `knock-spad client add`.

use clap::Args;
use knock_spa_engine::client::ClientName;
use knock_spa_keys::client::ClientLine;

use crate::cli::client::options::{Options, stranger};
use crate::cli::client::telling::{Connections, tell_changed, tell_standing};
use crate::cli::failure::{Exit, Failure};
use crate::cli::key::server_line;
use crate::cli::terminal;
use crate::clients;
use crate::config::settings::Settings;
use crate::io::clock;

#[derive(Debug, Args)]
#[command(mut_arg("not_after", |arg| arg.visible_alias("expires")))]
pub(in crate::cli) struct Arguments {
    /// What to call the client: letters, digits and . _ @ -
    name: ClientName,
    /// The client's line, as `knock-spa enroll` prints it on the client: knock-spa-client-v1 ...
    line: String,
    #[command(flatten)]
    options: Options,
}

pub(super) fn run(settings: &Settings, arguments: Arguments) -> Result<(), Failure> {
    // Before anything is written, for without it the client could not be set up.
    let server = server_line(&settings.paths)?;
    let line = client_line(&arguments.line)?;
    let client = arguments.options.apply(stranger(arguments.name, line.key), &[], settings)?;
    clients::add(&settings.paths.clients, &client, &line.comment, clock::now().unix)?;
    tell_changed(&settings.paths, &client.name, Connections::LiveOn)?;
    terminal::note(format_args!("enrolled client {}, {}", client.name, client.key.fingerprint()));
    tell_standing(&client);
    terminal::note("The server's line, for `knock-spa enroll` on the client:");
    terminal::say(server)
}

/// clap would show the text of a wrong argument, and this one may be a secret key.
fn client_line(text: &str) -> Result<ClientLine, Failure> {
    text.trim().parse().map_err(|error| {
        Failure::new(Exit::Data, format_args!("LINE: {error}")).hint(
            "the line that `knock-spa enroll` prints on the client, in quotes: 'knock-spa-client-v1 ...'",
        )
    })
}
