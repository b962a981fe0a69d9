//! A door as the file gives it, directive by directive.

use std::collections::BTreeMap;
use std::path::Path;
use std::time::Duration;

use knock_spa_engine::knockd::{Again, KnockdCommands, KnockdDoor};
use knock_spa_proto::knock::{ClassicKnock, FlagRule, Repeats, Sequence, TimeLimit, Uses};

use crate::config::knockd::complaints::{Complaints, Wording};
use crate::config::knockd::keys::DoorKey;
use crate::config::knockd::numbers::{atoi, is_plain};
use crate::config::knockd::target::Target;
use crate::config::knockd::{FileDoor, FileOneTime, Open, SpaLine, flags, one_time, sequence};
use crate::config::table::{At, escape};

/// Seconds for the whole sequence, unless the file says otherwise.
const DEFAULT_SEQ_TIMEOUT: i32 = 25;
/// Seconds until the stop command, unless the file says otherwise.
const DEFAULT_CMD_TIMEOUT: i32 = 10;

/// What opens a door.
#[derive(Debug)]
pub(super) enum SequenceDraft {
    /// Nothing was said.
    Unset,
    /// It was complained of.
    Faulty,
    /// Nothing any more: the file of its one-time sequences is used up.
    Exhausted,
    /// This.
    Steps(At<Sequence>),
}

/// A door on its way.
#[derive(Debug)]
pub(super) struct DoorDraft {
    /// The line of its header.
    pub line: usize,
    /// Its name.
    pub name: String,
    /// Where each of its directives stood last.
    pub seen: BTreeMap<DoorKey, usize>,
    /// What opens it.
    pub sequence: SequenceDraft,
    /// Where its next sequences are.
    pub one_time: Option<FileOneTime>,
    /// In seconds; zero or less ends every attempt at once.
    pub seq_timeout: i32,
    /// In seconds; never where negative.
    pub cmd_timeout: i32,
    /// Where to knock.
    pub target: Target,
    /// Its command lines.
    pub commands: KnockdCommands,
    /// What opens it for clients with keys.
    pub spa: Option<At<SpaLine>>,
    /// Which TCP segments count.
    pub flags: FlagRule,
    /// What repeated hits do.
    pub repeats: Repeats,
    /// For so long it does not open again for one address.
    pub cooldown: Duration,
}

/// One directive of a door.
#[derive(Clone, Copy, Debug)]
pub(super) struct Directive<'v> {
    /// Its line.
    pub line: usize,
    /// Which it is.
    pub key: DoorKey,
    /// Its value.
    pub value: &'v str,
}

impl DoorDraft {
    /// A door of which nothing but its name is known.
    pub(super) fn new(line: usize, name: String) -> Self {
        Self {
            line,
            name,
            seen: BTreeMap::new(),
            sequence: SequenceDraft::Unset,
            one_time: None,
            seq_timeout: DEFAULT_SEQ_TIMEOUT,
            cmd_timeout: DEFAULT_CMD_TIMEOUT,
            target: Target::Own,
            commands: KnockdCommands::default(),
            spa: None,
            flags: FlagRule::default(),
            repeats: Repeats::Fail,
            cooldown: Duration::ZERO,
        }
    }

    /// The name as it is shown, with a directive.
    pub(super) fn place(&self, key: DoorKey) -> String {
        format!("[{}] {}", escape(&self.name), key.name())
    }

    /// The line in which a directive stood last; that of the door where it did not.
    pub(super) fn line_of(&self, key: DoorKey) -> usize {
        self.seen.get(&key).copied().unwrap_or(self.line)
    }

    /// Takes one directive.
    pub(super) fn take(&mut self, directive: Directive<'_>, complaints: &mut Complaints, open: Open<'_>) {
        self.notice_repeat(directive, complaints);
        let Directive { line, key, value } = directive;
        match key {
            DoorKey::Sequence => self.take_sequence(directive, complaints),
            DoorKey::OneTimeSequences => self.take_one_time(directive, complaints, open),
            DoorKey::SeqTimeout => self.seq_timeout = self.seconds(directive, complaints),
            DoorKey::CmdTimeout => self.cmd_timeout = self.seconds(directive, complaints),
            DoorKey::TcpFlags => self.take_flags(directive, complaints),
            DoorKey::Target => self.target = Target::read(value),
            DoorKey::StartCommand => self.commands.start = Some(value.to_owned()),
            DoorKey::StopCommand => self.commands.stop = Some(value.to_owned()),
            DoorKey::StartCommand6 => self.commands.start6 = Some(value.to_owned()),
            DoorKey::StopCommand6 => self.commands.stop6 = Some(value.to_owned()),
            DoorKey::Refresh | DoorKey::TolerateRepeats | DoorKey::SeqCooldown | DoorKey::Spa => {
                if let Err(wrong) = self.take_addition(directive) {
                    let what = format!("{}: {}", self.place(key), wrong.what);
                    complaints.fault(line, &Wording::Syntax, what, &wrong.hint);
                }
            }
        }
    }

