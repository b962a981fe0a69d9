//! A terminal that is drawn on as a whole, and left as it was.

use std::io::{self, Write as _};
use std::os::fd::AsFd;

use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::termios::{
    LocalModes, OptionalActions, SpecialCodeIndex, Termios, tcgetattr, tcgetwinsize, tcsetattr,
};
use tokio::sync::mpsc;

use super::words::Line;
use crate::cli::terminal;

/// Another screen than the shell's, without cursor; and back.
const ENTER: &str = "\x1b[?1049h\x1b[?25l";
const LEAVE: &str = "\x1b[?25h\x1b[?1049l";
/// To the first place, and nothing after what was written.
const HOME: &str = "\x1b[H";
const CLEAR_LINE: &str = "\x1b[K";
const CLEAR_REST: &str = "\x1b[J";

/// How long the thread that waits for keys outlives the screen at most.
const KEY_WAIT: Timespec = Timespec { tv_sec: 0, tv_nsec: 200_000_000 };

/// What somebody typed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Key {
    /// q, or Ctrl-C.
    End,
    Other,
}

/// Dropping it leaves the terminal as it was.
pub(super) struct Screen {
    /// Absent where keys come from no terminal.
    before: Option<Termios>,
    keys: mpsc::Receiver<u8>,
}

impl Screen {
    pub(super) fn begin() -> io::Result<Self> {
        let (sender, keys) = mpsc::channel(1);
        let before = tcgetattr(io::stdin()).ok();
        if let Some(before) = &before {
            let mut modes = before.clone();
            for mode in [LocalModes::ECHO, LocalModes::ICANON, LocalModes::ISIG] {
                modes.local_modes.remove(mode);
            }
            modes.special_codes[SpecialCodeIndex::VMIN] = 0;
            modes.special_codes[SpecialCodeIndex::VTIME] = 0;
            tcsetattr(io::stdin(), OptionalActions::Flush, &modes)?;
            // A terminal in non-blocking mode would be so for the shell as well.
            std::thread::Builder::new().spawn(move || read_keys(&sender))?;
        }
        let screen = Self { before, keys };
        write(ENTER)?;
        Ok(screen)
    }

    /// The next key; for ever where there are none.
    pub(super) async fn key(&mut self) -> io::Result<Key> {
        const CTRL_C: u8 = 3;
        match self.keys.recv().await {
            Some(b'q' | b'Q' | CTRL_C) => Ok(Key::End),
            Some(_) => Ok(Key::Other),
            None => std::future::pending().await,
        }
    }
}

impl Drop for Screen {
    fn drop(&mut self) {
        // A terminal that is gone needs no mending.
        write(LEAVE).unwrap_or_default();
        if let Some(before) = &self.before {
            tcsetattr(io::stdin(), OptionalActions::Drain, before).unwrap_or_default();
        }
    }
}

/// Draws as much of the lines as there is room for, while there is a [`Screen`].
pub(super) fn draw(lines: &[Line]) -> io::Result<()> {
    let (rows, columns) = match tcgetwinsize(io::stdout()) {
        Ok(size) if size.ws_row > 1 && size.ws_col > 1 => (size.ws_row, size.ws_col),
        Ok(_) | Err(_) => (24, 80),
    };
    write(&picture(lines, rows.into(), columns.into(), terminal::has_colours()))
}

fn write(text: &str) -> io::Result<()> {
    let mut out = io::stdout().lock();
    out.write_all(text.as_bytes())?;
    out.flush()
}

fn read_keys(keys: &mpsc::Sender<u8>) {
    while !keys.is_closed() {
        let stdin = io::stdin();
        let mut readable = [PollFd::from_borrowed_fd(stdin.as_fd(), PollFlags::IN)];
        if poll(&mut readable, Some(&KEY_WAIT)).is_err() {
            continue;
        }
        let mut key = [0];
        match rustix::io::read(&stdin, &mut key) {
            Ok(1) => {
                let [key] = key;
                if keys.blocking_send(key).is_err() {
                    return;
                }
            }
            // Nothing yet, as the modes have it.
            Ok(_) => {}
            Err(_gone) => return,
        }
    }
}

/// What is written to show these lines in so many rows and columns; the last row says what does not fit.
fn picture(lines: &[Line], rows: usize, columns: usize, colours: bool) -> String {
    let shown = if lines.len() < rows { lines.len() } else { rows.saturating_sub(2) };
    let mut picture = HOME.to_owned();
    for Line { text, red } in lines.iter().take(shown) {
        // What a row has no room for would go on in the next.
        let text: String = terminal::plain(text).chars().take(columns).collect();
        let painted = terminal::Painted { text: &text, red: *red && colours };
        picture.push_str(&format!("{painted}{CLEAR_LINE}\r\n"));
    }
    let left = lines.len().saturating_sub(shown);
    if left > 0 {
        picture.push_str(&format!("… and {left} lines more{CLEAR_LINE}\r\n"));
    }
    picture.push_str("q ends");
    picture.push_str(CLEAR_LINE);
    picture.push_str(CLEAR_REST);
    picture
}

#[cfg(test)]
mod tests {
    use super::*;

    fn lines(count: usize) -> Vec<Line> {
        (0..count).map(|number| Line { text: format!("line {number}"), red: number == 1 }).collect()
    }

    #[test]
    fn a_picture_never_has_more_rows_or_columns_than_there_are() {
        for (count, rows) in [(0, 5), (4, 5), (5, 5), (1000, 5), (1000, 2), (3, 24)] {
            let picture = picture(&lines(count), rows, 6, false);
            assert!(picture.matches("\r\n").count() < rows, "{count} in {rows}: {picture:?}");
        }
        let picture = picture(&lines(10), 5, 4, false);
        assert_eq!(
            picture,
            "\x1b[Hline\x1b[K\r\nline\x1b[K\r\nline\x1b[K\r\n… and 7 lines more\x1b[K\r\nq ends\x1b[K\x1b[J"
        );
    }

    #[test]
    fn what_needs_attention_is_red_and_nothing_moves_the_cursor() {
        let hostile = [Line { text: "a\x1b[2Jb".into(), red: true }];
        assert!(picture(&hostile, 5, 80, true).contains("\x1b[31ma\\u{1b}[2Jb\x1b[0m"));
        assert!(!picture(&hostile, 5, 80, false).contains("\x1b[31m"));
    }
}
