//! `knock-spa completions`: what shells know of the command line.

use clap::CommandFactory;
use clap_complete::Shell;

use crate::failure::Failure;
use crate::io::terminal;

/// What the command line says.
#[derive(Clone, Copy, Debug, clap::Args)]
pub(crate) struct Options {
    /// The shell
    shell: Known,
}

/// The shells that are known here.
#[derive(Clone, Copy, Debug, clap::ValueEnum)]
enum Known {
    Bash,
    Zsh,
    Fish,
}

impl From<Known> for Shell {
    fn from(shell: Known) -> Self {
        match shell {
            Known::Bash => Self::Bash,
            Known::Zsh => Self::Zsh,
            Known::Fish => Self::Fish,
        }
    }
}

/// Prints the script for a shell that completes the command line `C`.
pub(crate) fn run<C: CommandFactory>(options: Options) -> Result<(), Failure> {
    let mut script = Vec::new();
    let mut command = C::command();
    let name = command.get_name().to_owned();
    clap_complete::generate(Shell::from(options.shell), &mut command, &name, &mut script);
    terminal::print(mended(&String::from_utf8_lossy(&script), &name).trim_end())
}

/// The script for bash calls the state after a subcommand by one name where it enters it, and by another where it looks
/// it up, if the program's name has a hyphen (<https://github.com/clap-rs/clap/issues/6421>). The other scripts have
/// neither.
fn mended(script: &str, name: &str) -> String {
    script.replace(&name.replace('-', "__subcmd__"), &name.replace('-', "__"))
}
