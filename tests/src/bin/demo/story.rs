//! The telling: short lines, a tick for each thing seen, colours only on a terminal.

use std::env;
use std::fmt::Display;
use std::io::{IsTerminal, stdout};
use std::time::{Duration, Instant};

/// What is told, and where in it we are.
pub struct Story {
    colours: bool,
    began: Instant,
    act: String,
    seen: u32,
}

/// How to show something (ECMA-48, "select graphic rendition").
#[derive(Clone, Copy)]
enum Style {
    Bold = 1,
    Dim = 2,
    Red = 31,
    Green = 32,
    Cyan = 36,
}

impl Story {
    /// A story that begins now.
    pub fn new() -> Self {
        let plain = env::var_os("NO_COLOR").is_some() || env::var("TERM").is_ok_and(|term| term == "dumb");
        let colours = stdout().is_terminal() && !plain;
        Self { colours, began: Instant::now(), act: "the beginning".into(), seen: 0 }
    }

    /// A new act.
    pub fn act(&mut self, title: &str) {
        self.act = title.into();
        println!("\n{}", self.styled(Style::Bold, title));
    }

    /// What somebody types at a machine.
    pub fn typed(&self, machine: &str, line: &str) {
        println!("  {} {line}", self.styled(Style::Cyan, &format!("{machine}$")));
    }

    /// What comes of it.
    pub fn heard(&self, line: &str) {
        println!("{}", format!("    {}", self.styled(Style::Dim, line)).trim_end());
    }

    /// Something that was observed just now.
    pub fn seen(&mut self, fact: impl Display) {
        self.seen += 1;
        println!("  {} {fact}", self.styled(Style::Green, "✓"));
    }

    /// The good end.
    pub fn end(&self) {
        println!("\nAll is as told: {} things were seen, in {}.", self.seen, span(self.began.elapsed()));
    }

    /// The bad end.
    pub fn break_off(&self, why: &str) {
        println!("  {} {why}", self.styled(Style::Red, "✗"));
        println!("\nFAILED in the act \"{}\".", self.act);
    }

    fn styled(&self, style: Style, text: &str) -> String {
        if self.colours { format!("\x1b[{}m{text}\x1b[0m", style as u8) } else { text.into() }
    }
}

/// A span with as many digits as mean something.
pub fn span(span: Duration) -> String {
    match span.as_micros() {
        micros @ ..10_000 => format!("{}.{} ms", micros / 1000, micros % 1000 / 100),
        micros @ 10_000..1_000_000 => format!("{} ms", micros / 1000),
        micros => format!("{}.{} s", micros / 1_000_000, micros % 1_000_000 / 100_000),
    }
}
