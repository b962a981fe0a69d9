//! knockd's configuration files, read as knockd reads them.

use std::collections::BTreeMap;

use super::one_time::first_usable;
use super::sequence::{self, Element, Flaw, atoi, trim};

/// The text of each file that there is.
pub type Files = BTreeMap<String, String>;

/// What a file says.
#[derive(Clone, Debug, Default)]
pub struct Configuration {
    /// Where the log goes.
    pub log: Option<String>,
    /// Where the process id goes.
    pub pidfile: Option<String>,
    /// The interface, where the command line names none.
    pub interface: Option<String>,
    /// The doors in their order.
    pub doors: Vec<Door>,
    /// What was said of lines that are passed over.
    pub reports: Vec<Report>,
}

/// What is said of something that is wrong.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Report {
    /// To standard error.
    pub err: String,
    /// To a log that is open.
    pub log: Option<String>,
}

impl Report {
    /// A complaint that no log gets.
    fn unlogged(err: String) -> Self {
        Self { err, log: None }
    }

    /// A complaint about a sequence.
    #[must_use]
    pub fn of_flaw(flaw: &Flaw, door: &str) -> Self {
        let what = match flaw {
            Flaw::TooMany => "too many ports in knock sequence".to_owned(),
            Flaw::Port(port) => {
                return Self::unlogged(format!("config: section {door}: port {port} is invalid"));
            }
            Flaw::Protocol => "unknown protocol in knock sequence".to_owned(),
        };
        Self {
            err: format!("config: section {door}: {what}"),
            log: Some(format!("error: section {door}: {what}\n")),
        }
    }

    /// Whether it is about a file of sequences in which none is left.
    #[must_use]
    pub fn is_of_exhaustion(&self) -> bool {
        self.err.starts_with("no more sequences left ")
    }

    /// A complaint about a file of sequences in which none is left.
    #[must_use]
    pub fn of_exhaustion(door: &str) -> Self {
        let text = format!(
            "no more sequences left in the one time sequences file for door {door} --> disabling the door"
        );
        Self { log: Some(format!("{text}\n")), err: text }
    }
}

/// What a section says of a door.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Door {
    /// Its name.
    pub name: String,
    /// The ports to be knocked at; empty only while the section is read.
    pub sequence: Vec<Element>,
    /// The file that has the sequences, each good for one time.
    pub one_time: Option<String>,
    /// Whether the sequence is none of that file's.
    pub is_replaced: bool,
    /// The seconds that an attempt may take; it never succeeds in less than one.
    pub within: i32,
    /// The bits that a segment must have.
    pub flags_set: u8,
    /// The bits that a segment must not have.
    pub flags_clear: u8,
    /// The address that is to be knocked at, instead of the interface's own.
    pub target: Option<String>,
    /// What is run at a success.
    pub start: Option<String>,
    /// What is run some time later.
    pub stop: Option<String>,
    /// The same for knockers by IPv6.
    pub start_6: Option<String>,
    /// The same for knockers by IPv6.
    pub stop_6: Option<String>,
    /// The seconds between the two; as large a number as this is for ever.
    pub open_for: u32,
}

impl Door {
    fn new(name: &str) -> Self {
        let cut = name.char_indices().map(|(at, c)| at + c.len_utf8()).take_while(|end| *end <= 254).last();
        Self {
            name: name[..cut.unwrap_or(0)].to_owned(),
            sequence: Vec::new(),
            one_time: None,
            is_replaced: false,
            within: 25,
            flags_set: 0,
            flags_clear: 0,
            target: None,
            start: None,
            stop: None,
            start_6: None,
            stop_6: None,
            open_for: 10,
        }
    }
}

/// What is being read.
enum Section {
    None,
    Options,
    Door,
}

/// Reads a file.
///
/// # Errors
/// What knockd says of it, which ends with the reason for which it cannot be used.
pub fn parse(text: &str, files: &Files) -> Result<Configuration, Vec<Report>> {
    let mut configuration = Configuration::default();
    match read(text, files, &mut configuration) {
        Ok(()) => Ok(configuration),
        Err(last) => Err([configuration.reports, vec![last]].concat()),
    }
}

fn read(text: &str, files: &Files, configuration: &mut Configuration) -> Result<(), Report> {
    let mut section = Section::None;
    for (line, number) in lines(text).into_iter().zip(1..) {
        let line = trim(&line);
        if line.is_empty() || line.starts_with('#') {
            continue;
        }
        if let Some(name) = line.strip_prefix('[').and_then(|rest| rest.strip_suffix(']')) {
            section = begin(name, number, configuration)?;
            continue;
        }
        let door = configuration.doors.last_mut();
        match (&section, door) {
            (Section::None, _) => {
                let text = format!("config: line {number}: all directives must belong to a section");
                return Err(Report::unlogged(text));
            }
            (Section::Door, Some(door)) => directive(line, number, door, files, &mut configuration.reports)?,
            (Section::Options | Section::Door, _) => option(line, number, configuration)?,
        }
    }
    match configuration.doors.iter().find(|door| door.sequence.is_empty()) {
        Some(door) => {
            Err(Report::unlogged(format!("error: section '{}' has an empty knock sequence", door.name)))
        }
        None => Ok(()),
    }
}

