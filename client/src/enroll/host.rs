//! The host that a server's line adds, or renews.

use knock_spa_keys::server::{ServerKey, ServerLine};

use crate::failure::{Failure, Status};
use crate::home::Home;
use crate::hosts::{Added, Alias, Hosts};
use crate::io::terminal;
use crate::render;

/// Adds the host, or renews what is known of it; says so, and what the user calls it.
pub(crate) fn add(home: &Home, alias: Option<Alias>, line: ServerLine) -> Result<Alias, Failure> {
    let key = line.key;
    let (alias, added, before) = home.change_hosts(|hosts| set(hosts, alias, line))?;
    terminal::say(match added {
        Added::New => render::host_added(&alias, key),
        Added::Renewed => render::host_renewed(&alias, before, key),
        Added::Known => render::host_known(&alias, key),
    });
    Ok(alias)
}

/// Adds the host; says under which name, what changed, and which key it had before.
fn set(
    hosts: &mut Hosts,
    alias: Option<Alias>,
    line: ServerLine,
) -> Result<(Alias, Added, Option<ServerKey>), Failure> {
    let alias = match alias {
        Some(alias) => alias,
        None => hosts.name_for(&line).map_err(|why| {
            Failure::new(Status::Data, "cannot tell which host this line is for")
                .because(format!("of the host that it names, {why}"))
                .hint("say which host it is, known or new: --host ALIAS")
        })?,
    };
    let before = hosts.find(&alias.to_string()).map(|profile| profile.line.key);
    let added = hosts.set(alias.clone(), line);
    Ok((alias, added, before))
}
