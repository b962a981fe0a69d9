//! What a daemon did, and whether two daemons did the same.

use std::fmt;
use std::net::IpAddr;

use super::trace::Trace;

/// Whether a message is about an invalid sequence in a file of them. There knockd names the section by memory that
/// it has given back, where anything may be.
fn is_about_a_section(line: &str) -> bool {
    ["port ", "unknown protocol", "too many ports"].iter().any(|word| line.contains(word))
        || line.starts_with("config: section ")
        || line.starts_with("error: section ")
        || line.starts_with("no line of a log: ")
        || line.contains('\u{fffd}')
}

/// How a daemon ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum End {
    /// Not at all.
    Running,
    /// With this status.
    Exited(i32),
    /// By this signal.
    Signalled(i32),
    /// In the background, where nobody learns how.
    Vanished,
}

/// How much of the order of a log counts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Order {
    /// All of it.
    Whole,
    /// That of each family: where packets of the two come by two ways, those of the same moment have no order.
    Families,
}

/// All that a daemon did that can be seen. `DIR` stands for its directory.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Outcome {
    /// The messages of the daemon itself, in order; those with an empty line behind them end in a newline.
    pub log: Vec<String>,
    /// The messages of its commands' keepers, which come when they come: in no order.
    pub aside: Vec<String>,
    /// What the commands wrote, with the milliseconds where they are known.
    pub ran: Vec<(Option<i64>, String)>,
    /// Other files in its directory, and their texts.
    pub files: Vec<(String, String)>,
    /// How it ended.
    pub end: End,
    /// The lines of its standard error, in no order.
    pub err: Vec<String>,
    /// The lines of its standard output, in no order.
    pub out: Vec<String>,
}

/// Whether a message is of the kind that comes when it comes.
#[must_use]
pub fn is_aside(message: &str) -> bool {
    message.contains(": running command: ")
        || message.ends_with(": command timeout")
        || message.starts_with("error: parsed ")
        || message.contains(": command returned non-zero status code (")
}

impl Outcome {
    /// Brings what has no order into one, and takes out what is the C library's or a slip of the memory.
    pub fn level(&mut self, trace: &Trace) {
        self.err.retain(|line| !line.starts_with("free(): "));
        if !trace.files.is_empty() {
            self.err.retain(|line| !is_about_a_section(line));
            self.log.retain(|line| !is_about_a_section(line));
        }
        self.err.sort();
        self.aside.sort();
        self.files.sort();
        self.out.sort();
        self.ran.sort_by_key(|(at, _)| *at);
    }

    /// What the other has done otherwise, if anything.
    #[must_use]
    pub fn difference(&self, other: &Self, order: Order) -> Option<String> {
        let mut found = Vec::new();
        let mut compare = |what: &str, same: bool| {
            if !same {
                found.push(what.to_owned());
            }
        };
        compare(
            "log",
            order == Order::Whole && self.log == other.log
                || order == Order::Families && self.views() == other.views(),
        );
        compare("messages of commands", self.aside == other.aside);
        compare("commands", self.ran_in_groups(self) == self.ran_in_groups(other));
        compare("files", self.files == other.files);
        compare("end", self.end == other.end);
        compare("stderr", self.err == other.err);
        compare("stdout", self.out == other.out);
        (!found.is_empty()).then(|| found.join(", "))
    }

    /// The log as those see it who knock by IPv4, and those who knock by IPv6.
    fn views(&self) -> [Vec<&String>; 2] {
        let family = |message: &str| {
            let source = message.split_once(": ").and_then(|(source, _)| source.split(' ').next());
            source.and_then(|source| source.parse::<IpAddr>().ok())
        };
        let view = |left_out: fn(&IpAddr) -> bool| {
            self.log.iter().filter(|message| !family(message).is_some_and(|ip| left_out(&ip))).collect()
        };
        [view(IpAddr::is_ipv6), view(IpAddr::is_ipv4)]
    }

    /// What the other's commands wrote, where those that came at the same time here have no order.
    fn ran_in_groups(&self, other: &Self) -> Vec<Vec<String>> {
        let mut left: Vec<_> = other.ran.iter().map(|(_, line)| line.clone()).collect();
        let mut groups = Vec::new();
        for len in self.groups() {
            let rest = left.split_off(len.min(left.len()));
            left.sort();
            groups.push(left);
            left = rest;
        }
        left.sort();
        groups.push(left);
        groups
    }

    /// How many commands came at about the same time, of each such time.
    fn groups(&self) -> Vec<usize> {
        let mut lens = vec![0];
        let mut last = None;
        for (at, _) in &self.ran {
            if at.is_some_and(|at: i64| last.is_some_and(|last| at > last + 900)) {
                lens.push(0);
            }
            last = *at;
            *lens.last_mut().expect("there is one") += 1;
        }
        lens
    }

    /// Whether as much has come of commands as the other tells.
    #[must_use]
    pub fn has_as_much_as(&self, other: &Self) -> bool {
        self.aside.len() >= other.aside.len() && self.ran.len() >= other.ran.len()
    }
}

impl fmt::Display for Outcome {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut list = |title: &str, lines: &[String]| {
            if lines.is_empty() { Ok(()) } else { writeln!(f, "  {title}: {lines:#?}") }
        };
        list("log", &self.log)?;
        list("messages of commands", &self.aside)?;
        list("commands", &self.ran.iter().map(|(_, line)| line.clone()).collect::<Vec<_>>())?;
        list(
            "files",
            &self.files.iter().map(|(name, text)| format!("{name}: {text:?}")).collect::<Vec<_>>(),
        )?;
        list("stderr", &self.err)?;
        list("stdout", &self.out)?;
        writeln!(f, "  end: {:?}", self.end)
    }
}
