//! Command lines in the manner of GNU's `getopt_long(3)`, as users of the classic programs know them: options may follow
//! words, letters may stand together, long names may be shortened, values may follow at once or next, and `--` ends it.

use alloc::collections::VecDeque;
use alloc::string::{String, ToString};
use alloc::vec::Vec;
use core::fmt;

/// An option that there is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Known {
    /// Its short name.
    pub letter: char,
    /// Its long name.
    pub long: &'static str,
    /// Whether a value belongs to it.
    pub has_value: bool,
}

/// What stands on a command line.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Item {
    /// An option that takes no value, by its letter.
    Flag(char),
    /// An option with its value.
    Setting(char, String),
    /// Anything else.
    Word(String),
}

/// What is wrong with an option, in getopt's own words.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Wrong {
    /// No option has this letter.
    Letter(char),
    /// No option has this long name.
    Unknown(String),
    /// Several options begin so.
    Ambiguous(String, Vec<&'static str>),
    /// A value is missing after this letter.
    LetterNeedsValue(char),
    /// A value is missing after this long name.
    NeedsValue(&'static str),
    /// There is a value where none belongs.
    NeedlessValue(&'static str),
}

impl fmt::Display for Wrong {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Letter(letter) => write!(f, "invalid option -- '{letter}'"),
            Self::Unknown(word) => write!(f, "unrecognized option '{word}'"),
            Self::Ambiguous(word, names) => {
                write!(f, "option '{word}' is ambiguous; possibilities:")?;
                names.iter().try_for_each(|name| write!(f, " '--{name}'"))
            }
            Self::LetterNeedsValue(letter) => write!(f, "option requires an argument -- '{letter}'"),
            Self::NeedsValue(long) => write!(f, "option '--{long}' requires an argument"),
            Self::NeedlessValue(long) => write!(f, "option '--{long}' doesn't allow an argument"),
        }
    }
}

impl core::error::Error for Wrong {}

/// A command line on its way to items.
#[derive(Clone, Debug)]
pub struct Getopt {
    known: &'static [Known],
    words: VecDeque<String>,
    /// What is left of `-abc`.
    letters: VecDeque<char>,
    /// Whether `--` has come.
    only_words: bool,
}

impl Getopt {
    /// The words after the program's name, with these options in them.
    pub fn new(known: &'static [Known], words: impl IntoIterator<Item = String>) -> Self {
        let words = words.into_iter().collect();
        Self { known, words, letters: VecDeque::new(), only_words: false }
    }

    fn letter(&mut self, letter: char) -> Result<Item, Wrong> {
        let known = self.known.iter().find(|known| known.letter == letter).ok_or(Wrong::Letter(letter))?;
        if !known.has_value {
            return Ok(Item::Flag(letter));
        }
        let rest: String = self.letters.drain(..).collect();
        let value = if rest.is_empty() { self.words.pop_front() } else { Some(rest) };
        value.map(|value| Item::Setting(letter, value)).ok_or(Wrong::LetterNeedsValue(letter))
    }

    fn long(&mut self, word: &str, text: &str) -> Result<Item, Wrong> {
        let (name, value) = match text.split_once('=') {
            Some((name, value)) => (name, Some(value.to_string())),
            None => (text, None),
        };
        let known = self.named(word, name)?;
        match (known.has_value, value) {
            (false, None) => Ok(Item::Flag(known.letter)),
            (false, Some(_)) => Err(Wrong::NeedlessValue(known.long)),
            (true, value) => {
                let value = value.or_else(|| self.words.pop_front()).ok_or(Wrong::NeedsValue(known.long))?;
                Ok(Item::Setting(known.letter, value))
            }
        }
    }

    /// The option of this name, or the only one whose name begins so.
    fn named(&self, word: &str, name: &str) -> Result<&'static Known, Wrong> {
        if let Some(known) = self.known.iter().find(|known| known.long == name) {
            return Ok(known);
        }
        let candidates: Vec<&Known> =
            self.known.iter().filter(|known| known.long.starts_with(name)).collect();
        match candidates[..] {
            [] => Err(Wrong::Unknown(word.to_string())),
            [known] => Ok(known),
            [..] => {
                Err(Wrong::Ambiguous(word.to_string(), candidates.iter().map(|known| known.long).collect()))
            }
        }
    }
}

impl Iterator for Getopt {
    type Item = Result<Item, Wrong>;

    fn next(&mut self) -> Option<Self::Item> {
        loop {
            if let Some(letter) = self.letters.pop_front() {
                return Some(self.letter(letter));
            }
            let word = self.words.pop_front()?;
            if self.only_words {
                return Some(Ok(Item::Word(word)));
            }
            if word == "--" {
                self.only_words = true;
            } else if let Some(long) = word.strip_prefix("--") {
                return Some(self.long(&word, long));
            } else if let Some(letters) = word.strip_prefix('-').filter(|letters| !letters.is_empty()) {
                self.letters = letters.chars().collect();
            } else {
                return Some(Ok(Item::Word(word)));
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use alloc::format;

    use super::*;

    const KNOWN: [Known; 4] = [
        Known { letter: 'i', long: "interface", has_value: true },
        Known { letter: 'l', long: "lookup", has_value: false },
        Known { letter: 'g', long: "logfile", has_value: true },
        Known { letter: 'v', long: "verbose", has_value: false },
    ];

    fn read(line: &str) -> String {
        let items = Getopt::new(&KNOWN, line.split(' ').map(ToString::to_string));
        let shown = |item| match item {
            Ok(Item::Flag(letter)) => format!("{letter}"),
            Ok(Item::Setting(letter, value)) => format!("{letter}({value})"),
            Ok(Item::Word(word)) => format!("[{word}]"),
            Err(wrong) => format!("{wrong}"),
        };
        items.map(shown).collect::<Vec<_>>().join(" ")
    }

    #[test]
    fn options_stand_anywhere_together_and_shortened() {
        assert_eq!(read("a -vl b -ieth0 c"), "[a] v l [b] i(eth0) [c]");
        assert_eq!(read("-i eth0 --interface eth1 --int=eth2 --interface="), "i(eth0) i(eth1) i(eth2) i()");
        assert_eq!(read("-vi eth0 -vgx -i -v"), "v i(eth0) v g(x) i(-v)");
        assert_eq!(read("--v - -- -v --x"), "v [-] [-v] [--x]");
    }

    #[test]
    fn what_is_wrong_is_said_as_getopt_says_it() {
        for (line, said) in [
            ("-x", "invalid option -- 'x'"),
            ("--foo=1", "unrecognized option '--foo=1'"),
            ("--lo", "option '--lo' is ambiguous; possibilities: '--lookup' '--logfile'"),
            ("-i", "option requires an argument -- 'i'"),
            ("--int", "option '--interface' requires an argument"),
            ("--verb=1", "option '--verbose' doesn't allow an argument"),
        ] {
            assert_eq!(read(line), said);
        }
    }
}
