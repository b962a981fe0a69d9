//! `knock-spad status`.

use std::fmt::Write;
use std::path::Path;

use clap::Args;
use knock_spa_proto::control::{
    Command, GuardStatus, Health, KnockdDoorStatus, OpeningStatus, RefusalStatus, Reply, RunStatus,
    SetStatus, Status, TrialStatus,
};

use crate::cli::failure::{Exit, Failure};
use crate::cli::key::key_words;
use crate::cli::{daemon, guard, load_config, terminal};

#[derive(Debug, Args)]
pub(super) struct Arguments {
    /// For programs: one JSON object.
    #[arg(long)]
    json: bool,
}

pub(super) fn run(config: &Path, arguments: &Arguments) -> Result<(), Failure> {
    let settings = load_config(config)?.settings;
    let status = match daemon::ask(config, &settings.paths, Command::Status)? {
        Reply::Status(status) => status,
        reply @ (Reply::ClientsReloaded(_)
        | Reply::LastUses { .. }
        | Reply::Done { .. }
        | Reply::Failed { .. }) => {
            return daemon::done(reply).map(drop);
        }
    };
    if arguments.json {
        let text = serde_json::to_string_pretty(&status).map_err(|error| Failure::new(Exit::Io, error))?;
        return terminal::say(text);
    }
    terminal::say(words(&status))?;
    if let GuardStatus::Up { .. } = status.guard {
        guard::advice::give(&settings);
    }
    Ok(())
}

fn words(status: &Status) -> String {
    let mut text = String::new();
    for door in &status.doors {
        let ports = door.ports.join(", ");
        line(&mut text, &format!("door {} ({ports}; {}): open for {}", door.name, door.action, door.open));
    }
    status.openings.iter().for_each(|opening| line(&mut text, &format!("  {}", opening_words(opening))));
    status.knockd_doors.iter().for_each(|door| line(&mut text, &knockd_door_words(door)));
    status.runs.iter().for_each(|run| line(&mut text, &format!("  {}", run_words(run))));
    line(&mut text, &format!("guard: {}", guard_words(&status.guard)));
    status.sets.iter().for_each(|set| line(&mut text, &set_words(set)));
    let listener = if status.listener.ready { "listening" } else { "not listening" };
    line(&mut text, &format!("listener: {listener}, started again {} times", status.listener.restarts));
    for name in &status.listener.missing_interfaces {
        line(&mut text, &format!("interface {name}: NOT THERE; nothing is heard on it"));
    }
    if status.journal == Health::Failed {
        line(&mut text, "journal: CAN'T BE WRITTEN: command doors refuse; mend the disk");
    }
    if status.failing_closes.retried > 0 {
        line(
            &mut text,
            &format!("closing: {} stop commands failed and are tried again", status.failing_closes.retried),
        );
    }
    if status.failing_closes.need_attention > 0 {
        let count = status.failing_closes.need_attention;
        line(
            &mut text,
            &format!("closing: {count} STOP COMMANDS WERE GIVEN UP: look whether those doors are open"),
        );
    }
    let counters = &status.counters;
    line(&mut text, &format!("packets: {} received, {} accepted", counters.received, counters.accepted));
    for (reason, count) in counters.refused.iter().filter(|(_, count)| **count > 0) {
        line(&mut text, &format!("  {count} {reason}"));
    }
    line(&mut text, &format!("clients: {}; invited: {}", status.clients, status.invitations));
    wrong_clocks(&status.refusals).iter().for_each(|words| line(&mut text, &format!("  {words}")));
    if status.server_keys.len() > 1 {
        status.server_keys.iter().for_each(|key| line(&mut text, &key_words(key)));
    }
    if let Some(why) = &status.unusable_previous_key {
        line(&mut text, &format!("PREVIOUS KEY CAN'T BE USED, its clients are refused: {why}"));
    }
    text
}

fn line(text: &mut String, line: &str) {
    // Writing into a string cannot fail.
    writeln!(text, "{line}").unwrap_or_default();
}

/// Clients whose clock was wrong lately: each as it was the last time, the latest at the end.
fn wrong_clocks(refusals: &[RefusalStatus]) -> Vec<String> {
    let mut clocks: Vec<(&str, &str)> = Vec::new();
    for refusal in refusals {
        if let (Some(client), Some(clock)) = (&refusal.client, &refusal.clock) {
            clocks.retain(|(other, _)| other != client);
            clocks.push((client, clock));
        }
    }
    let words = |(client, clock)| format!("{client}'s clock is {clock}: its packets are refused as stale");
    clocks.into_iter().map(words).collect()
}

fn opening_words(opening: &OpeningStatus) -> String {
    let left = opening.left.map_or_else(|| "until it is closed".into(), |left| format!("for {left} s more"));
    format!("{} for {}, {left}, by {}", opening.door, opening.address, opening.by)
}

fn knockd_door_words(door: &KnockdDoorStatus) -> String {
    let KnockdDoorStatus { name, can_be_knocked, open } = door;
    let exhausted = if *can_be_knocked { "" } else { "; NOTHING OPENS IT: no sequence is left" };
    format!("door {name} (knockd's manner): open {open} times{exhausted}")
}

fn run_words(run: &RunStatus) -> String {
    let left = run.left.map_or_else(|| "its command runs".into(), |left| format!("for {left} s more"));
    format!("{} for {}, {left}, by a knock", run.door, run.address)
}

fn trial_words(trial: &TrialStatus) -> String {
    format!(" ON TRIAL for {} s more, and kept by `knock-spad guard confirm`", trial.left)
}

fn set_words(SetStatus { set, fault, refilled }: &SetStatus) -> String {
    match fault {
        Some(why) => format!("set {set}: FAILED: {why}"),
        None => format!("set {set}: good, filled again {refilled} times"),
    }
}

fn guard_words(guard: &GuardStatus) -> String {
    match guard {
        GuardStatus::NotNeeded => "not needed: no door has it".into(),
        GuardStatus::Down { why } => format!("DOWN, its doors stand open: {why}"),
        GuardStatus::Up { rebuilt, slipped_in, trial } => {
            let trial = trial.as_ref().map(trial_words).unwrap_or_default();
            let slipped_in = match slipped_in {
                0 => String::new(),
                count => format!("; {count} CONNECTIONS WERE MADE WHILE IT WAS GONE, see the log"),
            };
            format!("up{trial}, built again {rebuilt} times{slipped_in}")
        }
        GuardStatus::Failed { why } => format!("FAILED: {why}"),
    }
}
