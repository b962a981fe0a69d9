//! The command line: one module for each family of commands.

mod check;
mod client;
mod columns;
mod daemon;
mod endpoint;
mod failure;
mod guard;
mod import;
mod init;
mod invite;
mod key;
mod knockd;
mod status;
mod terminal;

use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use clap::{CommandFactory, Parser, Subcommand};

use crate::cli::failure::Failure;
use crate::config::{self, Config};
use crate::io::process;

/// Opens ports to whoever proves who they are with one packet.
#[derive(Debug, Parser)]
#[command(name = "knock-spad", version, disable_help_subcommand = true)]
struct Cli {
    /// The configuration file.
    #[arg(long, global = true, value_name = "FILE", default_value = config::DEFAULT_FILE)]
    config: PathBuf,
    #[command(subcommand)]
    command: Option<Command>,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Read the configuration, the clients and the key, and say what is wrong or weak.
    Check(check::Arguments),
    /// Make the server's key and a first configuration; keep what there is.
    Init(init::Arguments),
    /// The server's keys: the one that clients are given, and the one before it.
    #[command(subcommand)]
    Key(key::Command),
    /// The enrolled clients.
    #[command(subcommand)]
    Client(client::Command),
    /// Invite a client: print the line by which a device enrols itself, once.
    Invite(Box<invite::Arguments>),
    /// Run the daemon, in the foreground.
    Run(daemon::RunArguments),
    /// The process that reads packets; the daemon starts it.
    #[command(name = process::LISTENER_WORD, hide = true)]
    Listener,
    /// Show what is open, for whom, until when, and how everything is.
    Status(status::Arguments),
    /// Open a door for an address, whoever may.
    Open(daemon::OpenArguments),
    /// End openings: of a door, of a client, or all of them.
    Close(daemon::CloseArguments),
    /// Have the daemon read the configuration and the clients again.
    Reload,
    /// The nftables table that shuts the doors.
    #[command(subcommand)]
    Guard(guard::Command),
    /// Configurations of other programs as ours.
    #[command(subcommand)]
    Import(import::Command),
}

/// Runs the command line that `arguments` is, the program's name first. The status is 0, 1 where `check` found
/// something wrong, or one of sysexits(3).
pub fn run(arguments: impl IntoIterator<Item = OsString>) -> ExitCode {
    let arguments: Vec<OsString> = arguments.into_iter().collect();
    if arguments.get(1).is_some_and(|word| word == process::BACKGROUND_WORD) {
        return knockd::run_in_background(arguments.get(1..).unwrap_or_default());
    }
    if knockd::is_meant(&arguments) {
        return knockd::run(&arguments);
    }
    let done = match Cli::try_parse_from(&arguments) {
        Ok(Cli { config, command: Some(command) }) => run_command(command, &config),
        Ok(Cli { command: None, .. }) => terminal::say(Cli::command().render_help()),
        Err(error) if error.use_stderr() => {
            Err(Failure { hint: invite::hint_on_words(&arguments), ..Failure::usage(&error) })
        }
        Err(help) => terminal::say(help.render()),
    };
    done.map_or_else(|failure| terminal::complain(&failure), |()| ExitCode::SUCCESS)
}

fn run_command(command: Command, config: &Path) -> Result<(), Failure> {
    match command {
        Command::Check(arguments) => check::run(config, &arguments),
        Command::Init(arguments) => init::run(config, arguments),
        Command::Key(command) => key::run(config, command),
        Command::Client(command) => client::run(config, command),
        Command::Invite(arguments) => invite::run(config, *arguments),
        Command::Run(arguments) => daemon::run(config, &arguments),
        Command::Listener => daemon::listen(),
        Command::Status(arguments) => status::run(config, &arguments),
        Command::Open(arguments) => daemon::open(config, &arguments),
        Command::Close(arguments) => daemon::close(config, &arguments),
        Command::Reload => daemon::reload(config),
        Command::Guard(command) => guard::run(config, &command),
        Command::Import(command) => import::run(&command),
    }
}

/// The configuration that a command needs.
fn load_config(path: &Path) -> Result<Config, Failure> {
    Config::load(path).map_err(Failure::of_config)
}
