//! The user's terminal, whatever the standard streams are: for what must not be seen, even where it is typed.

use std::fs::{File, OpenOptions};
use std::io::{self, Read as _, Write as _};

use rustix::termios::{LocalModes, OptionalActions, SpecialCodeIndex, Termios, tcgetattr, tcsetattr};
use zeroize::Zeroizing;

/// What the user made of a question.
#[derive(Debug)]
pub(crate) enum Answer {
    /// A line, without its end.
    Line(Zeroizing<Vec<u8>>),
    /// Ctrl-C, or nothing and Ctrl-D.
    GivenUp,
}

/// Asks on the controlling terminal for a line of at most `max` bytes, which is not shown.
pub(crate) fn ask_unseen(question: &str, max: usize) -> io::Result<Answer> {
    let mut tty = OpenOptions::new().read(true).write(true).open("/dev/tty")?;
    let unseen = Unseen::begin(tty.try_clone()?)?;
    write!(tty, "{question}")?;
    let answer = read(&mut tty, max);
    drop(unseen);
    // The user's own end of line was not shown either.
    writeln!(tty)?;
    answer
}

fn read(tty: &mut File, max: usize) -> io::Result<Answer> {
    let mut line = Line { bytes: Zeroizing::new(Vec::with_capacity(max)), max };
    loop {
        let mut key = Zeroizing::new([0]);
        match tty.read(key.as_mut_slice()) {
            Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
            Ok(0) => return Ok(Answer::GivenUp),
            read => read?,
        };
        let [key] = *key;
        match line.take(key) {
            Taken::More => {}
            Taken::All => return Ok(Answer::Line(line.bytes)),
            Taken::GivenUp => return Ok(Answer::GivenUp),
            Taken::TooLong => return Err(io::Error::other(format!("it is longer than {max} bytes"))),
        }
    }
}

/// While this lives, the terminal shows nothing of what is typed, and hands out each key at once. The keys that
/// would end or stop the program do not: they are read like others, so that none of them leaves the terminal mute.
struct Unseen {
    tty: File,
    before: Termios,
}

impl Unseen {
    fn begin(tty: File) -> io::Result<Self> {
        let before = tcgetattr(&tty)?;
        let mut modes = before.clone();
        let off = [LocalModes::ECHO, LocalModes::ECHONL, LocalModes::ICANON, LocalModes::ISIG];
        off.into_iter().for_each(|mode| modes.local_modes.remove(mode));
        modes.special_codes[SpecialCodeIndex::VMIN] = 1;
        modes.special_codes[SpecialCodeIndex::VTIME] = 0;
        // What was typed before the question is no answer to it.
        tcsetattr(&tty, OptionalActions::Flush, &modes)?;
        Ok(Self { tty, before })
    }
}

impl Drop for Unseen {
    fn drop(&mut self) {
        // A terminal that is gone needs no mending.
        tcsetattr(&self.tty, OptionalActions::Drain, &self.before).unwrap_or_default();
    }
}

/// A line that is being typed. It never grows beyond what was reserved, which would leave copies behind.
struct Line {
    bytes: Zeroizing<Vec<u8>>,
    max: usize,
}

/// What a key came to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Taken {
    More,
    All,
    GivenUp,
    TooLong,
}

const CTRL_C: u8 = 0x03;
const CTRL_D: u8 = 0x04;
const CTRL_H: u8 = 0x08;
const CTRL_U: u8 = 0x15;
const CTRL_BACKSLASH: u8 = 0x1c;
const DELETE: u8 = 0x7f;

impl Line {
    fn take(&mut self, key: u8) -> Taken {
        match key {
            b'\n' | b'\r' => return Taken::All,
            CTRL_D if !self.bytes.is_empty() => return Taken::All,
            CTRL_C | CTRL_BACKSLASH | CTRL_D => return Taken::GivenUp,
            CTRL_H | DELETE => self.rub_out(),
            CTRL_U => self.bytes.clear(),
            b'\t' | b' '.. if self.bytes.len() >= self.max => return Taken::TooLong,
            b'\t' | b' '.. => self.bytes.push(key),
            // The others are no characters.
            _ => {}
        }
        Taken::More
    }

    /// Takes the last character away, which may have several bytes.
    fn rub_out(&mut self) {
        while let Some(byte) = self.bytes.pop() {
            let continues = byte & 0xc0 == 0x80;
            if !continues {
                return;
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn typed(keys: &str) -> (Taken, String) {
        let mut line = Line { bytes: Zeroizing::new(Vec::new()), max: 8 };
        let taken = keys.bytes().map(|key| line.take(key)).find(|taken| *taken != Taken::More);
        (taken.unwrap_or(Taken::More), String::from_utf8(line.bytes.to_vec()).unwrap())
    }

    #[test]
    fn keys_make_a_line() {
        for (keys, taken, line) in [
            ("pass\n", Taken::All, "pass"),
            ("pass\rmore", Taken::All, "pass"),
            ("\n", Taken::All, ""),
            ("pax\x7fss\x08\x08\x08ass\n", Taken::All, "pass"),
            ("\x7f\x7fp\n", Taken::All, "p"),
            ("pé\x7fa\n", Taken::All, "pa"),
            ("wrong\x15right\n", Taken::All, "right"),
            ("a b\tc\x1a\x1b\n", Taken::All, "a b\tc"),
            ("pass\x04", Taken::All, "pass"),
            ("\x04", Taken::GivenUp, ""),
            ("pass\x03", Taken::GivenUp, "pass"),
            ("\x1c", Taken::GivenUp, ""),
            ("12345678\n", Taken::All, "12345678"),
            ("123456789\n", Taken::TooLong, "12345678"),
        ] {
            assert_eq!(typed(keys), (taken, line.to_owned()), "{keys:?}");
        }
    }
}
