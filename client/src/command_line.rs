//! The command line.

use std::ffi::{OsStr, OsString};
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use clap::Parser as _;

use crate::close;
use crate::completions;
use crate::doctor;
use crate::enroll;
use crate::failure::{Failure, Status};
use crate::home::Home;
use crate::io::environment::{self, Environment};
use crate::io::{disk, terminal};
use crate::knock;
use crate::listing;
use crate::open;
use crate::passphrase;
use crate::passphrase::source::Source;
use crate::proxy;
use crate::services::{self, Database};
use crate::ssh_config;

/// Opens ports of servers that show none, with one packet.
#[derive(Debug, clap::Parser)]
#[command(name = "knock-spa", version, arg_required_else_help = true)]
struct CommandLine {
    /// Where this device's key and the known hosts are [default: ~/.config/knock-spa]
    #[arg(long, global = true, value_name = "DIR")]
    home: Option<PathBuf>,
    /// Reads the passphrase of this device's key from this descriptor, one on each line, instead of asking
    #[arg(long, global = true, value_name = "N")]
    passphrase_fd: Option<u16>,
    #[command(subcommand)]
    verb: Verb,
}

#[derive(Debug, clap::Subcommand)]
enum Verb {
    /// Makes this device's key, prints its public line, and adds a host
    Enroll(enroll::Options),
    /// Asks a server to open doors for this machine, and looks whether they are open
    Open(open::Options),
    /// Is a connection to a port that is shut: for ssh's ProxyCommand
    Proxy(proxy::Options),
    /// Asks a server to close what this device opened
    #[command(allow_missing_positional = true)]
    Close(close::Options),
    /// Looks for what is wrong between this device and a server
    Doctor(doctor::Options),
    /// Sends a classic knock: one packet for each port
    #[command(
        disable_help_flag = true,
        override_usage = "knock-spa knock [-u] [-d MS] [-4|-6] [-v] HOST PORT[:tcp|:udp]..."
    )]
    Knock {
        /// As for knockd's client; `knock-spa knock --help` shows it
        #[arg(trailing_var_arg = true, allow_hyphen_values = true, value_name = "WORDS")]
        words: Vec<OsString>,
    },
    /// Sets, changes or removes the passphrase of this device's key
    Passphrase(passphrase::Options),
    /// Lists, shows and forgets hosts
    #[command(subcommand)]
    Hosts(listing::Verb),
    /// Prints a block for ssh's configuration, with which plain ssh asks for its port first
    SshConfig(ssh_config::Options),
    /// Prints a script that completes this command line in a shell
    Completions(completions::Options),
}

/// The name under which the program is knockd's client.
const CLASSIC_NAME: &str = "knock";

/// Does what the words of the command line say, the first being how the program was called.
pub(crate) fn run(mut words: impl Iterator<Item = OsString>) -> ExitCode {
    let called = words.next().unwrap_or_default();
    if Path::new(&called).file_name().is_some_and(|name| name == CLASSIC_NAME) {
        return knock::run(words, services);
    }
    let command_line = match CommandLine::try_parse_from(std::iter::once(called.clone()).chain(words)) {
        Ok(command_line) => command_line,
        Err(error) => return tell(&error),
    };
    match obey(command_line, &called) {
        Ok(status) => status,
        Err(failure) => {
            terminal::say(&failure);
            ExitCode::from(failure.exit_code())
        }
    }
}

/// Shows what was asked for, such as help, or what is wrong with the command line.
fn tell(error: &clap::Error) -> ExitCode {
    error.print().unwrap_or_default();
    if error.use_stderr() { Status::Usage.into() } else { ExitCode::SUCCESS }
}

fn obey(command_line: CommandLine, called: &OsStr) -> Result<ExitCode, Failure> {
    let environment = Environment::read();
    let named = command_line.home.as_deref();
    let home = || {
        let passphrases = Source::new(command_line.passphrase_fd)?;
        Home::locate(command_line.home.clone(), &environment).map(|home| home.with_passphrases(passphrases))
    };
    let done = match command_line.verb {
        Verb::Knock { words } => return Ok(knock::run(words.into_iter(), services)),
        Verb::Enroll(options) => {
            let host = environment::host_name();
            let device = enroll::device_name(environment.user.as_deref(), host.as_deref());
            enroll::run(options, &home()?, &services(), device)
        }
        Verb::Open(options) => open::run(&options, &home()?, &services()),
        Verb::Close(options) => close::run(options, &home()?),
        Verb::Passphrase(options) => passphrase::run(options, &home()?),
        Verb::Proxy(options) => proxy::run(&options, &home()?),
        Verb::Doctor(options) => doctor::run(&options, &home()?, &services()),
        Verb::SshConfig(options) => ssh_config::run(&options, &home()?, called, named),
        Verb::Completions(options) => completions::run::<CommandLine>(options),
        Verb::Hosts(verb) => listing::run(verb, &home()?),
    };
    done.map(|()| ExitCode::SUCCESS)
}

/// The services database of this machine. One that is missing or unreadable knows no service.
fn services() -> Database {
    let read = disk::read(Path::new("/etc/services"), services::MAX_LEN);
    read.map(|contents| Database::new(contents.text.as_str().to_owned())).unwrap_or_default()
}
