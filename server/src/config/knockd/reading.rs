//! From lines to doors: sections, and which directive belongs where.

use std::path::{Path, PathBuf};

use crate::config::knockd::complaints::{Complaints, KnockdFaults, Wording, cut};
use crate::config::knockd::door::{Directive, DoorDraft, SequenceDraft};
use crate::config::knockd::interfaces::cut_names;
use crate::config::knockd::keys::{Key, OptionKey, known_in_doors, known_options};
use crate::config::knockd::lines::Line;
use crate::config::knockd::numbers::trim;
use crate::config::knockd::{KnockdFile, KnockdOptions, MAX_DOORS, Open, weakness};
use crate::config::table::escape;

/// The most bytes of a section's name. What is longer is cut.
const MAX_NAME_LEN: usize = 254;

const UTF8_HINT: &str = "save the file as UTF-8";

/// Where the directives go.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Section {
    /// Nowhere: no section has begun.
    None,
    /// To `[options]`.
    Options,
    /// To the last of the doors.
    Door,
    /// Nowhere: there are too many doors.
    Excess,
}

/// A file on its way.
pub(super) struct Reading<'o> {
    complaints: Complaints,
    open: Open<'o>,
    section: Section,
    options: KnockdOptions,
    doors: Vec<DoorDraft>,
    /// Whether the line is the rest of one that was too long.
    is_rest: bool,
}

impl<'o> Reading<'o> {
    /// Nothing read yet.
    pub(super) fn new(file: &Path, open: Open<'o>) -> Self {
        let complaints = Complaints::new(file);
        let options = KnockdOptions::default();
        Self { complaints, open, section: Section::None, options, doors: Vec::new(), is_rest: false }
    }

    /// Takes the next line.
    pub(super) fn take(&mut self, line: Line<'_>) {
        let text = line.text();
        if line.has_zero() && !line.text().starts_with(b"#") {
            self.complaints.warn(
                line.number,
                "a zero byte: what follows it in its line does not count",
                None,
            );
        }
        match text {
            _ if line.is_idle() => {}
            [b'[', name @ .., b']'] => self.begin(line.number, name),
            _ => self.take_directive(line.number, text),
        }
        self.is_rest = line.is_cut();
        if self.is_rest {
            let what = "longer than 4095 bytes: the rest is taken for another line";
            self.complaints.warn(line.number, what, None);
        }
    }

    /// A section begins.
    fn begin(&mut self, line: usize, name: &[u8]) {
        if name == b"options" {
            self.section = Section::Options;
        } else if self.doors.len() >= MAX_DOORS {
            if self.section != Section::Excess {
                let hint = "several daemons, each with its own file, can share them";
                self.syntax(line, &format!("more than {MAX_DOORS} doors"), hint);
            }
            self.section = Section::Excess;
        } else {
            self.section = Section::Door;
            let door = self.new_door(line, name);
            self.doors.push(door);
        }
    }

    fn new_door(&mut self, line: usize, name: &[u8]) -> DoorDraft {
        let text = str::from_utf8(name).unwrap_or_default();
        let mut door = DoorDraft::new(line, cut(text, MAX_NAME_LEN).to_owned());
        if name.is_empty() {
            let hint = "a section is [options] or [NAME]";
            self.complaints.fault(line, &Wording::BadName, Wording::BadName.to_string(), hint);
        } else if text.is_empty() {
            self.syntax(line, "the name is not UTF-8", UTF8_HINT);
        }
        // One complaint of a door without a name is enough.
        if text.is_empty() {
            door.sequence = SequenceDraft::Faulty;
        }
        if text.len() > MAX_NAME_LEN {
            let what = format!("[{}]: a name is cut after {MAX_NAME_LEN} bytes", escape(text));
            self.complaints.warn(line, what, None);
        }
        door
    }

