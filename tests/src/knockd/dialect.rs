//! knockd's configuration files, read as knockd reads them.

use std::collections::BTreeMap;

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
}

/// What a section says of a door.
#[derive(Clone, Debug)]
pub struct Door {
    /// Its name.
    pub name: String,
    /// The ports to be knocked at; empty only while the section is read.
    pub sequence: Vec<Element>,
    /// The file that has the sequences, each good for one time.
    pub one_time: Option<String>,
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
/// What knockd says to standard error.
pub fn parse(text: &str, files: &Files) -> Result<Configuration, String> {
    let mut configuration = Configuration::default();
    let mut section = Section::None;
    for (line, number) in lines(text).into_iter().zip(1..) {
        let line = trim(&line);
        if line.is_empty() || line.starts_with('#') {
            continue;
        }
        if let Some(name) = line.strip_prefix('[').and_then(|rest| rest.strip_suffix(']')) {
            section = begin(name, number, &mut configuration)?;
            continue;
        }
        let door = configuration.doors.last_mut();
        match (&section, door) {
            (Section::None, _) => {
                return Err(format!("config: line {number}: all directives must belong to a section"));
            }
            (Section::Door, Some(door)) => directive(line, number, door, files)?,
            (Section::Options | Section::Door, _) => option(line, number, &mut configuration)?,
        }
    }
    match configuration.doors.iter().find(|door| door.sequence.is_empty()) {
        Some(door) => Err(format!("error: section '{}' has an empty knock sequence", door.name)),
        None => Ok(configuration),
    }
}

/// The lines, of which those of more than 4095 bytes are several.
fn lines(text: &str) -> Vec<String> {
    let whole = text.strip_suffix('\n').unwrap_or(text).split('\n');
    let pieces = whole.flat_map(|line| {
        let bytes = line.as_bytes();
        let pieces = bytes.chunks(4095).map(|piece| String::from_utf8_lossy(piece).into_owned());
        if bytes.is_empty() { vec![String::new()] } else { pieces.collect() }
    });
    pieces.collect()
}

fn begin(name: &str, number: u32, configuration: &mut Configuration) -> Result<Section, String> {
    match name {
        "" => Err(format!("config: line {number}: bad section name")),
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

fn syntax_error(number: u32) -> String {
    format!("config: line {number}: syntax error")
}

fn option(line: &str, number: u32, configuration: &mut Configuration) -> Result<(), String> {
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

fn directive(line: &str, number: u32, door: &mut Door, files: &Files) -> Result<(), String> {
    let (key, value) = split(line);
    let Some(value) = value else {
        return if key == "USESYSLOG" { Ok(()) } else { Err(syntax_error(number)) };
    };
    match key.as_str() {
        "SEQUENCE" => door.sequence = read_sequence(value, &door.name)?,
        "ONE_TIME_SEQUENCES" => {
            door.sequence = first_of(value, files)?;
            door.one_time = Some(value.to_owned());
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

fn read_sequence(text: &str, door: &str) -> Result<Vec<Element>, String> {
    sequence::parse(text).map_err(|flaw| match flaw {
        Flaw::TooMany => format!("config: section {door}: too many ports in knock sequence"),
        Flaw::Port(port) => format!("config: section {door}: port {port} is invalid"),
        Flaw::Protocol => format!("config: section {door}: unknown protocol in knock sequence"),
    })
}

fn first_of(path: &str, files: &Files) -> Result<Vec<Element>, String> {
    let Some(text) = files.get(path) else {
        return Err(format!("{path}: No such file or directory"));
    };
    match usable(text).into_iter().next() {
        Some((_, sequence)) => Ok(sequence),
        None => Err(format!("config: no more sequences left in the one time sequences file {path}")),
    }
}

/// The sequences of a file of them that are still to be used, each with the place where its line begins.
#[must_use]
pub fn usable(text: &str) -> Vec<(usize, Vec<Element>)> {
    let mut start = 0;
    let mut found = Vec::new();
    for line in text.split_inclusive('\n') {
        let content = trim(line);
        if !content.is_empty() && !content.starts_with('#') {
            found.extend(sequence::parse(content).ok().map(|sequence| (start, sequence)));
        }
        start += line.len();
    }
    found
}

/// The bits of TCP that have names here, in the order of the header (RFC 9293 section 3.1).
const FLAGS: [(&str, u8); 6] =
    [("FIN", 0x01), ("SYN", 0x02), ("RST", 0x04), ("PSH", 0x08), ("ACK", 0x10), ("URG", 0x20)];

fn read_flags(value: &str, number: u32, door: &mut Door) -> Result<(), String> {
    for word in value.to_uppercase().split(',') {
        let name = word.strip_prefix('!').unwrap_or(word);
        let Some((_, bit)) = FLAGS.iter().find(|(flag, _)| *flag == name) else {
            return Err(format!("config: line {number}: unrecognized flag \"{word}\""));
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
