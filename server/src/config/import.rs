//! A configuration in the native dialect that means what one in knockd's does, with what is weak in it.

mod advice;
mod firewall;
mod guard;
mod toml;

use std::io;
use std::path::Path;
use std::time::Duration;

use knock_spa_engine::knockd::{Again, KnockdCommands};
use knock_spa_proto::knock::{ClassicKnock, FlagRule, Repeats, Step, TimeLimit};
use knock_spa_proto::port::Transport;

use crate::config::import::advice::Advice;
use crate::config::import::guard::Guards;
use crate::config::import::toml::Text;
use crate::config::knockd::{FileDoor, KnockdFile, KnockdOptions};
use crate::config::lower::BASE;
use crate::config::named_files::NamedFiles;
use crate::config::native::FLAG_NAMES;
use crate::config::settings::{Interfaces, Link, Listen};
use crate::config::table::escape;
use crate::config::{KnockdError, as_knockd};

/// Seconds for a sequence, and from start to stop, where nobody says.
const DEFAULTS: (u32, Duration) = (25, Duration::from_secs(10));

/// The text of a native configuration that means the same as knockd's file `path`. Relative paths in that begin at `/`.
///
/// # Errors
/// [`KnockdError`].
pub fn native(files: &mut dyn NamedFiles, path: &Path) -> Result<String, KnockdError> {
    let file = as_knockd::read_with(&mut Unexhausted(files), path)?;
    let mut text = Text::default();
    header(path, &mut text);
    listen(&file, &mut text);
    log(&file.options, &mut text);
    let mut advice = Advice::new();
    let mut guards = Guards::beside(&file.doors);
    for door in &file.doors {
        write_door(door, &mut advice, &mut guards, &mut text);
    }
    Ok(text.into_string())
}

/// Files of one-time sequences as if none were used up: what else a door says does not depend on them.
struct Unexhausted<'files>(&'files mut dyn NamedFiles);

impl NamedFiles for Unexhausted<'_> {
    fn knockd(&mut self, path: &Path) -> io::Result<(Vec<u8>, u32)> {
        self.0.knockd(path)
    }

    fn one_time(&mut self, path: &Path) -> io::Result<Vec<u8>> {
        self.0.one_time(path).map(|_| b"0\n".to_vec())
    }
}

fn header(path: &Path, text: &mut Text) {
    text.comment(&format!(
        "Made from {} by `knock-spad import knockd`: its doors, with the same commands. `knock-spad check` tells what \
         is weak in them, and so do the comments below. Keep this file for root alone: it holds sequences.",
        escape(&path.display().to_string())
    ));
    text.comment("");
    text.comment("What is different from knockd; docs/knockd-compat.md has all of it:");
    for difference in [
        "what is open is remembered: a restart, a crash or a boot loses no stop command",
        "an attempt that fails or takes too long ends no other address's",
        "a reload that finds a mistake changes nothing, where knockd would end",
        "all addresses of this machine count, of IPv4 and IPv6, also those that come later, on links of all kinds",
        "options of knockd's command line are not in its file: -i is [listen] interfaces, -g is [log] file",
        "enrolled clients can open doors with one packet, and for that there is a key: `knock-spad init` makes it",
    ] {
        text.comment(&format!("- {difference}"));
    }
}

fn listen(file: &KnockdFile, text: &mut Text) {
    text.blank();
    let names = interfaces(file.options.interface.as_deref(), text);
    let spa_port = spa_port(&file.doors);
    if names.is_empty() && spa_port.is_none() {
        return;
    }
    text.header("[listen]");
    if !names.is_empty() {
        text.list("interfaces", &names);
    }
    if let Some(port) = spa_port {
        text.comment("The usual port, 62201, is in a sequence, and packets can't arrive there too.");
        text.value("spa-port", port);
    }
}

/// The interfaces to listen on; without any, all but loopback. Says what is different from knockd.
fn interfaces(interface: Option<&str>, text: &mut Text) -> Vec<String> {
    let Some(interface) = interface else {
        text.comment(
            "No interface was named, and so knockd listened on eth0, or on what -i said. Here it is all but loopback; \
             `interfaces = [\"eth0\"]` in [listen] narrows that.",
        );
        return Vec::new();
    };
    let links = match as_knockd::interfaces(interface, false) {
        Ok(Interfaces::Owning(links)) => links,
        Ok(
            Interfaces::AllButLoopback | Interfaces::All | Interfaces::Named(_) | Interfaces::Default { .. },
        ) => {
            text.comment("Interface was any; here it is all but loopback, and their addresses count.");
            return Vec::new();
        }
        Err(name) => {
            text.comment(&format!("Interface: \"{}\" is no interface's name: left out.", escape(&name)));
            return Vec::new();
        }
    };
    let mut names = Vec::new();
    for Link { name, label, .. } in links {
        let name = name.to_string();
        if label != name {
            let label = escape(&label);
            text.comment(&format!(
                "Only the addresses labelled {label} counted; here all of this machine do."
            ));
        }
        if !names.contains(&name) {
            names.push(name);
        }
    }
    names
}

