//! How everything is, in words.

use knock_spa_proto::control::{
    CloseState, CloseStatus, GuardStatus, Health, KnockdDoorStatus, OpeningStatus, RefusalStatus, RunStatus,
    SetStatus, Status, TrialStatus,
};

use crate::cli::key::key_words;
use crate::clients::date::Moment;

/// A line, and whether somebody must look at it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Line {
    pub(super) text: String,
    pub(super) red: bool,
}

/// Lines as they are added.
#[derive(Default)]
struct Lines(Vec<Line>);

impl Lines {
    fn plain(&mut self, text: &str) {
        self.add(text, false);
    }

    fn red(&mut self, text: &str) {
        self.add(text, true);
    }

    /// A fault may have several lines.
    fn add(&mut self, text: &str, red: bool) {
        self.0.extend(text.lines().map(|text| Line { text: text.into(), red }));
    }
}

/// Everything that a person wants to know.
pub(super) fn words(status: &Status) -> Vec<Line> {
    let mut lines = Lines::default();
    doors(status, &mut lines);
    health(status, &mut lines);
    counters(status, &mut lines);
    lines.0
}

fn doors(status: &Status, lines: &mut Lines) {
    for door in &status.doors {
        let ports = door.ports.join(", ");
        lines.plain(&format!("door {} ({ports}; {}): open for {}", door.name, door.action, door.open));
    }
    status.openings.iter().for_each(|opening| lines.plain(&format!("  {}", opening_words(opening))));
    for door in &status.knockd_doors {
        lines.add(&knockd_door_words(door), !door.can_be_knocked);
    }
    status.runs.iter().for_each(|run| lines.plain(&format!("  {}", run_words(run))));
    for close in &status.closes {
        lines.add(&close_words(close), close.state == CloseState::NeedsAttention);
    }
}

fn health(status: &Status, lines: &mut Lines) {
    let is_bad = match &status.guard {
        GuardStatus::Failed { .. } | GuardStatus::Down { .. } => true,
        GuardStatus::Up { slipped_in, .. } => *slipped_in > 0,
        GuardStatus::NotNeeded => false,
    };
    lines.add(&format!("guard: {}", guard_words(&status.guard)), is_bad);
    status.sets.iter().for_each(|set| lines.add(&set_words(set), set.fault.is_some()));
    let listener = if status.listener.ready { "listening" } else { "not listening" };
    let listener = format!("listener: {listener}, started again {} times", status.listener.restarts);
    lines.add(&listener, !status.listener.ready);
    for name in &status.listener.missing_interfaces {
        lines.red(&format!("interface {name}: NOT THERE; nothing is heard on it"));
    }
    match status.journal {
        Health::Good => lines.plain("journal: good"),
        Health::Failed => lines.red("journal: CAN'T BE WRITTEN: command doors refuse; mend the disk"),
    }
    if let Some(why) = &status.audit.fault {
        lines.red(&format!("audit file: CAN'T BE WRITTEN: {why}"));
    }
    if status.audit.left_out > 0 {
        lines.plain(&format!("audit: {} events left out", status.audit.left_out));
    }
    if status.failing_closes.retried > 0 {
        let count = status.failing_closes.retried;
        lines.plain(&format!("closing: {count} stop commands failed and are tried again"));
    }
    if status.failing_closes.need_attention > 0 {
        let count = status.failing_closes.need_attention;
        lines
            .red(&format!("closing: {count} STOP COMMANDS WERE GIVEN UP: look whether those doors are open"));
    }
}

fn counters(status: &Status, lines: &mut Lines) {
    let counters = &status.counters;
    lines.plain(&format!("packets: {} received, {} accepted", counters.received, counters.accepted));
    for (reason, count) in counters.refused.iter().filter(|(_, count)| **count > 0) {
        lines.plain(&format!("  {count} {reason}"));
    }
    lines.plain(&format!("clients: {}; invited: {}", status.clients, status.invitations));
    wrong_clocks(&status.refusals).iter().for_each(|words| lines.plain(&format!("  {words}")));
    if status.server_keys.len() > 1 {
        status.server_keys.iter().for_each(|key| lines.plain(&key_words(key)));
    }
    if let Some(why) = &status.unusable_previous_key {
        lines.red(&format!("PREVIOUS KEY CAN'T BE USED, its clients are refused: {why}"));
    }
}

fn close_words(close: &CloseStatus) -> String {
    let port = close.port.as_ref().map(|port| format!(" {port}")).unwrap_or_default();
    let ended = close.ended.as_ref().map(|ended| format!(" ({ended})")).unwrap_or_default();
    let state = match (close.state, close.next) {
        (CloseState::Running, _) => format!("its stop command runs{ended}"),
        (CloseState::Retried, next) => {
            let next = next.map(|next| format!(" at {}", Moment::at_secs(next))).unwrap_or_default();
            format!("its stop command failed{ended}, and runs again{next}")
        }
        (CloseState::NeedsAttention, _) => format!("NEEDS ATTENTION: its stop command was given up{ended}"),
    };
    format!("  closing {}{port} for {}: {state}", close.door, close.address)
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
    let OpeningStatus { door, address, by, origin, since, .. } = opening;
    format!("{door} for {address}, {left}, by {by} ({origin}), since {}", Moment::at_secs(*since))
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
