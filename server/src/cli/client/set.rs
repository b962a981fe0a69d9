//! `knock-spad client set`.

use clap::Args;
use knock_spa_engine::client::ClientName;

use crate::cli::client::options::{Complaints, Options, Without};
use crate::cli::client::telling::{Connections, tell_changed, tell_standing};
use crate::cli::client::unknown_client;
use crate::cli::failure::{Exit, Failure};
use crate::cli::terminal;
use crate::clients::{self, Changed, NotChanged};
use crate::config::settings::Settings;

#[derive(Debug, Args)]
#[command(mut_arg("not_after", |arg| arg.visible_alias("expires")))]
pub(in crate::cli) struct Arguments {
    /// The client's name.
    name: ClientName,
    #[command(flatten)]
    options: Options,
    /// No longer this door, this port, these ports or this network, as `client list` shows it; may be repeated.
    #[arg(long, value_name = "WHAT")]
    without: Vec<Without>,
    /// End the connections too that came in through what it may open no more.
    #[arg(long)]
    cut: bool,
}

pub(super) fn run(settings: &Settings, arguments: Arguments) -> Result<(), Failure> {
    let Arguments { name, options, without, cut } = arguments;
    if options == Options::default() && without.is_empty() {
        let hint = "`knock-spad client set --help` shows what can be changed";
        return Err(Failure::new(Exit::Usage, "nothing is to be changed").hint(hint));
    }
    let directory = &settings.paths.clients;
    let changed = clients::change(directory, &name, |client| options.apply(client, &without, settings));
    let Changed { client, had_comments } = changed.map_err(|error| not_changed(error, settings, &name))?;
    terminal::note(format_args!("changed client {name}"));
    if had_comments {
        terminal::note("  Its file was written anew: the comments in it are gone.");
    }
    tell_standing(&client);
    tell_changed(&settings.paths, &name, Connections::cut_if(cut))
}

fn not_changed(error: NotChanged<Complaints>, settings: &Settings, name: &ClientName) -> Failure {
    match error {
        NotChanged::Refused(complaints) => complaints.into(),
        NotChanged::Faults(faults) => faults.into(),
        NotChanged::File(error) => unknown_client(error, &settings.paths, name),
    }
}
