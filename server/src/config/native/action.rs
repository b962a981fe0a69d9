//! What opening a door does: `"guard"`, or the administrator's sets or commands.

use std::time::Duration;

use knock_spa_engine::command::{CommandAction, Template};
use knock_spa_engine::set::{SetAction, SetName};

use crate::config::draft::ActionDraft;
use crate::config::table::{Entry, Given, Place, Reader, Table, escape};

/// The longest command, in bytes, all its words together. The closing command is kept with every opening.
const MAX_COMMAND_LEN: usize = 4096;
/// The most words of a command.
const MAX_WORDS: usize = 64;

/// The longest that a command may take: while it runs, its door is neither open nor shut.
const MAX_TIMEOUT: Duration = Duration::from_secs(600);

const ACTION_HINT: &str = "\"guard\", or sets: { set4 = \"inet filter knock4\", set6 = ... }, or commands: { start = \
                           [\"PROGRAM\", \"%IP%\"], stop = [...] }";
const SET_HINT: &str = "like \"inet filter knock4\", as in `nft list set inet filter knock4`";
/// What both kinds of tables together can have.
const SET_KEYS: [&str; 2] = ["set4", "set6"];
const COMMAND_HINT: &str = "a string for /bin/sh -c, or an array of a program and its arguments";

pub(super) fn read(entry: Entry<'_>, reader: &mut Reader) -> Option<ActionDraft> {
    let place = entry.place.clone();
    if entry.is_table() {
        let table = entry.into_inline_table(reader)?;
        if SET_KEYS.iter().any(|key| table.has(key)) {
            return Some(ActionDraft::Set(sets(&place, table, reader)));
        }
        return Some(ActionDraft::Command(commands(&place, table, reader)));
    }
    let text = entry.text(reader)?;
    if text == "guard" {
        return Some(ActionDraft::Guard);
    }
    place.fault(format_args!("\"{}\": unknown action", escape(&text)), Some(ACTION_HINT), reader);
    None
}

fn sets(place: &Place, mut table: Table<'_>, reader: &mut Reader) -> Option<SetAction> {
    let mut set =
        |key| table.read(key, reader, |entry, reader| entry.parse::<SetName>(Some(SET_HINT), reader));
    let [set4, set6] = SET_KEYS.map(&mut set);
    table.finish(reader);
    if matches!(set4, Given::Faulty) || matches!(set6, Given::Faulty) {
        return None;
    }
    let sets = SetAction { set4: set4.into_value(), set6: set6.into_value() };
    if sets.set4 == sets.set6 {
        place.fault("set4 and set6 are the same set", Some("a set has addresses of one family"), reader);
        return None;
    }
    Some(sets)
}

fn commands(place: &Place, mut table: Table<'_>, reader: &mut Reader) -> Option<CommandAction> {
    let start = table.read("start", reader, command);
    let stop = table.read("stop", reader, command);
    let start6 = table.read("start6", reader, command);
    let stop6 = table.read("stop6", reader, command);
    let timeout = table.read("timeout", reader, timeout);
    if start.is_absent() {
        place.fault("no start command", Some(ACTION_HINT), reader);
    }
    table.finish(reader);
    Some(CommandAction {
        start: start.into_value()?,
        stop: stop.into_value(),
        start6: start6.into_value(),
        stop6: stop6.into_value(),
        timeout: timeout.into_value().unwrap_or(CommandAction::DEFAULT_TIMEOUT),
    })
}

fn timeout(entry: Entry<'_>, reader: &mut Reader) -> Option<Duration> {
    let place = entry.place.clone();
    let timeout = super::span(entry, reader)?;
    if timeout > MAX_TIMEOUT {
        place.fault("longer than 10m", Some("a command that changes a firewall takes milliseconds"), reader);
    }
    Some(timeout)
}

fn command(entry: Entry<'_>, reader: &mut Reader) -> Option<Template> {
    let place = entry.place.clone();
    let template = if entry.is_list() {
        let words = entry.list(MAX_WORDS, reader, Entry::text)?;
        Template::Argv(words.into_iter().map(|word| word.value).collect())
    } else {
        Template::Shell(entry.text(reader)?)
    };
    match fault_of(&template) {
        None => Some(template),
        Some(what) => {
            place.fault(what, Some(COMMAND_HINT), reader);
            None
        }
    }
}

fn fault_of(template: &Template) -> Option<&'static str> {
    let (words, is_empty) = match template {
        Template::Shell(line) | Template::Knockd(line) => {
            (std::slice::from_ref(line), line.trim().is_empty())
        }
        Template::Argv(words) => (words.as_slice(), words.first().is_none_or(String::is_empty)),
    };
    let len = words.iter().fold(0, |sum: usize, word| sum.saturating_add(word.len()));
    if is_empty {
        Some("an empty command")
    } else if words.iter().any(|word| word.contains('\0')) {
        Some("a zero byte in a command")
    } else if len > MAX_COMMAND_LEN {
        Some("a command of more than 4096 bytes")
    } else {
        None
    }
}
