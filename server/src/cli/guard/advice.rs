//! What is said before the guard goes up, and while it stands.

use std::collections::BTreeSet;

use crate::addresses::Addresses;
use crate::cli::terminal;
use crate::config::settings::Settings;
use crate::guard::warning::{Plans, RemoteSession, Warning, doors, warnings};
use crate::io::ancestors;
use crate::nft::{Guard, NftError, Survey};

/// Everything that an administrator should know of the guard of this configuration, on this machine as it is.
pub(in crate::cli) fn found(settings: &Settings) -> Vec<Warning> {
    let doors = doors(settings);
    let open: BTreeSet<_> =
        shown().into_iter().flat_map(|shown| shown.open).map(|(element, _)| element).collect();
    let trusted = &settings.guard.trusted;
    let own_at_trusted = Addresses::at_trusted(trusted);
    let plans = Plans { doors: &doors, trusted, own_at_trusted: &own_at_trusted, open: &open };
    let session = ancestors::variable("SSH_CONNECTION").and_then(|text| text.parse::<RemoteSession>().ok());
    warnings(plans, session, &survey())
}

/// Says all of it.
pub(in crate::cli) fn give(settings: &Settings) {
    for warning in found(settings) {
        terminal::note(format_args!("warning: {warning}"));
    }
}

fn shown() -> Option<crate::nft::Shown> {
    Guard::connect().map_err(NftError::from).and_then(|mut guard| guard.show()).ok().flatten()
}

/// Without the right to read the ruleset, nothing is said of it.
fn survey() -> Survey {
    Survey::read().unwrap_or_else(|error| {
        if !matches!(error, NftError::NotPermitted(_)) {
            terminal::note(format_args!("warning: other tables of nftables were not looked at: {error}"));
        }
        Survey::default()
    })
}
