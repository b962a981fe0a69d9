//! What a daemon is to live through.

use std::net::IpAddr;

use super::packet::Packet;
use super::steps;

/// How the successor compares with knockd on a trace.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ours {
    /// It does the same.
    Same,
    /// It does what the mended model does, for the reason in this row of `docs/knockd-compat.md`.
    Mended(&'static str),
    /// It does something else, which other tests say, for the reason in this row.
    Other(&'static str),
}

/// One thing that is done to the daemons.
#[derive(Clone, Debug, PartialEq)]
pub enum Step {
    /// A packet is sent to them.
    Hit(Packet),
    /// So many milliseconds pass.
    Wait(u64),
    /// They get the time to deal with all that was sent.
    Sync,
    /// They read their configuration again.
    Reload,
    /// The next of the trace's `writes` is written.
    Write,
    /// The log gets another name.
    Rename {
        /// The name before.
        from: String,
        /// The name now.
        to: String,
    },
    /// They get SIGTERM.
    Terminate,
    /// They get SIGINT.
    Interrupt,
    /// `ip` is run in their namespace.
    Ip(String),
}

/// A configuration and what comes over those who have it. `DIR` stands for the daemon's own directory.
#[derive(Clone, Debug)]
pub struct Trace {
    /// What it is about.
    pub name: String,
    /// The configuration file.
    pub config: String,
    /// What is done.
    pub steps: Vec<Step>,
    /// Files that are there at the start: names and texts.
    pub files: Vec<(String, String)>,
    /// Files that are written later.
    pub writes: Vec<(String, String)>,
    /// More arguments than those which name the interface, the configuration and the log.
    pub args: Vec<String>,
    /// The names of the logs, in the order in which they are written.
    pub logs: Vec<String>,
    /// Arguments of `ip`, before the daemons start.
    pub setup: Vec<String>,
    /// The addresses that the daemons should find at the interface.
    pub own: Vec<IpAddr>,
    /// The interface as the daemons know it.
    pub interface: String,
    /// The arguments that name the interface, the configuration and the log.
    pub usual: String,
    /// What comes of it with the successor.
    pub ours: Ours,
}

/// The server's addresses of IPv4.
pub const SERVER: [&str; 2] = ["192.0.2.1", "192.0.2.9"];
/// The server's addresses of IPv6.
pub const SERVER_6: [&str; 2] = ["2001:db8:1::1", "fe80::ff:fe00:1"];

impl Trace {
    /// A trace with the defaults: steps as [`steps::parse`] reads them.
    #[must_use]
    pub fn new(name: &str, config: &str, steps: &str) -> Self {
        Self {
            name: name.to_owned(),
            config: config.to_owned(),
            steps: steps::parse(steps),
            files: Vec::new(),
            writes: Vec::new(),
            args: Vec::new(),
            logs: vec!["log".to_owned()],
            setup: Vec::new(),
            own: SERVER.iter().chain(&SERVER_6).map(|text| text.parse().expect("an address")).collect(),
            interface: "eth0".to_owned(),
            usual: "-i eth0 -c DIR/knockd.conf -g DIR/log".to_owned(),
            ours: Ours::Same,
        }
    }

    /// With a file that is there at the start.
    #[must_use]
    pub fn file(mut self, name: &str, text: &str) -> Self {
        self.files.push((name.to_owned(), text.to_owned()));
        self
    }

    /// With a file for the next step that writes one.
    #[must_use]
    pub fn write(mut self, name: &str, text: &str) -> Self {
        self.writes.push((name.to_owned(), text.to_owned()));
        self
    }

    /// With more arguments, split at blanks.
    #[must_use]
    pub fn args(mut self, args: &str) -> Self {
        self.args.extend(args.split_whitespace().map(str::to_owned));
        self
    }

    /// With other logs.
    #[must_use]
    pub fn logs(mut self, logs: &[&str]) -> Self {
        self.logs = logs.iter().map(|&name| name.to_owned()).collect();
        self
    }

    /// With arguments of `ip` that are run before the daemons start.
    #[must_use]
    pub fn setup(mut self, ip: &str) -> Self {
        self.setup.push(ip.to_owned());
        self
    }

    /// With other addresses than the usual, split at blanks.
    #[must_use]
    pub fn own(mut self, addresses: &str) -> Self {
        self.own = addresses.split_whitespace().map(|text| text.parse().expect("an address")).collect();
        self
    }

    /// With another interface.
    #[must_use]
    pub fn interface(self, name: &str) -> Self {
        let usual = format!("-i {name} -c DIR/knockd.conf -g DIR/log");
        Self { interface: name.to_owned(), ..self }.usual(&usual)
    }

    /// With other arguments for the interface, the configuration and the log, split at blanks.
    #[must_use]
    pub fn usual(mut self, args: &str) -> Self {
        args.clone_into(&mut self.usual);
        self
    }

    /// The arguments, split at blanks.
    pub fn arguments(&self) -> impl Iterator<Item = &str> {
        self.usual.split_whitespace().chain(self.args.iter().map(String::as_str))
    }

    /// Whether one of the arguments is one of these.
    fn has(&self, words: &[&str]) -> bool {
        self.arguments().any(|arg| words.contains(&arg))
    }

    /// Where the successor does as the mended model.
    #[must_use]
    pub fn mended(mut self, row: &'static str) -> Self {
        self.ours = Ours::Mended(row);
        self
    }

    /// Where the successor does as it wants to.
    #[must_use]
    pub fn other(mut self, row: &'static str) -> Self {
        self.ours = Ours::Other(row);
        self
    }

    /// Whether the daemons say to standard output what they do.
    #[must_use]
    pub fn is_verbose(&self) -> bool {
        self.has(&["-v", "--verbose", "--verb", "-vi"])
    }

    /// Whether the daemons leave for the background.
    #[must_use]
    pub fn is_background(&self) -> bool {
        self.has(&["-d", "--daemon"])
    }

    /// Whether the daemons name knockers.
    #[must_use]
    pub fn looks_up(&self) -> bool {
        self.has(&["-l", "--lookup"])
    }

    /// Whether anything in it depends on the moment within a second.
    #[must_use]
    pub fn is_timed(&self) -> bool {
        self.steps.iter().any(|step| matches!(step, Step::Wait(_)))
    }
}