/// The lines, of which those of more than 4095 bytes with their newlines are several.
fn lines(text: &str) -> Vec<String> {
    let pieces = text.split_inclusive('\n').flat_map(|line| line.as_bytes().chunks(4095));
    pieces.map(|piece| String::from_utf8_lossy(piece).into_owned()).collect()
}

fn begin(name: &str, number: u32, configuration: &mut Configuration) -> Result<Section, Report> {
    match name {
        "" => Err(Report::unlogged(format!("config: line {number}: bad section name"))),
        "options" => Ok(Section::Options),
        _ => {
            configuration.doors.push(Door::new(name));
            Ok(Section::Door)
        }
    }
}

/// The upper-case key and the value; only `UseSyslog` has none.
fn split(line: &str) -> (String, Option<&str>) {
    match line.split_once('=') {
        Some((key, value)) => (trim(key).to_uppercase(), Some(trim(value))),
        None => (line.to_uppercase(), None),
    }
}

fn syntax_error(number: u32) -> Report {
    Report::unlogged(format!("config: line {number}: syntax error"))
}

fn option(line: &str, number: u32, configuration: &mut Configuration) -> Result<(), Report> {
    let (key, value) = split(line);
    let Some(value) = value.map(str::to_owned) else {
        return if key == "USESYSLOG" { Ok(()) } else { Err(syntax_error(number)) };
    };
    match key.as_str() {
        "LOGFILE" => configuration.log = Some(value),
        "PIDFILE" => configuration.pidfile = Some(value),
        "INTERFACE" => {
            configuration.interface.get_or_insert(value);
        }
        _ => return Err(syntax_error(number)),
    }
    Ok(())
}

fn directive(
    line: &str,
    number: u32,
    door: &mut Door,
    files: &Files,
    reports: &mut Vec<Report>,
) -> Result<(), Report> {
    let (key, value) = split(line);
    let Some(value) = value else {
        return if key == "USESYSLOG" { Ok(()) } else { Err(syntax_error(number)) };
    };
    match key.as_str() {
        "SEQUENCE" => {
            door.is_replaced = door.one_time.is_some();
            door.sequence = sequence::parse(value).map_err(|flaw| Report::of_flaw(&flaw, &door.name))?;
        }
        "ONE_TIME_SEQUENCES" => {
            door.sequence = first_of(value, &door.name, files, reports)?;
            door.one_time = Some(value.to_owned());
            door.is_replaced = false;
        }
        "SEQ_TIMEOUT" | "TIMEOUT" => door.within = atoi(value),
        "TCPFLAGS" => read_flags(value, number, door)?,
        "TARGET" => door.target = Some(value.to_owned()),
        "START_COMMAND" | "COMMAND" => door.start = Some(value.to_owned()),
        "STOP_COMMAND" => door.stop = Some(value.to_owned()),
        "START_COMMAND_6" | "COMMAND_6" => door.start_6 = Some(value.to_owned()),
        "STOP_COMMAND_6" => door.stop_6 = Some(value.to_owned()),
        "CMD_TIMEOUT" => door.open_for = u32::from_ne_bytes(atoi(value).to_ne_bytes()),
        _ => return Err(syntax_error(number)),
    }
    Ok(())
}

fn first_of(
    path: &str,
    door: &str,
    files: &Files,
    reports: &mut Vec<Report>,
) -> Result<Vec<Element>, Report> {
    let Some(text) = files.get(path) else {
        return Err(Report::unlogged(format!("{path}: No such file or directory")));
    };
    let (flaws, first) = first_usable(text);
    reports.extend(flaws.iter().map(|flaw| Report::of_flaw(flaw, door)));
    first.map(|(_, sequence)| sequence).ok_or_else(|| Report::of_exhaustion(door))
}

/// The bits of TCP that have names here, in the order of the header (RFC 9293 section 3.1).
const FLAGS: [(&str, u8); 6] =
    [("FIN", 0x01), ("SYN", 0x02), ("RST", 0x04), ("PSH", 0x08), ("ACK", 0x10), ("URG", 0x20)];

fn read_flags(value: &str, number: u32, door: &mut Door) -> Result<(), Report> {
    for word in value.to_uppercase().split(',') {
        let name = word.strip_prefix('!').unwrap_or(word);
        let Some((_, bit)) = FLAGS.iter().find(|(flag, _)| *flag == name) else {
            let text = format!("config: line {number}: unrecognized flag \"{word}\"");
            return Err(Report::unlogged(text));
        };
        let (named, other) = match word.starts_with('!') {
            true => (&mut door.flags_clear, &mut door.flags_set),
            false => (&mut door.flags_set, &mut door.flags_clear),
        };
        *named |= bit;
        *other &= !bit;
    }
    Ok(())
}