    fn notice_repeat(&mut self, directive: Directive<'_>, complaints: &mut Complaints) {
        let Directive { line, key, .. } = directive;
        let before = self.seen.insert(key, line);
        if let Some(before) = before.filter(|_| key != DoorKey::TcpFlags) {
            let what =
                format!("{}: stands here again, so that line {before} does not count", self.place(key));
            complaints.warn(line, what, None);
        }
    }

    /// Its value as a number of seconds.
    fn seconds(&self, directive: Directive<'_>, complaints: &mut Complaints) -> i32 {
        let Directive { line, key, value } = directive;
        let number = atoi(value.as_bytes());
        if !is_plain(value.as_bytes()) {
            let what = format!("{}: \"{}\" is taken for {number}", self.place(key), escape(value));
            complaints.warn(line, what, Some("write a number of seconds, and nothing behind it"));
        }
        number
    }

    fn take_sequence(&mut self, directive: Directive<'_>, complaints: &mut Complaints) {
        let Directive { line, key, value } = directive;
        let place = self.place(key);
        self.sequence = match sequence::read(value.as_bytes()) {
            Ok(reading) => {
                if !reading.oddities.is_empty() {
                    let what = format!("{place}: {}", reading.oddities.join("; "));
                    complaints.warn(line, what, Some("write PORT or PORT:udp, with commas between"));
                }
                SequenceDraft::Steps(At { line, value: reading.sequence })
            }
            Err(wrong) => {
                let hint = wrong.hint();
                let what = format!("{place}: {}", escape(&wrong.to_string()));
                complaints.fault(line, &Wording::Sequence(self.name.clone(), wrong), what, hint);
                SequenceDraft::Faulty
            }
        };
        if let Some(one_time) = &mut self.one_time {
            one_time.begins_elsewhere = true;
            let file = escape(&one_time.file.display().to_string());
            let what =
                format!("{place}: replaces the first sequence of {file}, once and without striking it out");
            complaints.warn(line, what, None);
        }
    }

    fn take_one_time(&mut self, directive: Directive<'_>, complaints: &mut Complaints, open: Open<'_>) {
        let Directive { line, key, value } = directive;
        let (place, file) = (self.place(key), Path::new(value));
        self.one_time = Some(FileOneTime { file: file.to_owned(), begins_elsewhere: false });
        self.sequence = match open(file) {
            Ok(bytes) => {
                let found = one_time::read(&bytes);
                for (at, what) in found.remarks {
                    complaints.warn_of(line, file, at, what);
                }
                if found.first.is_none() {
                    let what = format!(
                        "{place}: no more sequences left in {}: nothing opens this door",
                        escape(value)
                    );
                    complaints.warn(
                        line,
                        what,
                        Some("append some, one in a line; knockd would not even start"),
                    );
                }
                let steps = |sequence| SequenceDraft::Steps(At { line, value: sequence });
                found.first.map_or(SequenceDraft::Exhausted, steps)
            }
            Err(error) => {
                let wording = Wording::file(file, &error);
                let hint = "make the file, with one sequence in a line; it must be writable";
                complaints.fault(line, &wording, format!("{place}: {}", escape(&wording.to_string())), hint);
                SequenceDraft::Faulty
            }
        };
    }

    fn take_flags(&mut self, directive: Directive<'_>, complaints: &mut Complaints) {
        let Directive { line, key, value } = directive;
        match flags::read(value, self.flags) {
            Ok(rule) => self.flags = rule,
            Err(unknown) => {
                let hint = unknown.hint();
                let what = format!("{}: unrecognized flag \"{}\"", self.place(key), escape(&unknown.0));
                complaints.fault(line, &Wording::Flag(unknown.0), what, hint);
            }
        }
    }

    /// The door as the daemon uses it.
    pub(super) fn lower(self) -> FileDoor {
        let mut commands = self.commands;
        commands.stop_after = u64::try_from(self.cmd_timeout).ok().map(Duration::from_secs);
        let target = match self.target {
            Target::Own => Some(None),
            Target::Address(address) => Some(Some(address)),
            Target::Name(_) | Target::Nothing { .. } => None,
        };
        let sequence = match self.sequence {
            SequenceDraft::Steps(at) => Some(at.value),
            SequenceDraft::Unset | SequenceDraft::Faulty | SequenceDraft::Exhausted => None,
        };
        let knock = sequence.zip(target).map(|(sequence, target)| ClassicKnock {
            sequence,
            within: TimeLimit::WholeSeconds(u32::try_from(self.seq_timeout).unwrap_or(0)),
            flags: self.flags,
            target,
            repeats: self.repeats,
            cooldown: self.cooldown,
            uses: if self.one_time.is_some() { Uses::Once } else { Uses::Any },
        });
        FileDoor {
            line: self.line,
            door: KnockdDoor { name: self.name, knock, commands },
            one_time: self.one_time,
            spa: self.spa.map(|at| at.value),
        }
    }

    /// Sets what another knock does while the door is open.
    pub(super) const fn set_again(&mut self, again: Again) {
        self.commands.again = again;
    }
}