    fn take_directive(&mut self, line: usize, text: &[u8]) {
        let equals = text.iter().position(|byte| *byte == b'=');
        let (name, value) = match equals.and_then(|at| text.split_at_checked(at)) {
            Some((name, value)) => (trim(name), value.get(1..).map(trim)),
            None => (text, None),
        };
        let shown = escape(&String::from_utf8_lossy(name));
        match (self.section, Key::read(name), value) {
            (Section::Excess, ..) => {}
            (Section::None, ..) => self.homeless(line, text),
            (_, None, _) => self.unknown(line, &shown, text),
            (_, Some(Key::UseSyslog), None) => self.options.syslog = true,
            (_, Some(Key::UseSyslog), Some(_)) => {
                self.syntax(line, "UseSyslog takes no value", "write UseSyslog alone, or leave the line out");
            }
            (_, Some(_), None) => {
                self.syntax(line, &format!("{shown} without a value"), "a directive is KEY = VALUE");
            }
            (Section::Options, Some(Key::Door(key)), _) => {
                let what = format!("{} belongs to a door", key.name());
                self.syntax(line, &what, "move it to the section of a door: [NAME]");
            }
            (Section::Door, Some(Key::Option(key)), _) => {
                let what = format!("{} belongs to [options]", key.name());
                self.syntax(line, &what, "move it to [options], which is spelt in lower case");
            }
            (_, Some(key), Some(value)) => match str::from_utf8(value) {
                Ok(value) => self.take_value(line, key, value),
                Err(_) => self.syntax(line, &format!("the value of {shown} is not UTF-8"), UTF8_HINT),
            },
        }
    }

    fn take_value(&mut self, line: usize, key: Key, value: &str) {
        match (key, self.doors.last_mut()) {
            (Key::Door(key), Some(door)) => {
                door.take(Directive { line, key, value }, &mut self.complaints, self.open);
            }
            (Key::Option(key), _) => self.take_option(line, key, value),
            (Key::UseSyslog | Key::Door(_), _) => {}
        }
    }

    fn take_option(&mut self, line: usize, key: OptionKey, value: &str) {
        let (options, path) = (&mut self.options, PathBuf::from(value));
        let repeated = match key {
            OptionKey::LogFile => options.log_file.replace(path).is_some(),
            OptionKey::PidFile => options.pid_file.replace(path).is_some(),
            OptionKey::Interface if options.interface.is_some() => {
                self.complaints.warn(
                    line,
                    "[options] Interface: stands here again; the first one counts",
                    None,
                );
                false
            }
            OptionKey::Interface => {
                let names = cut_names(value);
                options.interface = Some(names).filter(|names| !names.is_empty());
                false
            }
        };
        if repeated {
            let what = format!(
                "[options] {}: stands here again, so that the earlier one does not count",
                key.name()
            );
            self.complaints.warn(line, what, None);
        }
    }

    fn syntax(&mut self, line: usize, why: &str, hint: &str) {
        self.complaints.fault(line, &Wording::Syntax, format!("syntax error: {why}"), hint);
    }

    fn homeless(&mut self, line: usize, text: &[u8]) {
        let hint = match text {
            [0xef, 0xbb, 0xbf, ..] => "the file begins with a byte-order mark: save it without",
            [b'[', ..] => "a section is [NAME], and nothing may stand behind the bracket",
            _ => self.hint_for(text).unwrap_or("begin a section before it: [options], or [NAME] for a door"),
        };
        self.complaints.fault(line, &Wording::NoSection, Wording::NoSection.to_string(), hint);
    }

    fn unknown(&mut self, line: usize, shown: &str, text: &[u8]) {
        let known = if self.section == Section::Options { known_options() } else { known_in_doors() };
        let hint = self.hint_for(text).unwrap_or(&known);
        self.complaints.fault(
            line,
            &Wording::Syntax,
            format!("syntax error: \"{shown}\" is no directive"),
            hint,
        );
    }

    /// What is probably the matter with a line that is none.
    fn hint_for(&self, text: &[u8]) -> Option<&'static str> {
        match text {
            _ if self.is_rest => Some("it is the rest of a line of more than 4095 bytes"),
            [b';', ..] | [b'/', b'/', ..] => Some("a comment begins with #"),
            [b'[', ..] => Some("a section is [NAME], and nothing may stand behind the bracket"),
            _ => None,
        }
    }

    /// What the file says, with what only the whole of it can tell.
    pub(super) fn finish(mut self, mode: u32) -> Result<KnockdFile, KnockdFaults> {
        weakness::judge(&self.doors, mode, &mut self.complaints);
        let warnings = self.complaints.finish()?;
        let doors = self.doors.into_iter().map(DoorDraft::lower).collect();
        Ok(KnockdFile { options: self.options, doors, warnings })
    }
}