/// Another port for packets, where a sequence or a door has the usual one.
fn spa_port(doors: &[FileDoor]) -> Option<u16> {
    let is_taken = |port: u16| {
        doors.iter().any(|door| {
            let mut steps = door.door.knock.iter().flat_map(|knock| knock.sequence.steps());
            let mut ports = door.spa.iter().flat_map(|spa| &spa.ports);
            steps.any(|step| (step.transport, step.port) == (Transport::Udp, port))
                || ports.any(|at| (at.transport, at.port.get()) == (Transport::Udp, port))
        })
    };
    let usual = Listen::DEFAULT_SPA_PORT.get();
    if is_taken(usual) { (usual..=u16::MAX).find(|port| !is_taken(*port)) } else { None }
}

fn log(options: &KnockdOptions, text: &mut Text) {
    let file = options.log_file.as_ref().filter(|path| !path.as_os_str().is_empty());
    let file = file.map(|path| Path::new(BASE).join(path));
    if file.is_none() && !options.syslog {
        return;
    }
    text.blank();
    text.header("[log]");
    if let Some(file) = file {
        text.string("file", &file.to_string_lossy());
    }
    if options.syslog {
        text.value("syslog", true);
    }
}

fn write_door(door: &FileDoor, advice: &mut Advice, guards: &mut Guards, text: &mut Text) {
    text.blank();
    for remark in advice.of(door) {
        text.comment(&remark);
    }
    let Some(knock) = &door.door.knock else {
        return;
    };
    guards.suggest(door, text);
    text.header("[[knockd.door]]");
    text.string("name", &advice::plain_name(&door.door.name));
    write_knock(knock, door, text);
    write_commands(&door.door.commands, text);
    if let Some(spa) = door.spa.as_ref().filter(|_| advice::runs(&door.door.commands)) {
        let ports: Vec<_> = spa.ports.iter().map(ToString::to_string).collect();
        let (name, ports) = (toml::quoted(&spa.name.to_string()), toml::array(&ports));
        text.value("spa", format_args!("{{ name = {name}, ports = {ports} }}"));
    }
}

fn write_knock(knock: &ClassicKnock, door: &FileDoor, text: &mut Text) {
    if door.one_time.as_ref().is_none_or(|from| from.begins_elsewhere) {
        let steps: Vec<_> = knock.sequence.steps().iter().copied().map(step).collect();
        text.list("sequence", &steps);
    }
    if let Some(from) = &door.one_time {
        text.string("one-time-sequences", &Path::new(BASE).join(&from.file).to_string_lossy());
    }
    if let TimeLimit::WholeSeconds(seconds) = knock.within
        && seconds != DEFAULTS.0
    {
        text.value("sequence-seconds", seconds);
    }
    let flags = flags(knock.flags);
    if !flags.is_empty() {
        text.list("tcp-flags", &flags);
    }
    if let Some(target) = knock.target {
        text.string("target", &target.to_string());
    }
    if knock.repeats == Repeats::Tolerated {
        text.string("repeats", "tolerated");
    }
    if !knock.cooldown.is_zero() {
        text.string("cooldown", &seconds(knock.cooldown));
    }
}

fn step(step: Step) -> String {
    match step.transport {
        Transport::Tcp => step.port.to_string(),
        Transport::Udp => format!("{}/udp", step.port),
    }
}

fn flags(rule: FlagRule) -> Vec<String> {
    let required = FLAG_NAMES.iter().filter(|(_, bit)| rule.required() & bit != 0);
    let forbidden = FLAG_NAMES.iter().filter(|(_, bit)| rule.forbidden() & bit != 0);
    let required = required.map(|(name, _)| (*name).to_owned());
    required.chain(forbidden.map(|(name, _)| format!("!{name}"))).collect()
}

fn write_commands(commands: &KnockdCommands, text: &mut Text) {
    let KnockdCommands { start, stop, start6, stop6, stop_after, again } = commands;
    for (key, line) in [("start", start), ("stop", stop), ("start6", start6), ("stop6", stop6)] {
        if let Some(line) = line {
            text.string(key, line);
        }
    }
    match stop_after {
        None => text.string("stop-after", "never"),
        Some(span) if *span != DEFAULTS.1 => text.string("stop-after", &seconds(*span)),
        Some(_) => {}
    }
    if *again == Again::Extend {
        text.string("again", "extend");
    }
}

fn seconds(span: Duration) -> String {
    format!("{}s", span.as_secs())
}
