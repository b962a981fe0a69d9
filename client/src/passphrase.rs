//! `knock-spa passphrase`: sets, changes and removes the passphrase of this device's key.

pub(crate) mod source;

use crate::failure::Failure;
use crate::home::Home;
use crate::io::terminal;

/// What the command line says.
#[derive(Clone, Copy, Debug, clap::Args)]
pub(crate) struct Options {
    /// Does without a passphrase from now on
    #[arg(long)]
    remove: bool,
}

/// Keeps the key as before, under another passphrase or under none.
pub(crate) fn run(options: Options, home: &Home) -> Result<(), Failure> {
    let before = home.kept_key()?;
    let was_sealed = before.key.is_sealed();
    if options.remove && !was_sealed {
        terminal::say("this device's key has no passphrase");
        return Ok(());
    }
    let key = home.unlock(before.key)?;
    let passphrase = if options.remove { None } else { Some(home.passphrases().choose()?) };
    home.replace_key(&before.text, &key, passphrase.as_ref())?;
    terminal::say(match (options.remove, was_sealed) {
        (true, _) => "removed the passphrase: whoever reads the file can use the key",
        (false, true) => "changed the passphrase",
        (false, false) => "set the passphrase: whoever has it and the file can use the key, and nobody else",
    });
    Ok(())
}
